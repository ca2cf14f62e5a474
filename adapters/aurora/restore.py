"""Aurora by snapshots: nothing stands in the target Region but copies of cluster snapshots, and a cluster is restored from them.

instantiate  where no copy has arrived: rds.CreateDBClusterSnapshot, rds.CopyDBClusterSnapshot (the last copy is then a
             difference); drill: a copy restored from the newest snapshot there, behind a group of its own
activate     planned: fence the source (see `adapters.aurora.source`), rds.CreateDBClusterSnapshot, rds.CopyDBClusterSnapshot;
             both: rds.RestoreDBClusterFromSnapshot, and rds.CreateDBInstance as often as the source has instances
cleanup      keep the old primary fenced, free its name with rds.ModifyDBCluster (`<id>-retired-<run>`)
replicate    rds.CreateDBClusterSnapshot of the new primary, rds.CopyDBClusterSnapshot to the source side, rds.AddTagsToResource
             (the source side's subnet group stands in for the cluster), rds.RemoveTagsFromResource (dr:enabled of the old)

An emergency restores the newest copy that is there and asks nobody on the source side. The restore names its engine version:
without one AWS takes the Region's default (RDS API reference, RestoreDBClusterFromSnapshot).
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters import restoring, snapshot_steps
from adapters.aurora import drill
from adapters.aurora import source as source_side
from adapters.aurora.discovery import discover
from adapters.aurora.leftovers import delete_retired
from adapters.aurora.making import all_instances, cluster_params, serving
from adapters.aurora.restore_foresight import foreseen
from adapters.aurora.restore_readiness import claims, findings
from adapters.aurora.spec import SPEC, TAKEN_AT_TAG
from adapters.aurora.view import Snapshot
from adapters.aurora.view_restore import RestoreView, look, named
from adapters.databases.shared import base_name, content_tags, not_yet, retired_name
from adapters.snapshot_steps import CLUSTER_SNAPSHOT, back_snapshot, base_snapshot, last_snapshot
from adapters.standing_in import CLUSTERS, label, serves, stand_in
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Found,
    Later,
    Loss,
    Param,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    done,
    skip,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class SnapshotCopy(Adapter[RestoreView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.aurora.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> RestoreView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: RestoreView, run: RunContext) -> list[Finding]:
        """Judge place, copies, keys and source; see `adapters.aurora.restore_readiness`."""
        return findings(view, run)

    def claims(self, view: RestoreView, run: RunContext) -> list[Claim]:
        """Count the cluster and the instances to be made."""
        return claims(view)

    def loss(self, view: RestoreView, run: RunContext) -> list[Loss]:
        """Report the age of the newest copy."""
        newest = view.newest
        what = f"{newest.name}, its age by AWS is that of the copy" if newest and _untold(newest) else ""
        at = newest.at if newest else None
        return [restoring.lost(view.standing, what or (newest.name if newest else ""), at, view.member, run)]

    def instantiate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Bring a first copy to the target side before anybody is shut out; in a drill, restore the newest."""
        if run.mode is Mode.DRILL:
            newest = view.newest
            return drill.make_from(view, run, newest.name if newest else None, _like(view, run))
        if view.target.there:
            return _guard(view, run) or skip(f"{view.target.DBClusterIdentifier} stands on the target side already")
        if view.old is None:
            return [restoring.no_source("base-snapshot", view.member)]
        name = base_snapshot(view.member, run)
        own, arrived = named(view.there.every, name), named(view.here.every, name)
        if view.newest is not None and own is None:
            return skip(f"{view.newest.name} is there; the last snapshot is taken in ACTIVATE, behind the fence")
        return [
            _take("base-snapshot", own, name, view, run, Side.SOURCE),
            _copy("base-copy", arrived, own, name, view, run, Side.TARGET),
        ]

    def activate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Restore on the target side; in a planned run what was written before the fence."""
        if run.mode is Mode.DRILL:
            return skip("a drill restores its copy in INSTANTIATE; it is writable from birth")
        if refused := _guard(view, run):
            return refused
        if run.mode is Mode.EMERGENCY:
            return [*_restored(view, run, view.newest), serving(view)]
        if view.old is None and view.target.there:
            return skip(f"{view.target.DBClusterIdentifier} serves on the target side already")
        if view.old is None:
            return [restoring.no_source("fence", view.member)]
        name = last_snapshot(view.member, run, view.restarted_at)
        own, arrived = (named(each.every, name) for each in (view.there, view.here))
        there = f"{view.target.DBClusterIdentifier} was restored"
        content = (
            [done(each, there, effect=Effect.REVERSIBLE) for each in ("last-snapshot", "last-copy")]
            if view.target.there
            else [
                _take("last-snapshot", own, name, view, run, Side.SOURCE),
                _copy("last-copy", arrived, own, name, view, run, Side.TARGET),
            ]
        )
        shut = [*source_side.fence(view, run), source_side.cut(view, run)]
        return [*shut, *content, *_restored(view, run, arrived), serving(view)]

    def cleanup(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Keep the old primary fenced and free its name; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if refused := _guard(view, run) or restoring.not_restored(view.standing, view.member):
            return refused
        if view.old is None:
            return skip("nothing is left on the source side")
        renamed = source_side.rename("free-name", view, retired_name(view.member, run))
        return [*source_side.fence(view, run), renamed]

    def replicate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Copy a first snapshot back, after which the target could be restored on the source side."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves the copies as they are")
        if refused := _guard(view, run):
            return refused
        if not view.target.there:
            why = f"there is no {base_name(view.member.target.id)} on the target side"
            return [blocked("back-copy", why, "run ACTIVATE first")]
        if view.source is not None:
            why = f"{view.source.DBClusterArn} holds the name, and is no standby"
            return [blocked("release-retired", why, "run CLEANUP for it first")]
        known = view.retired.own_groups if view.retired else view.member.source.facts.get("security_groups")
        groups = list(known) if isinstance(known, list | tuple) else None
        placed = stand_in(view.member, CLUSTERS, view.stand_in, view.stand_in_tags, groups)
        after = [placed, source_side.release(view, run)]
        name = back_snapshot(view.member, run)
        own, arrived = named(view.here.every, name), named(view.there.every, name)
        if view.replicated and own is None:
            kept = next(each for each in view.back if each.Status == "available")
            return [done("back-copy", f"{kept.name} is in {view.member.source.region}"), *after]
        return [
            _take("back-snapshot", own, name, view, run, Side.TARGET),
            _copy("back-copy", arrived, own, name, view, run, Side.SOURCE),
            *after,
        ]

    def decommission(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Delete the retired clusters of the source side, each with a final snapshot; see `adapters.aurora.leftovers`."""
        return delete_retired(view, protected=view.replicated)

    def rollback(self, phase: Phase, view: RestoreView, run: RunContext) -> list[Step]:
        """Open the source again as long as nothing was restored; give the old primary its name back."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP and view.old is not None:
            return [source_side.rename("restore-name", view, base_name(view.member.source.id))]
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        return restoring.not_undoable(view.standing, run) or source_side.reopen(view)

    def health(self, view: RestoreView, run: RunContext) -> list[Check]:
        """Check that the target stands and serves, and after REPLICATE that it is copied; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target, where = view.member.resource_id, view.target, view.member.source.region
        up = [each for each in view.instances if each.DBInstanceStatus == "available"]
        serving_now = CheckState.HEALTHY if target.Status == "available" and up else CheckState.SETTLING
        role = CheckState.HEALTHY if view.promoted else CheckState.UNHEALTHY
        name = target.DBClusterIdentifier
        checks = [
            Check(me, "writer", role, f"{name} {'stands' if target.there else 'is not there'}"),
            Check(me, "cluster", serving_now, f"{target.Status}, {len(up)}/{len(view.instances)} instances available"),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        placed = serves(view.stand_in_tags, label(base_name(view.member.source.id), CLUSTERS))
        copied = view.back[0].name if view.back else "no copy"
        detail = f"{copied} is in {where}" + ("" if placed else "; no subnet group stands in for it")
        safe = CheckState.HEALTHY if view.replicated and placed else CheckState.SETTLING
        return [*checks, Check(me, "protection", safe, detail)]

    def endpoints(self, view: RestoreView, run: RunContext) -> list[Endpoint]:
        """Return the cluster endpoint of the target side, in a drill of its copy."""
        found = view.copy.endpoint if run.mode is Mode.DRILL else view.target.endpoint
        return [Endpoint(view.member.resource_id, *found)] if found else []

    def after(self, phase: Phase, view: RestoreView, run: RunContext) -> RestoreView:
        """Foresee copies, the restored cluster, the freed name, and the copy of a drill."""
        if run.mode is Mode.DRILL:
            return drill.foreseen(view, phase, snapshot=False)
        return foreseen(phase, view, run)


def _guard(view: RestoreView, run: RunContext) -> list[Step]:
    return restoring.guard(view.standing, view.member, run, fenced=view.old is None or view.fenced)


def _untold(snapshot: Snapshot) -> bool:
    return TAKEN_AT_TAG not in {tag.Key for tag in snapshot.TagList}


def _take(
    name: str, found: Snapshot | None, called: str | None, view: RestoreView, run: RunContext, side: Side
) -> Step:
    of = view.old_database if side is Side.SOURCE else view.standing
    assert of is not None, "asked for only where it stands"
    return snapshot_steps.take(name, CLUSTER_SNAPSHOT, found, called, of, content_tags(view.member, run), side)


def _copy(
    name: str,
    found: Snapshot | None,
    of: Snapshot | None,
    called: str | None,
    view: RestoreView,
    run: RunContext,
    to: Side,
) -> Step:
    at: Param = of.at.isoformat(timespec="seconds") if of and of.at else Later("time of the snapshot")
    tags: list[Param] = [*content_tags(view.member, run), {"Key": TAKEN_AT_TAG, "Value": at}]
    waits = (view.here if to is Side.TARGET else view.there).full
    return snapshot_steps.copy(name, CLUSTER_SNAPSHOT, found, of, called, {"Tags": tags}, view.member, to, waits)


def _like(view: RestoreView, run: RunContext) -> dict[str, Param]:
    return cluster_params(view.member, view.member.target, view.member.source, run)


def _restored(view: RestoreView, run: RunContext, of: Snapshot | None) -> list[Step]:
    """Return the restore of the cluster, the wait for it, and its instances: a restored cluster has none."""
    days = view.member.settings.get("backupRetentionDays") or view.member.source.facts.get("backup_days") or 1
    params: dict[str, Param] = {
        **_like(view, run),
        "DBClusterIdentifier": base_name(view.member.target.id),
        "SnapshotIdentifier": of.name if of else Later("name of the copied snapshot"),
        "Engine": (of.Engine if of else "") or view.target.Engine,
        "EngineVersion": (of.EngineVersion if of else "") or view.target.EngineVersion,
        "BackupRetentionPeriod": int(str(days)),
    }
    call = Call("rds", "RestoreDBClusterFromSnapshot", params, Side.TARGET)
    restore = restoring.restored(view.standing, call, "copied snapshot", of.at if of else None, view.member, run)
    return [restore, _standing(view), *all_instances(view, run)]


def _standing(view: RestoreView) -> Step:
    """Return the wait for the cluster: AWS takes instances for one that is available."""
    name, standing = "stands-alone", view.standing
    if standing is None:
        return busy(name, f"{view.member.target.id} is not there yet")
    if standing.status != "available":
        return not_yet(name, standing.name, standing.status, standing.kind)
    return done(name, f"{standing.name} is available")
