"""An embedded AWS with thousands of resources in hundreds of accounts, for the measurements of discovery and planning.

    python benchmarks/support/estate_at_scale.py --accounts 5 --resources 1000

Serves until its standard input closes. Resources are ECS services, Lambda functions and EFS file systems in equal parts, each
on both sides, tagged for one scope; every account has the discovery role of the spoke template. After seeding, every call
takes 50 ms, and calls above AWS's rates are throttled, per account, Region and API.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import zipfile
from typing import Any

from adapters.registry import adapters
from infra.spoke import template
from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.estate import parse, seed
from localaws.scenario import parse_fault
from localaws.server import Server

HUB = "111111111111"
SOURCE, TARGET = "us-east-1", "us-west-2"
CUSTOMER, ENVIRONMENT = "CustomerX", "production"
EXTERNAL_ID = "benchmark-0f3c1a52-6f0e"
INVENTORY_TABLE = "dr-inventory"
LATENCY_SECONDS = 0.05
RATES: dict[tuple[str, str], tuple[float, float]] = {
    # Documented: Resource Explorer, Lambda, ECS, STS. Others are assumed at what is commonly seen. (calls/s, burst)
    ("resource-explorer-2", "*"): (3, 3),
    ("resourcegroupstaggingapi", "*"): (15, 15),
    ("lambda", "GetFunction"): (100, 100),
    ("lambda", "List*"): (15, 15),
    ("lambda", "GetFunctionConcurrency"): (15, 15),
    ("ecs", "*"): (20, 50),
    ("elasticfilesystem", "*"): (10, 20),
    ("efs", "*"): (10, 20),
    ("autoscaling", "*"): (10, 20),
    ("drs", "*"): (5, 10),
    ("rds", "*"): (10, 20),
    ("sts", "AssumeRole"): (600, 600),
}


def main() -> None:
    """Seed, announce, serve until the caller hangs up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--resources", type=int, required=True)
    options = parser.parse_args()
    logging.basicConfig(level="ERROR")
    os.environ["MOTO_AMIS_PATH"] = "none"  # nobody asks for moto's 1,300 images, and each account's would take 60 ms
    local = LocalAws({}, clock=ScaledClock(10_000))
    accounts = names(options.accounts)
    seed(local, parse(_estate(accounts), "benchmark"), "benchmark")
    for index, account in enumerate(accounts):
        count = len(range(index, options.resources, len(accounts)))
        _role(local, account)
        for region in (SOURCE, TARGET):
            _fill(local, account, region, count)
    _table(local)
    local.run_due()
    local.faults.add(parse_fault({"effect": "delay", "seconds": LATENCY_SECONDS}))
    for (service, operation), (rate, burst) in RATES.items():
        fault = {"effect": "throttle", "service": service, "operation": operation, "rate": rate, "burst": burst}
        local.faults.add(parse_fault(fault))
    local.call_log.clear()
    server = Server(local, 0)
    server.start()
    print(json.dumps({"url": server.endpoint_url}), flush=True)
    sys.stdin.read()
    server.stop()


def names(count: int) -> list[str]:
    """Return the ids of the workload accounts."""
    return [f"{200_000_000_000 + number}" for number in range(count)]


def _estate(accounts: list[str]) -> dict[str, Any]:
    return {
        "name": "benchmark",
        "organization": {"id": "o-benchmark01", "root": "r-abcd"},
        "hub": {"account": "hub", "regions": [SOURCE, TARGET]},
        "accounts": {"hub": HUB, **{f"a{account}": account for account in accounts}},
        "primary_region": SOURCE,
        "dr_region": TARGET,
    }


def _role(local: LocalAws, account: str) -> None:
    """Create the discovery role as the spoke template has it."""
    role = template([each.spec for each in adapters()])["Resources"]["DiscoveryRole"]["Properties"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
                "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
            }
        ],
    }
    name = role["RoleName"]
    local.call("iam", "CreateRole", account, SOURCE, RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    for policy in role["Policies"]:
        text = json.dumps(_filled(policy["PolicyDocument"], account))
        local.call("iam", "PutRolePolicy", account, SOURCE, RoleName=name, PolicyName=name, PolicyDocument=text)


def _filled(value: Any, account: str) -> Any:
    if isinstance(value, dict):
        if "Fn::Sub" in value:
            text = str(value["Fn::Sub"])
            return text.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", account)
        return {name: _filled(each, account) for name, each in value.items()}
    return [_filled(each, account) for each in value] if isinstance(value, list) else value


def _fill(local: LocalAws, account: str, region: str, count: int) -> None:
    tags = {"Customer": CUSTOMER, "Environment": ENVIRONMENT, "dr:enabled": "true"}

    def call(service: str, operation: str, **params: Any) -> Any:
        return local.call(service, operation, account, region, **params)

    call("ecs", "CreateCluster", clusterName="apps")
    container = {"name": "app", "image": "app:1", "memory": 128, "essential": True}
    task = call("ecs", "RegisterTaskDefinition", family="app", containerDefinitions=[container])
    role = f"arn:aws:iam::{account}:role/dr-spoke-discovery"
    for number in range(count):
        mine = {**tags, "dr:wave": str(1 + number % 5), "Name": f"thing-{number}"}
        if number % 3 == 0:
            call(
                "ecs",
                "CreateService",
                cluster="apps",
                serviceName=f"service-{number}",
                taskDefinition=task["taskDefinition"]["taskDefinitionArn"],
                desiredCount=0,
                tags=[{"key": k, "value": v} for k, v in mine.items()],
            )
        elif number % 3 == 1:
            call(
                "lambda",
                "CreateFunction",
                FunctionName=f"function-{number}",
                Runtime="python3.12",
                Role=role,
                Handler="app.handler",
                Code={"ZipFile": CODE},
                Tags=mine,
            )
        else:
            pairs = [{"Key": k, "Value": v} for k, v in mine.items()]
            call("efs", "CreateFileSystem", CreationToken=f"files-{number}", Tags=pairs)


def _table(local: LocalAws) -> None:
    local.call(
        "dynamodb",
        "CreateTable",
        HUB,
        TARGET,
        TableName=INVENTORY_TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )


def _code() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return event\n")
    return archive.getvalue()


CODE = _code()


if __name__ == "__main__":
    main()
