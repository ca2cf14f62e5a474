"""The lease of a drill: copies go when it is over, whatever has become of the run that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator import ending, gates, moving, planning, stocktaking
from orchestrator.errors import ConflictError, RefusedError, UnreachableError, ValidationError
from orchestrator.extending import extend
from orchestrator.findings import Finding
from orchestrator.identity import Identity
from orchestrator.leases import Leases, LeaseTerms, copies_left, lease_lines
from orchestrator.ledger.records import Gate, Run
from orchestrator.pausing import pause
from orchestrator.redriving import go_on
from orchestrator.removal import let_go_by_lease, removal_name
from orchestrator.report import build_report
from orchestrator.report_html import render_html
from orchestrator.stages import start_stage
from orchestrator.status import run_view
from orchestrator.words import Choice, GateStatus, Mode, Outcome, Phase, RunStatus
from tests.unit.scripted_platform import HOME, SCOPE, TARGET, Operator, obstacle_failed
from tests.unit.test_watchdog import Story

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
MINUTE, HOUR = 60, 3600
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
        name = f"run-1-removal-{number}"
        arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{name}"
        planning.accept(self.platform, self.states.started[name], arn, name, self.cloud.clock.now())
        stocktaking.take_inventory(self.platform, name)
        planning.build_plan(self.platform, name)
        assert planning.check_readiness(self.platform, name)
        ended = self.go_on(name)
        self.states.end(name, "SUCCEEDED" if ended.status is RunStatus.SUCCEEDED else "FAILED", self.cloud.clock.now())
        return ended

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
    with pytest.raises(RefusedError, match="run run-1-removal-1 removes its copies"):
        go_on(drill.platform, "run-1", 2)


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
