"""`advance`: one look, at most one change, and a true record of both, whatever the cloud does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.contract import done
from orchestrator.engine import MAX_CALLS_PER_STEP, MAX_ERRORS_IN_A_ROW, SETTLE_SECONDS, Tick
from orchestrator.errors import (
    AccessDeniedError,
    ConflictError,
    DrError,
    FencedError,
    RefusedError,
    StaleRecordError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
)
from orchestrator.ledger.records import Action, Event
from orchestrator.platform import Platform
from orchestrator.words import ActionStatus, Choice, GateKind, Outcome, Phase, RunStatus, StageStatus
from tests.unit.scripted_platform import START, Cloud, Operator, approve, obstacle_blocked, obstacle_failed

STAGE = {p: f"{n:02d}-{p}-w1" for n, p in enumerate(Phase, start=1)}


class Story:
    """One resource (or a batch) on its way through one phase."""

    def __init__(self, *names: str, adapter: str = "database", committed: bool = True) -> None:
        self.cloud = Cloud()
        for name in names or ("orders",):
            self.cloud.add(name, adapter=adapter)
        self.platform: Platform = self.cloud.platform()
        self.run_id = self.cloud.accept(self.platform)
        self.ledger = self.cloud.ledger
        self.ledger.change_run(self.run_id, lambda r: r.but(committed=committed))

    def action(self, phase: Phase = Phase.ACTIVATE) -> Action:
        (found,) = (a for a in self.ledger.actions(self.run_id) if a.phase is phase)
        return found

    def tick(self, phase: Phase = Phase.ACTIVATE) -> Tick:
        return self.platform.engine.advance(self.run_id, STAGE[phase], self.action(phase).action_id)

    def go(self, phase: Phase = Phase.ACTIVATE) -> Action:
        """Advance to the end."""
        operator = Operator(self.platform, self.cloud)
        operator.advance(self.run_id, STAGE[phase], [self.action(phase).action_id])
        return self.action(phase)

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.ledger.events(self.run_id) if event.kind == kind]


def test_resource_is_moved_step_by_step_and_every_call_is_in_the_audit_trail() -> None:
    # Given
    story = Story()
    # When
    action = story.go()
    # Then
    assert action.outcome is Outcome.SUCCEEDED
    assert action.member_outcomes == {"database/orders": Outcome.SUCCEEDED}
    assert story.cloud.operations() == ["fence", "promote"]
    assert [event.data["operation"] for event in story.told("call")] == ["fake.fence", "fake.promote"]
    assert [event.data["kept"] for event in story.told("answer")] == [{"RequestId": "id-1"}, {"RequestId": "id-2"}]
    assert [(s.name, s.state, s.call) for s in action.steps] == [
        ("fence", "done", "fake.fence"),
        ("promote", "done", "fake.promote"),
    ]
    assert action.kept["promote"] == {"RequestId": "id-2"}


def test_secrets_in_parameters_never_reach_the_audit_trail() -> None:
    story = Story()
    story.go()
    params = story.told("call")[0].data["params"]
    assert isinstance(params, dict)
    assert params["Password"] == "***"  # noqa: S105
    assert "hunter2" not in str(story.told("call"))


def test_step_under_way_is_waited_for_without_another_call() -> None:
    # Given a call just made
    story = Story()
    assert not story.tick().done
    # When it is looked at three times before it is through
    ticks = [story.tick() for _ in range(3)]
    # Then
    assert story.cloud.tried == ["fence"]
    assert all(not tick.done and tick.wait_seconds == 15 for tick in ticks)


def test_long_wait_is_looked_at_less_and_less_often_up_to_a_minute() -> None:
    story = Story()
    story.cloud.obstacles["orders", "fence"] = replace(done("fence", "patching"), state=obstacle_busy())
    waits = [story.tick().wait_seconds for _ in range(120)]
    assert waits[0] == 15
    assert waits == sorted(waits)
    assert waits[-1] == 60


def obstacle_busy() -> object:
    from orchestrator.words import StepState

    return StepState.BUSY


def test_ended_action_is_not_looked_at_again() -> None:
    story = Story()
    story.go()
    looks = len(story.cloud.looked_at)
    assert story.tick() == Tick(done=True)
    assert len(story.cloud.looked_at) == looks


def test_what_a_person_did_by_hand_is_adopted() -> None:
    # Given a resource that somebody has already promoted in the console
    story = Story()
    story.cloud.obstacles = {("orders", "fence"): done("fence", "is off"), ("orders", "promote"): done("promote", "is")}
    # When, Then
    assert story.go().outcome is Outcome.SUCCEEDED
    assert story.cloud.tried == []


def test_step_done_less_well_than_it_should_ends_with_warnings() -> None:
    story = Story()
    story.cloud.obstacles["orders", "promote"] = done("promote", "is writer", warning="one reader is missing")
    action = story.go()
    assert (action.outcome, action.detail) == (Outcome.SUCCEEDED_WITH_WARNINGS, "one reader is missing")


def test_phase_with_nothing_to_do_is_skipped_and_says_why() -> None:
    action = Story(adapter="rules").go(Phase.CLEANUP)
    assert (action.outcome, action.detail) == (Outcome.SKIPPED, "rules need no cleaning")


def test_blocked_step_ends_the_action_with_reason_and_remedy_and_no_call() -> None:
    story = Story()
    story.cloud.obstacles["orders", "fence"] = obstacle_blocked("fence")
    action = story.go()
    assert action.outcome is Outcome.FAILED
    assert action.detail == "fence: the source still takes writes"
    assert action.remedy == "stop the application first"
    assert story.cloud.tried == []


class TestBatch:
    def test_failed_member_does_not_stop_the_others_and_its_reason_is_kept(self) -> None:
        # Given three servers, one of which AWS reports as failed at the first look
        story = Story("m1", "m2", "m3", adapter="drs")
        story.cloud.obstacles["m2", "fence"] = replace(obstacle_failed("m2", "fence"), members=("drs/m2",))
        # When
        action = story.go()
        # Then the others are through, and nobody called anything for the failed one
        assert action.outcome is Outcome.FAILED
        assert action.member_outcomes == {
            "drs/m1": Outcome.SUCCEEDED,
            "drs/m2": Outcome.FAILED,
            "drs/m3": Outcome.SUCCEEDED,
        }
        assert story.cloud.operations("m2") == []
        assert action.detail == "fence: m2: AWS says failed"
        assert action.remedy == "repair m2"

    def test_batch_whose_members_have_all_failed_ends_without_a_further_call(self) -> None:
        # Given both servers failed at the first step
        story = Story("m1", "m2", adapter="drs")
        for name in ("m1", "m2"):
            step = replace(obstacle_failed(name, "fence"), members=(f"drs/{name}",))
            story.cloud.obstacles[name, "fence"] = step
        # When, Then promote is not called for nobody
        action = story.go()
        assert set(action.member_outcomes.values()) == {Outcome.FAILED}
        assert story.cloud.tried == []

    def test_member_whose_own_call_is_declined_fails_alone(self) -> None:
        # Given a step that concerns one member only, and whose call AWS declines for good
        story = Story("m1", "m2", adapter="drs")
        story.tick()
        waiting = story.platform.adapter("drs")
        original = waiting.activate

        def activate(view: object, run: object) -> object:
            steps = original(view, run)  # type: ignore[arg-type]
            if "drs/m2" in run.excluded:  # type: ignore[attr-defined]
                return steps
            return [replace(steps[-1], name="label", members=("drs/m2",)), *steps] if steps[0].call is None else steps

        waiting.activate = activate  # type: ignore[method-assign, assignment]
        story.cloud.refusals["promote"] = [UpstreamError("promote: m2 is not labelled.", "label m2")]
        story.cloud.clock.advance(10)
        # When
        action = story.go()
        # Then
        assert action.member_outcomes == {"drs/m1": Outcome.SUCCEEDED, "drs/m2": Outcome.FAILED}
        assert "m2 is not labelled" in action.detail
        assert action.remedy == "label m2"


class TestLostAnswers:
    def test_call_whose_answer_is_lost_is_not_repeated_when_its_effect_shows(self) -> None:
        # Given a call that takes effect but is never answered
        story = Story()
        story.cloud.lost_answers = {"fence", "promote"}
        # When
        action = story.go()
        # Then there was one effect of each
        assert action.outcome is Outcome.SUCCEEDED
        assert story.cloud.tried == ["fence", "promote"]
        assert action.intent is None

    def test_call_that_never_arrived_is_repeated_only_after_aws_had_time_to_show_it(self) -> None:
        # Given a call that was lost on its way
        story = Story()
        story.cloud.refusals["fence"] = [UnreachableError("fence: no answer.")]
        story.tick()
        # When it is looked at again and again for a minute
        waited = 0
        while story.cloud.tried == ["fence"]:
            tick = story.tick()
            story.cloud.clock.advance(tick.wait_seconds)
            waited += tick.wait_seconds
        # Then the second call came after the time to settle, with the same token, and took effect
        assert waited >= SETTLE_SECONDS
        assert story.cloud.operations() == ["fence"]
        assert story.go().outcome is Outcome.SUCCEEDED

    def test_call_whose_effect_never_shows_ends_after_three(self) -> None:
        story = Story()
        story.cloud.without_effect = {"fence"}
        action = story.go()
        assert action.outcome is Outcome.FAILED
        assert f"made {MAX_CALLS_PER_STEP} times and its effect never showed" in action.detail
        assert story.cloud.tried == ["fence"] * MAX_CALLS_PER_STEP

    def test_repetition_of_a_call_carries_the_token_of_the_first(self) -> None:
        # Given an eventually consistent service: the effect of the first call shows only after the second
        story = Story()
        story.tick()
        first = story.cloud.made.pop()
        story.cloud.clock.advance(SETTLE_SECONDS + 1)
        # When
        story.tick()
        # Then AWS can tell that both are one
        assert story.cloud.made[0].token == first.token


class TestRefusedCalls:
    def test_throttled_call_is_made_again_until_it_gets_through(self) -> None:
        # Given more throttling than a call may be repeated
        story = Story()
        story.cloud.refusals["fence"] = [ThrottledError("slow down.")] * 6
        # When, Then
        action = story.go()
        assert action.outcome is Outcome.SUCCEEDED
        assert action.call_counts == {"fence": 1, "promote": 1}
        assert len(story.told("error")) == 6

    def test_conflict_passes_when_the_other_operation_ends(self) -> None:
        story = Story()
        story.cloud.refusals["promote"] = [ConflictError("a backup is running.")] * 4
        assert story.go().outcome is Outcome.SUCCEEDED

    def test_endless_throttling_fails_with_the_true_reason(self) -> None:
        story = Story()
        story.cloud.refusals["fence"] = [ThrottledError("slow down.", "wait")] * 99
        action = story.go()
        assert (action.outcome, action.detail, action.remedy) == (Outcome.FAILED, "fence: slow down.", "wait")
        assert len(story.cloud.tried) == MAX_ERRORS_IN_A_ROW
        assert action.calls == 0

    def test_denied_call_is_tried_a_few_times_because_roles_take_time_to_spread(self) -> None:
        story = Story()
        story.cloud.refusals["fence"] = [AccessDeniedError("role dr-spoke-database may not fence.", "update it")] * 2
        assert story.go().outcome is Outcome.SUCCEEDED

    def test_call_denied_for_good_ends_with_role_and_remedy(self) -> None:
        story = Story()
        story.cloud.refusals["fence"] = [AccessDeniedError("role dr-spoke-database may not fence.", "update it")] * 99
        action = story.go()
        assert (action.outcome, action.remedy) == (Outcome.FAILED, "update it")
        assert "dr-spoke-database" in action.detail
        assert len(story.cloud.tried) == MAX_ERRORS_IN_A_ROW // 2

    @pytest.mark.parametrize("error", [UpstreamError("quota reached."), RefusedError("us-east-1 is lost.")])
    def test_error_that_does_not_pass_ends_the_action_at_once(self, error: DrError) -> None:
        story = Story()
        story.cloud.refusals["fence"] = [error]
        assert story.go().outcome is Outcome.FAILED
        assert story.cloud.tried == ["fence"]


class TestLooks:
    @pytest.mark.parametrize(
        "error",
        [
            ThrottledError("slow down."),
            UnreachableError("no answer."),
            AccessDeniedError("no."),
            ConflictError("busy."),
        ],
    )
    def test_look_that_fails_for_a_while_changes_nothing_and_passes(self, error: DrError) -> None:
        story = Story()
        story.cloud.blind = [error] * (MAX_ERRORS_IN_A_ROW - 1)
        assert story.go().outcome is Outcome.SUCCEEDED
        assert story.cloud.operations() == ["fence", "promote"]

    def test_looks_that_fail_now_and_then_over_a_long_time_do_not_add_up(self) -> None:
        # Given a call whose answer was lost, and then every second look throttled
        story = Story()
        story.cloud.lost_answers = {"fence"}
        story.tick()
        for _ in range(MAX_ERRORS_IN_A_ROW + 2):
            story.cloud.blind = [ThrottledError("slow down.")]
            story.tick()
            assert not story.tick().done
        # When, Then
        assert story.go().outcome is Outcome.SUCCEEDED

    def test_look_that_fails_for_good_ends_the_action(self) -> None:
        story = Story()
        story.cloud.blind = [UnreachableError("no answer.", "look at the network")] * 99
        action = story.go()
        assert (action.outcome, action.detail, action.remedy) == (Outcome.FAILED, "no answer.", "look at the network")

    def test_look_that_is_refused_ends_the_action_at_once(self) -> None:
        story = Story()
        story.cloud.blind = [RefusedError("us-east-1 is treated as lost.")]
        story.tick()
        assert story.action().outcome is Outcome.FAILED


def test_action_that_takes_too_long_times_out_and_tells_what_was_last_seen() -> None:
    story = Story()
    story.cloud.obstacles["orders", "promote"] = replace(done("promote", "still promoting"), state=obstacle_busy())
    action = story.go()
    assert action.outcome is Outcome.TIMED_OUT
    assert action.detail == "promote: not finished by 03:00:00 UTC; last seen: still promoting"
    assert action.ended_at is not None
    assert action.ended_at - START >= timedelta(minutes=60)


class TestFence:
    def test_run_that_lost_its_lock_may_not_act(self) -> None:
        # Given a run whose scope was taken over under a newer epoch
        story = Story()
        scope = story.ledger.run(story.run_id).scope
        story.ledger.unlock(scope, story.run_id)
        story.ledger.lock(scope, "run-2", START)
        # When, Then nothing is looked at, nothing called
        with pytest.raises(FencedError, match="held by run run-2"):
            story.tick()
        assert story.cloud.tried == []

    def test_run_whose_lock_came_back_under_a_newer_epoch_may_not_act(self) -> None:
        story = Story()
        scope = story.ledger.run(story.run_id).scope
        story.ledger.unlock(scope, story.run_id)
        story.ledger.lock(scope, story.run_id, START)
        with pytest.raises(FencedError, match="epoch 2"):
            story.tick()

    def test_run_whose_scope_nobody_holds_may_not_act(self) -> None:
        story = Story()
        story.ledger.unlock(story.ledger.run(story.run_id).scope, story.run_id)
        with pytest.raises(FencedError, match="held by nobody"):
            story.tick()

    def test_run_that_loses_its_lock_while_it_looks_makes_no_call(self) -> None:
        # Given a scope that changes hands while an advance looks at the resource
        story = Story()
        scope = story.ledger.run(story.run_id).scope
        original = story.platform.adapter("database").observe

        def observe(*args: object) -> object:
            story.ledger.unlock(scope, story.run_id)
            story.ledger.lock(scope, "run-2", START)
            return original(*args)  # type: ignore[arg-type]

        story.platform.adapter("database").observe = observe  # type: ignore[method-assign, assignment]
        # When, Then
        with pytest.raises(FencedError, match="held by run run-2"):
            story.tick()
        assert story.cloud.tried == []
        assert story.action().intent is None


class TestCancel:
    def test_action_not_begun_is_skipped(self) -> None:
        story = Story()
        story.ledger.change_run(story.run_id, lambda r: r.but(cancelled_by="kim"))
        action = story.go()
        assert action.outcome is Outcome.SKIPPED
        assert "cancelled by kim before step fence" in action.detail
        assert story.cloud.tried == []

    def test_step_under_way_is_seen_through_and_nothing_new_begun(self) -> None:
        # Given a step under way
        story = Story()
        story.tick()
        # When the run is cancelled
        story.ledger.change_run(story.run_id, lambda r: r.but(cancelled_by="kim"))
        action = story.go()
        # Then
        assert [s.state for s in action.steps] == ["done", "todo"]
        assert "cancelled by kim before step promote" in action.detail
        assert action.outcome is Outcome.FAILED
        assert story.cloud.tried == ["fence"]


class TestLineOfNoReturn:
    def test_irreversible_step_without_commit_is_refused_and_then_asked_for(self) -> None:
        # Given a plan that did not foresee the irreversible step
        story = Story(committed=False)
        stage_id = STAGE[Phase.ACTIVATE]
        story.ledger.change_stage(story.run_id, stage_id, lambda s: s.but(irreversible=False))
        # When an operator approves what is asked, and retries what fails
        asked: list[GateKind] = []

        def answer(gate: object) -> Choice:
            asked.append(gate.kind)  # type: ignore[attr-defined]
            return Choice.RETRY if gate.kind is GateKind.FAILURE else Choice.APPROVE  # type: ignore[attr-defined]

        run = Operator(story.platform, story.cloud, answer).drive(story.run_id)
        # Then the step waited for the commit gate
        assert asked[:4] == [GateKind.PLAN, GateKind.PHASE, GateKind.FAILURE, GateKind.COMMIT]
        assert run.status is RunStatus.SUCCEEDED
        assert story.cloud.tried.count("promote") == 1

    def test_refusal_names_run_and_gate(self) -> None:
        story = Story(committed=False)
        action = story.go()
        assert action.outcome is Outcome.FAILED
        assert "the commit gate of run run-1 was not passed" in action.detail
        assert "dr status run-1" in action.remedy
        assert story.cloud.operations() == [], "a stage that crosses the line begins nothing before it is let"
        assert story.ledger.stage("run-1", STAGE[Phase.ACTIVATE]).irreversible


def test_two_advances_at_once_make_one_call() -> None:
    # Given an advance that is overtaken by another one after its look
    story = Story()
    story.tick()
    story.cloud.clock.advance(10)
    engine = story.platform.engine
    overtaken = [True]
    original = story.platform.adapter("database").observe

    def observe(*args: object) -> object:
        seen = original(*args)  # type: ignore[arg-type]
        if overtaken and overtaken.pop():
            engine.advance("run-1", STAGE[Phase.ACTIVATE], story.action().action_id)
        return seen

    story.platform.adapter("database").observe = observe  # type: ignore[method-assign, assignment]
    # When
    tick = story.tick()
    # Then
    assert not tick.done
    assert story.cloud.tried == ["fence", "promote"]


def test_record_saved_by_another_while_starting_is_looked_at_again() -> None:
    story = Story()
    save, failures = story.ledger.save_action, [StaleRecordError("changed meanwhile.")]

    def stale_once(action: Action) -> Action:
        if failures:
            raise failures.pop()
        return save(action)

    story.ledger.save_action = stale_once  # type: ignore[method-assign]
    assert not story.tick().done
    assert story.go().outcome is Outcome.SUCCEEDED


class TestAgain:
    def test_retry_after_repair_goes_on_where_it_failed_under_a_new_token(self) -> None:
        # Given a resource whose promotion AWS declined
        story = Story(committed=False)
        story.cloud.refusals["promote"] = [UpstreamError("promote: the replica is broken.", "rebuild the replica")]

        def answer(gate: object) -> Choice:
            return Choice.RETRY if gate.kind is GateKind.FAILURE else Choice.APPROVE  # type: ignore[attr-defined]

        # When somebody repairs it and answers retry
        run = Operator(story.platform, story.cloud, answer).drive(story.run_id)
        # Then what was done stays done, and the call is a new one to AWS
        assert run.status is RunStatus.SUCCEEDED
        assert story.cloud.operations().count("fence") == 1
        assert story.action().attempt == 1
        other = Story()
        other.go()
        tokens = {m.token for m in (*story.cloud.made, *other.cloud.made) if m.operation == "promote"}
        assert len(tokens) == 2

    def test_rollback_undoes_what_was_done_and_ends_the_run(self) -> None:
        # Given
        story = Story(committed=False)
        story.cloud.refusals["promote"] = [UpstreamError("promote: the replica is broken.")]

        def answer(gate: object) -> Choice:
            return Choice.ROLLBACK if gate.kind is GateKind.FAILURE else Choice.APPROVE  # type: ignore[attr-defined]

        # When
        run = Operator(story.platform, story.cloud, answer).drive(story.run_id)
        # Then
        assert story.cloud.operations() == ["scale", "fence", "undo"]
        assert story.action().outcome is Outcome.ROLLED_BACK
        assert run.status is RunStatus.FAILED
        assert run.failure == f"{STAGE[Phase.ACTIVATE]} was rolled back"

    def test_rollback_that_fails_is_asked_about_again(self) -> None:
        # Given a rollback that cannot be done
        story = Story(committed=False)
        story.cloud.refusals["promote"] = [UpstreamError("promote: the replica is broken.")]
        story.cloud.obstacles["orders", "undo"] = obstacle_blocked("undo")
        answers = iter([Choice.ROLLBACK, Choice.ABORT])

        def answer(gate: object) -> Choice:
            return next(answers) if gate.kind is GateKind.FAILURE else Choice.APPROVE  # type: ignore[attr-defined]

        # When
        run = Operator(story.platform, story.cloud, answer).drive(story.run_id)
        # Then the second question came, and the answer counted
        assert run.failure is not None
        assert "aborted by kim@example.com" in run.failure
        assert story.ledger.stage("run-1", STAGE[Phase.ACTIVATE]).status is StageStatus.FAILED


def test_whole_run_ends_with_every_action_ended() -> None:
    story = Story("orders", "billing", committed=False)
    run = Operator(story.platform, story.cloud, approve).drive(story.run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert {a.status for a in story.ledger.actions("run-1")} == {ActionStatus.ENDED}
    assert {a.outcome for a in story.ledger.actions("run-1")} == {Outcome.SUCCEEDED}
