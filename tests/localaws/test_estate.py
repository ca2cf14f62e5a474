"""Estates: what a reader of the YAML expects is there, and a mistake is named where it was made."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.estate import SHIPPED, EstateError

SOURCE, TARGET = "us-east-1", "us-west-2"
HUB, APPS = "111111111111", "333333333333"


@pytest.fixture
def content() -> Any:
    return yaml.safe_load((SHIPPED / "small.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def demo() -> LocalAws:
    local = LocalAws({}, clock=ManualClock())
    estates.load(local, "demo")
    return local


def tags_of(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}


def instances(session: boto3.Session) -> list[dict[str, Any]]:
    reservations = session.client("ec2").describe_instances()["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def test_the_demo_shop_replicates_its_servers_with_their_tags_on_both_sides(demo: LocalAws) -> None:
    servers = demo.session(APPS, TARGET).client("drs").describe_source_servers()["items"]
    machines = {i["InstanceId"]: tags_of(i) for i in instances(demo.session(APPS, SOURCE))}

    assert Counter(server["tags"]["Customer"] for server in servers) == {"CustomerX": 6, "CustomerY": 1}
    assert {s["tags"]["dr:wave"] for s in servers if s["tags"]["Customer"] == "CustomerX"} == {"2", "3"}
    for server in servers:
        machine = machines[server["sourceProperties"]["identificationHints"]["awsInstanceID"]]
        assert machine == server["tags"]


def test_bystanders_carry_nothing_but_a_name(demo: LocalAws) -> None:
    every = [tags_of(i) for i in instances(demo.session(APPS, SOURCE))]
    found = [tags for tags in every if not {"dr:enabled", "aws:autoscaling:groupName"} & tags.keys()]
    assert found == [{"Name": "build-agent"}]


def test_the_organization_has_the_accounts_and_units_of_the_estate(demo: LocalAws) -> None:
    organizations = demo.session(HUB, SOURCE).client("organizations")
    accounts = {a["Id"]: a["Name"] for a in organizations.list_accounts()["Accounts"]}
    unit = organizations.list_accounts_for_parent(ParentId="ou-shop-workload01")["Accounts"]

    assert organizations.describe_organization()["Organization"]["Id"] == "o-shopdemo01"
    assert accounts == {HUB: "hub", "222222222222": "data", APPS: "apps", "444444444444": "network"}
    assert {a["Name"] for a in unit} == {"data", "apps"}
    member = demo.session(APPS, SOURCE).client("organizations").describe_organization()["Organization"]
    assert member["MasterAccountId"] == HUB


def test_the_shop_holds_every_technology() -> None:
    shop = estates.read("demo")
    mine = Counter(entry.kind for entry in shop.resources if entry.scope == "x")
    assert mine == {
        "drs-server": 6,
        "ecs-service": 5,
        "aurora-global": 2,
        "rds-replica": 2,
        "dns-failover": 1,
        "dns-weighted": 1,
        "dns-alarm": 1,
        "asg": 1,
        "elasticache-global": 1,
        "fsx-backup": 1,
        "fsx-ontap": 1,
        "lambda-function": 1,
        "memorydb-multi-region": 1,
        "efs-replication": 1,
        "eventbridge-rules": 1,
        "opensearch-ccr": 1,
    }


def test_the_small_estate_has_one_of_each_kind_ready_to_move() -> None:
    local = LocalAws({}, clock=ManualClock())
    small = estates.load(local, "small")
    account = small.account_id("apps")
    assert len(local.session(account, TARGET).client("drs").describe_source_servers()["items"]) == 2
    assert local.session(account, TARGET).client("rds").describe_db_instances()["DBInstances"]
    assert local.session(account, SOURCE).client("route53").list_health_checks()["HealthChecks"]
    organization = local.session(account, SOURCE).client("organizations").describe_organization()["Organization"]
    assert organization["Id"] == small.organization.id


def test_dependencies_name_resources_of_the_same_or_an_earlier_wave() -> None:
    for name in ("demo", "small"):
        shop = estates.read(name)
        waves = {(str(e.scope), e.name): int(e.tags["dr:wave"]) for e in shop.resources if e.scope}
        for entry in shop.resources:
            for needed in filter(None, entry.tags.get("dr:dependencies", "").split(",")):
                assert waves[str(entry.scope), needed] <= waves[str(entry.scope), entry.name], entry.name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accounts": {"hub": "1234", "apps": "222222222222"}}, "accounts.hub"),
        ({"hub": {"account": "hbu", "regions": [SOURCE]}}, "hub.account: unknown account 'hbu', known: apps, hub"),
        ({"dr_region": SOURCE}, "dr_region: us-east-1 is the primary region"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_in_an_estate_is_named_with_file_and_path(
    content: Any, change: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**content, **change}), encoding="utf-8")
    with pytest.raises(EstateError) as failure:
        estates.read(path)
    assert str(failure.value).startswith(f"{path}: {expected}")


def test_a_mistake_in_a_resource_is_named_with_its_place(content: Any) -> None:
    broken = deepcopy(content)
    broken["resources"][2] |= {"kind": "drs-sever"}
    broken["resources"][3] |= {"account": "ops", "scope": "z"}
    broken["resources"].append(broken["resources"][0])
    with pytest.raises(EstateError) as failure:
        estates.parse(broken, "mine.yaml")
    problems = str(failure.value).splitlines()
    assert problems[0].startswith("mine.yaml: resources.3.account: unknown account 'ops'")
    assert problems[1].startswith("mine.yaml: resources.2.kind: unknown kind 'drs-sever', known: drs-server")
    assert problems[2] == "mine.yaml: resources.3.scope: unknown scope 'z'"
    assert problems[3] == "mine.yaml: resources.16.name: 'orders-db' repeats resources.0"


def test_an_estate_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(EstateError, match="Shipped estates: demo, small"):
        estates.read("dmeo")
