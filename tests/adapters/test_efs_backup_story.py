"""EFS by AWS Backup, through the real engine: backed up behind the fence, copied, restored elsewhere, nothing deleted unasked."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World
from tests.support.efs import (
    ROLE,
    after_emergency,
    approve,
    back_up,
    backed_up_world,
    file_system,
    file_systems,
    id_in,
    is_closed,
    mounts,
    observed,
    recovery_points,
    statements,
    tags_of,
    write,
)

GOOD = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_WARNINGS, Outcome.SKIPPED}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return backed_up_world(monkeypatch)


def in_scope(world: World, region: str) -> list[dict[str, Any]]:
    return [each for each in file_systems(world, region) if "dr:enabled" in tags_of(each)]


def up_to(run: Journey, phase: Phase) -> None:
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def test_a_file_system_moves_and_comes_back_without_losing_a_write(world: World) -> None:
    serving = file_system(world, SOURCE)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        write(world, there, 1_000_000)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        # Then it was restored from a backup that began after the last write, and a person knows where its content lies
        assert {action.outcome for action in ended.values()} <= GOOD, ended
        assert run.made() == foreseen
        assert "/aws-backup-restore_<datetime>" in ended[Phase.ACTIVATE].detail
        fenced = tags_of(
            next(each for each in file_systems(world, there) if each["FileSystemId"] == serving["FileSystemId"])
        )
        taken = recovery_points(world, here, serving["FileSystemArn"])[0]["CreationDate"]
        assert taken.isoformat() > fenced["dr:fenced"]
        # And it serves, mounted, under the resource's own tags
        (now,) = in_scope(world, here)
        assert mounts(world, here) == ["available", "available"]
        assert tags_of(now).items() >= {"Name": "files", "dr:wave": "1", "dr:execution-id": run.run_id}.items()
        # And the old one is kept, closed and out of the scope; the new one's backup lies on its side
        assert in_scope(world, there) == []
        assert is_closed(world, there, serving["FileSystemId"])
        assert recovery_points(world, there, now["FileSystemArn"])[0]["Status"] == "COMPLETED"
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
        serving = now
        run.end()
    assert world.refusals() == []


def test_nothing_is_backed_up_while_clients_still_write(world: World) -> None:
    write(world, SOURCE, 500_000, despite_policy=True)
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "clients still write" in stopped.detail
    assert run.made() == ["PutFileSystemPolicy", "TagResource"]
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert statements(world, SOURCE) == []


def test_an_emergency_restores_the_newest_copy_without_the_lost_region(world: World) -> None:
    world.inventory()
    world.wait(30)
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    ended = run.all()

    assert loss.seconds is not None
    assert 5300 < loss.seconds < 5600
    assert {phase: action.outcome for phase, action in ended.items()} == {
        Phase.ACTIVATE: Outcome.SUCCEEDED_WITH_WARNINGS
    }
    assert {call.region for call in world.calls()} == {TARGET}
    (now,) = in_scope(world, TARGET)
    assert (now["LifeCycleState"], now["Encrypted"]) == ("available", True)
    assert world.refusals() == []


def test_after_an_emergency_the_returned_file_system_is_closed_kept_and_let_go(world: World) -> None:
    after_emergency(world)

    # When a planned move is asked, nobody but a person can tell which one is current
    asked = world.start()
    assert not asked.ready
    assert "both stand in the scope" in asked.findings["two-file-systems"]
    asked.phase(Phase.INSTANTIATE)
    assert asked.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    asked.end()

    # When the rest of the emergency is asked for
    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = deferred.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert in_scope(world, SOURCE) == []
    (old,) = file_systems(world, SOURCE)
    assert is_closed(world, SOURCE, old["FileSystemId"])
    deferred.end()
    # Then the data can go home
    back = world.start(Operation.FAILBACK)
    assert back.ready, back.findings
    assert {action.outcome for action in back.all().values()} <= GOOD
    assert len(in_scope(world, SOURCE)) == 1
    assert world.refusals() == []


def test_a_drill_restores_the_newest_copy_and_deletes_it(world: World) -> None:
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()

    ended = run.all()

    assert {action.outcome for action in ended.values()} <= GOOD
    assert run.made() == foreseen == ["StartRestoreJob", "TagResource", "DeleteFileSystem"]
    assert file_systems(world, TARGET) == []
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_rollback_before_anything_is_restored_opens_the_source(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "last-backup")

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert statements(world, SOURCE) == []
    assert "dr:fenced" not in tags_of(file_system(world, SOURCE))


def test_a_rollback_after_the_restore_leaves_it_out_of_the_scope_and_the_next_run_makes_its_own(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert in_scope(world, TARGET) == []
    (left,) = file_systems(world, TARGET)
    run.end()

    again = world.start()
    assert {action.outcome for action in again.all().values()} <= GOOD
    (now,) = in_scope(world, TARGET)
    assert now["FileSystemId"] != left["FileSystemId"]
    assert world.refusals() == []


def test_a_rollback_ends_where_somebody_wrote_to_the_restored_file_system(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    write(world, TARGET, 1_000)
    world.wait(5)

    refused = run.rollback(Phase.ACTIVATE)

    assert refused.outcome is Outcome.FAILED
    assert "bytes to" in refused.detail
    assert "failback" in refused.remedy
    assert is_closed(world, SOURCE)


@pytest.mark.parametrize("kind", ["backup.backup-job", "backup.copy-job"])
def test_a_failed_job_says_so_and_a_retry_makes_a_new_one(world: World, kind: str) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind=kind)

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "is FAILED The job failed for an internal reason." in stopped.detail
    assert "AWS Backup console" in stopped.remedy
    world.repair()
    world.wait(1)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED_WITH_WARNINGS


def test_a_failed_restore_is_deleted_by_hand_and_made_anew(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="backup.restore-job")

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "The restore failed" in stopped.detail
    (half,) = file_systems(world, TARGET)
    assert f"aws efs delete-file-system --file-system-id {half['FileSystemId']}" in stopped.remedy

    world.repair()
    world.aws("efs", TARGET).delete_file_system(FileSystemId=half["FileSystemId"])
    world.wait(2)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED_WITH_WARNINGS


def test_a_lost_answer_to_the_restore_is_not_followed_by_a_second_one(world: World) -> None:
    world.fault(effect="lost-answer", service="backup", operation="StartRestoreJob")
    run = world.start()

    assert {action.outcome for action in run.all().values()} <= GOOD
    assert len(file_systems(world, TARGET)) == 1


def test_the_old_file_system_is_deleted_only_when_asked_for_and_when_everything_is_kept(world: World) -> None:
    old = id_in(world, SOURCE)
    run = world.start(Decommission=True)
    for phase in LIFECYCLE:
        run.phase(phase)
    refused = run.phase(Phase.DECOMMISSION)
    assert refused.outcome is Outcome.FAILED
    assert "nobody approved" in refused.detail
    assert [each["FileSystemId"] for each in file_systems(world, SOURCE)] == [old]
    approve(run, Phase.DECOMMISSION)

    action = run.retry(Phase.DECOMMISSION)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made(Phase.DECOMMISSION) == ["DeleteMountTarget", "DeleteMountTarget", "DeleteFileSystem"]
    assert file_systems(world, SOURCE) == []
    assert len(in_scope(world, TARGET)) == 1
    assert world.refusals() == []


def test_an_old_file_system_whose_last_writes_are_in_no_backup_is_kept(world: World) -> None:
    after_emergency(world)
    run = world.start(Phases=["CLEANUP", "REPLICATE"], Decommission=True)
    run.phase(Phase.CLEANUP)
    run.phase(Phase.REPLICATE)
    approve(run, Phase.DECOMMISSION)

    refused = run.phase(Phase.DECOMMISSION)

    assert refused.outcome is Outcome.FAILED
    assert "no backup of" in refused.detail
    assert len(file_systems(world, SOURCE)) == 1

    # When it is backed up, it may go
    (old,) = file_systems(world, SOURCE)
    world.aws("efs", SOURCE).tag_resource(ResourceId=old["FileSystemId"], Tags=[{"Key": "dr:enabled", "Value": "true"}])
    back_up(world, SOURCE)
    world.aws("efs", SOURCE).untag_resource(ResourceId=old["FileSystemId"], TagKeys=["dr:enabled"])
    assert run.retry(Phase.DECOMMISSION).outcome is Outcome.SUCCEEDED
    assert file_systems(world, SOURCE) == []


@pytest.mark.parametrize("phase", ["CLEANUP", "REPLICATE"])
def test_a_source_that_still_serves_is_left_alone(world: World, phase: str) -> None:
    refused = world.start(Phases=[phase]).phase(Phase(phase))

    assert refused.outcome is Outcome.FAILED
    assert "serves on the target side" in refused.detail
    assert world.operations() == []


def test_a_file_system_that_somebody_put_into_the_scope_of_the_other_side_is_not_taken_for_a_restored_one(
    world: World,
) -> None:
    efs = world.aws("efs", TARGET)
    efs.create_file_system(CreationToken="empty", Encrypted=True, Tags=file_system(world, SOURCE)["Tags"])
    world.wait(1)

    run = world.start()

    assert not run.ready
    assert "only a person can tell" in run.findings["two-file-systems"]
    run.phase(Phase.INSTANTIATE)
    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "untag-resource" in refused.remedy
    assert world.operations() == []


def test_without_a_word_where_to_mount_it_nothing_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    run = backed_up_world(monkeypatch, landing=False).start()

    assert not run.ready
    assert "dr:restore-subnets" in next(f.remedy for f in run.run.findings if f.code == "mount-targets")


def test_a_key_that_is_told_and_disabled_is_red(world: World) -> None:
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]
    world.aws("kms", TARGET).disable_key(KeyId=key["KeyId"])
    tag = {"Key": "dr:restore-key", "Value": key["Arn"]}
    world.aws("efs", SOURCE).tag_resource(ResourceId=id_in(world, SOURCE), Tags=[tag])

    run = world.start()

    assert not run.ready
    assert "is Disabled, expected Enabled" in run.findings["kms-key"]


def test_recovery_points_older_than_the_target_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = backed_up_world(monkeypatch, access_point="/data", tags={"dr:rpo-target": "5", "dr:rto-target": "10"})
    planned = world.start()
    assert planned.ready, "a planned run takes a backup of its own"
    assert "dr:rpo-target is 5 min" in planned.findings["age"]
    assert "dr:rto-target is 10 min" in planned.findings["rto"]
    assert "1 access point(s)" in next(f.remedy for f in planned.run.findings if f.code == "directory")
    planned.end()
    world.darken(SOURCE)
    severities = {f.code: f.severity for f in world.start(emergency=True, AcceptDataLoss=True).run.findings}
    assert severities["age"] == "red"


def lose_copies(world: World) -> None:
    backup = world.aws("backup", TARGET)
    arn = file_system(world, SOURCE)["FileSystemArn"]
    for point in recovery_points(world, TARGET, arn):
        backup.delete_recovery_point(
            BackupVaultName=point["BackupVaultName"], RecoveryPointArn=point["RecoveryPointArn"]
        )


def test_where_no_copy_is_left_drills_and_emergencies_have_nothing_to_restore(world: World) -> None:
    world.inventory()
    lose_copies(world)
    drill = world.start(Operation.TEST)
    assert not drill.ready
    assert "no recovery point" in drill.findings["no-recovery-point"]
    assert drill.phase(Phase.INSTANTIATE).outcome is Outcome.FAILED
    drill.end()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    refused = run.phase(Phase.ACTIVATE)

    assert loss.seconds is None
    assert "everything would be lost" in loss.detail
    assert refused.outcome is Outcome.FAILED
    assert "no recovery point of files has arrived" in refused.detail
    assert world.operations() == []


def test_a_source_that_is_gone_is_named(world: World) -> None:
    run = world.start()
    source = id_in(world, SOURCE)
    efs = world.aws("efs", SOURCE)
    for mount in efs.describe_mount_targets(FileSystemId=source)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=mount["MountTargetId"])
    world.wait(2)
    efs.delete_file_system(FileSystemId=source)
    world.wait(2)
    run.phase(Phase.INSTANTIATE)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"there is no file system {source}" in action.detail
    assert "Emergency" in action.remedy


def test_the_loss_is_counted_from_when_the_data_was_taken_not_from_when_it_was_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a recovery point that was copied two hours after it was taken
    world = backed_up_world(monkeypatch, recovery_points=1)
    arn = file_system(world, SOURCE)["FileSystemArn"]
    world.wait(120)
    world.aws("backup", SOURCE).start_copy_job(
        RecoveryPointArn=recovery_points(world, SOURCE, arn)[0]["RecoveryPointArn"],
        SourceBackupVaultName="files",
        DestinationBackupVaultArn=f"arn:aws:backup:{TARGET}:{APPS}:backup-vault:files",
        IamRoleArn=ROLE,
    )
    world.wait(15)
    world.inventory()
    world.darken(SOURCE)

    (loss,) = world.start(emergency=True, AcceptDataLoss=True).plan.losses

    assert loss.seconds is not None
    assert loss.seconds > 3 * 3600


def test_the_probe_is_told_where_clients_mount(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)

    adapter, view, context = observed(run, Phase.ACTIVATE)

    shown = world.aws("efs", TARGET).describe_mount_targets(FileSystemId=id_in(world, TARGET))["MountTargets"]
    assert {(each.host, each.port) for each in adapter.endpoints(view, context)} == {
        (mount["IpAddress"], 2049) for mount in shown
    }
