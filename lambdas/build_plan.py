"""Build, preview and freeze a run's plan."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.composition import platform
from orchestrator.planning import build_plan
from orchestrator.redriving import go_on


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Build, preview and freeze a run's plan."""
    asked = RunEvent.model_validate(event)
    run_id = go_on(platform(), asked.RunId, asked.Redrives).run_id
    run = build_plan(platform(), run_id)
    return {"RunId": run_id, "PlanHash": run.plan_hash, "Stages": len(platform().ledger.stages(run_id))}
