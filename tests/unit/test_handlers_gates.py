"""Questions to people, function by function: asked, reminded, answered, answered wrongly, let go."""

from __future__ import annotations

from typing import Any

import pytest

from lambdas.boundary import TerminalError
from orchestrator.words import GateStatus, RunStatus
from tests.support.driver import APPS, HUB, SCOPE, SOURCE
from tests.support.functions import Functions, open_hub

SHOP = {"kind": "ecs-service", "name": "shop"}
WHO = "user@example.com"
WHO_ARN = f"arn:aws:iam::{HUB}:user/{WHO}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Functions:
    return open_hub(monkeypatch, SHOP)


@pytest.fixture
def run_id(hub: Functions) -> str:
    return hub.planned(ApprovalMode="required")


def decide(hub: Functions, run_id: str, gate_id: str, answer: Any) -> bool:
    """Answer a gate as the state machine does after its callback."""
    return bool(hub.call("record_decision", RunId=run_id, GateId=gate_id, Answer=answer)["Accepted"])


def test_question_is_sent_with_its_checklist_and_the_commands_to_paste(hub: Functions, run_id: str) -> None:
    hub.messages()

    gate_id, token = hub.ask(run_id)

    ((notice, subject, body),) = hub.messages()
    assert notice == "approval-needed"
    assert subject == f"[DR] {SCOPE} failover: plan gate {gate_id} waits"
    assert "next: 01-INSTANTIATE-w1" in body
    assert "ecs.UpdateService" in body or "call(s)" in body
    assert f"dr decide {gate_id} approve" in body
    assert f"--task-token {token.value}" in body
    assert hub.platform.ledger.run(run_id).status is RunStatus.WAITING


def test_approval_lets_the_run_go_on_and_is_kept_with_its_reason(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)

    accepted = decide(hub, run_id, gate_id, {"approved": True, "approver": WHO, "reason": "CHG-7"})

    assert accepted
    assert hub.call("next_move", RunId=run_id)["Move"] == "stage"
    gate = hub.platform.ledger.gate(run_id, gate_id)
    assert (gate.choice, gate.decided_by, gate.reason, gate.token) == ("approve", WHO, "CHG-7", None)
    assert ("decision", f"approve by {WHO}. CHG-7") in [(notice, body) for notice, _, body in hub.messages()]


def test_rejection_ends_the_run_before_anything_is_changed(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)

    assert decide(hub, run_id, gate_id, {"approved": False, "approver": WHO})

    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    ended = hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")
    assert f"rejected by {WHO} at the plan gate" in ended["Summary"]
    assert hub.world.operations() == []


BAD_ANSWERS: list[tuple[Any, str]] = [
    ("yes", "the answer is not a JSON object: 'yes'"),
    (None, "the answer is not a JSON object: None"),
    ({"approved": True}, "the answer names no approver"),
    ({"approver": WHO}, 'the answer has neither "approved": true|false nor a "decision"'),
    ({"approved": "yes", "approver": WHO}, 'neither "approved": true|false'),
    ({"decision": "perhaps", "approver": WHO}, "the decision 'perhaps' is not one of"),
    ({"decision": "retry", "approver": WHO}, "offers approve, reject; the answer was retry"),
]


def test_answer_that_cannot_count_is_reported_with_an_example_and_the_question_stays_open(
    hub: Functions, run_id: str
) -> None:
    gate_id, _ = hub.ask(run_id)
    hub.messages()

    for answer, why in BAD_ANSWERS:
        assert not decide(hub, run_id, gate_id, answer)

        ((notice, subject, body),) = hub.messages()
        assert notice == "warning"
        assert subject.endswith(f"answer at gate {gate_id} does not count")
        assert why in body
        assert "--task-output" in body

    assert hub.platform.ledger.gate(run_id, gate_id).status is GateStatus.OPEN
    assert hub.call("next_move", RunId=run_id) == {"Move": "gate", "GateId": gate_id}


def test_second_different_answer_does_not_count_and_the_same_one_again_changes_nothing(
    hub: Functions, run_id: str
) -> None:
    gate_id, _ = hub.ask(run_id)
    assert decide(hub, run_id, gate_id, {"approved": True, "approver": WHO})

    assert decide(hub, run_id, gate_id, {"approved": True, "approver": WHO}), "the same call, made again"
    assert not decide(hub, run_id, gate_id, {"approved": False, "approver": "other@example.com"})

    assert hub.platform.ledger.gate(run_id, gate_id).choice == "approve"


def test_answer_by_the_gates_short_id_redeems_the_token_that_never_leaves_the_hub(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    told = hub.order("answer_gate", GateId=gate_id, Choice="approve", Reason="seen")

    assert told == {"Accepted": True, "RunId": run_id, "By": WHO_ARN}
    sent = token.answer.result(timeout=0)
    assert {**sent, "answer": ""} == {"decision": "approve", "approver": WHO_ARN, "reason": "seen", "answer": ""}


def test_token_that_is_used_up_is_refused_with_where_to_look(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    hub.order("answer_gate", GateId=gate_id, Choice="approve")

    with pytest.raises(TerminalError, match="no longer waiting: it was answered, timed out or the run ended") as caught:
        hub.order("answer_gate", GateId=gate_id, Choice="reject")

    assert "dr status" in str(caught.value)


def test_late_answer_to_a_question_that_was_asked_again_is_refused(hub: Functions, run_id: str) -> None:
    gate_id, late = hub.ask(run_id)
    late.close()

    with pytest.raises(TerminalError, match="no longer waiting"):
        hub.order("answer_gate", GateId=gate_id, Choice="approve")

    hub.call("remind_gate", RunId=run_id, GateId=gate_id)
    _, fresh = hub.ask(run_id)
    hub.order("answer_gate", GateId=gate_id, Choice="approve")
    assert fresh.answer.done()


def test_unanswered_question_is_escalated_with_the_same_commands(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)
    hub.messages()

    assert hub.call("remind_gate", RunId=run_id, GateId=gate_id) == {"RunId": run_id, "GateId": gate_id}

    ((notice, subject, body),) = hub.messages()
    assert notice == "approval-overdue"
    assert f"OVERDUE: plan gate {gate_id}" in subject
    assert f"dr decide {gate_id} approve" in body
    assert token.value not in body, "it has timed out; the next question brings its own"


def test_answer_by_short_id_that_cannot_count_is_refused_before_the_token_is_spent(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    for answer, why in (
        ({"Choice": "retry"}, "offers approve, reject; the answer was retry"),
        ({"Choice": "maybe"}, "not of the expected form"),
    ):
        with pytest.raises(TerminalError, match=why):
            hub.order("answer_gate", GateId=gate_id, **answer)
    with pytest.raises(TerminalError, match="Proof"):
        hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver="whoever@example.com")

    assert not token.answer.done()


def test_gate_nobody_opened_and_gate_already_answered_take_no_answer(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    decide(hub, run_id, gate_id, {"approved": True, "approver": WHO})

    with pytest.raises(TerminalError, match=f"gate {gate_id} is answered .approve by {WHO}.; it takes no answer now"):
        hub.order("answer_gate", GateId=gate_id, Choice="approve")
    with pytest.raises(TerminalError, match="g-00000000"):
        hub.order("answer_gate", GateId="g-00000000", Choice="approve")


def test_token_of_another_account_is_refused(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)
    token.account = "333333333333"

    with pytest.raises(TerminalError, match="no longer waiting"):
        hub.order("answer_gate", GateId=gate_id, Choice="approve")


def test_cancelled_run_is_let_go_at_its_gate_and_ends_cancelled(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    assert hub.order("cancel_run", RunId=run_id, Reason="wrong customer")["Cancelled"]

    released = token.answer.result(timeout=0)
    assert released == {"cancelled": True, "approver": WHO_ARN}
    assert not decide(hub, run_id, gate_id, released), "a release is no decision"
    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    assert hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")["Status"] == RunStatus.CANCELLED
    assert hub.platform.ledger.gate(run_id, gate_id).status is GateStatus.WITHDRAWN
    assert hub.world.operations() == []
    with pytest.raises(TerminalError, match=f"run {run_id} has ended already: cancelled"):
        hub.order("cancel_run", RunId=run_id)


def test_escalated_run_is_let_go_at_its_gate_and_ends_for_the_emergency(hub: Functions, run_id: str) -> None:
    _, token = hub.ask(run_id)

    assert hub.order("escalate_run", RunId=run_id, Reason="the Region is gone") == {"Escalated": True, "By": WHO_ARN}

    assert token.answer.result(timeout=0) == {"cancelled": True, "approver": WHO_ARN}
    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    run = hub.platform.ledger.run(run_id)
    assert run.escalation is not None
    assert (run.escalation.by, run.escalation.reason) == (WHO_ARN, "the Region is gone")
    assert hub.world.operations() == []


def test_run_cancelled_while_a_stage_works_begins_no_further_change(hub: Functions) -> None:
    run_id = hub.planned()
    hub.stage(run_id, hub.call("next_move", RunId=run_id)["StageId"])
    activate = hub.call("next_move", RunId=run_id)["StageId"]
    hub.order("cancel_run", RunId=run_id)

    hub.stage(run_id, activate)

    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    assert hub.world.operations() == []
    (action,) = hub.platform.ledger.actions(run_id, activate)
    assert action.detail.startswith(f"cancelled by {WHO_ARN}")


def test_stage_that_fails_is_asked_about_and_a_retry_after_repair_passes(hub: Functions) -> None:
    run_id = hub.planned()
    hub.stage(run_id, hub.call("next_move", RunId=run_id)["StageId"])
    activate = hub.call("next_move", RunId=run_id)["StageId"]
    refusal = {"code": "ValidationException", "message": "not now", "status": 400}
    hub.world.fault(effect="error", operation="RegisterScalableTarget", **refusal)
    assert hub.stage(run_id, activate) == "failed"

    gate_id, _ = hub.ask(run_id)
    asked = hub.platform.ledger.gate(run_id, gate_id)
    assert [choice.value for choice in asked.choices] == [
        "retry",
        "skip",
        "continue",
        "rollback",
        "rollback-run",
        "abort",
    ]
    assert any("not now" in line for line in asked.checklist)
    hub.world.repair()
    assert decide(hub, run_id, gate_id, {"decision": "retry", "approver": WHO})

    move = hub.call("next_move", RunId=run_id)
    assert (move["StageId"], move["Attempt"]) == (activate, 1)
    assert hub.stage(run_id, activate) == "passed"


FOUR_EYES = '{"rules": [{"gates": ["plan"], "another_person": true}], "tokens_in_notifications": false}'


def test_answer_of_whoever_asked_is_refused_where_the_policy_wants_another_person(hub: Functions) -> None:
    hub.configure(DR_APPROVALS=FOUR_EYES)
    run_id = hub.planned(ApprovalMode="required", Requester="arn:aws:iam::111111111111:user/kim@example.com")
    hub.messages()
    gate_id, token = hub.ask(run_id)

    ((_, _, body),) = hub.messages()
    assert "somebody other than arn:aws:iam::111111111111:user/kim@example.com" in body
    assert token.value not in body, "the policy keeps the token on the server"
    with pytest.raises(TerminalError, match="asked for run .* must be answered by another person"):
        hub.order("answer_gate", who="kim@example.com", GateId=gate_id, Choice="approve")
    assert not token.answer.done(), "the question still waits"

    hub.order("answer_gate", who="lee@example.com", GateId=gate_id, Choice="approve")
    assert decide(hub, run_id, gate_id, token.answer.result(timeout=0))
    gate = hub.platform.ledger.gate(run_id, gate_id)
    assert (gate.decided_by, gate.account) == (f"arn:aws:iam::{HUB}:user/lee@example.com", HUB)
    (event,) = [e for e in hub.platform.ledger.events(run_id) if e.kind == "decision"]
    assert event.data == {"verified": True, "arn": gate.decided_by, "account": HUB}


def test_answer_sent_raw_has_no_confirmed_sender_and_does_not_count_where_one_is_wanted(hub: Functions) -> None:
    hub.configure(DR_APPROVALS=FOUR_EYES)
    run_id = hub.planned(ApprovalMode="required")
    gate_id, _ = hub.ask(run_id)
    hub.messages()

    for raw in (
        {"approved": True, "approver": "lee@example.com"},
        {"decision": "approve", "approver": "lee@example.com", "answer": "0123456789abcdef"},
    ):
        assert not decide(hub, run_id, gate_id, raw)
    told = " ".join(body for _, _, body in hub.messages())
    assert "takes only answers whose sender AWS confirms" in told
    assert "keeps no verified answer 0123456789abcdef" in told
    assert hub.platform.ledger.gate(run_id, gate_id).status is GateStatus.OPEN


def test_what_counts_of_a_verified_answer_is_what_the_gate_keeps_not_what_comes_with_the_token(
    hub: Functions, run_id: str
) -> None:
    gate_id, token = hub.ask(run_id)
    hub.order("answer_gate", GateId=gate_id, Choice="reject")
    forged = {**token.answer.result(timeout=0), "decision": "approve", "approver": "somebody else"}

    assert decide(hub, run_id, gate_id, forged)

    gate = hub.platform.ledger.gate(run_id, gate_id)
    assert (gate.choice, gate.decided_by) == ("reject", WHO_ARN)


def test_answer_meant_for_another_gate_or_run_does_not_count(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    hub.messages()

    for raw in ({"gate": "g-00000000"}, {"run": "another-run"}):
        assert not decide(hub, run_id, gate_id, {"approved": True, "approver": WHO, **raw})
        assert "but its token belongs to" in hub.messages()[0][2]


def test_proof_of_somebody_outside_the_hubs_account_is_refused(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    said = {"GateId": gate_id, "Choice": "approve"}
    proof = hub.proof("answer_gate", "kim", said, account=APPS).model_dump()

    with pytest.raises(TerminalError, match=f"is of account {APPS}; gates are answered from the hub's account"):
        hub.call("answer_gate", **said, Proof=proof)


def test_orders_to_a_run_of_another_region_are_refused_with_the_command_for_there(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    hub.platform.ledger.change_run(run_id, lambda r: r.but(target_region=SOURCE))

    for verb, event in (
        ("answer_gate", {"GateId": gate_id, "Choice": "approve"}),
        ("pause_run", {"RunId": run_id}),
        ("resume_run", {"RunId": run_id}),
        ("cancel_run", {"RunId": run_id}),
        ("escalate_run", {"RunId": run_id}),
        ("extend_lease", {"RunId": run_id, "Minutes": 60}),
    ):
        with pytest.raises(TerminalError, match=f"is done by the hub in {SOURCE}.*dr .* --region {SOURCE}"):
            hub.order(verb, **event)


def test_drill_is_given_more_time_by_whom_aws_confirms(hub: Functions) -> None:
    run_id = hub.planned(Operation="test", LeaseMinutes=60)

    told = hub.order("extend_lease", RunId=run_id, Minutes=30, Reason="still looking")

    lease = hub.platform.ledger.run(run_id).lease
    assert lease is not None
    assert (lease.extensions[0].by, lease.extensions[0].minutes) == (WHO_ARN, 30)
    assert told == {"Until": f"{lease.until:%Y-%m-%d %H:%M} UTC", "By": WHO_ARN}
    notice, subject, body = hub.messages()[-1]
    assert (notice, "lease extended until" in subject, "still looking" in body) == ("decision", True, True)


def test_drill_let_go_from_its_gate_at_the_end_of_its_lease_was_not_answered_and_goes_to_its_cleanup(
    hub: Functions,
) -> None:
    run_id = hub.planned(Operation="test", ApprovalMode="required")
    gate_id, _ = hub.ask(run_id)
    now = hub.platform.clock.now()
    hub.platform.ledger.change_run(run_id, lambda r: r.but(lease=r.lease.but(over_at=now) if r.lease else None))
    hub.messages()

    told = hub.call("record_decision", RunId=run_id, GateId=gate_id, Answer={"leaseOver": True, "approver": "x"})

    assert told == {"Accepted": False}
    assert hub.messages() == []
    assert "CLEANUP" in hub.call("next_move", RunId=run_id)["StageId"]


def test_automation_that_gives_another_order_answers_nothing(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    with pytest.raises(TerminalError, match="AutomationExecution"):
        hub.call("answer_gate", GateId=gate_id, Choice="approve", Automation="00000000-0000-4000-8000-000000000000")
    assert not token.answer.done()


def test_run_is_paused_and_resumed_by_the_gate_it_comes_to(hub: Functions) -> None:
    run_id = hub.planned()
    hub.order("pause_run", RunId=run_id, Reason="look at the graphs")

    gate_id, token = hub.ask(run_id)

    assert hub.platform.ledger.gate(run_id, gate_id).kind == "pause"
    assert hub.platform.ledger.run(run_id).status is RunStatus.PAUSED
    with pytest.raises(TerminalError, match=f"run {run_id} is paused already, by {WHO_ARN}"):
        hub.order("pause_run", RunId=run_id)
    assert hub.order("resume_run", who="lee@example.com", RunId=run_id)["AtGate"]
    assert decide(hub, run_id, gate_id, token.answer.result(timeout=0))
    assert hub.call("next_move", RunId=run_id)["Move"] == "stage"
    (held,) = hub.platform.ledger.run(run_id).pauses
    assert (held.by, held.reason, held.resumed_by) == (
        WHO_ARN,
        "look at the graphs",
        f"arn:aws:iam::{HUB}:user/lee@example.com",
    )
    with pytest.raises(TerminalError, match=f"run {run_id} is not paused; it is running"):
        hub.order("resume_run", RunId=run_id)
