"""The MemoryDB service module: all groups of operations, tags of multi-Region clusters, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from localaws.service import Call, Reply, operation
from localaws.services.cloudwatch import CloudWatchService
from localaws.services.memorydb import errors
from localaws.services.memorydb.clusters import MemoryDbClusters
from localaws.services.memorydb.state import Cluster, MultiRegionCluster, Status
from localaws.services.timed import tag_list, tag_map

if TYPE_CHECKING:
    from localaws.world import World

LAG = "MultiRegionClusterReplicationLag"


class MemoryDbService(MemoryDbClusters):
    """Amazon MemoryDB on top of moto's backend. CloudWatch must be registered before this module."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/MemoryDB", self.metric, self.metric_names)

    # --- metrics

    def metric(self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime) -> float | None:
        """Return MultiRegionClusterReplicationLag in milliseconds, by `ClusterName`: how far a member trails the others.

        Nothing is measured while every other member is dark; what was measured before stays readable.
        """
        cluster = self.backend(account, region).clusters.get(dimensions.get("ClusterName", ""))
        return self._lag(cluster, at) if name == LAG and isinstance(cluster, Cluster) else None

    def metric_names(self, account: str, region: str) -> list[tuple[str, dict[str, str]]]:
        """Return the metrics published in a Region: name and dimensions."""
        now = self.world.clock.now()
        clusters = self.backend(account, region).clusters.values()
        return [(LAG, {"ClusterName": one.cluster_name}) for one in clusters if self._lag(one, now) is not None]

    def _lag(self, cluster: Cluster, at: datetime) -> float | None:
        one = self.multi_region_of(cluster)
        if one is None or cluster.status == Status.CREATING:
            return None
        others = [other for other in one.members if other is not cluster and other.status != Status.CREATING]
        measured = [other for other in others if self._reaches(other, at)]
        if not measured:
            return None
        writing = [other for other in measured if self._is_written(other)]
        return cluster.lag_milliseconds if writing else 0.0

    def _reaches(self, other: Cluster, at: datetime) -> bool:
        since = self.dark_since(other.region)
        return since is None or at < since

    def _is_written(self, cluster: Cluster) -> bool:
        return not self.is_fenced(cluster.account, cluster.region, cluster.security_group_ids)

    # --- tags: moto knows no multi-Region cluster

    @operation("ListTags")
    def list_tags(self, call: Call) -> Reply:
        """List the tags of a resource."""
        one = self._tagged_multi_region(call)
        self._require_listable(call)
        return self.world.moto(call) if one is None else {"TagList": tag_list(one.tags)}

    def tags_of(self, arn: str) -> Mapping[str, str] | None:
        """Return a resource's tags whatever its status, for IAM conditions; None when they lie elsewhere."""
        _, _, _, region, account, tail = arn.split(":", 5)
        if tail.startswith("multiregioncluster/"):
            one = self.multi_regions.get(account, {}).get(tail.partition("/")[2])
            return one.tags if one is not None else None
        return tag_map(self.backend(account, region).tagger.list_tags_for_resource(arn)["Tags"])

    def _require_listable(self, call: Call, *, changing: bool = False) -> None:
        """Refuse the tags of a cluster that comes or goes, and their change unless it is available."""
        arn = str(call.params["ResourceArn"])
        cluster = self.backend_of(call).clusters.get(arn.rpartition("/")[2]) if ":cluster/" in arn else None
        if cluster is None or cluster.status == Status.AVAILABLE:
            return
        if changing or cluster.status in (Status.CREATING, Status.DELETING):
            raise errors.cluster_state(f"Cluster {cluster.cluster_name} is in state {cluster.status}.")

    @operation("TagResource")
    def tag_resource(self, call: Call) -> Reply:
        """Set tags of a resource."""
        one = self._tagged_multi_region(call)
        self._require_listable(call, changing=True)
        if one is None:
            return self.world.moto(call)
        one.tags.update(tag_map(call.params["Tags"]))
        return {"TagList": tag_list(one.tags)}

    @operation("UntagResource")
    def untag_resource(self, call: Call) -> Reply:
        """Remove tags of a resource."""
        one = self._tagged_multi_region(call)
        self._require_listable(call, changing=True)
        if one is None:
            return self.world.moto(call)
        for key in call.params["TagKeys"]:
            one.tags.pop(key, None)
        return {"TagList": tag_list(one.tags)}

    def _tagged_multi_region(self, call: Call) -> MultiRegionCluster | None:
        arn = str(call.params["ResourceArn"])
        if ":multiregioncluster/" not in arn:
            return None
        return self.multi_region(call.account, arn.rsplit("/", 1)[-1])
