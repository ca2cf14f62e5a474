"""The lease of a drill: copies go when it is over, whatever has become of the run that made them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator import ending, gates, moving, planning, stocktaking
from orchestrator.errors import ConflictError, FencedError, RefusedError, UnreachableError, ValidationError
from orchestrator.extending import extend
from orchestrator.findings import Finding
from orchestrator.identity import Identity
from orchestrator.leases import Leases, LeaseTerms, at_its_end, copies_left, lease_lines, removal_name
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import Gate, Run
from orchestrator.linked import ties
from orchestrator.pausing import pause
from orchestrator.redriving import go_on
from orchestrator.removal import let_go_by_lease, remove_at_once
from orchestrator.report import build_report
from orchestrator.report_html import render_html
from orchestrator.stages import start_stage
from orchestrator.status import run_view
from orchestrator.words import Choice, GateStatus, Mode, Outcome, Phase, RunStatus
from tests.unit.scripted_platform import HOME, SCOPE, TARGET, Cloud, Operator, obstacle_failed
from tests.unit.test_interruptions import WRITES, Crash, Fuse, fused
from tests.unit.test_watchdog import MACHINE, Story

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
MINUTE, HOUR = 60, 3600
NEW = "dr start --customer CustomerX --environment production --operation test --primary-region us-east-1 --dr-region us-west-2"
REMOVE = f"dr start --complete run-1 --region {TARGET} --approval automatic"


class Drill(Story):
    """A drill of two resources, `run-1`, with a lease of two hours."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cloud.add("search", wave=2)
        self.request: dict[str, Any] = {"Operation": "test", "LeaseMinutes": 120}

    def accept(self, **more: Any) -> None:
        self.cloud.accept(self.platform, **{**self.request, **more})

    def until_gate(self, wanted: Callable[[Gate], bool], **more: Any) -> Gate:
        """Approve what is asked until a gate is wanted, and leave the drill waiting there."""
        self.accept(**more)
        operator = Operator(self.platform, self.cloud, lambda g: None if wanted(g) else Choice.APPROVE)
        assert operator.drive("run-1").status is RunStatus.WAITING
        return operator.asked[-1]

    def killed_with_copies(self) -> None:
        """Leave a drill with copies in both waves, whose execution was stopped from outside."""
        self.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
        self.states.end("run-1", "ABORTED", self.cloud.clock.now())
        ending.stopped(self.platform, "run-1", "was aborted")

    def go_on(self, run_id: str = "run-1", answers: Callable[[Gate], Choice | None] = lambda _g: None) -> Run:
        """Do what the state machine does once its gate's token is redeemed."""
        return Operator(self.platform, self.cloud, answers).drive(run_id)

    def removal(self, number: int = 1) -> Run:
        """Do what the started removal's execution does."""
        name = self.begin_removal(number)
        ended = self.go_on(name)
        self.states.end(name, "SUCCEEDED" if ended.status is RunStatus.SUCCEEDED else "FAILED", self.cloud.clock.now())
        return ended

    def begin_removal(self, number: int = 1) -> str:
        """Do what the started removal's execution does before its first change."""
        name = f"run-1-removal-{number}"
        arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{name}"
        planning.accept(self.platform, self.states.started[name], arn, name, self.cloud.clock.now())
        stocktaking.take_inventory(self.platform, name)
        planning.build_plan(self.platform, name)
        assert planning.check_readiness(self.platform, name)
        return name

    def end_at_once(self, run_id: str = "run-1") -> None:
        """Do what the function that ends a run does after the end."""
        remove_at_once(self.platform, self.states, run_id, MACHINE)

    def cancelled_with_copies(self) -> Run:
        """Leave a drill with copies in both waves that somebody cancelled."""
        self.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
        ending.cancel(self.platform, "run-1", "kim", "seen enough")
        return self.go_on()

    @property
    def run(self) -> Run:
        return self.cloud.ledger.run("run-1")

    @property
    def left(self) -> tuple[str, ...]:
        return copies_left(self.run, self.cloud.ledger.actions("run-1"))


# --- what is granted, and how it is told ------------------------------------------------------------------------------


def test_drill_gets_the_lease_it_asks_for_and_tells_when_its_copies_go() -> None:
    drill = Drill()
    drill.accept()
    assert drill.run.lease is not None
    assert drill.run.lease.until == drill.run.created_at + timedelta(hours=2)
    started = drill.cloud.notifier.sent[0].body
    view = run_view(drill.cloud.ledger, "run-1", None, drill.cloud.clock.now())
    report = build_report(drill.cloud.ledger, drill.cloud.blobs, "run-1", drill.cloud.clock.now())
    for text in (started, *view.lease, render_html(report)):
        assert "lease until 2026-03-01 04:00 UTC (120 min), then its copies are removed" in text
        assert f"dr extend run-1 --minutes 60 --region {TARGET}" in text
    assert view.lease_until == drill.run.lease.until


def test_drill_that_does_not_say_gets_the_terms_of_its_customer() -> None:
    drill = Drill()
    mine = Leases(minutes=300, customers={SCOPE.customer: LeaseTerms(minutes=30)})
    for leases, minutes in ((Leases(), 240), (Leases(minutes=300), 300), (mine, 30)):
        platform, run_id = replace(drill.platform, leases=leases), f"run-{minutes}"
        drill.cloud.accept(platform, run_id, Operation="test")
        lease = drill.cloud.ledger.run(run_id).lease
        assert lease is not None
        assert lease.minutes == minutes
        ending.finish(platform, run_id)


def test_only_a_drill_has_a_lease_and_a_preview_holds_none() -> None:
    drill = Drill()
    drill.cloud.accept(drill.platform, "run-2")
    assert drill.cloud.ledger.run("run-2").lease is None
    ending.finish(drill.platform, "run-2")
    drill.accept(DryRun=True)
    assert drill.cloud.ledger.leases() == []
    assert lease_lines(drill.run, []) == []


# --- more time --------------------------------------------------------------------------------------------------------


def test_lease_is_extended_from_where_it_ends_and_everybody_sees_by_whom() -> None:
    drill = Drill()
    drill.accept()
    extend(drill.platform, "run-1", KIM, 60, "still looking")
    lease = extend(drill.platform, "run-1", KIM, 30, "").lease
    assert lease is not None
    assert lease.until == drill.run.created_at + timedelta(minutes=210)
    assert [(e.by, e.minutes, e.reason) for e in lease.extensions] == [
        (KIM.arn, 60, "still looking"),
        (KIM.arn, 30, ""),
    ]
    assert any("(120 min, extended by 90)" in line for line in lease_lines(drill.run, []))
    drill.cloud.clock.advance(3 * HOUR)
    assert drill.found() == []


@pytest.mark.parametrize(("minutes", "told"), [(0, "0 min more"), (-5, "-5 min more"), (10_000, "10120 min since")])
def test_a_lease_that_would_last_too_long_or_get_shorter_is_refused(minutes: int, told: str) -> None:
    drill = Drill()
    drill.accept()
    with pytest.raises(RefusedError) as refused:
        extend(drill.platform, "run-1", KIM, minutes, "")
    assert refused.value.code == "LeaseTooLong"
    assert told in refused.value.message
    assert "at most 10080 in all" in refused.value.message


def test_ended_drill_with_copies_is_extended_until_their_removal_has_begun() -> None:
    drill = Drill()
    drill.killed_with_copies()
    extend(drill.platform, "run-1", KIM, 60, "let me look at them")
    drill.cloud.clock.advance(4 * HOUR)
    assert drill.found() == [Finding.EXPIRED_LEASE]
    with pytest.raises(RefusedError) as refused:
        extend(drill.platform, "run-1", KIM, 60, "")
    assert refused.value.code == "LeaseOver"


# --- a drill that still goes on ---------------------------------------------------------------------------------------


def test_drill_that_waits_for_people_beyond_its_lease_removes_its_copies_itself() -> None:
    # Given a drill with copies of its first wave, at a gate that nobody answers
    drill = Drill()
    gate = drill.until_gate(lambda g: "INSTANTIATE-w2" in (g.stage_id or ""))
    assert drill.left == ("database/orders",)
    drill.cloud.clock.advance(HOUR)
    assert drill.found() == []
    # When its lease is over and the watchdog comes by, twice
    drill.cloud.clock.advance(HOUR)
    (sighting,) = drill.look().sightings
    assert drill.look().sightings == ()
    # Then it says what it did, once, and the gate's token is redeemed without being an answer
    assert "makes nothing more, and removes its copies now" in sighting.what
    assert len(drill.told) == 1
    assert set(drill.states.released) == {gate.token}
    assert let_go_by_lease(drill.run, {"leaseOver": True})
    # And the run goes to its CLEANUP without asking anybody, makes nothing more, and ends with the reason
    before = len(drill.cloud.made)
    ended = drill.go_on()
    assert {m.operation for m in drill.cloud.made[before:]} == {"quiesce"}
    assert drill.left == ()
    assert ended.status is RunStatus.FAILED
    assert (
        ended.failure == "the drill was not through when its lease ended, 2026-03-01 04:00 UTC; its copies were removed"
    )
    assert drill.cloud.ledger.holder(SCOPE) is None
    assert drill.cloud.ledger.gate("run-1", gate.gate_id).status is GateStatus.WITHDRAWN
    # And the lease is forgotten
    assert drill.found() == []
    assert drill.cloud.ledger.leases() == []
    assert drill.states.started == {}


def test_drill_that_waits_only_for_its_cleanup_has_succeeded_all_the_same() -> None:
    drill = Drill()
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    assert drill.go_on().status is RunStatus.SUCCEEDED


def test_paused_drill_is_not_kept_by_its_pause() -> None:
    drill = Drill()
    drill.until_gate(lambda g: "INSTANTIATE-w2" in (g.stage_id or ""))
    pause(drill.cloud.ledger, "run-1", "kim", "lunch", drill.cloud.clock.now())
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    assert drill.go_on().ended_at is not None
    assert drill.left == ()


def test_step_under_way_is_the_last_one_a_drill_makes_after_its_lease() -> None:
    drill = Drill()
    drill.accept(ApprovalMode="automatic")
    move = moving.decide_next(drill.platform, "run-1")
    stage_id = move.stage.stage_id  # type: ignore[union-attr]
    start_stage(drill.platform, "run-1", stage_id)
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    drill.platform.engine.advance("run-1", stage_id, "INSTANTIATE.database-orders")
    action = drill.cloud.ledger.action("run-1", "INSTANTIATE.database-orders")
    assert action.outcome is Outcome.SKIPPED
    assert action.detail == "ended with the lease of the drill before step scale"
    assert drill.cloud.made == []


def test_removal_that_fails_in_the_drills_own_run_asks_people_and_is_not_let_go() -> None:
    # Given a drill whose lease is over and whose copies cannot be removed
    drill = Drill()
    drill.until_gate(lambda g: "ACTIVATE-w1" in (g.stage_id or ""))
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    drill.cloud.obstacles["orders", "quiesce"] = obstacle_failed("database/orders", "quiesce")
    assert drill.go_on().status is RunStatus.WAITING
    released = list(drill.states.released)
    # When the watchdog comes by again
    (sighting,) = drill.look().sightings
    # Then it says what is left and what to type, and leaves the question to people
    assert "left are copies of database/orders, database/search" in sighting.what
    assert "dr decide g-" in sighting.command
    assert "Key=dr:drill-id,Values=run-1" in sighting.command
    assert drill.states.released == released
    # And a retry after the repair removes them
    drill.cloud.obstacles.clear()
    drill.go_on(answers=lambda _g: Choice.RETRY)
    assert drill.left == ()


# --- a drill that somebody ended, or that failed ----------------------------------------------------------------------


def rejected(drill: Drill) -> None:
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    drill.go_on(answers=lambda _g: Choice.REJECT)


def aborted(drill: Drill) -> None:
    drill.cloud.obstacles["search", "promote"] = obstacle_failed("database/search", "promote")
    drill.until_gate(lambda g: g.kind == "failure")
    drill.go_on(answers=lambda _g: Choice.ABORT)


def aborted_beforehand(drill: Drill) -> None:
    drill.cloud.obstacles["search", "promote"] = obstacle_failed("database/search", "promote")
    drill.accept(ApprovalMode="automatic", OnFailure="abort")
    drill.go_on()


def cancelled(drill: Drill) -> None:
    drill.cancelled_with_copies()


def cancelled_and_then_killed(drill: Drill) -> None:
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    ending.cancel(drill.platform, "run-1", "kim", "seen enough")
    ending.stopped(drill.platform, "run-1", "was aborted")


@pytest.mark.parametrize("ended", [cancelled, rejected, aborted, aborted_beforehand, cancelled_and_then_killed])
def test_copies_of_a_drill_that_was_ended_or_failed_are_removed_at_once(ended: Callable[[Drill], None]) -> None:
    # Given a drill with copies, long before its lease ends, that somebody ends
    drill = Drill()
    ended(drill)
    assert len(drill.left) == 2
    # Then its last message names the run that removes them
    body = drill.cloud.notifier.sent[-1].body
    assert "copies of database/orders, database/search are left; run run-1-removal-1 removes them" in body
    assert f"if it did not: {REMOVE}" in body
    # When the function that ended it is repeated, then that run is started once, and says why
    drill.end_at_once()
    drill.end_at_once()
    assert list(drill.states.started) == ["run-1-removal-1"]
    assert drill.run.lease is not None
    assert drill.run.lease.removals == ("run-1-removal-1",)
    assert drill.states.started["run-1-removal-1"]["Complete"] == "run-1"
    told = [e.message for e in drill.cloud.ledger.events("run-1") if e.kind == "lease"]
    assert told == ["run run-1-removal-1 is started to remove the copies of database/orders, database/search"]
    # And the watchdog finds nothing to do; the copies are gone before the lease is over
    assert drill.found() == []
    assert drill.removal().status is RunStatus.SUCCEEDED
    assert drill.left == ()
    assert drill.cloud.clock.now() < drill.run.lease.until
    assert drill.found() == []
    assert drill.cloud.ledger.leases() == []
    assert drill.cloud.ledger.holder(SCOPE) is None


def test_removal_that_the_end_of_a_drill_did_not_start_is_started_by_the_watchdog_at_its_next_look() -> None:
    # Given a drill that was cancelled, whose last function could not reach Step Functions
    drill = Drill()
    drill.cancelled_with_copies()
    start = drill.states.start

    def unreachable(_machine_arn: str, _name: str, _given: Any) -> None:
        raise UnreachableError("states.StartExecution: no answer.")

    drill.states.start = unreachable  # type: ignore[method-assign]
    drill.end_at_once()
    assert "The watchdog does it in its next round" in drill.cloud.ledger.events("run-1")[-1].message
    # When the watchdog looks, then it starts the very same run
    drill.states.start = start  # type: ignore[method-assign]
    drill.states.ended["run-1-removal-1"] = None
    drill.look()
    assert list(drill.states.started) == ["run-1-removal-1"]


def ends_and_dies_at(*points: int) -> tuple[Drill, list[str]]:
    """Let the function that has ended a cancelled drill die at a write, and the watchdog look; return the writes it passed."""
    fuse = Fuse()
    drill = Drill(Cloud(ledger=fused(MemoryLedger, WRITES, fuse)))
    drill.cancelled_with_copies()
    fuse.points, fuse.seen = set(points), []
    with suppress(Crash):
        drill.end_at_once()
    fuse.points, passed = set(), list(fuse.seen)
    drill.states.ended.setdefault("run-1-removal-1", None)  # so the watchdog asks whether it was started
    drill.look()
    return drill, passed


def test_end_of_a_drill_that_dies_at_any_write_starts_one_removal_all_the_same() -> None:
    _, passed = ends_and_dies_at()
    assert passed
    for point, where in enumerate(passed):
        drill, _ = ends_and_dies_at(point)
        assert list(drill.states.started) == ["run-1-removal-1"], where
        assert drill.removal().status is RunStatus.SUCCEEDED, where
        assert drill.left == (), where


def test_person_at_the_failure_gate_of_a_drill_reads_what_becomes_of_its_copies_and_how_to_keep_them() -> None:
    drill = Drill()
    drill.cloud.obstacles["search", "promote"] = obstacle_failed("database/search", "promote")
    gate = drill.until_gate(lambda g: g.kind == "failure")
    told = "abort: its copies are removed at once; to keep them until the lease ends, before that: dr extend run-1 --minutes 60"
    assert any(told in line for line in drill.cloud.ledger.gate("run-1", gate.gate_id).checklist)
    extend(drill.platform, "run-1", KIM, 60, "a look")
    assert at_its_end(drill.run) == [
        "its copies stay until 2026-03-01 05:00 UTC, because it was given more time; then they are removed"
    ]


def test_watchdog_removes_what_a_cancelled_drill_left_when_its_last_function_died() -> None:
    drill = Drill()
    drill.cancelled_with_copies()
    (sighting,) = drill.look().sightings
    assert drill.look().sightings == ()
    assert sighting.what == (
        "drill run-1 is cancelled; copies of database/orders, database/search are left. Run run-1-removal-1 was started to "
        "remove them."
    )
    assert list(drill.states.started) == ["run-1-removal-1"]


def test_drill_that_was_given_more_time_keeps_its_copies_until_then_although_it_was_cancelled() -> None:
    # Given a drill whose lease somebody extends, to look at the copies after its end
    drill = Drill()
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    extend(drill.platform, "run-1", KIM, 60, "the database looks odd")
    # When it is cancelled, then its copies stay, and the last message says until when
    ending.cancel(drill.platform, "run-1", "kim", "")
    drill.go_on()
    drill.end_at_once()
    assert "are left; lease until 2026-03-01 05:00 UTC" in drill.cloud.notifier.sent[-1].body
    assert (drill.found(), drill.states.started) == ([], {})
    # And then they go
    drill.cloud.clock.advance(3 * HOUR)
    assert drill.found() == [Finding.EXPIRED_LEASE]


def test_cancelled_drill_without_copies_starts_nothing_and_a_run_that_took_the_scope_is_not_disturbed() -> None:
    drill = Drill()
    drill.until_gate(lambda _g: True)
    ending.cancel(drill.platform, "run-1", "kim", "")
    drill.go_on()
    drill.end_at_once()
    assert drill.states.started == {}
    other = Drill()
    other.cancelled_with_copies()
    other.cloud.accept(other.platform, "run-2")
    other.end_at_once()
    assert other.states.started == {}
    (sighting,) = other.look().sightings
    assert "removed when run run-2 gives the scope back" in sighting.what


def test_emergency_does_not_wait_for_the_removal_of_a_drills_copies_which_is_done_again_after_it() -> None:
    # Given a cancelled drill whose copies are being removed
    drill = Drill()
    drill.cancelled_with_copies()
    drill.end_at_once()
    name = drill.begin_removal()
    move = moving.decide_next(drill.platform, name)
    start_stage(drill.platform, name, move.stage.stage_id)  # type: ignore[union-attr]
    # When a planned move is wanted, then it waits; but an emergency takes the scope over at once
    with pytest.raises(RefusedError, match=f"is locked by run {name}"):
        drill.cloud.accept(drill.platform, "run-2")
    drill.cloud.accept(drill.platform, "run-3", Emergency=True)
    # And the removal makes no call any more, and tells of what is left when it has ended
    made = len(drill.cloud.made)
    with pytest.raises(FencedError, match="the scope is held by run run-3"):
        drill.platform.engine.advance(name, move.stage.stage_id, "CLEANUP.database-search")  # type: ignore[union-attr]
    assert len(drill.cloud.made) == made
    ending.finish(drill.platform, name, "fenced")
    drill.states.end(name, "FAILED", drill.cloud.clock.now())
    (sighting,) = drill.look().sightings
    assert "removed when run run-3 gives the scope back" in sighting.what
    # And it is done again when the emergency has ended
    ending.finish(drill.platform, "run-3", "stopped here")
    drill.look()
    assert drill.removal(2).status is RunStatus.SUCCEEDED
    assert drill.left == ()


# --- a drill whose run is gone ----------------------------------------------------------------------------------------


def test_drill_stopped_by_hand_tells_that_copies_stay_until_the_lease_ends_and_how_to_remove_them_now() -> None:
    drill = Drill()
    drill.killed_with_copies()
    body = drill.cloud.notifier.sent[-1].body
    assert "copies of database/orders, database/search are left; lease until 2026-03-01 04:00 UTC" in body
    assert f"remove them now: {REMOVE}" in body
    assert drill.found() == [], "the lease is not over yet"


def test_copies_of_a_killed_drill_are_removed_by_one_linked_run_when_the_lease_is_over() -> None:
    # Given a drill that was killed with copies in both waves
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.clock.advance(2 * HOUR)
    # When the watchdog comes by twice
    (sighting,) = drill.look().sightings
    assert drill.look().sightings == ()
    # Then it has started one removal and said so
    assert list(drill.states.started) == ["run-1-removal-1"]
    assert "Run run-1-removal-1 was started to remove them." in sighting.what
    # And that does CLEANUP of the drill alone, under the drill's own id, without asking
    before = len(drill.cloud.made)
    ended = drill.removal()
    assert (ended.status, ended.mode, ended.made_by) == (RunStatus.SUCCEEDED, Mode.DRILL, "run-1")
    assert [m.operation for m in drill.cloud.made[before:]] == ["quiesce", "quiesce"]
    assert {a.phase for a in drill.cloud.ledger.actions(ended.run_id)} == {Phase.CLEANUP}
    # And both runs name each other, the lock is free, nothing is left, and the lease is forgotten
    assert drill.run.completed_by == "run-1-removal-1"
    assert drill.left == ()
    assert drill.cloud.ledger.holder(SCOPE) is None
    assert drill.found() == []
    assert drill.cloud.ledger.leases() == []
    assert "removes the copies that drill run-1 left" in drill.cloud.notifier.sent[-1].body


def test_drill_whose_execution_died_unnoticed_is_closed_and_cleaned_up_in_one_round() -> None:
    drill = Drill()
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    drill.states.end("run-1", "TIMED_OUT", drill.cloud.clock.now())
    drill.cloud.clock.advance(2 * HOUR)
    assert drill.found() == [Finding.DEAD_RUN, Finding.EXPIRED_LEASE]
    assert list(drill.states.started) == ["run-1-removal-1"]


def test_copies_that_a_drill_was_asked_to_leave_go_with_its_lease() -> None:
    drill = Drill()
    drill.accept(Phases=["INSTANTIATE", "ACTIVATE"], ApprovalMode="automatic")
    assert drill.go_on().status is RunStatus.SUCCEEDED
    assert len(drill.left) == 2
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    assert drill.removal().status is RunStatus.SUCCEEDED
    assert drill.left == ()


def test_removal_waits_for_a_run_that_holds_the_scope_and_says_so_once() -> None:
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.accept(drill.platform, "run-2")
    drill.cloud.clock.advance(2 * HOUR)
    (sighting,) = drill.look().sightings
    assert "removed when run run-2 gives the scope back" in sighting.what
    assert drill.look().sightings == ()
    assert drill.states.started == {}
    ending.finish(drill.platform, "run-2")
    drill.look()
    assert list(drill.states.started) == ["run-1-removal-1"]


def test_removal_that_fails_is_tried_again_and_then_left_to_people_with_the_command() -> None:
    # Given copies that cannot be removed
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.clock.advance(2 * HOUR)
    drill.cloud.obstacles["orders", "quiesce"] = obstacle_failed("database/orders", "quiesce")
    # When three runs have tried
    for number in (1, 2, 3):
        drill.look()
        ended = drill.removal(number)
        assert ended.status is RunStatus.FAILED
        assert "copies of drill run-1 may be left" in drill.cloud.notifier.sent[-1].body
        assert REMOVE in drill.cloud.notifier.sent[-1].body
        assert drill.cloud.ledger.holder(SCOPE) is None
    (sighting,) = drill.look().sightings
    assert drill.look().sightings == ()
    # Then nobody tries any more, and people are told what is left and what to type
    assert "3 runs did not remove them" in sighting.what
    assert REMOVE in sighting.command
    assert len(drill.states.started) == 3
    # And that command removes them after the repair
    drill.cloud.obstacles.clear()
    drill.states.started["run-1-removal-4"] = {"Complete": "run-1", "ApprovalMode": "automatic"}
    assert drill.removal(4).status is RunStatus.SUCCEEDED
    assert drill.found() == []
    assert drill.cloud.ledger.leases() == []


def test_watchdog_that_breaks_between_naming_and_starting_a_removal_starts_it_in_the_next_round() -> None:
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.clock.advance(2 * HOUR)
    start, calls = drill.states.start, []

    def breaking(machine_arn: str, name: str, given: Any) -> None:
        calls.append(name)
        if len(calls) == 1:
            raise UnreachableError("states.StartExecution: no answer.")
        start(machine_arn, name, given)

    drill.states.start = breaking  # type: ignore[method-assign]
    drill.states.ended["run-1-removal-1"] = None
    assert drill.look().failed == ("lease of run run-1: states.StartExecution: no answer.",)
    drill.look()
    assert calls == ["run-1-removal-1", "run-1-removal-1"]
    assert list(drill.states.started) == ["run-1-removal-1"]


def test_red_readiness_of_production_does_not_keep_the_copies() -> None:
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.red.add("orders")
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    assert drill.removal().status is RunStatus.SUCCEEDED


def test_lease_of_the_other_region_is_its_own_hubs() -> None:
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.clock.advance(2 * HOUR)
    assert drill.look("us-east-1").sightings == ()
    assert drill.states.started == {}


def test_drill_is_redriven_under_its_lease_but_not_when_its_copies_are_being_removed() -> None:
    # Given a drill that was stopped before it made anything, so that its lease was forgotten
    drill = Drill()
    drill.until_gate(lambda _g: True)
    ending.stopped(drill.platform, "run-1", "was aborted")
    drill.found()
    assert drill.cloud.ledger.leases() == []
    # When it is redriven, then its lease counts again
    go_on(drill.platform, "run-1", 1)
    assert drill.cloud.ledger.leases() == ["run-1"]
    # And when it is stopped with copies that the watchdog has removed, then there is nothing to go on with
    Operator(drill.platform, drill.cloud, lambda g: None if "CLEANUP" in (g.stage_id or "") else Choice.APPROVE).drive(
        "run-1"
    )
    ending.stopped(drill.platform, "run-1", "was aborted")
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    with pytest.raises(RefusedError, match="run run-1-removal-1 was started to remove its copies"):
        go_on(drill.platform, "run-1", 2)


def test_drill_whose_copies_were_removed_is_not_redriven_and_says_when_by_which_run_and_what_to_type() -> None:
    # Given an interrupted drill whose copies another run has removed since
    drill = Drill()
    drill.killed_with_copies()
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    removed_at = drill.removal().ended_at
    assert removed_at is not None
    made, locks = len(drill.cloud.made), drill.cloud.ledger.locks()
    # When its execution is redriven, then that is refused, however often
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            go_on(drill.platform, "run-1", 1)
        assert refused.value.message == (
            f"drill run-1 has ended (stopped), and its copies were removed {removed_at:%Y-%m-%d %H:%M} UTC by run "
            "run-1-removal-1; there is nothing to go on with."
        )
        assert refused.value.remedy == f"start a new drill: {NEW}"
    # And nothing was changed, and nobody is told to redrive it any more
    assert (len(drill.cloud.made), drill.cloud.ledger.locks(), drill.run.redrives) == (made, locks, 0)
    assert not any("redrive-execution" in line for line in ties(drill.run))


def test_drill_that_somebody_ended_is_not_redriven_whether_its_copies_are_gone_or_not_yet() -> None:
    drill = Drill()
    drill.cancelled_with_copies()
    with pytest.raises(FencedError, match=r"has ended \(cancelled\)") as fenced:
        go_on(drill.platform, "run-1", 1)
    assert NEW in fenced.value.remedy
    drill.end_at_once()
    with pytest.raises(RefusedError, match="run run-1-removal-1 was started to remove its copies"):
        go_on(drill.platform, "run-1", 1)
    drill.removal()
    with pytest.raises(RefusedError, match="by run run-1-removal-1; there is nothing to go on with"):
        go_on(drill.platform, "run-1", 1)


# --- a drill that waits for nobody ------------------------------------------------------------------------------------


def waits_with_a_dead_token(drill: Drill) -> None:
    gate = drill.until_gate(lambda g: "INSTANTIATE-w2" in (g.stage_id or ""))
    assert gate.token is not None
    drill.states.dead_tokens.add(gate.token)


def waits_with_a_lost_token(drill: Drill) -> None:
    gate = drill.until_gate(lambda g: "INSTANTIATE-w2" in (g.stage_id or ""))
    drill.cloud.ledger.change_gate("run-1", gate.gate_id, lambda g: g.but(token=None))


def waits_without_a_question(drill: Drill) -> None:
    gate = drill.until_gate(lambda g: "INSTANTIATE-w2" in (g.stage_id or ""))
    drill.cloud.ledger.change_gate("run-1", gate.gate_id, lambda g: g.but(status=GateStatus.WITHDRAWN, token=None))


@pytest.mark.parametrize("waits", [waits_with_a_dead_token, waits_with_a_lost_token, waits_without_a_question])
def test_drill_that_does_not_hear_that_its_lease_is_over_is_stopped_and_its_copies_are_removed(
    waits: Callable[[Drill], None],
) -> None:
    # Given a drill with copies, whose execution lives and waits for an answer that cannot come
    drill = Drill()
    waits(drill)
    drill.cloud.clock.advance(2 * HOUR)
    # When its lease ends, then it is told so, and has a few minutes to take that up
    assert Finding.EXPIRED_LEASE in drill.found()
    drill.cloud.clock.advance(10 * MINUTE)
    assert (drill.found(), drill.states.stopped) == ([], [])
    # When it has not, then one round stops its execution, closes the run, and starts the removal; it says all that, once
    drill.cloud.clock.advance(6 * MINUTE)
    stopped, removal = drill.look().sightings
    assert drill.look().sightings == ()
    assert stopped.finding is Finding.LOST_GATE
    assert "The lease of drill run-1 is over: its execution was stopped, and its copies are removed now" in stopped.what
    assert stopped.command == f"dr status run-1 --region {TARGET}"
    assert "Run run-1-removal-1 was started to remove them" in removal.what
    assert drill.states.stopped == ["run-1"]
    assert (drill.run.status, drill.run.interrupted) == (RunStatus.STOPPED, False)
    assert drill.cloud.ledger.holder(SCOPE) is None
    # And the copies go, and a redrive is refused
    assert drill.removal().status is RunStatus.SUCCEEDED
    assert (drill.left, drill.found(), drill.cloud.ledger.leases()) == ((), [], [])
    with pytest.raises(RefusedError, match="its copies were removed"):
        go_on(drill.platform, "run-1", 1)


def test_question_of_a_removal_that_people_may_still_answer_is_not_stopped() -> None:
    # Given a drill whose lease is over, and whose removal asks people with a token that lives
    drill = Drill()
    drill.until_gate(lambda g: "ACTIVATE-w1" in (g.stage_id or ""))
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    drill.cloud.obstacles["orders", "quiesce"] = obstacle_failed("database/orders", "quiesce")
    drill.go_on()
    drill.look()
    # Then it is left to people for as long as the token lives; when that is dead, and nothing asks again, it is stopped
    drill.cloud.clock.advance(3 * HOUR)
    assert (drill.found(), drill.states.stopped) == ([], [])
    drill.states.dead_tokens.add("token")
    assert Finding.LOST_GATE in drill.found()
    assert drill.states.stopped == ["run-1"]
    assert list(drill.states.started) == ["run-1-removal-1"]


@pytest.mark.parametrize("dies", ["tell", "stop", "close", "start"])
def test_watchdog_that_dies_anywhere_while_it_gives_a_drill_up_comes_to_the_same_end(
    dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a drill that waits for nobody beyond its lease, and a watchdog that dies once on its way
    drill = Drill()
    waits_with_a_dead_token(drill)
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    drill.cloud.clock.advance(16 * MINUTE)
    owner, name = {
        "tell": (drill.cloud.notifier, "send"),
        "stop": (drill.states, "stop"),
        "close": (drill.cloud.ledger, "save_run"),
        "start": (drill.states, "start"),
    }[dies]
    original = getattr(owner, name)

    def die(*_given: Any, **_more: Any) -> None:
        monkeypatch.setattr(owner, name, original)
        raise Crash(dies)

    monkeypatch.setattr(owner, name, die)
    with pytest.raises(Crash):
        drill.look()
    drill.states.ended.setdefault("run-1-removal-1", None)
    # When it looks again
    drill.look()
    # Then the execution is stopped, the run closed, and one removal started
    assert set(drill.states.stopped) == {"run-1"}
    assert drill.run.status is RunStatus.STOPPED
    assert list(drill.states.started) == ["run-1-removal-1"]
    assert drill.removal().status is RunStatus.SUCCEEDED
    assert drill.left == ()


# --- what is left, and who may remove it ------------------------------------------------------------------------------


def test_call_that_aws_declined_has_left_nothing() -> None:
    drill = Drill()
    drill.cloud.refusals["scale"] = [ConflictError("no.")] * 20
    drill.until_gate(lambda g: g.kind == "failure", ApprovalMode="automatic")
    assert drill.left == ()


def test_what_was_rolled_back_is_not_left() -> None:
    drill = Drill()
    drill.until_gate(lambda g: "ACTIVATE-w1" in (g.stage_id or ""))
    gate = next(g for g in drill.cloud.ledger.gates("run-1") if g.status is GateStatus.OPEN)
    gates.decide(drill.cloud.ledger, drill.cloud.clock, "run-1", gate.gate_id, gates.Answer(Choice.ROLLBACK_RUN, "kim"))
    drill.go_on()
    assert drill.left == ()


def removed(drill: Drill, name: str) -> RefusedError:
    arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{name}"
    with pytest.raises(RefusedError) as refused:
        planning.accept(drill.platform, {"Complete": "run-1"}, arn, name, drill.cloud.clock.now())
    return refused.value


def test_drill_that_goes_on_left_nothing_or_was_cleaned_up_is_not_completed() -> None:
    drill = Drill()
    drill.until_gate(lambda g: "CLEANUP" in (g.stage_id or ""))
    assert removed(drill, "run-2").code == "StillRunning"
    drill.go_on(answers=lambda _g: Choice.APPROVE)
    assert removed(drill, "run-2").code == "NothingDeferred"
    other = Drill()
    other.killed_with_copies()
    other.states.started["run-1-removal-9"] = {"Complete": "run-1", "ApprovalMode": "automatic"}
    other.removal(9)
    assert removed(other, "run-2").code == "AlreadyCompleted"
    with pytest.raises(RefusedError, match="has none of its own"):
        planning.accept(other.platform, {"Complete": "run-1-removal-9"}, "arn:x", "run-3", other.cloud.clock.now())


def test_removal_that_is_asked_to_do_more_than_the_cleanup_is_refused() -> None:
    drill = Drill()
    drill.killed_with_copies()
    asked = {"Complete": "run-1", "Phases": ["ACTIVATE"]}
    with pytest.raises(ValidationError, match=r"Phases is \['ACTIVATE'\], but run run-1 says \['CLEANUP'\]"):
        planning.accept(drill.platform, asked, "arn:x", "run-2", drill.cloud.clock.now())


def test_removals_have_names_of_their_own_that_fit_step_functions() -> None:
    long = ["x" * 79 + end for end in "ab"]
    names = {removal_name(run_id, number) for run_id in long for number in (1, 2)}
    assert len(names) == 4
    assert max(map(len, names)) == 80


def test_nobody_skips_a_gate_by_saying_that_the_lease_is_over_and_answers_count_after_it() -> None:
    drill = Drill()
    drill.accept()
    assert not let_go_by_lease(drill.run, {"leaseOver": True})
    drill.cloud.clock.advance(2 * HOUR)
    drill.look()
    assert let_go_by_lease(drill.run, {"leaseOver": True})
    assert not let_go_by_lease(drill.run, {"decision": "retry", "approver": "kim"})
