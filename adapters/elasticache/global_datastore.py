"""The steps of a global datastore: complete it, promote the secondary, and when that fails stand alone and begin anew."""

from __future__ import annotations

from adapters.elasticache.fence import fence, opened, unknown, when_available
from adapters.elasticache.making import secondary, wait, wanted_replicas
from adapters.elasticache.spec import (
    DATAPOINTS_DRAINED,
    DATASTORE_PASSING,
    DECLINED_SECONDS,
    DRAIN_BOUND_SECONDS,
    FAILOVER_BOUND_SECONDS,
    RESIDUAL_LAG_SECONDS,
    SETTLED,
)
from adapters.elasticache.view import Cache, ElastiCacheView, fresh_name
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Mode, Side

_REOPEN = "answer the failure gate with rollback to open the source side again"


def instantiate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that complete the datastore: itself, the secondary, its replicas."""
    if view.target_writes:
        return [
            done("secondary", f"{view.base} writes in {view.member.target.region} already", effect=Effect.REVERSIBLE)
        ]
    if view.target is not None and not view.target.datastore_id and not _made_now(view.target, run):
        why = f"{view.target.id} in {view.member.target.region} stands alone; joining a global datastore would wipe it"
        return [
            blocked("secondary", why, f"take its dr:* tags off and tag a cache subnet group for {view.base} instead.")
        ]
    return [*datastore(view, run, Side.SOURCE), *member(view, run, Side.TARGET), *grow(view)]


def datastore(view: ElastiCacheView, run: RunContext, side: Side) -> list[Step]:
    """Return the step that makes the datastore around the group on `side`, unless there is one."""
    primary, name = (view.source if side is Side.SOURCE else view.target), "datastore"
    params: dict[str, Param] = {
        "GlobalReplicationGroupIdSuffix": f"{view.base}-{run.short_id}",
        "PrimaryReplicationGroupId": primary.id if primary else view.base,
        "GlobalReplicationGroupDescription": f"{view.base} of {view.member.tags.get('Customer', 'disaster recovery')}",
    }
    call = Call("elasticache", "CreateGlobalReplicationGroup", params, side)
    found = view.datastore if primary is not None and primary.datastore_id else None
    if primary is None:
        return [failed(name, f"there is no replication group {view.base} to replicate from", "restore it, then retry.")]
    if found is None:
        return [
            when_available(name, primary, call, f"{primary.id} is in no global datastore", effect=Effect.COMPENSABLE)
        ]
    if found.Status in SETTLED or len(found.Members) > 1:
        return [done(name, f"{found.GlobalReplicationGroupId} is {found.Status}", effect=Effect.COMPENSABLE)]
    return [_passing(name, view, call)]


def member(view: ElastiCacheView, run: RunContext, side: Side) -> list[Step]:
    """Return the steps that make the member on `side` and wait until it is in step with the primary."""
    there, primary = (view.target, view.source) if side is Side.TARGET else (view.source, view.target)
    found = view.datastore.GlobalReplicationGroupId if view.datastore else None
    joining = found if primary is not None and primary.datastore_id == found else None
    joined = there if there is not None and (_is_in(there, joining) or _made_now(there, run)) else None
    taken = view.stale if side is Side.TARGET else view.retired
    name = joined.id if joined else fresh_name(view.base, taken if there is None else (*taken, there), run)
    region = (view.member.target if side is Side.TARGET else view.member.source).region
    call = secondary(name, view, run, side, joining)
    made = wait("secondary", joined, call, f"{view.base} has no member in {region}", effect=Effect.REVERSIBLE)
    return [made, _associated(view, side)]


def _is_in(cache: Cache, datastore_id: str | None) -> bool:
    return datastore_id is not None and cache.datastore_id == datastore_id


def _made_now(cache: Cache, run: RunContext) -> bool:
    """Say whether this run made a group; while it is created AWS need not show what it is to join."""
    return cache.tags.get("dr:execution-id") == run.run_id


def _associated(view: ElastiCacheView, side: Side) -> Step:
    mine, name = (view.target_member if side is Side.TARGET else view.source_member), "associated"
    status = view.datastore.Status if view.datastore else "not there"
    observed = f"the member is {mine.Status if mine else 'not there'}, its global datastore {status}"
    if mine is not None and mine.Status.lower() == "associated" and status == "available":
        return done(name, observed)
    if mine is not None and mine.Status.lower() not in {"associated", "associating", "disassociating"}:
        raise unknown(f"the member {mine.ReplicationGroupId} of its global datastore", mine.Status)
    if status not in {*SETTLED, *DATASTORE_PASSING, "not there"}:
        raise unknown("the global datastore", status)
    return busy(name, f"{observed}, expected associated and available")


def grow(view: ElastiCacheView) -> list[Step]:
    """Return the step that gives the target as many replicas as production has; none when it has them."""
    cache = view.target
    wanted = wanted_replicas(view, view.member.target, view.member.source)
    if cache is None or cache.replicas >= wanted:
        return []
    params: dict[str, Param] = {"ReplicationGroupId": cache.id, "NewReplicaCount": wanted, "ApplyImmediately": True}
    call = Call("elasticache", "IncreaseReplicaCount", params, Side.TARGET)
    return [when_available("replicas", cache, call, f"{cache.id} has {cache.replicas} replica(s), expected {wanted}")]


def activate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that make the target the primary; in a planned run behind the fence and without lag."""
    if view.target is None:
        why = f"there is no member of {view.base} in {view.member.target.region}"
        return [
            blocked(
                "failover", why, "in a planned run INSTANTIATE makes one; nothing can be copied from a lost Region."
            )
        ]
    writes = wait("writable", view.target, None, "", effect=Effect.NONE)
    if run.mode is Mode.PLANNED:
        before = [] if view.target_writes else [*fence(view, run), drained(view, run)]
        return [*before, _failover(view, run), writes, *opened("open-target", view.target, Side.TARGET)]
    return [_forced(view, run), writes, *opened("open-target", view.target, Side.TARGET), *grow(view)]


def drained(view: ElastiCacheView, run: RunContext) -> Step:
    """Return the wait until the secondary is in step with the fenced primary."""
    name, since = "drain", run.called_at.get("fence", run.started_at)
    lags = [point.value for point in view.lag_points if point.at >= since][:DATAPOINTS_DRAINED]
    shown = ", ".join(f"{each:.1f} s" for each in lags) or "no datapoint since the fence"
    if len(lags) == DATAPOINTS_DRAINED and max(lags) <= RESIDUAL_LAG_SECONDS:
        return done(name, f"lag was {shown} behind the fence")
    waited = (run.now - since).total_seconds()
    expected = f"expected {DATAPOINTS_DRAINED} datapoints of at most {RESIDUAL_LAG_SECONDS:.0f} s"
    if waited < DRAIN_BOUND_SECONDS:
        return busy(name, f"lag {shown}, {expected}")
    remedy = f"stop the writers that are still connected, then retry; or {_REOPEN}"
    return blocked(name, f"lag {shown}, {expected}, {waited / 60:.0f} min after the fence", remedy)


def _failover(view: ElastiCacheView, run: RunContext, *, back: bool = False) -> Step:
    """Return the promotion of the target, or back of the old primary; the same call with and without a disaster."""
    place = view.member.source if back else view.member.target
    name, group = ("switch-back", view.source) if back else ("failover", view.target)
    mine = view.source_member if back else view.target_member
    params: dict[str, Param] = {
        "GlobalReplicationGroupId": view.datastore.GlobalReplicationGroupId if view.datastore else "",
        "PrimaryRegion": place.region,
        "PrimaryReplicationGroupId": group.id if group else place.id,
    }
    effect = Effect.IRREVERSIBLE if run.mode is Mode.EMERGENCY else Effect.COMPENSABLE
    call = Call("elasticache", "FailoverGlobalReplicationGroup", params, Side.SOURCE if back else Side.TARGET)
    if view.detached:
        return done(name, f"{place.id} stands alone and takes the writes", effect=effect)
    if view.datastore is None or mine is None or not mine.Role:
        why = f"{place.id} in {place.region} is no member of a global datastore"
        return blocked(name, why, "run INSTANTIATE first, or recover it by another dr:recovery-strategy.")
    observed = f"{place.id} is {mine.Role}, the global datastore is {view.datastore.Status}"
    if mine.Role.upper() == "PRIMARY" and view.datastore.Status in SETTLED:
        return done(name, observed, effect=effect)
    if view.datastore.Status not in SETTLED:
        return _passing(name, view, call, effect)
    if mine.Status.lower() != "associated":
        return busy(name, f"{observed}, its membership is {mine.Status}, expected associated", effect=effect, call=call)
    return todo(name, call, effect, observed)


def _forced(view: ElastiCacheView, run: RunContext) -> Step:
    """Return the promotion, or the detachment when no promotion is to be had."""
    step = _failover(view, run)
    reason = "" if view.target_writes else _detach_reason(view, run)
    if not reason or view.datastore is None or view.target is None:
        return step
    params: dict[str, Param] = {
        "GlobalReplicationGroupId": view.datastore.GlobalReplicationGroupId,
        "ReplicationGroupId": view.target.id,
        "ReplicationGroupRegion": view.member.target.region,
    }
    call = Call("elasticache", "DisassociateGlobalReplicationGroup", params, Side.TARGET)
    mine = view.target_member
    if mine is not None and mine.Status.lower() == "disassociating":
        return busy("disassociate", f"{view.target.id} is leaving: {reason}", effect=Effect.IRREVERSIBLE, call=call)
    return todo("disassociate", call, Effect.IRREVERSIBLE, reason)


def _detach_reason(view: ElastiCacheView, run: RunContext) -> str:
    """Return why the target must leave the datastore to take writes, or an empty string."""
    called, left = run.seconds_since("failover"), "disassociate" in run.called_at
    running = (run.now - run.started_at).total_seconds()
    status = view.datastore.Status if view.datastore else ""
    if called is not None and called > FAILOVER_BOUND_SECONDS:
        return f"no effect {called / 60:.0f} min after the failover was called"
    if called is None and status in SETTLED and running > DECLINED_SECONDS:
        return f"AWS declined the failover for {running:.0f} s"
    if called is None and running > FAILOVER_BOUND_SECONDS:
        return f"the global datastore is {status} for {running / 60:.0f} min"
    return "it was told to leave before" if left else ""


def _passing(name: str, view: ElastiCacheView, call: Call, effect: Effect = Effect.COMPENSABLE) -> Step:
    status = view.datastore.Status if view.datastore else ""
    if status not in DATASTORE_PASSING:
        raise unknown("the global datastore", status)
    return busy(name, f"the global datastore is {status}, expected available", effect=effect, call=call)


def replicate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps after which the source side follows the target: wait and open it, or make a new secondary."""
    if not view.target_writes:
        why = f"{view.member.target.id} in {view.member.target.region} is not the primary"
        return [blocked("secondary", why, "run ACTIVATE first.")]
    if view.detached or view.source_member is None:
        return [*datastore(view, run, Side.TARGET), *member(view, run, Side.SOURCE)]
    follows = _associated(view, Side.SOURCE)
    # A secondary takes no writes, so the fence has done its work.
    return [follows, *opened("open-source", view.source, Side.SOURCE)]


def rollback(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that promote the old primary again and open it."""
    later = "later: dr start --operation failback"
    if view.detached or (run.mode is Mode.EMERGENCY and view.target_writes):
        return [blocked("switch-back", "a forced promotion cannot be undone", later)]
    if run.mode is Mode.EMERGENCY:
        return [done("switch-back", "nothing was promoted and nothing was fenced")]
    mine = view.source_member
    if view.target_writes and mine is not None and mine.Status.lower() == "associated":
        lag = view.lag_points[0].value if view.lag_points else None
        if lag is None or lag > RESIDUAL_LAG_SECONDS:
            shown = "unknown" if lag is None else f"{lag:.1f} s"
            waiting = f"{view.member.source.id} is {shown} behind, expected at most {RESIDUAL_LAG_SECONDS:.0f} s"
            return [busy("switch-back", waiting), *opened("open-source", view.source, Side.SOURCE)]
    return [_failover(view, run, back=True), *opened("open-source", view.source, Side.SOURCE)]


def retired(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that delete what a detachment has left on the source side, each with a final snapshot."""
    steps: list[Step] = []
    for old in view.retired:
        if not old.fenced:
            why = f"{old.id} in {view.member.source.region} is not fenced: it may still be in use"
            return [blocked("delete-old-group", why, "find out whose it is; delete it by hand.")]
        if old.datastore_id:
            params: dict[str, Param] = {
                "GlobalReplicationGroupId": old.datastore_id,
                "RetainPrimaryReplicationGroup": True,
            }
            call = Call("elasticache", "DeleteGlobalReplicationGroup", params, Side.SOURCE)
            why = f"{old.datastore_id} holds {old.id} alone"
            steps.append(when_available(f"delete-datastore-of-{old.id}", old, call, why, effect=Effect.IRREVERSIBLE))
        steps.append(deletion(old, run))
    return steps


def deletion(old: Cache, run: RunContext) -> Step:
    """Return the deletion of a group, which takes a last snapshot first."""
    final = f"{old.id}-final-{run.short_id}"
    params: dict[str, Param] = {"ReplicationGroupId": old.id, "FinalSnapshotIdentifier": final}
    call = Call("elasticache", "DeleteReplicationGroup", params, Side.SOURCE)
    name = f"delete-{old.id}"
    if old.status in {"deleting", "snapshotting"}:
        return busy(name, f"{old.id} is {old.status}", effect=Effect.IRREVERSIBLE, call=call)
    return when_available(
        name, old, call, f"{old.id} is still there; its content goes to snapshot {final}", effect=Effect.IRREVERSIBLE
    )
