"""What AWS says has failed ends an action as failed, with a remedy, and never in a wait that only its deadline ends."""

from __future__ import annotations

from collections import Counter

import pytest

from adapters import registry
from orchestrator.contract import Adapter
from orchestrator.reducer import GOOD
from orchestrator.words import Outcome
from tests.contract.failing import End, documented, failures, known, of_strategy
from tests.contract.matrix import Case, facts, pairs

each_adapter = pytest.mark.parametrize("adapter", registry.adapters(), ids=lambda each: each.spec.key)
everything = pytest.mark.parametrize("case", [case for pair in pairs() for case in of_strategy(*pair)], ids=str)


@everything
def test_thing_that_fails_while_it_is_waited_for_ends_the_action_as_failed_with_a_remedy(case: Case) -> None:
    found = failures(case)

    assert found.broken == ()
    assert [_told(end) for end in found.ends if not _ends_well_enough(case, end)] == []


def _ends_well_enough(case: Case, end: End) -> bool:
    if end.outcome == Outcome.FAILED:
        return bool(end.detail and end.remedy)
    (told,) = (each for each in facts(case.adapter).statuses if each.read == end.thing.read)
    return end.outcome in GOOD and (end.phase, end.value) in told.survived


def _told(end: End) -> str:
    what = f"{end.thing.read} of {' '.join(end.thing.names)} in {end.thing.region} said to be {end.value}"
    return f"{end.phase}: {what}: {end.outcome}: {end.detail} {end.remedy}"


@pytest.mark.exhaustive
@each_adapter
def test_every_status_that_an_adapter_reads_is_told_of(adapter: Adapter) -> None:
    key = adapter.spec.key
    read = {
        read for strategy in adapter.spec.strategies for case in of_strategy(key, strategy.name)
        for read in failures(case).read
    }  # fmt: skip

    assert sorted(read - known(facts(key))) == [], "say in its facts what its values mean, or why nothing waits for it"
    assert sorted(known(facts(key)) - read) == [], "told of, but not read (any more)"
    assert all(facts(key).judged.values())


@each_adapter
def test_every_value_that_aws_documents_is_good_passing_or_failed(adapter: Adapter) -> None:
    for told in facts(adapter.spec.key).statuses:
        values = Counter([*told.good, *told.passing, *told.failed])
        unknown = documented(told.read) - set(values)
        assert not unknown, f"{told.read}: nobody says what {sorted(unknown)} mean"
        assert documented(told.read) in (set(), set(values)), f"{told.read}: AWS documents other values"
        assert max(values.values()) == 1, f"{told.read}: one meaning for each value"
        assert {value for _, value in told.survived} <= set(told.failed)
        assert all(told.survived.values())
