"""FSx by backups, through the real engine: fenced, backed up, copied, restored elsewhere, and nothing deleted unasked."""

from __future__ import annotations

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET
from tests.support.fsx import approve, backups, file_systems, fsx_world, in_scope, read_only, source_of, tags_of, write


def test_a_file_system_moves_and_comes_back_without_losing_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file system whose backups are copied to the other Region
    world = fsx_world(monkeypatch)
    (old,) = file_systems(world, SOURCE)
    serving = old["FileSystemId"]
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        # When it moves
        ended = run.all()

        # Then it was restored from a backup that began behind the fence
        assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
        assert run.made() == foreseen
        fenced, backed_up = (
            run.made(Phase.ACTIVATE).index("UpdateVolume"),
            run.made(Phase.ACTIVATE).index("CreateBackup"),
        )
        assert fenced < backed_up
        # And it serves with its size, writable
        (now,) = in_scope(world, here)
        assert now["Lifecycle"] == "AVAILABLE"
        assert now["OpenZFSConfiguration"]["ThroughputCapacity"] == 160
        assert read_only(world, here, now["FileSystemId"]) == [False]
        # And the old one is still there, read-only and out of the scope
        assert in_scope(world, there) == []
        assert read_only(world, there, serving) == [True]
        # And the new one is copied back
        assert backups(world, there, now["FileSystemId"])[-1]["Lifecycle"] == "AVAILABLE"
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        serving = now["FileSystemId"]
        run.end()
    assert world.refusals() == []


def test_emergency_restores_the_newest_copy_and_asks_nothing_of_the_lost_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = fsx_world(monkeypatch)
    world.inventory()
    world.wait(30)
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    ended = run.all()

    # The newest copy's data is an hour and half an hour old
    assert loss.seconds is not None
    assert 5300 < loss.seconds < 5600
    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert world.operations() == ["CreateFileSystemFromBackup"]
    assert {call.region for call in world.calls()} == {TARGET}
    (now,) = in_scope(world, TARGET)
    assert now["Lifecycle"] == "AVAILABLE"


def test_loss_is_counted_from_the_source_backup_because_a_copy_is_younger_than_its_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a backup that was copied two hours after it was taken
    world = fsx_world(monkeypatch, backups=0)
    taken = world.aws("fsx", SOURCE).create_backup(FileSystemId=source_of(world))["Backup"]["BackupId"]
    world.wait(120)
    world.aws("fsx", TARGET).copy_backup(
        SourceBackupId=taken, SourceRegion=SOURCE, Tags=file_systems(world, SOURCE)[0]["Tags"]
    )
    world.wait(20)
    world.inventory()
    world.darken(SOURCE)

    (loss,) = world.start(emergency=True, AcceptDataLoss=True).plan.losses

    assert loss.seconds is not None
    assert loss.seconds >= 140 * 60


def test_after_the_lost_region_is_back_its_file_system_is_fenced_and_becomes_the_other_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an emergency, after which the old file system still is as it was
    world = fsx_world(monkeypatch)
    old = source_of(world)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()

    # When a planned move is asked, nobody but a person can tell which one is current
    asked = world.start()
    assert not asked.ready
    assert "both stand" in asked.findings["two-file-systems"]
    before = world.operations()
    assert asked.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert world.operations() == before
    asked.end()
    # And the deferred phases make order
    ended = world.start(Phases=["CLEANUP", "REPLICATE"]).all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert read_only(world, SOURCE, old) == [True]
    assert in_scope(world, SOURCE) == []
    assert backups(world, SOURCE, in_scope(world, TARGET)[0]["FileSystemId"])
    assert world.refusals() == []


def test_a_drill_restores_a_copy_beside_production_and_deletes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start(Operation.TEST)

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    (copy,) = file_systems(world, TARGET)
    assert tags_of(copy)["dr:drill-id"] == run.run_id
    assert "dr:enabled" not in tags_of(copy)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert file_systems(world, TARGET) == []
    assert world.operations() == ["CreateFileSystemFromBackup", "DeleteFileSystem"]
    assert read_only(world, SOURCE, source_of(world)) == [False]


def test_rollback_gives_the_source_back_while_nobody_wrote_to_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    world.fault(effect="fail", kind="fsx.restore-file-system")
    run = world.start()
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "is FAILED" in failed.detail
    assert "rollback" in failed.remedy
    assert read_only(world, SOURCE, source_of(world)) == [True]

    action = run.rollback(Phase.ACTIVATE)

    # Then clients can write again, and what was restored is left, out of the scope, for a person to delete
    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert read_only(world, SOURCE, source_of(world)) == [False]
    assert "dr:fenced" not in tags_of(file_systems(world, SOURCE)[0])
    assert in_scope(world, TARGET) == []
    assert len(file_systems(world, TARGET)) == 1
    run.end()
    # And a new run starts afresh
    world.repair()
    again = world.start()
    assert again.ready, again.findings
    assert again.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert world.refusals() == []


def test_rollback_is_refused_when_clients_wrote_to_the_new_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start()
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    write(world, TARGET, in_scope(world, TARGET)[0]["FileSystemId"], 4096)
    world.wait(5)

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "wrote" in action.detail
    assert "failback" in action.remedy
    assert read_only(world, SOURCE, source_of(world)) == [True]


def test_rollback_of_cleanup_takes_the_old_file_system_back_into_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start()
    run.phase(Phase.ACTIVATE)
    run.phase(Phase.CLEANUP)

    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK

    assert len(in_scope(world, SOURCE)) == 1
    assert world.refusals() == []


def test_decommission_deletes_the_old_file_system_with_a_final_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    old = source_of(world)
    before = len(backups(world, SOURCE, old))

    run = world.start(Decommission=True)
    approve(run, Phase.DECOMMISSION)
    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SUCCEEDED, ended[Phase.DECOMMISSION].detail
    assert file_systems(world, SOURCE) == []
    assert len(backups(world, SOURCE, old)) == before + 2, "the last one, and the final one"
    assert in_scope(world, TARGET)[0]["Lifecycle"] == "AVAILABLE"
    assert world.refusals() == []


def test_decommission_keeps_the_old_file_system_without_a_copy_of_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start(Decommission=True)
    approve(run, Phase.DECOMMISSION)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE):
        run.phase(phase)
    new = in_scope(world, TARGET)[0]["FileSystemId"]
    for each in backups(world, SOURCE, new):
        world.aws("fsx", SOURCE).delete_backup(BackupId=each["BackupId"])

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.FAILED
    assert "is kept" in action.detail
    assert len(file_systems(world, SOURCE)) == 1


def test_a_copy_is_made_before_the_fence_when_none_can_be_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a copy that failed, and no other
    world = fsx_world(monkeypatch, backups=0)
    (source,) = file_systems(world, SOURCE)
    taken = world.aws("fsx", SOURCE).create_backup(FileSystemId=source["FileSystemId"])["Backup"]["BackupId"]
    world.wait(10)
    world.fault(effect="fail", kind="fsx.copy-backup")
    world.aws("fsx", TARGET).copy_backup(SourceBackupId=taken, SourceRegion=SOURCE, Tags=source["Tags"])
    world.wait(20)
    world.repair()
    run = world.start()
    assert run.ready, run.findings
    assert "INSTANTIATE makes one" in run.findings["no-copy"]
    assert "FAILED" in run.findings["copy-failed"]

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED

    assert run.made(Phase.INSTANTIATE) == ["CopyBackup"], "the source has a backup already"
    assert read_only(world, SOURCE, source["FileSystemId"]) == [False]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert run.made(Phase.ACTIVATE).count("CreateBackup") == 1, "the last one is another, taken behind the fence"


@pytest.mark.parametrize(("kind", "step"), [("fsx.create-backup", "last-backup"), ("fsx.copy-backup", "last-copy")])
def test_a_backup_that_fails_stops_the_run_and_a_retry_makes_a_new_one(
    monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    world = fsx_world(monkeypatch)
    world.fault(effect="fail", kind=kind)
    run = world.start()
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert step in action.detail
    assert "FAILED" in action.detail
    world.repair()
    world.wait(5)

    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_the_last_copy_waits_in_line_behind_five_others(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    run = world.start()
    run.until(Phase.ACTIVATE, "last-backup")
    world.wait(4)
    other = backups(world, SOURCE, source_of(world))[0]["BackupId"]
    for _ in range(5):
        world.aws("fsx", TARGET).copy_backup(SourceBackupId=other, SourceRegion=SOURCE)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail


def test_read_only_volumes_stay_read_only_and_the_others_open_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fsx_world(monkeypatch)
    fsx = world.aws("fsx", SOURCE)
    root = file_systems(world, SOURCE)[0]["OpenZFSConfiguration"]["RootVolumeId"]
    for name, closed in (("open", False), ("archive", True)):
        settings = {"ParentVolumeId": root, "ReadOnly": closed}
        fsx.create_volume(VolumeType="OPENZFS", Name=name, OpenZFSConfiguration=settings)
    world.wait(5)

    assert world.start().all()[Phase.REPLICATE].outcome is Outcome.SUCCEEDED

    now = in_scope(world, TARGET)[0]["FileSystemId"]
    filters = [{"Name": "file-system-id", "Values": [now]}]
    found = world.aws("fsx", TARGET).describe_volumes(Filters=filters)["Volumes"]
    assert {v["Name"]: v["OpenZFSConfiguration"]["ReadOnly"] for v in found} == {
        "fsx": False,
        "open": False,
        "archive": True,
    }
