"""What every part of the MemoryDB module shares: finding resources, making shards, the output shapes."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from localaws.service import AwsError, Call
from localaws.services.exports import Errors, ExportingService, slots_of
from localaws.services.memorydb import errors
from localaws.services.memorydb.state import (
    OPEN_ACCESS,
    Acl,
    Cluster,
    MultiRegionCluster,
    Node,
    Shard,
    Snapshot,
    Status,
)
from localaws.services.timed import Paging

PAGES = Paging("NextToken", "MaxResults", "InvalidParameterValueException")
ZONES = "abc"


class MemoryDbBase(ExportingService):
    """Base of the MemoryDB operation groups."""

    name: ClassVar[str] = "memorydb"
    product: ClassVar[str] = "MemoryDB"
    tagger_name: ClassVar[str] = "tagger"
    errors: ClassVar[Errors] = errors

    def reset(self) -> None:
        """Forget what moto's backend does not hold."""
        self.multi_regions: dict[str, dict[str, MultiRegionCluster]] = {}
        self._acls: dict[tuple[str, str], dict[str, Acl]] = {}

    # --- finding

    def cluster(self, call: Call, name: str) -> Cluster:
        """Return a cluster of the call's Region; raise `ClusterNotFoundFault`."""
        found = self.backend_of(call).clusters.get(name)
        if found is None:
            raise errors.cluster_not_found(name)
        assert isinstance(found, Cluster)
        return found

    def snapshot(self, call: Call, name: str) -> Snapshot:
        """Return a snapshot of the call's Region; raise `SnapshotNotFoundFault`."""
        found = self.backend_of(call).snapshots.get(name)
        if found is None:
            raise errors.snapshot_not_found(name)
        assert isinstance(found, Snapshot)
        return found

    def multi_region(self, account: str, name: str) -> MultiRegionCluster:
        """Return a multi-Region cluster; raise `MultiRegionClusterNotFoundFault`."""
        found = self.multi_regions.get(account, {}).get(name)
        if found is None:
            raise errors.multi_region_not_found(name)
        return found

    def multi_region_of(self, cluster: Cluster) -> MultiRegionCluster | None:
        """Return the multi-Region cluster a cluster belongs to."""
        everywhere = self.multi_regions.get(cluster.account, {}).values()
        return next((one for one in everywhere if cluster in one.members), None)

    def acls(self, call: Call) -> dict[str, Acl]:
        """Return the access control lists of the call's Region; `open-access` always exists."""
        default = {OPEN_ACCESS: Acl(OPEN_ACCESS, ["default"])}
        return self._acls.setdefault((call.account, call.region), default)

    def acl(self, call: Call, name: str) -> Acl:
        """Return an access control list; raise `ACLNotFoundFault`."""
        found = self.acls(call).get(name)
        if found is None:
            raise AwsError("ACLNotFoundFault", f"ACL {name} not found.")
        return found

    def require_available(self, cluster: Cluster) -> None:
        """Refuse with `InvalidClusterStateFault` unless the cluster is available."""
        if cluster.status != Status.AVAILABLE:
            raise errors.cluster_state(
                f"Cluster {cluster.cluster_name} is in state {cluster.status}, expected available."
            )

    # --- shards

    def size_shards(self, cluster: Cluster) -> None:
        """Give a cluster as many shards and nodes as its settings say; keep the nodes it has."""
        count = cluster.blueprint.shard_count
        del cluster.shards[count:]
        for number in range(count):
            if number == len(cluster.shards):
                cluster.shards.append(Shard(f"{number + 1:04}", ""))
            shard = cluster.shards[number]
            shard.slots = slots_of(number, count)
            del shard.nodes[cluster.replicas + 1 :]
            while len(shard.nodes) <= cluster.replicas:
                order = len(shard.nodes) + 1
                name = f"{cluster.cluster_name}-{shard.name}-{order:03}"
                zone = f"{cluster.region}{ZONES[(order - 1) % len(ZONES)]}"
                shard.nodes.append(Node(name, zone, self.world.clock.now()))

    # --- output shapes

    def show_cluster(self, cluster: Cluster, *, with_shards: bool = False) -> dict[str, Any]:
        """Return a cluster; its shards only when asked for."""
        plan = cluster.blueprint
        shown: dict[str, Any] = {
            "Name": cluster.cluster_name,
            "Description": cluster.description,
            "Status": str(cluster.status),
            "PendingUpdates": {},
            "NumberOfShards": plan.shard_count,
            "AvailabilityMode": "multiaz" if cluster.replicas else "singleaz",
            "NodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "EnginePatchVersion": f"{plan.engine_version}.0",
            "ParameterGroupName": cluster.parameter_group,
            "ParameterGroupStatus": "in-sync",
            "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in cluster.security_group_ids],
            "SubnetGroupName": cluster.subnet_group_name,
            "TLSEnabled": plan.tls,
            "ARN": cluster.arn,
            "SnapshotRetentionLimit": cluster.snapshot_days,
            "MaintenanceWindow": cluster.maintenance_window,
            "SnapshotWindow": cluster.snapshot_window,
            "ACLName": cluster.acl_name,
            "AutoMinorVersionUpgrade": True,
            "DataTiering": "false",
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
        }
        if cluster.kms_key_id:
            shown["KmsKeyId"] = cluster.kms_key_id
        one = self.multi_region_of(cluster)
        if one is not None:
            shown["MultiRegionClusterName"] = one.name
        if cluster.status not in (Status.CREATING, Status.CREATE_FAILED, Status.RESTORE_FAILED):
            shown["ClusterEndpoint"] = {"Address": f"clustercfg.{_domain(cluster)}", "Port": cluster.port}
        if with_shards:
            shown["Shards"] = [self._show_shard(cluster, shard) for shard in cluster.shards]
        return shown

    def _show_shard(self, cluster: Cluster, shard: Shard) -> dict[str, Any]:
        return {
            "Name": shard.name,
            "Status": str(cluster.status),
            "Slots": shard.slots,
            "Nodes": [
                {
                    "Name": node.name,
                    "Status": str(cluster.status),
                    "AvailabilityZone": node.zone,
                    "CreateTime": node.created,
                    "Endpoint": {"Address": f"{node.name}.{_domain(cluster)}", "Port": cluster.port},
                }
                for node in shard.nodes
            ],
            "NumberOfNodes": len(shard.nodes),
        }

    def show_multi_region(self, one: MultiRegionCluster, *, with_clusters: bool = True) -> dict[str, Any]:
        """Return a multi-Region cluster; its regional clusters only when asked for."""
        plan = one.blueprint
        shown: dict[str, Any] = {
            "MultiRegionClusterName": one.name,
            "Description": one.description,
            "Status": str(one.status),
            "NodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "NumberOfShards": plan.shard_count,
            "MultiRegionParameterGroupName": one.parameter_group,
            "TLSEnabled": plan.tls,
            "ARN": one.arn,
        }
        if with_clusters:
            shown["Clusters"] = [
                {
                    "ClusterName": cluster.cluster_name,
                    "Region": cluster.region,
                    "Status": str(cluster.status),
                    "ARN": cluster.arn,
                }
                for cluster in one.members
            ]
        return shown

    def show_snapshot(self, snapshot: Snapshot, *, with_shards: bool = False) -> dict[str, Any]:
        """Return a snapshot with the configuration of its cluster."""
        cluster, plan = snapshot.cluster, snapshot.blueprint
        configuration: dict[str, Any] = {
            "Name": snapshot.cluster_name,
            "Description": cluster.description,
            "NodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "MaintenanceWindow": cluster.maintenance_window,
            "Port": cluster.port,
            "ParameterGroupName": cluster.parameter_group,
            "SubnetGroupName": cluster.subnet_group_name,
            "VpcId": cluster.vpc_id,
            "SnapshotRetentionLimit": cluster.snapshot_days,
            "SnapshotWindow": cluster.snapshot_window,
            "NumShards": plan.shard_count,
        }
        if snapshot.multi_region_name:
            configuration["MultiRegionClusterName"] = snapshot.multi_region_name
        if with_shards:
            configuration["Shards"] = [
                {
                    "Name": f"{number:04}",
                    "Configuration": {"ReplicaCount": snapshot.replicas},
                    "Size": "64 MB",
                    "SnapshotCreationTime": snapshot.created,
                }
                for number in range(1, plan.shard_count + 1)
            ]
        shown: dict[str, Any] = {
            "Name": snapshot.snapshot_name,
            "Status": str(snapshot.status),
            "Source": snapshot.source,
            "ARN": snapshot.arn,
            "ClusterConfiguration": configuration,
            "DataTiering": "false",
        }
        if snapshot.kms_key_id:
            shown["KmsKeyId"] = snapshot.kms_key_id
        return shown


def _domain(cluster: Cluster) -> str:
    digest = hashlib.sha256(f"{cluster.account}{cluster.region}".encode()).hexdigest()[:6]
    return f"{cluster.cluster_name}.{digest}.memorydb.{cluster.region}.amazonaws.com"
