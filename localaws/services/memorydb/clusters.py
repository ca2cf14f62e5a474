"""Clusters of one Region: create (alone, as a member, from a snapshot), describe, update, fail over, delete; ACLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.memorydb import errors
from localaws.services.memorydb.base import PAGES
from localaws.services.memorydb.multi_region import MemoryDbMultiRegion
from localaws.services.memorydb.state import (
    DEFAULT_VERSIONS,
    NAME_LIMIT,
    OPEN_ACCESS,
    Acl,
    Blueprint,
    Cluster,
    MultiRegionCluster,
    Seconds,
    Snapshot,
    Status,
)
from localaws.services.timed import Change

REPLICAS_LIMIT = 5


class MemoryDbClusters(MemoryDbMultiRegion):
    """Operations on clusters and access control lists."""

    @operation("CreateCluster")
    def create_cluster(self, call: Call) -> Reply:
        """Create a cluster: `creating`, then `available`, or `create-failed`, `restore-failed` when it restores.

        A snapshot is `restoring` meanwhile.
        """
        params = call.params
        name = params["ClusterName"].lower()
        if len(name) > NAME_LIMIT:
            raise errors.value(f"Cluster name {name} has more than {NAME_LIMIT} characters.")
        backend = self.backend_of(call)
        if name in backend.clusters:
            raise errors.cluster_exists(name)
        one = self.multi_region_to_join(call)
        snapshot = self.snapshot_to_restore(call)
        cluster = self._new_cluster(call, name, one, snapshot)
        backend.clusters[name] = cluster
        backend.tagger.tag_resource(cluster.arn, list(params.get("Tags") or []))
        self.size_shards(cluster)
        if one is not None:
            one.members.append(cluster)

        def used() -> None:
            if snapshot is not None and snapshot.status == Status.RESTORING:
                snapshot.status = Status.AVAILABLE

        def failed() -> None:
            used()
            if one is not None and cluster in one.members:
                one.members.remove(cluster)

        if snapshot is not None:
            snapshot.status = Status.RESTORING
        restores = snapshot is not None or params.get("SnapshotArns")
        seconds = Seconds.RESTORE_CLUSTER if restores else Seconds.CREATE_CLUSTER
        ends_badly = Status.RESTORE_FAILED if restores else Status.CREATE_FAILED
        kind = "memorydb.restore-cluster" if restores else "memorydb.create-cluster"
        change = Change(kind, cluster.arn, seconds, Status.CREATING, Status.AVAILABLE, ends_badly)
        self.lead(cluster, change, used, on_failure=failed)
        return {"Cluster": self.show_cluster(cluster, with_shards=True)}

    def _new_cluster(self, call: Call, name: str, one: MultiRegionCluster | None, snapshot: Snapshot | None) -> Cluster:
        params = call.params
        plan = _blueprint(params, one, snapshot)
        if not plan.tls and params["ACLName"] != OPEN_ACCESS:
            raise errors.combination(f"A cluster without TLS needs the ACL {OPEN_ACCESS}.")
        self.acl(call, params["ACLName"])
        subnet_group = params.get("SubnetGroupName", "default")
        groups = self.backend_of(call).subnet_groups
        if subnet_group not in groups:
            raise AwsError("SubnetGroupNotFoundFault", f"Subnet group {subnet_group} not found.")
        replicas = params.get("NumReplicasPerShard")
        family = f"default.memorydb-{plan.engine}{plan.engine_version.split('.')[0]}"
        return Cluster(
            status=Status.CREATING,
            account=call.account,
            region=call.region,
            cluster_name=name,
            description=params.get("Description", ""),
            blueprint=plan,
            acl_name=params["ACLName"],
            subnet_group_name=subnet_group,
            vpc_id=groups[subnet_group].vpc_id,
            parameter_group=params.get("ParameterGroupName", family),
            created=self.world.clock.now(),
            replicas=_checked_replicas(replicas if replicas is not None else snapshot.replicas if snapshot else 1),
            port=params.get("Port", 6379),
            security_group_ids=tuple(params.get("SecurityGroupIds", ())),
            kms_key_id=params.get("KmsKeyId"),
            snapshot_days=params.get("SnapshotRetentionLimit", 0),
        )

    @operation("DescribeClusters")
    def describe_clusters(self, call: Call) -> Reply:
        """List clusters of the Region; shards with ShowShardDetails only."""
        wanted = call.params.get("ClusterName")
        found = [self.cluster(call, wanted)] if wanted else list(self.backend_of(call).clusters.values())
        with_shards = bool(call.params.get("ShowShardDetails"))
        return PAGES.page(call, [self.show_cluster(one, with_shards=with_shards) for one in found], "Clusters")

    @operation("UpdateCluster")
    def update_cluster(self, call: Call) -> Reply:
        """Change a cluster: `updating`, then `available`. What a multi-Region cluster sets is changed there only."""
        params = call.params
        cluster = self.cluster(call, params["ClusterName"])
        self.require_available(cluster)
        shared = [key for key in ("NodeType", "EngineVersion", "ShardConfiguration") if key in params]
        if shared and self.multi_region_of(cluster) is not None:
            raise errors.combination(f"{', '.join(shared)} can be changed through the multi-Region cluster only.")
        if "ACLName" in params:
            self.acl(call, params["ACLName"])
        replicas = _checked_replicas(params.get("ReplicaConfiguration", {}).get("ReplicaCount", cluster.replicas))
        groups = params.get("SecurityGroupIds")
        if set(params) <= {"ClusterName", "SecurityGroupIds", "ReplicaConfiguration"} and (
            replicas == cluster.replicas and tuple(groups or cluster.security_group_ids) == cluster.security_group_ids
        ):
            raise AwsError("NoOperationFault", f"Cluster {cluster.cluster_name} has these settings already.")

        def updated() -> None:
            cluster.replicas = replicas
            _update(cluster, params)
            self.size_shards(cluster)

        self._walk(cluster, "update-cluster", Seconds.UPDATE_CLUSTER, done=updated)
        return {"Cluster": self.show_cluster(cluster)}

    @operation("FailoverShard")
    def failover_shard(self, call: Call) -> Reply:
        """Make a replica of one shard its primary, within the Region."""
        cluster = self.cluster(call, call.params["ClusterName"])
        self.require_available(cluster)
        shard = next((one for one in cluster.shards if one.name == call.params["ShardName"]), None)
        if shard is None:
            raise AwsError("ShardNotFoundFault", f"Shard {call.params['ShardName']} not found.")
        if len(shard.nodes) == 1:
            raise AwsError("TestFailoverNotAvailableFault", f"Shard {shard.name} has no replica.")

        def failed_over() -> None:
            shard.nodes.insert(0, shard.nodes.pop(1))

        self._walk(cluster, "failover-shard", Seconds.FAIL_OVER_SHARD, done=failed_over)
        return {"Cluster": self.show_cluster(cluster, with_shards=True)}

    @operation("DeleteCluster")
    def delete_cluster(self, call: Call) -> Reply:
        """Delete a cluster, after a final snapshot when one is named.

        A member must be named with its multi-Region cluster, which it leaves.
        """
        params = call.params
        cluster = self.cluster(call, params["ClusterName"])
        one = self.multi_region_of(cluster)
        if params.get("MultiRegionClusterName") != (one.name if one is not None else None):
            expected = one.name if one is not None else "no MultiRegionClusterName"
            raise errors.combination(f"Cluster {cluster.cluster_name} is to be deleted with {expected}.")
        if cluster.status not in (Status.CREATE_FAILED, Status.RESTORE_FAILED):
            self.require_available(cluster)
        if name := params.get("FinalSnapshotName"):
            self.require_free_snapshot(call, name)
            snapshot = self.take_snapshot(cluster, name)

            def taken() -> None:
                if snapshot.status == Status.AVAILABLE:
                    self._delete(cluster)

            self._walk(cluster, "final-snapshot", Seconds.SNAPSHOT, Status.SNAPSHOTTING, done=taken)
        else:
            self._delete(cluster)
        return {"Cluster": self.show_cluster(cluster)}

    def _delete(self, cluster: Cluster) -> None:
        def deleted() -> None:
            one = self.multi_region_of(cluster)
            if one is not None:
                one.members.remove(cluster)
            backend = self.backend(cluster.account, cluster.region)
            backend.clusters.pop(cluster.cluster_name, None)
            backend.tagger.delete_all_tags_for_resource(cluster.arn)

        kind = "memorydb.delete-cluster"
        change = Change(kind, cluster.arn, Seconds.DELETE_CLUSTER, Status.DELETING, Status.DELETING, Status.AVAILABLE)
        self.lead(cluster, change, deleted)

    def _walk(self, cluster: Cluster, what: str, seconds: float, during: str = Status.UPDATING, **effects: Any) -> None:
        change = Change(f"memorydb.{what}", cluster.arn, seconds, during, Status.AVAILABLE, Status.AVAILABLE)
        self.lead(cluster, change, **effects)

    # --- access control lists

    @operation("CreateACL")
    def create_acl(self, call: Call) -> Reply:
        """Create an access control list; it is active at once."""
        name = call.params["ACLName"]
        if name in self.acls(call):
            raise AwsError("ACLAlreadyExistsFault", f"ACL {name} already exists.")
        acl = self.acls(call)[name] = Acl(name, list(call.params.get("UserNames", [])))
        return {"ACL": self._show_acl(call, acl)}

    @operation("DescribeACLs")
    def describe_acls(self, call: Call) -> Reply:
        """List access control lists with the clusters that use them."""
        wanted = call.params.get("ACLName")
        found = [self.acl(call, wanted)] if wanted else list(self.acls(call).values())
        return PAGES.page(call, [self._show_acl(call, one) for one in found], "ACLs")

    def _show_acl(self, call: Call, acl: Acl) -> dict[str, Any]:
        clusters = self.backend_of(call).clusters.values()
        return {
            "Name": acl.name,
            "Status": acl.status,
            "UserNames": list(acl.users),
            "MinimumEngineVersion": "6.2",
            "Clusters": [one.cluster_name for one in clusters if one.acl_name == acl.name],
            "ARN": f"arn:aws:memorydb:{call.region}:{call.account}:acl/{acl.name}",
        }


def _blueprint(params: Mapping[str, Any], one: MultiRegionCluster | None, snapshot: Snapshot | None) -> Blueprint:
    if one is not None:
        return one.blueprint
    if snapshot is not None:
        return replace(
            snapshot.blueprint,
            node_type=params["NodeType"],
            engine_version=params.get("EngineVersion", snapshot.blueprint.engine_version),
            shard_count=params.get("NumShards", snapshot.blueprint.shard_count),
            tls=params.get("TLSEnabled", True),
        )
    engine = params.get("Engine", "redis")
    if engine not in DEFAULT_VERSIONS:
        raise errors.value(f"Unknown engine {engine}: a cluster runs valkey or redis.")
    return Blueprint(
        node_type=params["NodeType"],
        engine=engine,
        engine_version=params.get("EngineVersion", DEFAULT_VERSIONS[engine]),
        shard_count=params.get("NumShards", 1),
        tls=params.get("TLSEnabled", True),
    )


def _update(cluster: Cluster, params: Mapping[str, Any]) -> None:
    plan = cluster.blueprint
    cluster.blueprint = replace(
        plan,
        node_type=params.get("NodeType", plan.node_type),
        engine_version=params.get("EngineVersion", plan.engine_version),
        shard_count=params.get("ShardConfiguration", {}).get("ShardCount", plan.shard_count),
    )
    cluster.description = params.get("Description", cluster.description)
    cluster.acl_name = params.get("ACLName", cluster.acl_name)
    cluster.parameter_group = params.get("ParameterGroupName", cluster.parameter_group)
    cluster.security_group_ids = tuple(params.get("SecurityGroupIds", cluster.security_group_ids))
    cluster.snapshot_days = params.get("SnapshotRetentionLimit", cluster.snapshot_days)


def _checked_replicas(count: int) -> int:
    if not 0 <= count <= REPLICAS_LIMIT:
        raise errors.value(f"Replicas per shard: {count}, expected 0 to {REPLICAS_LIMIT}.")
    return count
