"""EFS replication through the real engine: nobody writes any more, everything has arrived, and only then it is ended."""

from __future__ import annotations

import json

import pytest

from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World
from tests.support.efs import (
    add_points,
    after_emergency,
    approve,
    back_up,
    file_system,
    file_systems,
    id_in,
    is_closed,
    mounts,
    protection,
    replicated_world,
    replication,
    statements,
    tags_of,
    write,
)

SWITCH = ["PutFileSystemPolicy", "TagResource", "TagResource", "DeleteReplicationConfiguration", "TagResource"]
BACK = ["UpdateFileSystemProtection", "CreateReplicationConfiguration", "UntagResource", "DeleteFileSystemPolicy"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return replicated_world(monkeypatch)


def outcomes(ended: object) -> set[Outcome]:
    assert isinstance(ended, dict)
    return {action.outcome for action in ended.values()}


def test_a_file_system_moves_and_comes_back_without_losing_a_write(world: World) -> None:
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        write(world, there, 1_000_000)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        # Then every call was foreseen, and none was refused
        assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen == [*SWITCH, *BACK]
        # And the target side takes writes and replicates back; the old side is its replica, open to readers again
        assert (protection(world, here), protection(world, there)) == ("ENABLED", "REPLICATING")
        assert replication(world, here) == (id_in(world, here), id_in(world, there), "ENABLED")
        assert not is_closed(world, here)
        assert statements(world, there) == []
        assert "dr:fenced" not in tags_of(file_system(world, there))
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        write(world, there, 0)
        run.end()
    assert world.refusals() == []


def test_the_replication_is_ended_only_after_a_sync_that_began_when_clients_had_fallen_silent(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    action = run.until(Phase.ACTIVATE, "note-drained")

    (drain,) = (step for step in action.steps if step.name == "drain")
    assert "covers" in drain.reason
    fenced, _, synced = tags_of(file_system(world, SOURCE))["dr:fenced"].split()
    assert synced > fenced, "the sync that counts is younger than the fence"
    assert replication(world, TARGET) == (id_in(world, SOURCE), id_in(world, TARGET), "ENABLED")


def test_clients_whose_open_connections_survive_the_fence_stop_the_run_and_the_rollback_lets_them_in(
    world: World,
) -> None:
    # Given clients that go on writing although the policy lets nobody in
    write(world, SOURCE, 500_000, despite_policy=True)
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "clients still write" in stopped.detail
    assert "stop its clients" in stopped.remedy
    assert "DeleteReplicationConfiguration" not in run.made()

    undone = run.rollback(Phase.ACTIVATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    assert statements(world, SOURCE) == []
    assert "dr:fenced" not in tags_of(file_system(world, SOURCE))
    assert protection(world, TARGET) == "REPLICATING"
    assert world.refusals() == []


def test_clients_that_stop_late_are_waited_for(world: World) -> None:
    write(world, SOURCE, 500_000, despite_policy=True)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "note-fence")
    world.wait(12)
    write(world, SOURCE, 0)
    late = world.clock.now()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    noted = tags_of(file_system(world, SOURCE))["dr:fenced"].split()[2]
    assert noted >= late.isoformat(timespec="minutes")


def test_a_policy_of_ones_own_outlives_fence_and_return(world: World) -> None:
    mine = {
        "Version": "2012-10-17",
        "Id": "mine",
        "Statement": [
            {"Sid": "Readers", "Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:ClientMount"}
        ],
    }
    world.aws("efs", SOURCE).put_file_system_policy(FileSystemId=id_in(world, SOURCE), Policy=json.dumps(mine))
    run = world.start()

    ended = run.all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    kept = world.aws("efs", SOURCE).describe_file_system_policy(FileSystemId=id_in(world, SOURCE))["Policy"]
    assert json.loads(kept) == mine
    assert [each["Sid"] for each in statements(world, TARGET)] == ["Readers"], "the target side got it too"


def test_what_is_not_replicated_is_brought_to_the_target_side_before_the_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a replica without mount targets and access points, slower than its source
    world = replicated_world(monkeypatch, target_zones=0, access_point="/data", target_access_point=False)
    world.aws("efs", TARGET).update_file_system(FileSystemId=id_in(world, TARGET), ThroughputMode="bursting")
    world.wait(1)
    run = world.start()
    assert set(run.findings) == {"mount-targets", "access-points", "throughput"}
    assert run.ready

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["CreateMountTarget", "CreateMountTarget", "CreateAccessPoint", "UpdateFileSystem"]
    assert mounts(world, TARGET) == ["available", "available"]
    (point,) = world.aws("efs", TARGET).describe_access_points(FileSystemId=id_in(world, TARGET))["AccessPoints"]
    assert point["RootDirectory"]["Path"] == "/data"
    assert point["PosixUser"] == {"Uid": 1000, "Gid": 1000}
    assert {tag["Key"] for tag in point["Tags"]} >= {"dr:execution-id", "Name"}
    assert file_system(world, TARGET)["ThroughputMode"] == "elastic"
    assert world.refusals() == []


def test_an_emergency_ends_the_replication_without_the_lost_region(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replicated_world(monkeypatch, target_zones=0)
    world.inventory()
    world.wait(20)
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    ended = run.all()

    assert loss.seconds is not None
    assert 60 < loss.seconds < 900
    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    ending = [call.params for call in world.calls() if call.operation == "DeleteReplicationConfiguration"]
    assert [each.get("DeletionMode") for each in ending] == [None, "LOCAL_CONFIGURATION_ONLY"]
    assert protection(world, TARGET) == "ENABLED"
    assert mounts(world, TARGET) == ["available", "available"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert world.refusals() == []


def test_an_emergency_with_a_source_that_answers_deletes_nothing_locally(world: World) -> None:
    world.inventory()
    run = world.start(emergency=True, AcceptDataLoss=True)

    ended = run.all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert run.made() == ["DeleteReplicationConfiguration", "TagResource"]
    assert replication(world, SOURCE) is None


def test_after_an_emergency_the_old_side_is_overwritten_only_when_its_last_writes_are_in_a_backup(
    world: World,
) -> None:
    # Given an emergency; the returned Region still holds the replication, and files that never arrived
    after_emergency(world)
    assert replication(world, SOURCE) is not None

    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    stopped = deferred.all()

    # Then the old side is fenced and freed of the replication, but not overwritten
    assert stopped[Phase.CLEANUP].outcome is Outcome.SUCCEEDED
    assert deferred.made() == ["PutFileSystemPolicy", "TagResource", "DeleteReplicationConfiguration"]
    assert is_closed(world, SOURCE)
    assert replication(world, SOURCE) is None
    assert stopped[Phase.REPLICATE].outcome is Outcome.FAILED
    assert "no sync and no backup covers its last writes" in stopped[Phase.REPLICATE].detail
    assert "start-backup-job" in stopped[Phase.REPLICATE].remedy
    assert protection(world, SOURCE) == "ENABLED"

    # When somebody backs it up
    world.wait(6)
    back_up(world, SOURCE)
    action = deferred.retry(Phase.REPLICATE)

    # Then it becomes the replica, and the data goes home
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert replication(world, TARGET) == (id_in(world, TARGET), id_in(world, SOURCE), "ENABLED")
    deferred.end()
    assert outcomes(world.start(Operation.FAILBACK).all()) == {Outcome.SUCCEEDED}
    assert protection(world, SOURCE) == "ENABLED"
    assert world.refusals() == []


def test_whoever_gives_the_old_sides_last_writes_up_says_so_by_hand(world: World) -> None:
    after_emergency(world)
    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    deferred.all()
    world.aws("efs", SOURCE).update_file_system_protection(
        FileSystemId=id_in(world, SOURCE), ReplicationOverwriteProtection="DISABLED"
    )

    action = deferred.retry(Phase.REPLICATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert protection(world, SOURCE) == "REPLICATING"


def test_a_run_that_died_after_cleanup_is_finished_by_another_that_finds_everything_noted(world: World) -> None:
    dead = world.start()
    for phase in LIFECYCLE[:3]:
        dead.phase(phase)
    dead.end()

    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = run.all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert run.made() == BACK


def test_writes_after_the_note_are_not_overwritten(world: World) -> None:
    # Given a switch, after which somebody opens the old side by hand, writes, and closes it again
    dead = world.start()
    for phase in LIFECYCLE[:3]:
        dead.phase(phase)
    dead.end()
    fenced = world.aws("efs", SOURCE).describe_file_system_policy(FileSystemId=id_in(world, SOURCE))["Policy"]
    world.aws("efs", SOURCE).delete_file_system_policy(FileSystemId=id_in(world, SOURCE))
    world.wait(5)
    world.aws("efs", SOURCE).put_file_system_policy(FileSystemId=id_in(world, SOURCE), Policy=fenced)
    write(world, SOURCE, 1_000, despite_policy=True)
    world.wait(2)

    stopped = world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert stopped.outcome is Outcome.FAILED
    assert "no sync and no backup covers its last writes" in stopped.detail


def test_a_drill_restores_a_recovery_point_beside_production_and_leaves_no_trace(world: World) -> None:
    add_points(world, TARGET, file_system(world, TARGET)["FileSystemArn"])
    before = [replication(world, region) for region in (SOURCE, TARGET)]
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    (copy,) = (each for each in file_systems(world, TARGET) if "dr:drill-id" in tags_of(each))
    assert mounts(world, TARGET, copy["FileSystemId"]) == [], "nobody reaches it"
    assert "dr:enabled" not in tags_of(copy)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
    # Somebody mounts the copy to look into it
    subnet = world.aws("ec2", TARGET).describe_subnets()["Subnets"][0]["SubnetId"]
    world.aws("efs", TARGET).create_mount_target(FileSystemId=copy["FileSystemId"], SubnetId=subnet)
    world.wait(2)
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert run.made() == [*foreseen[:-1], "DeleteMountTarget", foreseen[-1]]
    assert len(file_systems(world, TARGET)) == 1
    assert [replication(world, region) for region in (SOURCE, TARGET)] == before
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_without_recovery_points_only_looks_at_the_replica(world: World) -> None:
    run = world.start(Operation.TEST)
    assert set(run.findings) == {"no-recovery-point"}
    assert run.ready

    ended = run.all()

    assert {action.outcome for action in ended.values()} <= {Outcome.SKIPPED, Outcome.SUCCEEDED}
    assert {check.name: check.state for check in run.stage(Phase.ACTIVATE).checks} == {
        "replica": CheckState.HEALTHY,
        "mount-targets": CheckState.HEALTHY,
    }
    assert world.operations() == []


def test_a_drill_is_rolled_back_while_its_copy_is_still_restored(world: World) -> None:
    add_points(world, TARGET, file_system(world, TARGET)["FileSystemArn"])
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "drill-restore")

    assert run.rollback(Phase.INSTANTIATE).outcome is Outcome.ROLLED_BACK
    assert len(file_systems(world, TARGET)) == 1


def test_the_source_side_of_a_replication_is_never_deleted(world: World) -> None:
    run = world.start(Decommission=True)
    for phase in LIFECYCLE:
        run.phase(phase)
    approve(run, Phase.DECOMMISSION)

    assert run.phase(Phase.DECOMMISSION).outcome is Outcome.SKIPPED
    assert [len(file_systems(world, region)) for region in (SOURCE, TARGET)] == [1, 1]
