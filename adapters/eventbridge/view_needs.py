"""What is asked of API destinations and of the bus itself: their connections, the secrets behind those, and keys.

A connection keeps its credentials in a secret of its Region, which EventBridge makes and owns (user guide, Connections for HTTP
endpoint targets): it cannot be replicated, so each Region has a connection of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from adapters.eventbridge.models import RuleTarget
from adapters.eventbridge.spec import MISSING
from adapters.needed import Lack, key_lacks, key_states
from orchestrator.contract import Reader

API_DESTINATION = "api-destination/"
AUTHORIZED = frozenset({"AUTHORIZED", "ACTIVE"})


class _Destination(BaseModel):
    ApiDestinationState: str = ""
    ConnectionArn: str = ""


class _Connection(BaseModel):
    ConnectionState: str = ""
    StateReason: str | None = None


class _Bus(BaseModel):
    KmsKeyIdentifier: str | None = None


def lacks(reader: Reader, bus: str, targets_of: Mapping[str, Sequence[RuleTarget]]) -> list[Lack]:
    """Judge the bus's key and every API destination of its rules that belongs to this account and Region."""
    found = reader.find("events", "DescribeEventBus", _Bus, MISSING, Name=bus)
    told = key_lacks(reader.region, key_states(reader, found.KmsKeyIdentifier if found else None), f"bus {bus}")
    named = {
        target.Arn: name
        for name, targets in sorted(targets_of.items())
        for target in targets
        if target.Arn.split(":")[2:5] == ["events", reader.region, reader.account]
        and target.Arn.split(":", 5)[5].startswith(API_DESTINATION)
    }
    for arn, rule in sorted(named.items()):
        told += _destination(reader, arn, rule)
    return told


def _destination(reader: Reader, arn: str, rule: str) -> list[Lack]:
    name, region = arn.split("/")[1], reader.region
    found = reader.find("events", "DescribeApiDestination", _Destination, MISSING, Name=name)
    if found is None:
        text = f"API destination {name} of rule {rule} does not exist in {region}"
        return [Lack("api-destination", text, f"aws events create-api-destination --region {region} --name {name} ...")]
    if found.ApiDestinationState != "ACTIVE":
        text = f"API destination {name} of rule {rule} is {found.ApiDestinationState}, expected ACTIVE"
        return [Lack("api-destination", text, f"aws events describe-api-destination --region {region} --name {name}")]
    connection = found.ConnectionArn.split("/")[1]
    shown = reader.find("events", "DescribeConnection", _Connection, MISSING, Name=connection)
    state = shown.ConnectionState if shown else "not there"
    if state in AUTHORIZED:
        return []
    why = f" ({shown.StateReason})" if shown and shown.StateReason else ""
    text = f"connection {connection} of API destination {name} in {region} is {state}{why}, expected AUTHORIZED"
    return [Lack("connection", text, f"aws events update-connection --region {region} --name {connection} ...")]
