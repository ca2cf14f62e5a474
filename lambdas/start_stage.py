"""Start a stage and say where the items of its groups lie."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import StageEvent, verb
from lambdas.composition import platform
from orchestrator.stages import start_stage


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Start a stage and say where the items of its groups lie."""
    stage = StageEvent.model_validate(event)
    groups = start_stage(platform(), stage.RunId, stage.StageId)
    return {"Groups": [{"Bucket": g.bucket, "Key": g.key, "Actions": g.actions} for g in groups]}
