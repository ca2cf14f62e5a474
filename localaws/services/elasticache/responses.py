"""What ElastiCache shows: replication groups, their clusters, global datastores, snapshots in the output shape."""

from __future__ import annotations

import hashlib
from typing import Any

from localaws.services.elasticache.named import ElastiCacheNamed
from localaws.services.elasticache.state import GlobalGroup, Group, Node, Shard, Snapshot, Status

# "us-west-2" is "usw2" in endpoints.
_COMPASS = {
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "central": "c",
    "northeast": "ne",
    "southeast": "se",
}


class ElastiCacheViews(ElastiCacheNamed):
    """Builds the output shapes."""

    def show_group(self, group: Group) -> dict[str, Any]:
        """Return a replication group. Endpoints appear once it is created; roles only without cluster mode."""
        plan = group.blueprint
        shown: dict[str, Any] = {
            "ReplicationGroupId": group.id,
            "Description": group.description,
            "Status": str(group.status),
            "PendingModifiedValues": {},
            "MemberClusters": [node.id for node in group.nodes],
            "NodeGroups": [self._show_shard(group, shard) for shard in group.shards],
            "AutomaticFailover": _enabled(group.automatic_failover),
            "MultiAZ": _enabled(group.multi_az),
            "SnapshotRetentionLimit": group.snapshot_days,
            "SnapshotWindow": group.snapshot_window,
            "ClusterEnabled": plan.cluster_enabled,
            "ClusterMode": _enabled(plan.cluster_enabled),
            "CacheNodeType": plan.node_type,
            "AuthTokenEnabled": plan.auth_token,
            "TransitEncryptionEnabled": plan.transit_encryption,
            "AtRestEncryptionEnabled": plan.at_rest_encryption,
            "ARN": group.arn,
            "UserGroupIds": list(group.user_group_ids),
            "LogDeliveryConfigurations": [],
            "ReplicationGroupCreateTime": group.created,
            "DataTiering": "disabled",
            "AutoMinorVersionUpgrade": True,
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
            "Engine": plan.engine,
        }
        if group.kms_key_id:
            shown["KmsKeyId"] = group.kms_key_id
        if plan.cluster_enabled and _is_reachable(group):
            shown["ConfigurationEndpoint"] = {"Address": f"clustercfg.{_domain(group)}", "Port": group.port}
        if (found := self.membership(group)) is not None:
            one, member = found
            shown["GlobalReplicationGroupInfo"] = {
                "GlobalReplicationGroupId": one.id,
                "GlobalReplicationGroupMemberRole": str(member.role),
            }
        return shown

    def _show_shard(self, group: Group, shard: Shard) -> dict[str, Any]:
        plain = not group.blueprint.cluster_enabled
        shown: dict[str, Any] = {
            "NodeGroupId": shard.id,
            "Status": str(group.status),
            "NodeGroupMembers": [self._show_member(group, shard, node, with_role=plain) for node in shard.nodes],
        }
        if not plain:
            shown["Slots"] = shard.slots
        elif _is_reachable(group):
            shown["PrimaryEndpoint"] = {"Address": f"master.{_domain(group)}", "Port": group.port}
            shown["ReaderEndpoint"] = {"Address": f"replica.{_domain(group)}", "Port": group.port}
        return shown

    def _show_member(self, group: Group, shard: Shard, node: Node, *, with_role: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "CacheClusterId": node.id,
            "CacheNodeId": "0001",
            "PreferredAvailabilityZone": node.zone,
        }
        if with_role:
            shown["CurrentRole"] = "primary" if node is shard.nodes[0] else "replica"
            shown["ReadEndpoint"] = {"Address": f"{node.id}.{_domain(group)}", "Port": group.port}
        return shown

    def show_cluster(self, group: Group, node: Node, *, with_nodes: bool) -> dict[str, Any]:
        """Return a member cluster as DescribeCacheClusters does."""
        plan = group.blueprint
        status = group.status if group.status != Status.CREATE_FAILED else Status.CREATING
        if status == Status.AVAILABLE:
            status = node.status
        shown: dict[str, Any] = {
            "CacheClusterId": node.id,
            "CacheNodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": f"{plan.engine_version}.0",
            "CacheClusterStatus": str(status),
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": node.zone,
            "CacheClusterCreateTime": node.created,
            "CacheSecurityGroups": [],
            "CacheParameterGroup": {
                "CacheParameterGroupName": plan.parameter_group,
                "ParameterApplyStatus": "in-sync",
                "CacheNodeIdsToReboot": [],
            },
            "CacheSubnetGroupName": group.subnet_group,
            "AutoMinorVersionUpgrade": True,
            "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in group.security_group_ids],
            "ReplicationGroupId": group.id,
            "SnapshotRetentionLimit": group.snapshot_days,
            "SnapshotWindow": group.snapshot_window,
            "AuthTokenEnabled": plan.auth_token,
            "TransitEncryptionEnabled": plan.transit_encryption,
            "AtRestEncryptionEnabled": plan.at_rest_encryption,
            "ARN": node.arn,
        }
        if with_nodes:
            shown["CacheNodes"] = [
                {
                    "CacheNodeId": "0001",
                    "CacheNodeStatus": str(status),
                    "CacheNodeCreateTime": node.created,
                    "Endpoint": {"Address": f"{node.id}.{_domain(group)}", "Port": group.port},
                    "ParameterGroupStatus": "in-sync",
                    "CustomerAvailabilityZone": node.zone,
                }
            ]
        return shown

    def show_global(self, one: GlobalGroup, *, with_members: bool = True) -> dict[str, Any]:
        """Return a global datastore; its members only when asked for."""
        group = one.primary.group
        plan = group.blueprint
        shown: dict[str, Any] = {
            "GlobalReplicationGroupId": one.id,
            "GlobalReplicationGroupDescription": one.description,
            "Status": str(one.status),
            "CacheNodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "ClusterEnabled": plan.cluster_enabled,
            "AuthTokenEnabled": plan.auth_token,
            "TransitEncryptionEnabled": plan.transit_encryption,
            "AtRestEncryptionEnabled": plan.at_rest_encryption,
            "ARN": one.arn,
        }
        if plan.cluster_enabled:
            shown["GlobalNodeGroups"] = [
                {"GlobalNodeGroupId": f"{one.id}-{shard.id}", "Slots": shard.slots} for shard in group.shards
            ]
        if with_members:
            shown["Members"] = [
                {
                    "ReplicationGroupId": member.group.id,
                    "ReplicationGroupRegion": member.group.region,
                    "Role": str(member.role),
                    "AutomaticFailover": _enabled(member.group.automatic_failover),
                    "Status": str(member.status),
                }
                for member in one.members
            ]
        return shown

    def show_snapshot(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return a snapshot of a replication group."""
        plan = snapshot.blueprint
        numbers = [f"{number:04}" for number in range(1, plan.shard_count + 1)]
        shown: dict[str, Any] = {
            "SnapshotName": snapshot.name,
            "ReplicationGroupId": snapshot.group_id,
            "ReplicationGroupDescription": snapshot.description,
            "SnapshotStatus": str(snapshot.status),
            "SnapshotSource": snapshot.source,
            "CacheNodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "Port": snapshot.port,
            "CacheParameterGroupName": plan.parameter_group,
            "CacheSubnetGroupName": snapshot.subnet_group,
            "NumNodeGroups": plan.shard_count,
            "NodeSnapshots": [
                {"NodeGroupId": number, "CacheSize": "64 MB", "SnapshotCreateTime": snapshot.created}
                for number in numbers
            ],
            "ARN": snapshot.arn,
        }
        if snapshot.kms_key_id:
            shown["KmsKeyId"] = snapshot.kms_key_id
        return shown


def _enabled(flag: bool) -> str:
    return "enabled" if flag else "disabled"


def _is_reachable(group: Group) -> bool:
    return group.status not in (Status.CREATING, Status.CREATE_FAILED)


def _domain(group: Group) -> str:
    words = group.region.split("-")
    short = words[0] + "".join(_COMPASS.get(word, word) for word in words[1:])
    digest = hashlib.sha256(f"{group.account}{group.region}".encode()).hexdigest()[:6]
    return f"{group.id}.{digest}.{short}.cache.amazonaws.com"
