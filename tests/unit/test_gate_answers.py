"""Questions to people: which answers count, and what an answer does to run and stage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConflictError, DrError, RefusedError, ValidationError
from orchestrator.gates import Answer, ask_with_token, decide, read_answer
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import CheckRecord, Gate
from orchestrator.notify import approval_text
from orchestrator.progress import FAILURE_CHOICES, gate_id
from orchestrator.words import (
    ActionStatus,
    CheckState,
    Choice,
    GateKind,
    GateStatus,
    Outcome,
    RunStatus,
    StageStatus,
)
from tests.unit.scripted_platform import (
    Clock,
    Cloud,
    Operator,
    a_gate,
    a_run,
    a_stage,
    an_action,
    approve,
    obstacle_blocked,
)


class TestReading:
    @pytest.mark.parametrize(
        ("raw", "choice"),
        [
            ({"approved": True, "approver": "kim"}, Choice.APPROVE),
            ({"approved": False, "approver": "kim"}, Choice.REJECT),
            ({"decision": "retry", "approver": "kim"}, Choice.RETRY),
            ({"decision": " Rollback ", "approver": "kim"}, Choice.ROLLBACK),
            ({"decision": "approve", "approved": True, "approver": "kim"}, Choice.APPROVE),
        ],
    )
    def test_decision_is_read_in_both_forms(self, raw: Any, choice: Choice) -> None:
        assert read_answer(raw) == Answer(choice, "kim")

    def test_name_and_reason_are_kept(self) -> None:
        raw = {"decision": "abort", "approver": " kim@example.com ", "reason": "customer called"}
        assert read_answer(raw) == Answer(Choice.ABORT, "kim@example.com", "customer called")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("raw", "told"),
        [
            ("approved", "not a JSON object"),
            (None, "not a JSON object"),
            ([], "not a JSON object"),
            ({}, "names no approver"),
            ({"approved": True}, "names no approver"),
            ({"approved": True, "approver": "  "}, "names no approver"),
            ({"approver": "kim"}, 'neither "approved"'),
            ({"approver": "kim", "approved": "true"}, 'neither "approved"'),
            ({"approver": "kim", "decision": "maybe"}, "'maybe' is not one of approve, reject"),
            ({"approver": "kim", "decision": 1}, "1 is not one of"),
            ({"approver": "kim", "decision": "reject", "approved": True}, "contradicts itself"),
            ({"Error": "States.Timeout", "Cause": ""}, "names no approver"),
        ],
    )
    def test_answer_without_a_decision_is_refused_with_an_example(self, raw: Any, told: str) -> None:
        with pytest.raises(ValidationError) as refused:
            read_answer(raw)
        assert told in refused.value.message
        assert '"approver"' in refused.value.remedy

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
    def test_any_json_is_an_answer_or_refused(self, raw: Any) -> None:
        try:
            read_answer(raw)
        except ValidationError as err:
            assert err.code == "BadAnswer"  # noqa: PT017 - both ends are right


class Desk:
    """A ledger with a failed stage of three actions, and its gate."""

    def __init__(self, gate: Gate | None = None, **stage: Any) -> None:
        self.ledger, self.clock = MemoryLedger(), Clock()
        self.ledger.create_run(a_run())
        checks = (
            CheckRecord(resource_id="database/a", name="serves", state=CheckState.HEALTHY, detail="yes"),
            CheckRecord(resource_id="database/b", name="serves", state=CheckState.UNHEALTHY, detail="no"),
        )
        base: dict[str, Any] = {"status": StageStatus.FAILED, "checks": checks, **stage}
        self.stage_id = a_stage(**base).stage_id
        ends = {"a": Outcome.SUCCEEDED, "b": Outcome.SUCCEEDED, "c": Outcome.FAILED}
        actions = [
            an_action(
                target_id=name,
                resource_ids=(f"database/{name}",),
                status=ActionStatus.ENDED,
                outcome=end,
                member_outcomes={f"database/{name}": end},
                detail="broken" if end is Outcome.FAILED else "",
                call_counts={"promote": 2},
                started_at=self.clock.now(),
            )
            for name, end in ends.items()
        ]
        self.ledger.add_stages([a_stage(**base)], actions)
        name = gate_id("run-1", GateKind.FAILURE, self.stage_id)
        failure = a_gate(GateKind.FAILURE, name, stage_id=self.stage_id, choices=FAILURE_CHOICES)
        self.gate = self.ledger.add_gate(gate or failure)

    def answer(self, choice: Choice, who: str = "kim") -> Gate:
        return decide(self.ledger, self.clock, "run-1", self.gate.gate_id, Answer(choice, who, "because"))

    def outcomes(self) -> dict[str, Outcome | None]:
        return {a.target_id: a.outcome for a in self.ledger.actions("run-1")}


class TestDeciding:
    def test_rejection_ends_the_run_as_rejected(self) -> None:
        desk = Desk(a_gate())
        desk.answer(Choice.REJECT)
        run = desk.ledger.run("run-1")
        assert (run.rejected_by, run.failure) == ("kim", "rejected by kim at the plan gate")

    def test_approval_of_an_irreversible_stage_commits_the_run(self) -> None:
        desk = Desk(a_gate(GateKind.COMMIT, stage_id="01-ACTIVATE-w1"), irreversible=True)
        desk.answer(Choice.APPROVE)
        assert desk.ledger.run("run-1").committed

    def test_approval_of_a_harmless_stage_commits_nothing(self) -> None:
        desk = Desk(a_gate(stage_id="01-ACTIVATE-w1"))
        desk.answer(Choice.APPROVE)
        assert not desk.ledger.run("run-1").committed

    def test_decision_is_recorded_with_who_when_and_why(self) -> None:
        # Given
        desk = Desk()
        desk.clock.advance(90)
        # When
        gate = desk.answer(Choice.ABORT)
        # Then
        assert (gate.status, gate.choice, gate.decided_by, gate.reason) == (
            GateStatus.ANSWERED,
            Choice.ABORT,
            "kim",
            "because",
        )
        assert gate.decided_at == desk.clock.now()
        assert gate.token is None
        (event,) = desk.ledger.events("run-1")
        assert (event.kind, event.actor) == ("decision", "kim")
        assert event.message.startswith("abort at failure gate")

    def test_abort_names_stage_and_person(self) -> None:
        desk = Desk()
        desk.answer(Choice.ABORT)
        assert desk.ledger.run("run-1").failure == "aborted by kim after 01-ACTIVATE-w1 failed"

    def test_retry_begins_again_only_what_did_not_succeed(self) -> None:
        desk = Desk()
        desk.answer(Choice.RETRY)
        stage = desk.ledger.stage("run-1", desk.stage_id)
        assert (stage.status, stage.attempt, stage.rolling_back, stage.checks) == (StageStatus.PENDING, 1, False, ())
        assert desk.outcomes() == {"a": Outcome.SUCCEEDED, "b": Outcome.SUCCEEDED, "c": None}
        again = desk.ledger.action("run-1", "ACTIVATE.c")
        assert (again.status, again.calls, again.started_at, again.attempt) == (ActionStatus.PENDING, 0, None, 1)

    def test_rollback_begins_again_with_everything(self) -> None:
        desk = Desk()
        desk.answer(Choice.ROLLBACK)
        assert desk.ledger.stage("run-1", desk.stage_id).rolling_back
        assert set(desk.outcomes().values()) == {None}

    def test_skip_leaves_alone_what_failed_and_what_is_unhealthy(self) -> None:
        desk = Desk()
        desk.answer(Choice.SKIP)
        stage = desk.ledger.stage("run-1", desk.stage_id)
        assert (stage.status, stage.ignored) == (StageStatus.PASSED, True)
        ignored = Outcome.FAILED_IGNORED
        assert desk.outcomes() == {"a": Outcome.SUCCEEDED, "b": ignored, "c": ignored}
        assert desk.ledger.action("run-1", "ACTIVATE.c").detail == "broken (ignored by kim)"

    def test_continue_goes_on_with_the_unhealthy_ones(self) -> None:
        desk = Desk()
        desk.answer(Choice.CONTINUE)
        assert desk.ledger.stage("run-1", desk.stage_id).status is StageStatus.PASSED
        assert desk.outcomes() == {"a": Outcome.SUCCEEDED, "b": Outcome.SUCCEEDED, "c": Outcome.FAILED_IGNORED}

    def test_option_that_the_gate_does_not_offer_changes_nothing(self) -> None:
        desk = Desk()
        with pytest.raises(
            RefusedError, match="offers retry, skip, continue, rollback, rollback-run, abort; the answer was approve"
        ):
            desk.answer(Choice.APPROVE)
        assert desk.ledger.gate("run-1", desk.gate.gate_id).status is GateStatus.OPEN
        assert desk.outcomes()["c"] is Outcome.FAILED

    def test_same_answer_twice_counts_once(self) -> None:
        desk = Desk()
        desk.answer(Choice.RETRY)
        assert desk.answer(Choice.RETRY).choice is Choice.RETRY
        assert desk.ledger.stage("run-1", desk.stage_id).attempt == 1

    def test_second_answer_of_another_kind_is_refused_with_the_first(self) -> None:
        desk = Desk()
        desk.answer(Choice.RETRY)
        with pytest.raises(RefusedError, match="answered already: retry by kim") as refused:
            desk.answer(Choice.ABORT, "lee")
        assert refused.value.code == "GateAnswered"
        assert desk.ledger.run("run-1").failure is None

    def test_answer_applied_but_not_recorded_is_not_applied_again(self) -> None:
        # Given a process that died after applying `retry`, and a stage that went on since
        desk = Desk()
        desk.answer(Choice.RETRY)
        desk.ledger.change_gate("run-1", desk.gate.gate_id, lambda g: g.but(status=GateStatus.OPEN, choice=None))
        desk.ledger.change_stage("run-1", desk.stage_id, lambda s: s.but(status=StageStatus.RUNNING))
        # When the answer is delivered again
        desk.answer(Choice.RETRY)
        # Then the running stage is left in peace
        stage = desk.ledger.stage("run-1", desk.stage_id)
        assert (stage.attempt, stage.status) == (1, StageStatus.RUNNING)

    def test_answer_after_the_end_of_the_run_is_refused(self) -> None:
        desk = Desk()
        desk.ledger.change_run("run-1", lambda r: r.but(status=RunStatus.STOPPED))
        with pytest.raises(RefusedError, match="the run has ended"):
            desk.answer(Choice.RETRY)
        assert desk.ledger.stage("run-1", desk.stage_id).attempt == 0

    def test_answer_to_a_withdrawn_gate_is_refused(self) -> None:
        desk = Desk()
        desk.ledger.change_gate("run-1", desk.gate.gate_id, lambda g: g.but(status=GateStatus.WITHDRAWN))
        with pytest.raises(RefusedError) as refused:
            desk.answer(Choice.RETRY)
        assert refused.value.code == "GateWithdrawn"

    def test_failure_gate_without_a_stage_is_an_error(self) -> None:
        desk = Desk(a_gate(GateKind.FAILURE, choices=FAILURE_CHOICES))
        with pytest.raises(ConflictError, match="belongs to no stage"):
            desk.answer(Choice.RETRY)

    def test_unknown_gate_is_named(self) -> None:
        desk = Desk()
        with pytest.raises(DrError, match="gate g-404"):
            decide(desk.ledger, desk.clock, "run-1", "g-404", Answer(Choice.RETRY, "kim"))


class TestAsking:
    def test_question_asked_again_carries_the_new_token_and_counts(self) -> None:
        desk = Desk()
        first = ask_with_token(desk.ledger, desk.clock, "run-1", desk.gate.gate_id, "token-1")
        repeated = ask_with_token(desk.ledger, desk.clock, "run-1", desk.gate.gate_id, "token-1")
        second = ask_with_token(desk.ledger, desk.clock, "run-1", desk.gate.gate_id, "token-2")
        assert [first.asks, repeated.asks, second.asks] == [1, 1, 2]
        assert second.token == "token-2"  # noqa: S105

    def test_request_for_approval_can_be_answered_by_pasting(self) -> None:
        desk = Desk()
        gate = ask_with_token(desk.ledger, desk.clock, "run-1", desk.gate.gate_id, "AQC-token")
        text = approval_text(desk.ledger.run("run-1"), gate)
        assert all(f"dr decide {gate.gate_id} {choice}" in text for choice in gate.choices)
        assert "aws stepfunctions send-task-success --region us-west-2 --task-token AQC-token" in text
        assert f'{{"decision": "retry", "approver": "YOU@example.com", "gate": "{gate.gate_id}"}}' in text

    def test_first_gate_of_an_emergency_shows_the_loss_and_what_is_put_off(self) -> None:
        # Given an emergency from the cached inventory
        cloud = Cloud()
        cloud.add("orders")
        cloud.red = {"orders"}
        platform = cloud.platform()
        from orchestrator.stocktaking import refresh
        from tests.unit.scripted_platform import SCOPE, SOURCE, TARGET

        refresh(platform, SCOPE, (SOURCE, TARGET))
        operator = Operator(platform, cloud, lambda _gate: None)
        # When the run asks to begin
        operator.drive(cloud.accept(platform, Emergency=True))
        # Then the approver sees the price before paying it
        text = "\n".join(operator.asked[0].checklist)
        assert operator.asked[0].kind is GateKind.COMMIT
        assert "loss: database/orders: 12.0 s (the last 12 s of writes)" in text
        assert "deferred to a later run: CLEANUP, REPLICATE" in text
        assert "readiness red: database/orders: replication lags 9 h" in text

    def test_failure_gate_shows_what_failed_and_how_to_repair_it(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.add("billing")
        cloud.obstacles["orders", "scale"] = obstacle_blocked("scale")
        platform = cloud.platform()
        operator = Operator(platform, cloud, approve)
        operator.drive(cloud.accept(platform))
        gate = operator.asked[-1]
        assert gate.kind is GateKind.FAILURE
        assert gate.checklist[0] == "01-INSTANTIATE-w1: failed (1 failed, 1 succeeded)"
        assert "the source still takes writes stop the application first" in gate.checklist[1]
        assert "is left alone from here on" in gate.question

    def test_wave_gate_shows_how_the_wave_before_ended_and_what_is_next(self) -> None:
        cloud = Cloud()
        cloud.add("orders", 1)
        cloud.add("web", 2, "service")
        platform = cloud.platform()
        operator = Operator(platform, cloud, approve)
        operator.drive(cloud.accept(platform, Phases=["ACTIVATE"]))
        assert [gate.kind for gate in operator.asked] == [GateKind.COMMIT, GateKind.WAVE]
        text = "\n".join(operator.asked[1].checklist)
        assert "01-ACTIVATE-w1: passed (1 succeeded)" in text
        assert "1 of 1 health checks healthy" in text
        assert "next: 02-ACTIVATE-w2, about 4 min, 2 call(s)" in text
        assert "fake.promote in 222222222222/us-west-2 for service/web (irreversible)" in text
        assert "holds irreversible steps" in text
