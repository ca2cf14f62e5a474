"""DB snapshots and restores, and automated backups shipped to another Region."""

from __future__ import annotations

from typing import Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.base import Place, place_of
from localaws.services.rds.groups import RdsGroups
from localaws.services.rds.state import ReplicatedBackup, Seconds, Status
from localaws.services.rds.walks import Stage

RESTORABLE = (Status.AVAILABLE, Status.STOPPED)
# Both per destination Region.
COPIES_AT_A_TIME = 20
REPLICATED_BACKUPS_LIMIT = 20
KEPT_BY_RESTORE = {
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "DBInstanceClass": "db_instance_class",
    "AllocatedStorage": "allocated_storage",
    "MasterUsername": "master_username",
    "Port": "port",
    "StorageType": "storage_type",
    "StorageEncrypted": "storage_encrypted",
    "KmsKeyId": "kms_key_id",
    "LicenseModel": "license_model",
    "BackupRetentionPeriod": "backup_retention_period",
    "DBName": "db_name",
}
NOT_OF_THE_INSTANCE = {
    "DBSnapshotIdentifier",
    "SourceDBInstanceIdentifier",
    "SourceDBInstanceAutomatedBackupsArn",
    "SourceDbiResourceId",
    "TargetDBInstanceIdentifier",
    "UseLatestRestorableTime",
    "RestoreTime",
}


class RdsSnapshots(RdsGroups):
    """Operations on DB snapshots, restores and replicated automated backups."""

    @operation("CreateDBSnapshot")
    def create_db_snapshot(self, call: Call) -> Reply:
        """Snapshot a DB instance, which is `backing-up` meanwhile. Works on most replicas, too."""
        instance = self.instance(call, call.params["DBInstanceIdentifier"])
        name = call.params["DBSnapshotIdentifier"]
        self.require_free_snapshot_name(call, name)
        self.require_status(instance, *RESTORABLE)
        if self.is_clustered(instance):
            raise errors.value("Snapshots of cluster members are taken with CreateDBClusterSnapshot.")
        snapshot = self.take_snapshot(instance, name, call.params.get("Tags"))
        if self.instance_state(instance).status == Status.AVAILABLE:
            self.walk(instance, "back-up", [Stage(Status.BACKING_UP, Seconds.SNAPSHOT, kind="rds.backup")])
        return {"DBSnapshot": self.show_snapshot(call, snapshot)}

    @operation("DescribeDBSnapshots")
    def describe_db_snapshots(self, call: Call) -> Reply:
        """List DB snapshots; a snapshot may be named by ARN."""
        wanted = call.params.get("DBSnapshotIdentifier")
        store = self.backend_of(call).database_snapshots
        if wanted and wanted.startswith("arn:"):
            wanted = wanted.split(":", 6)[6]
            call = call.with_params(DBSnapshotIdentifier=wanted)
        if wanted and wanted not in store and not call.params.get("DBInstanceIdentifier"):
            raise errors.snapshot_not_found(wanted)
        reply = self.world.moto(call)
        shown = [
            self.complete_snapshot(dict(one), store[one["DBSnapshotIdentifier"]])
            for one in reply["DBSnapshots"]
            if one["DBSnapshotIdentifier"] in store
        ]
        return {**reply, "DBSnapshots": shown}

    @operation("CopyDBSnapshot")
    def copy_db_snapshot(self, call: Call) -> Reply:
        """Copy a snapshot, from another Region when named by ARN: `creating`, then `available`."""
        source = self._instance_snapshot(call, call.params["SourceDBSnapshotIdentifier"])
        if self.snapshot_state(source).status != Status.AVAILABLE:
            raise AwsError("InvalidDBSnapshotState", f"Source snapshot {source.arn} is not available.")
        self.require_free_snapshot_name(call, call.params["TargetDBSnapshotIdentifier"])
        if source.region != call.region:
            self.require_free_copy(self.backend_of(call).database_snapshots.values(), COPIES_AT_A_TIME)
        if source.encrypted and source.region != call.region and not call.params.get("KmsKeyId"):
            raise errors.combination("KmsKeyId is required to copy an encrypted snapshot from another region.")
        accepted = ("SourceDBSnapshotIdentifier", "TargetDBSnapshotIdentifier", "KmsKeyId", "Tags", "CopyTags")
        kwargs = self.snake({key: value for key, value in call.params.items() if key in accepted})
        with errors.moto_errors():
            copied = self.backend_of(call).copy_db_snapshot(**kwargs)
        stages = [Stage(Status.CREATING, Seconds.COPY_SNAPSHOT)]
        state = self.walk_snapshot(copied, stages, "copy-db-snapshot")
        state.source_arn, state.source_region = source.arn, source.region
        state.original = self.snapshot_state(source).original or self.snapshot_state(source).created
        return {"DBSnapshot": self.show_snapshot(call, copied)}

    def _instance_snapshot(self, call: Call, identifier: str) -> Any:
        place = place_of(identifier) if identifier.startswith("arn:") else Place(call.account, call.region)
        name = identifier.split(":", 6)[6] if identifier.startswith("arn:") else identifier
        if self.region_is_down(place.region):
            raise errors.snapshot_not_found(identifier)
        found = self.backend(place.account, place.region).database_snapshots.get(name)
        if found is None:
            raise errors.snapshot_not_found(identifier)
        return found

    @operation("DeleteDBSnapshot")
    def delete_db_snapshot(self, call: Call) -> Reply:
        """Delete a snapshot that is complete."""
        snapshot = self._instance_snapshot(call, call.params["DBSnapshotIdentifier"])
        if self.snapshot_state(snapshot).status != Status.AVAILABLE:
            raise AwsError("InvalidDBSnapshotState", f"Snapshot {snapshot.arn} is not available.")
        shown = self.show_snapshot(call, snapshot)
        self.backend_of(call).database_snapshots.pop(snapshot.db_snapshot_identifier)
        return {"DBSnapshot": {**shown, "Status": "deleted"}}

    @operation("RestoreDBInstanceFromDBSnapshot")
    def restore_from_snapshot(self, call: Call) -> Reply:
        """Create a DB instance from a snapshot. It takes nothing of the source's network, groups or tags."""
        snapshot = self._instance_snapshot(call, call.params["DBSnapshotIdentifier"])
        if self.snapshot_state(snapshot).status != Status.AVAILABLE:
            raise AwsError("InvalidDBSnapshotState", f"Snapshot {snapshot.arn} is not available.")
        overrides = {"KmsKeyId": snapshot.kms_key_id, "StorageEncrypted": bool(snapshot.encrypted)}
        return self._restore_instance(call, snapshot.database, call.params["DBInstanceIdentifier"], overrides)

    @operation("RestoreDBInstanceToPointInTime")
    def restore_to_point_in_time(self, call: Call) -> Reply:
        """Create a DB instance from backups: of an instance here, or replicated here from another Region."""
        params = call.params
        if params.get("RestoreTime") and params.get("UseLatestRestorableTime"):
            raise errors.combination("RestoreTime and UseLatestRestorableTime cannot be specified together.")
        if not params.get("RestoreTime") and not params.get("UseLatestRestorableTime"):
            raise errors.combination("Either RestoreTime or UseLatestRestorableTime must be specified.")
        overrides: dict[str, Any] = {}
        if arn := params.get("SourceDBInstanceAutomatedBackupsArn"):
            backup = self._backup(call, arn)
            source = backup.source
            overrides = {"KmsKeyId": backup.kms_key_id, "StorageEncrypted": bool(backup.kms_key_id)}
        else:
            source = self.instance(call, params.get("SourceDBInstanceIdentifier", ""))
            if not source.backup_retention_period:
                name = source.db_instance_identifier
                raise AwsError("PointInTimeRestoreNotEnabled", f"Automated backups are not enabled for {name}.")
        return self._restore_instance(call, source, params["TargetDBInstanceIdentifier"], overrides)

    def _restore_instance(self, call: Call, source: Any, name: str, overrides: dict[str, Any]) -> Reply:
        if name in self.backend_of(call).databases:
            raise errors.instance_exists(name)
        kept = {key: getattr(source, attribute, None) for key, attribute in KEPT_BY_RESTORE.items()}
        asked = {key: value for key, value in call.params.items() if key not in NOT_OF_THE_INSTANCE}
        merged = {**kept, **overrides, **asked, "DBInstanceIdentifier": name}
        instance = self.new_instance(call, {key: value for key, value in merged.items() if value is not None})
        self.instance_state(instance).connections = 0

        def restored() -> None:
            self.note(instance, f"Restored from {source.db_instance_identifier}", "creation")

        stages = [
            Stage(Status.CREATING, Seconds.RESTORE_INSTANCE, restored),
            Stage(Status.BACKING_UP, Seconds.BACK_UP, kind="rds.backup"),
        ]
        self.walk(instance, "restore-db-instance", stages)
        return {"DBInstance": self.show_instance(call, instance)}

    # --- automated backups

    @operation("StartDBInstanceAutomatedBackupsReplication")
    def start_backups_replication(self, call: Call) -> Reply:
        """Ship the automated backups of a DB instance into this Region: `pending`, then `replicating`."""
        arn = call.params["SourceDBInstanceArn"]
        source = self.instance(call, arn)
        if source.region == call.region:
            raise errors.value("The source DB instance must be in another region.")
        if self.region_is_down(source.region) or not source.backup_retention_period:
            raise errors.instance_state(f"Automated backups of {arn} are not available.")
        self.require_status(source)
        here = self.replicated_backups.setdefault(Place(call.account, call.region), [])
        if any(one.source is source and one.status != "retained" for one in here):
            raise errors.instance_state(f"Automated backups of {arn} are already replicated to {call.region}.")
        if len(here) >= REPLICATED_BACKUPS_LIMIT:
            raise AwsError("DBInstanceAutomatedBackupQuotaExceeded", "The quota of replicated backups is used up.")
        if source.storage_encrypted and not call.params.get("KmsKeyId"):
            raise errors.combination("KmsKeyId is required to replicate encrypted backups.")
        backup = ReplicatedBackup(
            arn=f"arn:aws:rds:{call.region}:{call.account}:auto-backup:ab-{mock_random.get_random_hex(26)}",
            source_arn=source.arn,
            retention_days=call.params.get("BackupRetentionPeriod", 7),
            kms_key_id=call.params.get("KmsKeyId"),
            source=source,
            tags=list(call.params.get("Tags", [])),
        )
        here.append(backup)

        def shipping() -> None:
            backup.status = "replicating"

        self.later("rds.start-backups-replication", backup.arn, Seconds.COPY_SNAPSHOT, shipping)
        return {"DBInstanceAutomatedBackup": self.show_backup(Place(call.account, call.region), backup)}

    @operation("StopDBInstanceAutomatedBackupsReplication")
    def stop_backups_replication(self, call: Call) -> Reply:
        """Stop shipping backups into this Region; what arrived is kept as `retained`."""
        place = Place(call.account, call.region)
        arn = call.params["SourceDBInstanceArn"]
        for backup in self.replicated_backups.get(place, []):
            if backup.source_arn == arn and backup.status != "retained":
                backup.frozen_at = self.restorable_until(backup.source.region)
                backup.status = "retained"
                return {"DBInstanceAutomatedBackup": self.show_backup(place, backup)}
        raise errors.instance_not_found(arn)

    @operation("DescribeDBInstanceAutomatedBackups")
    def describe_automated_backups(self, call: Call) -> Reply:
        """List this Region's own automated backups and those replicated into it."""
        place = Place(call.account, call.region)
        shown = [self.show_backup(place, backup) for backup in self.replicated_backups.get(place, [])]
        for instance in self.backend_of(call).databases.values():
            if instance.backup_retention_period and not self.is_clustered(instance):
                shown.append(self.show_backup(place, self._own_backup(instance)))
        names = ("DBInstanceAutomatedBackupsArn", "DbiResourceId", "DBInstanceIdentifier")
        wanted = {name: call.params[name] for name in names if call.params.get(name)}
        found = [one for one in shown if all(one[name] == value for name, value in wanted.items())]
        if "DBInstanceAutomatedBackupsArn" in wanted and not found:
            raise AwsError("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackup not found.", 404)
        return {"DBInstanceAutomatedBackups": found}

    def _own_backup(self, instance: Any) -> ReplicatedBackup:
        arn = (
            f"arn:aws:rds:{instance.region}:{instance.account_id}:auto-backup:ab-{instance.dbi_resource_id[3:].lower()}"
        )
        days, key = instance.backup_retention_period, instance.kms_key_id
        return ReplicatedBackup(arn, instance.arn, days, key, instance, "active")

    def _backup(self, call: Call, arn: str) -> ReplicatedBackup:
        for backup in self.replicated_backups.get(Place(call.account, call.region), []):
            if backup.arn == arn and backup.status != "pending":
                return backup
        raise AwsError("DBInstanceAutomatedBackupNotFound", f"DBInstanceAutomatedBackup {arn} not found.", 404)
