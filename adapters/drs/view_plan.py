"""What is read of a recovery plan of DRS: its steps, its newest execution by this run, and who else executes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import BaseModel

from adapters.drs.spec import JOB_LOOKBACK_HOURS, PLAN_ACTIVE, RECOVERY_PLAN
from orchestrator.contract import Member, Reader, RunContext

MISSING = ("ResourceNotFoundException",)


class _Named(BaseModel):
    recoveryPlanArn: str
    name: str = ""
    status: str = ""
    tags: dict[str, str] = {}


class _Plan(BaseModel):
    recoveryPlan: _Named


class _Plans(BaseModel):
    recoveryPlans: list[_Named] = []


class _StepServer(BaseModel):
    serverArn: str
    impactLevel: str = "CRITICAL"
    jobID: str | None = None


class _Servers(BaseModel):
    servers: list[_StepServer] = []


class _Wait(BaseModel):
    waitDurationMinutes: int = 0


class _Configuration(BaseModel):
    serverStepConfiguration: _Servers | None = None
    executionServerStepConfiguration: _Servers | None = None
    waitStepConfiguration: _Wait | None = None

    @property
    def servers(self) -> list[_StepServer]:
        """Return the servers of a server step, of a plan or of an execution."""
        found = self.serverStepConfiguration or self.executionServerStepConfiguration
        return found.servers if found else []

    @property
    def minutes(self) -> int:
        """Return how long a wait step takes."""
        return self.waitStepConfiguration.waitDurationMinutes if self.waitStepConfiguration else 0


class PlanStep(BaseModel):
    """A step of a plan."""

    stepName: str
    stepOrder: int = 0
    configuration: _Configuration = _Configuration()

    @property
    def server_ids(self) -> tuple[str, ...]:
        """Return its servers; none for a wait."""
        return tuple(each.serverArn.rpartition("/")[2] for each in self.configuration.servers)


class _PlanSteps(BaseModel):
    recoveryPlanSteps: list[PlanStep] = []


class _Error(BaseModel):
    message: str = ""


class Execution(BaseModel):
    """One run of a plan."""

    recoveryPlanExecutionArn: str
    status: str = ""
    startedAt: datetime
    errorDetail: _Error | None = None
    tags: dict[str, str] = {}

    @property
    def active(self) -> bool:
        """Say whether it has not ended."""
        return self.status in PLAN_ACTIVE

    @property
    def id(self) -> str:
        """Return the last part of its ARN."""
        return self.recoveryPlanExecutionArn.rpartition("/")[2]

    @property
    def told(self) -> str:
        """Return its status and what DRS says of it."""
        message = self.errorDetail.message if self.errorDetail else ""
        return f"execution {self.id} is {self.status}{f': {message}' if message else ''}"


class _Executions(BaseModel):
    recoveryPlanExecutions: list[Execution] = []


class _Execution(BaseModel):
    recoveryPlanExecution: Execution


class ExecutedStep(BaseModel):
    """How far a step of an execution is."""

    recoveryPlanExecutionStepArn: str
    stepName: str = ""
    stepIndex: int = 0
    status: str = ""
    configuration: _Configuration = _Configuration()
    updatedAt: datetime | None = None


class _ExecutedSteps(BaseModel):
    recoveryPlanExecutionSteps: list[ExecutedStep] = []


class _ExecutedStep(BaseModel):
    recoveryPlanExecutionStep: ExecutedStep


@dataclass(frozen=True)
class PlanView:
    """A recovery plan. `execution` is this run's newest one, `other` an active one of somebody else."""

    arn: str
    name: str
    status: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    steps: tuple[PlanStep, ...] = ()
    execution: Execution | None = None
    executed: tuple[ExecutedStep, ...] = ()
    other: str = ""
    back: PlanView | None = None
    """The plan of the same name on the source side."""

    def is_of(self, member: Member) -> bool:
        """Say whether it is the one plan that is told for a member."""
        return told_plans(member) in ([self.arn], [self.name])

    @property
    def server_steps(self) -> list[PlanStep]:
        """Return the steps that recover servers."""
        return [step for step in self.steps if step.server_ids]

    @property
    def server_ids(self) -> frozenset[str]:
        """Return the ids of its servers."""
        return frozenset(each for step in self.steps for each in step.server_ids)

    @property
    def minutes(self) -> int:
        """Return how long its waits take together."""
        return sum(step.configuration.minutes for step in self.steps)

    @property
    def job_ids(self) -> frozenset[str]:
        """Return the jobs of this run's execution."""
        return frozenset(each.jobID for step in self.executed for each in step.configuration.servers if each.jobID)

    @property
    def failed_step(self) -> ExecutedStep | None:
        """Return the step that ended this run's execution."""
        return next((step for step in self.executed if step.status == "FAILED"), None)


def plans_of_servers(reader: Reader) -> dict[str, list[str]]:
    """Return the ARNs of the plans of an account and Region by the ids of the source servers in them."""
    found: dict[str, list[str]] = {}
    for plan in _named(reader):
        for step in _steps(reader, plan.recoveryPlanArn):
            for server_id in step.server_ids:
                found.setdefault(server_id, []).append(plan.recoveryPlanArn)
    return found


def told_plans(member: Member) -> list[str]:
    """Return the plans of a member's server: what its manifest says (`recoveryPlan`, a name or ARN), else the ARNs known of it."""
    told = member.settings.get(RECOVERY_PLAN) or member.target.facts.get("plans") or []
    return [str(each) for each in told] if isinstance(told, list) else [str(told)]


def look_at_plans(reader: Reader, members: Sequence[Member], run: RunContext) -> tuple[PlanView, ...]:
    """Return the plans of a batch with this run's executions; of those told by ARN only this Region's."""
    told = {each[0] for member in members if len(each := told_plans(member)) == 1}
    arns = {each for each in told if each.startswith("arn:") and each.split(":")[3] == reader.region}
    named = {each for each in told if not each.startswith("arn:")}
    arns |= {plan.recoveryPlanArn for plan in _named(reader) if plan.name in named} if named else set()
    found = [plan for arn in sorted(arns) if (plan := _described(reader, arn)) is not None]
    return tuple(_with_executions(reader, plan, run) for plan in found)


def with_back(reader: Reader, plans: tuple[PlanView, ...]) -> tuple[PlanView, ...]:
    """Add the plans of the same names (unique in an account and Region) on the other side."""
    there = {plan.name: plan.recoveryPlanArn for plan in _named(reader)} if plans else {}
    return tuple(replace(p, back=_described(reader, there[p.name]) if p.name in there else None) for p in plans)


def _named(reader: Reader) -> list[_Named]:
    return [plan for page in reader.pages("drs", "ListRecoveryPlans", _Plans) for plan in page.recoveryPlans]


def _steps(reader: Reader, arn: str) -> list[PlanStep]:
    pages = reader.pages("drs", "ListRecoveryPlanSteps", _PlanSteps, recoveryPlanArn=arn)
    return sorted((s for page in pages for s in page.recoveryPlanSteps), key=lambda step: step.stepOrder)


def _described(reader: Reader, arn: str) -> PlanView | None:
    found = reader.find("drs", "GetRecoveryPlan", _Plan, missing=MISSING, recoveryPlanArn=arn)
    if found is None:
        return None
    plan = found.recoveryPlan
    return PlanView(arn, plan.name, plan.status, plan.tags, tuple(_steps(reader, arn)))


def _with_executions(reader: Reader, plan: PlanView, run: RunContext) -> PlanView:
    """Add this run's newest execution: summaries carry no tags, so that recent ones are asked for one by one."""
    pages = reader.pages("drs", "ListRecoveryPlanExecutions", _Executions, recoveryPlanArn=plan.arn)
    since = run.started_at - timedelta(hours=JOB_LOOKBACK_HOURS)
    recent = [each for page in pages for each in page.recoveryPlanExecutions if each.active or each.startedAt >= since]
    for each in sorted(recent, key=lambda execution: execution.startedAt, reverse=True):
        arn = each.recoveryPlanExecutionArn
        full = reader.read("drs", "GetRecoveryPlanExecution", _Execution, recoveryPlanExecutionArn=arn)
        execution = full.recoveryPlanExecution
        if run.tags.items() <= execution.tags.items():
            return replace(plan, execution=execution, executed=_executed(reader, execution))
        if execution.active:
            plan = replace(plan, other=execution.id)
    return plan


def _executed(reader: Reader, execution: Execution) -> tuple[ExecutedStep, ...]:
    """Return the steps of an execution; of failed ones also when they failed."""
    arn = execution.recoveryPlanExecutionArn
    pages = reader.pages("drs", "ListRecoveryPlanExecutionSteps", _ExecutedSteps, recoveryPlanExecutionArn=arn)
    steps = sorted((s for page in pages for s in page.recoveryPlanExecutionSteps), key=lambda step: step.stepIndex)
    return tuple(_dated(reader, step) if step.status == "FAILED" else step for step in steps)


def _dated(reader: Reader, step: ExecutedStep) -> ExecutedStep:
    arn = step.recoveryPlanExecutionStepArn
    found = reader.read("drs", "GetRecoveryPlanExecutionStep", _ExecutedStep, recoveryPlanExecutionStepArn=arn)
    return found.recoveryPlanExecutionStep
