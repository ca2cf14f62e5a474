"""What each phase of a cache is expected to leave behind, for the preview of the phases after it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from adapters.elasticache.making import wanted_replicas
from adapters.elasticache.models import (
    Datastore,
    DatastoreMember,
    GroupOnNode,
    Membership,
    Node,
    NodeGroup,
    NodeMember,
    ReplicationGroup,
)
from adapters.elasticache.spec import BACKUP_RESTORE, GLOBAL_DATASTORE, REBUILD
from adapters.elasticache.view import Cache, DrillCopy, ElastiCacheView, Export, fresh_name
from adapters.fencing import FENCED_TAG, SecurityGroup
from orchestrator.contract import Place, RunContext
from orchestrator.words import Mode, Phase

_LATER = "known later"


def foreseen(phase: Phase, view: ElastiCacheView, run: RunContext) -> ElastiCacheView:
    """Return the view that `phase` leaves behind."""
    if run.mode is Mode.DRILL:
        snapshot = "available" if view.strategy == GLOBAL_DATASTORE and not view.exports else ""
        there = DrillCopy("the drill's group", snapshot, "available")
        return replace(view, copy=DrillCopy() if phase is Phase.CLEANUP else there)
    if phase is Phase.INSTANTIATE:
        return replace(view, snapshot="") if view.strategy == BACKUP_RESTORE else _instantiated(view, run)
    if phase is Phase.ACTIVATE:
        return _activated(view, run)
    if phase is Phase.CLEANUP and (view.strategy == REBUILD or view.detached):
        return _shut(view)
    if phase is Phase.REPLICATE:
        return _replicated(view, run)
    return view


def _instantiated(view: ElastiCacheView, run: RunContext) -> ElastiCacheView:
    if view.strategy == GLOBAL_DATASTORE and not view.target_writes:
        known = view.datastore.GlobalReplicationGroupId if view.datastore else _LATER
        target = view.target or _made(view, run, view.member.target, known)
        return replace(view, target=target, datastore=_roles(view, target, known, writes=False))
    return view if view.target else replace(view, target=_made(view, run, view.member.target, None))


def _activated(view: ElastiCacheView, run: RunContext) -> ElastiCacheView:
    if view.strategy != GLOBAL_DATASTORE:
        seen = view if view.target else replace(view, target=_made(view, run, view.member.target, None))
        planned = run.mode is Mode.PLANNED and view.strategy == BACKUP_RESTORE
        return replace(
            _shut(seen) if planned else seen, snapshot="", source_exports=() if not view.target else view.source_exports
        )
    if view.target_writes or view.target is None:
        return view
    known = view.datastore.GlobalReplicationGroupId if view.datastore else _LATER
    switched = replace(view, datastore=_roles(view, view.target, known, writes=True))
    return _shut(switched) if run.mode is Mode.PLANNED else switched


def _replicated(view: ElastiCacheView, run: RunContext) -> ElastiCacheView:
    if view.strategy == BACKUP_RESTORE and view.target is not None:
        export = Export(_LATER, (_LATER,), max(run.now, view.target.created) + timedelta(seconds=1))
        return replace(view, source_exports=(export, *view.source_exports))
    if view.strategy != GLOBAL_DATASTORE or view.target is None or not view.detached:
        return view
    made = _made(view, run, view.member.source, _LATER)
    retired = (*view.retired, *([view.source] if view.source else []))
    target = replace(view.target, group=_member_of(view.target.group, _LATER, "PRIMARY"))
    seen = replace(view, target=target, source=made, retired=retired)
    return replace(seen, datastore=_roles(seen, target, _LATER, writes=True))


def _roles(view: ElastiCacheView, target: Cache, datastore: str, *, writes: bool) -> Datastore:
    sides = ((view.member.target.region, target.id, writes), (view.member.source.region, _source_id(view), not writes))
    return Datastore(
        GlobalReplicationGroupId=datastore,
        Status="available",
        Members=[
            DatastoreMember(
                ReplicationGroupId=name,
                ReplicationGroupRegion=region,
                Role="PRIMARY" if primary else "SECONDARY",
                Status="associated",
            )
            for region, name, primary in sides
        ],
    )


def _source_id(view: ElastiCacheView) -> str:
    return view.source.id if view.source else view.member.source.id


def _shut(view: ElastiCacheView) -> ElastiCacheView:
    """Return the view with the source side's group behind the fence."""
    old = view.source
    if old is None:
        return view
    fence = view.fence or SecurityGroup(GroupId="dr-fence")
    nodes = tuple(
        n.model_copy(update={"SecurityGroups": [GroupOnNode(SecurityGroupId=fence.GroupId)]}) for n in old.nodes
    )
    tags = {FENCED_TAG: " ".join(old.own_groups), **old.tags}
    group = old.group.model_copy(update={"Status": "available"})
    return replace(view, fence=fence, source=Cache(group, nodes, tags))


def _made(view: ElastiCacheView, run: RunContext, place: Place, datastore: str | None) -> Cache:
    """Return a group as it will be once it is made."""
    on_target = place is view.member.target
    taken = view.stale if on_target else (*view.retired, *([view.source] if view.source else []))
    name = fresh_name(view.base, taken, run)
    replicas = wanted_replicas(view, view.member.target, view.member.source)
    nodes = [f"{name}-{number:03}" for number in range(1, replicas + 2)]
    shards = [
        NodeGroup(NodeGroupId=f"{shard:04}", NodeGroupMembers=[NodeMember(CacheClusterId=each) for each in nodes])
        for shard in range(1, view.shards + 1)
    ]
    group = ReplicationGroup(
        ReplicationGroupId=name,
        ARN=f"arn:aws:elasticache:{place.region}:{place.account}:replicationgroup:{name}",
        Status="available",
        NodeGroups=shards,
        ReplicationGroupCreateTime=run.now,
    )
    joined = _member_of(group, datastore, "SECONDARY") if datastore else group
    return Cache(joined, tuple(Node(CacheClusterId=each) for each in nodes), {"dr:execution-id": run.run_id})


def _member_of(group: ReplicationGroup, datastore: str, role: str) -> ReplicationGroup:
    info = Membership(GlobalReplicationGroupId=datastore, GlobalReplicationGroupMemberRole=role)
    return group.model_copy(update={"GlobalReplicationGroupInfo": info})
