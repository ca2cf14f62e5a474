"""A run whose execution was stopped or broke goes on when that is redriven: to the same end, with one effect of each call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from orchestrator import ending, gates, moving, planning, stages, stocktaking
from orchestrator.blobs import MemoryBlobs
from orchestrator.errors import DrError, FencedError, NotFoundError, RefusedError
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import Gate
from orchestrator.linked import ties
from orchestrator.notify import Notice
from orchestrator.platform import Platform
from orchestrator.progress import Ask, RunStage
from orchestrator.redriving import go_on, go_on_unless_ended
from orchestrator.report import recovery_time
from orchestrator.words import ActionStatus, Choice, GateKind, GateStatus, Outcome, RunStatus, StageStatus
from tests.unit.scripted_platform import HOME, REQUEST, SCOPE, START, TARGET, Cloud, Operator, approve, obstacle_failed
from tests.unit.test_interruptions import WRITES, Crash, Fuse, assert_same_end, fused

ARN = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:run-1"
SMALL: dict[str, Any] = {**REQUEST, "Phases": ["ACTIVATE", "CLEANUP"]}
MINUTES = 60


def a_platform(fuse: Fuse | None = None) -> tuple[Cloud, Platform]:
    """Return a cloud with one database, whose platform can die at any write and call."""
    fuse = fuse or Fuse()
    cloud = Cloud(ledger=fused(MemoryLedger, WRITES, fuse), blobs=fused(MemoryBlobs, ("put",), fuse))
    cloud.interrupt = fuse.pass_by
    cloud.add("orders")
    return cloud, cloud.platform()


def execute(
    cloud: Cloud, platform: Platform, redrives: int = 0, answers: Callable[[Gate], Choice | None] = approve
) -> None:
    """Do what the execution does, from its first state on: what was done already is passed over."""
    planning.accept(platform, SMALL, ARN, "run-1", START, redrives)
    stocktaking.take_inventory(platform, go_on(platform, "run-1", redrives).run_id)
    planning.build_plan(platform, "run-1")
    if planning.check_readiness(platform, "run-1"):
        Operator(platform, cloud, answers, thinks_seconds=1, repeated_after=()).drive("run-1")
    go_on_unless_ended(platform, "run-1", redrives)
    ending.finish(platform, "run-1")


def stop(cloud: Cloud, platform: Platform, stands_minutes: int = 10) -> None:
    """Let somebody stop the execution, the hub notice it, and time pass."""
    with suppress(NotFoundError):  # stopped before the run was written
        ending.stopped(platform, "run-1", "was aborted", at=cloud.clock.now())
    cloud.clock.advance(stands_minutes * MINUTES)


def _closed(cloud: Cloud) -> bool:
    with suppress(NotFoundError):
        run = cloud.ledger.run("run-1")
        return run.ended_at is not None and not run.interrupted
    return False


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Cloud, list[str]]:
    """Return a run that nothing disturbs, and the points it passed."""
    fuse = Fuse()
    cloud, platform = a_platform(fuse)
    execute(cloud, platform)
    return cloud, fuse.seen


def test_run_stopped_at_any_point_and_redriven_comes_to_the_same_end(undisturbed: tuple[Cloud, list[str]]) -> None:
    # Given every point at which somebody can stop the execution: before and after each write and each call
    whole, points = undisturbed
    assert {"before promote", "after promote", "after lock", "after save_gate"} <= set(points)
    for number, where in enumerate(points):
        # When it is stopped there, the hub notices, and the execution is redriven ten minutes later
        cloud, platform = a_platform(Fuse(number))
        with pytest.raises(Crash):
            execute(cloud, platform)
        stop(cloud, platform)
        if _closed(cloud):  # stopped in its last state, which is where it goes on
            go_on_unless_ended(platform, "run-1", 1)
            ending.finish(platform, "run-1")
        else:
            execute(cloud, platform, redrives=1)
        # Then it ends as if nothing had happened, each call made once
        assert_same_end(cloud, whole, f"stopped at {number}: {where}")


def test_redrive_that_dies_at_any_write_and_is_repeated_comes_to_the_same_end(
    undisturbed: tuple[Cloud, list[str]],
) -> None:
    # Given a run stopped in the middle of its promotion
    middle = undisturbed[1].index("after promote")
    point = 0
    while True:
        fuse = Fuse(middle)
        cloud, platform = a_platform(fuse)
        with pytest.raises(Crash):
            execute(cloud, platform)
        stop(cloud, platform)
        # When the function that takes it up dies at a write, and is called again
        fuse.points = {len(fuse.seen) + point}
        try:
            go_on(platform, "run-1", 1)
            break
        except Crash:
            pass
        execute(cloud, platform, redrives=1)
        # Then nothing is done twice, and nothing is left undone
        assert_same_end(cloud, undisturbed[0], f"redrive died at {point}")
        assert len(cloud.ledger.run("run-1").interruptions) == 1
        point += 1
    assert point >= 6, "taking it up wrote nothing"


class Middle:
    """A run that was stopped while its promotion was under way."""

    def __init__(self, **request: Any) -> None:
        self.cloud, self.platform = a_platform()
        self.cloud.accept(self.platform, ApprovalMode="automatic", Phases=["ACTIVATE"], **request)
        move = moving.decide_next(self.platform, "run-1")
        assert isinstance(move, RunStage)
        self.stage_id = move.stage.stage_id
        stages.start_stage(self.platform, "run-1", self.stage_id)
        (action,) = self.cloud.ledger.actions("run-1")
        self.action_id = action.action_id
        while self.cloud.operations() != ["fence", "promote"]:
            tick = self.platform.engine.advance("run-1", self.stage_id, self.action_id)
            self.cloud.clock.advance(tick.wait_seconds)

    def drive(self, run_id: str = "run-1") -> RunStatus:
        return Operator(self.platform, self.cloud).drive(run_id).status

    def traces(self) -> tuple[object, ...]:
        ledger = self.cloud.ledger
        return (ledger.run("run-1"), ledger.stages("run-1"), ledger.actions("run-1"), ledger.holder(SCOPE))


def test_stopped_run_says_how_to_go_on_and_goes_on_under_a_new_epoch_with_the_time_given_back() -> None:
    # Given a run stopped in the middle
    story = Middle()
    deadline = story.cloud.ledger.action("run-1", story.action_id).deadline_at
    stop(story.cloud, story.platform, 90)
    # Then whoever looks reads what to type, and until when
    run = story.cloud.ledger.run("run-1")
    command = f"aws stepfunctions redrive-execution --region {TARGET} --execution-arn {run.execution_arn}"
    (line,) = ties(run)
    assert line == f"interrupted; to go on where it stood, until 2026-03-15: {command}"
    assert command in story.cloud.notifier.sent[-1].body
    # When it is redriven after longer than the action's deadline
    run = go_on(story.platform, "run-1", 1)
    # Then it holds the scope under a new epoch, and the time in which nobody advanced it does not count
    assert (run.status, run.epoch, run.ended_at, run.failure, ties(run)) == (RunStatus.RUNNING, 2, None, None, [])
    action = story.cloud.ledger.action("run-1", story.action_id)
    assert (action.status, action.outcome, action.member_outcomes, action.attempt) == (
        ActionStatus.RUNNING,
        None,
        {},
        0,
    )
    assert deadline is not None
    assert action.deadline_at is not None
    assert (action.deadline_at - deadline).total_seconds() == 90 * MINUTES
    assert story.cloud.ledger.stage("run-1", story.stage_id).status is StageStatus.RUNNING
    # And it ends well, with one effect of each call, told and reported anew
    assert story.drive() is RunStatus.SUCCEEDED
    assert story.cloud.operations() == ["fence", "promote"]
    assert [m.notice for m in story.cloud.notifier.sent][-4:] == [
        Notice.FAILURE, Notice.STARTED, Notice.STAGE_DONE, Notice.ENDED,
    ]  # fmt: skip
    # And the time it stood is nobody's machine time
    spent = recovery_time(story.cloud.ledger, "run-1", story.cloud.clock.now())
    assert spent.human_wait == 90 * MINUTES


def test_news_of_the_stop_that_come_after_the_redrive_do_not_stop_the_run_again() -> None:
    # Given a run whose execution was stopped and redriven before the hub heard of the first
    story = Middle()
    stopped_at = story.cloud.clock.now()
    story.cloud.clock.advance(5)
    assert go_on(story.platform, "run-1", 1).epoch == 1
    # When the event comes late, Then the run goes on, and ends well
    ending.stopped(story.platform, "run-1", "was aborted", at=stopped_at)
    assert story.drive() is RunStatus.SUCCEEDED
    # And a second stop is one
    other = Middle()
    go_on(other.platform, "run-1", 1)
    other.cloud.clock.advance(5)
    stop(other.cloud, other.platform)
    assert other.cloud.ledger.run("run-1").status is RunStatus.STOPPED
    go_on(other.platform, "run-1", 2)
    assert other.drive() is RunStatus.SUCCEEDED
    assert other.cloud.operations() == ["fence", "promote"]


def test_execution_of_before_the_redrive_drives_nothing_any_more() -> None:
    story = Middle()
    stop(story.cloud, story.platform)
    go_on(story.platform, "run-1", 1)
    with pytest.raises(FencedError, match="goes on after redrive 1"):
        go_on(story.platform, "run-1", 0)


def _other_goes_on(story: Middle) -> None:
    story.cloud.accept(story.platform, "run-2")


def _other_moved(story: Middle) -> None:
    story.cloud.accept(story.platform, "run-2", ApprovalMode="automatic", Phases=["ACTIVATE"])
    assert story.drive("run-2") is RunStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("meanwhile", "reason", "remedy"),
    [
        (_other_goes_on, "is locked by run run-2", "dr status run-2"),
        (_other_moved, r"run run-2 \(succeeded\) has acted on CustomerX/production since", "dr report run-2"),
    ],
    ids=["another run goes on", "another run moved the scope"],
)
def test_redrive_is_refused_when_the_scope_changed_hands(
    meanwhile: Callable[[Middle], None], reason: str, remedy: str
) -> None:
    # Given a run that was stopped, and another that took the scope since
    story = Middle()
    stop(story.cloud, story.platform)
    meanwhile(story)
    before, calls = story.traces(), list(story.cloud.tried)
    # When the execution is redriven, Then it is refused with the reason and what to type, and nothing has changed
    with pytest.raises(RefusedError, match=reason) as refused:
        go_on(story.platform, "run-1", 1)
    assert remedy in refused.value.remedy
    assert (story.traces(), story.cloud.tried) == (before, calls)
    assert any(e.kind == "redrive" and "refused" in e.message for e in story.cloud.ledger.events("run-1"))
    # And the end of the redriven execution says so too
    told = ending.finish(story.platform, "run-1", refused.value.message)
    assert (told.status, told.summary) == (RunStatus.STOPPED, refused.value.message)


def test_run_that_came_and_went_without_acting_does_not_stand_in_the_way() -> None:
    story = Middle()
    stop(story.cloud, story.platform)
    story.cloud.accept(story.platform, "run-2")
    ending.cancel(story.platform, "run-2", "kim", "")
    ending.finish(story.platform, "run-2")
    assert go_on(story.platform, "run-1", 1).epoch == 3
    assert story.drive() is RunStatus.SUCCEEDED


DECIDED: Mapping[str, Callable[[Platform], object]] = {
    "cancelled": lambda p: ending.cancel(p, "run-1", "kim", "wrong customer"),
    "aborted": lambda p: p.ledger.change_run("run-1", lambda r: r.but(failure="aborted by kim")),
    "rejected": lambda p: p.ledger.change_run("run-1", lambda r: r.but(rejected_by="kim", failure="rejected by kim")),
}


@pytest.mark.parametrize("how", DECIDED)
def test_end_that_somebody_decided_stays_an_end(how: str) -> None:
    # Given a run whose end was decided right before its execution was stopped
    story = Middle()
    DECIDED[how](story.platform)
    stop(story.cloud, story.platform)
    before = story.traces()
    # When it is redriven, Then it does not go on, and nobody is told that it could
    with pytest.raises(FencedError, match="has ended"):
        go_on(story.platform, "run-1", 1)
    assert story.traces() == before
    assert ties(story.cloud.ledger.run("run-1")) == []
    # And the function that ends it writes no other end
    go_on_unless_ended(story.platform, "run-1", 1)
    assert story.traces() == before


def test_question_that_was_open_is_asked_again_with_a_new_token_and_takes_the_answer() -> None:
    # Given a run stopped while it waited for an answer
    cloud, platform = a_platform()
    cloud.accept(platform)
    Operator(platform, cloud, lambda _gate: None).drive("run-1")
    stop(cloud, platform)
    (gate,) = cloud.ledger.gates("run-1")
    assert gate.status is GateStatus.WITHDRAWN
    # When it is redriven
    go_on(platform, "run-1", 1)
    move = moving.decide_next(platform, "run-1")
    assert isinstance(move, Ask)
    assert move.kind is GateKind.PLAN
    asked = gates.ask_with_token(cloud.ledger, cloud.clock, "run-1", move.gate_id, "new-token")
    # Then it is the same question, open again
    assert (asked.gate_id, asked.status, asked.token, asked.asks) == (gate.gate_id, GateStatus.OPEN, "new-token", 2)
    assert Operator(platform, cloud).drive("run-1").status is RunStatus.SUCCEEDED


def test_what_had_failed_before_the_stop_is_not_tried_again_by_the_redrive() -> None:
    # Given a batch one of whose servers failed while the others were under way
    cloud = Cloud()
    for name in ("a", "b"):
        cloud.add(name, adapter="drs")
    platform = cloud.platform()
    cloud.accept(platform, ApprovalMode="automatic", Phases=["ACTIVATE"], OnFailure="continue", Mode="lifecycle")
    cloud.obstacles["a", "promote"] = obstacle_failed("drs/a", "promote")
    move = moving.decide_next(platform, "run-1")
    assert isinstance(move, RunStage)
    stages.start_stage(platform, "run-1", move.stage.stage_id)
    (action,) = cloud.ledger.actions("run-1")
    while "drs/a" not in cloud.ledger.action("run-1", action.action_id).member_outcomes:
        cloud.clock.advance(platform.engine.advance("run-1", move.stage.stage_id, action.action_id).wait_seconds)
    # When the execution is stopped and redriven
    ending.stopped(platform, "run-1", "was aborted")
    go_on(platform, "run-1", 1)
    # Then only the others are under way again
    assert cloud.ledger.action("run-1", action.action_id).member_outcomes == {"drs/a": Outcome.FAILED}
    assert Operator(platform, cloud).drive("run-1").status is RunStatus.SUCCEEDED_WITH_WARNINGS
    assert [made.operation for made in cloud.made if made.resource == "b"] == ["fence", "promote"]


def test_run_broken_by_a_function_that_never_answered_goes_on_where_it_stood() -> None:
    # Given a run whose execution failed because a function could not be reached any more
    story = Middle()
    told = ending.finish(story.platform, "run-1", "next_move is out of order")
    assert told.status is RunStatus.FAILED
    assert story.cloud.ledger.run("run-1").interrupted
    story.cloud.clock.advance(3600)
    # When it is repaired and redriven
    go_on(story.platform, "run-1", 1)
    # Then it comes to its end, and the report says so, not how it broke
    assert story.drive() is RunStatus.SUCCEEDED
    assert Counter(story.cloud.operations()) == {"fence": 1, "promote": 1}
    assert story.cloud.ledger.run("run-1").failure is None


def test_request_that_failed_before_its_plan_was_frozen_is_no_interruption() -> None:
    cloud, platform = a_platform()
    planning.accept(platform, SMALL, ARN, "run-1", START)
    ending.finish(platform, "run-1", "no resource carries the tags")
    assert not cloud.ledger.run("run-1").interrupted
    with pytest.raises(DrError, match="has ended"):
        go_on(platform, "run-1", 1)
