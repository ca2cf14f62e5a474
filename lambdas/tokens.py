"""Redeem callback tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lambdas.boundary import logger
from lambdas.callers import own_hub
from orchestrator.aws_errors import translate
from orchestrator.errors import RefusedError
from orchestrator.ledger.store import Ledger
from orchestrator.words import GateStatus


def release(token: str, output: Mapping[str, Any]) -> None:
    """Redeem a callback token; raise `RefusedError` when it is used up or too old."""
    try:
        own_hub().client("stepfunctions").send_task_success(taskToken=token, output=json.dumps(output))
    except ClientError as err:
        code = err.response.get("Error", {}).get("Code", "")
        if code in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}:
            message = "this question is no longer waiting: it was answered, timed out or the run ended."
            raise RefusedError(message, "dr status RUN shows whether it is asked again.", code=code) from err
        raise translate(err, "states.SendTaskSuccess") from err


def let_go(ledger: Ledger, run_id: str, by: str) -> None:
    """Let a run that is to end go on from the gate it waits at."""
    for gate in ledger.gates(run_id):
        if gate.status is not GateStatus.OPEN or not gate.token:
            continue
        try:
            release(gate.token, {"cancelled": True, "approver": by})
        except RefusedError as err:  # its 30 minutes are just over: the next move sees that the run is to end
            logger.info("gate no longer waits", extra={"reason": err.message})
