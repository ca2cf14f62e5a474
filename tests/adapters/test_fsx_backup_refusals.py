"""What FSx by backups refuses, waits for and warns of; Windows and Lustre, which nothing can make read-only."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.fsx.models import Life, Shelf
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World
from tests.support.fsx import backups, file_systems, fsx_world, in_scope, source_of, tags_of, thing, write

NAME = "files.example.com"


def aliases(world: World, region: str) -> list[str]:
    (found,) = in_scope(world, region) or file_systems(world, region)
    return [alias["Name"] for alias in found["WindowsConfiguration"]["Aliases"]]


def test_a_windows_file_system_moves_with_its_alias_and_says_what_people_must_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", aliases=[NAME], deployment="MULTI_AZ_1")
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        assert "must have stopped writing" in run.findings["writers"]
        foreseen = run.previewed_calls()

        ended = run.all()

        assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED_WITH_WARNINGS, ended[Phase.ACTIVATE].detail
        assert "service principal names" in ended[Phase.ACTIVATE].detail
        assert ended[Phase.REPLICATE].outcome is Outcome.SUCCEEDED
        assert run.made() == foreseen
        assert aliases(world, here) == [NAME]
        old = [each for each in file_systems(world, there) if "dr:fenced" in tags_of(each)]
        assert [each["WindowsConfiguration"]["Aliases"] for each in old] == [[]]
        (now,) = in_scope(world, here)
        assert now["WindowsConfiguration"]["DeploymentType"] == "MULTI_AZ_1"
        run.end()
    assert world.refusals() == []


def test_emergency_gives_the_alias_that_the_inventory_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", aliases=[NAME])
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()
    run.end()

    assert aliases(world, TARGET) == [NAME]
    # And when the lost Region is back, the alias is taken off the old one before that leaves the scope
    world.repair()
    ended = world.start(Phases=["CLEANUP", "REPLICATE"]).all()
    assert ended[Phase.REPLICATE].outcome is Outcome.SUCCEEDED, ended
    assert aliases(world, SOURCE) == []
    assert world.refusals() == []


def test_a_planned_move_waits_for_clients_to_stop_and_then_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", aliases=[NAME])
    write(world, SOURCE, source_of(world), 1_000_000)
    run = world.start()

    action = run.phase(Phase.ACTIVATE)

    # Then nothing was backed up, and the alias can be given back
    assert action.outcome is Outcome.FAILED
    assert "quiet" in action.detail
    assert "stop its clients" in action.remedy
    assert "CreateBackup" not in run.made()
    assert run.rollback(Phase.ACTIVATE).outcome in {Outcome.ROLLED_BACK, Outcome.SUCCEEDED_WITH_WARNINGS}
    assert aliases(world, SOURCE) == [NAME]
    run.end()
    # And it moves once they have stopped
    write(world, SOURCE, source_of(world), 0)
    world.wait(5)
    assert world.start().phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED_WITH_WARNINGS


def test_a_write_after_the_last_backup_began_is_not_lost_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", aliases=[NAME])
    run = world.start()
    run.until(Phase.ACTIVATE, "last-backup")
    write(world, SOURCE, source_of(world), 512)
    world.wait(2)
    write(world, SOURCE, source_of(world), 0)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "still-quiet" in action.detail
    assert "must be taken anew" in action.remedy
    assert in_scope(world, TARGET) == []


def test_lustre_without_s3_moves_by_backup_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="LUSTRE")
    run = world.start()
    assert run.ready, run.findings

    ended = run.all()

    assert {action.outcome for action in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
    assert in_scope(world, TARGET)[0]["LustreConfiguration"]["DeploymentType"] == "PERSISTENT_2"


def test_without_a_landing_place_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, landing=False)
    run = world.start()

    assert not run.ready
    assert "which subnets of us-west-2" in run.findings["no-landing"]


@pytest.mark.parametrize(
    ("tag", "value", "code", "words"),
    [
        ("dr:restore-subnets", "subnet-00000000", "landing", "subnet subnet-00000000 does not exist"),
        ("dr:restore-security-groups", "sg-00000000", "landing", "security group sg-00000000 does not exist"),
        ("dr:restore-key", "arn:aws:kms:us-west-2:222222222222:key/none", "kms-key", "is not there, expected Enabled"),
        ("dr:restore-directory", "d-1234567890", "landing", "directory d-1234567890 is not there"),
    ],
)
def test_what_the_target_region_lacks_is_red(
    monkeypatch: pytest.MonkeyPatch, tag: str, value: str, code: str, words: str
) -> None:
    world = fsx_world(monkeypatch)
    arn = file_systems(world, SOURCE)[0]["ResourceARN"]
    world.aws("fsx", SOURCE).tag_resource(ResourceARN=arn, Tags=[{"Key": tag, "Value": value}])
    run = world.start()

    assert not run.ready
    assert words in run.findings[code]
    assert world.refusals() == []


def test_multi_az_needs_two_subnets(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", deployment="MULTI_AZ_1")
    found = file_systems(world, SOURCE)[0]
    one = tags_of(found)["dr:restore-subnets"].split()[0]
    tag = {"Key": "dr:restore-subnets", "Value": one}
    world.aws("fsx", SOURCE).tag_resource(ResourceARN=found["ResourceARN"], Tags=[tag])

    run = world.start()

    assert not run.ready
    assert "needs 2 subnet(s), 1 are named" in run.findings["subnets"]


def test_old_copies_are_judged_against_the_rpo_and_slow_restores_against_the_rto(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = fsx_world(monkeypatch, tags={"dr:rpo-target": "30", "dr:rto-target": "30"})

    planned = world.start()
    assert planned.ready, "a planned move takes a backup of its own"
    assert "dr:rpo-target is 30 min" in planned.findings["rpo"]
    assert "a restore takes about 75 min" in planned.findings["rto"]
    planned.end()
    drill = world.start(Operation.TEST)

    assert not drill.ready
    assert "dr:rpo-target is 30 min" in drill.findings["rpo"]


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [
        ("OPENZFS", {"StorageType": "INTELLIGENT_TIERING"}, "not-copyable"),
        ("LUSTRE", {"LustreConfiguration": {"DeploymentType": "SCRATCH_2"}}, "no-backups"),
        ("OPENZFS", {"Lifecycle": "MISCONFIGURED"}, "source-status"),
    ],
)
def test_sources_that_cannot_be_backed_up_are_red(
    monkeypatch: pytest.MonkeyPatch, kind: str, changes: dict[str, Any], code: str
) -> None:
    world = fsx_world(monkeypatch, type=kind)
    thing(world, SOURCE, Shelf.FILE_SYSTEMS, source_of(world)).shape.update(changes)

    run = world.start()

    assert not run.ready
    assert code in run.findings


@pytest.mark.parametrize("life", ["MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE", "FAILED"])
def test_every_failure_status_of_a_restored_file_system_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, life: str
) -> None:
    world = fsx_world(monkeypatch)
    run = world.start()
    run.until(Phase.ACTIVATE, "restore")
    restored = thing(world, TARGET, Shelf.FILE_SYSTEMS, in_scope(world, TARGET)[0]["FileSystemId"])
    restored.shape.update({"Lifecycle": life, "FailureDetails": {"Message": "no address is free"}})

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "no address is free" in action.detail
    assert action.remedy


def test_a_state_nobody_knows_is_an_error_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start()
    run.until(Phase.ACTIVATE, "restore")
    restored = thing(world, TARGET, Shelf.FILE_SYSTEMS, in_scope(world, TARGET)[0]["FileSystemId"])
    restored.shape["Lifecycle"] = "PONDERING"

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "PONDERING: this state is not known" in action.detail


def test_a_volume_that_cannot_be_made_read_only_fails_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    world.fault(effect="fail", kind="fsx.update-volume")
    run = world.start()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "the change ended FAILED" in action.detail
    assert "CreateBackup" not in run.made()


def test_an_alias_that_cannot_be_given_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, type="WINDOWS", aliases=[NAME])
    world.fault(effect="fail", kind="fsx.associate-alias")
    run = world.start()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"{NAME} is CREATE_FAILED" in action.detail


def test_the_source_is_not_retired_before_its_successor_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "stays in service" in action.detail
    assert world.operations() == []


def test_emergency_without_any_copy_says_so_and_creates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch, backups=1)
    world.inventory()
    (copy,) = backups(world, TARGET, source_of(world))
    thing(world, TARGET, Shelf.BACKUPS, copy["BackupId"]).life = Life.FAILED
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert [loss.seconds for loss in run.plan.losses] == [None]

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "no backup of files has arrived in us-west-2" in action.detail
    assert world.operations() == []
