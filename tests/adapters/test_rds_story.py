"""RDS read replicas move between Regions: each story is one run an operator starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.errors import DrError
from orchestrator.targets import PlannedMember
from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{APPS}:db:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{APPS}:db:orders"
ORDERS = {"kind": "rds-replica", "name": "orders", "tags": {"dr:rpo-target": "5", "dr:priority": "high"}}
FENCING = ["CreateSecurityGroup", "AddTagsToResource", "ModifyDBInstance", "RebootDBInstance"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def instances(world: World, region: str) -> dict[str, dict[str, Any]]:
    found = world.aws("rds", region).describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"]: one for one in found}


def instance(world: World, region: str, name: str = "orders") -> dict[str, Any]:
    return instances(world, region)[name]


def tags(shown: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in shown["TagList"]}


def groups(shown: dict[str, Any]) -> list[str]:
    return [group["VpcSecurityGroupId"] for group in shown["VpcSecurityGroups"]]


def connections(world: World, region: str) -> float:
    now = world.clock.now()
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": "DatabaseConnections",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "orders"}],
    }
    reply = world.aws("cloudwatch", region).get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}],
        StartTime=now - timedelta(minutes=3),
        EndTime=now,
    )
    return float(reply["MetricDataResults"][0]["Values"][0])


def shape(shown: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same again after a failover and a failback."""
    kept = ("DBInstanceClass", "MultiAZ", "BackupRetentionPeriod", "KmsKeyId", "ReadReplicaSourceDBInstanceIdentifier")
    groups_of = {
        "subnets": shown["DBSubnetGroup"]["DBSubnetGroupName"],
        "parameters": [one["DBParameterGroupName"] for one in shown["DBParameterGroups"]],
        "security": groups(shown),
        "tags": {key: value for key, value in tags(shown).items() if key != "dr:execution-id"},
    }
    return {name: shown.get(name) for name in kept} | groups_of


def up_to(run: Journey, phase: Phase) -> None:
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def test_a_failover_loses_nothing_and_leaves_a_replica_in_the_old_place(world: World) -> None:
    own = groups(instance(world, SOURCE))
    run = world.start()
    assert run.ready
    assert run.findings == {"ready": "orders can take over, lag 2 s."}
    assert [stage.phase for stage in run.plan.stages if stage.irreversible] == [Phase.ACTIVATE]

    run.all()

    assert [run.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
    primary, standby = instance(world, TARGET), instance(world, SOURCE)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in primary
    assert (primary["DBInstanceStatus"], primary["BackupRetentionPeriod"]) == ("available", 7)
    assert standby["ReadReplicaSourceDBInstanceIdentifier"] == TARGET_ARN
    assert (standby["DBInstanceStatus"], standby["StatusInfos"][0]["Status"]) == ("available", "replicating")
    assert groups(standby) == own, "the successor is open to its clients, not fenced"
    assert tags(standby) == {
        "Customer": "CustomerX",
        "Environment": "production",
        "dr:enabled": "true",
        "dr:wave": "1",
        "dr:priority": "high",
        "dr:rpo-target": "5",
        "dr:execution-id": run.run_id,
    }
    checks = {check.name: check.state for check in run.stage(Phase.REPLICATE).checks}
    assert checks == dict.fromkeys(("role", "instance", "protection"), CheckState.HEALTHY)


def test_the_calls_of_a_failover_are_those_of_its_plan_and_none_is_refused(world: World) -> None:
    run = world.start()
    foreseen = run.previewed_calls()

    run.all()

    assert run.made() == foreseen
    assert run.made(Phase.ACTIVATE) == [*FENCING, "PromoteReadReplica"]
    assert run.made(Phase.CLEANUP) == ["ModifyDBInstance"]
    assert run.made(Phase.REPLICATE) == ["CreateDBInstanceReadReplica", "RemoveTagsFromResource"]
    assert world.operations(TARGET) == ["PromoteReadReplica"]
    assert world.refusals() == []


def test_the_retired_primary_is_kept_fenced_and_out_of_the_scope(world: World) -> None:
    own = groups(instance(world, SOURCE))
    run = world.start()
    run.all()
    run.end()

    (name,) = (each for each in instances(world, SOURCE) if each.startswith("orders-retired-"))
    retired = instance(world, SOURCE, name)
    (fence,) = groups(retired)
    (shown,) = world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[fence])["SecurityGroups"]
    assert (shown["GroupName"], shown["IpPermissions"]) == ("dr-fence", [])
    assert tags(retired)["dr:fenced"].split() == own
    assert "dr:enabled" not in tags(retired)
    (resource,) = world.inventory().resources
    assert {region: side.id for region, side in resource.sides.items()} == {SOURCE: "orders", TARGET: "orders"}


def test_bystanders_of_the_source_keep_their_way_in(world: World) -> None:
    (own,) = groups(instance(world, SOURCE))
    before = world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[own])["SecurityGroups"]
    world.start().all()
    assert world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[own])["SecurityGroups"] == before


def test_failover_and_failback_leave_the_estate_as_it_was_but_for_the_retired(world: World) -> None:
    before = {region: shape(instance(world, region)) for region in (SOURCE, TARGET)}
    there = world.start()
    there.all()
    there.end()

    back = world.start(Operation.FAILBACK)
    assert back.ready
    back.all()

    assert [back.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
    assert {region: shape(instance(world, region)) for region in (SOURCE, TARGET)} == before
    for region in (SOURCE, TARGET):
        assert len(instances(world, region)) == 2
    assert world.refusals() == []


def test_clients_are_cut_off_before_the_promotion(world: World) -> None:
    run = world.start()
    assert connections(world, SOURCE) == 24
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "promote")
    assert connections(world, SOURCE) == 0


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_a_replica_whose_idle_lag_never_shows_zero_is_promoted_all_the_same(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    world = open_world(monkeypatch, {**ORDERS, "engine": engine})
    run = world.start()
    run.all()
    assert "ReadReplicaSourceDBInstanceIdentifier" not in instance(world, TARGET)
    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED


def test_a_lag_that_stays_asks_a_person_and_the_rollback_opens_the_source(world: World) -> None:
    own = groups(instance(world, SOURCE))
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "cut-connections")
    rds = world.local.service("rds")
    rds._replica_lag = lambda replica, at: 40.0  # type: ignore[attr-defined]
    try:
        stopped = run.phase(Phase.ACTIVATE)
    finally:
        del rds._replica_lag  # type: ignore[attr-defined]

    assert stopped.outcome is Outcome.FAILED
    assert "drain: lag 40 s, 40 s, 40 s, not zero 30 min after the source was fenced" in stopped.detail
    assert "AcceptDataLoss" in stopped.remedy
    assert "PromoteReadReplica" not in run.made()

    undone = run.rollback(Phase.ACTIVATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    source = instance(world, SOURCE)
    assert (groups(source), "dr:fenced" in tags(source)) == (own, False)
    assert connections(world, SOURCE) == 24
    assert world.refusals() == []


def test_a_rollback_before_the_promotion_opens_the_source_and_a_new_run_succeeds(world: World) -> None:
    before = shape(instance(world, SOURCE))
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "fence")

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert shape(instance(world, SOURCE)) == before

    run.end()
    again = world.start()
    again.all()
    assert instance(world, SOURCE)["ReadReplicaSourceDBInstanceIdentifier"] == TARGET_ARN


def test_a_run_that_follows_an_aborted_one_knows_the_own_groups_of_the_fenced_source(world: World) -> None:
    own = groups(instance(world, SOURCE))
    aborted = world.start()
    aborted.phase(Phase.INSTANTIATE)
    aborted.until(Phase.ACTIVATE, "cut-connections")
    aborted.end()
    world.wait(minutes=5)
    assert groups(instance(world, SOURCE)) != own

    run = world.start()
    run.all()

    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert groups(instance(world, SOURCE)) == own
    assert run.made(Phase.ACTIVATE) == ["RebootDBInstance", "PromoteReadReplica"]


def test_a_promotion_cannot_be_rolled_back(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    blocked = run.rollback(Phase.ACTIVATE)
    assert blocked.outcome is Outcome.FAILED
    assert "a promotion cannot be undone" in blocked.detail
    assert "failback" in blocked.remedy


def test_a_rolled_back_cleanup_gives_the_old_primary_its_name_back(world: World) -> None:
    run = world.start()
    up_to(run, Phase.CLEANUP)
    assert "orders" not in instances(world, SOURCE)
    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert list(instances(world, SOURCE)) == ["orders"]
    assert world.refusals() == []


def test_nothing_is_promoted_before_the_commit_gate(world: World) -> None:
    run = world.start(commit=False)
    run.phase(Phase.INSTANTIATE)
    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert instance(world, TARGET)["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE_ARN


def test_a_failed_promotion_says_what_repairs_it_and_the_retry_goes_on(world: World) -> None:
    world.fault(effect="fail", kind="rds.promote-read-replica")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "orders is incompatible-parameters" in failed.detail
    assert "aws rds reboot-db-instance --db-instance-identifier orders" in failed.remedy

    world.repair()
    world.aws("rds", TARGET).reboot_db_instance(DBInstanceIdentifier="orders")
    world.wait(minutes=2)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_a_lost_answer_to_the_promotion_is_not_followed_by_a_second_one(world: World) -> None:
    world.fault(effect="lost-answer", service="rds", operation="PromoteReadReplica")
    run = world.start()
    run.all()
    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert len([call for call in world.calls() if call.operation == "PromoteReadReplica"]) == 1


def test_a_run_that_died_after_cleanup_is_finished_by_another(world: World) -> None:
    own = groups(instance(world, SOURCE))
    dead = world.start()
    up_to(dead, Phase.CLEANUP)
    dead.end()

    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    run.all()

    assert run.made() == ["CreateDBInstanceReadReplica", "RemoveTagsFromResource"]
    assert instance(world, SOURCE)["ReadReplicaSourceDBInstanceIdentifier"] == TARGET_ARN
    assert groups(instance(world, SOURCE)) == own
    assert len(world.inventory().resources) == 1


def test_two_databases_of_one_network_share_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, ORDERS, {**ORDERS, "name": "carts"})
    run = world.start()
    run.all()
    for name in ("orders", "carts"):
        assert instance(world, SOURCE, name)["ReadReplicaSourceDBInstanceIdentifier"].endswith(f":{name}")
    fences = world.aws("ec2", SOURCE).describe_security_groups(Filters=[{"Name": "group-name", "Values": ["dr-fence"]}])
    assert len(fences["SecurityGroups"]) == 1


def test_a_fence_that_somebody_opened_stops_the_run(world: World) -> None:
    ec2, vpc = world.aws("ec2", SOURCE), instance(world, SOURCE)["DBSubnetGroup"]["VpcId"]
    made = ec2.create_security_group(GroupName="dr-fence", Description="x", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    stopped = run.phase(Phase.ACTIVATE)
    assert stopped.outcome is Outcome.FAILED
    assert f"security group dr-fence ({made}) has ingress rules, expected none" in stopped.detail
    assert world.operations() == []


def test_an_emergency_promotes_at_once_and_reports_the_lag(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.wait(minutes=2)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert (loss.resource_id, loss.seconds) == ("rds/orders", 2.0)
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert run.made() == ["PromoteReadReplica"]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in instance(world, TARGET)
    assert {call.region for call in world.calls()} == {TARGET}, "an emergency never calls the lost Region"
    assert world.refusals() == []


def test_after_an_emergency_the_returned_primary_is_fenced_retired_and_replaced_and_the_data_goes_home(
    world: World,
) -> None:
    before = {region: shape(instance(world, region)) for region in (SOURCE, TARGET)}
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()

    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    assert "promoted" in deferred.findings
    deferred.all()
    assert deferred.made(Phase.CLEANUP) == [*FENCING[:3], "ModifyDBInstance"]
    assert instance(world, SOURCE)["ReadReplicaSourceDBInstanceIdentifier"] == TARGET_ARN
    deferred.end()

    world.start(Operation.FAILBACK).all()
    assert {region: shape(instance(world, region)) for region in (SOURCE, TARGET)} == before
    assert world.refusals() == []


def test_cleanup_refuses_to_retire_a_primary_that_still_serves(world: World) -> None:
    run = world.start(Phases=["CLEANUP"])
    refused = run.phase(Phase.CLEANUP)
    assert refused.outcome is Outcome.FAILED
    assert "still replicates from orders" in refused.detail
    assert world.operations() == []


def test_a_drill_makes_an_isolated_copy_checks_it_and_leaves_no_trace(world: World) -> None:
    before = {region: shape(instance(world, region)) for region in (SOURCE, TARGET)}
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()

    run.phase(Phase.INSTANTIATE)
    (name,) = (each for each in instances(world, TARGET) if each.startswith("drill-"))
    copy = instance(world, TARGET, name)
    (group,) = groups(copy)
    (shown,) = world.aws("ec2", TARGET).describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert (shown["GroupName"], shown["IpPermissions"]) == (name, [])
    assert "ReadReplicaSourceDBInstanceIdentifier" not in copy
    run.phase(Phase.ACTIVATE)
    (check,) = run.stage(Phase.ACTIVATE).checks
    assert (check.name, check.state) == ("drill-copy", CheckState.HEALTHY)
    run.phase(Phase.CLEANUP)

    assert run.action(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert run.made() == foreseen
    assert {region: shape(instance(world, region)) for region in (SOURCE, TARGET)} == before
    assert list(instances(world, TARGET)) == ["orders"]
    assert world.aws("rds", TARGET).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []
    remaining = world.aws("ec2", TARGET).describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    assert remaining["SecurityGroups"] == []
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_is_rolled_back_while_its_copy_is_still_being_made(world: World) -> None:
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "drill-instance")
    undone = run.rollback(Phase.INSTANTIATE)
    assert undone.outcome is Outcome.ROLLED_BACK
    assert list(instances(world, TARGET)) == ["orders"]
    assert world.aws("rds", TARGET).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []


def test_a_manifest_s_size_is_reached_before_the_switch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    member = PlannedMember.member
    size = {"instanceClass": "db.r6g.xlarge"}
    monkeypatch.setattr(PlannedMember, "member", lambda planned: replace(member(planned), settings=size))
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    assert instance(world, TARGET)["DBInstanceClass"] == "db.r6g.xlarge"
    assert run.made() == ["ModifyDBInstance"]


def break_replication(world: World) -> None:
    world.local.service("rds").instance_state(  # type: ignore[attr-defined]
        world.local.backend("rds", APPS, TARGET).databases["orders"]
    ).replication_terminated = True


def disable_key(world: World) -> None:
    world.aws("kms", SOURCE).disable_key(KeyId=instance(world, SOURCE)["KmsKeyId"].rpartition("/")[2])


def shrink(world: World) -> None:
    rds = world.aws("rds", TARGET)
    rds.modify_db_instance(DBInstanceIdentifier="orders", DBInstanceClass="db.t3.medium", ApplyImmediately=True)
    world.wait(minutes=10)


def back_up(world: World) -> None:
    world.aws("rds", TARGET).create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="nightly")


@pytest.mark.parametrize(
    ("trouble", "code", "text", "ready"),
    [
        (break_replication, "replication", "replication of orders is terminated", False),
        (disable_key, "kms-key", "is Disabled, expected Enabled", False),
        (shrink, "class", "orders is a db.t3.medium, its source a db.r6g.large", True),
        (back_up, "backing-up", "orders is backing up", True),
    ],
)
def test_what_readiness_finds_before_anything_is_called(
    world: World, trouble: Any, code: str, text: str, ready: bool
) -> None:
    trouble(world)
    run = world.start()
    assert text in run.findings[code]
    assert run.ready is ready
    assert world.operations() == []


def test_a_replica_that_is_backing_up_is_waited_for(world: World) -> None:
    back_up(world)
    run = world.start()
    run.all()
    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED


def test_a_lag_beyond_the_rpo_and_an_engine_without_a_way_back_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "lag_seconds": 400}, {**ORDERS, "name": "ledger", "engine": "oracle-ee"})
    run = world.start()
    assert not run.ready
    assert run.findings["lag"] == "replication lag is 400 s, dr:rpo-target is 5 min."
    assert run.findings["engine"].startswith("oracle-ee is not moved by this adapter")


def test_two_claimants_of_one_side_are_named(world: World) -> None:
    wanted = [{"Key": k, "Value": v} for k, v in tags(instance(world, TARGET)).items()]
    key = instance(world, TARGET)["KmsKeyId"]
    world.aws("rds", TARGET).create_db_instance_read_replica(
        DBInstanceIdentifier="orders-2", SourceDBInstanceIdentifier=SOURCE_ARN, KmsKeyId=key, Tags=wanted
    )
    with pytest.raises(DrError, match="both claim the side in us-west-2"):
        world.start()


def test_a_snapshot_that_inherited_the_tags_is_no_resource_of_the_scope(world: World) -> None:
    inherited = [{"Key": k, "Value": v} for k, v in tags(instance(world, TARGET)).items()]
    world.aws("rds", TARGET).create_db_snapshot(
        DBInstanceIdentifier="orders", DBSnapshotIdentifier="nightly", Tags=inherited
    )
    world.wait(minutes=3)
    assert [resource.resource_id for resource in world.inventory().resources] == ["rds/orders"]
