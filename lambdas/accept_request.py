"""Accept a run: validate the input, take the scope's lock, write the run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from orchestrator.planning import accept


class AcceptEvent(BaseModel):
    """The execution and its input as it was given."""

    Request: Any
    ExecutionArn: str
    ExecutionName: str
    StartedAt: datetime
    Redrives: int = 0


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Accept a run."""
    asked = AcceptEvent.model_validate(event)
    run = accept(platform(), asked.Request, asked.ExecutionArn, asked.ExecutionName, asked.StartedAt, asked.Redrives)
    return {"RunId": run.run_id, "DryRun": run.dry_run}
