"""A single-Region MemoryDB cluster moves by an export: behind a fence when planned, by the newest one in an emergency."""

from __future__ import annotations

import re

import pytest

from orchestrator.errors import DrError
from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.adapters.memorydb_scene import (
    CARRYING,
    FENCING,
    bucket,
    cluster,
    clusters,
    exports,
    groups,
    is_open,
    restored,
    single_world,
    tags,
    up_to,
)
from tests.support.driver import SOURCE, TARGET, Journey, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return single_world(monkeypatch)


def decommission(run: Journey) -> None:
    """Approve and run the last phase."""
    run.platform.ledger.change_stage(
        run.run_id, run.stage(Phase.DECOMMISSION).stage_id, lambda stage: stage.but(approved_by="owner@example.com")
    )
    run.phase(Phase.DECOMMISSION)


def test_a_failover_restores_what_was_written_until_the_fence_and_protects_it_again(world: World) -> None:
    # Given a cluster on the source side, and on the target side nothing but a subnet group that stands in for it
    old = cluster(world, SOURCE)
    assert clusters(world, TARGET) == {}
    run = world.start()
    assert run.ready, run.findings
    assert [stage.phase for stage in run.plan.stages if stage.irreversible] == [Phase.ACTIVATE]
    foreseen = run.previewed_calls()

    run.all()

    # Then the calls were those of the plan, and the last export was taken behind the fence
    assert [run.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
    assert run.made() == foreseen
    assert run.made(Phase.INSTANTIATE) == CARRYING
    assert run.made(Phase.ACTIVATE) == [*FENCING, *CARRYING, "CreateCluster"]
    assert run.made(Phase.REPLICATE) == CARRYING
    # And a cluster of the same size serves with the target side's own surroundings
    new = restored(world, TARGET)
    same = ("NodeType", "Engine", "EngineVersion", "NumberOfShards", "ACLName", "TLSEnabled", "ParameterGroupName")
    assert {key: new[key] for key in same} == {key: old[key] for key in same}
    assert (new["Status"], new["SubnetGroupName"], "MultiRegionClusterName" in new) == (
        "available",
        "orders-subnets",
        False,
    )
    assert new["KmsKeyId"].split(":")[3] == TARGET
    assert is_open(world, TARGET, new["Name"])
    assert not is_open(world, SOURCE)
    told = tags(world, TARGET, new["ARN"])
    assert (told["dr:enabled"], told["dr:rpo-target"], told["dr:execution-id"]) == ("true", "5", run.run_id)
    assert told["dr:export-bucket"] == bucket(TARGET)
    # And an export of the new cluster has arrived where the old one was
    assert any("-rep-0001.rdb" in key for key in exports(world, SOURCE))
    assert world.refusals() == []


def test_there_and_back_leaves_one_open_cluster_and_every_old_one_fenced(world: World) -> None:
    there = world.start()
    there.all()
    there.end()

    back = world.start(Operation.FAILBACK)
    assert back.ready, back.findings
    back.all()

    assert [back.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
    home = restored(world, SOURCE)
    assert {name: is_open(world, SOURCE, name) for name in clusters(world, SOURCE)} == {
        "orders": False,
        home["Name"]: True,
    }
    assert [is_open(world, TARGET, name) for name in clusters(world, TARGET)] == [False]
    assert sorted(groups(home)) == tags(world, SOURCE, cluster(world, SOURCE)["ARN"])["dr:fenced"].split()
    # And the next inventory sees one resource with two sides: the newest of each
    back.end()
    (resource,) = world.inventory().resources
    assert resource.sides[SOURCE].id == home["Name"]
    assert resource.sides[TARGET].id == restored(world, TARGET)["Name"]
    assert world.refusals() == []


def test_a_third_move_restores_beside_what_the_first_has_left(world: World) -> None:
    for operation in (Operation.FAILOVER, Operation.FAILBACK, Operation.FAILOVER):
        run = world.start(operation)
        assert run.ready, run.findings
        run.all()
        assert [run.action(phase).outcome for phase in LIFECYCLE] == [Outcome.SUCCEEDED] * 4
        run.end()
    serving = {
        region: [name for name in clusters(world, region) if is_open(world, region, name)]
        for region in (SOURCE, TARGET)
    }
    assert (serving[SOURCE], len(serving[TARGET])) == ([], 1)
    assert world.refusals() == []


def test_the_snapshot_that_is_restored_is_taken_behind_the_fence(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "snapshot")
    assert not is_open(world, SOURCE)
    assert clusters(world, TARGET) == {}


def test_a_cluster_with_shards_is_restored_from_all_their_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    world = single_world(monkeypatch, shards=3)
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    (made,) = (call for call in world.calls() if call.operation == "CreateCluster")
    assert [arn.rpartition("-")[2] for arn in made.params["SnapshotArns"]] == ["0001.rdb", "0002.rdb", "0003.rdb"]
    assert all(arn.startswith(f"arn:aws:s3:::{bucket(TARGET)}/orders.") for arn in made.params["SnapshotArns"])
    assert restored(world, TARGET)["NumberOfShards"] == 3


def test_an_emergency_restores_the_newest_whole_export_and_tells_its_age(world: World) -> None:
    # Given an export that is newer, but of which an object is still missing, and one of another cluster
    s3 = world.aws("s3", TARGET)
    world.inventory()
    world.wait(minutes=30)
    s3.put_object(Bucket=bucket(TARGET), Key="orders-archive.nightly-0001.rdb", Body=b"x")
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert loss.detail == "age of the newest export, orders.nightly"
    assert loss.seconds is not None
    assert 1800 <= loss.seconds < 2400
    assert "export-age" in run.findings
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert run.made() == ["CreateCluster"]
    (made,) = (call for call in world.calls() if call.operation == "CreateCluster")
    assert made.params["SnapshotArns"] == [f"arn:aws:s3:::{bucket(TARGET)}/orders.nightly-0001.rdb"]
    assert is_open(world, TARGET, restored(world, TARGET)["Name"])
    assert {call.region for call in world.calls()} == {TARGET}
    assert world.refusals() == []


def test_an_emergency_leaves_an_export_aside_whose_shards_have_not_all_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    world = single_world(monkeypatch, shards=2)
    world.inventory()
    world.wait(minutes=30)
    world.aws("s3", TARGET).put_object(Bucket=bucket(TARGET), Key="orders.later-0001.rdb", Body=b"x")
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()
    (made,) = (call for call in world.calls() if call.operation == "CreateCluster")
    assert all("orders.nightly-" in arn for arn in made.params["SnapshotArns"])


def test_the_newest_export_is_found_among_thousands(world: World) -> None:
    s3 = world.aws("s3", TARGET)
    for number in range(1001):
        s3.put_object(Bucket=bucket(TARGET), Key=f"orders.{number:04}-0001.rdb", Body=b"x")
    world.wait(minutes=5)
    s3.put_object(Bucket=bucket(TARGET), Key="orders.zulu-0001.rdb", Body=b"x")
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert run.plan.losses[0].detail == "age of the newest export, orders.zulu"


def test_a_second_emergency_finds_what_the_first_restored_and_makes_no_second_one(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    first = world.start(emergency=True, AcceptDataLoss=True)
    first.all()
    first.end()

    second = world.start(emergency=True, AcceptDataLoss=True)
    second.all()

    action = second.action(Phase.ACTIVATE)
    assert (action.outcome, second.made()) == (Outcome.SUCCEEDED_WITH_WARNINGS, [])
    assert "let clients in already: it goes on with the data it has" in action.detail
    assert len(clusters(world, TARGET)) == 1


def test_an_emergency_without_any_export_says_so_and_changes_nothing(world: World) -> None:
    for key in exports(world, TARGET):
        world.aws("s3", TARGET).delete_object(Bucket=bucket(TARGET), Key=key)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert run.plan.losses[0].seconds is None
    assert "an emergency could restore nothing" in run.findings["export"]
    run.all()
    action = run.action(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert f"bucket {bucket(TARGET)} in {TARGET} holds no whole export orders.*" in action.detail
    assert "aws memorydb create-cluster --snapshot-arns" in action.remedy
    assert run.made() == []


def test_after_an_emergency_the_old_cluster_is_fenced_the_new_one_protected_and_the_data_goes_home(
    world: World,
) -> None:
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()

    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    deferred.all()
    assert deferred.made(Phase.CLEANUP) == FENCING
    assert deferred.made(Phase.REPLICATE) == CARRYING
    assert not is_open(world, SOURCE)
    deferred.end()

    back = world.start(Operation.FAILBACK)
    back.all()
    assert is_open(world, SOURCE, restored(world, SOURCE)["Name"])
    assert not is_open(world, TARGET, restored(world, TARGET)["Name"])
    assert world.refusals() == []


def test_a_planned_run_refuses_to_choose_between_two_clusters_that_serve(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    # Both sides let clients in now
    run = world.start(Phases=["ACTIVATE"])
    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "lets clients in on the target side, and so does the source side" in refused.detail
    assert run.made() == []


def test_a_rollback_opens_the_source_while_nothing_is_restored(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "export")
    assert not is_open(world, SOURCE)
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert is_open(world, SOURCE)
    assert clusters(world, TARGET) == {}
    assert world.refusals() == []


def test_a_rollback_refuses_when_the_restored_cluster_may_hold_newer_data(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    refused = run.rollback(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "accepts writes that the old one does not have" in refused.detail
    assert "failback" in refused.remedy
    assert not is_open(world, SOURCE)


def test_nothing_is_restored_before_the_commit_gate(world: World) -> None:
    run = world.start(commit=False)
    run.phase(Phase.INSTANTIATE)
    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert clusters(world, TARGET) == {}


def test_a_restore_that_fails_is_a_failure_not_a_wait(world: World) -> None:
    world.fault(effect="fail", kind="memorydb.restore-cluster")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "is restore-failed, expected available" in failed.detail
    assert "aws memorydb describe-events" in failed.remedy

    # And when the remedy was followed, the retry goes on
    world.repair()
    world.aws("memorydb", TARGET).delete_cluster(ClusterName=restored(world, TARGET)["Name"])
    world.wait(minutes=10)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert is_open(world, TARGET, restored(world, TARGET)["Name"])


def test_a_snapshot_that_fails_and_an_export_that_does_not_arrive_end_the_run_with_what_to_do(world: World) -> None:
    world.fault(effect="fail", kind="memorydb.create-snapshot")
    run = world.start()
    failed = run.phase(Phase.INSTANTIATE)
    assert failed.outcome is Outcome.FAILED
    assert "is failed, expected available" in failed.detail
    run.end()
    world.repair()

    world.aws("s3", SOURCE).delete_bucket_replication(Bucket=bucket(SOURCE))
    again = world.start()
    assert not again.ready
    assert (
        f"bucket {bucket(SOURCE)} has no enabled replication rule to {bucket(TARGET)}" in again.findings["replication"]
    )
    late = again.phase(Phase.INSTANTIATE)
    assert late.outcome is Outcome.FAILED
    assert re.search(f"is not in {bucket(TARGET)}, 6[0-9] min after it was exported", late.detail), late.detail
    assert "replication rule" in late.remedy


def test_a_lost_answer_to_the_restore_is_not_followed_by_a_second_cluster(world: World) -> None:
    world.fault(effect="lost-answer", service="memorydb", operation="CreateCluster")
    run = world.start()
    run.all()
    assert run.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert len(clusters(world, TARGET)) == 1


def test_a_run_that_died_after_activate_is_finished_by_another(world: World) -> None:
    dead = world.start()
    up_to(dead, Phase.ACTIVATE)
    dead.end()

    run = world.start()
    assert run.ready, run.findings
    run.all()

    assert run.made() == CARRYING
    assert run.action(Phase.INSTANTIATE).outcome is Outcome.SKIPPED
    assert len(clusters(world, TARGET)) == 1
    assert any("-rep-0001.rdb" in key for key in exports(world, SOURCE))


def test_a_drill_restores_the_newest_export_and_leaves_no_trace(world: World) -> None:
    before = cluster(world, SOURCE)
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()
    run.phase(Phase.INSTANTIATE)
    (name,) = clusters(world, TARGET)
    assert name.startswith("drill-")
    assert not is_open(world, TARGET, name)
    run.phase(Phase.ACTIVATE)
    (check,) = run.stage(Phase.ACTIVATE).checks
    assert (check.name, check.state) == ("drill-copy", CheckState.HEALTHY)
    run.phase(Phase.CLEANUP)
    assert run.made() == foreseen == ["CreateSecurityGroup", "CreateCluster", "DeleteCluster", "DeleteSecurityGroup"]
    assert clusters(world, TARGET) == {}
    assert cluster(world, SOURCE) == before
    assert world.refusals() == []


def test_decommission_takes_a_final_snapshot_and_leaves_a_way_back(world: World) -> None:
    run = world.start(Decommission=True)
    up_to(run, Phase.REPLICATE)
    decommission(run)

    assert run.action(Phase.DECOMMISSION).outcome is Outcome.SUCCEEDED, run.action(Phase.DECOMMISSION).detail
    assert run.made(Phase.DECOMMISSION) == ["TagResource", "DeleteCluster"]
    assert clusters(world, SOURCE) == {}
    taken = world.aws("memorydb", SOURCE).describe_snapshots()["Snapshots"]
    assert [one["Status"] for one in taken if "-final-" in one["Name"]] == ["available"]
    run.end()

    # And the data can go home, to the security groups and the key it had there
    back = world.start(Operation.FAILBACK)
    assert back.ready, back.findings
    back.all()
    home = restored(world, SOURCE)
    assert is_open(world, SOURCE, home["Name"])
    assert home["KmsKeyId"].split(":")[3] == SOURCE
    assert world.refusals() == []


def test_decommission_refuses_while_the_old_cluster_lets_clients_in(world: World) -> None:
    run = world.start(Decommission=True)
    up_to(run, Phase.REPLICATE)
    told = tags(world, SOURCE, cluster(world, SOURCE)["ARN"])["dr:fenced"].split()
    memorydb = world.aws("memorydb", SOURCE)
    memorydb.update_cluster(ClusterName="orders", SecurityGroupIds=told)
    world.wait(minutes=10)
    decommission(run)
    refused = run.action(Phase.DECOMMISSION)
    assert refused.outcome is Outcome.FAILED
    assert "orders is open" in refused.detail
    assert "expected fenced and available" in refused.detail
    assert "orders" in clusters(world, SOURCE)


def test_a_cluster_without_a_stand_in_on_the_other_side_is_told_before_anything_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = single_world(monkeypatch, exports=False)
    with pytest.raises(DrError, match="memorydb/orders: has no counterpart in us-west-2"):
        world.start()
