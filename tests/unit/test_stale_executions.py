"""A redriven, late or duplicated execution of a run that ended, or lost its scope, makes no call and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from orchestrator import ending, gates, moving, planning, stages, stocktaking
from orchestrator.errors import FencedError
from orchestrator.platform import Platform
from orchestrator.progress import Finish, RunStage
from orchestrator.words import GateStatus, RunStatus, StageStatus
from tests.unit.scripted_platform import HOME, REQUEST, SCOPE, START, TARGET, Cloud, Operator

ARN = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:run-1"


@dataclass
class Stale:
    """A run whose action is under way in its first stage, as its execution left it."""

    cloud: Cloud = field(default_factory=Cloud)

    def __post_init__(self) -> None:
        self.cloud.add("orders")
        self.platform: Platform = self.cloud.platform()

    def begin(self, **request: object) -> str:
        self.cloud.accept(self.platform, ApprovalMode="automatic", Phases=["ACTIVATE"], **request)
        move = moving.decide_next(self.platform, "run-1")
        assert isinstance(move, RunStage)
        self.stage_id = move.stage.stage_id
        stages.start_stage(self.platform, "run-1", self.stage_id)
        (action,) = self.cloud.ledger.actions("run-1")
        self.action_id = action.action_id
        self.platform.engine.advance("run-1", self.stage_id, self.action_id)
        return "run-1"

    def end(self) -> None:
        """Let somebody stop the execution, and the hub notice it."""
        ending.stopped(self.platform, "run-1", "was aborted")

    def hand_over(self) -> None:
        """Let another run hold the scope with a higher epoch, as after a return from isolation."""
        self.cloud.ledger.unlock(SCOPE, "run-1")
        self.cloud.ledger.lock(SCOPE, "run-2", START)


VERBS: Mapping[str, Callable[[Stale], object]] = {
    "take_inventory": lambda s: stocktaking.take_inventory(s.platform, "run-1"),
    "start_stage": lambda s: stages.start_stage(s.platform, "run-1", s.stage_id),
}


def _traces(stale: Stale) -> tuple[object, ...]:
    ledger = stale.cloud.ledger
    return (
        list(stale.cloud.tried),
        list(stale.cloud.looked_at),
        ledger.run("run-1"),
        [
            stage.but(version=0) for stage in ledger.stages("run-1")
        ],  # a start that changes nothing is saved all the same
        ledger.actions("run-1"),
        ledger.gates("run-1"),
        ledger.holder(SCOPE),
    )


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", ["end", "hand_over"])
def test_verb_of_a_stale_execution_is_refused_and_leaves_no_trace(verb: str, how: str) -> None:
    # Given a run that ended, or whose scope another run holds with a higher epoch
    stale = Stale()
    stale.begin()
    getattr(stale, how)()
    before = _traces(stale)
    # When an execution that was redriven, or comes late, goes on where it stood
    with pytest.raises(FencedError, match=r"has ended \(stopped\)|is held by run run-2 \(epoch 2\)"):
        VERBS[verb](stale)
    # Then nothing was called, looked at or written
    assert _traces(stale) == before


def test_action_and_health_of_a_stage_that_moved_on_are_not_touched_by_a_redriven_wave() -> None:
    # Given a stage whose execution died, and which was closed from the ledger
    stale = Stale()
    stale.begin()
    stages.close_stage(stale.platform, "run-1", stale.stage_id)
    before = _traces(stale)
    # When the wave's execution is redriven, Then it finds its action ended, and its health judged
    assert stages.start_stage(stale.platform, "run-1", stale.stage_id) == []
    assert stale.platform.engine.advance("run-1", stale.stage_id, stale.action_id).done
    assert stages.check_health(stale.platform, "run-1", stale.stage_id).settled
    assert stages.close_stage(stale.platform, "run-1", stale.stage_id) is StageStatus.FAILED
    assert _traces(stale) == before


def test_action_of_a_run_that_ended_makes_no_call_although_its_own_record_goes_on() -> None:
    # Given a run that was closed while its action's record still said running, its lock still there
    stale = Stale()
    stale.begin()
    stale.cloud.ledger.change_run("run-1", lambda r: r.but(status=RunStatus.FAILED, ended_at=START))
    before = _traces(stale)
    with pytest.raises(FencedError, match="has ended"):
        stale.platform.engine.advance("run-1", stale.stage_id, stale.action_id)
    with pytest.raises(FencedError, match="has ended"):
        stages.check_health(stale.platform, "run-1", stale.stage_id)
    assert _traces(stale) == before


@pytest.mark.parametrize("status", ["stopped", "other-holder"])
def test_plan_is_not_built_for_a_run_that_may_not_act(status: str) -> None:
    stale = Stale()
    planning.accept(stale.platform, REQUEST, ARN, "run-1", START)
    stocktaking.take_inventory(stale.platform, "run-1")
    stale.end() if status == "stopped" else stale.hand_over()
    looked = list(stale.cloud.looked_at)
    with pytest.raises(FencedError):
        planning.build_plan(stale.platform, "run-1")
    assert stale.cloud.looked_at == looked
    assert stale.cloud.ledger.stages("run-1") == []


def test_execution_redriven_at_its_first_step_is_refused_and_takes_no_lock() -> None:
    stale = Stale()
    planning.accept(stale.platform, REQUEST, ARN, "run-1", START)
    stale.end()
    with pytest.raises(FencedError, match="gave its scope back") as refusal:
        planning.accept(stale.platform, REQUEST, ARN, "run-1", START)
    assert refusal.value.remedy == "start the run again: what was done is recognised."
    assert stale.cloud.ledger.holder(SCOPE) is None


def test_gate_of_a_run_that_ended_is_not_asked_again() -> None:
    # Given a run that was stopped while it waited for an answer
    stale = Stale()
    stale.cloud.accept(stale.platform)
    Operator(stale.platform, stale.cloud, lambda _gate: None).drive("run-1")
    stale.end()
    (gate,) = stale.cloud.ledger.gates("run-1")
    # When its execution is redriven, Then nobody is asked, and the run's next move is its end
    with pytest.raises(FencedError, match="has ended"):
        gates.ask_with_token(stale.cloud.ledger, stale.cloud.clock, "run-1", gate.gate_id, "new-token")
    assert stale.cloud.ledger.gate("run-1", gate.gate_id).status is GateStatus.WITHDRAWN
    assert moving.decide_next(stale.platform, "run-1") == Finish()


def test_redriven_execution_ends_as_the_run_did_and_its_successor_adopts_what_was_done() -> None:
    # Given a run that was stopped after a call
    stale = Stale()
    stale.begin()
    stale.end()
    messages = len(stale.cloud.notifier.sent)
    # When its execution is redriven
    assert moving.decide_next(stale.platform, "run-1") == Finish()
    assert ending.finish(stale.platform, "run-1").status is RunStatus.STOPPED
    # Then nobody is told again, and a new run comes to the end with one effect of each call
    assert len(stale.cloud.notifier.sent) == messages
    stale.cloud.accept(stale.platform, "run-2", ApprovalMode="automatic", Phases=["ACTIVATE"])
    assert Operator(stale.platform, stale.cloud).drive("run-2").status is RunStatus.SUCCEEDED
    assert stale.cloud.operations() == ["fence", "promote"]
