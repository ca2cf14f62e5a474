"""AWS Backup in the embedded AWS: recovery points cross Regions and become file systems."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Workbench, open_workbench, refused

ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
VAULT = f"arn:aws:backup:{TARGET}:{ACCOUNT}:backup-vault:Default"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def efs_arn(bench: Workbench, region: str) -> str:
    return str(bench.client("efs", region).describe_file_systems()["FileSystems"][0]["FileSystemArn"])


def points(bench: Workbench, region: str, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bench.client("backup", region).list_recovery_points_by_resource(ResourceArn=arn)[
        "RecoveryPoints"
    ]
    return found


def restore(bench: Workbench, arn: str, **metadata: str) -> str:
    given = {"file-system-id": "fs-1", "newFileSystem": "true", "Encrypted": "true", **metadata}
    reply = bench.client("backup", TARGET).start_restore_job(
        RecoveryPointArn=arn, Metadata=given, IamRoleArn=ROLE, IdempotencyToken="drill-1"
    )
    return str(reply["RestoreJobId"])


def test_a_recovery_point_on_the_target_side_becomes_a_new_file_system(bench: Workbench) -> None:
    bench.seed("efs-replication", recovery_points=2)
    arn = efs_arn(bench, SOURCE)
    bench.darken(SOURCE)
    newest = points(bench, TARGET, arn)[0]

    job = restore(bench, newest["RecoveryPointArn"], CreationToken="drill")
    assert restore(bench, newest["RecoveryPointArn"], CreationToken="drill") == job

    def status() -> str:
        return str(bench.client("backup", TARGET).describe_restore_job(RestoreJobId=job)["Status"])

    assert bench.watch(status, minutes=16, step_seconds=15) == ["PENDING", "RUNNING", "COMPLETED"]
    made = bench.client("backup", TARGET).describe_restore_job(RestoreJobId=job)["CreatedResourceArn"]
    file_systems = bench.client("efs", TARGET).describe_file_systems()["FileSystems"]
    restored = next(f for f in file_systems if f["FileSystemArn"] == made)
    assert (restored["Encrypted"], restored["Tags"], len(file_systems)) == (True, [], 2)
    with refused("InvalidParameterValueException"):
        restore(bench, newest["RecoveryPointArn"], CreationToken="other")


def test_a_fresh_backup_is_copied_to_the_other_region(bench: Workbench) -> None:
    bench.seed("efs-replication", recovery_points=1)
    arn = efs_arn(bench, SOURCE)
    backup = bench.client("backup", SOURCE)
    made = backup.start_backup_job(BackupVaultName="Default", ResourceArn=arn, IamRoleArn=ROLE)
    copying = {
        "RecoveryPointArn": made["RecoveryPointArn"],
        "SourceBackupVaultName": "Default",
        "DestinationBackupVaultArn": VAULT,
        "IamRoleArn": ROLE,
    }
    with refused("InvalidParameterValueException"):
        backup.start_copy_job(**copying)
    bench.wait(6)
    assert backup.describe_backup_job(BackupJobId=made["BackupJobId"])["State"] == "COMPLETED"

    job = backup.start_copy_job(**copying)["CopyJobId"]

    def state() -> str:
        return str(backup.describe_copy_job(CopyJobId=job)["CopyJob"]["State"])

    assert bench.watch(state, minutes=11, step_seconds=20) == ["CREATED", "RUNNING", "COMPLETED"]
    copied = backup.describe_copy_job(CopyJobId=job)["CopyJob"]["DestinationRecoveryPointArn"]
    assert points(bench, TARGET, arn)[0]["RecoveryPointArn"] == copied
    with refused("ResourceNotFoundException"):
        backup.start_copy_job(**{**copying, "DestinationBackupVaultArn": f"{VAULT}-2"})


def test_a_dark_region_takes_no_copy(bench: Workbench) -> None:
    bench.seed("efs-replication", recovery_points=1)
    arn = efs_arn(bench, SOURCE)
    bench.darken(TARGET)
    with refused("ServiceUnavailableException"):
        bench.client("backup", SOURCE).start_copy_job(
            RecoveryPointArn=points(bench, SOURCE, arn)[0]["RecoveryPointArn"],
            SourceBackupVaultName="Default",
            DestinationBackupVaultArn=VAULT,
            IamRoleArn=ROLE,
        )


def test_a_restore_that_fails_says_why(bench: Workbench) -> None:
    bench.seed("efs-replication", replica_recovery_points=1)
    bench.make("fail", "backup.restore-job")
    job = restore(bench, points(bench, TARGET, efs_arn(bench, TARGET))[0]["RecoveryPointArn"])
    bench.wait(16)
    ended = bench.client("backup", TARGET).describe_restore_job(RestoreJobId=job)
    assert (ended["Status"], bool(ended["StatusMessage"])) == ("FAILED", True)


def test_an_fsx_recovery_point_is_a_backup_of_fsx_and_restores_there(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    arn = bench.client("fsx", SOURCE).describe_file_systems()["FileSystems"][0]["ResourceARN"]
    service: Any = bench.local.service("backup")
    copied = service.add_copy(service.add_recovery_point(ACCOUNT, SOURCE, arn), TARGET)
    fsx = bench.client("fsx", TARGET)
    assert [b["ResourceARN"] for b in fsx.describe_backups()["Backups"]] == [copied.arn]
    with refused("MissingParameterValueException"):
        restore(bench, copied.arn)

    job = restore(bench, copied.arn, SubnetIds=json.dumps(bench.subnets(TARGET)[:1]))
    bench.wait(16)
    made = bench.client("backup", TARGET).describe_restore_job(RestoreJobId=job)
    assert made["Status"] == "COMPLETED"
    assert [f["ResourceARN"] for f in fsx.describe_file_systems()["FileSystems"]] == [made["CreatedResourceArn"]]


def test_jobs_are_listed_newest_first_for_thirty_days(bench: Workbench) -> None:
    bench.seed("efs-backup", name="files", recovery_points=2)
    arn = efs_arn(bench, SOURCE)
    source, target = bench.client("backup", SOURCE), bench.client("backup", TARGET)
    copies = source.list_copy_jobs(ByResourceArn=arn, ByState="COMPLETED")["CopyJobs"]
    assert [job["DestinationBackupVaultArn"].rpartition(":")[2] for job in copies] == ["files", "files"]
    assert copies[0]["CreationDate"] > copies[1]["CreationDate"]
    assert points(bench, TARGET, arn)[0]["RecoveryPointArn"] == copies[0]["DestinationRecoveryPointArn"]

    source.start_backup_job(BackupVaultName="files", ResourceArn=arn, IamRoleArn=ROLE)
    restore(bench, copies[0]["DestinationRecoveryPointArn"])
    bench.wait(1)

    (backup,) = source.list_backup_jobs(ByResourceArn=arn)["BackupJobs"]
    (restored,) = target.list_restore_jobs_by_protected_resource(ResourceArn=arn)["RestoreJobs"]
    assert (backup["State"], restored["Status"]) == ("RUNNING", "RUNNING")
    assert restored["CreatedResourceArn"] == efs_arn(bench, TARGET)
    assert target.list_backup_jobs(ByResourceArn=arn)["BackupJobs"] == []
    assert target.list_restore_jobs_by_protected_resource(ResourceArn=f"{arn}0")["RestoreJobs"] == []
    bench.wait(31 * 24 * 60)
    assert source.list_copy_jobs(ByResourceArn=arn)["CopyJobs"] == []


def test_a_backup_that_fails_leaves_no_recovery_point(bench: Workbench) -> None:
    bench.seed("efs-backup", name="files", recovery_points=1)
    arn = efs_arn(bench, SOURCE)
    bench.make("fail", "backup.backup-job")
    backup = bench.client("backup", SOURCE)
    made = backup.start_backup_job(BackupVaultName="files", ResourceArn=arn, IamRoleArn=ROLE)
    assert len(points(bench, SOURCE, arn)) == 2
    bench.wait(6)

    assert backup.describe_backup_job(BackupJobId=made["BackupJobId"])["State"] == "FAILED"
    assert len(points(bench, SOURCE, arn)) == 1
