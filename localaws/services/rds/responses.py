"""What RDS shows: moto's replies, completed with statuses, replication, global membership and true times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from localaws.service import Call
from localaws.services.rds.base import Place
from localaws.services.rds.state import GlobalCluster, Member, ReplicatedBackup, Status
from localaws.services.rds.walks import RdsWalks

# Point-in-time restore trails the present by up to five minutes.
RESTORE_DELAY = timedelta(minutes=5)
RENEWED_DAYS = 300
UNREACHABLE = (Status.CREATING, Status.DELETING, Status.FAILED)


class RdsViews(RdsWalks):
    """Builds the output shapes of RDS."""

    def restorable_until(self, region: str) -> datetime:
        """Return how far backups of a Region reach: five AWS minutes ago, or the moment the Region went dark."""
        delay = timedelta(seconds=self.world.clock.clock_seconds(RESTORE_DELAY.total_seconds()))
        return (self.dark_since(region) or self.world.clock.now()) - delay

    def show_instance(self, call: Call, instance: Any) -> dict[str, Any]:
        """Return one DB instance in the output shape."""
        reply = self.ask_moto(
            call, "DescribeDBInstances", instance.region, DBInstanceIdentifier=instance.db_instance_identifier
        )
        return self.complete_instance(dict(reply["DBInstances"][0]), instance)

    def complete_instance(self, shown: dict[str, Any], instance: Any) -> dict[str, Any]:
        """Correct moto's picture of a DB instance."""
        state = self.instance_state(instance)
        shown["DBInstanceStatus"] = str(state.status)
        shown["PendingModifiedValues"] = dict(state.pending)
        shown["CertificateDetails"] = self._certificate(state.created)
        if state.created is not None:
            shown["InstanceCreateTime"] = state.created
        if state.status == Status.CREATING:
            shown.pop("Endpoint", None)
        if state.restart_at is not None:
            shown["AutomaticRestartTime"] = state.restart_at
        shown["StatusInfos"] = self._replication_infos(instance)
        if state.replica_mode:
            shown["ReplicaMode"] = state.replica_mode
        if not instance.backup_retention_period or self.is_clustered(instance):
            shown.pop("LatestRestorableTime", None)
        else:
            shown["LatestRestorableTime"] = self.restorable_until(instance.region)
        shown["DBInstanceAutomatedBackupsReplications"] = [
            {"DBInstanceAutomatedBackupsArn": backup.arn} for backup in self.backups_of(instance)
        ]
        return shown

    def _certificate(self, created: datetime | None) -> dict[str, Any]:
        """Return what an instance shows to TLS clients: valid for a year, renewed by RDS before it ends."""
        now = self.world.clock.now()
        years = (now - created).days // RENEWED_DAYS if created else 0
        return {
            "CAIdentifier": "rds-ca-rsa2048-g1",
            "ValidTill": (created or now) + timedelta(RENEWED_DAYS * years + 365),
        }

    def backups_of(self, instance: Any) -> list[ReplicatedBackup]:
        """Return the replicated backups of a DB instance, in all Regions."""
        return [
            backup for backups in self.replicated_backups.values() for backup in backups if backup.source is instance
        ]

    def _replication_infos(self, instance: Any) -> list[dict[str, Any]]:
        state = self.instance_state(instance)
        if not instance.source_db_instance_identifier or state.status in UNREACHABLE:
            return []
        info: dict[str, Any] = {"StatusType": "read replication", "Normal": True, "Status": "replicating"}
        source, _ = self.sources_and_replicas(instance)
        if state.replication_terminated or source is None:
            info |= {"Normal": False, "Status": "terminated", "Message": "The source DB instance has been deleted."}
        elif self.region_is_down(source.region):
            info |= {"Normal": False, "Status": "error", "Message": f"Source in {source.region} cannot be reached."}
        elif self.instance_state(source).status in (Status.STOPPED, *UNREACHABLE):
            info |= {"Normal": False, "Status": "error", "Message": "Source DB instance is not available."}
        return [info]

    def show_cluster(self, call: Call, cluster: Any) -> dict[str, Any]:
        """Return one DB cluster in the output shape."""
        reply = self.ask_moto(
            call, "DescribeDBClusters", cluster.region, DBClusterIdentifier=cluster.db_cluster_identifier
        )
        return self.complete_cluster(dict(reply["DBClusters"][0]), cluster)

    def complete_cluster(self, shown: dict[str, Any], cluster: Any) -> dict[str, Any]:
        """Correct moto's picture of a DB cluster."""
        state = self.cluster_state(cluster)
        shown["Status"] = str(state.status)
        if state.created is not None:
            shown["ClusterCreateTime"] = state.created
            shown["EarliestRestorableTime"] = state.created
        shown["LatestRestorableTime"] = self.restorable_until(cluster.region)
        if state.restart_at is not None:
            shown["AutomaticRestartTime"] = state.restart_at
        if not cluster.storage_encrypted:
            shown.pop("KmsKeyId", None)
        shown["DBClusterMembers"] = [dict(member) for member in shown.get("DBClusterMembers", [])]
        membership = self.global_of(cluster)
        shown.pop("GlobalClusterIdentifier", None)
        shown.pop("GlobalWriteForwardingStatus", None)
        shown.pop("GlobalWriteForwardingRequested", None)
        reads_only = bool(cluster.replication_source_identifier)
        if membership is not None:
            member = membership.member_of(cluster)
            shown["GlobalClusterIdentifier"] = membership.identifier
            if member is not None and not member.is_writer:
                reads_only = True
                shown["GlobalWriteForwardingStatus"] = self._forwarding(cluster)
                shown["GlobalWriteForwardingRequested"] = state.write_forwarding
        if reads_only:
            # A secondary's instances are all readers until its cluster is promoted.
            for one in shown["DBClusterMembers"]:
                one["IsClusterWriter"] = False
        return shown

    def _forwarding(self, cluster: Any) -> str:
        return "enabled" if self.cluster_state(cluster).write_forwarding else "disabled"

    def show_global(self, one: GlobalCluster) -> dict[str, Any]:
        """Return a global database in the output shape. FailoverState is present only while roles change."""
        shown: dict[str, Any] = {
            "GlobalClusterIdentifier": one.identifier,
            "GlobalClusterResourceId": one.resource_id,
            "GlobalClusterArn": one.arn,
            "Status": str(one.status),
            "Engine": one.engine,
            "EngineVersion": one.engine_version,
            "EngineLifecycleSupport": "open-source-rds-extended-support",
            "StorageEncrypted": one.storage_encrypted,
            "DeletionProtection": one.deletion_protection,
            "GlobalClusterMembers": [self._show_member(one, member) for member in one.members],
            "Endpoint": f"{one.identifier}.global-{one.resource_id[-12:].lower()}.global.rds.amazonaws.com",
            "TagList": [{"Key": key, "Value": value} for key, value in one.tags.items()],
        }
        if one.database_name:
            shown["DatabaseName"] = one.database_name
        if one.failover is not None:
            shown["FailoverState"] = {
                "Status": str(one.failover.progress),
                "FromDbClusterArn": one.failover.source.cluster.arn,
                "ToDbClusterArn": one.failover.target.cluster.arn,
                "IsDataLossAllowed": one.failover.data_loss_allowed,
            }
        return shown

    def _show_member(self, one: GlobalCluster, member: Member) -> dict[str, Any]:
        others = [other.cluster.arn for other in one.members if other is not member]
        shown: dict[str, Any] = {
            "DBClusterArn": member.cluster.arn,
            "Readers": others if member.is_writer else [],
            "IsWriter": member.is_writer,
            "SynchronizationStatus": str(member.sync),
        }
        if not member.is_writer:
            shown["GlobalWriteForwardingStatus"] = self._forwarding(member.cluster)
        return shown

    def show_snapshot(self, call: Call, snapshot: Any) -> dict[str, Any]:
        """Return one DB snapshot in the output shape."""
        reply = self.ask_moto(call, "DescribeDBSnapshots", DBSnapshotIdentifier=snapshot.db_snapshot_identifier)
        return self.complete_snapshot(dict(reply["DBSnapshots"][0]), snapshot)

    def show_cluster_snapshot(self, call: Call, snapshot: Any) -> dict[str, Any]:
        """Return one DB cluster snapshot in the output shape."""
        name = snapshot.db_cluster_snapshot_identifier
        reply = self.ask_moto(call, "DescribeDBClusterSnapshots", DBClusterSnapshotIdentifier=name)
        return self.complete_snapshot(dict(reply["DBClusterSnapshots"][0]), snapshot)

    def complete_snapshot(self, shown: dict[str, Any], snapshot: Any) -> dict[str, Any]:
        """Correct moto's picture of a DB or cluster snapshot."""
        state = self.snapshot_state(snapshot)
        shown["Status"] = str(state.status)
        shown["PercentProgress"] = 100 if state.status == Status.AVAILABLE else 20
        if state.created is not None:
            shown["SnapshotCreateTime"] = state.created
            if "DBSnapshotIdentifier" in shown:
                shown["OriginalSnapshotCreateTime"] = state.original or state.created
        if state.source_arn is None:
            return shown
        if "DBClusterSnapshotIdentifier" in shown:
            shown["SourceDBClusterSnapshotArn"] = state.source_arn
        else:
            shown |= {"SourceDBSnapshotIdentifier": state.source_arn, "SourceRegion": state.source_region}
        return shown

    def show_backup(self, place: Place, backup: ReplicatedBackup) -> dict[str, Any]:
        """Return replicated automated backups in the output shape (RestoreWindow.LatestTime is the loss point)."""
        source = backup.source
        until = backup.frozen_at or self.restorable_until(source.region)
        return {
            "DBInstanceArn": backup.source_arn,
            "DBInstanceIdentifier": source.db_instance_identifier,
            "DbiResourceId": source.dbi_resource_id,
            "Region": source.region,
            "DBInstanceAutomatedBackupsArn": backup.arn,
            "Status": backup.status,
            "BackupRetentionPeriod": backup.retention_days,
            "RestoreWindow": {"EarliestTime": until - timedelta(days=backup.retention_days), "LatestTime": until},
            "Engine": source.engine,
            "EngineVersion": source.engine_version,
            "AllocatedStorage": source.allocated_storage,
            "Port": source.port,
            "MasterUsername": source.master_username,
            "Encrypted": bool(backup.kms_key_id),
            "BackupTarget": "region",
            **({"KmsKeyId": backup.kms_key_id} if backup.kms_key_id else {}),
        }
