"""Take the inventory of a run's scope."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.composition import platform
from orchestrator.redriving import go_on
from orchestrator.stocktaking import take_inventory


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take the inventory of a run's scope."""
    asked = RunEvent.model_validate(event)
    run_id = go_on(platform(), asked.RunId, asked.Redrives).run_id
    return {"RunId": run_id, "Resources": len(take_inventory(platform(), run_id).resources)}
