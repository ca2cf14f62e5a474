"""End a run: status, report, lock, message."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from lambdas.executions import remove_at_once
from lambdas.metrics import report
from orchestrator.ending import finish
from orchestrator.redriving import go_on_unless_ended
from orchestrator.report import recovery_time


class Caught(BaseModel):
    """An error as a state machine caught it."""

    Error: str = ""
    Cause: str = ""


class FinishEvent(BaseModel):
    """A run, unless it was refused before it existed, and the error that ended it, if one did."""

    RunId: str | None = None
    ExecutionArn: str
    Error: Caught | None = None
    Redrives: int = 0


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """End a run. A refused request has no run of its own: the execution's name is the id it would have had."""
    ended = FinishEvent.model_validate(event)
    why = cause_text(ended.Error) if ended.Error else None
    run_id = ended.RunId or ended.ExecutionArn.rsplit(":", 1)[-1]
    if ended.RunId and not ended.Error:
        go_on_unless_ended(platform(), ended.RunId, ended.Redrives)
    ending = finish(platform(), run_id, why)
    report("Runs", "Status", {ending.status: 1})
    if ended.RunId:
        remove_at_once(run_id)
        parts = recovery_time(platform().ledger, run_id, platform().clock.now()).model_dump(exclude_none=True)
        report("RecoverySeconds", "Part", parts, MetricUnit.Seconds)
    refused = why if ended.RunId is None else None  # an earlier run of the same name may have answered
    interrupted = bool(ended.RunId) and platform().ledger.run(run_id).interrupted
    return {"Status": ending.status, "Summary": refused or ending.summary, "Interrupted": interrupted}


def cause_text(caught: Caught) -> str:
    """Return the innermost message: Step Functions wraps a function's error, and a nested machine's error once more."""
    text = caught.Cause or caught.Error
    for _ in range(NESTED_MACHINES + 1):
        try:
            inner = NestedCause.model_validate_json(text)
        except ValueError:
            break  # plain words, or cut off by Step Functions: shown as they are
        text = inner.errorMessage or inner.Cause or text
    return text


NESTED_MACHINES = 3


class NestedCause(BaseModel):
    """How the Lambda integration reports a function's error, or a nested execution its own."""

    errorMessage: str = ""
    Cause: str = ""
