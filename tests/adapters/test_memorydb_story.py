"""Members of a MemoryDB multi-Region cluster: nothing is promoted; one lets clients in, the other does not."""

from __future__ import annotations

import pytest

from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.adapters.memorydb_scene import (
    FENCING,
    SHARED,
    cluster,
    clusters,
    groups,
    is_open,
    member_regions,
    members_world,
    sides,
    tags,
    up_to,
)
from tests.support.driver import SOURCE, TARGET, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return members_world(monkeypatch)


def test_a_failover_and_a_failback_move_the_clients_and_lose_no_member(world: World) -> None:
    # Given two members that both let clients in
    own = {region: groups(cluster(world, region)) for region in (SOURCE, TARGET)}
    assert sides(world) == (True, True)

    # When the target side takes over
    there = world.start()
    assert there.ready
    assert there.findings == {"ready": "orders can take over, lag 350 ms."}
    assert [stage for stage in there.plan.stages if stage.irreversible] == []
    foreseen = there.previewed_calls()
    there.all()

    # Then only it lets clients in, and the other goes on replicating
    assert [there.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
    assert there.made() == foreseen == FENCING
    assert sides(world) == (False, True)
    assert member_regions(world) == {SOURCE: "available", TARGET: "available"}
    fenced = tags(world, SOURCE, cluster(world, SOURCE)["ARN"])
    assert fenced["dr:fenced"].split() == own[SOURCE]
    checks = {check.name: check.state for check in there.stage(Phase.REPLICATE).checks}
    assert {"cluster", "open", "protection"} <= set(checks)
    assert set(checks.values()) == {CheckState.HEALTHY}
    there.end()

    # And back again: the fence goes up on the other side, and comes down on the first
    back = world.start(Operation.FAILBACK)
    assert back.findings == {"fenced": "orders is fenced; ACTIVATE lets clients in again."}
    foreseen = back.previewed_calls()
    back.all()

    assert back.made() == foreseen == [*FENCING, "UpdateCluster", "UntagResource"]
    assert sides(world) == (True, False)
    assert groups(cluster(world, SOURCE)) == own[SOURCE]
    assert not {"dr:fenced", "dr:fenced-at"} & set(tags(world, SOURCE, cluster(world, SOURCE)["ARN"]))
    assert world.refusals() == []


def test_bystanders_of_the_source_keep_their_way_in(world: World) -> None:
    (own,) = groups(cluster(world, SOURCE))
    before = world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[own])["SecurityGroups"]
    world.start().all()
    assert world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[own])["SecurityGroups"] == before
    (fence,) = groups(cluster(world, SOURCE))
    (shown,) = world.aws("ec2", SOURCE).describe_security_groups(GroupIds=[fence])["SecurityGroups"]
    assert (shown["GroupName"], shown["IpPermissions"]) == ("dr-fence", [])


def test_clients_get_in_on_the_other_side_only_after_minutes_without_lag_behind_the_fence(world: World) -> None:
    world.start().all()
    world.ledger.unlock(world.inventory().scope, "run-1")
    back = world.start(Operation.FAILBACK)
    back.phase(Phase.INSTANTIATE)
    marked = back.until(Phase.ACTIVATE, "mark-fenced").called_at["mark-fenced"]
    opened = back.until(Phase.ACTIVATE, "open").called_at["open"]
    assert (opened - marked).total_seconds() >= 120
    assert not is_open(world, TARGET)


def test_writers_that_hold_their_connections_stop_the_run_and_the_rollback_lets_everybody_in(world: World) -> None:
    # Given writers that MemoryDB cannot cut off, so that lag never falls to zero
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "mark-fenced")
    memorydb = world.local.service("memorydb")
    memorydb._is_written = lambda other: True  # type: ignore[attr-defined]
    try:
        stopped = run.phase(Phase.ACTIVATE)
    finally:
        del memorydb._is_written  # type: ignore[attr-defined]

    assert stopped.outcome is Outcome.FAILED
    assert "drain: lag 350 ms, 350 ms, 350 ms, not zero 31 min after orders was fenced" in stopped.detail
    assert "stop what still holds connections" in stopped.remedy

    undone = run.rollback(Phase.ACTIVATE)
    assert undone.outcome is Outcome.ROLLED_BACK
    assert sides(world) == (True, True)
    assert not {"dr:fenced", "dr:fenced-at"} & set(tags(world, SOURCE, cluster(world, SOURCE)["ARN"]))
    assert world.refusals() == []


def test_an_activation_is_rolled_back_even_when_it_is_through(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    assert sides(world) == (False, True)
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert sides(world) == (True, True)


def test_rolling_back_the_other_phases_leaves_the_fence_where_activate_put_it(world: World) -> None:
    run = world.start()
    up_to(run, Phase.REPLICATE)
    for phase in (Phase.REPLICATE, Phase.CLEANUP, Phase.INSTANTIATE):
        assert run.rollback(phase).outcome is Outcome.ROLLED_BACK
    assert sides(world) == (False, True)


def test_an_emergency_changes_nothing_and_reads_the_target_region_only(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.wait(minutes=2)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert (loss.resource_id, loss.seconds) == ("memorydb/orders", 0.35)
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert run.made() == []
    assert is_open(world, TARGET)
    assert {call.region for call in world.calls()} == {TARGET}
    assert "nothing was fenced" in str(run.rollback(Phase.ACTIVATE).steps[0].reason)


def test_an_emergency_opens_a_member_that_an_earlier_failover_has_fenced(world: World) -> None:
    first = world.start()
    first.all()
    first.end()
    world.inventory()
    world.darken(TARGET)
    world.local.call_log.clear()

    run = world.start(Operation.FAILBACK, emergency=True, AcceptDataLoss=True)
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert run.made() == ["UpdateCluster", "UntagResource"]
    assert is_open(world, SOURCE)
    assert {call.region for call in world.calls()} == {SOURCE}
    assert world.refusals() == []


def test_after_an_emergency_the_returned_member_is_fenced_and_its_late_writes_merge(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    assert sides(world) == (True, True)

    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    deferred.all()

    assert deferred.made() == FENCING
    assert sides(world) == (False, True)
    assert deferred.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    # And that fence, unlike the one of ACTIVATE, is CLEANUP's own to take back
    assert deferred.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert sides(world) == (True, True)


def test_a_fence_that_somebody_took_down_goes_up_again_and_counts_from_then(world: World) -> None:
    # Given a failover, after which somebody has put the source side's own groups back
    first = world.start()
    first.all()
    first.end()
    told = tags(world, SOURCE, cluster(world, SOURCE)["ARN"])
    memorydb = world.aws("memorydb", SOURCE)
    memorydb.update_cluster(ClusterName="orders", SecurityGroupIds=told["dr:fenced"].split())
    world.wait(minutes=10)
    assert sides(world) == (True, True)

    run = world.start()
    run.all()

    assert run.made() == ["UpdateCluster", "TagResource"]
    assert sides(world) == (False, True)
    assert tags(world, SOURCE, cluster(world, SOURCE)["ARN"])["dr:fenced-at"] > told["dr:fenced-at"]


def test_cleanup_refuses_to_fence_the_only_side_that_serves(world: World) -> None:
    first = world.start()
    first.all()
    first.end()
    # The target side serves; nobody may fence it before the source side is opened
    run = world.start(Operation.FAILBACK, Phases=["CLEANUP"])
    refused = run.phase(Phase.CLEANUP)
    assert refused.outcome is Outcome.FAILED
    assert "orders in us-east-1 lets no clients in: the source stays open" in refused.detail
    assert sides(world) == (False, True)


def test_a_member_that_was_removed_is_made_again_on_either_side(world: World) -> None:
    # Given a target side without a member, whose subnet group stands in for it
    own = groups(cluster(world, TARGET))
    memorydb = world.aws("memorydb", TARGET)
    told = tags(world, TARGET, cluster(world, TARGET)["ARN"])
    key = cluster(world, TARGET)["KmsKeyId"]
    memorydb.delete_cluster(ClusterName="orders", MultiRegionClusterName=SHARED)
    world.wait(minutes=10)
    stand_in = {**told, "dr:standby-for": SHARED, "dr:security-groups": own[0], "dr:kms-key": key}
    arn = memorydb.describe_subnet_groups(SubnetGroupName="orders-subnets")["SubnetGroups"][0]["ARN"]
    memorydb.tag_resource(ResourceArn=arn, Tags=[{"Key": k, "Value": v} for k, v in stand_in.items()])

    # When the run makes it
    run = world.start()
    assert run.ready
    assert run.findings["no-member"] == f"{SHARED} has no member in {TARGET}: INSTANTIATE makes it."
    run.all()

    # Then it is as large as the other, keeps to its own surroundings, and serves
    made = cluster(world, TARGET)
    assert (made["MultiRegionClusterName"], made["KmsKeyId"], groups(made)) == (SHARED, key, own)
    assert made["Shards"][0]["NumberOfNodes"] == cluster(world, SOURCE)["Shards"][0]["NumberOfNodes"]
    assert tags(world, TARGET, made["ARN"])["dr:rpo-target"] == "5"
    assert run.made(Phase.INSTANTIATE) == ["CreateCluster"]
    assert sides(world) == (False, True)

    # And when somebody removes the source side's member, REPLICATE makes that again
    run.end()
    world.inventory()
    again = world.start(Phases=["REPLICATE"])
    world.aws("memorydb", SOURCE).delete_cluster(ClusterName="orders", MultiRegionClusterName=SHARED)
    world.wait(minutes=10)
    assert again.phase(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert again.made() == ["CreateCluster"]
    assert member_regions(world) == {SOURCE: "available", TARGET: "available"}
    assert world.refusals() == []


def test_a_smaller_standby_grows_to_the_source_side_s_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch, replicas=2, target_replicas=1)
    run = world.start()
    assert "INSTANTIATE grows it" in run.findings["replicas"]
    run.phase(Phase.INSTANTIATE)
    assert run.made() == ["UpdateCluster"]
    assert cluster(world, TARGET)["Shards"][0]["NumberOfNodes"] == 3


def test_an_emergency_grows_the_standby_when_clients_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch, replicas=2, target_replicas=0)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()
    assert run.made() == ["UpdateCluster"]
    assert cluster(world, TARGET)["Shards"][0]["NumberOfNodes"] == 3


def test_a_drill_makes_an_isolated_copy_and_leaves_both_members_alone(world: World) -> None:
    before = {region: cluster(world, region) for region in (SOURCE, TARGET)}
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()

    run.phase(Phase.INSTANTIATE)
    (name,) = (each for each in clusters(world, TARGET) if each.startswith("drill-"))
    copy = cluster(world, TARGET, name)
    assert (copy["Status"], "MultiRegionClusterName" in copy, is_open(world, TARGET, name)) == (
        "available",
        False,
        False,
    )
    run.phase(Phase.ACTIVATE)
    (check,) = run.stage(Phase.ACTIVATE).checks
    assert (check.name, check.state) == ("drill-copy", CheckState.HEALTHY)
    run.phase(Phase.CLEANUP)

    assert run.made() == foreseen
    assert {region: cluster(world, region) for region in (SOURCE, TARGET)} == before
    assert list(clusters(world, TARGET)) == ["orders"]
    assert world.aws("memorydb", TARGET).describe_snapshots()["Snapshots"] == []
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_touches_nothing_of_its_name_that_it_did_not_make(world: World) -> None:
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "drill-snapshot")
    (snapshot,) = world.aws("memorydb", TARGET).describe_snapshots()["Snapshots"]
    world.aws("memorydb", TARGET).untag_resource(ResourceArn=snapshot["ARN"], TagKeys=["dr:drill-id"])
    refused = run.phase(Phase.CLEANUP)
    assert refused.outcome is Outcome.FAILED
    assert "does not carry dr:drill-id=run-1" in refused.detail
    assert world.aws("memorydb", TARGET).describe_snapshots()["Snapshots"] != []


def test_decommission_deletes_no_member(world: World) -> None:
    run = world.start(Decommission=True)
    up_to(run, Phase.REPLICATE)
    run.platform.ledger.change_stage(
        run.run_id, run.stage(Phase.DECOMMISSION).stage_id, lambda stage: stage.but(approved_by="owner@example.com")
    )
    skipped = run.phase(Phase.DECOMMISSION)
    assert skipped.outcome is Outcome.SKIPPED
    assert "is the new standby" in skipped.detail
    assert member_regions(world) == {SOURCE: "available", TARGET: "available"}
