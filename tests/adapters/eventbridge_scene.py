"""Where the stories about EventBridge happen: a bus with rules in both Regions, and what came out of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

from tests.support.driver import APPS, SOURCE, TARGET, World, open_world

BUS = "orders"
RULE = {"Name": "orders-placed", "EventBusName": BUS}
PATTERN = json.dumps({"source": ["shop"], "detail-type": ["OrderPlaced"]})
PLACED = {"Source": "shop", "DetailType": "OrderPlaced", "Detail": "{}", "EventBusName": BUS}
TAGS = [
    {"Key": key, "Value": value}
    for key, value in {
        "Customer": "CustomerX",
        "Environment": "production",
        "dr:enabled": "true",
        "dr:wave": "1",
    }.items()
]


def rules_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world with the bus `orders` in both Regions."""
    return open_world(monkeypatch, {"kind": "eventbridge-rules", "name": BUS, **settings})


def states(world: World, region: str, bus: str = BUS) -> dict[str, str]:
    """Return the state of every rule of a bus that customers can change."""
    found = world.aws("events", region).list_rules(EventBusName=bus)["Rules"]
    return {rule["Name"]: rule["State"] for rule in found if "ManagedBy" not in rule}


def queue_of(region: str, name: str = f"{BUS}-events") -> str:
    """Return the ARN of a queue."""
    return f"arn:aws:sqs:{region}:{APPS}:{name}"


def received(world: World, region: str) -> int:
    """Take what is in the rules' queue, and return how much it was."""
    sqs = world.aws("sqs", region)
    address = sqs.get_queue_url(QueueName=f"{BUS}-events")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=address, ReceiptHandle=message["ReceiptHandle"])
    return len(found)


def heard(world: World) -> tuple[int, int]:
    """Put an order onto the bus of each Region, and return how many came out of it there: source, target."""
    for region in (SOURCE, TARGET):
        world.aws("events", region).put_events(Entries=[PLACED])
    return received(world, SOURCE), received(world, TARGET)


def written(world: World, **config: JsonValue) -> dict[str, str]:
    """Put a manifest for the bus, with settings for the adapter, into the hub's bucket; return what a run must be told."""
    resource = {"resourceId": f"{BUS}-bus", "action": "EventBridgeRules", "config": config}
    scope = {"customer": "CustomerX", "environment": "production"}
    layers = [{"layerId": "events", "priority": 1, "resources": [resource]}]
    key = "manifests/stories.json"
    world.blobs.put(key, json.dumps({"manifestVersion": "1.0", **scope, "layers": layers}).encode())
    return {"Manifest": key}
