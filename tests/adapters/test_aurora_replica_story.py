"""Aurora MySQL binlog replicas move between Regions: each story is one run an operator starts."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import CheckState, Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{APPS}:cluster:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{APPS}:cluster:orders"
STRATEGY = {"dr:recovery-strategy": "cross-region-replica"}
ORDERS = {"kind": "aurora-replica", "name": "orders", "tags": {"dr:rpo-target": "1", **STRATEGY}}
FENCE = ["CreateSecurityGroup", "AddTagsToResource", "ModifyDBCluster", "RebootDBInstance"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def clusters(world: World, region: str) -> dict[str, dict[str, Any]]:
    return {each["DBClusterIdentifier"]: each for each in world.aws("rds", region).describe_db_clusters()["DBClusters"]}


def cluster(world: World, region: str, name: str = "orders") -> dict[str, Any]:
    return clusters(world, region)[name]


def follows(world: World, region: str) -> str | None:
    return cluster(world, region).get("ReplicationSourceIdentifier")


def groups_of(world: World, found: dict[str, Any]) -> list[str]:
    ids = [each["VpcSecurityGroupId"] for each in found["VpcSecurityGroups"]]
    region = found["DBClusterArn"].split(":")[3]
    described = world.aws("ec2", region).describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return [each["GroupName"] for each in described]


def retired(world: World, region: str) -> dict[str, Any]:
    (found,) = (each for name, each in clusters(world, region).items() if "-retired-" in name)
    return found


def refusal(run: Journey, phase: Phase) -> str:
    ended = run.phase(phase)
    assert ended.outcome is Outcome.FAILED
    return ended.detail


def test_planned_failover_and_failback_promote_behind_a_fence_and_leave_a_replica_behind(world: World) -> None:
    # Given a replica that follows
    there = world.start()
    assert there.findings == {"ready": "orders can take over, lag 1 s."}
    foreseen = there.previewed_calls()

    # When the run goes through
    there.all()

    # Then it made the calls it showed; the target stands alone, the source side follows it
    assert there.made() == foreseen
    assert there.made(Phase.ACTIVATE) == [*FENCE, "PromoteReadReplicaDBCluster"]
    assert (follows(world, TARGET), follows(world, SOURCE)) == (None, TARGET_ARN)
    assert {check.state for check in there.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}

    # And the old primary is kept, fenced and out of the scope, while its successor has its own groups and tags
    old = retired(world, SOURCE)
    assert groups_of(world, old) == ["dr-fence"]
    assert "dr:enabled" not in {tag["Key"] for tag in old["TagList"]}
    new = cluster(world, SOURCE)
    assert groups_of(world, new) == ["orders-db"]
    assert {"Key": "dr:enabled", "Value": "true"} in new["TagList"]

    # And the way back is the same
    there.end()
    world.wait(minutes=10)
    back = world.start(Operation.FAILBACK)
    assert back.ready
    back.all()
    assert (follows(world, SOURCE), follows(world, TARGET)) == (None, SOURCE_ARN)
    assert world.refusals() == []


def test_an_emergency_promotes_while_the_source_region_is_dark_and_retires_the_old_primary_later(world: World) -> None:
    # Given a lost source Region
    world.inventory()
    world.darken(SOURCE)
    world.wait(minutes=2)
    world.local.call_log.clear()

    # When the run is forced
    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert (loss.seconds, loss.detail) == (1.0, "last known AuroraBinlogReplicaLag")
    run.all()

    # Then the target was promoted, and the lost Region was never called
    assert run.made() == ["PromoteReadReplicaDBCluster"]
    assert follows(world, TARGET) is None
    assert {call.region for call in world.calls()} == {TARGET}
    assert "cannot be undone" in run.rollback(Phase.ACTIVATE).detail
    run.end()

    # And when the Region is back, a planned run is refused while both sides take writes
    world.repair()
    world.wait(minutes=5)
    refused = world.start()
    assert not refused.ready
    assert "both take writes" in refused.findings["two-writers"]
    assert "both take writes" in refusal(refused, Phase.INSTANTIATE)
    refused.end()

    # Until the old one is retired and a new replica follows
    rest = world.start(Phases=["CLEANUP", "REPLICATE"])
    rest.all()
    assert groups_of(world, retired(world, SOURCE)) == ["dr-fence"]
    assert follows(world, SOURCE) == TARGET_ARN
    assert world.refusals() == []


def test_an_emergency_with_a_replica_without_instance_makes_one_first(world: World) -> None:
    rds = world.aws("rds", TARGET)
    for name in ("orders-2", "orders-1"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.wait(minutes=5)
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "headless" in run.findings
    run.all()

    assert run.made() == ["CreateDBInstance", "PromoteReadReplicaDBCluster"]
    assert [each["IsClusterWriter"] for each in cluster(world, TARGET)["DBClusterMembers"]] == [True]


def test_rolling_back_before_the_promotion_opens_the_source_again(world: World) -> None:
    # Given a run that has fenced the source and waits for the lag
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "cut-connections")
    assert groups_of(world, cluster(world, SOURCE)) == ["dr-fence"]

    undone = run.rollback(Phase.ACTIVATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    assert groups_of(world, cluster(world, SOURCE)) == ["orders-db"]
    assert "dr:fenced" not in {tag["Key"] for tag in cluster(world, SOURCE)["TagList"]}
    assert follows(world, TARGET) == SOURCE_ARN


def test_rolling_back_the_cleanup_gives_the_old_primary_its_name_and_the_promotion_stays(world: World) -> None:
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        run.phase(phase)
    assert set(clusters(world, SOURCE)) == {retired(world, SOURCE)["DBClusterIdentifier"]}

    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert set(clusters(world, SOURCE)) == {"orders"}
    assert "cannot be undone" in run.rollback(Phase.ACTIVATE).detail


def test_a_source_that_does_not_drain_stops_the_run_before_the_promotion(world: World) -> None:
    # Given a fence that somebody has opened
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "fence-group")
    ec2 = world.aws("ec2", SOURCE)
    (fence,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["dr-fence"]}])["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=fence["GroupId"], IpPermissions=[rule])

    assert "has ingress rules, expected none" in refusal(run, Phase.ACTIVATE)
    assert follows(world, TARGET) == SOURCE_ARN


def test_a_replica_that_lags_more_than_its_rpo_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "lag_milliseconds": 90_000})

    run = world.start()

    assert not run.ready
    assert run.findings["lag"] == "binlog lag is 90 s, dr:rpo-target is 1 min."


def test_a_promotion_that_fails_is_reported_and_can_be_tried_again(world: World) -> None:
    world.fault(effect="fail", kind="rds.promote-read-replica-db-cluster")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    detail = refusal(run, Phase.ACTIVATE)
    assert detail.startswith("promote: the call was made 3 times and its effect never showed")

    world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert follows(world, TARGET) is None


def test_a_drill_restores_a_copy_beside_the_replica_and_leaves_no_trace(world: World) -> None:
    run = world.start(Operation.TEST)
    foreseen = run.previewed_calls()

    run.all()

    assert run.made() == foreseen
    assert follows(world, TARGET) == SOURCE_ARN
    assert set(clusters(world, TARGET)) == {"orders"}
    assert world.operations(SOURCE) == []
    assert world.refusals() == []
