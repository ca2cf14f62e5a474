"""Rare states of a move by SnapMirror: what is missing, unknown, left out, or past the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localaws.services.fsx.models import Shelf
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.test_fsx_ontap_story import ontap_world
from tests.support.driver import APPS, SOURCE, TARGET
from tests.support.ontap import home, mirror, mirrors, ontap_volume, put_file, shown, volume


def test_emergency_does_not_break_what_never_got_its_first_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    mirror(world, TARGET).state = "uninitialized"
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "expected snapmirrored" in run.findings["mirror-state"]
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "never got its first transfer" in action.detail
    assert run.made() == []


def test_emergency_that_broke_a_mirror_cannot_follow_again_without_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    run.until(Phase.ACTIVATE, "break-files-data")
    action = run.rollback(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "following again needs the source" in action.detail
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_state_that_nobody_documented_is_an_error_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    run = world.start()
    mirror(world, TARGET).state = "expanding"
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "is expanding: this state is not known" in action.detail


def test_file_system_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    run = world.start()
    fsx: Any = world.local.service("fsx")
    fsx.drop(Shelf.FILE_SYSTEMS, home(world, TARGET))
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "there is no file system fs-" in action.detail


@pytest.mark.parametrize("life", ["FAILED", "MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE"])
def test_standby_in_trouble_stops_the_run_before_the_fence(monkeypatch: pytest.MonkeyPatch, life: str) -> None:
    world = ontap_world(monkeypatch)
    home(world, TARGET).shape["Lifecycle"] = life
    run = world.start()
    assert life in run.findings["target-status"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert ontap_volume(world, SOURCE, "data")["nas"] == {"path": "/data"}


def test_volume_that_is_tagged_to_stay_is_left_alone_and_one_that_is_mounted_nowhere_moves_unmounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ontap_world(monkeypatch, volumes={"data": "/data", "archive": "/archive"})
    fsx: Any = world.local.service("fsx")
    stays = shown(world, SOURCE, "archive")
    for each in [m for m in fsx.mirrors.values() if m.source.shape["Name"] == "archive"]:
        del fsx.mirrors[each.uuid]
    world.aws("fsx", SOURCE).tag_resource(
        ResourceARN=stays["ResourceARN"], Tags=[{"Key": "dr:enabled", "Value": "false"}]
    )
    fsx.set_volume(volume(world, SOURCE, "data"), JunctionPath=None)
    world.wait(3)
    run = world.start()
    assert run.ready, run.findings

    ended = run.all()

    assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
    assert ontap_volume(world, SOURCE, "archive")["nas"] == {"path": "/archive"}
    moved = ontap_volume(world, TARGET, "data")
    assert (moved["type"], moved["nas"]) == ("rw", {})
    assert "UnmountVolume" not in run.made()


def test_path_that_no_tag_can_hold_is_not_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/{'deep' * 60}"
    world = ontap_world(monkeypatch, volumes={"data": path})
    action = world.start().phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "does not fit into the tag" in action.detail
    assert ontap_volume(world, SOURCE, "data")["nas"] == {"path": path}


def test_backup_that_fails_keeps_what_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a source that was left in an emergency
    world = ontap_world(monkeypatch)
    world.inventory()
    put_file(world, SOURCE, "data", "lost")
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    run.phase(Phase.CLEANUP)
    # When its backup fails
    world.fault(effect="fail", kind="fsx.create-backup")
    action = run.phase(Phase.REPLICATE)
    # Then nothing is overwritten until a new one is there
    assert action.outcome is Outcome.FAILED
    assert "expected AVAILABLE" in action.detail
    assert mirrors(world, SOURCE) == []
    world.repair()
    assert run.retry(Phase.REPLICATE).outcome is Outcome.SUCCEEDED


def test_drill_of_a_mirror_without_a_snapshot_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch, schedule_minutes=0)
    run = world.start(Operation.TEST)
    followed = mirror(world, TARGET)
    kept, followed.snapshot_at = followed.snapshot_at, None
    action = run.phase(Phase.INSTANTIATE)
    assert "has no snapshot to be cloned" in action.detail
    followed.snapshot_at = kept
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED


def test_drill_whose_clone_is_not_online_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "drill-volume-files-data")
    fsx: Any = world.local.service("fsx")
    (clone,) = (v for v in fsx.shelf(APPS, TARGET, Shelf.VOLUMES).values() if "clone_of" in v.notes)
    clone.notes["state"] = "offline"
    failed = run.phase(Phase.INSTANTIATE)
    assert failed.outcome is Outcome.FAILED
    assert "is offline and rw" in failed.detail


def test_clients_are_looked_for_where_the_virtual_machine_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    world = ontap_world(monkeypatch)
    run = world.start()

    def connect(_run: Any, _account: str, _region: str, ends: Any) -> list[Any]:
        asked.extend(ends)
        return []

    run.platform = replace(run.platform, connect=connect)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE):
        run.phase(phase)
    assert {each.port for each in asked} == {2049}
    assert all(each.host.startswith("svm-") and each.host.endswith(f"fsx.{TARGET}.amazonaws.com") for each in asked)
