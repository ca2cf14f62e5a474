"""What is red before a cache is moved, and what stops a run that is under way: each story is one thing found wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.elasticache.adapter import ElastiCacheAdapter
from adapters.elasticache.global_datastore import _associated as associated
from adapters.elasticache.models import Datastore, DatastoreMember, Membership, ReplicationGroup
from adapters.elasticache.readiness import findings
from adapters.elasticache.view import Cache, ElastiCacheView, base_name, fresh_name, made_name
from orchestrator.contract import Endpoint
from orchestrator.errors import UpstreamError
from orchestrator.words import Operation, Outcome, Phase, Side
from tests.adapters.test_elasticache_standalone_story import view_of
from tests.adapters.test_elasticache_story import ALONE, DATASTORE, ORDERS, admits, detach, group, security_groups
from tests.support.driver import APPS, COMMON_TAGS, SOURCE, TARGET, World, open_world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def test_a_secondary_that_lags_more_than_its_rpo_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_world(monkeypatch, {**ORDERS, "lag_seconds": 90.0}).start()
    assert not run.ready
    assert run.findings["lag"] == "replication lag is 90 s, dr:rpo-target is 1 min."


def test_a_datastore_that_changes_is_red(world: World) -> None:
    world.aws("elasticache", SOURCE).modify_global_replication_group(
        GlobalReplicationGroupId=DATASTORE, CacheNodeType="cache.r7g.xlarge", ApplyImmediately=True
    )
    run = world.start()
    assert not run.ready
    assert run.findings["datastore"] == f"global datastore {DATASTORE} is modifying, expected available."


def test_a_secondary_that_is_not_in_step_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, ALONE)
    client = world.aws("elasticache", SOURCE)
    client.create_global_replication_group(GlobalReplicationGroupIdSuffix="orders", PrimaryReplicationGroupId="orders")
    world.wait(minutes=5)
    world.aws("elasticache", TARGET).create_replication_group(
        ReplicationGroupId="orders",
        ReplicationGroupDescription="made by hand",
        GlobalReplicationGroupId="ldgnf-orders",
        ReplicasPerNodeGroup=1,
        Tags=[
            {"Key": k, "Value": v}
            for k, v in {
                "Customer": "CustomerX",
                "Environment": "production",
                "dr:enabled": "true",
                "dr:wave": "1",
                "dr:recovery-strategy": "global-datastore",
            }.items()
        ],
    )
    run = world.start()
    assert not run.ready
    assert run.findings["association"] == "orders in us-west-2 is associating, expected associated."
    assert run.findings["lag"] == "orders reports no replication lag: it may not replicate."


def test_small_nodes_are_refused_before_a_datastore_is_made_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_world(monkeypatch, {**ALONE, "node_type": "cache.t4g.medium"}).start()
    assert not run.ready
    assert "cache.t4g.medium cannot be part of a global datastore" in run.findings["node-type"]


def test_a_group_that_stands_alone_is_never_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_world(monkeypatch, {**ALONE, "standby": True}).start()
    assert not run.ready
    assert "joining a global datastore would wipe it" in run.findings["stands-alone"]
    stopped = run.phase(Phase.INSTANTIATE)
    assert (stopped.outcome, run.made()) == (Outcome.FAILED, [])


def test_an_emergency_without_a_secondary_stops_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, ALONE)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True)
    assert "no-secondary" in run.findings
    stopped = run.phase(Phase.ACTIVATE)
    assert stopped.outcome is Outcome.FAILED
    assert "there is no member of orders in us-west-2" in stopped.detail
    assert run.made() == []


def test_two_accounts_have_no_global_datastore(world: World) -> None:
    view, context = view_of(world.start())
    apart = replace(view, member=replace(view.member, source=replace(view.member.source, account="333333333333")))
    (found,) = findings(apart, context)
    assert (found.code, found.remedy) == ("accounts", "use backup-restore")


def test_a_drill_of_a_detached_cache_is_red_and_of_a_standing_one_says_what_is_unconfirmed(world: World) -> None:
    drill = world.start(Operation.TEST)
    assert drill.ready
    assert "documents nowhere" in drill.findings["drill-snapshot"]
    drill.end()
    detach(world)
    assert "detached" in world.start(Operation.TEST, Phases=["INSTANTIATE"]).findings


def test_a_drill_whose_snapshot_aws_declines_fails_and_changes_nothing(world: World) -> None:
    world.fault(
        effect="error",
        service="elasticache",
        operation="CreateSnapshot",
        code="SnapshotFeatureNotSupportedFault",
        message="Snapshots of a secondary are not supported.",
        status=400,
    )
    drill = world.start(Operation.TEST)
    stopped = drill.phase(Phase.INSTANTIATE)
    assert stopped.outcome is Outcome.FAILED
    assert "SnapshotFeatureNotSupportedFault" in stopped.detail
    assert drill.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    found = world.aws("ec2", TARGET).describe_security_groups(Filters=[{"Name": "tag-key", "Values": ["dr:drill-id"]}])
    assert found["SecurityGroups"] == []


def test_a_drill_prefers_an_export_to_the_unconfirmed_snapshot_of_a_secondary(world: World) -> None:
    s3, client = world.aws("s3", TARGET), world.aws("elasticache", TARGET)
    s3.create_bucket(Bucket="orders-copies", CreateBucketConfiguration={"LocationConstraint": TARGET})
    s3.put_object(Bucket="orders-copies", Key="orders.nightly-0001.rdb", Body=b"REDIS0011")
    (subnets,) = client.describe_cache_subnet_groups(CacheSubnetGroupName="orders-subnets")["CacheSubnetGroups"]
    marks = {**COMMON_TAGS, "dr:standby-for": "orders", "dr:export-bucket": "orders-copies"}
    client.add_tags_to_resource(
        ResourceName=subnets["ARN"], Tags=[{"Key": key, "Value": value} for key, value in marks.items()]
    )
    drill = world.start(Operation.TEST)
    assert "drill-snapshot" not in drill.findings

    assert drill.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert drill.made() == ["CreateSecurityGroup", "CreateReplicationGroup"]
    assert world.refusals() == []


def test_a_fence_that_lets_somebody_in_is_no_fence(world: World) -> None:
    ec2 = world.aws("ec2", SOURCE)
    (own,) = security_groups(world, SOURCE)
    vpc = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"][0]["VpcId"]
    fence = ec2.create_security_group(GroupName="dr-fence", Description="not ours", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=fence, IpPermissions=[rule])
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "has ingress rules, expected none" in stopped.detail
    assert "revoke-security-group-ingress" in stopped.remedy
    assert admits(world, SOURCE)


def test_a_fenced_group_that_does_not_tell_its_own_groups_asks_for_them(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "fence")
    world.wait(minutes=5)
    arn = group(world, SOURCE)["ARN"]
    world.aws("elasticache", SOURCE).remove_tags_from_resource(ResourceName=arn, TagKeys=["dr:fenced"])

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "dr:fenced does not tell its own security groups" in stopped.detail
    assert "add-tags-to-resource" in stopped.remedy


def test_a_promotion_that_fails_is_tried_again_and_then_ends_with_what_was_seen(world: World) -> None:
    world.fault(effect="fail", kind="elasticache.failover-global-replication-group")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "the call was made 3 times" in failed.detail

    world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_endpoints_are_those_of_the_primary_or_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for shards, start in ((1, "master."), (2, "clustercfg.")):
        world = open_world(monkeypatch, {**ORDERS, "shards": shards})
        asked: list[Endpoint] = []
        run = world.start()
        platform: Any = run.platform
        run.platform = replace(
            platform, connect=lambda _run, _account, _region, ends, kept=asked: kept.extend(ends) or []
        )
        run.phase(Phase.INSTANTIATE)
        run.phase(Phase.ACTIVATE)
        assert {(each.host.startswith(start), each.port) for each in asked} == {(True, 6379)}


def test_unknown_membership_and_datastore_statuses_are_errors(world: World) -> None:
    view, _ = view_of(world.start())
    info = Membership(GlobalReplicationGroupId=DATASTORE)
    target = Cache(
        ReplicationGroup(ReplicationGroupId="orders", ARN="arn", Status="available", GlobalReplicationGroupInfo=info)
    )
    for status, whole in (("pondering", "available"), ("associated", "pondering")):
        mine = DatastoreMember(
            ReplicationGroupId="orders", ReplicationGroupRegion=TARGET, Role="SECONDARY", Status=status
        )
        seen = replace(
            view, target=target, datastore=Datastore(GlobalReplicationGroupId=DATASTORE, Status=whole, Members=[mine])
        )
        with pytest.raises(UpstreamError, match="pondering"):
            associated(seen, Side.TARGET)


def test_names_of_made_groups_stay_within_forty_characters_and_lead_back_to_the_plain_one(world: World) -> None:
    _, context = view_of(world.start())
    long = "a-cache-with-a-name-of-forty-characters-"
    assert len(made_name(long, context)) <= 40
    assert base_name(made_name("orders", context)) == "orders"
    assert fresh_name("orders", [], context) == "orders"


def test_a_view_without_anything_on_the_target_side_is_unhealthy(world: World) -> None:

    view, context = view_of(world.start())
    assert isinstance(view, ElastiCacheView)
    assert [check.state for check in ElastiCacheAdapter().health(view, context)] == ["unhealthy"]
    assert APPS in view.member.target.arn
