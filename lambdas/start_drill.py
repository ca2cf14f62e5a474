"""Hold a drill whose time has come, in the direction that the customer could be moved now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.composition import platform
from lambdas.executions import executions, orchestrator_arn
from lambdas.scopes import home_of
from lambdas.settings import read_settings
from orchestrator.ledger.records import Scope
from orchestrator.scheduling import Due, hold


class DueEvent(BaseModel):
    """A drill of the configuration, and the time that EventBridge Scheduler meant."""

    Schedule: str
    Drill: str
    At: datetime
    Request: dict[str, Any]


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Start the drill when it is this hub's turn; tell people when nobody holds it."""
    said, settings = DueEvent.model_validate(event), read_settings()
    scope = Scope(customer=said.Request["Customer"], environment=said.Request["Environment"])
    due = Due(said.Schedule, said.Drill, said.Request, said.At)
    hubs = frozenset({settings.hub_region, settings.peer_region})
    return {"RunId": hold(platform(), executions(), due, home_of(scope), hubs, orchestrator_arn())}
