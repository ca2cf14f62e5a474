"""End a run: status, report, lock, message."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from orchestrator.ending import finish


class Caught(BaseModel):
    """An error as a state machine caught it."""

    Error: str = ""
    Cause: str = ""


class FinishEvent(BaseModel):
    """A run, unless it was refused before it existed, and the error that ended it, if one did."""

    RunId: str | None = None
    ExecutionArn: str
    Error: Caught | None = None


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """End a run. A refused request has no run of its own: the execution's name is the id it would have had."""
    ended = FinishEvent.model_validate(event)
    why = cause_text(ended.Error) if ended.Error else None
    ending = finish(platform(), ended.RunId or ended.ExecutionArn.rsplit(":", 1)[-1], why)
    return {"Status": ending.status, "Summary": ending.summary}


def cause_text(caught: Caught) -> str:
    """Return the message of a failed function out of the JSON that Step Functions passes as Cause."""
    try:
        return str(LambdaCause.model_validate_json(caught.Cause).errorMessage)
    except ValueError:
        return caught.Cause or caught.Error


class LambdaCause(BaseModel):
    """How the Lambda integration reports a function's error."""

    errorMessage: str
