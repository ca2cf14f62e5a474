"""A standby that is missing is made by a planned run, where a DB subnet group says that it is to be made there."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import DrError
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, World, open_world

RDS: dict[str, Any] = {"kind": "rds-single", "name": "orders", "tags": {"dr:recovery-strategy": "read-replica"}}
BINLOG: dict[str, Any] = {
    "kind": "aurora-single",
    "name": "orders",
    "engine": "aurora-mysql",
    "tags": {"dr:recovery-strategy": "cross-region-replica"},
}
GLOBAL: dict[str, Any] = {
    "kind": "aurora-single",
    "name": "orders",
    "tags": {"dr:recovery-strategy": "global-database"},
}
CLUSTER = ["CreateDBCluster", "CreateDBInstance", "CreateDBInstance"]
every = pytest.mark.parametrize(
    ("entry", "made"),
    [
        (RDS, ["CreateDBInstanceReadReplica"]),
        (BINLOG, CLUSTER),
        (GLOBAL, ["CreateGlobalCluster", *CLUSTER]),
        ({**GLOBAL, "global": True}, CLUSTER),
    ],
    ids=["rds-replica", "aurora-replica", "aurora-global", "aurora-second-cluster"],
)


def standby(world: World, region: str = TARGET) -> dict[str, Any]:
    rds = world.aws("rds", region)
    found = [each for each in rds.describe_db_clusters()["DBClusters"] if each["DBClusterIdentifier"] == "orders"]
    return dict((found or rds.describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"])[0])


@every
def test_a_planned_run_makes_the_missing_standby_moves_to_it_and_back(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], made: list[str]
) -> None:
    # Given a database that stands on the source side alone, and a subnet group that stands in for its standby
    world = open_world(monkeypatch, entry)
    run = world.start()
    assert run.ready, run.findings
    assert "INSTANTIATE makes" in run.findings["no-target"]
    foreseen = run.previewed_calls()
    assert foreseen[: len(made)] == made

    # When the run goes through
    run.all()

    # Then the standby was made as the tags of the subnet group say, and serves
    assert run.made() == foreseen
    assert run.made(Phase.INSTANTIATE) == made
    there = standby(world)
    (group,) = there["VpcSecurityGroups"]
    named = world.aws("ec2", TARGET).describe_security_groups(GroupIds=[group["VpcSecurityGroupId"]])
    assert named["SecurityGroups"][0]["GroupName"] == "orders-db"
    assert {"Key": "dr:enabled", "Value": "true"} in there["TagList"]
    assert there["KmsKeyId"].split(":")[3] == TARGET
    assert {run.action(phase).outcome for phase in (Phase.ACTIVATE, Phase.REPLICATE)} == {Outcome.SUCCEEDED}
    run.end()

    # And the way back needs nothing to be made
    world.wait(minutes=10)
    back = world.start(Operation.FAILBACK)
    assert back.ready, back.findings
    back.all()
    assert not set(made) & set(back.made(Phase.INSTANTIATE))
    assert {back.action(phase).outcome for phase in (Phase.ACTIVATE, Phase.REPLICATE)} == {Outcome.SUCCEEDED}
    assert world.refusals() == []


@every
def test_an_emergency_makes_none_and_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], made: list[str]
) -> None:
    world = open_world(monkeypatch, entry)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "no-target" in run.findings

    ended = run.phase(Phase.ACTIVATE)

    assert ended.outcome is Outcome.FAILED
    assert "Emergency: restore" in ended.remedy
    assert world.operations() == [], made


@every
def test_a_drill_of_a_missing_standby_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], made: list[str]
) -> None:
    world = open_world(monkeypatch, entry)
    run = world.start(Operation.TEST)
    assert not run.ready
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.FAILED
    assert world.operations() == [], made


@pytest.mark.parametrize(("entry", "told"), [(RDS, "orders"), (BINLOG, "cluster:orders")], ids=["rds", "aurora"])
def test_without_a_subnet_group_that_stands_in_the_plan_is_refused_with_the_command(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], told: str
) -> None:
    world = open_world(monkeypatch, entry)
    rds = world.aws("rds", TARGET)
    arn = f"arn:aws:rds:{TARGET}:{APPS}:subgrp:orders-subnets"
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["dr:standby-for"])
    with pytest.raises(DrError, match=rf"--region us-west-2 .*dr:standby-for,Value={told} "):
        world.start()


def test_a_source_without_backups_has_no_replica_made(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**RDS, "backup_days": 0})
    run = world.start()
    assert not run.ready
    assert run.findings["backups"] == "orders has no backups: AWS makes no replica."


@pytest.mark.parametrize("entry", [RDS, BINLOG, GLOBAL], ids=["rds", "replica", "global"])
def test_a_place_that_lacks_something_is_red(monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]) -> None:
    world = open_world(monkeypatch, entry)
    rds = world.aws("rds", TARGET)
    if entry is RDS:
        rds.delete_db_parameter_group(DBParameterGroupName="orders-params")
    else:
        rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="orders-params")
    run = world.start()
    assert "parameter group orders-params" in run.findings["surroundings"]
    assert not run.ready
