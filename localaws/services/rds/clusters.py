"""Aurora clusters in one Region: create (also as a secondary or replica), modify, stop, fail over, delete, promote."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.rds.models import DBCluster

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.base import name_in
from localaws.services.rds.engines import DEFAULT_VERSIONS, parameter_family
from localaws.services.rds.groups import RdsGroups
from localaws.services.rds.state import GlobalCluster, Member, Seconds, Status
from localaws.services.rds.walks import Stage

NOT_OF_THE_CLUSTER = {"SourceRegion", "PreSignedUrl", "DestinationRegion", "MonitoringInterval"}
PLACEHOLDER_PASSWORD = "set-by-the-source"  # noqa: S105  moto insists on one where AWS takes none


class RdsClusters(RdsGroups):
    """Operations on DB clusters."""

    @operation("DescribeDBClusters")
    def describe_db_clusters(self, call: Call) -> Reply:
        """List DB clusters; DBClusterIdentifier may be a name or an ARN."""
        reply = self.world.moto(call)
        store = self.backend_of(call).clusters
        shown = [self.complete_cluster(dict(one), store[one["DBClusterIdentifier"]]) for one in reply["DBClusters"]]
        return {**reply, "DBClusters": shown}

    @operation("CreateDBCluster")
    def create_db_cluster(self, call: Call) -> Reply:
        """Create a cluster without instances: `creating`, then `available`.

        With GlobalClusterIdentifier of a global database that has a primary it becomes a secondary (no master user).
        """
        params = {key: value for key, value in call.params.items() if key not in NOT_OF_THE_CLUSTER}
        name = params["DBClusterIdentifier"]
        if name in self.backend_of(call).clusters:
            raise errors.cluster_exists(name)
        params.setdefault("EngineVersion", DEFAULT_VERSIONS.get(params["Engine"]))
        one: GlobalCluster | None = None
        source: Any = None
        if global_name := params.get("GlobalClusterIdentifier"):
            one = self._joinable(call, global_name, params)
            source = one.writer.cluster if one.writer else None
        elif source_id := params.get("ReplicationSourceIdentifier"):
            source = self.cluster(call, source_id)
            self._check_reachable(source)
        if source is not None:
            self._follow(source, params)
        cluster = self.new_cluster(call, params)
        if one is not None:
            one.members.append(Member(cluster, is_writer=one.writer is None))
        elif source is not None:
            source.read_replica_identifiers.append(cluster.arn)
        created = Stage(
            Status.CREATING, Seconds.CREATE_CLUSTER, lambda: self.note(cluster, "DB cluster created", "creation")
        )
        self.walk(cluster, "create-db-cluster", [created])
        return {"DBCluster": self.show_cluster(call, cluster)}

    def _joinable(self, call: Call, name: str, params: dict[str, Any]) -> GlobalCluster:
        one = self.global_clusters(call.account).get(name.lower())
        if one is None:
            raise errors.global_not_found(name)
        if one.status != Status.AVAILABLE or one.failover is not None:
            raise errors.global_state(f"Global cluster {name} is in state {one.status}, expected available.")
        if any(member.cluster.region == call.region for member in one.members):
            raise errors.global_state(f"Global cluster {name} already has a cluster in {call.region}.")
        if params["Engine"] != one.engine:
            raise errors.combination(f"Engine {params['Engine']} does not match the global cluster's {one.engine}.")
        if call.params.get("EngineVersion", one.engine_version) != one.engine_version:
            raise errors.combination(
                f"Engine version {call.params['EngineVersion']} does not match the global cluster's "
                f"{one.engine_version}."
            )
        if one.writer is not None:
            self._check_reachable(one.writer.cluster)
        params["EngineVersion"] = one.engine_version
        return one

    def _check_reachable(self, source: Any) -> None:
        if self.region_is_down(source.region):
            raise errors.cluster_state(f"The source DB cluster {source.arn} cannot be reached in {source.region}.")
        self.require_cluster(source)

    def _follow(self, source: Any, params: dict[str, Any]) -> None:
        if params.get("MasterUsername") or params.get("MasterUserPassword"):
            raise errors.combination("Cannot specify user name or password for a cross region replication cluster.")
        params["MasterUsername"] = source.master_username or "admin"
        params["MasterUserPassword"] = PLACEHOLDER_PASSWORD
        params["StorageEncrypted"] = bool(source.storage_encrypted or params.get("StorageEncrypted"))
        params["DatabaseName"] = source.database_name
        params["EngineVersion"] = source.engine_version

    def new_cluster(self, call: Call, params: dict[str, Any]) -> Any:
        """Put a DB cluster into moto's store (without moto's own idea of global membership)."""
        backend = self.backend_of(call)
        self.require_groups(backend, params)
        kept = {key: value for key, value in params.items() if value is not None and key != "GlobalClusterIdentifier"}
        with errors.moto_errors():
            backend._validate_db_identifier(params["DBClusterIdentifier"])
            if key := params.get("KmsKeyId"):
                kept["KmsKeyId"] = backend._validate_kms_key(key)
            cluster = DBCluster(backend, **self.snake(kept))
        if not params.get("DBClusterParameterGroupName"):
            cluster.parameter_group = f"default.{parameter_family(cluster.engine, str(cluster.engine_version))}"
        now = self.world.clock.now()
        cluster.created = cluster.cluster_create_time = now.replace(tzinfo=None)
        backend.clusters[cluster.db_cluster_identifier] = cluster
        state = self.cluster_state(cluster)
        state.created = now
        state.write_forwarding = bool(params.get("EnableGlobalWriteForwarding"))
        return cluster

    @operation("ModifyDBCluster")
    def modify_db_cluster(self, call: Call) -> Reply:
        """Change a cluster: `modifying`, then `available`. A new name moves its ARN and endpoints."""
        params = dict(call.params)
        cluster = self.cluster(call, params.pop("DBClusterIdentifier"))
        self.require_cluster(cluster)
        now = params.pop("ApplyImmediately", False)
        new_name = str(params.pop("NewDBClusterIdentifier", "")).lower()
        if new_name and new_name in self.backend_of(call).clusters:
            raise errors.cluster_exists(new_name)
        forwarding = params.pop("EnableGlobalWriteForwarding", None)
        if forwarding is not None:
            self.cluster_state(cluster).write_forwarding = forwarding
        self.require_groups(cluster.backend, params)
        with errors.moto_errors():
            values = {"db_cluster_identifier": cluster.db_cluster_identifier, **self.snake(params)}
            cluster.backend.modify_db_cluster(values)

        def renamed() -> None:
            if new_name:
                self._rename_cluster(cluster, new_name)

        if set(params) - {"DeletionProtection"} or (new_name and now):
            status = Status.RENAMING if new_name else Status.MODIFYING
            self.walk(cluster, "modify-db-cluster", [Stage(status, Seconds.MODIFY_CLUSTER, renamed)])
        return {"DBCluster": self.show_cluster(call, cluster)}

    def _rename_cluster(self, cluster: Any, new_name: str) -> None:
        instances = self.cluster_instances(cluster)
        store = cluster.backend.clusters
        del store[cluster.db_cluster_identifier]
        cluster.db_cluster_identifier = new_name
        store[new_name] = cluster
        for instance in instances:
            instance.db_cluster_identifier = new_name

    def require_alone(self, cluster: Any, what: str) -> None:
        """Refuse for members of a global database and for replication partners."""
        name = cluster.db_cluster_identifier
        if self.global_of(cluster) is not None:
            raise errors.cluster_state(
                f"Cannot {what} DB cluster {name}: it is a part of a global cluster, please remove it from the "
                "global cluster first."
            )
        if cluster.replication_source_identifier or cluster.read_replica_identifiers:
            raise errors.cluster_state(f"Cannot {what} DB cluster {name}: it replicates to or from another cluster.")

    @operation("StopDBCluster")
    def stop_db_cluster(self, call: Call) -> Reply:
        """Stop a cluster and its instances for at most seven days; refused inside a global database."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        self.require_alone(cluster, "stop")
        self.require_cluster(cluster)
        state = self.cluster_state(cluster)

        def stopped() -> None:
            wait = timedelta(seconds=self.world.clock.clock_seconds(Seconds.SEVEN_DAYS))
            state.restart_at = self.world.clock.now() + wait
            self.after_seven_days(cluster, lambda: self._start_cluster(cluster))

        self._with_instances(cluster, "stop-db-cluster", Stage(Status.STOPPING, Seconds.STOP, stopped), Status.STOPPED)
        return {"DBCluster": self.show_cluster(call, cluster)}

    @operation("StartDBCluster")
    def start_db_cluster(self, call: Call) -> Reply:
        """Start a stopped cluster."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        self.require_cluster(cluster, Status.STOPPED)
        self._start_cluster(cluster)
        return {"DBCluster": self.show_cluster(call, cluster)}

    def _start_cluster(self, cluster: Any) -> None:
        self.cluster_state(cluster).restart_at = None
        self._with_instances(cluster, "start-db-cluster", Stage(Status.STARTING, Seconds.START), Status.AVAILABLE)

    def _with_instances(self, cluster: Any, kind: str, stage: Stage, end: str) -> None:
        for instance in self.cluster_instances(cluster):
            self.walk(instance, kind, [Stage(stage.status, stage.seconds)], end=end)
        self.walk(cluster, kind, [stage], end=end)

    @operation("FailoverDBCluster")
    def failover_db_cluster(self, call: Call) -> Reply:
        """Make another instance of the cluster its writer."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        self.require_cluster(cluster)
        target = call.params.get("TargetDBInstanceIdentifier")

        def swapped() -> None:
            with errors.moto_errors():
                cluster.backend.failover_db_cluster(cluster.db_cluster_identifier, target)

        if len(self.cluster_instances(cluster)) < 2:
            raise errors.cluster_state(
                f"Database cluster:{cluster.db_cluster_identifier} should have at least two database instances "
                "for failover"
            )
        self.walk(cluster, "failover-db-cluster", [Stage(Status.FAILING_OVER, Seconds.FAILOVER_CLUSTER, swapped)])
        return {"DBCluster": self.show_cluster(call, cluster)}

    @operation("DeleteDBCluster")
    def delete_db_cluster(self, call: Call) -> Reply:
        """Delete an empty cluster outside any global database: `deleting`, then gone."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        name = cluster.db_cluster_identifier
        final = call.params.get("FinalDBSnapshotIdentifier")
        state = self.cluster_state(cluster)
        if state.status == Status.DELETING:
            raise errors.cluster_state(f"DB cluster {name} is already being deleted.")
        if cluster.deletion_protection:
            raise errors.combination(
                "Cannot delete protected Cluster, please disable deletion protection and try again."
            )
        if not call.params.get("SkipFinalSnapshot") and not final:
            raise errors.combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        if self.global_of(cluster) is not None:
            raise errors.cluster_state(
                "This cluster is a part of a global cluster, please remove it from globalcluster first"
            )
        living = [one for one in self.cluster_instances(cluster) if self.instance_state(one).status != Status.DELETING]
        if living:
            raise errors.cluster_state(
                "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
            )
        if final:
            self.take_cluster_snapshot(cluster, final, [])

        def gone() -> None:
            self.leave_source(cluster)
            cluster.backend.clusters.pop(cluster.db_cluster_identifier, None)
            self.note(cluster, "DB cluster deleted", "deletion")

        shown = self.show_cluster(call, cluster)
        stage = Stage(Status.DELETING, Seconds.DELETE, gone)
        self.walk(cluster, "delete-db-cluster", [stage], end=Status.DELETING)
        return {"DBCluster": {**shown, "Status": "deleting"}}

    def leave_source(self, cluster: Any) -> None:
        """End the binlog replication of a replica cluster."""
        source_arn = cluster.replication_source_identifier
        if not source_arn:
            return
        place = source_arn.split(":")
        source = self.backend(place[4], place[3]).clusters.get(name_in(source_arn))
        if source is not None and cluster.arn in source.read_replica_identifiers:
            source.read_replica_identifiers.remove(cluster.arn)
        cluster.replication_source_identifier = None

    @operation("PromoteReadReplicaDBCluster")
    def promote_read_replica_db_cluster(self, call: Call) -> Reply:
        """Make a binlog replica cluster stand alone: `promoting`, then `available` and writable."""
        cluster = self.cluster(call, call.params["DBClusterIdentifier"])
        if not cluster.replication_source_identifier:
            raise errors.cluster_state(f"DB cluster {cluster.db_cluster_identifier} is not a read replica cluster.")
        self.require_cluster(cluster)

        def promoted() -> None:
            self.leave_source(cluster)
            self.note(cluster, "Promoted read replica cluster to a stand-alone cluster", "notification")

        def failed() -> None:
            self.set_status(cluster, Status.AVAILABLE)
            self.note(cluster, "Promotion failed", "failure")

        stage = Stage(Status.PROMOTING, Seconds.PROMOTE_CLUSTER, promoted)
        self.walk(cluster, "promote-read-replica-db-cluster", [stage], on_failure=failed)
        return {"DBCluster": self.show_cluster(call, cluster)}

    # --- snapshots of a cluster (used by deletion and failover, too)

    def take_cluster_snapshot(
        self, cluster: Any, name: str, tags: list[dict[str, str]] | None, kind: str = "manual"
    ) -> Any:
        """Start a cluster snapshot: `creating`, then `available`."""
        if name in cluster.backend.cluster_snapshots:
            raise AwsError("DBClusterSnapshotAlreadyExistsFault", f"DB cluster snapshot {name} already exists.")
        with errors.moto_errors():
            snapshot = cluster.backend.create_db_cluster_snapshot(
                cluster.db_cluster_identifier, name, snapshot_type=kind, tags=tags
            )
        self.walk_snapshot(snapshot, [Stage(Status.CREATING, Seconds.SNAPSHOT)], "create-db-cluster-snapshot")
        return snapshot
