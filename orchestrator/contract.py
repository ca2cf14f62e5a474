"""The adapter contract: what the engine asks of a technology, and nothing more.

An adapter is one read (`observe`) and a few pure functions over what was read. A phase function returns the
WHOLE list of the phase's steps, in order, each already judged from the view: DONE, BUSY, TODO, BLOCKED or
FAILED. The engine performs the call of the first step that is not DONE, and looks again. The same list, not
performed, is the preview, the dry run and the break-glass script; therefore every step that is not DONE carries
its call, also those behind the first, with `Later` standing for values that only an earlier step will reveal.

Adapters know no clock, client, environment, wave, table or state machine.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, JsonValue

from orchestrator.spec import Spec
from orchestrator.words import CheckState, Effect, Mode, Operation, Phase, Severity, Side, StepState

M = TypeVar("M", bound=BaseModel)
V = TypeVar("V")

# --- what an adapter works on ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """One side of a resource. `id` is what the service's calls take, `region` is "global" for a global service."""

    account: str
    region: str
    id: str
    arn: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    """What was captured before a disaster and cannot be read during one: counts, ids, classes, original values."""


TOGETHER = "together"
"""A fact of a target side: resources with the same value, and no others, are acted on by one action."""


@dataclass(frozen=True)
class Member:
    """One resource, both sides."""

    resource_id: str
    name: str
    source: Place
    target: Place
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """The manifest's `config` for this resource."""


@dataclass(frozen=True)
class Target:
    """What an action acts on: one resource, or a batch of one adapter, strategy and pair of accounts."""

    strategy: str
    members: tuple[Member, ...]

    @property
    def only(self) -> Member:
        """Return the single member; raise ValueError for a batch."""
        (member,) = self.members
        return member


@dataclass(frozen=True)
class Found:
    """One tagged object, re-described by its adapter. Two with the same `pair_key` are the two sides of a resource."""

    pair_key: str
    name: str
    place: Place
    tags: Mapping[str, str]
    strategy: str | None = None
    """The strategy the live configuration shows, or None when it does not tell."""
    counterpart: bool = False
    """True when the other side tells it; gives way to what the Region itself tells of the same `pair_key`."""
    claim: bool = False
    """True for a tagged object that stands for nothing by itself (an EC2 instance, for the server that DRS made of it); one
    that nothing else found tells of becomes a resource without a counterpart, which stops a planned run.
    """


@dataclass(frozen=True)
class RunContext:
    """What a pure function may know of the run. `kept` and `called_at` come from the ledger, per step name."""

    run_id: str
    operation: Operation
    mode: Mode
    phase: Phase
    source_region: str
    target_region: str
    now: datetime
    started_at: datetime
    """When this action started."""
    kept: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    """Step name -> the ids its call's `keep` saved, in this action or an earlier phase of the same resource."""
    called_at: Mapping[str, datetime] = field(default_factory=dict)
    """Step name -> when its call was last made."""
    rpo_minutes: Mapping[str, int] = field(default_factory=dict)
    """Resource id -> `dr:rpo-target`."""
    excluded: frozenset[str] = frozenset()
    """Resource ids of a batch that failed or are to be left alone: no call may touch them."""
    planning: bool = False
    """True for the look that a plan and readiness are made from, before anything was started; its session may only read."""
    rolling_back: bool = False
    """True while `phase` is being undone; the session then holds the permissions of `Use.ROLLBACK` instead."""
    held: bool = False
    """True while nobody has let the stage cross the line of no return that it holds; the session then may only read."""

    @property
    def began(self) -> datetime:
        """Return when this action started, for comparison with time stamps of AWS, which drop fractions of a second."""
        return self.started_at.replace(microsecond=0)

    @property
    def short_id(self) -> str:
        """Return eight characters that are the same for every retry of the run; for names of created things."""
        return hashlib.sha256(self.run_id.encode()).hexdigest()[:8]

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags that everything created in this run carries."""
        key = "dr:drill-id" if self.mode is Mode.DRILL else "dr:execution-id"
        return {key: self.run_id}

    def seconds_since(self, step_name: str) -> float | None:
        """Return the seconds since the step's call was last made in this attempt, or None when it was not."""
        at = self.called_at.get(step_name)
        return None if at is None or at < self.started_at else (self.now - at).total_seconds()


# --- what an adapter answers ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Later:
    """A parameter's value that an earlier step of the plan will reveal; shown in previews, never sent."""

    what: str


Param = JsonValue | Later | Mapping[str, "Param"] | Sequence["Param"]


@dataclass(frozen=True)
class Call:
    """One mutating AWS call, as botocore names it: Call("rds", "SwitchoverGlobalCluster", {...}, Side.SOURCE).

    `keep`: name -> JMESPath into the reply; the values appear in `RunContext.kept[step name]` at the next look.
    `token`: the parameter that takes an idempotency token, if the API has one; the engine fills it.
    """

    service: str
    operation: str
    params: Mapping[str, Param]
    side: Side
    keep: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None


@dataclass(frozen=True)
class Step:
    """One change inside an action, judged.

    `reason` says what was observed (and, when not DONE, what is expected). `remedy` is the next command or deed for
    BLOCKED and FAILED. `members` names the resource ids a step of a batch concerns; empty means all of them.
    `warning` marks a DONE step that went less well than it should (the action ends succeeded_with_warnings).
    """

    name: str
    state: StepState
    effect: Effect = Effect.NONE
    reason: str = ""
    remedy: str = ""
    call: Call | None = None
    members: tuple[str, ...] = ()
    warning: str = ""


@dataclass(frozen=True)
class Finding:
    """One result of the readiness checks of a resource."""

    resource_id: str
    code: str
    severity: Severity
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Claim:
    """What a run takes of a quota of an account and Region, beyond what its resources use there already."""

    resource_ids: tuple[str, ...]
    account: str
    region: str
    quota: str
    """What is counted: "vCPUs on Fargate"."""
    what: str
    """How the amount comes about: "600 tasks of 0.5 vCPU"."""
    amount: float
    limit: float | None
    """None: AWS does not tell, or it may not be asked; then `note` says why."""
    used: float | None = None
    """What is in use there now; None: AWS tells no figure."""
    note: str = ""
    """Where limit or usage are from, if they are not the account's own figures."""
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One health check of a resource after a phase."""

    resource_id: str
    name: str
    state: CheckState
    detail: str


@dataclass(frozen=True)
class Endpoint:
    """Where a resource answers inside its VPC; a probe function in the spoke, where there is one, connects to it."""

    resource_id: str
    host: str
    port: int


@dataclass(frozen=True)
class Loss:
    """What an emergency would lose of one resource now. `seconds` is None when the lag cannot be read."""

    resource_id: str
    seconds: float | None
    detail: str


# --- what an adapter is given ---------------------------------------------------------------------------------------


class Reader(Protocol):
    """Reads from one account and Region. Only read operations pass; replies are parsed into pydantic models."""

    account: str
    region: str

    def read(self, service: str, operation: str, model: type[M], /, **params: JsonValue | datetime) -> M:
        """Make the call and parse its reply. Raise `DrError` for access denied, throttling and the like."""

    def find(
        self, service: str, operation: str, model: type[M], /, missing: tuple[str, ...], **params: JsonValue | datetime
    ) -> M | None:
        """As `read`, but return None when AWS answers one of the error codes in `missing`."""

    def pages(self, service: str, operation: str, model: type[M], /, **params: JsonValue | datetime) -> list[M]:
        """As `read`, through all pages of botocore's paginator (or a single page when it has none)."""

    def resolve(self, name: str, record_type: str, name_servers: Sequence[str]) -> tuple[str, ...]:
        """Ask DNS (data plane, works in every outage) and return the answers, sorted; empty for no answer."""


class Clients(Protocol):
    """Hands out readers per side, and refuses what the run may not reach."""

    def reaches(self, side: Side) -> bool:
        """Say whether the run may call that side: False for the lost Region and lost control planes in an emergency."""

    def at(self, side: Side) -> Reader:
        """Return the reader of a side; raise `RefusedError` when `reaches(side)` is False."""


class Adapter(ABC, Generic[V]):
    """Knows one technology. See the module docstring for the rules; V is the adapter's own view (frozen dataclass)."""

    spec: ClassVar[Spec]

    @abstractmethod
    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Re-describe the tagged objects `arns` of one account and Region (all tagged ones when the spec says
        `native_listing` and `arns` is empty); drop ghosts; say what belongs together by `pair_key`.
        """

    @abstractmethod
    def observe(self, target: Target, aws: Clients, run: RunContext) -> V:
        """Read the target on the sides that `aws.reaches`. Reads only, as few calls as possible."""

    @abstractmethod
    def readiness(self, view: V, run: RunContext) -> list[Finding]:
        """Judge whether the run can succeed; in an emergency only the target side counts. Pure."""

    def claims(self, view: V, run: RunContext) -> list[Claim]:
        """Say what the run takes of which quotas; asked of a view made for planning. None unless told. Pure."""
        return []

    @abstractmethod
    def loss(self, view: V, run: RunContext) -> list[Loss]:
        """Say what would be lost if the target were forced to take over now. Pure."""

    @abstractmethod
    def instantiate(self, view: V, run: RunContext) -> list[Step]:
        """Make the standby ready; nothing irreversible. Pure."""

    @abstractmethod
    def activate(self, view: V, run: RunContext) -> list[Step]:
        """Make the target side primary. Pure."""

    @abstractmethod
    def cleanup(self, view: V, run: RunContext) -> list[Step]:
        """Quiesce the source side; delete nothing but this drill's own copies. Pure."""

    @abstractmethod
    def replicate(self, view: V, run: RunContext) -> list[Step]:
        """Protect again, in the other direction. Pure."""

    @abstractmethod
    def rollback(self, phase: Phase, view: V, run: RunContext) -> list[Step]:
        """Undo `phase`; one BLOCKED step with the reason when that is no longer possible. Pure."""

    @abstractmethod
    def health(self, view: V, run: RunContext) -> list[Check]:
        """Judge by topology, not by status alone, whether the target side serves (in a drill: the copies). Pure."""

    @abstractmethod
    def after(self, phase: Phase, view: V, run: RunContext) -> V:
        """Return the view that `phase` is expected to leave behind; previews of later phases start from it. Pure."""

    def decommission(self, view: V, run: RunContext) -> list[Step]:
        """Delete what is left of the source side and is not the new standby. Pure.

        Asked for separately (`Decommission` in the input), run only after a healthy REPLICATE and an approval of its own.
        A data store needs a final snapshot or a replica in sync first.
        """
        return skip("the source side is the new standby: nothing of it may be deleted")

    def endpoints(self, view: V, run: RunContext) -> list[Endpoint]:
        """Return where the target side (in a drill: its copy) accepts connections; for the probe in its VPC. Pure."""
        return []

    def steps(self, phase: Phase, view: V, run: RunContext) -> list[Step]:
        """Return the steps of `phase`."""
        by_phase: dict[Phase, Callable[[V, RunContext], list[Step]]] = {
            Phase.INSTANTIATE: self.instantiate,
            Phase.ACTIVATE: self.activate,
            Phase.CLEANUP: self.cleanup,
            Phase.REPLICATE: self.replicate,
            Phase.DECOMMISSION: self.decommission,
        }
        return by_phase[phase](view, run)


# --- small words adapters share -------------------------------------------------------------------------------------


def done(name: str, reason: str, *, effect: Effect = Effect.NONE, warning: str = "") -> Step:
    """Return a DONE step."""
    return Step(name, StepState.DONE, effect, reason, warning=warning)


NOTHING_TO_DO = "nothing-to-do"


def skip(reason: str) -> list[Step]:
    """Return the steps of a phase that has nothing to do: the action ends `skipped`, and says why."""
    return [Step(NOTHING_TO_DO, StepState.DONE, Effect.NONE, reason)]


def busy(name: str, reason: str, *, effect: Effect = Effect.NONE, call: Call | None = None) -> Step:
    """Return a BUSY step: started, or waiting for something observable."""
    return Step(name, StepState.BUSY, effect, reason, call=call)


def todo(name: str, call: Call, effect: Effect, reason: str, *, members: tuple[str, ...] = ()) -> Step:
    """Return a TODO step."""
    return Step(name, StepState.TODO, effect, reason, call=call, members=members)


def blocked(name: str, reason: str, remedy: str, *, members: tuple[str, ...] = (), call: Call | None = None) -> Step:
    """Return a BLOCKED step: going on would be unsafe or is impossible; nothing was changed."""
    return Step(name, StepState.BLOCKED, Effect.NONE, reason, remedy, call, members)


def failed(name: str, reason: str, remedy: str, *, members: tuple[str, ...] = ()) -> Step:
    """Return a FAILED step: AWS reports that the change did not succeed."""
    return Step(name, StepState.FAILED, Effect.NONE, reason, remedy, None, members)
