"""Who gives an order: by a proof redeemed at STS, or by what Systems Manager says of an automation that is under way."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from lambdas.composition import platform
from orchestrator.aws_errors import translate
from orchestrator.errors import RefusedError
from orchestrator.identity import Identity, Proof, order_of, redeem
from orchestrator.names import Document
from orchestrator.sessions import Hub


class Order(BaseModel):
    """What every order carries: the proof of who gives it."""

    Proof: Proof


def caller(verb: str, event: dict[str, Any]) -> tuple[Identity, str]:
    """Return who gives an order and a short id of it; raise `RefusedError` when AWS does not confirm anybody."""
    proof = Order.model_validate(event).Proof
    said = {name: value for name, value in event.items() if name != "Proof"}
    return redeem(own_hub(), proof, order_of(verb, said)), proof.fingerprint


def automation_caller(automation_id: str, document: Document, parameters: dict[str, str]) -> Identity:
    """Return who started an automation that is giving this very order (ssm:GetAutomationExecution)."""
    try:
        reply = own_hub().client("ssm").get_automation_execution(AutomationExecutionId=automation_id)
    except (ClientError, BotoCoreError) as err:
        raise translate(err, f"ssm.GetAutomationExecution of {automation_id}") from err
    found = reply["AutomationExecution"]
    given = {name: "".join(values) for name, values in found.get("Parameters", {}).items()}
    expected = {"DocumentName": document.value, "AutomationExecutionStatus": "InProgress", **parameters}
    observed = {name: str(found.get(name, given.get(name, ""))) for name in expected}
    wrong = [
        f"{name} is {observed[name]!r}, expected {value!r}"
        for name, value in expected.items()
        if observed[name] != value
    ]
    if wrong:
        why = f"automation {automation_id} gives another order: {'; '.join(wrong)}."
        raise RefusedError(why, f"start {document}", code="NoProof")
    arn = str(found["ExecutedBy"])
    return Identity(arn=arn, account=arn.split(":")[4])


@cache
def own_hub() -> Hub:
    """Return the hub's own clients."""
    return Hub.plain(platform().hub_region)
