"""The nodes that a run makes on the target side, and what is left of the quotas for them.

Quotas: "Nodes per Region" and, with cluster mode, "Nodes per cluster per instance type" (ElastiCache user guide, Quotas; the codes are
those that ListServiceQuotas shows). AWS publishes no usage of them: the Region's nodes are counted (elasticache:DescribeCacheClusters).
"""

from __future__ import annotations

from dataclasses import replace

from adapters.elasticache.making import wanted_replicas
from adapters.elasticache.spec import GLOBAL_DATASTORE
from adapters.elasticache.view import ElastiCacheView
from adapters.elasticache.view_look import nodes_of
from adapters.quotas import ask, room
from orchestrator.contract import Claim, Reader, RunContext
from orchestrator.words import Mode

PER_REGION = ("elasticache", "L-DFE45DF3")
PER_CLUSTER = ("elasticache", "L-AF354865")


def with_rooms(view: ElastiCacheView, reader: Reader, run: RunContext) -> ElastiCacheView:
    """Add what is left of the quotas where the run is to make nodes."""
    if not _to_come(view, run):
        return view
    used = sum(node.NumCacheNodes for nodes in nodes_of(reader).values() for node in nodes)
    in_region = room(reader, *PER_REGION, run.now).counted(used)
    return replace(view, room=in_region, cluster_room=room(reader, *PER_CLUSTER, run.now) if view.shards > 1 else None)


def claims(view: ElastiCacheView, run: RunContext) -> list[Claim]:
    """Return the nodes that the run makes. Pure."""
    place, count = view.member.target, _to_come(view, run)
    if view.room is None or not count:
        return []
    where, mine, region = (place.account, place.region), (view.member.resource_id,), place.region
    what = f"the nodes of {view.base}, {view.shards} shard(s), to be made,"
    found = [view.room.claim(mine, where, "ElastiCache nodes", what, count, ask(*PER_REGION, region))]
    if view.cluster_room is not None:
        whole = view.cluster_room.counted(0)
        named = f"nodes in the cluster {view.base}"
        found.append(whole.claim(mine, where, named, what, _whole(view), ask(*PER_CLUSTER, region)))
    return found


def _whole(view: ElastiCacheView) -> int:
    return view.shards * (1 + wanted_replicas(view, view.member.target, view.member.source))


def _to_come(view: ElastiCacheView, run: RunContext) -> int:
    """Return how many nodes are made: a whole group, a drill's copy, or the replicas that a secondary lacks."""
    if view.target is None or run.mode is Mode.DRILL:
        return _whole(view)
    if view.strategy != GLOBAL_DATASTORE:
        return 0
    lacking = wanted_replicas(view, view.member.target, view.member.source) - view.target.replicas
    return view.shards * max(lacking, 0)
