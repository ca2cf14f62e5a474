"""What the stories about Lambda functions share: a world with one function, and what AWS says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import JsonValue

from localaws.seeds.lambda_function import archive
from tests.support.driver import SOURCE, TARGET, Client, World, open_world

NAME = "orders"
OTHER = {SOURCE: TARGET, TARGET: SOURCE}


def function_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world with the function `orders`, whose code lies in both Regions."""
    return open_world(monkeypatch, {"kind": "lambda-function", "name": NAME, "artifact": True, **settings})


def deployed_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world whose function exists on the source side only, and is made from source."""
    tags = {"dr:recovery-strategy": "deploy-from-source", **settings.pop("tags", {})}
    return function_world(monkeypatch, on_target=False, **{"queue": False, **settings}, tags=tags)


def client(world: World, region: str) -> Client:
    """Return the workload's own Lambda client in a Region."""
    return world.aws("lambda", region)


@dataclass(frozen=True)
class State:
    """A side as AWS tells it."""

    reserved: int | None
    consumes: bool | None
    provisioned: int
    live: str
    """Version behind the alias."""
    code: str
    """What runs there, the first characters of its hash."""


def state(world: World, region: str, alias: str = "live") -> State:
    """Ask AWS about a side."""
    aws = client(world, region)
    reserved = aws.get_function_concurrency(FunctionName=NAME).get("ReservedConcurrentExecutions")
    mappings = aws.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    listed = aws.list_provisioned_concurrency_configs(FunctionName=NAME)["ProvisionedConcurrencyConfigs"]
    behind = aws.get_function(FunctionName=NAME, Qualifier=alias)["Configuration"]
    return State(
        reserved=reserved,
        consumes=mappings[0]["State"] == "Enabled" if mappings else None,
        provisioned=sum(each["AvailableProvisionedConcurrentExecutions"] for each in listed),
        live=behind["Version"],
        code=behind["CodeSha256"][:8],
    )


def mapping_id(world: World, region: str) -> str:
    """Return the id of a side's event source mapping."""
    found = client(world, region).list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    return str(found[0]["UUID"])


def consume(world: World, region: str, *, on: bool) -> None:
    """Let a side consume, or not, as its owner would."""
    client(world, region).update_event_source_mapping(UUID=mapping_id(world, region), Enabled=on)
    world.wait(1)


def release(world: World, region: str, code: str, *, alias: bool = True) -> None:
    """Deploy other code on a side, as its owner would, and let the alias call it."""
    aws = client(world, region)
    aws.update_function_code(FunctionName=NAME, ZipFile=archive(code))
    world.wait(1)
    version = aws.publish_version(FunctionName=NAME)["Version"]
    if alias:
        aws.update_alias(FunctionName=NAME, Name="live", FunctionVersion=version)


def written(world: World, region: str, **config: JsonValue) -> dict[str, str]:
    """Put a manifest with settings for one Region into the hub's bucket; return what a run must be told."""
    resource = {"resourceId": NAME, "action": "LambdaFunction", "config": {region: config}}
    scope = {"customer": "CustomerX", "environment": "production"}
    layers = [{"layerId": "functions", "priority": 1, "resources": [resource]}]
    key = "manifests/stories.json"
    world.blobs.put(key, json.dumps({"manifestVersion": "1.0", **scope, "layers": layers}).encode())
    return {"Manifest": key}


def bucket(world: World, region: str) -> tuple[str, str]:
    """Return bucket and key of the code in a Region."""
    tag = client(world, SOURCE).get_function(FunctionName=NAME)["Tags"]["dr:artifact"]
    where = dict(entry.split("=", 1) for entry in tag.split())[region]
    name, _, key = where.removeprefix("s3://").partition("/")
    return name, key
