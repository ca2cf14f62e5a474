"""Could this scope be moved into this hub's Region now? Judged on a schedule, on the newest inventory, without changing anything."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator import planner
from orchestrator.carrying import named
from orchestrator.errors import ValidationError
from orchestrator.home import Whereabouts
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import FindingRecord, ReadinessRecord, Run, Scope
from orchestrator.notify import Message, Notice
from orchestrator.planning import worst
from orchestrator.platform import Platform
from orchestrator.previews import preview
from orchestrator.request import Environment, Request
from orchestrator.taking_up import needing_only
from orchestrator.undoing_look import look
from orchestrator.words import Approval, Mode, Operation, Readiness, Severity, Undoing

STALE_AFTER = timedelta(minutes=90)
"""The inventory is refreshed every 30 minutes unless the deployment says otherwise; one that missed it twice is stale."""
CALLER = "readiness"
SHOWN = 20
"""Findings in a notification."""


def judge(platform: Platform, scope: Scope, source_region: str, where: Whereabouts | None = None) -> ReadinessRecord:
    """Judge a planned failover of a scope into the hub's Region, remember the verdict, and tell people when it changed.

    With `where` only what does not run here already is judged, if that is a part of the scope.
    """
    target, now = platform.hub_region, platform.clock.now()
    snapshot = platform.ledger.newest_snapshot(scope)
    if snapshot is None:
        verdict = _record(platform, scope, Readiness.DRAFT, "there is no inventory yet: dr inventory --fresh")
    else:
        rest = to_be_moved(snapshot, where, target) if where else snapshot
        verdict = _judged(platform, scope, source_region, rest)
        if here := len(snapshot.resources) - len(rest.resources):
            verdict = verdict.but(reason=f"{verdict.reason}; {here} of the scope run(s) in {target} already")
    before = next((each for each in platform.ledger.readiness_of(scope) if each.region == target), None)
    since = before.since if before is not None and before.state is verdict.state else now
    verdict = verdict.but(since=since)
    platform.ledger.save_readiness(verdict)
    if news := _news(before, verdict):
        platform.notifier.send(news)
    return verdict


def stands_by(platform: Platform, scope: Scope, where: Whereabouts) -> bool:
    """Say whether anything of a scope does not run in the hub's Region, and could be moved there."""
    snapshot = platform.ledger.newest_snapshot(scope)
    if snapshot is None or not snapshot.resources:
        return where.region != platform.hub_region
    return any(where.of(each.resource_id) != platform.hub_region for each in snapshot.resources)


def to_be_moved(snapshot: Snapshot, where: Whereabouts, target_region: str) -> Snapshot:
    """Return a scope's inventory without what runs in a Region already; whole when nothing or everything does."""
    others = [each for each in snapshot.resources if where.of(each.resource_id) != target_region]
    if not others or len(others) == len(snapshot.resources):
        return snapshot
    names = {name for each in others for name in (each.name, each.resource_id)}
    return snapshot.model_copy(update={"resources": tuple(needing_only(each, names) for each in others)})


def _judged(platform: Platform, scope: Scope, source_region: str, snapshot: Snapshot) -> ReadinessRecord:
    request = _request(scope, source_region, platform.hub_region)
    try:
        draft = planner.build(request, snapshot, platform.adapter)
    except ValidationError as err:
        return _record(platform, scope, Readiness.DRAFT, err.message, snapshot, [_problem(err)])
    run = _unwritten_run(scope, source_region, platform.hub_region, platform.clock.now())
    _, looked = preview(draft, run, platform.clock.now(), platform.adapter, platform.open_session)
    undoing = look(draft, platform.accounts, platform.open_reader)
    findings = [
        *snapshot.findings,
        *looked,
        *(each for each in undoing if each.code != Undoing.OWNED),
    ]  # that one is no news
    red = [each for each in findings if each.severity is Severity.RED]
    old = platform.clock.now() - snapshot.taken_at
    if old > STALE_AFTER:
        state, why = Readiness.STALE, f"the inventory is {old.total_seconds() / 60:.0f} minutes old"
    elif snapshot.missing_accounts:
        state, why = Readiness.STALE, f"the inventory is partial: {named(snapshot)}"
    elif red:
        state, why = Readiness.NEEDS_ATTENTION, f"{len(red)} red finding(s)"
    else:
        state, why = Readiness.READY, f"{draft.resource_count()} resource(s) can be moved"
    return _record(platform, scope, state, why, snapshot, findings, draft.expected_minutes)


def _record(
    platform: Platform,
    scope: Scope,
    state: Readiness,
    reason: str,
    snapshot: Snapshot | None = None,
    findings: list[FindingRecord] | None = None,
    expected_minutes: float = 0.0,
) -> ReadinessRecord:
    now = platform.clock.now()
    return ReadinessRecord(
        scope=scope,
        region=platform.hub_region,
        at=now,
        since=now,
        state=state,
        reason=reason,
        inventory_taken_at=snapshot.taken_at if snapshot else None,
        resources=len(snapshot.resources) if snapshot else 0,
        expected_minutes=expected_minutes,
        findings=worst([each for each in findings or [] if each.severity is not Severity.OK]),
    )


def _news(before: ReadinessRecord | None, now: ReadinessRecord) -> Message | None:
    """Return the message when a scope stopped being ready, or is ready again; the first verdict is told when it is bad."""
    was_ready = before is None or before.state is Readiness.READY
    is_ready = now.state is Readiness.READY
    if was_ready == is_ready:
        return None
    subject = "is ready again" if is_ready else f"is not ready: {now.state.replace('_', ' ')}"
    lines = [f"{now.scope} into {now.region}: {now.reason}."]
    lines += [f"  - {f.severity}: {f.resource_id}: {f.message} {f.remedy}".rstrip() for f in now.findings[:SHOWN]]
    scope = now.scope
    lines.append(
        f"Look again: dr readiness --customer {scope.customer} --environment {scope.environment} --region {now.region} --fresh"
    )
    return Message(Notice.READINESS, scope.customer, CALLER, f"[DR] {scope} {subject}", "\n".join(lines))


def _problem(err: ValidationError) -> FindingRecord:
    return FindingRecord(
        resource_id="scope", code=err.code, severity=Severity.RED, message=err.message, remedy=err.remedy
    )


def _request(scope: Scope, source_region: str, target_region: str) -> Request:
    return Request(
        Customer=scope.customer,
        Environment=Environment(scope.environment),
        Operation=Operation.FAILOVER,
        PrimaryRegion=source_region,
        DRRegion=target_region,
        DryRun=True,
    )


def _unwritten_run(scope: Scope, source_region: str, target_region: str, at: datetime) -> Run:
    """Return the run that a look needs for its sessions; it is never written, and a dry run may only read."""
    return Run(
        run_id=f"{CALLER}-{scope.customer}-{scope.environment}",
        scope=scope,
        operation=Operation.FAILOVER,
        mode=Mode.PLANNED,
        approval=Approval.AUTOMATIC,
        source_region=source_region,
        target_region=target_region,
        primary_region=source_region,
        dr_region=target_region,
        execution_arn="",
        requester=CALLER,
        dry_run=True,
        created_at=at,
    )
