"""What `dr:*` tags mean, and every way they can be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tags import KNOWN, OWN, DrTags, conflicts, read
from orchestrator.words import Priority

GOOD = {"dr:enabled": "true", "dr:wave": "2", "Customer": "CustomerX", "Environment": "production"}
STRATEGIES = ("global-database", "read-replica")


def problems(**changes: str | None) -> list[str]:
    """Return the problems of good tags with some changed (None removes one); underscore for the colon and dash."""
    named = {key.replace("dr_", "dr:").replace("_", "-"): value for key, value in changes.items()}
    tags = {key: value for key, value in {**GOOD, **named}.items() if value is not None}
    meaning, found = read(tags, STRATEGIES)
    assert (meaning is None) == bool(found)
    return found


def test_required_tags_alone_mean_medium_priority_and_nothing_else() -> None:
    assert read(GOOD, STRATEGIES) == (DrTags(enabled=True, wave=2), [])


def test_every_tag_is_understood() -> None:
    meaning, found = read(
        {
            **GOOD,
            "dr:enabled": "false",
            "dr:priority": "critical",
            "dr:recovery-strategy": "read-replica",
            "dr:rto-target": "30",
            "dr:rpo-target": "0",
            "dr:health-check-url": "https://shop.example.com/health",
            "dr:dependencies": "orders, cache ,,",
            "Name": "anything",
            "dr:fenced": "yes",
        },
        STRATEGIES,
    )
    assert found == []
    assert meaning == DrTags(
        enabled=False,
        wave=2,
        priority=Priority.CRITICAL,
        strategy="read-replica",
        rto_minutes=30,
        rpo_minutes=0,
        health_check_url="https://shop.example.com/health",
        dependencies=("orders", "cache"),
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dr_enabled": None}, "required tag dr:enabled is missing"),
        ({"dr_wave": None}, "required tag dr:wave is missing"),
        ({"dr_wave": ""}, "required tag dr:wave is missing"),
        ({"Customer": None}, "required tag Customer is missing"),
        ({"Environment": None}, "required tag Environment is missing"),
        ({"dr_enabled": "True"}, 'dr:enabled is "True", expected one of true, false (did you mean "true"?)'),
        ({"dr_wave": "first"}, 'dr:wave is "first", expected a whole number from 1'),
        ({"dr_wave": "0"}, "expected a whole number from 1"),
        ({"dr_wave": "-1"}, "expected a whole number from 1"),
        ({"dr_wave": "²"}, "expected a whole number from 1"),
        ({"dr_wave": "9" * 200}, "expected a whole number from 1"),
        ({"Environment": "prod"}, 'Environment is "prod"'),
        ({"dr_priority": "urgent"}, "expected one of critical, high, medium, low"),
        ({"dr_priority": "hihg"}, '(did you mean "high"?)'),
        ({"dr_recovery_strategy": "global"}, "expected one of global-database, read-replica"),
        ({"dr_rto_target": "half an hour"}, "dr:rto-target"),
        ({"dr_rto_target": "0"}, "expected a whole number from 1"),
        ({"dr_rpo_target": "5m"}, "dr:rpo-target"),
        ({"dr_health_check_url": "shop.example.com"}, "starts with https:// or http://"),
        ({"dr_prority": "high"}, 'unknown tag "dr:prority" (did you mean "dr:priority"?)'),
    ],
)
def test_wrong_tag_is_named_with_what_was_expected(changes: dict[str, str | None], told: str) -> None:
    found = problems(**changes)
    assert len(found) == 1
    assert told in found[0]


def test_all_wrong_tags_are_told_together() -> None:
    assert len(problems(dr_wave="x", dr_enabled="maybe", dr_priority="now", Customer=None)) == 4


def test_empty_optional_tag_counts_as_absent() -> None:
    assert problems(dr_priority="", dr_recovery_strategy="", dr_dependencies="") == []


def test_sides_that_disagree_are_told_with_both_values() -> None:
    # Given the two sides of one resource
    sides = {"us-east-1": {**GOOD, "dr:priority": "high"}, "us-west-2": {**GOOD, "dr:wave": "3", "Name": "other"}}
    # When, Then only what both say and say differently is a conflict
    assert conflicts(sides) == ['dr:wave is "2" in us-east-1, "3" in us-west-2; both sides must agree']


TAGS = st.dictionaries(st.sampled_from([*KNOWN, *OWN, "dr:typo", "Name"]) | st.text(max_size=10), st.text(max_size=12))


@given(TAGS)
def test_any_tags_have_a_meaning_or_problems_but_never_both(tags: dict[str, str]) -> None:
    meaning, found = read(tags, STRATEGIES)
    assert (meaning is None) == bool(found)
    assert len(found) == len(set(found))


@given(TAGS, TAGS)
def test_conflicts_do_not_depend_on_which_side_is_which(here: dict[str, str], there: dict[str, str]) -> None:
    assert len(conflicts({"a": here, "b": there})) == len(conflicts({"a": there, "b": here}))
    assert conflicts({"a": here, "b": here}) == []
