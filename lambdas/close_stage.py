"""Close a stage."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import StageEvent, verb
from lambdas.composition import platform
from lambdas.metrics import report
from orchestrator.reducer import outcome_counts
from orchestrator.stages import close_stage


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Close a stage."""
    stage = StageEvent.model_validate(event)
    status = close_stage(platform(), stage.RunId, stage.StageId)
    report("Stages", "Status", {status: 1})
    report("Actions", "Outcome", outcome_counts(platform().ledger.actions(stage.RunId, stage.StageId)))
    return {"Status": status}
