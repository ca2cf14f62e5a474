"""Say whether a run may go on."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.composition import platform
from orchestrator.planning import check_readiness
from orchestrator.redriving import go_on


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Say whether a run may go on."""
    asked = RunEvent.model_validate(event)
    run_id = go_on(platform(), asked.RunId, asked.Redrives).run_id
    ready = check_readiness(platform(), run_id)
    return {"RunId": run_id, "Ready": ready, "DryRun": platform().ledger.run(run_id).dry_run}
