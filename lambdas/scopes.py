"""Which scopes a scheduled function looks at."""

from __future__ import annotations

from pydantic import BaseModel

from lambdas.settings import read_settings
from orchestrator.errors import ValidationError
from orchestrator.ledger.records import Scope


class ScopeEvent(BaseModel):
    """One scope, or none for all that the deployment knows."""

    Customer: str | None = None
    Environment: str | None = None


def home_of(scope: Scope) -> str:
    """Return the hub Region that a scope runs in unless a run has moved it."""
    settings = read_settings()
    here = settings.home is not (scope.key in settings.scopes_elsewhere)
    return settings.hub_region if here else settings.peer_region


def scopes_of(asked: ScopeEvent) -> list[Scope]:
    """Return the scope asked for, or all of the deployment; raise `ValidationError` for half a scope."""
    if asked.Customer and asked.Environment:
        return [Scope(customer=asked.Customer, environment=asked.Environment)]
    if asked.Customer or asked.Environment:
        raise ValidationError("Customer and Environment name a scope together; one is missing.", "give both, or none.")
    parts = [key.rpartition("/") for key in read_settings().scopes]
    return [Scope(customer=customer, environment=environment) for customer, _, environment in parts]
