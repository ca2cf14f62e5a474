"""`lambda-function`: a function of one code on both sides, its alias `live`, its queue, and the gate on the target side.

Settings: `reserved` (source side's reserved concurrency, none by default), `gate` (true: 0 reserved on the target side),
`provisioned` (0, on `live` of the source side), `queue` (true: queue `<name>` with a mapping, enabled on the source
side and disabled on the target side), `alias` (live), `vpc` (false), `on_target` (true: the function exists there),
`outdated` (false: the target side has older code), `environment` (mapping), `releases` (0: how many older versions both
sides have), `artifact` (false: the tag `dr:artifact` tells where the code lies in either Region).

The code is in the buckets `<name>-code-<account>-<Region>` of both sides as `<name>.zip`. It answers any event with
`{"healthy": true, "region": ...}`. The function's role is `<name>-function`.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network
from localaws.seeds.roles import service_role

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

HANDLER = """import os


def handler(event, context):
    return {"healthy": True, "region": os.environ["AWS_REGION"], "release": %r}
"""


@dataclass(frozen=True)
class _Side:
    world: World
    entry: Entry
    tags: dict[str, str]
    account: str
    region: str
    is_source: bool

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def alias(self) -> str:
        return str(self.entry.setting("alias", "live"))

    def call(self, service: str, operation: str, **params: Any) -> Any:
        return self.world.call(service, operation, self.account, self.region, **params)


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Make both sides; the source side serves."""
    account = estate.account_id(entry.account)
    tags = {"Name": entry.name, **estate.tags(entry)}
    if entry.setting("artifact", False):
        places = [f"{region}=s3://{_bucket(entry.name, account, region)}/{entry.name}.zip" for region in estate.regions]
        tags["dr:artifact"] = " ".join(places)
    for region in estate.regions:
        side = _Side(world, entry, tags, account, region, region == estate.primary_region)
        _role(side)
        code = _artifact(side)
        if side.is_source or entry.setting("on_target", True):
            _function(side, code)


def archive(release: str) -> bytes:
    """Return the function's code of a release; the same release gives the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(zipfile.ZipInfo("app.py", (2026, 1, 1, 0, 0, 0)), HANDLER % release)
    return content.getvalue()


def _role(side: _Side) -> None:
    service_role(side.world, side.account, side.region, f"{side.name}-function", "lambda.amazonaws.com")


def _bucket(name: str, account: str, region: str) -> str:
    return f"{name}-code-{account}-{region}".lower()


def _artifact(side: _Side) -> dict[str, str]:
    bucket, key = _bucket(side.name, side.account, side.region), f"{side.name}.zip"
    place = {} if side.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": side.region}}
    side.call("s3", "CreateBucket", Bucket=bucket, **place)
    side.call("s3", "PutObject", Bucket=bucket, Key=key, Body=archive("2"))
    return {"S3Bucket": bucket, "S3Key": key}


def _function(side: _Side, code: dict[str, str]) -> None:
    outdated = not side.is_source and side.entry.setting("outdated", False)
    older = [f"0.{number}" for number in range(int(side.entry.setting("releases", 0)))]
    current = {"ZipFile": archive("1")} if outdated else code
    network = default_network(side.world, side.account, side.region)
    vpc = {"SubnetIds": list(network.subnet_ids[:2]), "SecurityGroupIds": [network.security_group_id]}
    side.call(
        "lambda",
        "CreateFunction",
        FunctionName=side.name,
        Runtime="python3.11",
        Role=f"arn:aws:iam::{side.account}:role/{side.name}-function",
        Handler="app.handler",
        Code={"ZipFile": archive(older[0])} if older else current,
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"STAGE": "prod", **side.entry.setting("environment", {})}},
        Tags=side.tags,
        **({"VpcConfig": vpc} if side.entry.setting("vpc", False) else {}),
    )
    for following in [*({"ZipFile": archive(each)} for each in older[1:]), *([current] if older else [])]:
        side.call("lambda", "PublishVersion", FunctionName=side.name)
        side.call("lambda", "UpdateFunctionCode", FunctionName=side.name, **following)
    version = str(side.call("lambda", "PublishVersion", FunctionName=side.name)["Version"])
    side.call("lambda", "CreateAlias", FunctionName=side.name, Name=side.alias, FunctionVersion=version)
    reserved = side.entry.setting("reserved") if side.is_source else (0 if side.entry.setting("gate", True) else None)
    if reserved is not None:
        side.call(
            "lambda", "PutFunctionConcurrency", FunctionName=side.name, ReservedConcurrentExecutions=int(reserved)
        )
    if side.is_source and (count := int(side.entry.setting("provisioned", 0))):
        _provisioned(side, count)
    if side.entry.setting("queue", True):
        _mapping(side)


def _provisioned(side: _Side, count: int) -> None:
    where = {"FunctionName": side.name, "Qualifier": side.alias}
    side.call("lambda", "PutProvisionedConcurrencyConfig", **where, ProvisionedConcurrentExecutions=count)


def _mapping(side: _Side) -> None:
    side.call("sqs", "CreateQueue", QueueName=side.name, Attributes={"VisibilityTimeout": "180"}, tags=side.tags)
    queue = f"arn:aws:sqs:{side.region}:{side.account}:{side.name}"
    mapping = {"FunctionName": side.name, "EventSourceArn": queue, "BatchSize": 10}
    side.call("lambda", "CreateEventSourceMapping", **mapping, Enabled=side.is_source)
