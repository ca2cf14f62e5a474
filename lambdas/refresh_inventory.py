"""Refresh the inventory that an emergency lives on."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from lambdas.settings import read_settings
from orchestrator.ledger.records import Scope
from orchestrator.planning import refresh


class RefreshEvent(BaseModel):
    """One scope, or none for all that the deployment knows."""

    Customer: str | None = None
    Environment: str | None = None


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take a fresh snapshot of each scope."""
    asked, settings = RefreshEvent.model_validate(event), read_settings()
    named = [f"{asked.Customer}/{asked.Environment}"] if asked.Customer and asked.Environment else settings.scopes
    done: list[dict[str, Any]] = []
    for key in named:
        customer, _, environment = key.rpartition("/")
        scope = Scope(customer=customer, environment=environment)
        snapshot = refresh(platform(), scope, (settings.hub_region, settings.peer_region))
        done.append({"Scope": key, "Resources": len(snapshot.resources), "Missing": dict(snapshot.missing_accounts)})
    return {"Scopes": done}
