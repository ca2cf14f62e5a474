"""What is judged before an Aurora cluster is made or restored in another Region. Pure."""

from __future__ import annotations

from adapters import restoring
from adapters import restoring_readiness as readiness
from adapters.aurora.spec import SNAPSHOTS, SPEC
from adapters.aurora.view import TargetSide
from adapters.aurora.view_restore import RestoreView
from adapters.databases.needs import MODIFY_CLUSTER, password_stays, standing
from adapters.databases.shared import base_name
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import key_findings
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode


def findings(view: RestoreView, run: RunContext) -> list[Finding]:
    """Return every finding of a restore; in an emergency only the target side counts."""
    me, member, target = view.member.resource_id, view.member, view.target
    if refused := readiness.one_account(member, "snapshots are not shared"):
        return refused
    fenced = view.old is None or view.fenced
    guarded = restoring.guard(view.standing, member, run, fenced=fenced)
    found = [red(me, "two-clusters", f"{step.reason}.", step.remedy) for step in guarded]
    if not target.there:
        newest = view.newest
        found += to_be_made(view)
        found += password_stays(member, view.old.MasterUserSecret if view.old else None, MODIFY_CLUSTER)
        found += readiness.content(member, "copied snapshot", newest.at if newest else None, run)
    else:
        shown = {each.DBInstanceIdentifier: each.CertificateDetails for each in view.instances}
        found += standing(member, target.MasterUserSecret, shown, view.key_states, run) + _there(view, run)
    if run.mode is Mode.PLANNED:
        found += _source(view)
    found += [] if run.mode is Mode.DRILL else too_slow(member, SPEC.strategy(SNAPSHOTS))
    return found or [ready(me, f"{base_name(member.target.id)} can be restored.")]


def _there(view: RestoreView, run: RunContext) -> list[Finding]:
    me, target = view.member.resource_id, view.target
    if target.Status not in {"available", "backing-up"}:
        return [red(me, "status", f"{target.DBClusterIdentifier} is {target.Status}, expected available.")]
    if run.mode is Mode.PLANNED and view.old is None:
        return [warning(me, "moved", f"{target.DBClusterIdentifier} serves on the target side already.")]
    return []


def to_be_made(view: TargetSide) -> list[Finding]:
    """Judge what a cluster that is not there needs on the target side: groups, class, key."""
    return [
        *readiness.place(view.member, view.missing),
        *key_findings(view.member.resource_id, view.member.target.region, view.key_states),
    ]


def claims(view: TargetSide) -> list[Claim]:
    """Return what making a cluster that is not there takes of the target side's quotas."""
    if view.target.there:
        return []
    member = view.member
    wanted = max(1, int(str(member.settings.get("instances") or member.source.facts.get("instances") or 1)))
    what = f"a cluster of {wanted} instance(s), to be made,"
    return readiness.made(member, member.target, view.rooms, {"DBClusters": 1, "DBInstances": wanted}, what)


def _source(view: RestoreView) -> list[Finding]:
    me, source, place = view.member.resource_id, view.old, view.member.source
    if source is None:
        if view.target.there:
            return []
        return [red(me, "no-source", f"there is no {base_name(place.id)} in {place.region}.")]
    if not view.target.there and source.Status not in {"available", "backing-up"}:
        return [red(me, "source-status", f"{source.DBClusterIdentifier} is {source.Status}, expected available.")]
    return []
