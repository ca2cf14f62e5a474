"""Questions to people, function by function: asked, reminded, answered, answered wrongly, let go."""

from __future__ import annotations

from typing import Any

import pytest

from lambdas.boundary import TerminalError
from orchestrator.words import GateStatus, RunStatus
from tests.support.driver import SCOPE
from tests.support.functions import Functions, open_hub

SHOP = {"kind": "ecs-service", "name": "shop"}
WHO = "user@example.com"


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

    told = hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO, Reason="seen")

    assert told == {"Accepted": True, "RunId": run_id}
    assert token.answer.result(timeout=0) == {"decision": "approve", "approver": WHO, "reason": "seen"}


def test_token_that_is_used_up_is_refused_with_where_to_look(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO)

    with pytest.raises(TerminalError, match="no longer waiting: it was answered, timed out or the run ended") as caught:
        hub.call("answer_gate", GateId=gate_id, Choice="reject", Approver=WHO)

    assert "dr status" in str(caught.value)


def test_late_answer_to_a_question_that_was_asked_again_is_refused(hub: Functions, run_id: str) -> None:
    gate_id, late = hub.ask(run_id)
    late.close()

    with pytest.raises(TerminalError, match="no longer waiting"):
        hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO)

    hub.call("remind_gate", RunId=run_id, GateId=gate_id)
    _, fresh = hub.ask(run_id)
    hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO)
    assert fresh.answer.done()


def test_unanswered_question_is_escalated_with_the_same_commands(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)
    hub.messages()

    assert hub.call("remind_gate", RunId=run_id, GateId=gate_id) == {"RunId": run_id, "GateId": gate_id}

    ((notice, subject, body),) = hub.messages()
    assert notice == "approval-overdue"
    assert f"OVERDUE: plan gate {gate_id}" in subject
    assert token.value in body


def test_answer_by_short_id_that_cannot_count_is_refused_before_the_token_is_spent(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    for answer, why in (
        ({"Choice": "retry", "Approver": WHO}, "offers approve, reject; the answer was retry"),
        ({"Choice": "maybe", "Approver": WHO}, "not of the expected form"),
        ({"Choice": "approve"}, "Approver"),
    ):
        with pytest.raises(TerminalError, match=why):
            hub.call("answer_gate", GateId=gate_id, **answer)

    assert not token.answer.done()


def test_gate_nobody_opened_and_gate_already_answered_take_no_answer(hub: Functions, run_id: str) -> None:
    gate_id, _ = hub.ask(run_id)
    decide(hub, run_id, gate_id, {"approved": True, "approver": WHO})

    with pytest.raises(TerminalError, match=f"gate {gate_id} is answered; it takes no answer now"):
        hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO)
    with pytest.raises(TerminalError, match="g-00000000"):
        hub.call("answer_gate", GateId="g-00000000", Choice="approve", Approver=WHO)


def test_token_of_another_account_is_refused(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)
    token.account = "333333333333"

    with pytest.raises(TerminalError, match="no longer waiting"):
        hub.call("answer_gate", GateId=gate_id, Choice="approve", Approver=WHO)


def test_cancelled_run_is_let_go_at_its_gate_and_ends_cancelled(hub: Functions, run_id: str) -> None:
    gate_id, token = hub.ask(run_id)

    assert hub.call("cancel_run", RunId=run_id, By=WHO, Reason="wrong customer") == {"Cancelled": True}

    released = token.answer.result(timeout=0)
    assert released == {"cancelled": True, "approver": WHO}
    assert not decide(hub, run_id, gate_id, released), "a release is no decision"
    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    assert hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")["Status"] == RunStatus.CANCELLED
    assert hub.platform.ledger.gate(run_id, gate_id).status is GateStatus.WITHDRAWN
    assert hub.world.operations() == []
    with pytest.raises(TerminalError, match=f"run {run_id} has ended already: cancelled"):
        hub.call("cancel_run", RunId=run_id, By=WHO)


def test_run_cancelled_while_a_stage_works_begins_no_further_change(hub: Functions) -> None:
    run_id = hub.planned()
    hub.stage(run_id, hub.call("next_move", RunId=run_id)["StageId"])
    activate = hub.call("next_move", RunId=run_id)["StageId"]
    hub.call("cancel_run", RunId=run_id, By=WHO)

    hub.stage(run_id, activate)

    assert hub.call("next_move", RunId=run_id) == {"Move": "finish"}
    assert hub.world.operations() == []
    (action,) = hub.platform.ledger.actions(run_id, activate)
    assert action.detail.startswith(f"cancelled by {WHO}")


def test_stage_that_fails_is_asked_about_and_a_retry_after_repair_passes(hub: Functions) -> None:
    run_id = hub.planned()
    hub.stage(run_id, hub.call("next_move", RunId=run_id)["StageId"])
    activate = hub.call("next_move", RunId=run_id)["StageId"]
    refusal = {"code": "ValidationException", "message": "not now", "status": 400}
    hub.world.fault(effect="error", operation="RegisterScalableTarget", **refusal)
    assert hub.stage(run_id, activate) == "failed"

    gate_id, _ = hub.ask(run_id)
    asked = hub.platform.ledger.gate(run_id, gate_id)
    assert [choice.value for choice in asked.choices] == ["retry", "skip", "continue", "rollback", "abort"]
    assert any("not now" in line for line in asked.checklist)
    hub.world.repair()
    assert decide(hub, run_id, gate_id, {"decision": "retry", "approver": WHO})

    move = hub.call("next_move", RunId=run_id)
    assert (move["StageId"], move["Attempt"]) == (activate, 1)
    assert hub.stage(run_id, activate) == "passed"
