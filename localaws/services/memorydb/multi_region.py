"""Multi-Region clusters: create, describe from any Region, update, join, delete.

Nothing is promoted: every member accepts writes, also while the other Regions are dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.elasticache.globals import id_prefix
from localaws.services.memorydb import errors
from localaws.services.memorydb.base import PAGES
from localaws.services.memorydb.snapshots import MemoryDbSnapshots
from localaws.services.memorydb.state import (
    DEFAULT_VERSIONS,
    REGIONS_LIMIT,
    TOO_SMALL,
    Blueprint,
    MultiRegionCluster,
    Seconds,
    Status,
)
from localaws.services.timed import Change, tag_map


class MemoryDbMultiRegion(MemoryDbSnapshots):
    """Operations on multi-Region clusters."""

    @operation("CreateMultiRegionCluster")
    def create_multi_region_cluster(self, call: Call) -> Reply:
        """Create a multi-Region cluster without members; its name gets a prefix of the Region."""
        params = call.params
        name = f"{id_prefix(call.region)}-{params['MultiRegionClusterNameSuffix']}"
        mine = self.multi_regions.setdefault(call.account, {})
        if name in mine:
            raise AwsError("MultiRegionClusterAlreadyExistsFault", f"Multi-Region cluster {name} already exists.")
        one = MultiRegionCluster(
            status=Status.CREATING,
            account=call.account,
            name=name,
            description=params.get("Description", ""),
            blueprint=_described(params),
            parameter_group=params.get("MultiRegionParameterGroupName", "default.memorydb-valkey7.multiregion"),
            tags=tag_map(params.get("Tags")),
        )
        mine[name] = one
        self._lead(one, "create-multi-region-cluster", Seconds.CREATE_MULTI_REGION, Status.CREATING)
        return {"MultiRegionCluster": self.show_multi_region(one)}

    @operation("DescribeMultiRegionClusters")
    def describe_multi_region_clusters(self, call: Call) -> Reply:
        """List multi-Region clusters, the same in every Region; regional clusters with ShowClusterDetails only."""
        wanted = call.params.get("MultiRegionClusterName")
        mine = self.multi_regions.get(call.account, {})
        found = [self.multi_region(call.account, wanted)] if wanted else list(mine.values())
        with_clusters = bool(call.params.get("ShowClusterDetails"))
        shown = [self.show_multi_region(one, with_clusters=with_clusters) for one in found]
        return PAGES.page(call, shown, "MultiRegionClusters")

    @operation("UpdateMultiRegionCluster")
    def update_multi_region_cluster(self, call: Call) -> Reply:
        """Change node type, engine version, shards or description of all members; refused while one is dark."""
        params = call.params
        one = self.multi_region(call.account, params["MultiRegionClusterName"])
        self.require_settled(one)
        for cluster in one.members:
            self.require_available(cluster)
            if self.region_is_down(cluster.region):
                raise errors.multi_region_state(f"Cluster {cluster.arn} cannot be reached.")
        plan = one.blueprint
        changed = replace(
            plan,
            node_type=_large_enough(params.get("NodeType", plan.node_type)),
            engine_version=params.get("EngineVersion", plan.engine_version),
            shard_count=params.get("ShardConfiguration", {}).get("ShardCount", plan.shard_count),
        )
        one.description = params.get("Description", one.description)
        if changed == plan:
            return {"MultiRegionCluster": self.show_multi_region(one)}

        def updated() -> None:
            one.blueprint = changed
            for cluster in one.members:
                cluster.status = Status.AVAILABLE
                cluster.blueprint = changed
                self.size_shards(cluster)

        def failed() -> None:
            for cluster in one.members:
                cluster.status = Status.AVAILABLE

        for cluster in one.members:
            cluster.status = Status.UPDATING
        what = "update-multi-region-cluster"
        self._lead(one, what, Seconds.UPDATE_MULTI_REGION, Status.UPDATING, done=updated, on_failure=failed)
        return {"MultiRegionCluster": self.show_multi_region(one)}

    @operation("DeleteMultiRegionCluster")
    def delete_multi_region_cluster(self, call: Call) -> Reply:
        """Delete a multi-Region cluster that has no member left."""
        one = self.multi_region(call.account, call.params["MultiRegionClusterName"])
        self.require_settled(one)
        if one.members:
            raise errors.multi_region_state(f"Multi-Region cluster {one.name} still has regional clusters.")

        def deleted() -> None:
            self.multi_regions[call.account].pop(one.name, None)

        what = "delete-multi-region-cluster"
        self._lead(one, what, Seconds.DELETE_MULTI_REGION, Status.DELETING, done=deleted)
        return {"MultiRegionCluster": self.show_multi_region(one)}

    def require_settled(self, one: MultiRegionCluster) -> None:
        """Refuse with `InvalidMultiRegionClusterStateFault` while the multi-Region cluster changes."""
        if one.status != Status.AVAILABLE:
            raise errors.multi_region_state(
                f"Multi-Region cluster {one.name} is in state {one.status}, expected available."
            )

    def multi_region_to_join(self, call: Call) -> MultiRegionCluster | None:
        """Return the multi-Region cluster that a new cluster is to join; what it inherits may only be repeated.

        A snapshot may seed the first member only.
        """
        params = call.params
        name = params.get("MultiRegionClusterName")
        if not name:
            return None
        one = self.multi_region(call.account, name)
        self.require_settled(one)
        plan = one.blueprint
        fixed = {
            "NodeType": plan.node_type,
            "Engine": plan.engine,
            "EngineVersion": plan.engine_version,
            "NumShards": plan.shard_count,
            "TLSEnabled": plan.tls,
        }
        different = [key for key, value in fixed.items() if params.get(key, value) != value]
        if different:
            raise errors.combination(f"{', '.join(different)} must equal those of multi-Region cluster {name}.")
        if any(cluster.region == call.region for cluster in one.members):
            raise errors.combination(f"Multi-Region cluster {name} has a cluster in {call.region} already.")
        if one.members and (params.get("SnapshotName") or params.get("SnapshotArns")):
            raise errors.combination(f"Multi-Region cluster {name} has data already: no snapshot can be restored.")
        if len(one.members) >= REGIONS_LIMIT:
            raise AwsError("ClusterQuotaForCustomerExceededFault", f"{name} spans {REGIONS_LIMIT} Regions already.")
        return one

    def _lead(self, one: MultiRegionCluster, what: str, seconds: float, during: Status, **effects: Any) -> None:
        failed = Status.CREATE_FAILED if during == Status.CREATING else Status.AVAILABLE
        change = Change(f"memorydb.{what}", one.arn, seconds, during, Status.AVAILABLE, failed)
        self.lead(one, change, **effects)


def _described(params: Mapping[str, Any]) -> Blueprint:
    engine = params.get("Engine") or "valkey"
    version = params.get("EngineVersion") or DEFAULT_VERSIONS.get(engine, "")
    if engine != "valkey" or tuple(map(int, version.split("."))) < (7, 3):
        raise errors.value(f"Multi-Region clusters need Valkey 7.3 or newer, not {engine} {version}.")
    return Blueprint(
        node_type=_large_enough(params["NodeType"]),
        engine=engine,
        engine_version=version,
        shard_count=params.get("NumShards") or 1,
        tls=bool(params.get("TLSEnabled", True)),
    )


def _large_enough(node_type: str) -> str:
    if node_type.startswith(TOO_SMALL):
        raise errors.value(
            f"Node type {node_type} is not supported for multi-Region clusters: db.r7g.xlarge or larger."
        )
    return node_type
