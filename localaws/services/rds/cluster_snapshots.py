"""Cluster snapshots, copies across Regions, restores and copy-on-write clones."""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.base import Place, place_of
from localaws.services.rds.clusters import PLACEHOLDER_PASSWORD, RdsClusters
from localaws.services.rds.state import Seconds, Status
from localaws.services.rds.walks import Stage

# From other Regions into one (Aurora user guide, "Copying a DB cluster snapshot").
COPIES_AT_A_TIME = 5
KEPT_BY_RESTORE = {
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "EngineMode": "engine_mode",
    "DatabaseName": "database_name",
    "Port": "port",
    "StorageEncrypted": "storage_encrypted",
    "BackupRetentionPeriod": "backup_retention_period",
}
NOT_OF_THE_CLUSTER = {
    "SnapshotIdentifier",
    "SourceDBClusterIdentifier",
    "RestoreType",
    "UseLatestRestorableTime",
    "RestoreToTime",
}


class RdsClusterSnapshots(RdsClusters):
    """Operations on cluster snapshots and restores. A restored cluster has no instances."""

    @operation("CreateDBClusterSnapshot")
    def create_db_cluster_snapshot(self, call: Call) -> Reply:
        """Snapshot a cluster, also a secondary of a global database."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        self.require_cluster(cluster, Status.AVAILABLE, Status.STOPPED, Status.BACKING_UP)
        name = call.params["DBClusterSnapshotIdentifier"]
        snapshot = self.take_cluster_snapshot(cluster, name, call.params.get("Tags"))
        return {"DBClusterSnapshot": self.show_cluster_snapshot(call, snapshot)}

    @operation("DescribeDBClusterSnapshots")
    def describe_db_cluster_snapshots(self, call: Call) -> Reply:
        """List cluster snapshots; a snapshot or a cluster may be named by ARN."""
        wanted = call.params.get("DBClusterSnapshotIdentifier")
        store = self.backend_of(call).cluster_snapshots
        if wanted and wanted.startswith("arn:"):
            wanted = wanted.split(":", 6)[6]
            call = call.with_params(DBClusterSnapshotIdentifier=wanted)
        if wanted and wanted not in store and not call.params.get("DBClusterIdentifier"):
            raise errors.cluster_snapshot_not_found(wanted)
        reply = self.world.moto(call)
        shown = [
            self.complete_snapshot(dict(one), store[one["DBClusterSnapshotIdentifier"]])
            for one in reply["DBClusterSnapshots"]
            if one["DBClusterSnapshotIdentifier"] in store
        ]
        return {**reply, "DBClusterSnapshots": shown}

    def _cluster_snapshot(self, call: Call, identifier: str) -> Any:
        place = place_of(identifier) if identifier.startswith("arn:") else Place(call.account, call.region)
        name = identifier.split(":", 6)[6] if identifier.startswith("arn:") else identifier
        if self.region_is_down(place.region):
            raise errors.cluster_snapshot_not_found(identifier)
        found = self.backend(place.account, place.region).cluster_snapshots.get(name)
        if found is None:
            raise errors.cluster_snapshot_not_found(identifier)
        return found

    def _complete_cluster_snapshot(self, call: Call, identifier: str) -> Any:
        snapshot = self._cluster_snapshot(call, identifier)
        if self.snapshot_state(snapshot).status != Status.AVAILABLE:
            raise AwsError("InvalidDBClusterSnapshotStateFault", f"Snapshot {snapshot.arn} is not available.")
        return snapshot

    @operation("CopyDBClusterSnapshot")
    def copy_db_cluster_snapshot(self, call: Call) -> Reply:
        """Copy a cluster snapshot, from another Region when named by ARN."""
        params = call.params
        source = self._complete_cluster_snapshot(call, params["SourceDBClusterSnapshotIdentifier"])
        target = params["TargetDBClusterSnapshotIdentifier"]
        if target in self.backend_of(call).cluster_snapshots:
            raise AwsError("DBClusterSnapshotAlreadyExistsFault", f"DB cluster snapshot {target} already exists.")
        if source.region != call.region:
            self.require_free_copy(self.backend_of(call).cluster_snapshots.values(), COPIES_AT_A_TIME)
        if source.encrypted and source.region != call.region and not params.get("KmsKeyId"):
            raise errors.combination("KmsKeyId is required to copy an encrypted snapshot from another region.")
        names = (
            "SourceDBClusterSnapshotIdentifier",
            "TargetDBClusterSnapshotIdentifier",
            "KmsKeyId",
            "CopyTags",
            "Tags",
        )
        with errors.moto_errors():
            copied = self.backend_of(call).copy_db_cluster_snapshot(
                **self.snake({key: value for key, value in params.items() if key in names})
            )
        stages = [Stage(Status.COPYING, Seconds.COPY_SNAPSHOT)]
        state = self.walk_snapshot(copied, stages, "copy-db-cluster-snapshot")
        state.source_arn, state.source_region = source.arn, source.region
        return {"DBClusterSnapshot": self.show_cluster_snapshot(call, copied)}

    @operation("DeleteDBClusterSnapshot")
    def delete_db_cluster_snapshot(self, call: Call) -> Reply:
        """Delete a complete cluster snapshot."""
        snapshot = self._complete_cluster_snapshot(call, call.params["DBClusterSnapshotIdentifier"])
        shown = self.show_cluster_snapshot(call, snapshot)
        self.backend_of(call).cluster_snapshots.pop(snapshot.db_cluster_snapshot_identifier)
        return {"DBClusterSnapshot": {**shown, "Status": "deleted"}}

    @operation("RestoreDBClusterFromSnapshot")
    def restore_db_cluster_from_snapshot(self, call: Call) -> Reply:
        """Create a cluster from a cluster snapshot."""
        snapshot = self._complete_cluster_snapshot(call, call.params["SnapshotIdentifier"])
        if call.params["Engine"] != snapshot.engine:
            raise errors.combination(f"Engine {call.params['Engine']} does not match the snapshot's {snapshot.engine}.")
        return self._restore_cluster(call, snapshot.cluster, Seconds.RESTORE_CLUSTER)

    @operation("RestoreDBClusterToPointInTime")
    def restore_db_cluster_to_point_in_time(self, call: Call) -> Reply:
        """Create a cluster from the continuous backup, or clone it with RestoreType copy-on-write."""
        params = call.params
        source = self.cluster(call, params.get("SourceDBClusterIdentifier", ""))
        if source.region != call.region:
            raise errors.cluster_not_found(params["SourceDBClusterIdentifier"])
        clone = params.get("RestoreType") == "copy-on-write"
        if bool(params.get("RestoreToTime")) == bool(params.get("UseLatestRestorableTime")):
            raise errors.combination("Exactly one of RestoreToTime and UseLatestRestorableTime must be specified.")
        if clone and params.get("RestoreToTime"):
            raise errors.combination("RestoreToTime cannot be specified when RestoreType is copy-on-write")
        self.require_cluster(source, Status.AVAILABLE, Status.BACKING_UP)
        return self._restore_cluster(call, source, Seconds.CLONE_CLUSTER if clone else Seconds.RESTORE_CLUSTER)

    def _restore_cluster(self, call: Call, source: Any, seconds: float) -> Reply:
        name = call.params["DBClusterIdentifier"]
        if name in self.backend_of(call).clusters:
            raise errors.cluster_exists(name)
        kept = {key: getattr(source, attribute, None) for key, attribute in KEPT_BY_RESTORE.items()}
        asked = {key: value for key, value in call.params.items() if key not in NOT_OF_THE_CLUSTER}
        user = {"MasterUsername": source.master_username or "admin", "MasterUserPassword": PLACEHOLDER_PASSWORD}
        cluster = self.new_cluster(call, {**kept, **user, **asked})
        if cluster.storage_encrypted and "KmsKeyId" not in asked:
            cluster.kms_key_id = source.kms_key_id
        self.cluster_state(cluster).connections = 0

        def restored() -> None:
            self.note(cluster, f"Restored from {source.db_cluster_identifier}", "creation")

        self.walk(cluster, "restore-db-cluster", [Stage(Status.CREATING, seconds, restored)])
        return {"DBCluster": self.show_cluster(call, cluster)}
