"""A drill makes things of its own, touches nothing else, and leaves no trace."""

from __future__ import annotations

import re

import pytest

from orchestrator.costs import WITHIN
from orchestrator.rates import FREE, RATES
from orchestrator.words import Mode, Phase
from tests.contract.matrix import Case, cases, facts, record
from tests.contract.sight import difference

drills = pytest.mark.parametrize("case", cases(Mode.DRILL), ids=str)

MAKING = ("Create", "Restore", "Run", "Start", "Copy", "Add", "Tag", "Register", "Put")
"""Changes that bring something into being; production appears in them only as what is copied."""

OF_ITS_OWN = {"events.RemoveTargets"}
"""Sounds like more than it does: a rule that a drill made cannot be deleted before. Another test watches whose rule it is."""


RESTORING = re.compile(r"^/_snapshot/[^/]+/[^/]+/_restore$")
"""A request that brings indices of a search domain into being."""


@drills
def test_drill_leaves_production_as_it_was_in_every_attribute_in_every_phase(case: Case) -> None:
    seen = record(case)

    for phase in seen.phases.values():
        assert phase.production == seen.production_before, (
            f"{phase.phase}\n{difference(seen.production_before, phase.production)}"
        )
    assert seen.production_after == seen.production_before


@drills
def test_drill_changes_and_deletes_only_what_carries_its_own_tag(case: Case) -> None:
    for change, named, tagged in record(case).destructive:
        verb = change.operation.partition(".")[2]
        restores = any(RESTORING.search(each) for each in named)
        if restores:
            assert any(each.startswith("drill-") for each in named), "restored under names of its own"
        if restores or verb.startswith(MAKING):
            continue
        touched = named & record(case).production_names
        assert not touched, f"{change.operation} names {sorted(touched)}"
        own = {piece for arn in tagged for piece in (arn, arn.rpartition("/")[2], arn.rpartition(":")[2])}
        assert named & own, f"{change.operation} names {sorted(named)}; of this drill are {sorted(own)}"


@drills
def test_drill_marks_what_it_makes_and_everything_is_gone_at_the_end(case: Case) -> None:
    seen = record(case)

    assert bool(seen.phases[Phase.INSTANTIATE].made) is not bool(_excused(case))
    assert seen.left_over == frozenset()


@drills
def test_drill_never_promotes_fences_or_touches_names(case: Case) -> None:
    changes = [change.operation for phase in record(case).phases.values() for change in phase.ending.changes]
    forbidden = (
        "Promote",
        "Switchover",
        "Failover",
        "Reverse",
        "Remove",
        "ChangeResourceRecordSets",
        "UpdateHealthCheck",
    )

    promoting = [each for each in changes if each.partition(".")[2].startswith(forbidden)]
    assert [each for each in promoting if each not in OF_ITS_OWN] == []


@drills
def test_drill_makes_nothing_only_where_that_is_excused(case: Case) -> None:
    silent = not record(case).phases[Phase.INSTANTIATE].ending.changes

    assert silent == bool(_excused(case))


@drills
def test_drill_makes_only_what_the_cost_estimate_knows(case: Case) -> None:
    changes = [change.operation for phase in record(case).phases.values() for change in phase.ending.changes]
    made = {each for each in changes if each.partition(".")[2].startswith(MAKING)}

    paid_anyway = {each for each in made if each.partition(".")[0] in WITHIN}
    assert made - paid_anyway - RATES.keys() - FREE == set()


def _excused(case: Case) -> str:
    """Return why a drill of a strategy makes nothing; empty when it must."""
    told = facts(case.adapter)
    return told.looks_only.get(case.strategy, told.drill_makes_nothing)
