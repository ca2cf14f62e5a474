"""The replication metrics of RDS, computed from the live state. Same state, same time: same value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from localaws.services.rds.base import name_in, place_of
from localaws.services.rds.global_roles import RdsGlobalRoles
from localaws.services.rds.state import Member, Sync

# With no transactions a PostgreSQL replica's lag climbs to five minutes and starts again.
POSTGRES_IDLE_CLIMB_SECONDS = 300
SLOT_BYTES_PER_SECOND = 1_048_576.0
NOT_REPLICATING = -1.0
CLUSTER_LAGS = ("AuroraBinlogReplicaLag", "AuroraGlobalDBRPOLag", "AuroraGlobalDBReplicationLag")


class RdsMetrics(RdsGlobalRoles):
    """Values of AWS/RDS metrics, by instance or cluster. Registered with CloudWatch as the source of `AWS/RDS`."""

    def metric(self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime) -> float | None:
        """Return the value of a metric at a time, None where AWS publishes nothing."""
        backend = self.backend(account, region)
        if instance := backend.databases.get(dimensions.get("DBInstanceIdentifier", "")):
            return self._of_instance(instance, name, at)
        if cluster := backend.clusters.get(dimensions.get("DBClusterIdentifier", "")):
            return self._of_cluster(cluster, name, at)
        return None

    def metric_names(self, account: str, region: str) -> list[tuple[str, dict[str, str]]]:
        """Return the metrics published in a Region: name and dimensions."""
        backend = self.backend(account, region)
        now = self.world.clock.now()
        found: list[tuple[str, dict[str, str]]] = []
        for identifier, instance in backend.databases.items():
            for name in ("DatabaseConnections", "ReplicaLag", "OldestReplicationSlotLag"):
                if self._of_instance(instance, name, now) is not None:
                    found.append((name, {"DBInstanceIdentifier": identifier}))
        for identifier, cluster in backend.clusters.items():
            for name in ("DatabaseConnections", *CLUSTER_LAGS):
                if self._of_cluster(cluster, name, now) is not None:
                    found.append((name, {"DBClusterIdentifier": identifier}))
        return found

    def _of_instance(self, instance: Any, name: str, at: datetime) -> float | None:
        if name == "DatabaseConnections":
            return float(self.connections(instance))
        if name == "ReplicaLag" and instance.source_db_instance_identifier:
            return self._replica_lag(instance, at)
        if name == "OldestReplicationSlotLag" and instance.engine == "postgres":
            _, replicas = self.sources_and_replicas(instance)
            if replicas:
                lag = self.instance_state(replicas[0]).lag_seconds
                return lag * SLOT_BYTES_PER_SECOND if self.connections(instance) else 0.0
        return None

    def _replica_lag(self, replica: Any, at: datetime) -> float:
        source, _ = self.sources_and_replicas(replica)
        state = self.instance_state(replica)
        if source is None or state.replication_terminated:
            return NOT_REPLICATING
        dark_since = self.dark_since(source.region)
        if dark_since is not None:
            # What was measured before the outage stays readable: it is the last known lag.
            return state.lag_seconds if at < dark_since else NOT_REPLICATING
        if self.connections(source):
            return state.lag_seconds
        if replica.engine == "postgres":
            return float(int(at.timestamp()) % POSTGRES_IDLE_CLIMB_SECONDS)
        return 0.0

    def _of_cluster(self, cluster: Any, name: str, at: datetime) -> float | None:
        if name == "DatabaseConnections":
            return float(sum(self.connections(one) for one in self.cluster_instances(cluster)))
        if name == "AuroraBinlogReplicaLag" and cluster.replication_source_identifier:
            return self._binlog_lag(cluster, at)
        if name not in ("AuroraGlobalDBRPOLag", "AuroraGlobalDBReplicationLag"):
            return None
        one = self.global_of(cluster)
        member = one.member_of(cluster) if one is not None else None
        if one is None or member is None or member.is_writer or one.writer is None:
            return None
        return self._global_lag(one.writer, member, at)

    def _binlog_lag(self, replica: Any, at: datetime) -> float | None:
        """Seconds_Behind_Source of the replica's writer: none without an instance, -1 while nothing can be fetched."""
        if not self.cluster_instances(replica):
            return None
        usual = self.cluster_state(replica).lag_milliseconds / 1000
        place = place_of(replica.replication_source_identifier)
        source = self.backend(place.account, place.region).clusters.get(name_in(replica.replication_source_identifier))
        dark_since = self.dark_since(place.region)
        if dark_since is not None:
            return usual if at < dark_since else NOT_REPLICATING
        writers = self.cluster_instances(source) if source is not None else []
        if not writers:
            return NOT_REPLICATING
        return usual if any(self.connections(one) for one in writers if one.is_cluster_writer) else 0.0

    def _global_lag(self, writer: Member, member: Member, at: datetime) -> float | None:
        usual = self.cluster_state(member.cluster).lag_milliseconds
        dark_since = self.dark_since(writer.cluster.region)
        if dark_since is not None and at >= dark_since:
            elapsed = (at - dark_since).total_seconds()
            return usual + 1000.0 * self.world.clock.aws_seconds(elapsed)
        if member.sync != Sync.CONNECTED:
            return None
        writers = self.cluster_instances(writer.cluster)
        if writers and not any(self.connections(one) for one in writers):
            return 0.0
        return usual
