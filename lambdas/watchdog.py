"""Find what died without telling, release what it holds, and say so."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import verb
from lambdas.composition import platform
from lambdas.executions import executions, orchestrator_arn
from lambdas.metrics import report
from lambdas.scopes import ScopeEvent, scopes_of
from orchestrator.errors import UpstreamError
from orchestrator.findings import Finding
from orchestrator.watchdog import watch


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Look at what this Region's hub has under way; fail after the last when something could not be looked at."""
    scopes = scopes_of(ScopeEvent.model_validate(event))
    found = watch(platform(), executions(), scopes, orchestrator_arn())
    counts = Counter(each.finding for each in found.sightings)
    report("WatchdogFindings", "Finding", {finding.value: counts[finding] for finding in Finding})
    if found.failed:
        raise UpstreamError(f"{len(found.failed)} could not be looked at: {'; '.join(found.failed)}")
    return {"Found": [{"Finding": each.finding, "What": each.what, "Next": each.command} for each in found.sightings]}
