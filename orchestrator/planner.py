"""The planner: inventory and request in, stages out. Pure; every problem is listed, never only the first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

from orchestrator import tags as tag_rules
from orchestrator.batching import demands_of, reasons, split
from orchestrator.contract import TOGETHER, Adapter
from orchestrator.dependencies import DISABLED, Item, dependencies_of, levels_of
from orchestrator.errors import ValidationError
from orchestrator.inventory import Resource, Snapshot
from orchestrator.judgement import action_id_of
from orchestrator.plan import Plan, PlannedAction, PlannedStage
from orchestrator.request import Request
from orchestrator.spec import Spec
from orchestrator.targets import PlannedMember, PlannedTarget
from orchestrator.words import LIFECYCLE, Mode, Order, Phase, Priority

PHASES = {
    Mode.PLANNED: LIFECYCLE,
    Mode.EMERGENCY: (Phase.ACTIVATE,),
    Mode.DRILL: (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP),
}
DEFERRED = {Mode.PLANNED: (), Mode.EMERGENCY: (Phase.CLEANUP, Phase.REPLICATE), Mode.DRILL: ()}

STAGE_BYTES = 380_000
"""What the names of a stage's actions may take together: DynamoDB takes 400 KB in one item."""
STAGE_GROUPS = 1_000
"""Groups whose places a state of Step Functions holds together (256 KB), a bucket, a key and a number each."""
OF_A_NAME = 2
"""Bytes a name in a list takes beside its characters, generously."""
FORWARD = {Phase.INSTANTIATE, Phase.ACTIVATE}
"""Phases in which a resource waits for what it depends on; quieting the source side needs no such order."""

FindAdapter = Callable[[str], Adapter[Any]]


def build(request: Request, snapshot: Snapshot, adapter: FindAdapter, past: Mapping[str, float] | None = None) -> Plan:
    """Return the plan without previews; raise `ValidationError` with every problem of the scope's resources.

    `past` maps action ids to the minutes they took before; without it the adapter's typical figure is expected.
    """
    items, excluded, problems = _select(request, snapshot.resources, adapter)
    dependencies, more = dependencies_of(items, snapshot.resources, excluded)
    problems += more
    if problems:
        raise ValidationError(
            f"{len(problems)} problem(s) in scope {snapshot.scope}: {'; '.join(problems)}.",
            "correct the tags, then: dr plan",
            code="BadScope",
        )
    if not items:
        raise ValidationError(
            f"nothing to do: of {len(snapshot.resources)} resource(s) in scope {snapshot.scope} none is enabled "
            "in the chosen waves.",
            "check dr:enabled, dr:wave and Waves.",
            code="EmptyScope",
        )
    levels = levels_of(items, dependencies)
    targets, places = _batches(items, levels, request, adapter)
    order, reason = _order(request, items)
    phases = _phases(request)
    stages, actions = _stages(
        order, phases, targets, places, _needs(targets, places, dependencies), adapter, past or {}, request.mode
    )
    _refuse_crowded(stages)
    return Plan(
        scope=snapshot.scope,
        operation=request.Operation,
        mode=request.mode,
        order=order,
        order_reason=reason,
        source_region=request.source_region,
        target_region=request.target_region,
        stages=stages,
        actions=actions,
        targets=tuple(targets),
        deferred=DEFERRED[request.mode],
        excluded=excluded,
        remarks=snapshot.remarks,
        inventory_taken_at=snapshot.taken_at,
    )


def _refuse_crowded(stages: Sequence[PlannedStage]) -> None:
    """Raise `ValidationError` for a wave of more than the ledger keeps in one record, or a state machine in one state."""
    crowded = {
        stage.wave: count
        for stage in stages
        for names in [[name for group in stage.groups for name in group]]
        for count in [len(names)]
        if sum(len(name) + OF_A_NAME for name in names) > STAGE_BYTES
    }
    if crowded:
        told = ", ".join(f"wave {wave} holds {count} actions" for wave, count in sorted(crowded.items()))
        raise ValidationError(
            f"{told}, more than the ledger keeps of one stage ({STAGE_BYTES:,} bytes of names).",
            "spread them over several waves (dr:wave), then: dr plan",
            code="BadScope",
        )
    slow = {stage.wave: len(stage.groups) for stage in stages if len(stage.groups) > STAGE_GROUPS}
    if slow:
        told = ", ".join(f"wave {wave} needs {count}" for wave, count in sorted(slow.items()))
        raise ValidationError(
            f"{told} groups of actions one after another, at most {STAGE_GROUPS:,} can be followed; "
            "dependencies and AWS's quotas leave no fewer.",
            "spread them over several waves (dr:wave), then: dr plan",
            code="BadScope",
        )


def _phases(request: Request) -> tuple[Phase, ...]:
    possible = PHASES[request.mode]
    chosen = tuple(p for p in possible if request.Phases is None or p in request.Phases)
    if not chosen:
        raise ValidationError(
            f"nothing to do: {request.mode} runs have the phases {', '.join(possible)}, "
            f"asked for was only {', '.join(request.Phases or ())}.",
            "leave Phases out, or run the other phases in a planned run.",
            code="NoPhase",
        )
    return (*chosen, Phase.DECOMMISSION) if request.Decommission else chosen


def _select(
    request: Request, resources: Iterable[Resource], adapter: FindAdapter
) -> tuple[list[Item], dict[str, str], list[str]]:
    items: list[Item] = []
    excluded: dict[str, str] = {}
    resources = sorted(resources, key=lambda r: r.resource_id)
    names = Counter(resource.resource_id for resource in resources)
    problems = [f"{name}: {count} resources have this name, expected one" for name, count in names.items() if count > 1]
    for resource in resources:
        if _disabled(resource):
            excluded[resource.resource_id] = DISABLED
            continue
        spec = adapter(resource.adapter).spec
        strategies = [s.name for s in spec.strategies]
        meaning, wrong = tag_rules.read(resource.tags, strategies)
        wrong += tag_rules.conflicts({region: side.tags for region, side in resource.sides.items()})
        wrong += _foreign(request, resource)
        if meaning is not None and not wrong and request.Waves is not None and meaning.wave not in request.Waves:
            excluded[resource.resource_id] = f"wave {meaning.wave} was not asked for"
            continue
        lonely = _lonely(request, resource, spec)
        if lonely and not wrong and request.mode is Mode.EMERGENCY:
            excluded[resource.resource_id] = lonely  # what cannot be moved must not keep the others
            continue
        strategy = (meaning.strategy if meaning else None) or resource.strategy or spec.default_strategy
        if meaning is not None and strategy is None:
            wrong.append(
                "the strategy cannot be told from the resource; "
                f"set dr:recovery-strategy to one of {', '.join(strategies)}"
            )
        wrong += [lonely] if lonely else []
        problems += [f"{resource.resource_id}: {problem}" for problem in wrong]
        if meaning is not None and strategy is not None and not wrong:
            items.append(Item(resource, meaning, strategy))
    return items, excluded, problems


def _lonely(request: Request, resource: Resource, spec: Spec) -> str:
    """Return why a resource cannot be moved for want of a counterpart, or an empty string."""
    missing = [r for r in (request.source_region, request.target_region) if resource.side(r) is None]
    if not missing:
        return ""
    where = ", ".join(sorted(resource.sides))
    command = spec.stand_in_command.format(name=resource.name, region=missing[0])
    made = f"; to have one made there: {command}" if command else ""
    return f"has no counterpart in {' and '.join(missing)}; it was found only in {where}{made}"


def _disabled(resource: Resource) -> bool:
    """Say whether every side that is tagged says so; one that disagrees is a conflict, not an exclusion."""
    said = {side.tags[tag_rules.ENABLED] for side in resource.sides.values() if tag_rules.ENABLED in side.tags}
    return said == {"false"}


def _foreign(request: Request, resource: Resource) -> list[str]:
    wanted = {tag_rules.CUSTOMER: request.Customer, tag_rules.ENVIRONMENT: request.Environment.value}
    return [
        f'{tag} is "{side.tags[tag]}" in {region}, expected "{value}": a foreign resource stops the run'
        for tag, value in wanted.items()
        for region, side in sorted(resource.sides.items())
        if side.tags.get(tag, value) != value
    ]


@dataclass(frozen=True)
class _Place:
    """Where a target stands in the plan."""

    wave: int
    level: tuple[int, int]
    adapter: str


def _batches(
    items: Sequence[Item], levels: Mapping[str, tuple[int, int]], request: Request, adapter: FindAdapter
) -> tuple[list[PlannedTarget], dict[str, _Place]]:
    def family(item: Item) -> tuple[int, tuple[int, int], str, str, str, str, str]:
        source, target = _sides(item, request)
        accounts = source.account, target.account
        setting = adapter(item.resource.adapter).spec.together_setting
        together = str(item.resource.settings.get(setting) or target.facts.get(TOGETHER, ""))
        return item.tags.wave, levels[item.id], item.resource.adapter, item.strategy, *accounts, together

    targets: list[PlannedTarget] = []
    places: dict[str, _Place] = {}
    for key, group in groupby(sorted(items, key=lambda i: (family(i), i.id)), key=family):
        wave, level, adapter_key, strategy, *_ = key
        size = adapter(adapter_key).spec.batch_size
        batch = list(group)
        for start in range(0, len(batch), size):
            chunk = batch[start : start + size]
            target_id = _target_id(adapter_key, chunk, size, places)
            places[target_id] = _Place(wave, level, adapter_key)
            members = tuple(_planned(item, request) for item in chunk)
            targets.append(PlannedTarget(target_id=target_id, strategy=strategy, members=members))
    return targets, places


def _needs(
    targets: Sequence[PlannedTarget], places: Mapping[str, _Place], dependencies: Mapping[str, set[str]]
) -> dict[str, tuple[str, ...]]:
    """Return for each target the targets of its own wave that must be through first."""
    home = {member.resource_id: target.target_id for target in targets for member in target.members}
    needs: dict[str, tuple[str, ...]] = {}
    for target in targets:
        mine = {home[needed] for member in target.members for needed in dependencies[member.resource_id]}
        wave = places[target.target_id].wave
        needs[target.target_id] = tuple(sorted(t for t in mine if places[t].wave == wave))
    return needs


def _target_id(adapter_key: str, chunk: Sequence[Item], size: int, taken: Mapping[str, _Place]) -> str:
    name = chunk[0].resource.name if size == 1 else f"batch-w{chunk[0].tags.wave}-{chunk[0].resource.name}"
    base = f"{adapter_key}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"[:70]
    if base not in taken:
        return base
    return next(name for number in count(2) if (name := f"{base}-{number}") not in taken)


def _sides(item: Item, request: Request) -> tuple[Any, Any]:
    return item.resource.side(request.source_region), item.resource.side(request.target_region)


def _planned(item: Item, request: Request) -> PlannedMember:
    source, target = _sides(item, request)
    return PlannedMember(
        resource_id=item.id,
        name=item.resource.name,
        source=source,
        target=target,
        tags=item.resource.tags,
        settings=item.resource.settings,
    )


def _order(request: Request, items: Sequence[Item]) -> tuple[Order, str]:
    if request.Mode is not None:
        return request.Mode, "asked for in the request"
    if all(item.resource.adapter == "drs" for item in items):
        return Order.WAVE, "every resource is a DRS server"
    return Order.LIFECYCLE, "the scope holds more than DRS servers"


def _stages(
    order: Order,
    phases: Sequence[Phase],
    targets: Sequence[PlannedTarget],
    places: Mapping[str, _Place],
    needs: Mapping[str, tuple[str, ...]],
    adapter: FindAdapter,
    past: Mapping[str, float],
    mode: Mode,
) -> tuple[tuple[PlannedStage, ...], tuple[PlannedAction, ...]]:
    waves = sorted({place.wave for place in places.values()})
    pairs = (
        [(p, w) for p in phases for w in waves] if order is Order.LIFECYCLE else [(p, w) for w in waves for p in phases]
    )
    pairs.sort(key=lambda pair: pair[0] is Phase.DECOMMISSION)  # whatever the order, nothing is deleted before the end
    stages: list[PlannedStage] = []
    actions: list[PlannedAction] = []
    for index, (phase, wave) in enumerate(pairs, start=1):
        stage_id = f"{index:02d}-{phase}-w{wave}"
        mine = sorted((t for t in targets if places[t.target_id].wave == wave), key=lambda t: places[t.target_id].level)
        groups: list[tuple[str, ...]] = []
        minutes = 0.0
        splits: list[str] = []
        for _, level in groupby(mine, key=lambda t: places[t.target_id].level):
            by_id = {target.target_id: target for target in level}
            demands = {
                name: demands_of(adapter(places[name].adapter).spec, target, phase, mode)
                for name, target in by_id.items()
            }
            splits += reasons(demand for each in demands.values() for demand in each)
            for group in split(demands):
                planned = [
                    _action(by_id[name], places[name], phase, stage_id, needs[name], adapter, past) for name in group
                ]
                actions += planned
                groups.append(tuple(action.action_id for action in planned))
                minutes += max(action.expected_minutes for action in planned)
        stages.append(
            PlannedStage(
                stage_id=stage_id,
                index=index,
                phase=phase,
                wave=wave,
                groups=tuple(groups),
                expected_minutes=minutes,
                splits=tuple(splits),
            )
        )
    return tuple(stages), tuple(actions)


def _action(
    target: PlannedTarget,
    place: _Place,
    phase: Phase,
    stage_id: str,
    needs: tuple[str, ...],
    adapter: FindAdapter,
    past: Mapping[str, float],
) -> PlannedAction:
    strategy = adapter(place.adapter).spec.strategy(target.strategy)
    action_id = action_id_of(phase, target.target_id)
    return PlannedAction(
        action_id=action_id,
        stage_id=stage_id,
        target_id=target.target_id,
        adapter=place.adapter,
        strategy=target.strategy,
        phase=phase,
        wave=place.wave,
        priority=list(Priority)[place.level[0]],
        resource_ids=tuple(member.resource_id for member in target.members),
        expected_minutes=past.get(action_id, strategy.typical_minutes.get(phase, 0.0)),
        needs=tuple(action_id_of(phase, needed) for needed in needs) if phase in FORWARD else (),
    )
