"""Read replicas of DB instances: create across Regions, promote, switch over (Oracle)."""

from __future__ import annotations

from typing import Any

from localaws.service import Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.engines import supports_switchover
from localaws.services.rds.groups import RdsGroups
from localaws.services.rds.state import Seconds, Status
from localaws.services.rds.walks import Stage

COPIED_FROM_SOURCE = {
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "AllocatedStorage": "allocated_storage",
    "MasterUsername": "master_username",
    "StorageEncrypted": "storage_encrypted",
    "LicenseModel": "license_model",
    "DBName": "db_name",
}
INHERITED_UNLESS_GIVEN = {
    "DBInstanceClass": "db_instance_class",
    "Port": "port",
    "StorageType": "storage_type",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
}
NOT_OF_THE_INSTANCE = {"SourceDBInstanceIdentifier", "SourceRegion", "PreSignedUrl", "DestinationRegion", "ReplicaMode"}


class RdsReplicas(RdsGroups):
    """Operations on read replicas of DB instances."""

    @operation("CreateDBInstanceReadReplica")
    def create_db_instance_read_replica(self, call: Call) -> Reply:
        """Create a replica: `creating`, then `available` and `replicating`. Tags are not inherited.

        Across Regions the source is named by ARN; it must be `available` with automated backups on.
        """
        params = dict(call.params)
        name = params["DBInstanceIdentifier"]
        if name in self.backend_of(call).databases:
            raise errors.instance_exists(name)
        source = self._replica_source(call, params["SourceDBInstanceIdentifier"])
        self._check_encryption(call, source, params)
        replica = self.new_instance(call, self._replica_params(source, params))
        self.link(source, replica)
        state = self.instance_state(replica)
        of_source = self.instance_state(source)
        state.lag_seconds, state.connections = of_source.lag_seconds, 0
        if source.engine.startswith("oracle"):
            state.replica_mode = params.get("ReplicaMode", "open-read-only")
        created = Stage(Status.CREATING, Seconds.CREATE_REPLICA, lambda: self._replica_created(source, replica))
        self.walk(replica, "create-db-instance-read-replica", [created])
        return {"DBInstance": self.show_instance(call, replica)}

    def _replica_created(self, source: Any, replica: Any) -> None:
        self.note(replica, "DB instance created", "creation")
        self.note(replica, f"Replication for the read replica started from {source.arn}", "read replica")

    def _replica_source(self, call: Call, identifier: str) -> Any:
        if identifier.startswith("arn:") and f":{call.account}:" not in identifier:
            raise errors.value("Read replicas cannot be created from a DB instance of another AWS account.")
        source = self.instance(call, identifier)
        if self.region_is_down(source.region):
            raise errors.instance_state(f"The source DB instance {identifier} cannot be reached in {source.region}.")
        if self.is_clustered(source):
            raise errors.instance_state("The source DB instance is a member of a DB cluster.")
        if self.instance_state(source).status != Status.AVAILABLE:
            shown = self.instance_state(source).status
            raise errors.instance_state(f"The source DB instance is in state {shown}, expected available: {identifier}")
        if getattr(source, "manage_master_user_password", False) and not source.engine.startswith("sqlserver"):
            raise errors.combination(  # that it is declined is documented, in which words is not
                "A read replica can't be created when the source manages its master password in Secrets Manager."
            )
        if not source.backup_retention_period:
            raise errors.instance_state(
                "Automated backups are not enabled for this database instance. To enable automated backups, use "
                "ModifyDBInstance to set the backup retention period to a non-zero value."
            )
        return source

    def _check_encryption(self, call: Call, source: Any, params: dict[str, Any]) -> None:
        key = params.get("KmsKeyId")
        if key and not source.storage_encrypted:
            raise errors.combination("You cannot create an encrypted Read Replica from an unencrypted DB instance.")
        if source.storage_encrypted and not key and source.region != call.region:
            raise errors.combination(
                "Cannot create a cross region read replica of an encrypted DB instance without specifying KmsKeyId."
            )
        if key:
            with errors.moto_errors():
                self.backend_of(call)._validate_kms_key(key)

    def _replica_params(self, source: Any, params: dict[str, Any]) -> dict[str, Any]:
        wanted = {key: value for key, value in params.items() if key not in NOT_OF_THE_INSTANCE}
        inherited = {key: getattr(source, attribute, None) for key, attribute in INHERITED_UNLESS_GIVEN.items()}
        copied = {key: getattr(source, attribute, None) for key, attribute in COPIED_FROM_SOURCE.items()}
        merged = {"MultiAZ": False, "BackupRetentionPeriod": 0, **inherited, **wanted, **copied}
        if source.storage_encrypted:
            merged.setdefault("KmsKeyId", source.kms_key_id)
        return {key: value for key, value in merged.items() if value is not None}

    @operation("PromoteReadReplica")
    def promote_read_replica(self, call: Call) -> Reply:
        """Make a replica stand alone: `available` → `modifying` → `rebooting` → `backing-up` → `available`.

        Refused with `InvalidDBInstanceState` for what is not a replica and during `backing-up`. A failed promotion
        ends in `incompatible-parameters`, still a replica; a reboot repairs it.
        """
        replica = self.instance(call, call.params["DBInstanceIdentifier"])
        if not replica.source_db_instance_identifier:
            raise errors.instance_state(f"DB Instance {replica.db_instance_identifier} is not a read replica.")
        self.require_status(replica)
        days = call.params.get("BackupRetentionPeriod", replica.backup_retention_period or 1)
        window = call.params.get("PreferredBackupWindow")

        def promoted() -> None:
            source, _ = self.sources_and_replicas(replica)
            self.unlink(source, replica)
            replica.backup_retention_period = days
            if window:
                replica.preferred_backup_window = window
            state = self.instance_state(replica)
            state.replica_mode = None
            state.replication_terminated = False
            state.connections = max(state.connections, 24)
            self.note(replica, "Promoted read replica to a stand-alone database instance", "read replica")

        def failed() -> None:
            self.set_status(replica, Status.INCOMPATIBLE_PARAMETERS)
            self.note(replica, "Promotion failed: the parameter group does not suit the instance", "failure")

        stages = [
            Stage(Status.AVAILABLE, Seconds.UNNOTICED, kind="rds.notice"),
            Stage(Status.MODIFYING, Seconds.PROMOTE, promoted),
            Stage(Status.REBOOTING, Seconds.REBOOT, kind="rds.reboot"),
        ]
        if days:
            stages.append(Stage(Status.BACKING_UP, Seconds.BACK_UP, kind="rds.backup"))
        self.walk(replica, "promote-read-replica", stages, on_failure=failed)
        return {"DBInstance": self.show_instance(call, replica)}

    @operation("SwitchoverReadReplica")
    def switchover_read_replica(self, call: Call) -> Reply:
        """Exchange the roles of an Oracle primary and this standby without loss; sent to the standby's Region."""
        replica = self.instance(call, call.params["DBInstanceIdentifier"])
        source, _ = self.sources_and_replicas(replica)
        if source is None:
            raise errors.instance_state(f"DB Instance {replica.db_instance_identifier} is not a read replica.")
        if not supports_switchover(replica.engine):
            raise errors.instance_state(f"Switchover is not supported for engine {replica.engine}.")
        if self.region_is_down(source.region):
            raise errors.instance_state(f"The primary DB instance {source.arn} cannot be reached.")
        self.require_status(replica)
        self.require_status(source)
        mode = self.instance_state(replica).replica_mode

        def switched() -> None:
            others = [one for one in self.sources_and_replicas(source)[1] if one is not replica]
            self.forget_links(source, None, [replica, *others])
            for one in (source, *others):
                self.link(replica, one)
            mine, theirs = self.instance_state(replica), self.instance_state(source)
            mine.connections, theirs.connections = theirs.connections, mine.connections
            mine.replica_mode, theirs.replica_mode = None, mode
            self.note(replica, "Switchover completed: this DB instance is the primary", "notification")
            self.walk(source, "switchover-standby", [Stage(Status.MODIFYING, Seconds.REBOOT, kind="rds.reboot")])

        def refused() -> None:
            for one in (replica, source):
                self.set_status(one, Status.AVAILABLE)
                self.instance_state(one).busy = False
            self.note(replica, "Switchover failed: roles are unchanged", "failure")

        self.instance_state(source).busy = True
        self.set_status(source, Status.MODIFYING)
        stage = Stage(Status.MODIFYING, Seconds.SWITCHOVER_REPLICA, switched)
        self.walk(replica, "switchover-read-replica", [stage], on_failure=refused)
        return {"DBInstance": self.show_instance(call, replica)}
