"""One run of one adapter through the real engine, watched closely, and interrupted wherever it can be.

The run itself is never disturbed: at each point where a function could die, a copy of the process (see `forks`) dies
there, goes on as the state machine would, and reports how the phase ended for it. Time jumps to the next thing that AWS
will do, because nothing can be seen before.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pydantic import JsonValue

from localaws.services.fsx.models import Shelf
from localaws.services.resource_explorer_2.collect import collect
from localaws.world import LoggedCall
from orchestrator import planning, stages, stocktaking
from orchestrator.context import run_context
from orchestrator.contract import Adapter, Call, Reader, RunContext, Target
from orchestrator.decisions import reset, roll_back
from orchestrator.engine import SETTLE_SECONDS, Engine, Session, Tick
from orchestrator.errors import UnreachableError
from orchestrator.ledger.records import Action, FindingRecord, Run, Scope, Stage, StepRecord
from orchestrator.plan import Plan, load_plan
from orchestrator.platform import Platform
from orchestrator.tags import STRATEGY
from orchestrator.targets import load_target
from orchestrator.words import ActionStatus, Mode, Operation, Phase, Side, StageStatus
from tests.contract.forks import Copies
from tests.contract.sight import Eye, Seen, is_no_copy, names_in, of, production
from tests.support.driver import APPS, HUB, SCOPE, SOURCE, TARGET, World
from tests.support.shortcut import only_directly

TWIN = Scope(customer="CustomerY", environment=SCOPE.environment)
MAX_TICKS = 400
AFTER_A_DEATH_SECONDS = 5
"""What the state machine waits before it calls a function again that died."""
LONGEST_JUMP_SECONDS = 1200
SHORTEST_JUMP_SECONDS = SETTLE_SECONDS + 30
CONTROL_PLANES = ("route53", "iam", "organizations")


class Interrupted(BaseException):
    """The function died: time-out, crash, lost network. Nothing in the product may catch this."""


@dataclass(frozen=True)
class Change:
    """A change as it was made, or foreseen."""

    operation: str
    side: str
    account: str
    region: str


@dataclass(frozen=True)
class Ending:
    """How a phase ended: outcome, what was changed, what AWS then says."""

    outcome: str
    detail: str
    changes: tuple[Change, ...]
    sight: Seen = ()


@dataclass(frozen=True)
class Undone:
    """How the rollback of a phase ended."""

    outcome: str
    detail: str
    remedy: str
    looks: tuple[tuple[StepRecord, ...], ...]
    refused: tuple[str, ...]
    used: frozenset[tuple[str, str]]

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """Return every step as it was seen at every look."""
        return tuple(step for look in self.looks for step in look)


@dataclass(frozen=True)
class Afterwards:
    """What a copy did when the phase had ended: waited, looked, advanced it once more, rolled it back."""

    sight: Seen
    again: Ending
    undone: Undone | None


@dataclass
class PhaseRecord:
    """What was seen of one phase."""

    phase: Phase
    foreseen: tuple[Change, ...]
    ending: Ending
    action: Action
    stage: Stage
    looks: list[tuple[StepRecord, ...]]
    production: Seen
    made: frozenset[str] = frozenset()
    crashes: Mapping[str, Any] = field(default_factory=dict)
    afterwards: Any = None


@dataclass
class Record:
    """What was seen of one run."""

    case: Any
    run: Run
    plan: Plan
    findings: tuple[FindingRecord, ...]
    ready: bool
    planning: list[LoggedCall]
    calls: list[LoggedCall]
    """In an emergency: since the Region is dark."""
    phases: dict[Phase, PhaseRecord]
    production_before: Seen
    production_after: Seen
    copies_before: Seen
    copies_after: Seen
    twin_before: Seen
    twin_after: Seen
    destructive: tuple[tuple[Change, frozenset[str], frozenset[str]], ...]
    production_names: frozenset[str]
    twin_names: frozenset[str]
    left_over: frozenset[str]
    refused: tuple[str, ...]
    used: frozenset[tuple[str, str]]
    second_run: Any = None


class Stageplay:
    """A world with one adapter's resources, both customers', and everything needed to watch it."""

    def __init__(self, world: World, adapter: Adapter[Any]) -> None:
        self.world = world
        self.adapter = adapter
        self.eye = Eye()
        self.used: set[tuple[str, str]] = set()
        self.numbers = 0
        world.local.after.append(self.eye)
        self._watch_permissions()

    def close(self) -> None:
        """Stop watching; worlds share one embedded AWS."""
        self.world.local.after.remove(self.eye)
        del self.world.local.authorizer._require  # type: ignore[attr-defined]

    def _watch_permissions(self) -> None:
        authorizer = self.world.local.authorizer
        require = authorizer._require

        def watched(identity: Any, service: str, principal: Any, need: Any, region: str) -> None:
            if ":assumed-role/dr-spoke-" in principal.arn:
                self.used.add((principal.arn.split("/")[1].removeprefix("dr-spoke-"), need.action))
            require(identity, service, principal, need, region)

        authorizer._require = watched  # type: ignore[method-assign]

    def twin(self) -> Target:
        """Return the other customer's resources as an action's target."""
        snapshot = stocktaking.refresh(self.world.platform(), TWIN, (SOURCE, TARGET))
        members = tuple(resource.member(SOURCE, TARGET) for resource in snapshot.resources)
        assert members, "the twin of the other customer was not found"
        return Target(snapshot.resources[0].strategy or members[0].tags.get(STRATEGY, ""), members)

    def darken(self, region: str, other: str) -> None:
        """Lose a Region, and every control plane that does not live in the other one."""
        self.world.darken(region)
        if other != "us-east-1":
            for service in CONTROL_PLANES:
                self.world.fault(effect="control-plane-down", service=service)


class Rehearsal:
    """One run."""

    def __init__(self, play: Stageplay, case: Any, *, crashes: bool = True) -> None:
        self.play = play
        self.world = play.world
        self.case = case
        self.crashes = crashes
        self.copies = Copies(begin=partial(only_directly, self.world.local))
        source, target = (TARGET, SOURCE) if case.back else (SOURCE, TARGET)
        self.source, self.target = source, target
        self.platform: Platform = replace(self.world.platform(target), open_session=self._open)
        self._open_real = self.world.platform(target).open_session
        self.dark_since = 0
        self._mortal = False
        self.performed: list[Change] = []
        self.destructive: list[tuple[Change, frozenset[str], frozenset[str]]] = []
        self.looks: list[tuple[StepRecord, ...]] = []
        self._last: dict[str, Action] = {}
        self._watch_ledger()

    # --- the run -----------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """Accept, take the inventory, plan; lose what an emergency loses before that."""
        emergency = self.case.mode is Mode.EMERGENCY
        if emergency:
            stocktaking.refresh(self.platform, SCOPE, (SOURCE, TARGET))
            self.play.darken(self.source, self.target)
            self.dark_since = len(self.world.local.call_log)
        swapped = self.case.mode is Mode.DRILL and self.case.back
        failback = self.case.back and self.case.mode is not Mode.DRILL
        operation = Operation.FAILBACK if failback else Operation.FAILOVER
        request = {
            "Customer": SCOPE.customer,
            "Environment": SCOPE.environment,
            "Operation": Operation.TEST if self.case.mode is Mode.DRILL else operation,
            "PrimaryRegion": TARGET if swapped else SOURCE,
            "DRRegion": SOURCE if swapped else TARGET,
            "Emergency": emergency,
            "Decommission": self.case.decommission,
        }
        self.play.numbers += 1
        run_id = f"{self.case.mode}-{self.play.numbers}"
        arn = f"arn:aws:states:{self.target}:{HUB}:execution:DROrchestrator:{run_id}"
        planning.accept(self.platform, request, arn, run_id, self.world.clock.now())
        stocktaking.take_inventory(self.platform, run_id)
        planning.build_plan(self.platform, run_id)
        self.world.ledger.change_run(run_id, lambda run: run.but(committed=True))
        return run_id

    def run(self) -> Record:
        """Run everything and return what was seen."""
        log = self.world.local.call_log
        emergency = self.case.mode is Mode.EMERGENCY
        twin = self.play.twin()
        twin_before = () if emergency else self._twin(twin)
        begun = len(log)
        run_id = self.start()
        planned = log[begun:]
        run, plan = self.world.ledger.run(run_id), load_plan(self.platform.blobs, run_id)
        before = self._production(run_id)
        copies_before = self._drill_sight(run_id)
        self._tagged(run_id)  # what this loads, no copy of the process loads again
        phases = {stage.phase: self._phase(run_id, stage) for stage in self.world.ledger.stages(run_id)}
        calls = log[self.dark_since or begun :]
        self.world.ledger.unlock(SCOPE, run_id)
        if self.case.mode is Mode.PLANNED and self.crashes and not self.case.decommission:
            self.copies.run("second run", self._whole_run_again)
        return Record(
            case=self.case,
            run=run,
            plan=plan,
            findings=run.findings,
            ready=planning.check_readiness(self.platform, run_id),
            planning=planned,
            calls=calls,
            phases=phases,
            production_before=before,
            production_after=self._production(run_id),
            copies_before=copies_before,
            copies_after=self._drill_sight(run_id),
            twin_before=twin_before,
            twin_after=() if emergency else self._twin(twin),
            destructive=tuple(self.destructive),
            production_names=names_in(self._targets(run_id)),
            twin_names=names_in(twin) - names_in(self._targets(run_id)),
            left_over=self._tagged(run_id),
            refused=tuple(self.world.refusals()),
            used=frozenset(self.play.used),
            second_run=self.copies.gather().get("second run"),
        )

    def _phase(self, run_id: str, stage: Stage) -> PhaseRecord:
        self.performed, self.looks = [], []
        disturbed = self.crashes and (stage.phase is Phase.DECOMMISSION or not self.case.decommission)
        if stage.phase is Phase.DECOMMISSION:
            self.world.ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
        stages.start_stage(self.platform, run_id, stage.stage_id)
        (action,) = self.world.ledger.actions(run_id, stage.stage_id)
        ending = self._ending_in_every_copy(run_id, stage, action.action_id, disturbed=disturbed)
        if disturbed:
            self.copies.run("afterwards", lambda: self._afterwards(run_id, stage, action.action_id))
        made = self._tagged(run_id)
        answers = self.copies.gather()
        afterwards = answers.pop("afterwards", None)
        if isinstance(afterwards, Afterwards):
            ending = replace(ending, sight=afterwards.sight)
        while not (health := stages.check_health(self.platform, run_id, stage.stage_id)).settled:
            self._let_pass(health.wait_seconds)
        stages.close_stage(self.platform, run_id, stage.stage_id)
        return PhaseRecord(
            phase=stage.phase,
            foreseen=self._foreseen(run_id, stage.stage_id),
            ending=ending,
            action=self.world.ledger.action(run_id, action.action_id),
            stage=self.world.ledger.stage(run_id, stage.stage_id),
            looks=self.looks,
            production=self._production(run_id),
            made=made,
            crashes=answers,
            afterwards=afterwards,
        )

    def _ending_in_every_copy(self, run_id: str, stage: Stage, action_id: str, *, disturbed: bool) -> Ending:
        """Run the phase. Only here copies are made that die, and all of them end here."""
        found: Ending | str = "the copy fell out of its phase"
        self._mortal = disturbed
        try:
            self._to_the_end(run_id, stage.stage_id, action_id)
            ending = found = self._ending(run_id, stage, action_id)
            if self.copies.is_copy:
                found = replace(ending, sight=self._settled_sight(run_id, stage.phase))
        except BaseException:
            found = traceback.format_exc()
            raise
        finally:
            self._mortal = False
            if self.copies.is_copy:
                self.copies.answer(found)
        return ending

    def _to_the_end(self, run_id: str, stage_id: str, action_id: str) -> None:
        engine: Engine = self.platform.engine
        for _ in range(MAX_TICKS):
            try:
                tick = engine.advance(run_id, stage_id, action_id)
            except Interrupted:
                tick = Tick(done=False, wait_seconds=AFTER_A_DEATH_SECONDS)
            if tick.done:
                return
            self._let_pass(tick.wait_seconds)
        raise AssertionError(f"{action_id} does not end: {self.world.ledger.action(run_id, action_id).steps}")

    def _let_pass(self, least_seconds: float) -> None:
        jump = min(self.world.seconds_to_next_event(), LONGEST_JUMP_SECONDS)
        self.world.clock.advance(max(least_seconds, SHORTEST_JUMP_SECONDS, jump))

    # --- the other ends of a phase -------------------------------------------------------------------------------------

    def _afterwards(self, run_id: str, stage: Stage, action_id: str) -> Afterwards:
        sight = self._settled_sight(run_id, stage.phase)
        again = self._look_again(run_id, stage, action_id)
        if stage.phase is Phase.DECOMMISSION:  # what is deleted cannot be rolled back, and nobody is offered to
            return Afterwards(sight, again, None)
        return Afterwards(sight, again, self._roll_back(run_id, stage, action_id))

    def _look_again(self, run_id: str, stage: Stage, action_id: str) -> Ending:
        """Advance the finished phase once more, as if it had never been recorded as finished."""
        self.crashes, self.performed = False, []
        ledger = self.world.ledger
        ledger.save_action(reset(ledger.action(run_id, action_id)))
        self._to_the_end(run_id, stage.stage_id, action_id)
        return self._ending(run_id, stage, action_id)

    def _roll_back(self, run_id: str, stage: Stage, action_id: str) -> Undone:
        self.crashes, self.looks = False, []
        ledger = self.world.ledger
        ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(status=StageStatus.FAILED))
        roll_back(ledger, run_id, ledger.stage(run_id, stage.stage_id))
        stages.start_stage(self.platform, run_id, stage.stage_id)
        self._to_the_end(run_id, stage.stage_id, action_id)
        action = ledger.action(run_id, action_id)
        return Undone(
            str(action.outcome),
            action.detail,
            action.remedy,
            tuple(self.looks),
            tuple(self.world.refusals()),
            frozenset(self.play.used),
        )

    def _whole_run_again(self) -> tuple[Change, ...]:
        again = Rehearsal(self.play, self.case, crashes=False)
        again.run()
        return tuple(again.performed_ever)

    @property
    def performed_ever(self) -> list[Change]:
        """Return every change of this run."""
        return self._ever

    # --- what is seen --------------------------------------------------------------------------------------------------

    def _ending(self, run_id: str, stage: Stage, action_id: str) -> Ending:
        action = self.world.ledger.action(run_id, action_id)
        return Ending(str(action.outcome), action.detail, tuple(self.performed))

    def _context(self, run_id: str, phase: Phase) -> tuple[Run, RunContext, Target]:
        """Return what a look without memory needs: nobody remembers what was done, only AWS shows it."""
        run, target = self.world.ledger.run(run_id), self._targets(run_id)
        return run, run_context(run, phase, target, self.world.clock.now()), target

    def _targets(self, run_id: str) -> Target:
        (target_id,) = {each.target_id for each in self.world.ledger.actions(run_id)}
        return load_target(self.platform.blobs, run_id, target_id)

    def _sight(self, run_id: str, phase: Phase) -> Seen:
        return self.play.eye.look(self.play.adapter, self._open_real, *self._context(run_id, phase))

    def _settled_sight(self, run_id: str, phase: Phase) -> Seen:
        """Look when AWS has come to rest: lags, alarms and agents show the past for minutes."""
        self.world.wait(minutes=30)
        return self._sight(run_id, phase)

    def _drill_sight(self, run_id: str) -> Seen:
        """Look at what a drill may have made."""
        return self._sight(run_id, Phase.INSTANTIATE) if self.case.mode is Mode.DRILL else ()

    def _production(self, run_id: str) -> Seen:
        """Look at production on both sides, which no drill may change."""
        if self.case.mode is not Mode.DRILL:
            return ()
        run, context, target = self._context(run_id, Phase.ACTIVATE)
        run, context = production(run, context)
        return self.play.eye.look(self.play.adapter, self._open_real, run, context, target, is_no_copy)

    def _twin(self, twin: Target) -> Seen:
        run = Run.model_construct(
            run_id="looking",
            scope=TWIN,
            mode=Mode.PLANNED,
            operation=Operation.FAILOVER,
            source_region=SOURCE,
            target_region=TARGET,
            requester="a test",
            dry_run=False,
        )
        context = run_context(run, Phase.ACTIVATE, twin, self.world.clock.now())
        return self.play.eye.look(self.play.adapter, self._open_real, run, context, twin, of(twin))

    def _foreseen(self, run_id: str, stage_id: str) -> tuple[Change, ...]:
        plan = load_plan(self.platform.blobs, run_id)
        calls = [step.call for a in plan.actions if a.stage_id == stage_id for step in a.steps if step.call]
        return tuple(
            Change(
                f"{call.service}.{call.operation}", str(call.side), call.account, self._region(call.side, call.region)
            )
            for call in calls
        )

    def _region(self, side: Side, region: str) -> str:
        if side is Side.GLOBAL:
            return "us-east-1"
        return (self.source if side is Side.SOURCE else self.target) if region == "global" else region

    def _tagged(self, run_id: str) -> frozenset[str]:
        """Return the ARN of everything that carries this drill's tag now."""
        if self.case.mode is not Mode.DRILL:
            return frozenset()
        found = {
            r.arn
            for region in (SOURCE, TARGET)
            for r in collect(self.world.local, APPS, region)
            if r.tags.get("dr:drill-id") == run_id and r.service != "ec2"
        }
        found |= self._running_tasks(run_id) | self._in_ec2(run_id) | self._queues(run_id) | self._in_fsx(run_id)
        return frozenset(found | self._indices(run_id) | self._clones(run_id))

    def _queues(self, run_id: str) -> set[str]:
        """Return the address of every queue: that, not its ARN, is what SQS's calls take."""
        found = set()
        for region in (SOURCE, TARGET):
            sqs = self.world.aws("sqs", region)
            for address in sqs.list_queues().get("QueueUrls", []):
                if sqs.list_queue_tags(QueueUrl=address).get("Tags", {}).get("dr:drill-id") == run_id:
                    found.add(address)
        return found

    def _indices(self, run_id: str) -> set[str]:
        """Return the indices of search domains that are named after the drill: they carry no tags."""
        search: Any = self.world.local.service("opensearch")
        beginning = f"drill-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}-"
        places = [place for region in (SOURCE, TARGET) for place in search.places(APPS, region)]
        return {
            f"{place.arn}:/{name}"
            for place in places
            for name in search.state(place).indices
            if name.startswith(beginning)
        }

    def _clones(self, run_id: str) -> set[str]:
        """Return the volumes of ONTAP file systems whose comment names the drill: they carry no tags."""
        fsx: Any = self.world.local.service("fsx")
        return {
            f"{volume.resource_arn}/{fsx.truth(volume)['UUID']}"
            for region in (SOURCE, TARGET)
            for volume in fsx.shelf(APPS, region, Shelf.VOLUMES).values()
            if volume.notes.get("comment") == f"dr:drill-id={run_id}"
        }

    def _in_ec2(self, run_id: str) -> set[str]:
        marked = [{"Name": "tag:dr:drill-id", "Values": [run_id]}]
        found: set[str] = set()
        for region in (SOURCE, TARGET):
            ec2 = self.world.aws("ec2", region)
            found |= {group["GroupId"] for group in ec2.describe_security_groups(Filters=marked)["SecurityGroups"]}
            found |= {volume["VolumeId"] for volume in ec2.describe_volumes(Filters=marked)["Volumes"]}
            machines = [
                each for one in ec2.describe_instances(Filters=marked)["Reservations"] for each in one["Instances"]
            ]
            found |= {each["InstanceId"] for each in machines if each["State"]["Name"] != "terminated"}
        return found

    def _in_fsx(self, run_id: str) -> set[str]:
        """Return the volumes, which Resource Explorer does not list."""
        tag = {"Key": "dr:drill-id", "Value": run_id}
        return {
            volume["ResourceARN"]
            for region in (SOURCE, TARGET)
            for volume in self.world.aws("fsx", region).describe_volumes()["Volumes"]
            if tag in volume.get("Tags", [])
        }

    def _running_tasks(self, run_id: str) -> set[str]:
        found = set()
        for region in (SOURCE, TARGET):
            ecs = self.world.aws("ecs", region)
            for cluster in ecs.list_clusters()["clusterArns"]:
                if arns := ecs.list_tasks(cluster=cluster)["taskArns"]:
                    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"]
                    tag = {"key": "dr:drill-id", "value": run_id}
                    found |= {task["taskArn"] for task in tasks if tag in task.get("tags", [])}
        return found

    # --- where it may die ----------------------------------------------------------------------------------------------

    def _open(self, run: Run, adapter: Adapter[Any], context: RunContext, target: Target) -> Session:
        return _Wire(self._open_real(run, adapter, context, target), self, context)

    def may_die(self, where: str, error: BaseException | None = None) -> None:
        """Let a copy of this process die here, or see the connection cut (`error`), which it can handle."""
        if not self._mortal or self.copies.is_copy:
            return
        if self.copies.fork(where):
            raise error or Interrupted(where)

    def _watch_ledger(self) -> None:
        ledger, self._ever = self.world.ledger, list[Change]()
        save = type(ledger).save_action

        def watched(action: Action) -> Action:
            saved = save(ledger, action)
            self.looks.append(saved.steps)
            before, self._last[action.action_id] = self._last.get(action.action_id), saved
            if self.case.dies_at_saves and self._is_worth_dying_after(before, saved):
                self.may_die(f"after the ledger noted {saved.status} ({len(self.performed)} changes made)")
            return saved

        ledger.save_action = watched  # type: ignore[method-assign]

    def _is_worth_dying_after(self, before: Action | None, saved: Action) -> bool:
        """Between any two of these points nothing is changed anywhere, so one of them stands for the whole stretch."""
        if before is None or before.status is not saved.status:
            return saved.status is not ActionStatus.PENDING
        return before.intent is not None and saved.intent is None


class _Wire:
    """A session that may be cut around each change."""

    def __init__(self, session: Session, owner: Rehearsal, context: RunContext) -> None:
        self._session, self._owner, self._context = session, owner, context

    def reaches(self, side: Side) -> bool:
        return self._session.reaches(side)

    def at(self, side: Side) -> Reader:
        return self._session.at(side)

    def perform(self, call: Call, token: str) -> Mapping[str, JsonValue]:
        owner, reader = self._owner, self._session.at(call.side)
        change = Change(
            f"{call.service}.{call.operation}", str(call.side), reader.account, owner._region(call.side, reader.region)
        )
        number = len(owner.performed) + 1
        if self._context.mode is Mode.DRILL:
            named = frozenset(str(value) for value in values_in(call.params))
            owner.destructive.append((change, named, owner._tagged(self._context.run_id)))
        owner.may_die(f"before change {number}, {change.operation}")
        kept = self._session.perform(call, token)
        owner.performed.append(change)
        owner._ever.append(change)
        owner.may_die(f"after change {number}, {change.operation}")
        if owner.case.dies_at_saves:
            lost = UnreachableError("the answer is lost.")
            owner.may_die(f"in the answer of change {number}, {change.operation}", lost)
        return kept


def values_in(params: Any) -> Sequence[Any]:
    if isinstance(params, Mapping):
        return [each for value in params.values() for each in values_in(value)]
    if isinstance(params, list | tuple):
        return [each for value in params for each in values_in(value)]
    return [params]
