"""What stops a move by SnapMirror: functions and secrets that are missing, mirrors in trouble, changes that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from localaws.services.fsx.models import Shelf
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.test_fsx_ontap_story import ontap_world
from tests.support.driver import SOURCE, TARGET, World
from tests.support.fsx import file_systems, source_of, thing
from tests.support.ontap import home, mirror, mirrors, ontap_volume, volume, write


def test_without_the_functions_it_is_red_with_the_command_and_nothing_else_is_held_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a target VPC without the functions
    world = ontap_world(monkeypatch)
    world.aws("lambda", TARGET).delete_function(FunctionName="dr-ontap-read")

    # When a run is planned
    run = world.start()

    # Then discovery does not refuse the scope, and readiness names the command, ready to paste
    assert not run.ready
    (finding,) = (each for each in run.run.findings if each.code == "target-ontap")
    assert "there is no function dr-ontap-read in its VPC" in finding.message
    assert "aws cloudformation deploy --region us-west-2 --stack-name dr-probe" in finding.remedy
    assert "secret:files-fsxadmin-*" in finding.remedy
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "aws cloudformation deploy" in action.remedy
    assert world.operations() == []


def test_without_a_secret_it_is_red_with_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ontap_world(monkeypatch, secret=False).start()

    assert not run.ready
    (finding,) = (each for each in run.run.findings if each.code == "source-ontap")
    assert "Key=dr:ontap-secret" in finding.remedy


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ({"password": "another", "certificate": "as it is"}, "not authorized"),
        ({"password": "a-Password-1", "certificate": "another"}, "is not trusted"),
        ({"password": "a-Password-1"}, "neither a certificate nor a ca"),
        ({"certificate": "as it is"}, "no JSON with a password"),
    ],
)
def test_a_secret_that_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, secret: dict[str, str], words: str
) -> None:
    world = ontap_world(monkeypatch)
    secrets = world.aws("secretsmanager", TARGET)
    kept = json.loads(secrets.get_secret_value(SecretId="files-fsxadmin")["SecretString"])
    if secret.get("certificate") == "as it is":
        secret = {**secret, "certificate": kept["certificate"]}
    secrets.put_secret_value(SecretId="files-fsxadmin", SecretString=json.dumps(secret))

    run = world.start()

    assert not run.ready
    assert words in run.findings["unreadable"]


def lags(world: World) -> None:
    mirror(world, TARGET).minutes = None
    world.wait(30)


def unpeered(world: World) -> None:
    home(world, TARGET).notes["svm_peering"] = "suspended"


def unreachable(world: World) -> None:
    home(world, TARGET).notes["cluster_peering"] = "unavailable"


def luns(world: World) -> None:
    volume(world, SOURCE, "data").notes["luns"] = ["lun1"]


def machine(world: World) -> None:
    fsx: Any = world.local.service("fsx")
    (found,) = fsx.shelf("222222222222", TARGET, Shelf.MACHINES).values()
    found.fail("no route")


def misconfigured(world: World) -> None:
    home(world, SOURCE).shape["Lifecycle"] = "MISCONFIGURED"


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (lags, "rpo", "dr:rpo-target is 15 min"),
        (unpeered, "peering", "suspended, expected peered"),
        (unreachable, "peering", "unavailable, expected available"),
        (luns, "block-storage", "clients of block storage cannot be shut out"),
        (machine, "target-machine", "is FAILED (no route), expected CREATED"),
        (misconfigured, "source-status", "is MISCONFIGURED, expected AVAILABLE"),
        (lambda w: setattr(mirror(w, TARGET), "state", "paused"), "mirror-state", "is paused, expected snapmirrored"),
        (lambda w: setattr(mirror(w, TARGET), "policy", "StrictSync"), "policy", "expected async"),
        (lambda w: volume(w, TARGET, "data").notes.update(state="offline"), "volume-status", "is offline"),
        (lambda _: None, "rto", "dr:rto-target is 5"),
    ],
)
def test_what_readiness_finds(
    monkeypatch: pytest.MonkeyPatch, trouble: Callable[[World], None], code: str, words: str
) -> None:
    world = ontap_world(monkeypatch, tags={"dr:rpo-target": "15", "dr:rto-target": "5"})
    trouble(world)

    run = world.start()

    assert words in run.findings[code]
    assert run.ready is (code in {"rpo", "rto"})


def test_a_mirror_that_is_not_healthy_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch, schedule_minutes=0)
    mirror(world, TARGET).trouble = "Transfer failed."
    run = world.start()
    assert not run.ready
    assert "is not healthy (Transfer failed.)" in run.findings["unhealthy"]


def test_without_peers_nothing_can_be_made_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ontap_world(monkeypatch, mirrored=False, peered=False).start()
    assert not run.ready
    assert "vserver peer create" in next(f.remedy for f in run.run.findings if f.code == "no-mirror")


def test_a_transfer_that_fails_stops_before_the_break_and_can_be_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch, schedule_minutes=0)
    world.fault(effect="fail", kind="fsx.snapmirror-transfer")
    run = world.start()
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "failed (Transfer failed.)" in action.detail
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"]
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert ontap_volume(world, SOURCE, "data")["nas"] == {"path": "/data"}


def test_a_write_after_the_last_transfer_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a mirror that is paused, and a client that writes once more through an old handle
    world = ontap_world(monkeypatch, schedule_minutes=0)
    run = world.start()
    run.until(Phase.ACTIVATE, "pause-files-data")
    write(world, volume(world, SOURCE, "data"), 500)
    world.wait(2)
    write(world, volume(world, SOURCE, "data"), 0)
    world.wait(6)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "something was written since" in action.detail
    assert "answer rollback" in action.remedy
    assert [m["state"] for m in mirrors(world, TARGET)] == ["paused"]


def test_a_resync_that_fails_and_a_volume_that_cannot_be_made_end_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ontap_world(monkeypatch)
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        assert run.phase(phase).outcome in {Outcome.SUCCEEDED, Outcome.SKIPPED}
    world.fault(effect="fail", kind="fsx.snapmirror-resync")
    action = run.phase(Phase.REPLICATE)
    assert action.outcome is Outcome.FAILED
    assert "the resync failed" in action.detail
    world.repair()
    assert run.retry(Phase.REPLICATE).outcome is Outcome.SUCCEEDED

    other = ontap_world(monkeypatch, mirrored=False)
    other.fault(effect="fail", kind="fsx.create-volume")
    made = other.start().phase(Phase.INSTANTIATE)
    assert made.outcome is Outcome.FAILED
    assert "is FAILED" in made.detail
    assert "delete it" in made.remedy


def test_the_source_is_not_fenced_by_cleanup_while_the_target_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)
    assert action.outcome is Outcome.FAILED
    assert "stays open" in action.detail
    assert ontap_volume(world, SOURCE, "data")["nas"] == {"path": "/data"}


def test_breaking_a_mirror_that_is_mounted_asks_for_the_commitment(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    fsx: Any = world.local.service("fsx")
    fsx.set_volume(volume(world, TARGET, "data"), JunctionPath="/data")
    action = world.start(commit=False).phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "commit gate" in action.detail
    assert [m["state"] for m in mirrors(world, TARGET)] == ["snapmirrored"], "nothing was begun"


def test_a_copy_of_another_drill_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    first = world.start(Operation.TEST)
    first.phase(Phase.INSTANTIATE)
    first.end()
    second = world.start(Operation.TEST)
    second.all()
    drills = [
        v["Name"] for v in world.aws("fsx", TARGET).describe_volumes()["Volumes"] if v["Name"].startswith("drill")
    ]
    assert len(drills) == 1


def test_deleting_the_old_side_is_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ontap_world(monkeypatch)
    run = world.start(Decommission=True)
    ended = run.all()
    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert ":data" in ended[Phase.DECOMMISSION].detail
    assert "is the new standby and of type DP, of which FSx takes no final backup" in ended[Phase.DECOMMISSION].detail
    # And AWS, asked for such a backup, declines
    fsx = world.aws("fsx", SOURCE)
    with pytest.raises(fsx.exceptions.BadRequest, match="DP"):
        fsx.create_backup(VolumeId=volume(world, SOURCE, "data").id)
    assert [each["FileSystemId"] for each in file_systems(world, SOURCE)] == [source_of(world)]
    assert thing(world, SOURCE, Shelf.FILE_SYSTEMS, source_of(world)).shape["Lifecycle"] == "AVAILABLE"
