"""Commit gate, destructive guards and drill isolation stand twice: in code and in the session policy. Each holds alone.

One of the two is removed at its one place, the run goes on through the real engine, and the embedded AWS tells what was
changed and whom its IAM refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from adapters import registry
from orchestrator import engine, sessions, stages
from orchestrator.context import run_context
from orchestrator.contract import Call, Later, Step, todo
from orchestrator.decisions import reset
from orchestrator.judgement import switches_roles
from orchestrator.ledger.records import Action, Stage
from orchestrator.targets import load_target
from orchestrator.words import ActionStatus, Effect, Mode, Operation, Outcome, Phase, Side, StageStatus
from tests.contract.matrix import Case, cases, decommissions, facts, tagged
from tests.support.driver import SCOPE, Journey, World, open_world

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
MAX_TICKS = 100
NO_LINE = {
    "asg": {"scale-up", "warm-pool", "image-refresh"},
    "drs": {"drs-recovery", "drs-launch-into", "drs-recovery-plan"},
    "ecs": {"scale-service", "deploy-from-source"},
    "efs": {"backup-restore"},
    "elasticache": {"rebuild"},
    "eventbridge": {"rule-toggle", "global-endpoint"},
    "fsx": {"backup-copy", "lustre-s3"},
    "lambda": {"alias-shift", "deploy-from-source"},
    "memorydb": {"multi-region"},
    "route53": {"alarm-health-check", "failover-routing", "arc-routing-control"},
}
"""The strategies whose emergencies foresee no step that cannot be taken back."""


def _crosses(case: Case) -> bool:
    return case.strategy not in NO_LINE.get(case.adapter, set())


PROMISED = [case for case in cases(Mode.EMERGENCY) if not case.back and case.promised]
crossing = pytest.mark.parametrize("case", [case for case in PROMISED if _crosses(case)], ids=str)
not_crossing = pytest.mark.parametrize("case", [case for case in PROMISED if not _crosses(case)], ids=str)
drills = pytest.mark.parametrize("case", [c for c in cases(Mode.DRILL) if not c.back], ids=str)
everything = pytest.mark.parametrize("case", decommissions(), ids=str)


@contextmanager
def without_code() -> Iterator[None]:
    """Remove the guard that stands before every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "refuse", lambda *_: None)
        yield


@contextmanager
def without_policy() -> Iterator[None]:
    """Let every session do whatever its role may do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "session_policy", lambda *_, **__: EVERYTHING)
        yield


def a_world(patch: pytest.MonkeyPatch, case: Case) -> World:
    told = facts(case.adapter)
    entries = [tagged(entry, case.strategy, SCOPE.customer) for entry in told.estates[case.strategy]]
    return open_world(patch, *entries, images=told.images)


def attempt(run: Journey, stage: Stage) -> Action:
    """Advance the action of a stage to its end, from the start; return it, and let the next attempt begin anew."""
    ledger = run.platform.ledger
    ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(status=StageStatus.PENDING))
    stages.start_stage(run.platform, run.run_id, stage.stage_id)
    action = ledger.actions(run.run_id, stage.stage_id)[0]
    for _ in range(MAX_TICKS):
        tick = run.platform.engine.advance(run.run_id, stage.stage_id, action.action_id)
        if tick.done:
            break
        run.world.clock.advance(tick.wait_seconds)
    ended = ledger.action(run.run_id, action.action_id)
    assert ended.status is ActionStatus.ENDED, [(s.name, s.state, s.reason) for s in ended.steps]
    ledger.save_action(reset(ended))
    return ended


def the_stage(run: Journey, phase: Phase) -> Stage:
    return next(stage for stage in run.platform.ledger.stages(run.run_id) if stage.phase is phase)


@crossing
def test_line_of_no_return_is_not_crossed_before_the_commit_gate_by_either_wall(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an emergency that nobody has let cross the line
    world = a_world(monkeypatch, case)
    world.inventory()
    run = world.start(emergency=True, commit=False)
    stage = the_stage(run, Phase.ACTIVATE)
    assert stage.irreversible
    line = {s.call.operation for s in run.preview(Phase.ACTIVATE) if s.call and s.effect is Effect.IRREVERSIBLE}
    # When the code lets everything pass, Then AWS refuses, and nothing at all was changed
    with without_code():
        ended = attempt(run, stage)
    assert (ended.outcome, world.operations()) == (Outcome.FAILED, []), ended.detail
    assert world.refusals() != []
    # When the session may do everything, Then the code refuses, and the line was not crossed
    refused = len(world.refusals())
    with without_policy():
        ended = attempt(run, stage)
    assert ended.outcome is Outcome.FAILED
    assert f"the commit gate of run {run.run_id} was not passed" in ended.detail
    assert not line & set(world.operations())
    assert len(world.refusals()) == refused


@not_crossing
def test_strategy_without_a_line_has_none(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, case)
    world.inventory()
    assert not any(stage.irreversible for stage in world.start(emergency=True, commit=False).plan.stages)


def rogue_calls(run: Journey) -> list[Call]:
    """Return the changes that a planned run would make next in ACTIVATE and CLEANUP, as far as they are known now."""
    found = []
    for phase in (Phase.ACTIVATE, Phase.CLEANUP):
        for action in run.platform.ledger.actions(run.run_id, the_stage(run, phase).stage_id):
            adapter = registry.adapter(action.adapter)
            target = load_target(run.platform.blobs, run.run_id, action.target_id)
            context = run_context(run.run, phase, target, run.world.clock.now())
            session = run.platform.open_session(run.run, adapter, context, target)
            view = adapter.observe(target, session, context)
            steps: list[Step] = adapter.steps(phase, view, context)
            found += [s.call for s in steps if s.call is not None and not _has_later(s.call.params)]
    return found


def _has_later(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_later(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_has_later(each) for each in value)
    return isinstance(value, Later)


@drills
def test_drill_that_would_do_what_a_real_run_does_is_refused_by_either_wall(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given what a planned run would change, and a drill whose adapter has gone mad and wants that
    world = a_world(monkeypatch, case)
    real = world.start()
    wanted = rogue_calls(real)
    real.end()
    run = world.start(Operation.TEST)
    stage = the_stage(run, Phase.ACTIVATE)
    before = world.operations()
    adapter = type(registry.adapter(case.adapter))
    for call in wanted:
        monkeypatch.setattr(adapter, "steps", lambda *_, c=call: [todo("rogue", c, Effect.COMPENSABLE, "gone mad")])
        # When the code lets everything pass, Then AWS refuses, and nothing was changed
        with without_code():
            ended = attempt(run, stage)
        assert (ended.outcome, world.operations()) == (Outcome.FAILED, before), f"{call}: {ended.detail}"
        # When the session may do everything, Then the code refuses what is not on the target side or switches roles
        if call.side is Side.TARGET and not switches_roles(call):
            continue
        with without_policy():
            ended = attempt(run, stage)
        assert (ended.outcome, world.operations()) == (Outcome.FAILED, before), f"{call}: {ended.detail}"
        assert f"drill {run.run_id} may" in ended.detail


@everything
def test_nothing_is_deleted_before_that_was_approved_by_either_wall(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that has moved and protected everything, and whose last stage nobody has approved
    world = a_world(monkeypatch, case)
    run = world.start(Decommission=True)
    last = the_stage(run, Phase.DECOMMISSION)
    for stage in run.platform.ledger.stages(run.run_id):
        if stage.phase is not Phase.DECOMMISSION:
            run._run_stage(stage)
    before, refused = world.operations(), world.refusals()
    # When the code lets everything pass, Then AWS refuses, and nothing was deleted
    with without_code():
        ended = attempt(run, last)
    assert world.operations() == before, ended.detail
    if ended.outcome is Outcome.SKIPPED:  # it deletes nothing at all
        return
    assert ended.outcome is Outcome.FAILED
    assert world.refusals() != refused
    # When the session may do everything, Then the code refuses
    with without_policy():
        ended = attempt(run, last)
    assert (ended.outcome, world.operations()) == (Outcome.FAILED, before)
    assert "nobody approved" in ended.detail
