"""The verbs before the first change, but for the inventory: accept, plan, check readiness."""

from __future__ import annotations

from datetime import datetime

from orchestrator import planner
from orchestrator.break_glass import script
from orchestrator.errors import NotFoundError, RefusedError
from orchestrator.fencing import check_goes_on, check_may_act
from orchestrator.history import past_minutes
from orchestrator.inventory import Snapshot
from orchestrator.leases import LeaseTerms, lease_for, lease_lines
from orchestrator.ledger.records import FindingRecord, Run, Scope
from orchestrator.linked import continued_by, filled, ties
from orchestrator.locking import lock_scope
from orchestrator.notify import Notice, message
from orchestrator.plan import load_plan, save_plan, script_key
from orchestrator.platform import Platform
from orchestrator.previews import preview
from orchestrator.redriving import go_on
from orchestrator.request import Request, check_hub_region, parse
from orchestrator.soundness import above_ceiling, moved_before, unmoved_dependencies, without_moved
from orchestrator.stocktaking import inventory_key
from orchestrator.targets import save_target
from orchestrator.undoing import undoing
from orchestrator.undoing_look import look
from orchestrator.words import Mode, RunStatus, Severity

FINDINGS_KEPT = 100


def accept(
    platform: Platform, raw: object, execution_arn: str, run_id: str, started_at: datetime, redrives: int = 0
) -> Run:
    """Validate the request, take the scope's lock, write the run. Repeatable: the same execution gets the same run.

    Raise `ValidationError` for bad input, `RefusedError` for a wrong hub Region, a locked scope or a name that another
    execution has used; nothing is written.
    """
    request = parse(filled(platform.ledger, raw, run_id))
    check_hub_region(request, platform.hub_region)
    scope = Scope(customer=request.Customer, environment=request.Environment.value)
    _refuse_used_name(platform, run_id, execution_arn, started_at, redrives)
    epoch = 0 if request.DryRun else lock_scope(platform, scope, run_id, request.Escalate, mode=request.mode).epoch
    terms = platform.leases.of(scope.customer)
    run = platform.ledger.create_run(_run(request, scope, epoch, execution_arn, run_id, started_at, terms))
    if run.lease and not run.dry_run:
        platform.ledger.mark_lease(run_id, held=True)
    if run.escalates:
        platform.ledger.change_run(run.escalates, lambda r: continued_by(r, run_id))
    taking_up = f"; {', '.join(ties(run))}" if run.completes or run.escalates else ""
    asked = f"{run.mode} {run.operation} of {scope} asked by {run.requester}{taking_up}"
    platform.note(run_id, "request", asked, actor=run.requester)
    if not run.dry_run:
        where = f"{run.source_region} -> {run.target_region}, asked by {run.requester}. {run.reason}"
        body = "\n".join([where, *ties(run), *lease_lines(run, []), f"Follow: dr status {run_id} --watch"])
        platform.tell(message(Notice.STARTED, run, f"{run.mode} run started", body))
    return run


def _refuse_used_name(platform: Platform, run_id: str, execution_arn: str, started_at: datetime, redrives: int) -> None:
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
    check_goes_on(go_on(platform, run_id, redrives))  # an execution that was redriven at its very first step


def _run(
    request: Request, scope: Scope, epoch: int, execution_arn: str, run_id: str, started_at: datetime, terms: LeaseTerms
) -> Run:
    leased = request.mode is Mode.DRILL and request.Complete is None
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
        on_failure=request.OnFailure,
        success_rules=request.SuccessRules or {},
        manifest_key=request.Manifest,
        manifest_version=request.ManifestVersion,
        status=RunStatus.PLANNING,
        epoch=epoch,
        created_at=started_at,
        detected_at=request.DetectedAt,
        completes=request.Complete,
        escalates=request.Escalate,
        lease=lease_for(terms, request.LeaseMinutes, request.CostCeilingUSD, started_at) if leased else None,
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
        OnFailure=run.on_failure,
        SuccessRules=dict(run.success_rules) or None,
        Manifest=run.manifest_key,
        ManifestVersion=run.manifest_version,
        Emergency=run.mode is Mode.EMERGENCY,
        AcceptDataLoss=run.accept_data_loss,
        Complete=run.completes,
        Escalate=run.escalates,
        LeaseMinutes=run.lease.minutes if run.lease else None,
        CostCeilingUSD=run.lease.ceiling_usd if run.lease else None,
        DryRun=run.dry_run,
        Reason=run.reason,
    )


def build_plan(platform: Platform, run_id: str) -> Run:
    """Build, preview and freeze the plan; write stages and actions. A frozen plan is never built again."""
    run = platform.ledger.run(run_id)
    if run.plan_hash is not None:
        return run
    check_may_act(platform.ledger, run)
    snapshot = Snapshot.model_validate_json(platform.blobs.get(inventory_key(run_id)))
    draft = planner.build(request_of(run), snapshot, platform.adapter, past_minutes(platform.ledger, run))
    plan, looked = preview(draft, run, platform.clock.now(), platform.adapter, platform.open_session)
    looked += look(plan, platform.accounts, platform.open_reader)
    plan = plan.with_undoing(undoing(looked, plan.mode))
    if run.lease is not None:
        plan = plan.with_costs(run.lease.minutes)
    moved = moved_before(platform.ledger, run) if run.waves or run.phases else frozenset[str]()
    findings = [*snapshot.findings, *unmoved_dependencies(plan, snapshot, moved), *without_moved(looked, moved)]
    findings += above_ceiling(run, plan)
    for planned in plan.targets:
        save_target(platform.blobs, run_id, planned)
    key = save_plan(platform.blobs, run_id, plan)
    made = f"{platform.clock.now():%Y-%m-%d %H:%M} UTC"
    platform.blobs.put(script_key(run_id), script(plan, made).encode(), "text/x-shellscript")
    platform.ledger.add_stages(*plan.ledger_records(run_id))
    platform.note(
        run_id, "plan", f"plan {plan.hash[:12]} frozen: {len(plan.stages)} stages, {plan.resource_count()} resources"
    )
    return platform.ledger.change_run(
        run_id, lambda r: r.but(plan_key=key, plan_hash=plan.hash, findings=worst(findings), status=RunStatus.READY)
    )


def worst(findings: list[FindingRecord]) -> tuple[FindingRecord, ...]:
    """Return the gravest findings, as many as a record keeps."""
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
    if run.mode is Mode.EMERGENCY or run.removes_copies:
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
