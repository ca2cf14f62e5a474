"""Replication groups: create (alone, as a secondary, from a snapshot), describe, modify, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.elasticache import errors
from localaws.services.elasticache.scaling import ElastiCacheScaling, checked_replicas
from localaws.services.elasticache.snapshots import PAGES
from localaws.services.elasticache.state import (
    DEFAULT_NODE_TYPE,
    DEFAULT_VERSIONS,
    Blueprint,
    GlobalGroup,
    Group,
    Node,
    Seconds,
    Snapshot,
    Status,
)
from localaws.services.timed import Change


class ElastiCacheGroups(ElastiCacheScaling):
    """Operations on replication groups and their clusters."""

    @operation("CreateReplicationGroup")
    def create_replication_group(self, call: Call) -> Reply:
        """Create a replication group: `creating`, then `available`, or `create-failed`."""
        params = call.params
        name = params["ReplicationGroupId"].lower()
        backend = self.backend_of(call)
        if name in backend.replication_groups:
            raise errors.group_exists(name)
        one = self.global_to_join(call) if params.get("GlobalReplicationGroupId") else None
        group = self._new_group(call, name, self._blueprint(call, one))
        backend.replication_groups[name] = group
        backend.tagging_service.tag_resource(group.arn, list(params.get("Tags") or []))
        self.make_shards(group, self._replicas(call))
        self._begin_creation(call, group, one)
        return {"ReplicationGroup": self.show_group(group)}

    def _new_group(self, call: Call, name: str, plan: Blueprint) -> Group:
        params = call.params
        subnet_group = params.get("CacheSubnetGroupName", "default")
        if subnet_group != "default" and subnet_group not in self.backend_of(call).cache_subnet_groups:
            message = f"Cache Subnet Group {subnet_group} does not exist."
            raise AwsError("CacheSubnetGroupNotFoundFault", message)
        if name_of_parameters := params.get("CacheParameterGroupName"):
            self.require_parameter_group(call, name_of_parameters)
        for users in params.get("UserGroupIds") or ():
            self.require_user_group(call, users)
        automatic = bool(
            params.get("AutomaticFailoverEnabled", plan.cluster_enabled or "GlobalReplicationGroupId" in params)
        )
        if params.get("AutomaticFailoverEnabled") and not plan.cluster_enabled and not self._replicas(call):
            raise errors.combination("Automatic failover needs at least one replica.")
        if params.get("KmsKeyId") and not plan.at_rest_encryption:
            raise errors.combination("KmsKeyId needs encryption at rest.")
        return Group(
            status=Status.CREATING,
            account=call.account,
            region=call.region,
            id=name,
            description=params["ReplicationGroupDescription"],
            blueprint=plan,
            subnet_group=subnet_group,
            created=self.world.clock.now(),
            security_group_ids=tuple(params.get("SecurityGroupIds") or ()),
            port=params.get("Port") or 6379,
            automatic_failover=automatic,
            multi_az=bool(params.get("MultiAZEnabled")),
            kms_key_id=params.get("KmsKeyId"),
            user_group_ids=tuple(params.get("UserGroupIds") or ()),
            snapshot_days=params.get("SnapshotRetentionLimit") or 0,
            snapshot_window=params.get("SnapshotWindow") or "05:00-06:00",
        )

    def _blueprint(self, call: Call, one: GlobalGroup | None) -> Blueprint:
        if one is not None:
            return one.primary.group.blueprint
        restored = self.blueprint_of_restore(call)
        if restored is None:
            return _described(call.params)
        given = {
            "node_type": call.params.get("CacheNodeType"),
            "engine_version": call.params.get("EngineVersion"),
            "parameter_group": call.params.get("CacheParameterGroupName"),
            "shard_count": call.params.get("NumNodeGroups"),
            "transit_encryption": call.params.get("TransitEncryptionEnabled"),
            "at_rest_encryption": call.params.get("AtRestEncryptionEnabled"),
        }
        return replace(restored, **{name: value for name, value in given.items() if value is not None})

    def _replicas(self, call: Call) -> int:
        count = call.params.get("ReplicasPerNodeGroup")
        if count is None and call.params.get("NumCacheClusters"):
            count = int(call.params["NumCacheClusters"]) - 1
        if count is None and (name := call.params.get("SnapshotName")):
            count = self.snapshot(call, name).replicas
        return checked_replicas(int(count or 0))

    def _begin_creation(self, call: Call, group: Group, one: GlobalGroup | None) -> None:
        restores = bool(call.params.get("SnapshotName") or call.params.get("SnapshotArns"))
        seconds = Seconds.RESTORE_GROUP if restores else Seconds.CREATE_GROUP
        kind = "elasticache.create-replication-group"
        change = Change(kind, group.arn, seconds, Status.CREATING, Status.AVAILABLE, Status.CREATE_FAILED)
        if one is None:
            self.lead(group, change)
            return
        member = self.join(one, group)
        self.lead(
            group,
            replace(change, seconds=Seconds.CREATE_SECONDARY),
            lambda: self.joined(one, member),
            lambda: self.not_joined(one, member),
        )

    @operation("DescribeReplicationGroups")
    def describe_replication_groups(self, call: Call) -> Reply:
        """List replication groups of the Region."""
        wanted = call.params.get("ReplicationGroupId")
        found = [self.group(call, wanted)] if wanted else list(self.backend_of(call).replication_groups.values())
        return PAGES.page(call, [self.show_group(one) for one in found], "ReplicationGroups")

    @operation("DescribeCacheClusters")
    def describe_cache_clusters(self, call: Call) -> Reply:
        """List cache clusters, those of replication groups, too; nodes with ShowCacheNodeInfo only."""
        stored = self.backend_of(call).cache_clusters
        wanted = call.params.get("CacheClusterId")
        if wanted and wanted not in stored:
            raise errors.cluster_not_found(wanted)
        found = [stored[wanted]] if wanted else list(stored.values())
        if call.params.get("ShowCacheClustersNotInReplicationGroups"):
            found = [one for one in found if not isinstance(one, Node)]
        return PAGES.page(call, [self._show_any_cluster(call, one) for one in found], "CacheClusters")

    def _show_any_cluster(self, call: Call, one: Any) -> Mapping[str, Any]:
        if isinstance(one, Node):
            with_nodes = bool(call.params.get("ShowCacheNodeInfo"))
            return self.show_cluster(self.group(call, one.group_id), one, with_nodes=with_nodes)
        reply = self.ask_moto(call, "DescribeCacheClusters", CacheClusterId=one.cache_cluster_id)
        shown: Mapping[str, Any] = reply["CacheClusters"][0]
        return shown

    @operation("ModifyReplicationGroup")
    def modify_replication_group(self, call: Call) -> Reply:
        """Change a group: `modifying`, then `available`. What a global datastore sets is changed there only."""
        params = call.params
        group = self.group(call, params["ReplicationGroupId"])
        self.require_available(group)
        shared = [name for name in ("CacheNodeType", "CacheParameterGroupName", "EngineVersion") if name in params]
        if shared and self.membership(group) is not None:
            raise errors.group_state(
                f"{', '.join(shared)} of {group.id} can be changed through its global replication group only."
            )

        def modified() -> None:
            _modify(group, params)

        self.walk(group, "modify-replication-group", Seconds.MODIFY_GROUP, done=modified)
        return {"ReplicationGroup": self.show_group(group)}

    @operation("DeleteReplicationGroup")
    def delete_replication_group(self, call: Call) -> Reply:
        """Delete a group with all its nodes, after a final snapshot when one is named.

        Refused for a member of a global datastore, and unless the group is available or failed.
        """
        params = call.params
        group = self.group(call, params["ReplicationGroupId"])
        if self.membership(group) is not None:
            raise errors.group_state(
                f"Replication group {group.id} is part of a global replication group: disassociate it first."
            )
        if group.status != Status.CREATE_FAILED:
            self.require_available(group)
        if params.get("RetainPrimaryCluster"):
            raise errors.combination("The embedded AWS cannot retain the primary cluster: leave the parameter out.")
        if name := params.get("FinalSnapshotIdentifier"):
            self.require_free_snapshot(call, name)
            self._delete_after_snapshot(group, self.take_snapshot(group, name))
        else:
            self._delete(group)
        return {"ReplicationGroup": self.show_group(group)}

    def _delete_after_snapshot(self, group: Group, snapshot: Snapshot) -> None:
        """Show `snapshotting`, then delete; a snapshot that failed leaves the group alone."""

        def taken() -> None:
            if snapshot.status == Status.AVAILABLE:
                self._delete(group)

        self.walk(group, "final-snapshot", Seconds.SNAPSHOT, Status.SNAPSHOTTING, done=taken)

    def _delete(self, group: Group) -> None:
        change = Change(
            "elasticache.delete-replication-group",
            group.arn,
            Seconds.DELETE_GROUP,
            Status.DELETING,
            Status.DELETING,
            Status.AVAILABLE,
        )
        self.lead(group, change, lambda: self.forget_group(group))


def _described(params: Mapping[str, Any]) -> Blueprint:
    engine = params.get("Engine") or "redis"
    if engine not in DEFAULT_VERSIONS:
        raise errors.value(f"Unknown engine {engine}: a replication group runs valkey or redis.")
    version = params.get("EngineVersion") or DEFAULT_VERSIONS[engine]
    count = int(params.get("NumNodeGroups") or 1)
    clustered = count > 1 or params.get("ClusterMode") == "enabled"
    family = f"{engine}{version.split('.')[0]}"
    if params.get("AuthToken") and not params.get("TransitEncryptionEnabled"):
        raise errors.combination("AuthToken needs encryption in transit.")
    return Blueprint(
        node_type=params.get("CacheNodeType") or DEFAULT_NODE_TYPE,
        engine=engine,
        engine_version=version,
        parameter_group=params.get("CacheParameterGroupName")
        or f"default.{family}{'.cluster.on' if clustered else ''}",
        shard_count=count,
        cluster_enabled=clustered,
        transit_encryption=bool(params.get("TransitEncryptionEnabled")),
        at_rest_encryption=bool(params.get("AtRestEncryptionEnabled")),
        auth_token=bool(params.get("AuthToken")),
    )


def _modify(group: Group, params: Mapping[str, Any]) -> None:
    plan = group.blueprint
    group.blueprint = replace(
        plan,
        node_type=params.get("CacheNodeType", plan.node_type),
        engine_version=params.get("EngineVersion", plan.engine_version),
        parameter_group=params.get("CacheParameterGroupName", plan.parameter_group),
    )
    group.description = params.get("ReplicationGroupDescription", group.description)
    group.automatic_failover = params.get("AutomaticFailoverEnabled", group.automatic_failover)
    group.multi_az = params.get("MultiAZEnabled", group.multi_az)
    group.security_group_ids = tuple(params.get("SecurityGroupIds", group.security_group_ids))
    group.snapshot_days = params.get("SnapshotRetentionLimit", group.snapshot_days)
