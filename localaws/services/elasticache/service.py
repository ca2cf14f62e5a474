"""The ElastiCache service module: all groups of operations, tags of global datastores, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from localaws.service import Call, Reply, operation
from localaws.services.cloudwatch import CloudWatchService
from localaws.services.elasticache import errors
from localaws.services.elasticache.global_roles import ElastiCacheGlobalRoles
from localaws.services.elasticache.state import GlobalGroup, Group, Membership, Role
from localaws.services.timed import tag_list, tag_map

if TYPE_CHECKING:
    from localaws.world import World

LAG = "GlobalDatastoreReplicationLag"


class ElastiCacheService(ElastiCacheGlobalRoles):
    """Amazon ElastiCache on top of moto's backend. CloudWatch must be registered before this module."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/ElastiCache", self.metric, self.metric_names)

    # --- metrics

    def metric(self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime) -> float | None:
        """Return GlobalDatastoreReplicationLag in seconds: published for a secondary, while its primary lives.

        By `CacheClusterId` of the secondary's primary node, as AWS publishes it, or by `ReplicationGroupId`.
        """
        if name != LAG:
            return None
        backend = self.backend(account, region)
        node = backend.cache_clusters.get(dimensions.get("CacheClusterId", ""))
        wanted = dimensions.get("ReplicationGroupId") or getattr(node, "group_id", "")
        group = backend.replication_groups.get(wanted)
        if not isinstance(group, Group) or (node is not None and node not in [one.nodes[0] for one in group.shards]):
            return None
        return self._lag(group, at)

    def metric_names(self, account: str, region: str) -> list[tuple[str, dict[str, str]]]:
        """Return the metrics published in a Region: name and dimensions."""
        now = self.world.clock.now()
        groups = self.backend(account, region).replication_groups.values()
        return [
            (LAG, {"CacheClusterId": shard.nodes[0].id})
            for group in groups
            if self._lag(group, now) is not None
            for shard in group.shards
        ]

    def _lag(self, group: Group, at: datetime) -> float | None:
        found = self.membership(group)
        if found is None:
            return None
        one, member = found
        if member.role is Role.PRIMARY or member.status != Membership.ASSOCIATED:
            return None
        primary = one.primary.group
        dark_since = self.dark_since(primary.region)
        if dark_since is not None:
            # What was measured before the outage stays readable: it is the last known lag.
            return group.lag_seconds if at < dark_since else None
        return group.lag_seconds if self.writes_arrive(primary) else 0.0

    # --- tags: moto knows no global datastore

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        """List the tags of a resource."""
        one = self._tagged_global(call)
        return self.world.moto(call) if one is None else {"TagList": tag_list(one.tags)}

    @operation("AddTagsToResource")
    def add_tags_to_resource(self, call: Call) -> Reply:
        """Set tags of a resource; those of a replication group reach its clusters, too."""
        one = self._tagged_global(call)
        if one is not None:
            one.tags.update(tag_map(call.params["Tags"]))
            return {"TagList": tag_list(one.tags)}
        tagging = self.backend_of(call).tagging_service
        for arn in self._tagged_together(call):
            tagging.tag_resource(arn, list(call.params["Tags"]))
        return {"TagList": tagging.list_tags_for_resource(call.params["ResourceName"])["Tags"]}

    @operation("RemoveTagsFromResource")
    def remove_tags_from_resource(self, call: Call) -> Reply:
        """Remove tags of a resource; those of a replication group leave its clusters, too."""
        one = self._tagged_global(call)
        if one is not None:
            for key in call.params["TagKeys"]:
                one.tags.pop(key, None)
            return {"TagList": tag_list(one.tags)}
        tagging = self.backend_of(call).tagging_service
        for arn in self._tagged_together(call):
            tagging.untag_resource_using_names(arn, list(call.params["TagKeys"]))
        return {"TagList": tagging.list_tags_for_resource(call.params["ResourceName"])["Tags"]}

    def _tagged_together(self, call: Call) -> list[str]:
        arn = str(call.params["ResourceName"])
        if ":replicationgroup:" not in arn:
            return [arn]
        group = self.group(call, arn.rsplit(":", 1)[-1])
        return [arn, *(node.arn for node in group.nodes)]

    def _tagged_global(self, call: Call) -> GlobalGroup | None:
        arn = str(call.params["ResourceName"])
        if ":globalreplicationgroup:" not in arn:
            return None
        for one in self.global_groups(call.account).values():
            if one.arn == arn:
                return one
        raise errors.global_not_found(arn)
