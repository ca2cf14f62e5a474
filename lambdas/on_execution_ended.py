"""Notice an execution that was stopped or died, and leave a true ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import logger, verb
from lambdas.composition import platform
from lambdas.executions import remove_at_once
from orchestrator.ending import stopped
from orchestrator.errors import NotFoundError


class Detail(BaseModel):
    """What Step Functions says of the execution."""

    executionArn: str
    name: str
    status: str
    stopDate: datetime | None = None


class StatusChangeEvent(BaseModel):
    """EventBridge: Step Functions Execution Status Change of DROrchestrator."""

    detail: Detail


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Close the run of an execution that did not end by itself; one that did has been closed already."""
    ended = StatusChangeEvent.model_validate(event).detail
    try:
        ending = stopped(platform(), ended.name, f"was {ended.status.lower()}", at=ended.stopDate)
    except NotFoundError:
        logger.info("no run", extra={"execution": ended.executionArn})
        return {"Status": "unknown"}
    remove_at_once(ended.name)
    return {"Status": ending.status}
