"""The nodes of a replication group's shards: more of them, fewer, and another one first."""

from __future__ import annotations

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.elasticache import errors
from localaws.services.elasticache.globals import ElastiCacheGlobals
from localaws.services.elasticache.state import Group, Seconds

REPLICAS_LIMIT = 5


class ElastiCacheScaling(ElastiCacheGlobals):
    """Operations on the nodes of a group; each of them: `modifying`, then `available`."""

    @operation("IncreaseReplicaCount")
    def increase_replica_count(self, call: Call) -> Reply:
        """Add replicas to every shard: `modifying`, then `available`."""
        group = self.group(call, call.params["ReplicationGroupId"])
        self.require_available(group)
        wanted = self._wanted_replicas(call, group)
        if all(count <= len(shard.nodes) - 1 for shard, count in zip(group.shards, wanted, strict=True)):
            raise AwsError("NoOperationFault", f"Replication group {group.id} has as many replicas already.")

        def added() -> None:
            for shard, count in zip(group.shards, wanted, strict=True):
                self.add_nodes(group, shard, count + 1)

        self.walk(group, "increase-replica-count", Seconds.ADD_REPLICAS, done=added)
        return {"ReplicationGroup": self.show_group(group)}

    @operation("DecreaseReplicaCount")
    def decrease_replica_count(self, call: Call) -> Reply:
        """Remove replicas from every shard, the youngest first: `modifying`, then `available`."""
        group = self.group(call, call.params["ReplicationGroupId"])
        self.require_available(group)
        wanted = self._wanted_replicas(call, group)
        if all(count >= len(shard.nodes) - 1 for shard, count in zip(group.shards, wanted, strict=True)):
            raise AwsError("NoOperationFault", f"Replication group {group.id} has no more replicas than that.")

        def removed() -> None:
            clusters = self.backend_of(call).cache_clusters
            for shard, count in zip(group.shards, wanted, strict=True):
                for node in shard.nodes[count + 1 :]:
                    clusters.pop(node.id, None)
                del shard.nodes[count + 1 :]

        self.walk(group, "decrease-replica-count", Seconds.ADD_REPLICAS, done=removed)
        return {"ReplicationGroup": self.show_group(group)}

    def _wanted_replicas(self, call: Call, group: Group) -> list[int]:
        """Return the number of replicas each shard is to have."""
        if not call.params["ApplyImmediately"]:
            raise errors.value("ApplyImmediately must be true.")
        single = call.params.get("NewReplicaCount")
        each = {one["NodeGroupId"]: one["NewReplicaCount"] for one in call.params.get("ReplicaConfiguration") or ()}
        if (single is None) == (not each):
            raise errors.combination("Exactly one of NewReplicaCount and ReplicaConfiguration must be specified.")
        if single is not None:
            return [checked_replicas(single)] * len(group.shards)
        return [checked_replicas(each.get(shard.id, len(shard.nodes) - 1)) for shard in group.shards]

    @operation("TestFailover")
    def test_failover(self, call: Call) -> Reply:
        """Make a replica of one shard its primary, within the Region."""
        group = self.group(call, call.params["ReplicationGroupId"])
        self.require_available(group)
        shard = next((one for one in group.shards if one.id == call.params["NodeGroupId"]), None)
        if shard is None:
            raise AwsError("NodeGroupNotFoundFault", f"Node group {call.params['NodeGroupId']} not found.", 404)
        if len(shard.nodes) == 1:
            raise AwsError("TestFailoverNotAvailableFault", f"Shard {shard.id} has no replica.")
        self.walk(
            group,
            "test-failover",
            Seconds.FAIL_OVER_NODE,
            done=lambda: shard.nodes.insert(0, shard.nodes.pop(1)),
        )
        return {"ReplicationGroup": self.show_group(group)}


def checked_replicas(count: int) -> int:
    """Return a number of replicas per shard that AWS accepts; raise `InvalidParameterValue`."""
    if not 0 <= count <= REPLICAS_LIMIT:
        raise errors.value(f"Replicas per node group: {count}, expected 0 to {REPLICAS_LIMIT}.")
    return count
