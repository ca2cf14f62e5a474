"""The nodes that a run makes on the target side, and what is left of the quotas for them.

300 nodes per Region and 90 per cluster by default (MemoryDB developer guide, Quotas). No code of Service Quotas is documented for
them, so the defaults are what is compared with; the Region's nodes are counted (memorydb:DescribeClusters).
"""

from __future__ import annotations

from dataclasses import replace

from adapters.memorydb.models import Clusters
from adapters.memorydb.spec import MULTI_REGION
from adapters.memorydb.view import MemoryDbView
from adapters.quotas import OF_THE_DOCUMENTATION, Room
from orchestrator.contract import Claim, Reader, RunContext
from orchestrator.words import Mode

PER_REGION, PER_CLUSTER = 300, 90
MORE = "if the account has no higher one already, ask for it in the Service Quotas console (MemoryDB)"


def with_room(view: MemoryDbView, reader: Reader, run: RunContext) -> MemoryDbView:
    """Add what is left of the Region's nodes where the run is to make some."""
    if not _to_come(view, run):
        return view
    pages = reader.pages("memorydb", "DescribeClusters", Clusters, ShowShardDetails=True)
    used = sum(len(shard.Nodes) for page in pages for each in page.Clusters for shard in each.Shards)
    return replace(view, room=Room(PER_REGION, used, OF_THE_DOCUMENTATION))


def claims(view: MemoryDbView, run: RunContext) -> list[Claim]:
    """Return the nodes that the run makes. Pure."""
    place, count, mine = view.member.target, _to_come(view, run), (view.member.resource_id,)
    if view.room is None or not count:
        return []
    where, name = (place.account, place.region), view.member.name
    what = f"the nodes of {name}, {view.shards} shard(s), to be made,"
    of_cluster = Room(PER_CLUSTER, 0, OF_THE_DOCUMENTATION)
    whole = view.shards if run.mode is Mode.DRILL else view.shards * (1 + _replicas(view))
    return [
        view.room.claim(mine, where, "MemoryDB nodes", what, count, MORE),
        of_cluster.claim(mine, where, f"nodes in the cluster {name}", what, whole, MORE),
    ]


def _replicas(view: MemoryDbView) -> int:
    there = view.source.cluster if view.source else None
    return there.replicas if there else int(str(view.member.source.facts.get("replicas") or 0))


def _to_come(view: MemoryDbView, run: RunContext) -> int:
    """Return how many nodes are made: a drill's copy, a member or a restored cluster, or the replicas that a member lacks."""
    if run.mode is Mode.DRILL:
        return view.shards  # the copy has no replicas
    cluster = view.target.cluster
    if cluster is None:
        return view.shards * (1 + _replicas(view))
    lacking = _replicas(view) - cluster.replicas if view.strategy == MULTI_REGION else 0
    return view.shards * max(lacking, 0) if run.mode is Mode.PLANNED else 0
