"""Answer a gate by its short id; the token stays in the hub."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from orchestrator.aws_errors import translate
from orchestrator.errors import RefusedError
from orchestrator.sessions import Hub
from orchestrator.words import Choice, GateStatus


class AnswerEvent(BaseModel):
    """A decision."""

    GateId: str
    Choice: Choice
    Approver: str
    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Send the decision to the waiting state machine (states:SendTaskSuccess)."""
    answer = AnswerEvent.model_validate(event)
    gate = platform().ledger.find_gate(answer.GateId)
    if gate.status is not GateStatus.OPEN or gate.token is None:
        raise RefusedError(f"gate {gate.gate_id} is {gate.status}; it takes no answer now.", f"dr status {gate.run_id}")
    if answer.Choice not in gate.choices:
        options = ", ".join(gate.choices)
        raise RefusedError(
            f"gate {gate.gate_id} offers {options}; the answer was {answer.Choice}.", f"dr status {gate.run_id}"
        )
    release(gate.token, {"decision": answer.Choice.value, "approver": answer.Approver, "reason": answer.Reason})
    return {"Accepted": True, "RunId": gate.run_id}


def release(token: str, output: dict[str, Any]) -> None:
    """Redeem a callback token; raise `RefusedError` when it is used up or too old."""
    try:
        _states().send_task_success(taskToken=token, output=json.dumps(output))
    except ClientError as err:
        code = err.response.get("Error", {}).get("Code", "")
        if code in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}:
            message = "this question is no longer waiting: it was answered, timed out or the run ended."
            raise RefusedError(message, "dr status RUN shows whether it is asked again.", code=code) from err
        raise translate(err, "states.SendTaskSuccess") from err


@cache
def _states() -> Any:
    return Hub.plain(platform().hub_region).client("stepfunctions")
