"""A platform whose cloud is make-believe: scripted adapters, a clock moved by hand, everything else the real domain.

cloud = Cloud()
cloud.add("orders", wave=1)
platform = cloud.platform()
run_id = cloud.accept(platform)
Operator(platform, cloud).drive(run_id)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import JsonValue

from orchestrator import ending, gates, moving, planning, stages, stocktaking
from orchestrator.blobs import MemoryBlobs
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Later,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    done,
    failed,
    skip,
    todo,
)
from orchestrator.errors import DrError, UnreachableError
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import Action, Gate, Run, Scope, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.notify import MemoryNotifier
from orchestrator.platform import Platform
from orchestrator.progress import Ask, Finish, RunStage
from orchestrator.spec import Spec, Strategy
from orchestrator.words import (
    Approval,
    CheckState,
    Choice,
    Effect,
    GateKind,
    Mode,
    Operation,
    Phase,
    Priority,
    Side,
)

SOURCE, TARGET, HOME, APPS = "us-east-1", "us-west-2", "111111111111", "222222222222"
SCOPE = Scope(customer="CustomerX", environment="production")
START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
REQUEST: dict[str, Any] = {
    "Customer": "CustomerX",
    "Environment": "production",
    "Operation": "failover",
    "PrimaryRegion": SOURCE,
    "DRRegion": TARGET,
}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """Return the time."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Script:
    """One step of the scripted technology: what it calls, and what stands in its way, per resource name."""

    name: str
    effect: Effect = Effect.REVERSIBLE
    takes_seconds: float = 30


SCRIPTS: Mapping[Phase, tuple[Script, ...]] = {
    Phase.INSTANTIATE: (Script("scale"),),
    Phase.ACTIVATE: (
        Script("fence", Effect.COMPENSABLE, 5),
        Script("promote", Effect.IRREVERSIBLE, 120),
    ),
    Phase.CLEANUP: (Script("quiesce", Effect.COMPENSABLE),),
    Phase.REPLICATE: (Script("reverse", Effect.COMPENSABLE, 240),),
    Phase.DECOMMISSION: (Script("delete", Effect.IRREVERSIBLE, 60),),
}


@dataclass(frozen=True)
class Made:
    """A call that took effect."""

    operation: str
    resource: str
    token: str
    at: datetime


@dataclass
class Cloud:
    """The make-believe AWS. Every mutating call names an operation and the resources it concerns."""

    clock: Clock = field(default_factory=Clock)
    made: list[Made] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, list[DrError]] = field(default_factory=dict)
    """Operation -> what its next calls answer instead of taking effect."""
    lost_answers: set[str] = field(default_factory=set)
    """Operations whose next call takes effect but is never answered."""
    blind: list[DrError] = field(default_factory=list)
    """What the next looks raise."""
    obstacles: dict[tuple[str, str], Step] = field(default_factory=dict)
    """(resource name, step) -> the step as it is judged instead."""
    unhealthy: set[str] = field(default_factory=set)
    without_effect: set[str] = field(default_factory=set)
    """Operations that AWS accepts and forgets."""
    red: set[str] = field(default_factory=set)
    dark_accounts: set[str] = field(default_factory=set)
    dark_technologies: set[str] = field(default_factory=set)
    looked_at: list[str] = field(default_factory=list)
    beside: Callable[[str, str, str, Mapping[str, Any]], Any] = lambda _operation, _account, _region, _params: {}
    """(operation, account, Region, parameters) -> what AWS tells of stacks, pipelines and the like, or the error it answers."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(operation, account, Region) of every question about those."""
    interrupt: Callable[[str], None] = lambda _where: None
    ledger: Ledger = field(default_factory=MemoryLedger)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    started_at: dict[str, datetime] = field(default_factory=dict)
    """Execution name -> when it was started: the same however often its first state is repeated."""

    # --- what there is -----------------------------------------------------------------------------------------------

    def add(self, name: str, wave: int = 1, adapter: str = "database", **tags: str) -> None:
        """Put a resource with both sides into the scope; tags are given with underscores: dr_priority="high"."""
        self.resources[name] = {
            "adapter": adapter,
            "tags": {
                "Customer": SCOPE.customer,
                "Environment": SCOPE.environment,
                "dr:enabled": "true",
                "dr:wave": str(wave),
                **{key.replace("dr_", "dr:").replace("_", "-"): value for key, value in tags.items()},
            },
        }

    def started(self, operation: str, resource: str) -> datetime | None:
        """Return when an operation began to take effect on a resource."""
        return next((m.at for m in self.made if (m.operation, m.resource) == (operation, resource)), None)

    def operations(self, resource: str | None = None) -> list[str]:
        """Return the calls that took effect, in order."""
        return [m.operation for m in self.made if resource in {None, m.resource}]

    # --- the platform on it ------------------------------------------------------------------------------------------

    def platform(self, hub_region: str = TARGET) -> Platform:
        """Return the platform on this cloud."""
        adapters = {key: make(self) for key, make in ADAPTERS.items()}
        return Platform(
            hub_region=hub_region,
            ledger=self.ledger,
            blobs=self.blobs,
            clock=self.clock,
            adapter=adapters.__getitem__,
            adapters=lambda: list(adapters.values()),
            open_session=lambda _run, _adapter, context, target: Session(self, context, target),
            open_reader=lambda account, region, _technology: _Reader(self, account, region),
            explorer=lambda: _Reader(self, HOME, TARGET),
            notifier=self.notifier,
        )

    def accept(self, platform: Platform, run_id: str = "run-1", **request: Any) -> str:
        """Accept a run, take its inventory, freeze its plan, judge readiness."""
        arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{run_id}"
        started_at = self.started_at.setdefault(run_id, self.clock.now())
        planning.accept(platform, {**REQUEST, **request}, arn, run_id, started_at)
        stocktaking.take_inventory(platform, run_id)
        planning.build_plan(platform, run_id)
        planning.check_readiness(platform, run_id)
        return run_id


@dataclass
class Session:
    """Clients of one action: looks and calls go to the cloud."""

    cloud: Cloud
    context: RunContext
    target: Target

    def reaches(self, side: Side) -> bool:
        """See `Clients.reaches`."""
        return self.context.mode is not Mode.EMERGENCY or side is Side.TARGET

    def at(self, side: Side) -> Reader:
        """See `Clients.at`."""
        raise AssertionError(f"the scripted adapters read no side: {side}")

    def perform(self, call: Call, token: str) -> Mapping[str, JsonValue]:
        """Let the call take effect unless the script says otherwise."""
        cloud = self.cloud
        cloud.interrupt(f"before {call.operation}")
        cloud.tried.append(call.operation)
        if cloud.refusals.get(call.operation):
            raise cloud.refusals[call.operation].pop(0)
        if call.operation not in cloud.without_effect:
            names = [str(name) for name in call.params["Names"]]  # type: ignore[union-attr, index]
            cloud.made += [Made(call.operation, name, token, cloud.clock.now()) for name in names]
        cloud.interrupt(f"after {call.operation}")
        if call.operation in cloud.lost_answers:
            cloud.lost_answers.discard(call.operation)
            raise UnreachableError(f"{call.operation}: no answer.")
        return {"RequestId": f"id-{len(cloud.made)}"} if call.keep else {}


@dataclass
class _Reader:
    cloud: Cloud
    account: str
    region: str

    def pages(self, service: str, operation: str, model: type[Any], /, **params: Any) -> list[Any]:
        """Answer Resource Explorer, which sees all, and the Tagging API, which sees an account and Region."""
        if service != "resource-explorer-2" and (operation != "GetResources" or "ResourceTypeFilters" in params):
            return [self.read(service, operation, model, **params)]
        asked = {"ListResources": (SOURCE, TARGET), "GetResources": (self.region,), "ListIndexesForMembers": ()}
        arns = {
            _arn(region, resource["adapter"], name): (region, resource["adapter"])
            for name, resource in self.cloud.resources.items()
            for region in asked[operation]
            if operation == "ListResources" or (self.account == APPS and region in {SOURCE, TARGET})
        }
        hits = [
            {"Arn": arn, "OwningAccountId": APPS, "Region": region, "ResourceType": f"fake:{adapter}"}
            for arn, (region, adapter) in arns.items()
        ]
        indexes = [{"AccountId": APPS, "Region": region} for region in (SOURCE, TARGET)]
        mappings = [{"ResourceARN": arn} for arn in arns]
        return [model.model_validate({"Resources": hits, "ResourceTagMappingList": mappings, "Indexes": indexes})]

    def read(self, _service: str, operation: str, model: type[Any], /, **params: Any) -> Any:
        """Answer what is asked of what stands beside the resources; the scripted adapters know the cloud, and read nothing."""
        self.cloud.asked.append((operation, self.account, self.region))
        told = self.cloud.beside(operation, self.account, self.region, params)
        if isinstance(told, DrError):
            raise told
        return model.model_validate(told)

    def find(self, service: str, operation: str, model: type[Any], /, missing: tuple[str, ...], **params: Any) -> Any:
        """As `read`: what is asked for is there."""
        return self.read(service, operation, model, **params)

    def resolve(self, *_args: Any) -> Any:
        """Refuse: nobody asks for names here."""
        raise AssertionError("nobody asks for names here")


def _arn(region: str, adapter: str, name: str) -> str:
    return f"arn:aws:fake:{region}:{APPS}:{adapter}/{name}"


@dataclass(frozen=True)
class View:
    """What a look saw: step name -> names of the resources on which it is under way, and done."""

    begun: Mapping[str, frozenset[str]]
    through: Mapping[str, frozenset[str]]


class Scripted(Adapter[View]):
    """A technology with the steps of SCRIPTS."""

    spec: ClassVar[Spec]

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Find what the cloud holds."""
        if aws.account in self.cloud.dark_accounts or self.spec.key in self.cloud.dark_technologies:
            raise DrError(f"the role in {aws.account} may not be assumed.", "update the StackSet.")
        names = [arn.rpartition("/")[2] for arn in arns]
        return [
            Found(
                pair_key=name,
                name=name,
                place=Place(APPS, aws.region, name, _arn(aws.region, self.spec.key, name), {"count": 2}),
                tags=self.cloud.resources[name]["tags"],
                strategy=self.spec.strategies[0].name,
            )
            for name in names
        ]

    def observe(self, target: Target, aws: Clients, run: RunContext) -> View:
        """Look."""
        self.cloud.looked_at += [member.name for member in target.members]
        if self.cloud.blind:
            raise self.cloud.blind.pop(0)
        begun: dict[str, frozenset[str]] = {}
        through: dict[str, frozenset[str]] = {}
        for script in [*(s for scripts in SCRIPTS.values() for s in scripts), *UNDO]:
            since = {m.name: self.cloud.started(script.name, m.name) for m in target.members}
            begun[script.name] = frozenset(name for name, at in since.items() if at)
            through[script.name] = frozenset(
                name for name, at in since.items() if at and (run.now - at).total_seconds() >= script.takes_seconds
            )
        self._members = {m.name: m.resource_id for m in target.members}
        return View(begun, through)

    def _judge(self, script: Script, view: View, run: RunContext) -> list[Step]:
        names = [n for n, resource in self._members.items() if resource not in run.excluded]
        scripted = [self.cloud.obstacles[n, script.name] for n in names if (n, script.name) in self.cloud.obstacles]
        if scripted:
            return scripted
        if all(name in view.through[script.name] for name in names):
            return [done(script.name, "seen")]
        if all(name in view.begun[script.name] for name in names):
            return [busy(script.name, "under way")]
        waiting: list[Any] = [name for name in names if name not in view.begun[script.name]]
        params: dict[str, Any] = {"Names": waiting, "Password": "hunter2", "When": Later("the end")}
        call = Call("fake", script.name, params, Side.TARGET, keep={"RequestId": "RequestId"}, token="ClientToken")
        return [todo(script.name, call, script.effect, f"{script.name} is wanted")]

    def _phase(self, phase: Phase, view: View, run: RunContext) -> list[Step]:
        return [step for script in SCRIPTS[phase] for step in self._judge(script, view, run)]

    def instantiate(self, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return self._phase(Phase.INSTANTIATE, view, run)

    def activate(self, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return self._phase(Phase.ACTIVATE, view, run)

    def cleanup(self, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return self._phase(Phase.CLEANUP, view, run)

    def replicate(self, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return self._phase(Phase.REPLICATE, view, run)

    def decommission(self, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return self._phase(Phase.DECOMMISSION, view, run)

    def rollback(self, phase: Phase, view: View, run: RunContext) -> list[Step]:
        """See `Adapter`."""
        return [step for script in UNDO for step in self._judge(script, view, run)]

    def readiness(self, view: View, run: RunContext) -> list[Finding]:
        """See `Adapter`."""
        from orchestrator.words import Severity

        return [
            Finding(resource, "lag", Severity.RED, "replication lags 9 h, the target is 5 min.", "wait, then: dr plan")
            for name, resource in self._members.items()
            if name in self.cloud.red
        ]

    def loss(self, view: View, run: RunContext) -> list[Loss]:
        """See `Adapter`."""
        return [Loss(resource, 12.0, "the last 12 s of writes") for resource in self._members.values()]

    def health(self, view: View, run: RunContext) -> list[Check]:
        """See `Adapter`."""
        return [
            Check(
                resource,
                "serves",
                CheckState.UNHEALTHY if name in self.cloud.unhealthy else CheckState.HEALTHY,
                "answers badly" if name in self.cloud.unhealthy else "answers",
            )
            for name, resource in self._members.items()
        ]

    def endpoints(self, view: View, run: RunContext) -> list[Endpoint]:
        """See `Adapter`."""
        return [Endpoint(resource, f"{name}.internal", 5432) for name, resource in self._members.items()]

    def after(self, phase: Phase, view: View, run: RunContext) -> View:
        """See `Adapter`."""
        everyone = frozenset(self._members)
        gone = {script.name: everyone for script in SCRIPTS[phase]}
        return View({**view.begun, **gone}, {**view.through, **gone})


UNDO = (Script("undo", Effect.REVERSIBLE, 10),)


def _spec(key: str, **more: Any) -> Spec:
    minutes = {Phase.INSTANTIATE: 1.0, Phase.ACTIVATE: 4.0, Phase.CLEANUP: 1.0, Phase.REPLICATE: 5.0}
    strategies = (Strategy("switch", "Switch", "none", "the lag", minutes, "ACTIVATE"),)
    settings: dict[str, Any] = {"poll_seconds": 15, "deadline_minutes": 60, **more}
    return Spec(key, key.title(), (f"fake:{key}",), (), strategies, (), "", **settings)


class _Database(Scripted):
    spec = _spec("database")


class _Service(Scripted):
    spec = _spec("service")


class _Fleet(Scripted):
    spec = _spec("drs", batch_size=3)


class _Rules(Scripted):
    """Has nothing to do in CLEANUP."""

    spec = _spec("rules")

    def cleanup(self, view: View, run: RunContext) -> list[Step]:
        return skip("rules need no cleaning")


ADAPTERS: Mapping[str, Callable[[Cloud], Scripted]] = {
    "database": _Database,
    "service": _Service,
    "drs": _Fleet,
    "rules": _Rules,
}


# --- who answers, and what the state machines would do ----------------------------------------------------------------


Answers = Callable[[Gate], Choice | None]


def approve(gate: Gate) -> Choice:
    """Approve everything; abort what failed."""
    return Choice.APPROVE if Choice.APPROVE in gate.choices else Choice.ABORT


@dataclass
class Operator:
    """Does what the three machines do, and answers gates; `None` for an answer leaves the run waiting."""

    platform: Platform
    cloud: Cloud
    answers: Answers = approve
    thinks_seconds: float = 60
    asked: list[Gate] = field(default_factory=list)
    repeated_after: tuple[type[Exception], ...] = ()

    def drive(self, run_id: str) -> Run:
        """Move the run until it ends or waits for an answer that does not come; return it."""
        for _ in range(200):
            move = moving.decide_next(self.platform, run_id)
            if isinstance(move, Finish):
                ending.finish(self.platform, run_id)
                return self.platform.ledger.run(run_id)
            if isinstance(move, Ask) and not self._answered(run_id, move):
                return self.platform.ledger.run(run_id)
            if isinstance(move, RunStage):
                self.stage(run_id, move.stage.stage_id)
        raise AssertionError("the run goes round in circles")

    def _answered(self, run_id: str, move: Ask) -> bool:
        gate = gates.ask_with_token(self.platform.ledger, self.cloud.clock, run_id, move.gate_id, "token")
        self.asked.append(gate)
        choice = self.answers(gate)
        if choice is None:
            return False
        self.cloud.clock.advance(self.thinks_seconds)
        answer = gates.Answer(choice, "kim@example.com", "looks right")
        while True:
            try:
                gates.decide(self.platform.ledger, self.cloud.clock, run_id, move.gate_id, answer)
            except self.repeated_after:
                continue  # the machine calls a function that died again, with the same answer
            return True

    def stage(self, run_id: str, stage_id: str) -> Stage:
        """Run one stage: groups one after another, health, close."""
        for group in stages.start_stage(self.platform, run_id, stage_id):
            waiting = [str(item["ActionId"]) for item in json.loads(self.platform.blobs.get(group.key))]
            self.advance(run_id, stage_id, waiting)
        while not (health := stages.check_health(self.platform, run_id, stage_id)).settled:
            self.cloud.clock.advance(health.wait_seconds)
        stages.close_stage(self.platform, run_id, stage_id)
        return self.platform.ledger.stage(run_id, stage_id)

    def advance(self, run_id: str, stage_id: str, action_ids: Sequence[str], ticks: int = 500) -> None:
        """Advance actions side by side until all have ended."""
        waiting = list(action_ids)
        for _ in range(ticks):
            ticked = {each: self.platform.engine.advance(run_id, stage_id, each) for each in waiting}
            waiting = [each for each, tick in ticked.items() if not tick.done]
            if not waiting:
                return
            self.cloud.clock.advance(max(1, min(ticked[each].wait_seconds for each in waiting)))
        raise AssertionError(f"never ended: {waiting}")


# --- single records ---------------------------------------------------------------------------------------------------


def a_run(run_id: str = "run-1", **changes: Any) -> Run:
    """Return a run as the ledger keeps it."""
    base: dict[str, Any] = {
        "run_id": run_id,
        "scope": SCOPE,
        "operation": Operation.FAILOVER,
        "mode": Mode.PLANNED,
        "approval": Approval.REQUIRED,
        "source_region": SOURCE,
        "target_region": TARGET,
        "primary_region": SOURCE,
        "dr_region": TARGET,
        "execution_arn": f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{run_id}",
        "requester": "kim",
        "created_at": START,
    }
    return Run(**{**base, **changes})


def a_stage(index: int = 1, phase: Phase = Phase.ACTIVATE, wave: int = 1, **changes: Any) -> Stage:
    """Return a stage."""
    base: dict[str, Any] = {
        "run_id": "run-1",
        "stage_id": f"{index:02d}-{phase}-w{wave}",
        "index": index,
        "phase": phase,
        "wave": wave,
        "groups": ((f"{phase}.database-orders",),),
    }
    return Stage(**{**base, **changes})


def an_action(phase: Phase = Phase.ACTIVATE, target_id: str = "database-orders", **changes: Any) -> Action:
    """Return an action."""
    base: dict[str, Any] = {
        "run_id": "run-1",
        "stage_id": f"01-{phase}-w1",
        "action_id": f"{phase}.{target_id}",
        "target_id": target_id,
        "adapter": "database",
        "strategy": "switch",
        "phase": phase,
        "wave": 1,
        "priority": Priority.MEDIUM,
        "resource_ids": ("database/orders",),
    }
    return Action(**{**base, **changes})


def a_gate(kind: GateKind = GateKind.PLAN, gate_id: str = "g-1", **changes: Any) -> Gate:
    """Return an open gate."""
    base: dict[str, Any] = {
        "run_id": "run-1",
        "gate_id": gate_id,
        "kind": kind,
        "question": "Go on?",
        "choices": (Choice.APPROVE, Choice.REJECT),
        "opened_at": START,
    }
    return Gate(**{**base, **changes})


def obstacle_failed(name: str, step: str, reason: str = "AWS says failed") -> Step:
    """Return a step that failed for one resource of the scripted technology."""
    return failed(step, f"{name}: {reason}", f"repair {name}", members=(name,))


def obstacle_blocked(step: str) -> Step:
    """Return a step that is blocked for the whole action."""
    return blocked(step, "the source still takes writes", "stop the application first")
