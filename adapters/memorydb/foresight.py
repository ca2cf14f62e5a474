"""What the phases of a MemoryDB run are expected to leave behind. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.memorydb.models import Cluster, GroupOnCluster
from adapters.memorydb.spec import DATAPOINTS_AT_ZERO, FENCED_AT_TAG, MULTI_REGION
from adapters.memorydb.view import MemoryDbView, export_name, restored_name
from adapters.memorydb.view_exports import Export
from adapters.memorydb.view_stand import Stand
from adapters.reading import Datapoint
from orchestrator.contract import RunContext
from orchestrator.words import Mode, Phase, Side


def foresee(phase: Phase, view: MemoryDbView, run: RunContext) -> MemoryDbView:
    """Return the view after a phase of a real run."""
    if view.strategy == MULTI_REGION:
        return _member(phase, view, run)
    if phase is Phase.INSTANTIATE and not view.moved:
        return replace(_carried(view, replace(run, phase=phase)), snapshot="")
    if phase is Phase.ACTIVATE and not view.moved:
        carried = _carried(view, replace(run, phase=phase))
        name = restored_name(view.member, run)
        cluster = Cluster(Name=name, Status="available", SecurityGroups=[GroupOnCluster(SecurityGroupId="sg-own")])
        return replace(_closed(carried, run), target=Stand(view.member.target, cluster), snapshot="")
    if phase in {Phase.ACTIVATE, Phase.CLEANUP}:
        return _closed(view, run)
    return view


def _member(phase: Phase, view: MemoryDbView, run: RunContext) -> MemoryDbView:
    if phase is Phase.INSTANTIATE and view.target.cluster is None:
        name = view.group.MultiRegionClusterName if view.group else "multi-region"
        cluster = Cluster(Name=view.member.source.id, Status="available", MultiRegionClusterName=name)
        return replace(view, target=Stand(view.member.target, cluster))
    if phase is Phase.ACTIVATE:
        return replace(_closed(view, run), target=_opened(view.target))
    return _closed(view, run) if phase is Phase.CLEANUP else view


def _opened(each: Stand) -> Stand:
    if each.cluster is None:
        return each
    groups = [GroupOnCluster(SecurityGroupId=group) for group in each.own_groups]
    tags = {key: value for key, value in each.tags.items() if key not in {FENCED_TAG, FENCED_AT_TAG}}
    return replace(each, cluster=each.cluster.model_copy(update={"SecurityGroups": groups}), tags=tags)


def _closed(view: MemoryDbView, run: RunContext) -> MemoryDbView:
    each = view.source
    if each is None or each.cluster is None or run.mode is Mode.EMERGENCY:
        return view
    fence = each.fence or SecurityGroup(GroupId="dr-fence")
    tags = {
        **each.tags,
        FENCED_TAG: " ".join(each.own_groups),
        FENCED_AT_TAG: each.tags.get(FENCED_AT_TAG) or run.now.isoformat(timespec="seconds"),
    }
    on = [GroupOnCluster(SecurityGroupId=fence.GroupId)]
    source = replace(each, cluster=each.cluster.model_copy(update={"SecurityGroups": on}), tags=tags, fence=fence)
    drained = tuple(Datapoint(run.now + timedelta(minutes=n), 0.0) for n in reversed(range(DATAPOINTS_AT_ZERO)))
    return replace(view, source=source, lag_points=drained)


def _carried(view: MemoryDbView, run: RunContext) -> MemoryDbView:
    """Add the export of a phase to both buckets."""
    name = export_name(view.member, run)
    keys = tuple(f"{name}-{number:04}.rdb" for number in range(1, view.shards + 1))
    made = Export(name, run.now, keys)
    return replace(view, exports={side: (*view.exports.get(side, ()), made) for side in (Side.SOURCE, Side.TARGET)})
