"""What adapters declare, and the words they use, are fit for the people who read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from adapters import registry
from orchestrator.contract import Adapter
from orchestrator.ledger.records import StepRecord
from orchestrator.words import LIFECYCLE, Mode, Phase, Severity, StepState
from tests.contract.matrix import Case, cases, facts, pairs, record

each_adapter = pytest.mark.parametrize("adapter", registry.adapters(), ids=lambda each: each.spec.key)
everything = pytest.mark.parametrize("case", cases(), ids=str)
KEBAB = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
EXPLORER_TYPE = re.compile(r"^[a-z0-9-]+:[A-Za-z0-9-]+(/[a-z0-9-]+)?$")


@each_adapter
def test_strategies_say_what_they_lose_how_long_they_take_and_how_long_there_is_a_way_back(adapter: Adapter) -> None:
    names = [strategy.name for strategy in adapter.spec.strategies]

    assert names
    assert len(set(names)) == len(names)
    for strategy in adapter.spec.strategies:
        assert KEBAB.match(strategy.name)
        assert set(strategy.typical_minutes) == set(LIFECYCLE), f"{strategy.name}: a typical time for every phase"
        assert all(minutes >= 0 for minutes in strategy.typical_minutes.values())
        assert strategy.typical_minutes[Phase.ACTIVATE] > 0
        assert strategy.title
        assert strategy.planned_loss
        assert strategy.emergency_loss
        assert strategy.rollback_until


@each_adapter
def test_declaration_is_complete(adapter: Adapter) -> None:
    spec = adapter.spec

    assert KEBAB.match(spec.key)
    assert spec.title
    assert spec.documentation.startswith("https://docs.aws.amazon.com/")
    assert spec.resource_types
    assert all(EXPLORER_TYPE.match(each) for each in spec.resource_types)
    assert 5 <= spec.poll_seconds <= 60
    longest = max(minutes for s in spec.strategies for minutes in s.typical_minutes.values())
    assert spec.deadline_minutes > longest, "a phase that takes its usual time must not run into the deadline"
    assert 1 <= spec.batch_size <= 100


def test_no_two_adapters_claim_the_same_type_or_manifest_action() -> None:
    types = Counter(each for adapter in registry.adapters() for each in adapter.spec.resource_types)
    actions = Counter(each for adapter in registry.adapters() for each in adapter.spec.manifest_actions)

    assert [name for name, count in (types + actions).items() if count > 1 and types[name] + actions[name] > 1] == []


def test_every_strategy_is_rehearsed() -> None:
    known = {(each.spec.key, name) for each in registry.adapters() for name in facts(each.spec.key).estates}
    assert known == set(pairs())
    assert {(k, s) for k, _ in known for s in facts(k).no_emergency} <= known


@everything
def test_step_names_are_kebab_case_and_unique_in_every_list(case: Case) -> None:
    for names in _lists_of_names(case):
        assert len(set(names)) == len(names), names
        assert [name for name in names if not KEBAB.match(name)] == []


@everything
def test_step_names_stay_the_same_between_the_preview_and_the_run(case: Case) -> None:
    """A step that is only known under another name later cannot be followed by anybody."""
    seen = record(case)
    for phase in seen.phases.values():
        (planned,) = (each for each in seen.plan.actions if each.phase is phase.phase)
        changing = {step.name for step in planned.steps if step.call}
        assert changing <= {step.name for look in phase.looks for step in look}


@everything
def test_every_step_that_stops_a_run_says_why_and_what_to_do(case: Case) -> None:
    stopping = [step for step in _steps(case) if step.state in {StepState.BLOCKED, StepState.FAILED}]

    assert [step.name for step in stopping if not step.remedy or not step.reason] == []


@everything
def test_every_step_that_is_waited_for_or_to_do_says_what_was_observed(case: Case) -> None:
    assert [s.name for s in _steps(case) if s.state in {StepState.BUSY, StepState.TODO} and not s.reason] == []


@everything
def test_findings_name_a_resource_and_red_ones_a_remedy(case: Case) -> None:
    seen = record(case)
    known = {resource for action in seen.plan.actions for resource in action.resource_ids}

    assert {finding.resource_id for finding in seen.findings} == known
    assert all(KEBAB.match(finding.code) and finding.message for finding in seen.findings)
    assert [f.code for f in seen.findings if f.severity is Severity.RED and not f.remedy] == []


@pytest.mark.parametrize("case", cases(Mode.PLANNED, Mode.EMERGENCY), ids=str)
def test_plan_states_what_would_be_lost_of_every_resource(case: Case) -> None:
    seen = record(case)

    assert {each.resource_id for each in seen.plan.losses} == {r for a in seen.plan.actions for r in a.resource_ids}
    assert all(each.detail for each in seen.plan.losses)


def _steps(case: Case) -> Iterator[StepRecord]:
    for phase in record(case).phases.values():
        yield from (step for look in phase.looks for step in look)
        yield from phase.afterwards.undone.steps


def _lists_of_names(case: Case) -> Iterator[list[str]]:
    seen = record(case)
    yield from ([step.name for step in action.steps] for action in seen.plan.actions)
    for phase in seen.phases.values():
        yield from ([step.name for step in look] for look in phase.looks)
        yield from ([step.name for step in look] for look in phase.afterwards.undone.looks)
