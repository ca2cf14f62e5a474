"""The frozen plan: stages, actions, targets, and the preview of every call. Same input, same hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orchestrator.blobs import Blobs
from orchestrator.costs import CostEstimate, estimate
from orchestrator.ledger.records import Action, FindingRecord, Scope, Stage
from orchestrator.tags import RTO
from orchestrator.targets import PlannedTarget, load_target
from orchestrator.words import Effect, Mode, Operation, Order, Phase, Priority, Side, StepState


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedCall(_Frozen):
    """An API call as the preview shows it; values known only later read "<later: ...>"."""

    service: str
    operation: str
    side: Side
    account: str
    region: str
    params: Mapping[str, JsonValue]


class PlannedStep(_Frozen):
    """A step of the preview."""

    name: str
    state: StepState
    effect: Effect
    reason: str
    call: PlannedCall | None = None


class PlannedAction(_Frozen):
    """One adapter, one phase, one batch."""

    action_id: str
    stage_id: str
    target_id: str
    adapter: str
    strategy: str
    phase: Phase
    wave: int
    priority: Priority
    resource_ids: tuple[str, ...]
    expected_minutes: float
    needs: tuple[str, ...] = ()
    """Actions of the same stage that must end well first."""
    steps: tuple[PlannedStep, ...] = ()


class PlannedStage(_Frozen):
    """All actions of one phase and wave; groups one after another, the actions of a group in parallel."""

    stage_id: str
    index: int
    phase: Phase
    wave: int
    groups: tuple[tuple[str, ...], ...]
    expected_minutes: float
    irreversible: bool = False
    splits: tuple[str, ...] = ()
    """Why what could run side by side does not: the quotas of AWS it would exceed."""


class LossStatement(_Frozen):
    """What an emergency would lose of one resource; `seconds` is None when it cannot be read."""

    resource_id: str
    seconds: float | None
    detail: str


class Plan(_Frozen):
    """Ordered stages, frozen before the first change."""

    scope: Scope
    operation: Operation
    mode: Mode
    order: Order
    order_reason: str
    source_region: str
    target_region: str
    stages: tuple[PlannedStage, ...]
    actions: tuple[PlannedAction, ...]
    targets: tuple[PlannedTarget, ...]
    deferred: tuple[Phase, ...] = ()
    excluded: Mapping[str, str] = Field(default_factory=dict)
    """Resource id -> why it is not part of the plan."""
    losses: tuple[LossStatement, ...] = ()
    remarks: tuple[str, ...] = ()
    """Where tags and manifest differ, and what else people should know of the inventory."""
    inventory_taken_at: datetime | None = None
    """How old what the plan is built on is; None in plans of earlier versions."""
    costs: CostEstimate | None = None
    """What the copies of a drill would cost while its lease lasts."""
    undoing: tuple[FindingRecord, ...] = ()
    """What would undo the run while it goes on, or soon after, the gravest first."""

    @property
    def hash(self) -> str:
        """Return the SHA-256 of what will be done to what; the preview's observations do not enter it."""
        essence = {
            "scope": self.scope.key,
            "operation": self.operation,
            "mode": self.mode,
            "order": self.order,
            "regions": [self.source_region, self.target_region],
            "stages": [[s.stage_id, s.groups] for s in self.stages],
            "targets": [t.model_dump(mode="json") for t in self.targets],
        }
        return hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()

    @property
    def expected_minutes(self) -> float:
        """Return the expected machine time of the whole plan."""
        return sum(stage.expected_minutes for stage in self.stages)

    @property
    def critical_path(self) -> tuple[PlannedAction, ...]:
        """Return the actions that make the plan as long as it is: of each group the one expected to take longest."""
        by_id = {action.action_id: action for action in self.actions}
        groups = [[by_id[each] for each in group] for stage in self.stages for group in stage.groups]
        slowest = [max(group, key=lambda action: action.expected_minutes) for group in groups if group]
        return tuple(action for action in slowest if action.expected_minutes)

    def resource_count(self) -> int:
        """Return how many resources the plan moves."""
        return sum(len(target.members) for target in self.targets)

    def with_previews(self, steps: Mapping[str, tuple[PlannedStep, ...]], losses: tuple[LossStatement, ...]) -> Self:
        """Return the plan with each action's steps, and with the stages marked that hold an irreversible one."""
        actions = tuple(a.model_copy(update={"steps": steps.get(a.action_id, ())}) for a in self.actions)
        crossing = {
            a.stage_id
            for a in actions
            for step in a.steps
            if step.effect is Effect.IRREVERSIBLE and step.state is not StepState.DONE
        }
        stages = tuple(s.model_copy(update={"irreversible": s.stage_id in crossing}) for s in self.stages)
        return self.model_copy(update={"actions": actions, "stages": stages, "losses": losses})

    def with_undoing(self, undoing: tuple[FindingRecord, ...]) -> Self:
        """Return the plan with what would undo it."""
        return self.model_copy(update={"undoing": undoing})

    def with_costs(self, minutes: int) -> Self:
        """Return the plan of a drill with what its copies would cost in so many minutes."""
        return self.model_copy(update={"costs": estimate(self.actions, minutes)})

    def ledger_records(self, run_id: str) -> tuple[list[Stage], list[Action]]:
        """Return the plan's stages and actions as the ledger starts them."""
        stages = [
            Stage(
                run_id=run_id,
                stage_id=s.stage_id,
                index=s.index,
                phase=s.phase,
                wave=s.wave,
                groups=s.groups,
                irreversible=s.irreversible,
            )
            for s in self.stages
        ]
        actions = [
            Action(
                run_id=run_id,
                stage_id=a.stage_id,
                action_id=a.action_id,
                target_id=a.target_id,
                adapter=a.adapter,
                strategy=a.strategy,
                phase=a.phase,
                wave=a.wave,
                priority=a.priority,
                resource_ids=a.resource_ids,
                needs=a.needs,
            )
            for a in self.actions
        ]
        return stages, actions


def rto_target_minutes(plan: Plan) -> int | None:
    """Return the tightest `dr:rto-target` of the plan's resources, in minutes."""
    tags = [member.tags.get(RTO, "") for target in plan.targets for member in target.members]
    return min((int(minutes) for minutes in tags if minutes), default=None)


def altered_since_frozen(blobs: Blobs, run_id: str, plan_hash: str | None, target_ids: Iterable[str]) -> str:
    """Return what of a frozen plan, or of the batches it acts on, is not as it was approved; empty when all is."""
    plan = load_plan(blobs, run_id)
    if plan.hash != plan_hash:
        return f"the plan's hash is {plan.hash[:12]}, frozen and approved was {(plan_hash or 'none')[:12]}"
    frozen = {each.target_id: each.target() for each in plan.targets}
    changed = [each for each in target_ids if load_target(blobs, run_id, each) != frozen.get(each)]
    return f"what {', '.join(changed)} act on is not what the plan says" if changed else ""


def plan_key(run_id: str) -> str:
    """Return where a run's plan is kept."""
    return f"runs/{run_id}/plan.json"


def script_key(run_id: str) -> str:
    """Return where a run's break-glass script is kept."""
    return f"runs/{run_id}/break-glass.sh"


def save_plan(blobs: Blobs, run_id: str, plan: Plan) -> str:
    """Keep a plan; return its key."""
    blobs.put(plan_key(run_id), plan.model_dump_json(indent=1).encode())
    return plan_key(run_id)


def load_plan(blobs: Blobs, run_id: str) -> Plan:
    """Return a run's plan; raise `NotFoundError` before it is built."""
    return Plan.model_validate_json(blobs.get(plan_key(run_id)))
