"""The recovery plan of the way back: the same steps with the reverse source servers, made where the failback will run."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from adapters.drs import launch as job
from adapters.drs.plans import slug
from adapters.drs.view_plan import PlanStep, PlanView
from adapters.drs.view_server import DrsView
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, done, todo
from orchestrator.words import Effect, Side

_REMEDY = "correct that plan in DRS on the source side, or delete it there, then retry."


def planned_back(servers: job.Servers, view: DrsView, run: RunContext) -> job.Judged:
    """Make each plan on the source side with the servers that protect the way back; one that fits is kept."""
    reverse = {v.member.target.id: v.reverse.arn if v.reverse else "" for v in servers}
    steps: list[Step] = []
    for plan in view.plans:
        steps.append(_plan(plan, run))
        steps += [_step(plan, each, reverse) for each in plan.steps]
    return steps, list(servers)


def _plan(plan: PlanView, run: RunContext) -> Step:
    name = f"plan-back-{slug(plan.name)}"
    if plan.back is not None:
        return done(name, plan.back.arn, effect=Effect.REVERSIBLE)
    params: dict[str, JsonValue] = {"name": plan.name, "tags": {**plan.tags, **run.tags}}
    call = Call("drs", "CreateRecoveryPlan", params, Side.SOURCE, token="clientToken")
    return todo(name, call, Effect.REVERSIBLE, f"no recovery plan is called {plan.name} there")


def _step(plan: PlanView, step: PlanStep, reverse: Mapping[str, str]) -> Step:
    name = f"plan-back-{slug(plan.name)}-{step.stepOrder}"
    wanted = {each: reverse.get(each) for each in step.server_ids}
    if missing := [each for each, arn in wanted.items() if arn is None]:
        reason = f"step {step.stepName} needs {', '.join(missing[:5])}, which this run has left behind"
        return blocked(name, reason, "protect those servers the other way round first, then retry.")
    made = [] if plan.back is None else [each for each in plan.back.steps if each.stepOrder == step.stepOrder]
    known = {arn.rpartition("/")[2] for arn in wanted.values() if arn}
    if made:
        fits = made[0].configuration.minutes == step.configuration.minutes and known <= set(made[0].server_ids)
        if fits and len(made[0].server_ids) == len(wanted):
            return done(name, made[0].stepName, effect=Effect.REVERSIBLE)
        reason = f"step {step.stepOrder} ({made[0].stepName}) of recovery plan {plan.name} there holds other servers or waits"
        return blocked(name, reason, _REMEDY)
    params: dict[str, Param] = {
        "recoveryPlanArn": plan.back.arn if plan.back else Later("ARN of the plan"),
        "stepName": step.stepName,
        "stepOrder": step.stepOrder,
        "configuration": _configuration(step, wanted),
    }
    call = Call("drs", "CreateRecoveryPlanStep", params, Side.SOURCE, token="clientToken")
    return todo(name, call, Effect.REVERSIBLE, f"step {step.stepName} is missing there")


def _configuration(step: PlanStep, wanted: Mapping[str, str | None]) -> Param:
    if not step.server_ids:
        return {"waitStepConfiguration": {"waitDurationMinutes": step.configuration.minutes}}
    servers: list[Param] = [
        {
            "serverArn": wanted[each.serverArn.rpartition("/")[2]] or Later("ARN of the reverse source server"),
            "impactLevel": each.impactLevel,
        }
        for each in step.configuration.servers
    ]
    return {"serverStepConfiguration": {"servers": servers}}
