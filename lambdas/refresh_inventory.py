"""Refresh the inventory that an emergency lives on."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import logger, verb
from lambdas.composition import platform
from lambdas.scopes import ScopeEvent, scopes_of
from lambdas.settings import read_settings
from orchestrator.carrying import named
from orchestrator.errors import DrError, UpstreamError
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.stocktaking import refresh


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take a fresh snapshot of each scope; fail after the last when one is not wholly fresh, so that the alarm tells."""
    done: list[dict[str, Any]] = []
    stale: list[str] = []
    for scope in scopes_of(ScopeEvent.model_validate(event)):
        try:
            snapshot = _refreshed(scope)
        except DrError as err:  # the other scopes are refreshed all the same
            logger.warning("inventory not refreshed", extra={"scope": scope.key, "reason": err.message})
            stale.append(f"{scope}: {err}")
        else:
            done.append({"Scope": scope.key, "Resources": len(snapshot.resources), "Missing": {}})
    if stale:
        raise UpstreamError(f"{len(stale)} scope(s) keep their older inventory: {'; '.join(stale)}")
    return {"Scopes": done}


def _refreshed(scope: Scope) -> Snapshot:
    settings = read_settings()
    snapshot = refresh(platform(), scope, (settings.hub_region, settings.peer_region))
    if snapshot.missing_accounts:
        raise UpstreamError(f"{len(snapshot.missing_accounts)} place(s) could not be read: {named(snapshot)}.")
    return snapshot
