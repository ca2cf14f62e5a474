"""The steps on the members of a MemoryDB multi-Region cluster: make, grow, drain, open, verify. Pure.

Nothing is promoted: every member accepts writes. What a run decides is which member lets clients in.
"""

from __future__ import annotations

from adapters.memorydb.fence import built, fence, judged, named_or_gone, reopen
from adapters.memorydb.spec import DATAPOINTS_AT_ZERO, DRAIN_BOUND_SECONDS
from adapters.memorydb.tags import tags_for
from adapters.memorydb.view import MemoryDbView
from adapters.memorydb.view_stand import Stand, regional
from orchestrator.contract import Call, Member, Param, Place, RunContext, Step, blocked, busy, done, todo
from orchestrator.words import Effect, Mode, Phase, Side

_REOPEN = "answer the failure gate with rollback to open the source side again"


def prepare(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of INSTANTIATE: a member on the target side, as large as the one it replaces."""
    return [join(view, view.target, Side.TARGET, run), *grow(view)]


def join(view: MemoryDbView, each: Stand, side: Side, run: RunContext) -> Step:
    """Return the step that makes a side's member where there is none."""
    call = Call("memorydb", "CreateCluster", _member_params(view.member, each.place, run), side)
    what = each.cluster.Name if each.cluster else f"{call.params['ClusterName']} in {each.place.region}"
    return built("member", what, each.status, call)


def _member_params(member: Member, place: Place, run: RunContext) -> dict[str, Param]:
    """Return a new member's parameters; engine, shards and TLS are the multi-Region cluster's."""
    other = member.source if place is member.target else member.target
    facts = place.facts if place.facts.get("node_type") else other.facts
    return {
        "ClusterName": other.id if place.facts.get("standby") else place.id,
        "MultiRegionClusterName": member.source.facts.get("multi_region") or member.target.facts.get("multi_region"),
        "NodeType": facts.get("node_type"),
        "ACLName": facts.get("acl"),
        "NumReplicasPerShard": facts.get("replicas"),
        "SnapshotRetentionLimit": facts.get("snapshot_days"),
        **regional(place),
        "Tags": tags_for(member, place, run),
    }


def grow(view: MemoryDbView) -> list[Step]:
    """Return the step that gives the target side as many replicas as the source side had."""
    wanted, cluster = view.member.source.facts.get("replicas"), view.target.cluster
    if not isinstance(wanted, int) or cluster is None or cluster.replicas >= wanted:
        return []
    change: dict[str, Param] = {"ClusterName": cluster.Name, "ReplicaConfiguration": {"ReplicaCount": wanted}}
    call = Call("memorydb", "UpdateCluster", change, Side.TARGET)
    why = f"{cluster.Name} has {cluster.replicas} replica(s) a shard, the source side {wanted}"
    if cluster.status == "available":
        return [todo("replicas", call, Effect.REVERSIBLE, why)]
    return [judged("replicas", cluster.Name, cluster.status, effect=Effect.REVERSIBLE, call=call)]


def take_over(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of ACTIVATE: fence and drain the source side (planned), let clients into the target side."""
    before: list[Step] = []
    if run.mode is Mode.PLANNED and view.source is not None:
        before = [*fence(view.source, run), drained(view, run)]
    opened = reopen(view.target, Side.TARGET)
    after = grow(view) if run.mode is Mode.EMERGENCY else []
    return [*before, *opened, serving(view), *after]


def drained(view: MemoryDbView, run: RunContext) -> Step:
    """Return the wait until nothing is left to be replicated: lag zero in minutes that began behind the fence."""
    name, source = "drain", view.source
    if source is None or source.cluster is None:
        return done(name, "the source side has no member: nothing is left to come")
    since = source.fenced_at
    lag = [point.value for point in view.lag_points if since is not None and point.at >= since]
    shown = ", ".join(f"{each:.0f} ms" for each in lag[:DATAPOINTS_AT_ZERO]) or "no datapoint"
    if len(lag) >= DATAPOINTS_AT_ZERO and not any(lag[:DATAPOINTS_AT_ZERO]):
        return done(name, f"lag was zero at {DATAPOINTS_AT_ZERO} datapoints in a row")
    waited = 0.0 if since is None else (run.now - max(since, run.started_at)).total_seconds()
    if waited < DRAIN_BOUND_SECONDS:
        return busy(name, f"lag {shown}, expected {DATAPOINTS_AT_ZERO} datapoints at zero")
    why = f"lag {shown}, not zero {waited / 60:.0f} min after {named_or_gone(source)} was fenced"
    remedy = f"stop what still holds connections to it and writes, then retry; or {_REOPEN}"
    return blocked(name, why, remedy)


def serving(view: MemoryDbView) -> Step:
    """Return the wait until the target side's member is available, whole, and a member."""
    name, cluster, region = "target-serves", view.target.cluster, view.member.target.region
    if cluster is None:
        why = f"there is no member {view.member.target.id} in {region}"
        return blocked(name, why, "in a planned run INSTANTIATE makes it; else restore a snapshot by hand.")
    if not cluster.MultiRegionClusterName:
        why = f"{cluster.Name} in {region} belongs to no multi-Region cluster"
        return blocked(name, why, "dr plan shows what it is; set dr:recovery-strategy to snapshot-restore for it.")
    if cluster.status == "available" and not cluster.whole:
        return busy(name, f"{cluster.Name} is available, some of its nodes are not")
    return judged(name, cluster.Name, cluster.status)


def quiet(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of CLEANUP: keep clients out of the source side; it goes on replicating."""
    if view.source is None or view.target.cluster is None or view.target.fenced:
        why = f"{named_or_gone(view.target)} in {view.member.target.region} lets no clients in: the source stays open"
        return [blocked("fence", why, "run ACTIVATE first.")]
    return fence(view.source, run)


def standby(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of REPLICATE: the source side's member is there and replicates."""
    if view.source is None:
        return [blocked("member", "the source side was not looked at", "start a planned run for this phase.")]
    region, members = view.member.source.region, view.group.members if view.group else {}
    steps = [join(view, view.source, Side.SOURCE, run)]
    shown = members.get(region, "no member")
    if shown == "available":
        return [*steps, done("replicating", f"the member in {region} is available")]
    return [*steps, busy("replicating", f"the member in {region} is {shown}, expected available")]


def undo(phase: Phase, view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps that let clients into the source side again; the data of both sides is one."""
    if view.source is None:
        return [done("open", "nothing was fenced: move the traffic back", effect=Effect.REVERSIBLE)]
    if phase is Phase.ACTIVATE or (phase is Phase.CLEANUP and "fence" in run.called_at):
        return reopen(view.source, Side.SOURCE)
    return [done("open", f"{phase} changed nothing that must be undone", effect=Effect.REVERSIBLE)]
