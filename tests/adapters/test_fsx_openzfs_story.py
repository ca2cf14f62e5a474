"""OpenZFS volumes that follow each other, through the real engine: fenced, copied once more, opened, and turned round."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.fsx.models import Shelf
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World
from tests.support.fsx import backups, file_systems, fsx_world, source_of, tags_of, thing


def zfs_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return fsx_world(monkeypatch, standby=True, backups=0, **settings)


def volume(world: World, region: str, name: str = "data") -> dict[str, Any]:
    found = world.aws("fsx", region).describe_volumes()["Volumes"]
    (one,) = (each for each in found if each["Name"] == name)
    return dict(one)


def writable(world: World, region: str) -> bool:
    return not volume(world, region)["OpenZFSConfiguration"]["ReadOnly"]


def snapshots(world: World, region: str) -> list[str]:
    return [each["Name"] for each in world.aws("fsx", region).describe_snapshots()["Snapshots"]]


def test_volumes_move_and_come_back_and_each_time_the_other_side_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
        assert run.made() == foreseen
        assert writable(world, here)
        assert not writable(world, there)
        follows = volume(world, there)["OpenZFSConfiguration"]["SourceSnapshotARN"]
        assert f":{here}:" in follows, "the side that was left follows the one that serves"
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        (serving,) = file_systems(world, here)
        assert "dr:fenced" not in tags_of(serving)
        run.end()
    assert world.refusals() == []


def test_the_last_snapshot_is_taken_behind_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    assert writable(world, SOURCE), "the first copy is made while clients go on writing"

    run.phase(Phase.ACTIVATE)

    made = run.made(Phase.ACTIVATE)
    assert made == ["TagResource", "UpdateVolume", "CreateSnapshot", "CopySnapshotAndUpdateVolume", "UpdateVolume"]


def test_emergency_opens_what_has_arrived_and_reports_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    world.wait(45)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    (loss,) = run.plan.losses
    assert loss.seconds is not None
    assert 44 * 60 < loss.seconds < 60 * 60
    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert world.operations() == ["UpdateVolume"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert writable(world, TARGET)


def test_what_parted_from_the_new_side_is_backed_up_before_it_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an emergency, and a source that was written to until the end
    world = zfs_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    # When a planned move is asked, a person must tell which side is current
    asked = world.start()
    assert not asked.ready
    assert "takes writes on both sides" in asked.findings["both-open"]
    assert asked.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    asked.end()
    # When the deferred phases run without the commitment
    run = world.start(Phases=["CLEANUP", "REPLICATE"], commit=False)
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert not writable(world, SOURCE)
    refused = run.phase(Phase.REPLICATE)

    # Then nothing is overwritten; with it, only after a backup
    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert "CopySnapshotAndUpdateVolume" not in run.made(Phase.REPLICATE)
    assert run.commit().retry(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    made = run.made(Phase.REPLICATE)
    assert made.index("CreateBackup") < made.index("CopySnapshotAndUpdateVolume")
    assert backups(world, SOURCE, source_of(world))[-1]["Lifecycle"] == "AVAILABLE"
    copied = [call for call in world.calls() if call.operation == "CopySnapshotAndUpdateVolume"]
    assert copied[-1].params["Options"] == ["DELETE_INTERMEDIATE_SNAPSHOTS", "DELETE_INTERMEDIATE_DATA"]
    assert world.refusals() == []


def test_a_drill_clones_the_newest_snapshot_and_leaves_the_standby_following(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    run = world.start(Operation.TEST)

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    found = world.aws("fsx", TARGET).describe_volumes()["Volumes"]
    (clone,) = (each for each in found if "dr:drill-id" in tags_of(each))
    assert clone["OpenZFSConfiguration"]["OriginSnapshot"]["CopyStrategy"] == "CLONE"
    run.phase(Phase.ACTIVATE)
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert world.operations() == ["CreateVolume", "DeleteVolume"]
    assert not writable(world, TARGET)
    assert [each["Name"] for each in world.aws("fsx", TARGET).describe_volumes()["Volumes"]] == ["fsx", "data"]


def test_rollback_opens_the_source_again_until_the_target_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="fsx.copy-snapshot")
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "last-copy-fsx-data" in failed.detail
    assert "FAILED" in failed.detail
    assert not writable(world, SOURCE)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK

    assert writable(world, SOURCE)
    assert "dr:fenced" not in tags_of(file_systems(world, SOURCE)[0])
    # And a retry without the fault goes through; from then on only a failback leads back
    world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    refused = run.rollback(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "takes writes already" in refused.detail
    assert "failback" in refused.remedy
    assert writable(world, TARGET)
    assert world.refusals() == []


def test_opening_asks_for_the_commitment(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)

    action = world.start(commit=False).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "commit gate" in action.detail
    assert not writable(world, TARGET)


def test_a_volume_that_is_read_only_in_normal_times_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    root = file_systems(world, SOURCE)[0]["OpenZFSConfiguration"]["RootVolumeId"]
    world.aws("fsx", SOURCE).create_volume(
        VolumeType="OPENZFS", Name="archive", OpenZFSConfiguration={"ParentVolumeId": root, "ReadOnly": True}
    )
    world.wait(3)
    run = world.start()
    assert run.ready, run.findings

    ended = run.all()
    assert ended[Phase.REPLICATE].outcome is Outcome.SUCCEEDED, ended
    run.end()

    # And after the way back it is as it was
    assert world.start(Operation.FAILBACK).all()[Phase.REPLICATE].outcome is Outcome.SUCCEEDED
    assert volume(world, SOURCE, "archive")["OpenZFSConfiguration"]["ReadOnly"] is True
    assert snapshots(world, SOURCE).count("dr-base") == 1


def test_a_copy_waits_for_another_one_into_the_same_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    made = world.aws("fsx", SOURCE).create_snapshot(Name="hourly", VolumeId=volume(world, SOURCE)["VolumeId"])[
        "Snapshot"
    ]
    world.wait(2)
    run = world.start()
    world.aws("fsx", TARGET).copy_snapshot_and_update_volume(
        VolumeId=volume(world, TARGET)["VolumeId"],
        SourceSnapshotARN=made["ResourceARN"],
        CopyStrategy="INCREMENTAL_COPY",
    )

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("mbps", "deployment", "needed"),
    [(128, "SINGLE_AZ_2", 160), (160, "SINGLE_AZ_1", 256), (160, "SINGLE_AZ_HA_1", 256)],
)
def test_too_little_throughput_is_red(monkeypatch: pytest.MonkeyPatch, mbps: int, deployment: str, needed: int) -> None:
    run = zfs_world(monkeypatch, throughput_mbps=mbps, deployment=deployment).start()

    assert not run.ready
    assert f"replication needs {needed}" in run.findings["throughput"]


def test_a_volume_without_counterpart_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)
    root = file_systems(world, SOURCE)[0]["OpenZFSConfiguration"]["RootVolumeId"]
    world.aws("fsx", SOURCE).create_volume(
        VolumeType="OPENZFS", Name="new", OpenZFSConfiguration={"ParentVolumeId": root}
    )
    world.wait(3)
    run = world.start()

    assert not run.ready
    assert "has no volume /fsx/new" in run.findings["no-volume"]
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert writable(world, SOURCE), "nothing was fenced"


def test_snapshots_of_its_own_on_the_standby_and_stale_copies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch, tags={"dr:rpo-target": "15", "dr:rto-target": "5"})
    world.aws("fsx", TARGET).create_snapshot(Name="mine", VolumeId=volume(world, TARGET)["VolumeId"])
    world.wait(30)
    run = world.start()

    assert not run.ready
    assert "mine" in run.findings["own-snapshots"]
    assert "dr:rpo-target is 15 min" in run.findings["rpo"]
    assert "dr:rto-target is 5 min" in run.findings["rto"]


@pytest.mark.parametrize("life", ["FAILED", "MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE"])
def test_a_standby_in_trouble_is_red_and_stops_the_run_before_the_fence(
    monkeypatch: pytest.MonkeyPatch, life: str
) -> None:
    world = zfs_world(monkeypatch)
    standby = thing(world, TARGET, Shelf.FILE_SYSTEMS, file_systems(world, TARGET)[0]["FileSystemId"])
    standby.shape["Lifecycle"] = life
    run = world.start()

    assert not run.ready
    assert life in run.findings["status"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert writable(world, SOURCE)


@pytest.mark.parametrize("status", ["PAUSED", "CANCELLED"])
def test_a_copy_that_was_paused_or_cancelled_fails_with_that_word(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    world = zfs_world(monkeypatch)
    run = world.start()
    run.until(Phase.INSTANTIATE, "base-copy-fsx-data")
    standby = thing(world, TARGET, Shelf.VOLUMES, volume(world, TARGET)["VolumeId"])
    world.fault(effect="stuck", kind="fsx.copy-snapshot")
    standby.shape["AdministrativeActions"][0]["Status"] = status

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert status in action.detail
    assert action.remedy


def test_the_source_is_not_fenced_by_cleanup_while_the_target_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zfs_world(monkeypatch)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "stays open" in action.detail
    assert writable(world, SOURCE)
