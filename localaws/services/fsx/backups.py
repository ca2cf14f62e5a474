"""Backups: taken here, copied from other Regions, deleted.

Timings in AWS seconds. A fault of the scenario acts on `fsx.create-backup` and `fsx.copy-backup` (resource: the
backup's id).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.fsx.base import FsxBase, of
from localaws.services.fsx.models import Life, Shelf, Thing, bad_request, new_id, too_many, unsupported

TRANSFER_AFTER_SECONDS = 120.0
BACKUP_SECONDS = 300.0
COPY_SECONDS = 900.0
COPIES_AT_A_TIME = 5
UNFINISHED = {Life.PENDING, Life.CREATING, Life.TRANSFERRING, Life.COPYING}


class Backups(FsxBase):
    """Operations on backups."""

    @operation("CreateBackup")
    def create_backup(self, call: Call) -> Reply:
        """Back up a file system, or a volume of ONTAP.

        Raises: FileSystemNotFound, VolumeNotFound, BadRequest, UnsupportedOperation, BackupInProgress.
        """
        tags = call.params.get("Tags") or []

        def make() -> Thing:
            if volume_id := call.params.get("VolumeId"):
                return self._back_up_volume(self.find(call, Shelf.VOLUMES, volume_id), tags)
            if not call.params.get("FileSystemId"):
                raise bad_request("Either FileSystemId or VolumeId must be specified.")
            return self.back_up(self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"]), tags)

        return {"Backup": self.shown(self.once(call, make))}

    @operation("CopyBackup")
    def copy_backup(self, call: Call) -> Reply:
        """Copy a backup of this or another Region into this one; asked in the target Region.

        Raises: BackupNotFound, SourceBackupUnavailable (Region down, backup unfinished), UnsupportedOperation
            (ONTAP, Intelligent-Tiering), ServiceLimitExceeded (five copies at a time), InvalidDestinationKmsKey.
        """
        return {"Backup": self.shown(self.once(call, lambda: self._copy(call)))}

    @operation("DescribeBackups")
    def describe_backups(self, call: Call) -> Reply:
        """List backups by id or filter. Raises BackupNotFound for an unknown id."""
        filters = {
            "file-system-id": of("FileSystem", "FileSystemId"),
            "file-system-type": of("FileSystem", "FileSystemType"),
            "volume-id": of("Volume", "VolumeId"),
            "backup-type": of("Type"),
        }
        return self.listed(call, Shelf.BACKUPS, "BackupIds", "Backups", filters)

    @operation("DeleteBackup")
    def delete_backup(self, call: Call) -> Reply:
        """Delete a backup. Raises BackupNotFound, BackupInProgress, BackupBeingCopied, BackupRestoring."""
        backup = self.find(call, Shelf.BACKUPS, call.params["BackupId"])
        if backup.life in UNFINISHED:
            raise AwsError("BackupInProgress", f"Backup {backup.id} is {backup.life}.")
        if backup.notes.get("copies"):
            raise AwsError("BackupBeingCopied", f"Backup {backup.id} is being copied.", BackupId=backup.id)
        for restored in self.shelf(call.account, call.region, Shelf.FILE_SYSTEMS).values():
            if restored.notes.get("restored_from") == backup.id and restored.life == Life.CREATING:
                message = f"Backup {backup.id} is being restored to {restored.id}."
                raise AwsError("BackupRestoring", message, FileSystemId=restored.id)
        self.drop(Shelf.BACKUPS, backup)
        return {"BackupId": backup.id, "Lifecycle": str(Life.DELETED)}

    def back_up(
        self, file_system: Thing, tags: Iterable[Mapping[str, str]] = (), kind: str = "USER_INITIATED"
    ) -> Thing:
        """Begin a backup of a file system (`kind`: the API's BackupType)."""
        self._refuse(file_system)
        made = self.new_backup(file_system, kind)
        self.put(Shelf.BACKUPS, made, [*self._copied_tags(file_system), *tags])
        self.pass_through(made, TRANSFER_AFTER_SECONDS, Life.CREATING, Life.TRANSFERRING)
        self.walk("fsx.create-backup", made, BACKUP_SECONDS, Life.AVAILABLE)
        return made

    def new_backup(self, file_system: Thing, kind: str = "USER_INITIATED") -> Thing:
        """Return the backup of a file system as it is now, not kept yet."""
        content = copy.deepcopy(file_system.shape)
        content.pop("AdministrativeActions", None)
        made = self._thing(file_system.account, file_system.region, content, Life.CREATING, Type=kind)
        volumes = self.shelf(file_system.account, file_system.region, Shelf.VOLUMES).values()
        made.notes["volumes"] = [copy.deepcopy(v.shape) for v in volumes if of("FileSystemId")(v) == file_system.id]
        return made

    def new_copy(self, source: Thing, account: str, region: str) -> Thing:
        """Return a copy of a backup for an account and Region, not kept yet."""
        content = copy.deepcopy(source.shape["FileSystem"])
        origin = {"SourceBackupId": source.id, "SourceBackupRegion": source.region}
        made = self._thing(account, region, content, Life.COPYING, Type="USER_INITIATED", **origin)
        made.shape.pop("KmsKeyId", None)  # keys do not cross Regions: the copy has its own
        made.notes["volumes"] = copy.deepcopy(source.notes.get("volumes", []))
        return made

    def _thing(self, account: str, region: str, file_system: dict[str, Any], life: Life, **more: Any) -> Thing:
        backup_id = new_id("backup")
        shape = {
            "BackupId": backup_id,
            "Lifecycle": str(life),
            "ProgressPercent": 0,
            "CreationTime": self.world.clock.now(),
            "ResourceARN": f"arn:aws:fsx:{region}:{account}:backup/{backup_id}",
            "FileSystem": file_system,
            "OwnerId": account,
            "ResourceType": "FILE_SYSTEM",
            **({"KmsKeyId": file_system["KmsKeyId"]} if file_system.get("KmsKeyId") else {}),
            **more,
        }
        return Thing(backup_id, account, region, str(shape["ResourceARN"]), shape)

    def _back_up_volume(self, volume: Thing, tags: Iterable[Mapping[str, str]]) -> Thing:
        if volume.shape["VolumeType"] != "ONTAP":
            raise unsupported(f"{volume.id} is an OpenZFS volume: back up its file system.")
        if (kind := volume.shape["OntapConfiguration"].get("OntapVolumeType")) != "RW":
            raise bad_request(f"{volume.id} is of type {kind}: only volumes of type RW are backed up.")
        file_systems = self.shelf(volume.account, volume.region, Shelf.FILE_SYSTEMS)
        made = self.new_backup(file_systems[volume.shape["FileSystemId"]])
        made.shape |= {"ResourceType": "VOLUME", "Volume": copy.deepcopy(volume.shape)}
        self.put(Shelf.BACKUPS, made, tags)
        self.pass_through(made, TRANSFER_AFTER_SECONDS, Life.CREATING, Life.TRANSFERRING)
        self.walk("fsx.create-backup", made, BACKUP_SECONDS, Life.AVAILABLE)
        return made

    def _refuse(self, file_system: Thing) -> None:
        if file_system.life != Life.AVAILABLE:
            raise bad_request(f"File system {file_system.id} is {file_system.life}; it must be AVAILABLE.")
        kind = file_system.shape["FileSystemType"]
        if kind == "ONTAP":
            raise unsupported(f"{file_system.id} is ONTAP: back up its volumes.")
        where = (file_system.account, file_system.region)
        if kind == "LUSTRE":
            deployment = str(file_system.shape["LustreConfiguration"].get("DeploymentType", "SCRATCH_1"))
            linked = [
                a for a in self.shelf(*where, Shelf.ASSOCIATIONS).values() if of("FileSystemId")(a) == file_system.id
            ]
            if deployment.startswith("SCRATCH") or linked:
                raise unsupported(f"{file_system.id}: scratch and S3-linked Lustre file systems have no backups.")
        for backup in self.shelf(*where, Shelf.BACKUPS).values():
            if backup.shape["FileSystem"]["FileSystemId"] == file_system.id and backup.life == Life.CREATING:
                raise AwsError("BackupInProgress", f"Backup {backup.id} of {file_system.id} is in progress.")

    def _copied_tags(self, file_system: Thing) -> list[dict[str, str]]:
        configurations = [value for key, value in file_system.shape.items() if key.endswith("Configuration")]
        return self.tags(file_system) if any(c.get("CopyTagsToBackups") for c in configurations) else []

    def _copy(self, call: Call) -> Thing:
        region = call.params.get("SourceRegion") or call.region
        source = self._copy_source(call, region)
        running = [b for b in self.shelf(call.account, call.region, Shelf.BACKUPS).values() if b.life == Life.COPYING]
        across = [b for b in running if b.shape["SourceBackupRegion"] != call.region]
        if region != call.region and len(across) >= COPIES_AT_A_TIME:
            message = f"{len(across)} cross-Region copies are in progress in {call.region}."
            raise too_many(message, "TOTAL_IN_PROGRESS_COPY_BACKUPS")
        self._check_key(call)
        made = self.new_copy(source, call.account, call.region)
        if call.params.get("KmsKeyId"):
            made.shape["KmsKeyId"] = call.params["KmsKeyId"]
        tags = [*(self.tags(source) if call.params.get("CopyTags") else []), *(call.params.get("Tags") or [])]
        self.put(Shelf.BACKUPS, made, tags)
        source.notes.setdefault("copies", set()).add(made.id)
        self._finish_copy(source, made)
        return made

    def _check_key(self, call: Call) -> None:
        key_id = str(call.params.get("KmsKeyId") or "").rpartition("/")[2]
        if not key_id:
            return
        key = self.world.backend("kms", call.account, call.region).keys.get(key_id)
        if key is None or key.key_state != "Enabled":
            raise AwsError("InvalidDestinationKmsKey", f"The key {key_id} cannot be used in {call.region}.")

    def _finish_copy(self, source: Thing, made: Thing) -> None:
        def done() -> None:
            source.notes["copies"].discard(made.id)
            if self.world.faults.region_is_down(source.region):
                made.fail(f"The source backup in {source.region} could not be read.")
            else:
                made.shape |= {"Lifecycle": str(Life.AVAILABLE), "ProgressPercent": 100}

        def failed() -> None:
            source.notes["copies"].discard(made.id)
            made.fail("The backup could not be copied.")

        self.world.transition("fsx.copy-backup", made.id, COPY_SECONDS, done, failed)

    def _copy_source(self, call: Call, region: str) -> Thing:
        wanted = str(call.params["SourceBackupId"]).rpartition("/")[2]
        if self.world.faults.region_is_down(region):
            message = f"The source backup {wanted} in {region} is not available."
            raise AwsError("SourceBackupUnavailable", message, BackupId=wanted)
        source = self.shelf(call.account, region, Shelf.BACKUPS).get(wanted)
        if source is None:
            raise AwsError("BackupNotFound", f"Backup '{wanted}' does not exist in {region}.")
        file_system = source.shape["FileSystem"]
        if file_system["FileSystemType"] == "ONTAP" or file_system.get("StorageType") == "INTELLIGENT_TIERING":
            what = f"{file_system['FileSystemType']} {file_system.get('StorageType', '')}"
            raise unsupported(f"Backups of {what} file systems cannot be copied.")
        if source.life != Life.AVAILABLE:
            message = f"The source backup {wanted} is {source.life}; it must be AVAILABLE."
            raise AwsError("SourceBackupUnavailable", message, BackupId=wanted)
        return source
