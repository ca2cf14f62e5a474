"""The watchdog closes what died without telling, tells of what is lost, once, and only looks at what lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator import moving, stages
from orchestrator.errors import UnreachableError
from orchestrator.executions import Execution, Executions
from orchestrator.findings import KIND, Finding
from orchestrator.gates import ask_with_token
from orchestrator.notify import Notice
from orchestrator.pausing import pause
from orchestrator.progress import Ask, RunStage
from orchestrator.watchdog import Round, watch
from orchestrator.words import GateStatus, RunStatus, StageStatus
from tests.unit.scripted_platform import HOME, SCOPE, SOURCE, START, TARGET, Cloud, Operator

MACHINE = f"arn:aws:states:{TARGET}:{HOME}:stateMachine:DROrchestrator"
HOUR = 3600


@dataclass
class StepFunctions(Executions):
    """What Step Functions would say."""

    ended: dict[str, Execution | None] = field(default_factory=dict)
    """Execution name -> how it ended, None when nobody knows it; all others run."""
    dead_tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Execution name -> its input."""
    stopped: list[str] = field(default_factory=list)
    unreachable: bool = False

    def find(self, arn: str) -> Execution | None:
        self.asked.append(arn)
        if self.unreachable:
            raise UnreachableError("states.DescribeExecution: no answer.")
        return self.ended.get(arn.rpartition(":")[2], Execution("RUNNING"))

    def waits(self, token: str) -> bool:
        return token not in self.dead_tokens

    def let_go(self, token: str, output: Mapping[str, object]) -> None:
        self.released.append(token)

    def start(self, machine_arn: str, name: str, given: Mapping[str, object]) -> None:
        assert machine_arn == MACHINE
        assert self.started.setdefault(name, dict(given)) == given, "one removal is started once"

    def stop(self, arn: str, why: str) -> None:
        self.stopped.append(arn.rpartition(":")[2])

    def end(self, name: str, status: str, at: datetime) -> None:
        self.ended[name] = Execution(status, at)


@dataclass
class Story:
    cloud: Cloud = field(default_factory=Cloud)
    states: StepFunctions = field(default_factory=StepFunctions)

    def __post_init__(self) -> None:
        self.cloud.add("orders")
        self.platform = self.cloud.platform()

    def look(self, hub_region: str = TARGET) -> Round:
        return watch(replace(self.platform, hub_region=hub_region), self.states, [SCOPE], MACHINE)

    def found(self) -> list[Finding]:
        return [each.finding for each in self.look().sightings]

    def waiting_at_a_gate(self) -> str:
        self.cloud.accept(self.platform)
        Operator(self.platform, self.cloud, lambda _gate: None).drive("run-1")
        return "run-1"

    def in_the_middle_of_a_stage(self) -> str:
        """Leave the run with one action begun and nobody advancing it."""
        self.cloud.accept(self.platform, ApprovalMode="automatic")
        move = moving.decide_next(self.platform, "run-1")
        assert isinstance(move, RunStage)
        stages.start_stage(self.platform, "run-1", move.stage.stage_id)
        (action,) = self.cloud.ledger.actions("run-1", move.stage.stage_id)
        self.platform.engine.advance("run-1", move.stage.stage_id, action.action_id)
        return move.stage.stage_id

    @property
    def told(self) -> list[str]:
        return [m.body for m in self.cloud.notifier.sent if m.subject.find("watchdog") >= 0]

    @property
    def trail(self) -> list[dict[str, Any]]:
        return [dict(e.data) for e in self.cloud.ledger.events("run-1") if e.kind == KIND]


class TestDeadRuns:
    @pytest.mark.parametrize(
        ("status", "how"),
        [
            ("ABORTED", "was aborted"),
            ("FAILED", "failed"),
            ("TIMED_OUT", "timed out"),
            ("SUCCEEDED", "ended without closing it"),
        ],
    )
    def test_run_whose_execution_ended_is_closed_unlocked_and_told_once(self, status: str, how: str) -> None:
        # Given a run with a step in flight, whose execution ended and told nobody
        story = Story()
        stage_id = story.in_the_middle_of_a_stage()
        story.states.end("run-1", status, story.cloud.clock.now())
        story.cloud.clock.advance(6 * 60)
        # When the watchdog looks twice
        (sighting,) = story.look().sightings
        again = story.look()
        # Then the ledger is true, the lock is free, and people and trail were told once, with the next command
        run = story.cloud.ledger.run("run-1")
        assert (sighting.finding, run.status, run.failure) == (
            Finding.DEAD_RUN,
            RunStatus.STOPPED,
            f"the execution {how}",
        )
        assert story.cloud.ledger.stage("run-1", stage_id).status is StageStatus.FAILED
        assert story.cloud.ledger.holder(SCOPE) is None
        assert again.sightings == ()
        (body,), (line,) = story.told, story.trail
        assert "closed as stopped. Its lock (epoch 1) was released." in body
        assert "dr report run-1" in body
        assert line["finding"] == "dead-run"
        # And the scope can be moved by the next run
        story.cloud.accept(story.platform, "run-2")

    def test_execution_that_step_functions_has_forgotten_is_dead_after_a_while(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.ended["run-1"] = None
        assert story.found() == [], "it may just have been started: DescribeExecution lags behind"
        story.cloud.clock.advance(16 * 60)
        assert story.found() == [Finding.DEAD_RUN]
        (gate,) = story.cloud.ledger.gates("run-1")
        assert gate.status is GateStatus.WITHDRAWN

    def test_execution_that_ended_just_now_tells_so_itself(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.end("run-1", "ABORTED", story.cloud.clock.now())
        story.cloud.clock.advance(4 * 60)
        assert story.found() == []
        assert story.cloud.ledger.run("run-1").status is RunStatus.WAITING

    def test_run_of_a_scope_that_the_configuration_does_not_know_is_found_by_its_lock(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.end("run-1", "FAILED", START)
        story.cloud.clock.advance(HOUR)
        found = watch(story.platform, story.states, [], MACHINE)
        assert [each.finding for each in found.sightings] == [Finding.DEAD_RUN]

    def test_dry_run_that_died_is_closed_although_it_holds_no_lock(self) -> None:
        story = Story()
        story.cloud.accept(story.platform, DryRun=True)
        story.states.end("run-1", "TIMED_OUT", START)
        story.cloud.clock.advance(HOUR)
        assert story.found() == [Finding.DEAD_RUN]
        assert "It held no lock." in story.told[0]


class TestLocks:
    def test_lock_that_a_run_kept_beyond_its_end_is_released(self) -> None:
        # Given a run that was closed by a function that died before it gave back the lock
        story = Story()
        story.waiting_at_a_gate()
        ledger = story.cloud.ledger
        ledger.change_run("run-1", lambda r: r.but(status=RunStatus.FAILED, ended_at=START))
        assert story.found() == [], "its execution still runs, and may yet finish it"
        story.states.end("run-1", "FAILED", START)
        story.cloud.clock.advance(HOUR)
        # When, Then
        assert story.found() == [Finding.KEPT_LOCK]
        assert ledger.holder(SCOPE) is None
        assert ledger.run("run-1").status is RunStatus.FAILED
        assert story.found() == []

    def test_lock_of_a_run_that_never_came_to_be_is_released_by_its_epoch(self) -> None:
        # Given a lock whose run was never written, because accepting it broke in between
        story = Story()
        story.cloud.ledger.lock(SCOPE, "run-0", START)
        story.states.end("run-0", "FAILED", START)
        assert story.found() == []
        story.cloud.clock.advance(16 * 60)
        # When, Then
        (sighting,) = story.look().sightings
        assert sighting.what == (
            "the lock of CustomerX/production (epoch 1) was released: execution run-0 was failed before its run was written."
        )
        assert story.states.asked[-1] == f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:run-0"
        assert story.cloud.ledger.holder(SCOPE) is None
        assert story.found() == []

    @pytest.mark.parametrize("known", [None, Execution("RUNNING")])
    def test_lock_without_a_run_stays_while_its_execution_lives_or_is_unknown_here(
        self, known: Execution | None
    ) -> None:
        story = Story()
        held = story.cloud.ledger.lock(SCOPE, "run-0", START)
        story.states.ended["run-0"] = known
        story.cloud.clock.advance(HOUR)
        assert story.found() == []
        assert story.cloud.ledger.holder(SCOPE) == held


class TestWhatLives:
    def test_run_that_waits_for_people_for_days_is_only_looked_at(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        before = story.cloud.ledger.run("run-1"), story.cloud.ledger.gates("run-1")
        story.cloud.clock.advance(48 * HOUR)
        assert story.look() == Round(())
        assert (story.cloud.ledger.run("run-1"), story.cloud.ledger.gates("run-1")) == before

    def test_run_of_the_other_region_is_its_own_hubs(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.end("run-1", "FAILED", START)
        story.cloud.clock.advance(48 * HOUR)
        assert story.look(SOURCE) == Round(())
        assert story.states.asked == []
        assert story.cloud.ledger.holder(SCOPE) is not None

    def test_run_about_which_step_functions_says_nothing_is_left_alone_and_named(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.unreachable = True
        story.cloud.clock.advance(HOUR)
        found = story.look()
        assert found.sightings == ()
        assert found.failed == ("run run-1: states.DescribeExecution: no answer.",)
        assert story.cloud.ledger.run("run-1").status is RunStatus.WAITING


class TestLostGates:
    def test_gate_whose_token_is_dead_and_that_nobody_asks_again_is_told_once(self) -> None:
        story = Story()
        story.waiting_at_a_gate()
        story.states.dead_tokens.add("token")
        story.cloud.clock.advance(40 * 60)
        assert story.found() == [], "the machine may be about to ask again"
        story.cloud.clock.advance(40 * 60)
        assert story.found() == [Finding.LOST_GATE]
        assert story.found() == []
        (body,) = story.told
        assert "its token is dead and nothing asks again" in body
        assert f"aws stepfunctions stop-execution --region {TARGET}" in body
        # When it is asked again after all and lost again, Then that is another finding
        (gate,) = story.cloud.ledger.gates("run-1")
        ask_with_token(story.cloud.ledger, story.cloud.clock, "run-1", gate.gate_id, "other")
        story.states.dead_tokens.add("other")
        story.cloud.clock.advance(2 * HOUR)
        assert story.found() == [Finding.LOST_GATE]

    def test_gate_that_was_written_and_never_asked_is_told(self) -> None:
        story = Story()
        story.cloud.accept(story.platform)
        assert isinstance(moving.decide_next(story.platform, "run-1"), Ask)
        story.cloud.clock.advance(2 * HOUR)
        (sighting,) = story.look().sightings
        assert "never asked" in sighting.what
        assert story.cloud.ledger.run("run-1").status is RunStatus.WAITING


class TestOverdue:
    def test_action_past_its_deadline_that_nobody_looks_at_is_told_and_left_as_it_is(self) -> None:
        story = Story()
        stage_id = story.in_the_middle_of_a_stage()
        before = story.cloud.ledger.actions("run-1", stage_id)
        story.cloud.clock.advance(80 * 60)
        assert story.found() == [], "the machine may wait this long between two looks"
        story.cloud.clock.advance(30 * 60)
        assert story.found() == [Finding.OVERDUE_ACTION]
        assert story.found() == []
        assert story.cloud.ledger.actions("run-1", stage_id) == before

    def test_action_that_a_pause_holds_is_not_overdue(self) -> None:
        story = Story()
        story.in_the_middle_of_a_stage()
        pause(story.cloud.ledger, "run-1", "kim", "", story.cloud.clock.now())
        story.cloud.clock.advance(12 * HOUR)
        assert story.found() == []

    def test_stage_in_which_nothing_is_under_way_and_that_nobody_closes_is_told(self) -> None:
        story = Story()
        stage_id = story.in_the_middle_of_a_stage()
        (action,) = story.cloud.ledger.actions("run-1", stage_id)
        Operator(story.platform, story.cloud).advance("run-1", stage_id, [action.action_id])
        story.cloud.clock.advance(40 * 60)
        assert story.found() == []
        story.cloud.clock.advance(10 * 60)
        assert story.found() == [Finding.OVERDUE_STAGE]
        assert story.found() == []
        assert story.cloud.ledger.stage("run-1", stage_id).status is StageStatus.RUNNING


def test_what_is_told_is_a_warning_to_the_customers_contacts() -> None:
    story = Story()
    story.waiting_at_a_gate()
    story.states.end("run-1", "ABORTED", START)
    story.cloud.clock.advance(timedelta(hours=1).total_seconds())
    story.look()
    (told,) = [m for m in story.cloud.notifier.sent if "watchdog" in m.subject]
    assert (told.notice, told.customer) == (Notice.WARNING, SCOPE.customer)
