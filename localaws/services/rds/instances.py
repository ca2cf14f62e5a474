"""DB instances: create, describe, modify and rename, reboot, stop and start, delete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore import xform_name

from localaws.service import Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.engines import complete_defaults
from localaws.services.rds.groups import RdsGroups
from localaws.services.rds.state import Seconds, Status
from localaws.services.rds.walks import Stage

# Applied at once whatever ApplyImmediately says, without a visible status.
QUIET = {
    "DeletionProtection",
    "CopyTagsToSnapshot",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "AutoMinorVersionUpgrade",
    "MaxAllocatedStorage",
    "PubliclyAccessible",
    "VpcSecurityGroupIds",
    "DBParameterGroupName",
}
# Wait for the maintenance window unless ApplyImmediately; shown in PendingModifiedValues until applied.
DEFERRED = {
    "DBInstanceClass",
    "MultiAZ",
    "AllocatedStorage",
    "EngineVersion",
    "StorageType",
    "Iops",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
}
MODIFIABLE = (Status.AVAILABLE, Status.INCOMPATIBLE_PARAMETERS)


class RdsInstances(RdsGroups):
    """Operations on DB instances."""

    @operation("DescribeDBInstances")
    def describe_db_instances(self, call: Call) -> Reply:
        """List DB instances; DBInstanceIdentifier may be a name or an ARN."""
        reply = self.world.moto(call)
        store = self.backend_of(call).databases
        shown = [self.complete_instance(dict(one), store[one["DBInstanceIdentifier"]]) for one in reply["DBInstances"]]
        return {**reply, "DBInstances": shown}

    @operation("CreateDBInstance")
    def create_db_instance(self, call: Call) -> Reply:
        """Create a stand-alone DB instance or one of a cluster: `creating`, then `available`."""
        params = dict(call.params)
        name = params["DBInstanceIdentifier"]
        if name in self.backend_of(call).databases:
            raise errors.instance_exists(name)
        if cluster_name := params.get("DBClusterIdentifier"):
            cluster = self.cluster(call, cluster_name)
            if params["Engine"] != cluster.engine:
                raise errors.combination(
                    f"The engine name requested for your DB instance ({params['Engine']}) doesn't match the engine "
                    f"name of your DB cluster ({cluster.engine})."
                )
            self.require_cluster(cluster)
            params["DBClusterIdentifier"] = cluster.db_cluster_identifier
            params.pop("BackupRetentionPeriod", None)
            if cluster.db_subnet_group_name in cluster.backend.subnet_groups:
                params["DBSubnetGroupName"] = cluster.db_subnet_group_name
        instance = self.new_instance(call, complete_defaults(params))
        self.walk(
            instance, "create-db-instance", [Stage(Status.CREATING, Seconds.CREATE_INSTANCE, self._created(instance))]
        )
        return {"DBInstance": self.show_instance(call, instance)}

    def _created(self, instance: Any) -> Any:
        return lambda: self.note(instance, "DB instance created", "creation")

    @operation("ModifyDBInstance")
    def modify_db_instance(self, call: Call) -> Reply:
        """Change a DB instance.

        Class, Multi-AZ, storage, version and retention stay pending unless ApplyImmediately; a rename moves the ARN,
        the endpoint and the links of replicas.
        """
        params = dict(call.params)
        instance = self.instance(call, params.pop("DBInstanceIdentifier"))
        self.require_status(instance, *MODIFIABLE, Status.STOPPED)
        new_name = params.get("NewDBInstanceIdentifier", "").lower()
        if new_name and new_name in self.backend_of(call).databases:
            raise errors.instance_exists(new_name)
        self.require_groups(instance.backend, params)
        quiet = {key: value for key, value in params.items() if key in QUIET}
        if quiet:
            self._apply(instance, quiet)
        state = self.instance_state(instance)
        current = self._current(instance)
        state.pending.update({k: v for k, v in params.items() if k in DEFERRED and current.get(k) != v})
        if new_name:
            state.pending["DBInstanceIdentifier"] = new_name
        if params.get("ApplyImmediately") and state.pending:
            self._apply_pending(instance)
        elif "MasterUserPassword" in params or "VpcSecurityGroupIds" in params:
            self.walk(instance, "modify-db-instance", [Stage(Status.MODIFYING, Seconds.MODIFY_SETTINGS)])
        return {"DBInstance": self.show_instance(call, instance)}

    def _current(self, instance: Any) -> dict[str, Any]:
        return {name: getattr(instance, xform_name(name), None) for name in DEFERRED}

    def _apply(self, instance: Any, values: dict[str, Any]) -> None:
        with errors.moto_errors():
            instance.backend.modify_db_instance(instance.db_instance_identifier, self.snake(values))

    def _apply_pending(self, instance: Any) -> None:
        state = self.instance_state(instance)
        first_backup = not instance.backup_retention_period and state.pending.get("BackupRetentionPeriod")
        end = Status.STOPPED if state.status == Status.STOPPED else Status.AVAILABLE
        stages = [Stage(state.status, Seconds.UNNOTICED, kind="rds.notice")]
        if set(state.pending) - {"DBInstanceIdentifier"}:
            stages.append(Stage(Status.MODIFYING, Seconds.MODIFY_INSTANCE, lambda: self._values_applied(instance)))
        if "DBInstanceIdentifier" in state.pending:
            stages.append(Stage(Status.RENAMING, Seconds.RENAME, lambda: self._instance_renamed(instance)))
            stages.append(
                Stage(Status.REBOOTING, Seconds.REBOOT, lambda: self.clients_reconnect(instance), "rds.reboot")
            )
        if first_backup:
            stages.append(Stage(Status.BACKING_UP, Seconds.BACK_UP, kind="rds.backup"))

        def give_up() -> None:
            state.pending.clear()
            self.set_status(instance, end)
            self.note(instance, "The modification failed and was rolled back", "failure")

        self.walk(instance, "modify-db-instance", stages, end=end, on_failure=give_up)

    def _values_applied(self, instance: Any) -> None:
        state = self.instance_state(instance)
        values = {key: value for key, value in state.pending.items() if key in DEFERRED}
        if self.is_clustered(instance):
            values.pop("BackupRetentionPeriod", None)
        self._apply(instance, values)
        for key in values:
            state.pending.pop(key)
        self.note(instance, f"Finished applying modification to {', '.join(sorted(values))}", "configuration change")

    def _instance_renamed(self, instance: Any) -> None:
        new_name = self.instance_state(instance).pending.pop("DBInstanceIdentifier")
        source, replicas = self.sources_and_replicas(instance)
        self.forget_links(instance, source, replicas)
        store = instance.backend.databases
        del store[instance.db_instance_identifier]
        instance.db_instance_identifier = new_name
        store[new_name] = instance
        if source is not None:
            self.link(source, instance)
        for replica in replicas:
            self.link(instance, replica)
        self.note(instance, f"Renamed instance to {new_name}", "configuration change")

    @operation("RebootDBInstance")
    def reboot_db_instance(self, call: Call) -> Reply:
        """Reboot a DB instance; clients that no security group admits any more lose their connections."""
        instance = self.instance(call, call.params["DBInstanceIdentifier"])
        self.require_status(instance, *MODIFIABLE)

        def back() -> None:
            self.clients_reconnect(instance)
            self.note(instance, "DB instance restarted", "availability")

        self.walk(instance, "reboot-db-instance", [Stage(Status.REBOOTING, Seconds.REBOOT, back)])
        return {"DBInstance": self.show_instance(call, instance)}

    @operation("StopDBInstance")
    def stop_db_instance(self, call: Call) -> Reply:
        """Stop a DB instance for at most seven days. Refused for replicas, their sources and cluster members."""
        instance = self.instance(call, call.params["DBInstanceIdentifier"])
        name = instance.db_instance_identifier
        if self.is_clustered(instance):
            raise errors.combination("aurora DB instances are not eligible for stopping or starting.")
        self.require_status(instance)
        if instance.source_db_instance_identifier or instance.replicas:
            raise errors.instance_state(f"Cannot stop or start instance {name} because it is, or has, a read replica.")
        if instance.engine.startswith("sqlserver") and instance.multi_az:
            raise errors.instance_state(f"Cannot stop a Multi-AZ SQL Server instance {name}.")
        if snapshot := call.params.get("DBSnapshotIdentifier"):
            self.world.call(
                "rds",
                "CreateDBSnapshot",
                call.account,
                call.region,
                DBInstanceIdentifier=name,
                DBSnapshotIdentifier=snapshot,
            )
        state = self.instance_state(instance)
        wait = timedelta(seconds=self.world.clock.clock_seconds(Seconds.SEVEN_DAYS))

        def stopped() -> None:
            state.restart_at = self.world.clock.now() + wait
            self.after_seven_days(instance, lambda: self._start_instance(instance))
            self.note(instance, "DB instance stopped", "notification")

        self.walk(instance, "stop-db-instance", [Stage(Status.STOPPING, Seconds.STOP, stopped)], end=Status.STOPPED)
        return {"DBInstance": self.show_instance(call, instance)}

    @operation("StartDBInstance")
    def start_db_instance(self, call: Call) -> Reply:
        """Start a stopped DB instance."""
        instance = self.instance(call, call.params["DBInstanceIdentifier"])
        self.require_status(instance, Status.STOPPED)
        self._start_instance(instance)
        return {"DBInstance": self.show_instance(call, instance)}

    def _start_instance(self, instance: Any) -> None:
        self.instance_state(instance).restart_at = None

        def started() -> None:
            self.note(instance, "DB instance started", "notification")

        self.walk(instance, "start-db-instance", [Stage(Status.STARTING, Seconds.START, started)])

    @operation("DeleteDBInstance")
    def delete_db_instance(self, call: Call) -> Reply:
        """Delete a DB instance: `deleting`, then gone; its replicas go on as AWS documents per engine."""
        instance = self.instance(call, call.params["DBInstanceIdentifier"])
        self._check_deletable(call, instance)
        final = call.params.get("FinalDBSnapshotIdentifier")
        if final:
            self.take_snapshot(instance, final, [])
        shown_now = self.instance_state(instance)

        def gone() -> None:
            source, replicas = self.sources_and_replicas(instance)
            self.forget_links(instance, source, replicas)
            for replica in replicas:
                self.orphan(instance, replica)
            instance.backend.databases.pop(instance.db_instance_identifier, None)
            self.drop_automated_snapshots(instance, call.params.get("DeleteAutomatedBackups", True))
            self.note(instance, "DB instance deleted", "deletion")

        def kept() -> None:
            self.set_status(instance, Status.AVAILABLE)

        self.walk(
            instance,
            "delete-db-instance",
            [Stage(Status.DELETING, Seconds.DELETE + (Seconds.SNAPSHOT if final else 0), gone)],
            end=Status.DELETING,
            on_failure=kept,
        )
        if instance.db_instance_identifier not in self.backend_of(call).databases:
            return {
                "DBInstance": {"DBInstanceIdentifier": instance.db_instance_identifier, "DBInstanceStatus": "deleting"}
            }
        shown_now.pending.clear()
        return {"DBInstance": self.show_instance(call, instance)}

    def _check_deletable(self, call: Call, instance: Any) -> None:
        name = instance.db_instance_identifier
        skip = bool(call.params.get("SkipFinalSnapshot"))
        final = call.params.get("FinalDBSnapshotIdentifier")
        if self.instance_state(instance).status == Status.DELETING:
            raise errors.instance_state(f"Instance {name} is already being deleted.")
        if instance.deletion_protection:
            raise errors.combination(
                "Cannot delete protected DB Instance, please disable deletion protection and try again."
            )
        if skip and final:
            raise errors.combination("FinalDBSnapshotIdentifier can not be specified together with SkipFinalSnapshot.")
        if self.is_clustered(instance):
            self._check_last_of_replica_cluster(instance)
            if final:
                raise errors.combination(
                    "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance"
                )
        elif not skip and not final:
            raise errors.combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        elif final and instance.source_db_instance_identifier:
            raise errors.combination("FinalDBSnapshotIdentifier can not be specified when deleting a replica instance")
        elif final:
            self.require_free_snapshot_name(call, final)

    def _check_last_of_replica_cluster(self, instance: Any) -> None:
        cluster = instance.cluster
        if cluster.replication_source_identifier and len(self.cluster_instances(cluster)) == 1:
            raise errors.cluster_state(
                f"Cannot delete the last instance of the read replica DB cluster {cluster.db_cluster_identifier}; "
                "promote the cluster first."
            )
