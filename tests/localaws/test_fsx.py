"""FSx in the embedded AWS: backups that cross Regions, restores, OpenZFS copies, aliases, final backups."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.fsx import FsxService
from localaws.services.fsx.models import Shelf
from localaws.services.resource_explorer_2.collect import collect
from localaws.services.s3 import S3Service
from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Workbench, open_workbench, refused


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def file_system(bench: Workbench, region: str, file_system_id: str | None = None) -> dict[str, Any]:
    ids = [file_system_id] if file_system_id else []
    found: dict[str, Any] = bench.client("fsx", region).describe_file_systems(FileSystemIds=ids)["FileSystems"][0]
    return found


def backup(bench: Workbench, region: str, backup_id: str) -> dict[str, Any]:
    found: dict[str, Any] = bench.client("fsx", region).describe_backups(BackupIds=[backup_id])["Backups"][0]
    return found


def volume(bench: Workbench, region: str, name: str = "data") -> dict[str, Any]:
    found = bench.client("fsx", region).describe_volumes()["Volumes"]
    return next(v for v in found if v["Name"] == name)


def back_up(bench: Workbench) -> str:
    """Back the source file system up and wait; return the backup's id."""
    made = bench.client("fsx", SOURCE).create_backup(FileSystemId=file_system(bench, SOURCE)["FileSystemId"])
    bench.wait(6)
    return str(made["Backup"]["BackupId"])


def test_a_backup_taken_on_one_side_is_copied_and_restored_on_the_other(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    source = file_system(bench, SOURCE)
    made = bench.client("fsx", SOURCE).create_backup(FileSystemId=source["FileSystemId"])["Backup"]
    states = bench.watch(lambda: backup(bench, SOURCE, made["BackupId"])["Lifecycle"], minutes=6)
    assert states == ["CREATING", "TRANSFERRING", "AVAILABLE"]

    fsx = bench.client("fsx", TARGET)
    copied = fsx.copy_backup(SourceBackupId=made["BackupId"], SourceRegion=SOURCE, CopyTags=True)["Backup"]
    assert bench.watch(lambda: backup(bench, TARGET, copied["BackupId"])["Lifecycle"], minutes=16, step_seconds=60) == [
        "COPYING",
        "AVAILABLE",
    ]
    arrived = backup(bench, TARGET, copied["BackupId"])
    assert (arrived["SourceBackupRegion"], arrived["SourceBackupId"]) == (SOURCE, made["BackupId"])
    filters = [{"Name": "file-system-id", "Values": [source["FileSystemId"]]}]
    assert [b["BackupId"] for b in fsx.describe_backups(Filters=filters)["Backups"]] == [copied["BackupId"]]

    restored = fsx.create_file_system_from_backup(BackupId=copied["BackupId"], SubnetIds=bench.subnets(TARGET)[:1])
    restored_id = restored["FileSystem"]["FileSystemId"]
    with refused("BackupRestoring"):
        fsx.delete_backup(BackupId=copied["BackupId"])
    lives = bench.watch(lambda: file_system(bench, TARGET, restored_id)["Lifecycle"], minutes=31, step_seconds=60)
    assert lives == ["CREATING", "AVAILABLE"]
    now = file_system(bench, TARGET, restored_id)
    assert (now["StorageCapacity"], now["OpenZFSConfiguration"]["ThroughputCapacity"]) == (1024, 160)
    assert restored_id != source["FileSystemId"]


def test_a_token_makes_one_backup_however_often_it_is_sent(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    fsx = bench.client("fsx", SOURCE)
    asked = {"FileSystemId": file_system(bench, SOURCE)["FileSystemId"], "ClientRequestToken": "run-1"}

    first = fsx.create_backup(**asked)["Backup"]["BackupId"]
    bench.wait(6)
    again = fsx.create_backup(**asked)["Backup"]

    assert (again["BackupId"], again["Lifecycle"]) == (first, "AVAILABLE")
    assert len(fsx.describe_backups()["Backups"]) == 1
    with refused("IncompatibleParameterError"):
        fsx.create_backup(**asked, Tags=[{"Key": "a", "Value": "b"}])


def test_only_five_backups_cross_regions_at_a_time(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    source = back_up(bench)
    fsx = bench.client("fsx", TARGET)
    for _ in range(5):
        fsx.copy_backup(SourceBackupId=source, SourceRegion=SOURCE)
    with refused("ServiceLimitExceeded"):
        fsx.copy_backup(SourceBackupId=source, SourceRegion=SOURCE)
    with refused("BackupBeingCopied"):
        bench.client("fsx", SOURCE).delete_backup(BackupId=source)
    bench.wait(16)
    assert fsx.copy_backup(SourceBackupId=source, SourceRegion=SOURCE)["Backup"]["Lifecycle"] == "COPYING"


def test_nothing_is_copied_out_of_a_dark_region_but_what_has_arrived_restores(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=2)
    fsx = bench.client("fsx", TARGET)
    source = back_up(bench)
    on_the_way = fsx.copy_backup(SourceBackupId=source, SourceRegion=SOURCE)["Backup"]["BackupId"]
    bench.darken(SOURCE)
    with refused("SourceBackupUnavailable"):
        fsx.copy_backup(SourceBackupId=source, SourceRegion=SOURCE)
    bench.wait(16)
    lost = backup(bench, TARGET, on_the_way)
    assert lost["Lifecycle"] == "FAILED"
    assert lost["FailureDetails"]["Message"]
    with refused("BadRequest"):
        fsx.create_file_system_from_backup(BackupId=on_the_way, SubnetIds=bench.subnets(TARGET)[:1])

    copies = [b for b in fsx.describe_backups()["Backups"] if b["Lifecycle"] == "AVAILABLE"]
    newest = max(copies, key=lambda b: b["CreationTime"])
    made = fsx.create_file_system_from_backup(BackupId=newest["BackupId"], SubnetIds=bench.subnets(TARGET)[:1])
    bench.wait(31)
    assert file_system(bench, TARGET, made["FileSystem"]["FileSystemId"])["Lifecycle"] == "AVAILABLE"


def test_a_restore_that_fails_says_so(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=1)
    fsx = bench.client("fsx", TARGET)
    newest = fsx.describe_backups()["Backups"][0]["BackupId"]
    bench.make("fail", "fsx.restore-file-system")
    made = fsx.create_file_system_from_backup(BackupId=newest, SubnetIds=bench.subnets(TARGET)[:1])["FileSystem"]
    bench.wait(31)
    shown = file_system(bench, TARGET, made["FileSystemId"])
    assert (shown["Lifecycle"], bool(shown["FailureDetails"]["Message"])) == ("FAILED", True)


def test_a_read_only_volume_follows_snapshots_of_the_other_region(bench: Workbench) -> None:
    bench.seed("fsx-backup", standby=True, backups=0)
    here, there = volume(bench, SOURCE), volume(bench, TARGET)
    made = bench.client("fsx", SOURCE).create_snapshot(Name="dr-1", VolumeId=here["VolumeId"])["Snapshot"]
    copying = {"VolumeId": there["VolumeId"], "SourceSnapshotARN": made["ResourceARN"]}
    fsx = bench.client("fsx", TARGET)
    with refused("BadRequest"):
        fsx.copy_snapshot_and_update_volume(**copying, CopyStrategy="INCREMENTAL_COPY")
    bench.wait(1)

    fsx.copy_snapshot_and_update_volume(**copying, CopyStrategy="INCREMENTAL_COPY", ClientRequestToken="t")
    fsx.copy_snapshot_and_update_volume(**copying, CopyStrategy="INCREMENTAL_COPY", ClientRequestToken="t")
    with refused("ServiceLimitExceeded"):
        fsx.copy_snapshot_and_update_volume(**copying, CopyStrategy="INCREMENTAL_COPY")

    def actions() -> list[tuple[str, str]]:
        listed = volume(bench, TARGET)["AdministrativeActions"]
        return [(a["AdministrativeActionType"], a["Status"]) for a in listed]

    kind = "VOLUME_UPDATE_WITH_SNAPSHOT"
    assert bench.watch(actions, minutes=6) == [[(kind, "PENDING")], [(kind, "IN_PROGRESS")], [(kind, "COMPLETED")]]
    names = [s["Name"] for s in fsx.describe_snapshots()["Snapshots"]]
    assert names == ["dr-base", "dr-1"]

    fsx.update_volume(VolumeId=there["VolumeId"], OpenZFSConfiguration={"ReadOnly": False})
    bench.wait(1)
    assert volume(bench, TARGET)["OpenZFSConfiguration"]["ReadOnly"] is False


def test_copying_back_over_a_writable_volume_must_be_allowed_by_options(bench: Workbench) -> None:
    bench.seed("fsx-backup", standby=True, backups=0)
    here, there = volume(bench, SOURCE), volume(bench, TARGET)
    bench.wait(1)
    kept_here = bench.client("fsx", SOURCE).create_snapshot(Name="kept-here", VolumeId=here["VolumeId"])
    made = bench.client("fsx", TARGET).create_snapshot(Name="dr-back", VolumeId=there["VolumeId"])["Snapshot"]
    bench.wait(1)
    fsx = bench.client("fsx", SOURCE)
    asked = {
        "VolumeId": here["VolumeId"],
        "SourceSnapshotARN": made["ResourceARN"],
        "CopyStrategy": "INCREMENTAL_COPY",
    }
    with refused("BadRequest"):
        fsx.copy_snapshot_and_update_volume(**asked)
    options = ["DELETE_INTERMEDIATE_DATA", "DELETE_INTERMEDIATE_SNAPSHOTS"]
    fsx.copy_snapshot_and_update_volume(**asked, Options=options)
    bench.wait(6)
    assert {s["Name"] for s in fsx.describe_snapshots()["Snapshots"]} == {"dr-base", "dr-back"}
    with refused("SnapshotNotFound"):
        fsx.describe_snapshots(SnapshotIds=[kept_here["Snapshot"]["SnapshotId"]])


def test_a_windows_name_moves_from_one_file_system_to_another(bench: Workbench) -> None:
    bench.seed("fsx-backup", type="WINDOWS", standby=True, backups=0, aliases=["files.example.com"])
    ids = {region: file_system(bench, region)["FileSystemId"] for region in (SOURCE, TARGET)}
    name = ["files.example.com"]

    def aliases(region: str) -> list[tuple[str, str]]:
        reply = bench.client("fsx", region).describe_file_system_aliases(FileSystemId=ids[region])
        return [(a["Name"], a["Lifecycle"]) for a in reply["Aliases"]]

    bench.client("fsx", SOURCE).disassociate_file_system_aliases(FileSystemId=ids[SOURCE], Aliases=name)
    bench.client("fsx", TARGET).associate_file_system_aliases(FileSystemId=ids[TARGET], Aliases=name)
    assert bench.watch(lambda: aliases(TARGET), minutes=3) == [[(name[0], "CREATING")], [(name[0], "AVAILABLE")]]
    assert aliases(SOURCE) == []
    with refused("BadRequest"):
        bench.client("fsx", SOURCE).disassociate_file_system_aliases(FileSystemId=ids[SOURCE], Aliases=name)


@pytest.mark.parametrize(
    ("kind", "options", "final_backups"),
    [
        ("WINDOWS", {}, 1),
        ("OPENZFS", {"OpenZFSConfiguration": {"SkipFinalBackup": True}}, 0),
        ("LUSTRE", {}, 0),
        ("LUSTRE", {"LustreConfiguration": {"SkipFinalBackup": False}}, 1),
    ],
)
def test_a_deleted_file_system_leaves_a_final_backup_unless_skipped(
    bench: Workbench, kind: str, options: dict[str, Any], final_backups: int
) -> None:
    bench.seed("fsx-backup", type=kind, backups=0)
    fsx = bench.client("fsx", SOURCE)
    wanted = file_system(bench, SOURCE)["FileSystemId"]
    assert fsx.delete_file_system(FileSystemId=wanted, **options)["Lifecycle"] == "DELETING"
    bench.wait(6)
    with refused("FileSystemNotFound"):
        fsx.describe_file_systems(FileSystemIds=[wanted])
    assert len(fsx.describe_backups()["Backups"]) == final_backups


def test_ontap_and_linked_lustre_have_no_backups_of_the_whole_file_system(bench: Workbench) -> None:
    bench.seed("fsx-backup", name="lustre", type="LUSTRE", standby=True)
    bench.seed("fsx-ontap", name="ontap")
    fsx = bench.client("fsx", SOURCE)
    for found in fsx.describe_file_systems()["FileSystems"]:
        with refused("UnsupportedOperation"):
            fsx.create_backup(FileSystemId=found["FileSystemId"])
    machines = fsx.describe_storage_virtual_machines()["StorageVirtualMachines"]
    assert [machine["Lifecycle"] for machine in machines] == ["CREATED"]
    made = fsx.create_backup(VolumeId=volume(bench, SOURCE)["VolumeId"])["Backup"]
    assert made["ResourceType"] == "VOLUME"
    bench.wait(6)
    with refused("UnsupportedOperation"):
        bench.client("fsx", TARGET).copy_backup(SourceBackupId=made["BackupId"], SourceRegion=SOURCE)


def test_lustre_exports_to_its_bucket_one_task_at_a_time(bench: Workbench) -> None:
    bench.seed("fsx-backup", type="LUSTRE", standby=True)
    fsx = bench.client("fsx", SOURCE)
    wanted = file_system(bench, SOURCE)["FileSystemId"]
    link = fsx.describe_data_repository_associations()["Associations"][0]
    assert (link["Lifecycle"], link["FileSystemId"]) == ("AVAILABLE", wanted)
    asked = {"Type": "EXPORT_TO_REPOSITORY", "FileSystemId": wanted, "Report": {"Enabled": False}}
    fsx.create_data_repository_task(**asked)
    with refused("DataRepositoryTaskExecuting"):
        fsx.create_data_repository_task(**asked)

    def life() -> str:
        return str(fsx.describe_data_repository_tasks()["DataRepositoryTasks"][0]["Lifecycle"])

    assert bench.watch(life, minutes=4) == ["PENDING", "EXECUTING", "SUCCEEDED"]


def test_search_finds_file_systems_and_backups_on_both_sides(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=1)
    here = [r.type for r in collect(bench.local, ACCOUNT, SOURCE) if r.service == "fsx" and r.tags]
    there = [r.type for r in collect(bench.local, ACCOUNT, TARGET) if r.service == "fsx" and r.tags]
    assert (sorted(here), there) == (["fsx:backup", "fsx:file-system"], ["fsx:backup"])


def test_a_restored_file_system_has_the_volumes_of_its_backup_with_their_settings(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    source = file_system(bench, SOURCE)
    root = source["OpenZFSConfiguration"]["RootVolumeId"]
    fsx = bench.client("fsx", SOURCE)
    fsx.create_volume(
        VolumeType="OPENZFS", Name="archive", OpenZFSConfiguration={"ParentVolumeId": root, "ReadOnly": True}
    )
    bench.wait(2)
    made = back_up(bench)
    subnets = bench.subnets(SOURCE)[:1]
    restored = fsx.create_file_system_from_backup(BackupId=made, SubnetIds=subnets)["FileSystem"]["FileSystemId"]

    filters = [{"Name": "file-system-id", "Values": [restored]}]
    found = fsx.describe_volumes(Filters=filters)["Volumes"]
    paths = {v["OpenZFSConfiguration"]["VolumePath"]: v["OpenZFSConfiguration"]["ReadOnly"] for v in found}
    assert paths == {"/fsx": False, "/fsx/archive": True}


def test_security_groups_are_seen_on_the_network_interfaces_alone(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=1)
    found = file_system(bench, SOURCE)
    ec2 = bench.client("ec2", SOURCE)
    cards = ec2.describe_network_interfaces(NetworkInterfaceIds=found["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [len(card["Groups"]) for card in cards] == [1]
    newest = bench.client("fsx", SOURCE).describe_backups()["Backups"][0]["BackupId"]
    with refused("InvalidNetworkSettings"):
        bench.client("fsx", SOURCE).create_file_system_from_backup(
            BackupId=newest, SubnetIds=bench.subnets(SOURCE)[:1], SecurityGroupIds=["sg-00000000"]
        )
    bench.client("fsx", SOURCE).delete_file_system(FileSystemId=found["FileSystemId"])
    bench.wait(6)
    with refused("InvalidNetworkInterfaceID.NotFound"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=found["NetworkInterfaceIds"])


def test_a_copy_needs_a_key_of_its_own_region(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=1)
    source = bench.client("fsx", SOURCE).describe_backups()["Backups"][0]
    with refused("InvalidDestinationKmsKey"):
        bench.client("fsx", TARGET).copy_backup(
            SourceBackupId=source["BackupId"], SourceRegion=SOURCE, KmsKeyId=source["KmsKeyId"]
        )


def test_cloudwatch_shows_what_clients_write(bench: Workbench) -> None:
    bench.seed("fsx-backup", backups=0)
    found = file_system(bench, SOURCE)["FileSystemId"]
    about = {"FileSystemId": found}
    assert bench.metric(SOURCE, "AWS/FSx", "DataWriteBytes", **about) == 0.0
    service = bench.local.service("fsx")
    assert isinstance(service, FsxService)
    service.write(service.shelf(ACCOUNT, SOURCE, Shelf.FILE_SYSTEMS)[found], 1024)
    bench.wait(2)
    assert bench.metric(SOURCE, "AWS/FSx", "DataWriteBytes", **about) == 1024.0


def test_s3_measures_what_waits_to_be_replicated_for_rules_with_metrics(bench: Workbench) -> None:
    bench.seed("fsx-backup", type="LUSTRE", standby=True)
    about = {"SourceBucket": f"orders-{SOURCE}", "DestinationBucket": f"orders-{TARGET}", "RuleId": "dr"}
    assert bench.metric(SOURCE, "AWS/S3", "OperationsPendingReplication", **about) == 0.0
    s3 = bench.local.service("s3")
    assert isinstance(s3, S3Service)
    s3.let_wait(f"orders-{SOURCE}", 3)
    assert bench.metric(SOURCE, "AWS/S3", "OperationsPendingReplication", **about) == 3.0
    assert bench.metric(SOURCE, "AWS/S3", "OperationsPendingReplication", **{**about, "RuleId": "other"}) is None
