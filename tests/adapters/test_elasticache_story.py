"""ElastiCache global datastores move between Regions: each story is one run an operator starts."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import CheckState, Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

ORDERS = {"kind": "elasticache-global", "name": "orders", "tags": {"dr:rpo-target": "1", "dr:priority": "high"}}
ALONE = {
    "kind": "elasticache-standalone",
    "name": "orders",
    "exports": False,
    "tags": {"dr:recovery-strategy": "global-datastore"},
}
DATASTORE = "ldgnf-orders"
FENCING = ["CreateSecurityGroup", "AddTagsToResource", "ModifyReplicationGroup"]
OPENING = ["ModifyReplicationGroup", "RemoveTagsFromResource"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def group(world: World, region: str, name: str = "orders") -> dict[str, Any]:
    found = world.aws("elasticache", region).describe_replication_groups(ReplicationGroupId=name)
    return dict(found["ReplicationGroups"][0])


def groups(world: World, region: str) -> list[str]:
    found = world.aws("elasticache", region).describe_replication_groups()["ReplicationGroups"]
    return sorted(each["ReplicationGroupId"] for each in found)


def datastore(world: World, region: str = TARGET, name: str = DATASTORE) -> dict[str, Any]:
    client = world.aws("elasticache", region)
    found = client.describe_global_replication_groups(GlobalReplicationGroupId=name, ShowMemberInfo=True)
    return dict(found["GlobalReplicationGroups"][0])


def members(world: World, region: str = TARGET, name: str = DATASTORE) -> dict[str, tuple[str, str]]:
    return {m["ReplicationGroupRegion"]: (m["Role"], m["Status"]) for m in datastore(world, region, name)["Members"]}


def tags(world: World, region: str, name: str = "orders") -> dict[str, str]:
    reply = world.aws("elasticache", region).list_tags_for_resource(ResourceName=group(world, region, name)["ARN"])
    return {each["Key"]: each["Value"] for each in reply["TagList"]}


def security_groups(world: World, region: str, name: str = "orders") -> list[str]:
    node = group(world, region, name)["MemberClusters"][0]
    shown = world.aws("elasticache", region).describe_cache_clusters(CacheClusterId=node)["CacheClusters"][0]
    return [each["SecurityGroupId"] for each in shown["SecurityGroups"]]


def admits(world: World, region: str, name: str = "orders") -> bool:
    ids = security_groups(world, region, name)
    found = world.aws("ec2", region).describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return any(each["IpPermissions"] for each in found)


def detach(world: World) -> Journey:
    """Lose the source Region while promotions get stuck; the emergency run then stands alone."""
    world.inventory()
    world.darken(SOURCE)
    world.fault(effect="stuck", kind="elasticache.failover-global-replication-group")
    run = world.start(emergency=True)
    run.all()
    run.end()
    world.repair()
    return run


def test_failover_and_failback_swap_roles_and_make_only_the_calls_they_showed(world: World) -> None:
    own = security_groups(world, SOURCE)
    there = world.start()
    assert there.ready
    assert there.findings == {"ready": "orders can be promoted in us-west-2, lag 0.6 s."}
    assert there.previewed_calls() == [*FENCING, "FailoverGlobalReplicationGroup", *OPENING]
    assert not any(stage.irreversible for stage in there.plan.stages), "the old primary can be promoted again"

    ended = there.all()

    assert [a.outcome for a in ended.values()] == [
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
        Outcome.SKIPPED,
        Outcome.SUCCEEDED,
    ]
    assert members(world) == {SOURCE: ("SECONDARY", "associated"), TARGET: ("PRIMARY", "associated")}
    assert there.made() == there.previewed_calls()
    assert world.operations(TARGET) == ["FailoverGlobalReplicationGroup"], "it is sent to the Region that takes over"
    assert security_groups(world, SOURCE) == own, "the reverse replica lets its readers in again"
    assert "dr:fenced" not in tags(world, SOURCE)
    checks = {check.name: check.state for check in there.stage(Phase.REPLICATE).checks if check.name != "reachable"}
    assert checks == dict.fromkeys(("role", "group", "nodes", "protection"), CheckState.HEALTHY)

    there.end()
    back = world.start(Operation.FAILBACK)
    back.all()

    assert members(world) == {SOURCE: ("PRIMARY", "associated"), TARGET: ("SECONDARY", "associated")}
    assert admits(world, SOURCE)
    assert admits(world, TARGET)
    assert world.refusals() == []


def test_the_old_primary_is_shut_before_the_promotion(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "failover")

    assert not admits(world, SOURCE)
    assert len(tags(world, SOURCE)["dr:fenced"].split()) == 1


def test_a_lag_that_stays_behind_the_fence_asks_a_person_and_the_rollback_opens_the_source(world: World) -> None:
    # Given a replication that does not catch up, although nobody may write any more
    own = security_groups(world, SOURCE)
    world.local.service("elasticache").writes_arrive = lambda group: True  # type: ignore[attr-defined]
    world.local.backend("elasticache", "222222222222", TARGET).replication_groups["orders"].lag_seconds = 9.0
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    stopped = run.phase(Phase.ACTIVATE)

    del world.local.service("elasticache").writes_arrive  # type: ignore[attr-defined]
    assert stopped.outcome is Outcome.FAILED
    assert "drain: lag 9.0 s, 9.0 s, 9.0 s, expected 3 datapoints of at most 1 s" in stopped.detail
    assert "stop the writers" in stopped.remedy
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert security_groups(world, SOURCE) == own
    assert members(world)[SOURCE][0] == "PRIMARY"


def test_a_promotion_is_rolled_back_by_promoting_the_old_primary(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    assert members(world)[TARGET][0] == "PRIMARY"

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK

    assert members(world) == {SOURCE: ("PRIMARY", "associated"), TARGET: ("SECONDARY", "associated")}
    assert admits(world, SOURCE)
    assert world.refusals() == []


def test_an_emergency_promotes_at_once_and_asks_nothing_of_the_lost_region(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True)
    assert run.plan.losses[0].seconds == 0.6
    assert [stage.irreversible for stage in run.plan.stages] == [True]

    run.all()

    assert run.made() == ["FailoverGlobalReplicationGroup"]
    assert members(world)[TARGET] == ("PRIMARY", "associated")
    assert {call.region for call in world.calls() if call.service == "elasticache" and call.mutating} == {TARGET}
    blocked = run.rollback(Phase.ACTIVATE)
    assert (blocked.outcome, "cannot be undone" in blocked.detail) == (Outcome.FAILED, True)

    # When the Region returns, a planned run in the same direction finishes what was deferred
    run.end()
    world.repair()
    world.wait(minutes=10)
    later = world.start(Phases=["CLEANUP", "REPLICATE"])
    later.all()
    assert later.made() == []
    assert members(world)[SOURCE] == ("SECONDARY", "associated")


def test_an_emergency_stands_alone_when_a_promotion_shows_no_effect(world: World) -> None:
    run = detach(world)

    assert run.made() == ["FailoverGlobalReplicationGroup", "DisassociateGlobalReplicationGroup"]
    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    alone = group(world, TARGET)
    assert (alone["Status"], "GlobalReplicationGroupInfo" in alone) == ("available", False)
    assert datastore(world, SOURCE)["Status"] == "primary-only"


def test_an_emergency_stands_alone_when_aws_declines_the_promotion(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.fault(
        effect="error",
        service="elasticache",
        operation="FailoverGlobalReplicationGroup",
        code="InvalidGlobalReplicationGroupState",
        message="Global replication group cannot be failed over now.",
        status=400,
    )
    run = world.start(emergency=True)
    run.all()

    assert run.made() == ["DisassociateGlobalReplicationGroup"]
    assert "GlobalReplicationGroupInfo" not in group(world, TARGET)


def test_after_a_detachment_the_old_primary_is_shut_and_a_new_secondary_follows(world: World) -> None:
    detach(world)
    run = world.start()
    assert "detached" in run.findings
    run.all()

    assert run.made() == [*FENCING, "CreateGlobalReplicationGroup", "CreateReplicationGroup"]
    assert run.made() == run.previewed_calls()
    (new,) = (name for name in groups(world, SOURCE) if name != "orders")
    info = group(world, TARGET)["GlobalReplicationGroupInfo"]
    found = members(world, TARGET, info["GlobalReplicationGroupId"])
    assert found == {TARGET: ("PRIMARY", "associated"), SOURCE: ("SECONDARY", "associated")}
    assert not admits(world, SOURCE), "the old primary still takes writes, so nobody may reach it"
    assert admits(world, SOURCE, new)
    assert {key: tags(world, SOURCE, new)[key] for key in ("dr:enabled", "dr:priority", "dr:execution-id")} == {
        "dr:enabled": "true",
        "dr:priority": "high",
        "dr:execution-id": run.run_id,
    }
    run.end()
    (resource,) = world.inventory().resources
    assert {region: side.id for region, side in resource.sides.items()} == {SOURCE: new, TARGET: "orders"}

    back = world.start(Operation.FAILBACK)
    back.all()
    assert group(world, SOURCE, new)["GlobalReplicationGroupInfo"]["GlobalReplicationGroupMemberRole"] == "PRIMARY"
    assert world.refusals() == []


def approve(run: Journey) -> None:
    stage = run.stage(Phase.DECOMMISSION)
    run.platform.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))


def test_decommission_after_a_detachment_deletes_the_old_primary_with_a_last_snapshot(world: World) -> None:
    detach(world)
    run = world.start(Decommission=True)
    approve(run)
    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SUCCEEDED
    assert run.made(Phase.DECOMMISSION) == ["DeleteGlobalReplicationGroup", "DeleteReplicationGroup"]
    assert "orders" not in groups(world, SOURCE)
    (kept,) = world.aws("elasticache", SOURCE).describe_snapshots()["Snapshots"]
    assert (kept["ReplicationGroupId"], kept["SnapshotStatus"]) == ("orders", "available")
    assert world.refusals() == []


def test_decommission_deletes_nothing_of_a_reverse_replica(world: World) -> None:
    run = world.start(Decommission=True)
    approve(run)
    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert members(world)[SOURCE] == ("SECONDARY", "associated")


def test_a_cache_without_a_secondary_gets_datastore_and_secondary_first(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, ALONE)
    run = world.start()
    assert "no-secondary" in run.findings
    assert run.ready
    run.all()

    assert run.made(Phase.INSTANTIATE) == ["CreateGlobalReplicationGroup", "CreateReplicationGroup"]
    assert run.made() == run.previewed_calls()
    made = group(world, TARGET)
    assert made["GlobalReplicationGroupInfo"]["GlobalReplicationGroupMemberRole"] == "PRIMARY"
    assert len(made["MemberClusters"]) == 2
    assert admits(world, TARGET)
    assert tags(world, TARGET)["dr:enabled"] == "true"
    assert "dr:standby-for" not in tags(world, TARGET), "what tells of one side only stays on its subnet group"
    assert world.refusals() == []


def test_a_secondary_that_cannot_be_made_says_what_to_do_and_the_retry_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, ALONE)
    world.fault(effect="fail", kind="elasticache.create-replication-group")
    run = world.start()
    failed = run.phase(Phase.INSTANTIATE)
    assert failed.outcome is Outcome.FAILED
    assert "orders is create-failed, expected available" in failed.detail
    assert "aws elasticache delete-replication-group --replication-group-id orders" in failed.remedy

    world.repair()
    world.aws("elasticache", TARGET).delete_replication_group(ReplicationGroupId="orders")
    world.wait(minutes=10)
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED


def test_a_smaller_secondary_grows_to_the_size_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "replicas": 2, "target_replicas": 1})
    run = world.start()
    assert run.findings["replicas"] == "orders has 1 replica(s) per shard, production 2; they are added."
    run.all()

    assert run.made(Phase.INSTANTIATE) == ["IncreaseReplicaCount"]
    assert run.made() == run.previewed_calls()
    assert len(group(world, TARGET)["MemberClusters"]) == 3


def test_a_lost_answer_to_the_promotion_is_not_followed_by_a_second_one(world: World) -> None:
    world.fault(effect="lost-answer", service="elasticache", operation="FailoverGlobalReplicationGroup")
    run = world.start()
    run.all()

    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert len([call for call in world.calls() if call.operation == "FailoverGlobalReplicationGroup"]) == 1


def test_cluster_mode_is_promoted_alike_and_told_by_its_configuration_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "shards": 3})
    run = world.start()
    assert run.ready
    run.all()

    assert members(world)[TARGET] == ("PRIMARY", "associated")
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
