"""Handlers for recovery plans, their steps and executions."""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.drs import plan_shapes as shapes
from localaws.services.drs.base import DrsBase, conflict, page
from localaws.services.drs.models import ExecutedStep, PlanExecution, PlanStep, RecoveryPlan, RegionState, new_id

STEPS_PER_PLAN = 20
SERVERS_PER_PLAN = 100
PLANS = 1000
SKIPPABLE = {"NOT_STARTED", "FAILED", "TIMED_OUT"}


class Plans(DrsBase):
    """Recovery plans: create, list, start, follow, cancel, retry, skip."""

    def reset(self) -> None:
        """Forget plans with everything else, and the tokens they were made with."""
        super().reset()
        self._made: dict[tuple[str, str, str], str] = {}

    @operation("CreateRecoveryPlan")
    def create_recovery_plan(self, call: Call) -> Reply:
        """Create an empty plan; its name is unique in an account and Region."""
        state, name = self.ready(call), call.params["name"]
        known = state.plans.get(self._made.get(self._token(call), ""))
        if known is not None:
            return {"recoveryPlan": shapes.plan(known)}
        if any(plan.name == name for plan in state.plans.values()):
            raise conflict(name, f"A recovery plan named {name} already exists.", "AWS::DRS::RecoveryPlan")
        if len(state.plans) >= PLANS:
            raise _too_many(f"{len(state.plans)} recovery plans; at most {PLANS}.")
        tags, text = dict(call.params.get("tags", {})), call.params.get("description", "")
        now = self.world.clock.now()
        made = RecoveryPlan(new_id("plan-"), call.account, call.region, name, now, text, tags)
        state.plans[made.id] = made
        self._made[self._token(call)] = made.id
        return {"recoveryPlan": shapes.plan(made)}

    @operation("CreateRecoveryPlanStep")
    def create_recovery_plan_step(self, call: Call) -> Reply:
        """Add a step, at the end or in front of another; a wait cannot be the first."""
        state = self.ready(call)
        plan = _plan(state, call)
        known = [step for step in plan.steps if step.id == self._made.get(self._token(call))]
        if known:
            return {"recoveryPlanStep": shapes.plan_step(plan, known[0])}
        order = call.params.get("stepOrder", len(plan.steps) + 1)
        configuration = call.params["configuration"]
        servers = configuration.get("serverStepConfiguration", {}).get("servers", [])
        self._check_servers(state, plan, [each["serverArn"] for each in servers])
        if len(plan.steps) >= STEPS_PER_PLAN:
            raise _too_many(f"{len(plan.steps)} steps; at most {STEPS_PER_PLAN}.")
        if not servers and order == 1:
            raise AwsError("ValidationException", "A wait step cannot be the first step of a plan.", reason="other")
        if order > len(plan.steps) + 1:
            raise AwsError("ValidationException", f"Step order {order} leaves a gap.", reason="other")
        step = PlanStep(
            new_id("st-"),
            call.params["stepName"],
            self.world.clock.now(),
            {each["serverArn"]: each.get("impactLevel", "CRITICAL") for each in servers},
            configuration.get("waitStepConfiguration", {}).get("waitDurationMinutes", 0),
        )
        plan.steps.insert(order - 1, step)
        self._made[self._token(call)] = step.id
        return {"recoveryPlanStep": shapes.plan_step(plan, step)}

    @operation("GetRecoveryPlan")
    def get_recovery_plan(self, call: Call) -> Reply:
        """Return a plan, without its steps."""
        return {"recoveryPlan": shapes.plan(_plan(self.ready(call), call))}

    @operation("ListRecoveryPlans")
    def list_recovery_plans(self, call: Call) -> Reply:
        """List the plans of the account and Region."""
        return _paged(call, "recoveryPlans", [shapes.plan_summary(p) for p in self.ready(call).plans.values()])

    @operation("ListRecoveryPlanSteps")
    def list_recovery_plan_steps(self, call: Call) -> Reply:
        """List the steps of a plan in their order."""
        plan = _plan(self.ready(call), call)
        return _paged(call, "recoveryPlanSteps", [shapes.plan_step(plan, step) for step in plan.steps])

    @operation("DeleteRecoveryPlan")
    def delete_recovery_plan(self, call: Call) -> Reply:
        """Delete a plan that is not being executed."""
        state = self.ready(call)
        plan = _plan(state, call)
        if any(run.plan is plan and run.active for run in state.executions.values()):
            raise conflict(plan.id, f"Recovery plan {plan.id} is being executed.", "AWS::DRS::RecoveryPlan")
        del state.plans[plan.id]
        return {"recoveryPlanArn": plan.arn}

    @operation("StartRecoveryPlanExecution")
    def start_recovery_plan_execution(self, call: Call) -> Reply:
        """Execute a plan as it is now. Its servers are validated before any is recovered."""
        state = self.ready(call)
        plan = _plan(state, call)
        known = state.executions.get(self._made.get(self._token(call), ""))
        if known is not None:
            return {"recoveryPlanExecution": shapes.execution(known)}
        self._check_startable(state, plan)
        pinned = {each["sourceServerID"]: each["recoverySnapshotID"] for each in call.params.get("sourceServers", [])}
        strangers = pinned.keys() - {arn.rpartition("/")[2] for arn in plan.server_arns}
        if strangers:
            raise AwsError(
                "ValidationException", f"Source server IDs not found in plan: {sorted(strangers)}", reason="other"
            )
        now = self.world.clock.now()
        run = PlanExecution(
            new_id("exec-"),
            plan,
            call.params["mode"],
            call.principal,
            now,
            [ExecutedStep(step, new_id("step-"), now) for step in plan.steps],
            pinned,
            dict(call.params.get("tags", {})),
        )
        self._made[self._token(call)] = run.id
        self.plan_runs.start(state, run)
        return {"recoveryPlanExecution": shapes.execution(run)}

    @operation("GetRecoveryPlanExecution")
    def get_recovery_plan_execution(self, call: Call) -> Reply:
        """Return an execution with its tags."""
        return {"recoveryPlanExecution": shapes.execution(_execution(self.ready(call), call))}

    @operation("ListRecoveryPlanExecutions")
    def list_recovery_plan_executions(self, call: Call) -> Reply:
        """List executions, newest first, of one plan or in one status."""
        arn, status = call.params.get("recoveryPlanArn"), call.params.get("status")
        runs = sorted(self.ready(call).executions.values(), key=lambda run: run.started_at, reverse=True)
        found = [r for r in runs if arn in {None, r.plan.arn} and status in {None, r.status}]
        return _paged(call, "recoveryPlanExecutions", [shapes.execution_summary(run) for run in found])

    @operation("ListRecoveryPlanExecutionSteps")
    def list_recovery_plan_execution_steps(self, call: Call) -> Reply:
        """List how far the steps of an execution are."""
        run = _execution(self.ready(call), call)
        status = call.params.get("filter", {}).get("status")
        found = [shapes.executed_step_summary(run, step) for step in run.steps if status in {None, step.status}]
        return _paged(call, "recoveryPlanExecutionSteps", found)

    @operation("GetRecoveryPlanExecutionStep")
    def get_recovery_plan_execution_step(self, call: Call) -> Reply:
        """Return a step of an execution with its attempts and when it last changed."""
        run, step = _step(self.ready(call), call)
        return {"recoveryPlanExecutionStep": shapes.executed_step(run, step)}

    @operation("CancelRecoveryPlanExecution")
    def cancel_recovery_plan_execution(self, call: Call) -> Reply:
        """Begin no more steps of an execution."""
        run = _execution(self.ready(call), call)
        if run.status not in {"CREATED", "IN_PROGRESS"}:
            raise _conflict(run, f"Execution {run.id} is {run.status} and cannot be cancelled.")
        self.plan_runs.cancel(run)
        return {"recoveryPlanExecution": shapes.execution(run)}

    @operation("RetryRecoveryPlanExecutionStep")
    def retry_recovery_plan_execution_step(self, call: Call) -> Reply:
        """Recover again the servers of a failed step that failed, then go on with the plan."""
        state = self.ready(call)
        run, step = _step(state, call)
        if run.status != "FAILED" or step.status != "FAILED" or not step.step.servers:
            raise _conflict(
                run, f"Step {step.id} is {step.status} in an execution that is {run.status}: nothing to retry."
            )
        self._check_idle(state, run.plan)
        self.plan_runs.retry(state, run, step)
        return {"recoveryPlanExecutionStep": shapes.executed_step(run, step)}

    @operation("UpdateRecoveryPlanExecutionStep")
    def update_recovery_plan_execution_step(self, call: Call) -> Reply:
        """Skip a step; a failed execution then goes on with the next."""
        state = self.ready(call)
        run, step = _step(state, call)
        if call.params.get("status") != "SKIPPED" or step.status not in SKIPPABLE or run.status == "TIMED_OUT":
            raise _conflict(run, f"Step {step.id} is {step.status} and cannot be skipped.")
        resumes = run.status == "FAILED" and step.status == "FAILED"
        step.status, step.changed_at = "SKIPPED", self.world.clock.now()
        if resumes:
            self.plan_runs.go_on(state, run)
        return {"recoveryPlanExecutionStep": shapes.executed_step(run, step)}

    def _check_servers(self, state: RegionState, plan: RecoveryPlan, arns: list[str]) -> None:
        known = {server.arn for server in state.servers.values()}
        missing = [arn for arn in arns if arn not in known]
        if missing:
            raise AwsError("ValidationException", f"Source servers not found: {missing}", reason="other")
        if set(arns) & set(plan.server_arns):
            raise AwsError("ValidationException", "A source server is in the plan already.", reason="other")
        if len(plan.server_arns) + len(arns) > SERVERS_PER_PLAN:
            raise _too_many(f"More than {SERVERS_PER_PLAN} source servers in a plan.")

    def _check_startable(self, state: RegionState, plan: RecoveryPlan) -> None:
        if not plan.steps:
            text = (
                f"Recovery plan {plan.id} has no steps. Add at least one step to the plan before starting an execution."
            )
            raise AwsError("ValidationException", text, reason="other")
        if not plan.server_arns:
            text = f"Recovery plan {plan.id} is in status INVALID and cannot be executed. Only ACTIVE plans can be executed."
            raise conflict(plan.id, text, "AWS::DRS::RecoveryPlan")
        self._check_idle(state, plan)

    def _check_idle(self, state: RegionState, plan: RecoveryPlan) -> None:
        for run in state.executions.values():
            if run.active and run.plan is plan:
                text = f"Another execution is already active for plan {plan.id}"
                raise conflict(plan.id, text, "AWS::DRS::RecoveryPlan")
            if run.active and set(run.plan.server_arns) & set(plan.server_arns):
                text = f"Execution {run.id} of plan {run.plan.id} holds a source server of plan {plan.id}."
                raise conflict(plan.id, text, "AWS::DRS::RecoveryPlan")

    def _token(self, call: Call) -> tuple[str, str, str]:
        return (f"{call.account}/{call.region}", call.operation, call.params.get("clientToken") or new_id("t-"))


def _plan(state: RegionState, call: Call) -> RecoveryPlan:
    arn = call.params["recoveryPlanArn"]
    found = [plan for plan in state.plans.values() if plan.arn == arn]
    if not found:
        raise AwsError("ResourceNotFoundException", f"Recovery plan {arn} was not found.", 404, resourceId=arn)
    return found[0]


def _execution(state: RegionState, call: Call) -> PlanExecution:
    arn = call.params["recoveryPlanExecutionArn"]
    found = [run for run in state.executions.values() if run.arn == arn]
    if not found:
        raise AwsError("ResourceNotFoundException", f"Execution {arn} was not found.", 404, resourceId=arn)
    return found[0]


def _step(state: RegionState, call: Call) -> tuple[PlanExecution, ExecutedStep]:
    arn = call.params["recoveryPlanExecutionStepArn"]
    for run in state.executions.values():
        for step in run.steps:
            if shapes.executed_step_arn(run, step) == arn:
                return run, step
    raise AwsError("ResourceNotFoundException", f"Execution step {arn} was not found.", 404, resourceId=arn)


def _paged(call: Call, name: str, items: list[dict[str, Any]]) -> Reply:
    reply = page(call, items)
    return {name: reply.pop("items"), **reply}


def _too_many(message: str) -> AwsError:
    return AwsError(
        "ServiceQuotaExceededException", message, 402, resourceType="AWS::DRS::RecoveryPlan", serviceCode="drs"
    )


def _conflict(run: PlanExecution, message: str) -> AwsError:
    return conflict(run.id, message, "AWS::DRS::RecoveryPlanExecution")
