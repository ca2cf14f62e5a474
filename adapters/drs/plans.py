"""Recovery plans of DRS: one execution recovers all servers of a plan, step after step, or none; it is followed here.

A plan launches every server that is in it. Therefore it is started only when exactly the servers of the batch are in it,
and its sources are stopped step by step, each after the snapshot of its own launch. A failed step is retried within the
same execution (RetryRecoveryPlanExecutionStep recovers what failed and leaves alone what runs); a second execution would
launch again what serves, and starts only when nothing of the first is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.drs import launch as job
from adapters.drs import sides
from adapters.drs.spec import (
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_MINUTES_LIMIT,
    RECOVERY_PLAN,
)
from adapters.drs.view_plan import Execution, PlanView, told_plans
from adapters.drs.view_server import DrsView, ServerView
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT
from orchestrator.words import Effect, Mode, Side

REMEDY = "correct the recovery plan in DRS, or choose dr:recovery-strategy=drs-recovery, then: dr plan"
OTHERWISE = (
    "look at the execution in the DRS console; recover the others with dr:recovery-strategy=drs-recovery, or roll back."
)
STEP_MINUTES = 15
"""What a server step usually takes."""

Objection = tuple[str, str]


def slug(name: str) -> str:
    """Return a plan's name as step names can carry it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _mine(plan: PlanView, servers: Sequence[ServerView]) -> list[ServerView]:
    return [view for view in servers if plan.is_of(view.member)]


def objections(each: ServerView, view: DrsView) -> list[Objection]:
    """Return why the plan of a server must not, or cannot, be executed."""
    me, region, told = each.member.target.id, each.member.target.region, told_plans(each.member)
    if not told:
        text = f"{me} is in no recovery plan in {region} that is known here, drs-recovery-plan needs one"
        return [
            ("plan-missing", f"{text}: name it as {RECOVERY_PLAN} in the manifest, or tag the server for the strategy")
        ]
    if len(told) > 1:
        names = ", ".join(sorted(arn.rpartition("/")[2] for arn in told))
        return [("plan-ambiguous", f"{me} is in {len(told)} recovery plans ({names}), expected one")]
    plan = next((plan for plan in view.plans if plan.is_of(each.member)), None)
    if plan is None:
        return [_absent(told[0], each)]
    return [*_unfit(plan, each), *_mixed(plan, [v.member.target.id for v in _mine(plan, view.servers)])]


def _absent(told: str, each: ServerView) -> Objection:
    place, elsewhere = each.member.target, told.split(":")[3] if told.startswith("arn:") else ""
    if elsewhere and elsewhere != place.region:
        text = f"{told} lies in {elsewhere}, servers are launched in {place.region}"
        return "plan-elsewhere", f"{text}: name the plan by its name, which the plan of the way back has, too"
    where = f"{place.region}, account {place.account}"
    if each.member.settings.get(RECOVERY_PLAN):
        return "plan-missing", f'there is no recovery plan "{told}" in {where}, which the manifest names'
    return "plan-missing", f"the recovery plan {told} does not exist any more in {where}"


def _unfit(plan: PlanView, each: ServerView) -> list[Objection]:
    found: list[Objection] = []
    if plan.status != "ACTIVE":
        found.append(("plan-invalid", f"recovery plan {plan.name} is {plan.status}, expected ACTIVE"))
    wanted = {key: each.member.tags.get(key, "") for key in (CUSTOMER, ENVIRONMENT)} | {ENABLED: "true"}
    found += [
        ("plan-foreign", f'recovery plan {plan.name} carries {key}="{plan.tags.get(key, "")}", expected "{value}"')
        for key, value in wanted.items()
        if plan.tags.get(key, "") != value
    ]
    minutes = plan.minutes + STEP_MINUTES * len(plan.server_steps)
    if minutes > PLAN_MINUTES_LIMIT:
        text = f"recovery plan {plan.name} takes about {minutes} minutes, given up is after {PLAN_MINUTES_LIMIT}"
        found.append(("plan-too-long", text))
    return found


def _mixed(plan: PlanView, ids: Sequence[str]) -> list[Objection]:
    strangers, absent = sorted(plan.server_ids - set(ids)), sorted(set(ids) - plan.server_ids)
    found: list[Objection] = []
    if strangers:
        text = (
            f"recovery plan {plan.name} would also recover {', '.join(strangers[:5])}, which this action does not move"
        )
        found.append(("plan-mixed", f"{text}: give all its servers one scope, dr:wave, dr:priority and strategy"))
    if absent:
        found.append(("plan-mixed", f"recovery plan {plan.name} does not recover {', '.join(absent[:5])} any more"))
    return found


def whole(servers: job.Servers, view: DrsView, run: RunContext) -> job.Judged:
    """Refuse servers whose plan must not be executed, as long as it is not executed yet."""
    steps: list[Step] = []
    left: list[ServerView] = []
    for each in servers:
        why = "; ".join(text for _, text in objections(each, view)) if _to_start(each, view, run) else ""
        if not why and run.mode is Mode.DRILL and each.launch is not None and not each.launch.copyTags:
            why = f"{each.member.target.id} launches instances without its tags: a drill's copies could not be marked"
        if why:
            steps.append(blocked(f"plan-of-{each.member.name}", why, REMEDY, members=(each.id,)))
        else:
            left.append(each)
    return steps, left


def _to_start(each: ServerView, view: DrsView, run: RunContext) -> bool:
    plan = next((plan for plan in view.plans if plan.is_of(each.member)), None)
    return plan is None or _starts(plan, _mine(plan, view.servers), run)


def _starts(plan: PlanView, mine: Sequence[ServerView], run: RunContext) -> bool:
    """Say whether a (new) execution is due: none of this run yet, or one before this attempt of which nothing is left."""
    execution = plan.execution
    if execution is None:
        return True
    unknown = len(plan.server_ids) - len(mine)  # those that ended well before a retry are not looked at any more
    left = [view for view in mine if view.own is not None or view.launch_state == "busy"]
    return not execution.active and execution.startedAt < run.began and not left and not unknown


def executed(servers: job.Servers, view: DrsView, run: RunContext) -> job.Judged:
    """Start the plans; where a step failed before this attempt, retry that step."""
    steps: list[Step] = []
    lost: list[ServerView] = []
    for plan in view.plans:
        mine = _mine(plan, servers)
        if not mine:
            continue
        step = _start(plan, mine, view, run) if _starts(plan, mine, run) else _followed(plan, run)
        steps.append(replace(step, members=tuple(v.id for v in mine)))
        lost += mine if step.state == "blocked" else []
    return steps, [v for v in servers if v not in lost]


def _start(plan: PlanView, mine: Sequence[ServerView], view: DrsView, run: RunContext) -> Step:
    name = f"start-plan-{slug(plan.name)}"
    mode = "DRILL" if run.mode is Mode.DRILL else "RECOVERY"
    params: dict[str, JsonValue] = {"recoveryPlanArn": plan.arn, "mode": mode, "tags": dict(run.tags)}
    call = Call("drs", "StartRecoveryPlanExecution", params, Side.TARGET, token="clientToken")
    if mixed := _mixed(plan, [v.member.target.id for v in mine]):
        return blocked(name, "; ".join(text for _, text in mixed), REMEDY)
    held = sorted({v.other_job for v in mine if v.other_job})
    if plan.other or held:
        return busy(name, f"held by {plan.other or ', '.join(held)}", call=call)
    if full := job.crowded(view, len(mine)):
        return busy(name, full, call=call)
    return todo(name, call, Effect.COMPENSABLE, f"{len(mine)} server(s) without a launch of this run")


def _followed(plan: PlanView, run: RunContext) -> Step:
    name, execution, step = f"start-plan-{slug(plan.name)}", plan.execution, plan.failed_step
    assert execution is not None
    earlier = step is not None and step.updatedAt is not None and step.updatedAt < run.began
    if execution.status == "FAILED" and step is not None and earlier:
        params: dict[str, JsonValue] = {"recoveryPlanExecutionStepArn": step.recoveryPlanExecutionStepArn}
        call = Call("drs", "RetryRecoveryPlanExecutionStep", params, Side.TARGET)
        return todo(f"retry-plan-{slug(plan.name)}", call, Effect.COMPENSABLE, f"step {step.stepName} is FAILED")
    return done(name, execution.id, effect=Effect.COMPENSABLE)


def ended(servers: job.Servers, view: DrsView) -> job.Judged:
    """Fail the servers that an execution ended without: failed, out of time, cancelled, skipped, or in an unknown status."""
    steps: list[Step] = []
    lost: list[ServerView] = []
    for plan in view.plans:
        execution = plan.execution
        if execution is None or execution.status in PLAN_ACTIVE:
            continue
        for each in _mine(plan, servers):
            if each.job is None or each.job.jobID not in plan.job_ids or execution.status not in PLAN_ENDED:
                reason = _why(plan, execution, each)
                steps.append(failed(f"recovered-{each.member.name}", reason, OTHERWISE, members=(each.id,)))
                lost.append(each)
    return steps, [v for v in servers if v not in lost]


def _why(plan: PlanView, execution: Execution, each: ServerView) -> str:
    if execution.status not in PLAN_ENDED:
        return f"{execution.told}, a status that is not known here"
    step = next((s for s in plan.executed if each.member.target.id in _ids(s.configuration.servers)), None)
    where = f"step {step.stepName} is {step.status}" if step else "no step of it holds the server"
    return f"not recovered: {execution.told}; {where}"


def _ids(servers: Sequence[object]) -> set[str]:
    return {str(getattr(each, "serverArn", "")).rpartition("/")[2] for each in servers}


def snapped(servers: job.Servers, view: DrsView, run: RunContext) -> job.Judged:
    """Wait for the snapshots of each step's servers, then stop their sources, before the next step's come."""
    steps: list[Step] = []
    left: list[ServerView] = []
    for plan in view.plans:
        mine = _mine(plan, servers)
        for number, step in enumerate(plan.server_steps, start=1):
            group = [v for v in mine if v.member.target.id in step.server_ids]
            if not group:
                continue
            taken, group = job.snapshot_taken(group, run)
            stopped, group = sides.stop_sources(group)
            suffix = f"{slug(plan.name)}-{number}"
            general = {"snapshots-taken", "stop-sources"}
            steps += [replace(s, name=f"{s.name}-{suffix}") if s.name in general else s for s in taken + stopped]
            left += group
    return steps, left


def marked(servers: job.Servers, run: RunContext) -> job.Judged:
    """Mark what a drill's execution launched: DRS puts the tags of an execution nowhere else."""
    ids = [_instance(v) for v in servers if not _carries(v, run)]
    if not ids:
        return [done("mark-drill-instances", "all carry the drill's tag", effect=Effect.REVERSIBLE)], list(servers)
    tags: list[JsonValue] = [{"Key": key, "Value": value} for key, value in run.tags.items()]
    call = Call("ec2", "CreateTags", {"Resources": [*ids], "Tags": tags}, Side.TARGET)
    return [todo("mark-drill-instances", call, Effect.REVERSIBLE, f"{len(ids)} without it")], list(servers)


def _instance(view: ServerView) -> Param:
    return (view.own.recoveryInstanceID if view.own else "") or Later("id of the recovery instance")


def _carries(view: ServerView, run: RunContext) -> bool:
    return view.machine is not None and all(view.machine.tag(key) == value for key, value in run.tags.items())


def cancelled(view: DrsView) -> list[Step]:
    """Let executions of this run begin no more steps; the one that runs is waited for."""
    steps: list[Step] = []
    for plan in view.plans:
        name, execution = f"cancel-plan-{slug(plan.name)}", plan.execution
        if execution is None or not execution.active:
            steps.append(done(name, execution.told if execution else "not executed", effect=Effect.COMPENSABLE))
            continue
        params: dict[str, JsonValue] = {"recoveryPlanExecutionArn": execution.recoveryPlanExecutionArn}
        call = Call("drs", "CancelRecoveryPlanExecution", params, Side.TARGET)
        if execution.status == "CANCELLING":
            steps.append(busy(name, f"{execution.told}, expected CANCELLED", call=call))
        else:
            steps.append(todo(name, call, Effect.COMPENSABLE, execution.told))
    return steps
