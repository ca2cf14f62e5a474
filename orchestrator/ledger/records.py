"""What the ledger remembers. Frozen models: a change is a copy, saved under optimistic locking by `version`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orchestrator.words import (
    ActionStatus,
    Approval,
    CheckState,
    Choice,
    Effect,
    GateKind,
    GateStatus,
    Mode,
    OnFailure,
    Operation,
    Order,
    Outcome,
    Phase,
    Priority,
    Readiness,
    RunStatus,
    Severity,
    StageStatus,
    StepState,
)


class Record(BaseModel):
    """Base of everything in the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def but(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated."""
        return type(self).model_validate({**dict(self), **changes})


class Scope(Record):
    """Whose resources, and which environment."""

    customer: str
    environment: str

    @property
    def key(self) -> str:
        """Return "Customer/environment"."""
        return f"{self.customer}/{self.environment}"

    def __str__(self) -> str:
        return self.key


class Run(Record):
    """One execution of a plan. `epoch` fences: a higher epoch on the scope's lock makes this run powerless."""

    run_id: str
    scope: Scope
    operation: Operation
    mode: Mode
    order: Order | None = None
    approval: Approval
    source_region: str
    target_region: str
    primary_region: str
    dr_region: str
    execution_arn: str
    requester: str
    reason: str = ""
    dry_run: bool = False
    accept_data_loss: bool = False
    waves: tuple[int, ...] | None = None
    phases: tuple[Phase, ...] | None = None
    decommission: bool = False
    on_failure: OnFailure = OnFailure.ASK
    success_rules: Mapping[str, str] = Field(default_factory=dict)
    """Wave, or "*" for the others -> how much of it must succeed."""
    manifest_key: str | None = None
    manifest_version: str | None = None
    status: RunStatus = RunStatus.ACCEPTED
    epoch: int = 0
    created_at: datetime
    detected_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    plan_key: str | None = None
    plan_hash: str | None = None
    committed: bool = False
    cancelled_by: str | None = None
    rejected_by: str | None = None
    failure: str | None = None
    rolled_back_by: str | None = None
    """Who had the whole run rolled back."""
    pauses: tuple[Pause, ...] = ()
    redrives: int = 0
    """How often its execution was redriven; Step Functions counts."""
    interruptions: tuple[Interruption, ...] = ()
    completes: str | None = None
    """The emergency run whose deferred phases this one does."""
    completed_by: str | None = None
    """The run that did what this emergency deferred."""
    escalates: str | None = None
    """The planned run that this emergency goes on with."""
    escalation: Escalation | None = None
    """The order that made this run end and go on as an emergency."""
    lease: Lease | None = None
    """How long the copies of this drill may stay."""
    findings: tuple[FindingRecord, ...] = ()
    version: int = 0

    @property
    def paused(self) -> bool:
        """Say whether somebody paused the run and nobody resumed it."""
        return bool(self.pauses) and self.pauses[-1].until is None

    @property
    def interrupted(self) -> bool:
        """Say whether the run ended because its execution did, and not because somebody decided so."""
        return self.ended_at is not None and bool(self.interruptions) and self.interruptions[-1].until is None

    @property
    def lease_over(self) -> bool:
        """Say whether this drill was told that its lease is over: it makes nothing more, and removes what it made."""
        return self.lease is not None and self.lease.over_at is not None

    @property
    def removes_copies(self) -> bool:
        """Say whether this run only removes what an earlier drill has left."""
        return self.mode is Mode.DRILL and self.completes is not None

    @property
    def made_by(self) -> str:
        """Return the run under whose id this recovery, or this drill, makes and finds its things."""
        return self.escalates or (self.completes if self.removes_copies else None) or self.run_id


class Pause(Record):
    """A time in which nothing new was begun, because somebody said so."""

    by: str
    reason: str = ""
    since: datetime
    until: datetime | None = None
    resumed_by: str | None = None


class Interruption(Record):
    """A time in which a run's execution was gone, until it was redriven."""

    how: str
    since: datetime
    until: datetime | None = None


class Extension(Record):
    """More time for a drill, and who wanted it."""

    by: str
    minutes: int
    reason: str = ""
    at: datetime


class Lease(Record):
    """How long the copies of a drill may stay, from the start of its run."""

    minutes: int
    """As it was asked for."""
    until: datetime
    ceiling_usd: float | None = None
    """What the copies may cost in that time, by estimate; None: whatever they cost."""
    extensions: tuple[Extension, ...] = ()
    over_at: datetime | None = None
    """When a run that still went on was told that its lease is over."""
    removals: tuple[str, ...] = ()
    """Runs that were started to remove the copies, because the drill's own run had ended without."""


class Escalation(Record):
    """Who ordered a planned run to become an emergency, and the run that it became."""

    by: str
    reason: str = ""
    at: datetime
    accept_data_loss: bool = False
    run_id: str | None = None


class FindingRecord(Record):
    """A readiness finding, kept with the run."""

    resource_id: str
    code: str
    severity: Severity
    message: str
    remedy: str = ""


class ReadinessRecord(Record):
    """One verdict on whether a scope could be moved into a Region."""

    scope: Scope
    region: str
    at: datetime
    since: datetime
    """When it began to be in this state."""
    state: Readiness
    reason: str
    inventory_taken_at: datetime | None = None
    resources: int = 0
    expected_minutes: float = 0.0
    findings: tuple[FindingRecord, ...] = ()


class CheckRecord(Record):
    """A health check, kept with its stage."""

    resource_id: str
    name: str
    state: CheckState
    detail: str


class Stage(Record):
    """All actions of one phase and wave. `groups` run one after another, the actions of a group in parallel."""

    run_id: str
    stage_id: str
    index: int
    phase: Phase
    wave: int
    groups: tuple[tuple[str, ...], ...]
    irreversible: bool = False
    status: StageStatus = StageStatus.PENDING
    attempt: int = 0
    started_at: datetime | None = None
    health_since: datetime | None = None
    ended_at: datetime | None = None
    verify_since: datetime | None = None
    """When the health of a stage that had passed began to be looked at again, after people let the run wait."""
    verified_at: datetime | None = None
    checks: tuple[CheckRecord, ...] = ()
    ignored: bool = False
    rolling_back: bool = False
    approved_by: str | None = None
    """Who let this stage begin, when a person was asked."""
    interrupted: StageStatus | None = None
    """What it was when the run's execution broke."""
    version: int = 0

    @property
    def verifying(self) -> bool:
        """Say whether the health of this stage, which had passed, is being looked at again."""
        return self.verify_since is not None and self.verified_at is None


class StepRecord(Record):
    """A step as it was last seen, for progress and report."""

    name: str
    state: StepState
    effect: Effect
    reason: str
    remedy: str = ""
    call: str | None = None
    first_seen_at: datetime | None = None
    done_at: datetime | None = None


class Action(Record):
    """One adapter, one phase, one resource or batch. `kept` and `called_at` are keyed by step name."""

    run_id: str
    stage_id: str
    action_id: str
    target_id: str
    """Names the batch of resources; the actions of all phases on the same resources share it."""
    adapter: str
    strategy: str
    phase: Phase
    wave: int
    priority: Priority
    resource_ids: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Actions of the same stage that must end well before this one starts."""
    attempt: int = 0
    """How often a person had it done again; part of the idempotency tokens."""
    status: ActionStatus = ActionStatus.PENDING
    outcome: Outcome | None = None
    member_outcomes: Mapping[str, Outcome] = Field(default_factory=dict)
    detail: str = ""
    remedy: str = ""
    steps: tuple[StepRecord, ...] = ()
    kept: Mapping[str, Mapping[str, JsonValue]] = Field(default_factory=dict)
    called_at: Mapping[str, datetime] = Field(default_factory=dict)
    intent: str | None = None
    """The step whose call was about to be made; present after a crash between call and record."""
    call_counts: Mapping[str, int] = Field(default_factory=dict)
    """Step name -> how often its call was made."""
    looks: int = 0
    errors: int = 0
    """Looks that failed in a row."""
    refusals: int = 0
    """Answers in a row by which AWS declined a call; it took no effect."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline_at: datetime | None = None
    interrupted: tuple[str, ...] = ()
    """The resources that counted as failed only because the run's execution broke."""
    version: int = 0

    @property
    def calls(self) -> int:
        """Return how many mutating calls the action has made."""
        return sum(self.call_counts.values())


class Offer(Record):
    """An answer whose sender AWS confirmed, written down before the gate's token is redeemed with its id."""

    answer_id: str
    choice: Choice
    arn: str
    account: str
    reason: str = ""
    resources: tuple[str, ...] = ()
    at: datetime


class Gate(Record):
    """A question to a person."""

    run_id: str
    gate_id: str
    kind: GateKind
    stage_id: str | None = None
    question: str
    checklist: tuple[str, ...] = ()
    choices: tuple[Choice, ...]
    answerers: tuple[str, ...] = ()
    """Who may answer, in words."""
    offers: tuple[Offer, ...] = ()
    opened_at: datetime
    asked_at: datetime | None = None
    asks: int = 0
    token: str | None = None
    status: GateStatus = GateStatus.OPEN
    choice: Choice | None = None
    decided_by: str | None = None
    account: str | None = None
    """The account of whoever decided, when AWS confirmed who that was."""
    decided_at: datetime | None = None
    resources: tuple[str, ...] = ()
    reason: str = ""
    version: int = 0


class Event(Record):
    """One line of the audit trail: something asked, decided, called or answered. Never changed, never deleted."""

    run_id: str
    at: datetime
    kind: str
    message: str
    actor: str = "platform"
    stage_id: str | None = None
    action_id: str | None = None
    resource_id: str | None = None
    data: Mapping[str, JsonValue] = Field(default_factory=dict)


class Lock(Record):
    """Who may act on a scope."""

    scope: Scope
    run_id: str
    epoch: int
    taken_at: datetime


Run.model_rebuild()
