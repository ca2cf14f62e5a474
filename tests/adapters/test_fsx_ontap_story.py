"""ONTAP volumes that follow each other by SnapMirror, through the real engine: fenced, carried over, broken off, mounted, turned."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World, open_world
from tests.support.fsx import tags_of
from tests.support.ontap import (
    files,
    mirrors,
    ontap_volume,
    put_file,
    run_short,
    shown,
    start_transfer,
    volume,
    write,
)


def ontap_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return open_world(monkeypatch, {"kind": "fsx-ontap", "name": "files", **settings})


def test_volumes_move_and_come_back_and_each_time_the_other_side_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two volumes, one mounted inside the other, and clients that write
    world = ontap_world(monkeypatch, volumes={"data": "/data", "deep": "/data/deep"})
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        put_file(world, there, "data", f"before-{operation}")
        run = world.start(operation)
        assert run.ready, run.findings

        # When the run moves them
        ended = run.all()

        # Then everything that was written is there, clients write there, and what they left follows
        assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
        for name, path in (("data", "/data"), ("deep", "/data/deep")):
            serving, standby = ontap_volume(world, here, name), ontap_volume(world, there, name)
            assert (serving["type"], serving["nas"]) == ("rw", {"path": path})
            assert (standby["type"], standby["nas"]) == ("dp", {})
            assert "dr:fenced" not in tags_of(shown(world, here, name))
        assert f"before-{operation}" in files(world, here, "data")
        assert [(m["state"], m["healthy"]) for m in mirrors(world, there)] == [("snapmirrored", True)] * 2
        put_file(world, here, "deep", f"after-{operation}")
        world.wait(10)
        assert f"after-{operation}" in files(world, there, "deep")
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_who_writes_through_an_old_handle_is_waited_for_and_carried_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a client that holds a file handle, which unmounting does not take away, and writes on
    world = ontap_world(monkeypatch, schedule_minutes=0)
    client = volume(world, SOURCE, "data")
    client.notes["open_handles"] = True
    write(world, client, 1_000)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "fence-files-data")
    put_file(world, SOURCE, "data", "late")
    for _ in range(8):
        waiting = run.tick(Phase.ACTIVATE)
    assert "bytes a minute" in waiting.steps[[s.name for s in waiting.steps].index("quiet")].reason
    # When it stops
    write(world, client, 0)

    # Then the last transfer carries what it wrote, and only then the mirror is broken
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    made = run.made(Phase.ACTIVATE)
    assert made[:2] == ["TagResource", "UnmountVolume"]
    assert made[-5:] == ["TransferMirror", "TagResource", "PauseMirror", "BreakMirror", "UpdateVolume"]
    assert "late" in files(world, TARGET, "data")


def test_who_never_stops_writing_stops_the_run_before_the_break(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    write(world, volume(world, SOURCE, "data"), 1_000)

    action = world.start().phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "stop its clients" in action.remedy
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"]


def test_emergency_breaks_at_once_and_reports_the_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a mirror that is updated every hour, a transfer under way, and then a dark Region
    world = ontap_world(monkeypatch, schedule_minutes=60)
    put_file(world, SOURCE, "data", "old")
    world.wait(61)
    put_file(world, SOURCE, "data", "new")
    world.wait(30)
    world.inventory()
    start_transfer(world, TARGET)
    world.darken(SOURCE)
    world.local.call_log.clear()

    # When the target takes over
    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    # Then nothing is asked of the source, what had arrived is served, and the lag is the loss
    (loss,) = run.plan.losses
    assert loss.seconds is not None
    assert 28 * 60 < loss.seconds < 40 * 60
    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert run.made() == ["AbortTransfer", "PauseMirror", "BreakMirror", "UpdateVolume"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert files(world, TARGET, "data") == {"old"}
    assert ontap_volume(world, TARGET, "data")["nas"] == {"path": "/data"}
    assert world.refusals() == []


def test_what_parted_from_the_new_side_is_backed_up_before_it_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an emergency, and a source that comes back with what never arrived
    world = ontap_world(monkeypatch)
    world.inventory()
    put_file(world, SOURCE, "data", "lost")
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
    assert ontap_volume(world, SOURCE, "data")["nas"] == {}
    refused = run.phase(Phase.REPLICATE)

    # Then nothing is overwritten; with it, only after a backup
    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert "lost" in files(world, SOURCE, "data")
    assert run.commit().retry(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert run.made(Phase.REPLICATE) == ["CreateBackup", "CreateMirror", "ResyncMirror"]
    (kept,) = world.aws("fsx", SOURCE).describe_backups()["Backups"]
    assert (kept["Volume"]["Name"], kept["Lifecycle"]) == ("data", "AVAILABLE")
    assert "lost" not in files(world, SOURCE, "data")
    assert world.refusals() == []
    # And that backup stands for nothing in the next inventory
    run.end()
    assert world.start(Operation.FAILBACK).ready


def test_a_drill_clones_the_mirrors_and_leaves_them_following(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    put_file(world, SOURCE, "data", "today")
    world.wait(10)
    run = world.start(Operation.TEST)
    assert run.ready, run.findings

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    name = f"drill_{run_short(run)}_data"
    assert ontap_volume(world, TARGET, name)["nas"] == {"path": f"/{name}"}
    assert files(world, TARGET, name) == {"today"}
    run.phase(Phase.ACTIVATE)
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert run.made() == ["CreateClone", "UnmountClone", "DeleteClone"]
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"]
    names = [v["Name"] for v in world.aws("fsx", TARGET).describe_volumes()["Volumes"]]
    assert names == ["files_root", "data"]
    assert world.refusals() == []


def test_rollback_lets_the_target_follow_again_until_it_was_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a break that went through and a mount that did not
    world = ontap_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="fsx.update-volume")
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "mount-files-data" in failed.detail
    assert [m["state"] for m in mirrors(world, TARGET)] == ["broken_off"]
    world.repair()

    # When it is rolled back
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK

    # Then all is as before
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"]
    assert ontap_volume(world, SOURCE, "data")["nas"] == {"path": "/data"}
    assert not {"dr:fenced", "dr:carried"} & set(tags_of(shown(world, SOURCE, "data")))
    # And once the target is mounted only a failback leads back
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    refused = run.rollback(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "takes writes" in refused.detail
    assert "failback" in refused.remedy
    assert world.refusals() == []


def test_rollback_of_an_emergency_resumes_what_was_only_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    run.until(Phase.ACTIVATE, "pause-files-data")
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"]


def test_volume_that_nobody_follows_is_made_to_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given peered virtual machines and no relationship
    world = ontap_world(monkeypatch, mirrored=False)
    put_file(world, SOURCE, "data", "first")
    run = world.start()
    assert run.ready, run.findings
    assert "INSTANTIATE makes one" in run.findings["no-mirror"]

    # When the run makes what is missing
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED

    # Then it follows, and the move goes on as ever
    assert run.made(Phase.INSTANTIATE) == ["CreateVolume", "CreateMirror", "InitializeMirror"]
    assert tags_of(shown(world, TARGET, "data")) == {"dr:execution-id": run.run_id}
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert files(world, TARGET, "data") == {"first"}
    assert world.refusals() == []
