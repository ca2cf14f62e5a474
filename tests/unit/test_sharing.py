"""Tests that share what is dear run in one process; everything else is spread by file."""

from __future__ import annotations

import pytest

from tests.support.sharing import Sharing, dearest_first, shared_by


def test_all_that_rehearse_a_technology_share_its_rehearsals() -> None:
    drawn = (
        "test_spec.py::test_declaration_is_complete[efs]",
        "test_drill.py::test_drill_marks_what_it_makes_and_everything_is_gone_at_the_end[efs-replication-drill-failover]",
        "test_permissions.py::test_nothing_that_an_adapter_asks_is_refused[efs-backup-restore-planned-failback]",
    )
    assert {shared_by(f"tests/contract/{each}") for each in drawn} == {"contract efs"}
    assert shared_by("tests/contract/test_spec.py::test_declaration_is_complete[fsx]") == "contract fsx"


def test_infrastructure_is_synthesised_once_and_other_files_stand_for_themselves() -> None:
    assert shared_by("tests/infra/test_hub.py::test_a") == shared_by("tests/infra/test_data.py::test_b[x]")
    assert shared_by("tests/functional/test_planned.py::test_a[b::c]") == "tests/functional/test_planned.py"
    assert shared_by("tests/contract/test_cards.py::test_no_card_is_left") == "tests/contract/test_cards.py"


def test_what_takes_longest_begins_first() -> None:
    story, rehearsal = "tests/adapters/test_efs_story.py::test_a", "tests/contract/test_spec.py::test_b[efs-{}]"
    quick = [f"tests/unit/test_words.py::test_c[{number}]" for number in range(9)]
    rehearsals = [rehearsal.format(number) for number in range(3)]
    order = dearest_first([*quick, story, *rehearsals])
    assert sorted([*quick, story, *rehearsals], key=order.__getitem__) == [*rehearsals, story, *quick]


def test_pytest_distributes_by_what_is_shared(pytestconfig: pytest.Config) -> None:
    (ours, *_) = reversed(pytestconfig.hook.pytest_xdist_make_scheduler.get_hookimpls())
    assert ours.function.__annotations__["return"] == Sharing.__name__
