"""Judge whether scopes could be moved here."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import verb
from lambdas.composition import platform
from lambdas.metrics import report
from lambdas.scopes import ScopeEvent, home_of, scopes_of
from lambdas.settings import read_settings
from orchestrator.errors import DrError, UpstreamError
from orchestrator.home import whereabouts
from orchestrator.readiness import judge, stands_by
from orchestrator.words import Readiness


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Judge each scope that stands by in this Region, or the one asked for; fail after the last when one could not be judged."""
    settings, asked = read_settings(), ScopeEvent.model_validate(event)
    states: dict[str, Readiness] = {}
    failed: list[str] = []
    for scope in scopes_of(asked):
        where = whereabouts(platform().ledger, scope, home_of(scope))
        if not asked.Customer and not stands_by(platform(), scope, where):
            continue  # it runs here; the other Region's hub judges the move away
        try:
            states[scope.key] = judge(platform(), scope, settings.peer_region, where).state
        except DrError as err:  # the other scopes are judged all the same
            failed.append(f"{scope}: {err}")
    if not asked.Customer:
        ready = {scope: float(state is Readiness.READY) for scope, state in states.items()}
        report("ScopeReady", "Scope", ready)
        report("ScopesNotReady", "Region", {settings.hub_region: len(ready) - sum(ready.values())})
    if failed:
        raise UpstreamError(f"{len(failed)} scope(s) could not be judged: {'; '.join(failed)}")
    return {"Scopes": states}
