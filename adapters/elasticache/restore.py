"""The steps of groups that stand alone in each Region: carried over as an export in S3, or made anew and empty.

A planned run exports twice: first while everything runs, to prove the way before anybody is shut out, and then behind the
fence, which holds the last write.
"""

from __future__ import annotations

from adapters.elasticache.fence import fence, opened, unknown, when_available
from adapters.elasticache.global_datastore import deletion
from adapters.elasticache.making import alone, tags, token_lost, wait
from adapters.elasticache.spec import (
    ARRIVAL_BOUND_SECONDS,
    BACKUP_RESTORE,
    BUCKET_TAG,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from adapters.elasticache.view import Cache, ElastiCacheView, Export, export_name, fresh_name, snapshot_name
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import Effect, Mode, Side


def instantiate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps before the switch: the empty group of a rebuild, or a first export, which proves the way."""
    if view.strategy != BACKUP_RESTORE:
        return _empty(view, run)
    if view.target is not None:
        return skip(f"{view.target.id} was restored in {view.member.target.region} already")
    return token_lost(view) or _exported_source(view, run)


def _exported_source(view: ElastiCacheView, run: RunContext) -> list[Step]:
    if view.source is None:
        why = f"there is no {view.member.source.id} in {view.member.source.region} to take an export of"
        return [blocked("snapshot", why, "start the run as an emergency: it restores the newest export.")]
    return exporting(view, run, view.source, Side.SOURCE)


def activate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that bring the cache up on the target side."""
    if view.strategy != BACKUP_RESTORE:
        return _empty(view, run)
    if run.mode is Mode.EMERGENCY:
        return _restored(view, run, view.exports[0] if view.exports else None)
    if view.target is not None:
        return [*fence(view, run), *_restored(view, run, None)]
    guarded = token_lost(view)
    if guarded:
        return guarded
    exported = _exported_source(view, run)
    return [*fence(view, run), *exported, *_restored(view, run, _mine(view.exports, view, run))]


def _empty(view: ElastiCacheView, run: RunContext) -> list[Step]:
    if view.target is None and (guarded := token_lost(view)):
        return guarded
    call = alone(fresh_name(view.base, view.stale, run), view, run, {})
    place = view.member.target.region
    made = wait("group", view.target, call, f"nothing serves {view.base} in {place}", effect=Effect.REVERSIBLE)
    return [made, *opened("open-target", view.target, Side.TARGET)]


def _restored(view: ElastiCacheView, run: RunContext, export: Export | None) -> list[Step]:
    """Return the restore; what was restored already needs no export."""
    if view.target is None and (guarded := token_lost(view)):
        return guarded
    if run.mode is Mode.EMERGENCY and view.target is None and export is None:
        bucket = view.member.target.facts.get("bucket")
        why = f"no complete export of {view.base} ({view.base}.*-0001.rdb ...) lies in {bucket or 'any bucket'}"
        return [
            blocked("restore", why, "put one there by hand, or set dr:recovery-strategy to rebuild and start again.")
        ]
    seed: dict[str, Param] = {"SnapshotArns": list(export.arns) if export else Later("ARNs of the export's objects")}
    call = alone(fresh_name(view.base, view.stale, run), view, run, seed)
    why = f"nothing serves {view.base} in {view.member.target.region}"
    if export is not None:
        why = f"{why}; the newest export is of {export.at:%Y-%m-%d %H:%M:%S} UTC"
    return [wait("restore", view.target, call, why, effect=Effect.IRREVERSIBLE)]


def exporting(view: ElastiCacheView, run: RunContext, group: Cache, side: Side) -> list[Step]:
    """Return the steps that carry the content of `group`, which is on `side`, to the other side's bucket."""
    from_here, to_there = (
        (view.source_exports, view.exports) if side is Side.SOURCE else (view.exports, view.source_exports)
    )
    place, other = view.member.source, view.member.target
    if side is Side.TARGET:
        place, other = other, place
    bucket, far = place.facts.get("bucket"), other.facts.get("bucket")
    if not bucket or not far:
        lacking = place if not bucket else other
        remedy = (
            f"tag the cache subnet group in {lacking.region} with {BUCKET_TAG}=<a bucket of that Region>, then: dr plan"
        )
        return [blocked("snapshot", f"no export bucket is known in {lacking.region}", remedy)]
    name = snapshot_name(view, run)
    params: dict[str, Param] = {"ReplicationGroupId": group.id, "SnapshotName": name, "Tags": tags(view, run)}
    snap = Call("elasticache", "CreateSnapshot", params, side)
    copied: dict[str, Param] = {
        "SourceSnapshotName": name,
        "TargetSnapshotName": export_name(view, run),
        "TargetBucket": str(bucket),
    }
    copy = Call("elasticache", "CopySnapshot", copied, side)
    arrived = _mine(to_there, view, run)
    left = arrived or _mine(from_here, view, run)
    return [
        _snapshot(view, group, snap, left),
        _exported(view, copy, left, str(bucket)),
        _arrived(run, arrived, str(far)),
    ]


def _mine(exports: tuple[Export, ...], view: ElastiCacheView, run: RunContext) -> Export | None:
    start = f"{export_name(view, run)}-"
    return next((each for each in exports if each.keys[0].startswith(start)), None)


def _snapshot(view: ElastiCacheView, group: Cache, call: Call, left: Export | None) -> Step:
    name, status = "snapshot", view.snapshot
    if left is not None or status in {"available", "exporting"}:
        return done(name, f"the snapshot is {status or 'exported'}", effect=Effect.REVERSIBLE)
    if not status:
        return when_available(name, group, call, f"{group.id} is not in a snapshot of this run")
    if status in SNAPSHOT_FAILED:
        remedy = f"aws elasticache delete-snapshot --snapshot-name {call.params['SnapshotName']}, then retry."
        return failed(name, f"the snapshot is {status}, expected available", remedy)
    if status not in SNAPSHOT_PASSING:
        raise unknown("the snapshot", status)
    return busy(name, f"the snapshot is {status}, expected available", effect=Effect.REVERSIBLE, call=call)


def _exported(view: ElastiCacheView, call: Call, left: Export | None, bucket: str) -> Step:
    if left is not None:
        return done("export", f"{left.keys[0]} lies in {left.bucket}", effect=Effect.REVERSIBLE)
    if view.snapshot == "exporting":
        return busy("export", f"the snapshot is on its way to {bucket}", effect=Effect.REVERSIBLE, call=call)
    return todo("export", call, Effect.REVERSIBLE, f"no export of this run lies in {bucket}")


def _arrived(run: RunContext, arrived: Export | None, bucket: str) -> Step:
    name = "arrived"
    if arrived is not None:
        return done(name, f"{arrived.keys[0]} lies in {bucket}")
    waited = run.seconds_since("export") or 0.0
    why = f"the export is not in {bucket} yet"
    if waited > ARRIVAL_BOUND_SECONDS:
        remedy = f"look at the S3 replication to {bucket}, then retry; or roll back to open the source side again."
        return blocked(name, f"{why}, {waited / 60:.0f} min after it was asked for", remedy)
    return busy(name, why)


def cleanup(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that fence the source side."""
    if view.target is None or view.target.status in {"creating", "create-failed"}:
        seen = f"{view.target.id} is {view.target.status}" if view.target else "nothing serves on the target side"
        return [blocked("fence", f"{seen}: the source stays open", "run ACTIVATE first.")]
    return fence(view, run)


def replicate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that protect the target: an export of it in the source side's bucket."""
    if view.strategy != BACKUP_RESTORE:
        place = view.member.source
        return [
            done("place", f"a new group can be made in {place.facts.get('subnet_group')} in {place.region} at any time")
        ]
    if view.target is None:
        return [blocked("snapshot", f"nothing serves {view.base} on the target side", "run ACTIVATE first.")]
    if view.protected and not _mine(view.source_exports, view, run):
        return [done("snapshot", f"{view.source_exports[0].keys[0]} lies on the source side since the restore")]
    return exporting(view, run, view.target, Side.TARGET)


def rollback_activate(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that open the source again, as long as nothing was restored."""
    if view.strategy != BACKUP_RESTORE:
        return skip("only an empty group was made; the source side was never shut")
    if view.target is not None:
        why = f"{view.target.id} was restored in {view.member.target.region} and may hold newer writes"
        return [blocked("open-source", why, "later: dr start --operation failback")]
    if "restore" in run.called_at:
        return [busy("open-source", "the restore was called and does not show yet")]
    return opened("open-source", view.source, Side.SOURCE) or skip("the source side is open")


def rollback_cleanup(view: ElastiCacheView) -> list[Step]:
    """Return the steps that open a rebuilt cache's old group again; one that holds data stays shut."""
    if view.strategy == BACKUP_RESTORE:
        return skip("the old group stays shut: its successor takes the writes")
    return opened("open-source", view.source, Side.SOURCE) or skip("the source side is open")


def decommission(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the deletions of the source side's groups, each with a final snapshot."""
    name, member = "delete-old-group", view.member
    old = [each for each in (view.source, *view.retired) if each is not None]
    if not old:
        return [done(name, f"no group {view.base} is left in {member.source.region}", effect=Effect.IRREVERSIBLE)]
    if view.target is None or view.target.status != "available":
        seen = view.target.status if view.target else "not there"
        return [blocked(name, f"the new group is {seen}, expected available", "run ACTIVATE first.")]
    if view.strategy == BACKUP_RESTORE and not view.protected:
        why = f"no export of the new group lies in {member.source.facts.get('bucket')}"
        return [blocked(name, why, "run REPLICATE first.")]
    if not member.source.facts.get("anchor"):
        why = f"nothing but this group tells where {view.base} belongs in {member.source.region}"
        remedy = (
            f"tag its cache subnet group there with dr:enabled, Customer, Environment and dr:standby-for={view.base}."
        )
        return [blocked(name, why, remedy)]
    if any(not each.fenced for each in old):
        return [blocked(name, f"{', '.join(each.id for each in old)}: not every one is fenced", "run CLEANUP first.")]
    return [deletion(each, run) for each in old]
