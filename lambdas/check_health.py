"""Look once at the health of a stage's resources."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import StageEvent, verb
from lambdas.composition import platform
from orchestrator.stages import check_health


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Look once at the health of a stage's resources."""
    stage = StageEvent.model_validate(event)
    health = check_health(platform(), stage.RunId, stage.StageId)
    return {"Settled": health.settled, "WaitSeconds": health.wait_seconds}
