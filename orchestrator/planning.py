"""The verbs before the first change: accept, take inventory, plan, check readiness."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator import discovery, planner
from orchestrator.errors import NotFoundError, RefusedError, ValidationError
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import FindingRecord, Lock, Run, Scope
from orchestrator.notify import Notice, message
from orchestrator.plan import load_plan, save_plan
from orchestrator.platform import DISCOVERY, Platform
from orchestrator.previews import preview
from orchestrator.request import Request, check_hub_region, parse
from orchestrator.targets import save_target
from orchestrator.words import Mode, RunStatus, Severity

FINDINGS_KEPT = 100
ACCEPTING = timedelta(minutes=15)
"""Longer than accepting a request takes with all its repetitions."""


def accept(platform: Platform, raw: object, execution_arn: str, run_id: str, started_at: datetime) -> Run:
    """Validate the request, take the scope's lock, write the run. Repeatable: the same execution gets the same run.

    Raise `ValidationError` for bad input, `RefusedError` for a wrong hub Region, a locked scope or a name that another
    execution has used; nothing is written.
    """
    request = parse(raw)
    check_hub_region(request, platform.hub_region)
    scope = Scope(customer=request.Customer, environment=request.Environment.value)
    _refuse_used_name(platform, run_id, execution_arn, started_at)
    epoch = 0 if request.DryRun else _lock(platform, scope, run_id).epoch
    run = platform.ledger.create_run(_run(request, scope, epoch, execution_arn, run_id, started_at))
    platform.note(
        run_id, "request", f"{run.mode} {run.operation} of {scope} asked by {run.requester}", actor=run.requester
    )
    if not run.dry_run:
        body = f"{run.source_region} -> {run.target_region}, asked by {run.requester}. {run.reason}\nFollow: dr status {run_id} --watch"
        platform.tell(message(Notice.STARTED, run, f"{run.mode} run started", body))
    return run


def _refuse_used_name(platform: Platform, run_id: str, execution_arn: str, started_at: datetime) -> None:
    """Refuse a second execution of a run's name: Step Functions frees names after 90 days and per Region, we never do."""
    try:
        earlier = platform.ledger.run(run_id)
    except NotFoundError:
        return
    if (earlier.execution_arn, earlier.created_at) != (execution_arn, started_at):
        raise RefusedError(
            f"the name {run_id} belongs to a run of {earlier.created_at:%Y-%m-%d %H:%M} UTC ({earlier.status}) already: "
            f"{earlier.execution_arn}; every run needs a name of its own.",
            "start the run again with another --name, or without one.",
            code="NameUsed",
        )


def _lock(platform: Platform, scope: Scope, run_id: str) -> Lock:
    """Take the scope's lock, also from a run that has ended or, for a while now, never came to be."""
    now = platform.clock.now()
    held = platform.ledger.holder(scope)
    if held is not None and held.run_id != run_id and _abandoned(platform, held, now):
        platform.ledger.unlock(scope, held.run_id)
    return platform.ledger.lock(scope, run_id, now)


def _abandoned(platform: Platform, held: Lock, now: datetime) -> bool:
    try:
        return platform.ledger.run(held.run_id).ended_at is not None
    except NotFoundError:  # accepting it broke between taking the lock and writing the run
        return now - held.taken_at > ACCEPTING


def _run(request: Request, scope: Scope, epoch: int, execution_arn: str, run_id: str, started_at: datetime) -> Run:
    return Run(
        run_id=run_id,
        scope=scope,
        operation=request.Operation,
        mode=request.mode,
        order=request.Mode,
        approval=request.ApprovalMode,
        source_region=request.source_region,
        target_region=request.target_region,
        execution_arn=execution_arn,
        requester=request.Requester or "unnamed",
        reason=request.Reason,
        dry_run=request.DryRun,
        accept_data_loss=request.AcceptDataLoss,
        waves=request.Waves,
        phases=request.Phases,
        decommission=request.Decommission,
        status=RunStatus.PLANNING,
        epoch=epoch,
        created_at=started_at,
        detected_at=request.DetectedAt,
        primary_region=request.PrimaryRegion,
        dr_region=request.DRRegion,
    )


def request_of(run: Run) -> Request:
    """Return the request that a run was accepted from."""
    return Request(
        Customer=run.scope.customer,
        Environment=run.scope.environment,
        Operation=run.operation,
        PrimaryRegion=run.primary_region,
        DRRegion=run.dr_region,
        ApprovalMode=run.approval,
        Mode=run.order,
        Waves=run.waves,
        Phases=run.phases,
        Decommission=run.decommission,
        Emergency=run.mode is Mode.EMERGENCY,
        AcceptDataLoss=run.accept_data_loss,
        DryRun=run.dry_run,
        Reason=run.reason,
    )


def inventory_key(run_id: str) -> str:
    """Return where a run's inventory is kept."""
    return f"runs/{run_id}/inventory.json"


def take_inventory(platform: Platform, run_id: str) -> Snapshot:
    """Take the scope's resources, live or, in an emergency, from the newest snapshot or plan; never an empty scope."""
    run = platform.ledger.run(run_id)
    snapshot = _remembered(platform, run) if run.mode is Mode.EMERGENCY else _live(platform, run)
    if not snapshot.resources:
        raise ValidationError(
            f"no resource carries Customer={run.scope.customer}, Environment={run.scope.environment} and dr:enabled.",
            "check the spelling of Customer and Environment (tags are case-sensitive), then: dr plan",
            code="EmptyScope",
        )
    platform.blobs.put(inventory_key(run_id), snapshot.model_dump_json().encode())
    platform.note(
        run_id, "inventory", f"{len(snapshot.resources)} resources, taken {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return snapshot


def refresh(platform: Platform, scope: Scope, regions: tuple[str, str]) -> Snapshot:
    """Look at everything tagged for the scope in both Regions; keep a complete snapshot as the newest."""
    hits = discovery.explore(platform.explorer(), scope, regions, platform.explorer_view_arn)
    where = discovery.places(hits, platform.adapters(), platform.accounts, regions)

    snapshot = discovery.take(
        scope,
        platform.clock.now(),
        where,
        platform.adapter,
        lambda account, region, _technology: platform.open_reader(account, region, DISCOVERY),
    )
    if not snapshot.missing_accounts and snapshot.resources:
        platform.ledger.save_snapshot(snapshot)
    return snapshot


def _live(platform: Platform, run: Run) -> Snapshot:
    snapshot = refresh(platform, run.scope, (run.source_region, run.target_region))
    if snapshot.missing_accounts:
        reasons = "; ".join(f"{where}: {why}" for where, why in sorted(snapshot.missing_accounts.items()))
        raise RefusedError(
            f"the inventory is incomplete, {len(snapshot.missing_accounts)} place(s) could not be read: {reasons}.",
            "restore access (spoke role, external ID), then start again; if the Region is lost, start with Emergency.",
            code="PartialInventory",
        )
    return snapshot


def _remembered(platform: Platform, run: Run) -> Snapshot:
    snapshot = platform.ledger.newest_snapshot(run.scope) or _last_planned(platform, run)
    if snapshot is None:
        raise RefusedError(
            f"there is no inventory of {run.scope} from before the outage in {platform.hub_region}.",
            "in normal times: aws lambda invoke --function-name dr-refresh-inventory out.json (it also runs every 30 minutes); "
            "now: use the break-glass script.",
            code="NoInventory",
        )
    age_minutes = (platform.clock.now() - snapshot.taken_at).total_seconds() / 60
    platform.note(run.run_id, "inventory", f"cached inventory is {age_minutes:.0f} minutes old")
    return snapshot


def _last_planned(platform: Platform, run: Run) -> Snapshot | None:
    """Return what the last planned run of the scope was built on; better than nothing when there is no cache."""
    for earlier in platform.ledger.runs_of(run.scope):
        if earlier.plan_hash is not None and earlier.run_id != run.run_id:
            try:
                return Snapshot.model_validate_json(platform.blobs.get(inventory_key(earlier.run_id)))
            except NotFoundError:
                continue  # it ran in the other hub Region
    return None


def build_plan(platform: Platform, run_id: str) -> Run:
    """Build, preview and freeze the plan; write stages and actions. A frozen plan is never built again."""
    run = platform.ledger.run(run_id)
    if run.plan_hash is not None:
        return run
    snapshot = Snapshot.model_validate_json(platform.blobs.get(inventory_key(run_id)))
    draft = planner.build(request_of(run), snapshot, platform.adapter)
    plan, findings = preview(draft, run, platform.clock.now(), platform.adapter, platform.open_session)
    for planned in plan.targets:
        save_target(platform.blobs, run_id, planned)
    key = save_plan(platform.blobs, run_id, plan)
    platform.ledger.add_stages(*plan.ledger_records(run_id))
    platform.note(
        run_id, "plan", f"plan {plan.hash[:12]} frozen: {len(plan.stages)} stages, {plan.resource_count()} resources"
    )
    return platform.ledger.change_run(
        run_id, lambda r: r.but(plan_key=key, plan_hash=plan.hash, findings=_worst(findings), status=RunStatus.READY)
    )


def _worst(findings: list[FindingRecord]) -> tuple[FindingRecord, ...]:
    graded = sorted(findings, key=lambda f: [Severity.RED, Severity.WARNING, Severity.OK].index(f.severity))
    return tuple(graded[:FINDINGS_KEPT])


def check_readiness(platform: Platform, run_id: str) -> bool:
    """Say whether the run may go on; a red finding stops a planned run or a drill with its details."""
    run = platform.ledger.run(run_id)
    red = [finding for finding in run.findings if finding.severity is Severity.RED]
    lines = "\n".join(f"  - {f.resource_id}: {f.message} {f.remedy}".rstrip() for f in red)
    if not red:
        platform.note(run_id, "readiness", "ready")
        return True
    platform.note(run_id, "readiness", f"{len(red)} red finding(s)\n{lines}")
    if run.mode is Mode.EMERGENCY:
        platform.tell(message(Notice.WARNING, run, f"{len(red)} readiness warning(s)", lines))
        return True
    first = red[0]
    why = f"not ready: {len(red)} red finding(s), first {first.resource_id}: {first.message} {first.remedy}".rstrip()
    platform.ledger.change_run(run_id, lambda r: r.but(failure=why))
    if not run.dry_run:
        platform.tell(message(Notice.FAILURE, run, "not ready, nothing was changed", lines))
    return False


def frozen_plan_calls(platform: Platform, run_id: str, stage_id: str) -> list[str]:
    """Return the calls the preview foresees for a stage, as people read them."""
    plan = load_plan(platform.blobs, run_id)
    return [
        f"{step.call.service}.{step.call.operation} in {step.call.account}/{step.call.region} for "
        f"{', '.join(action.resource_ids[:3])} ({step.effect})"
        for action in plan.actions
        if action.stage_id == stage_id
        for step in action.steps
        if step.call is not None
    ]
