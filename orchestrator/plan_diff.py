"""What a plan would do otherwise than an earlier one of the same scope. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from orchestrator.plan import Plan, PlannedStep


def differences(old: Plan, new: Plan) -> list[str]:
    """Return a line for everything that would be done otherwise; empty when the two do the same."""
    return [*_heads(old, new), *_members(old, new), *_places(old, new), *_calls(old, new)]


def _heads(old: Plan, new: Plan) -> Iterator[str]:
    for name in ("operation", "mode", "order", "source_region", "target_region"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{name}: {before} -> {after}"


def _members(old: Plan, new: Plan) -> Iterator[str]:
    before, after = _moved(old), _moved(new)
    yield from (f"{each}: no longer moved ({new.excluded.get(each, 'not found')})" for each in sorted(before - after))
    yield from (f"{each}: new" for each in sorted(after - before))


def _moved(plan: Plan) -> set[str]:
    return {member.resource_id for target in plan.targets for member in target.members}


def _places(old: Plan, new: Plan) -> Iterator[str]:
    """Yield what is moved in another wave, by another strategy, or of which the inventory knows other facts."""
    before, after = _facts(old), _facts(new)
    for name in sorted(before.keys() & after.keys()):
        for field in sorted({*before[name], *after[name]}):
            was, will = before[name].get(field, "nothing"), after[name].get(field, "nothing")
            if was != will:
                yield f"{name}: {field}: {was} -> {will}"


def _facts(plan: Plan) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for action in plan.actions:
        for resource in action.resource_ids:
            found[resource] = {"wave": str(action.wave), "strategy": action.strategy, "priority": action.priority}
    for target in plan.targets:
        for member in target.members:
            facts = found.setdefault(member.resource_id, {})
            facts |= {f"setting {key}": json.dumps(value) for key, value in member.settings.items()}
            for side in (member.source, member.target):
                facts |= {f"{side.region} {key}": json.dumps(value) for key, value in side.facts.items()}
                facts[f"{side.region} id"] = side.id
    return found


def _calls(old: Plan, new: Plan) -> Iterator[str]:
    before = {action.action_id: action for action in old.actions}
    for action in new.actions:
        if action.action_id not in before:
            continue
        were, will = _made(before[action.action_id].steps), _made(action.steps)
        for line in [each for each in were if each not in will]:
            yield f"{action.action_id}: no longer {line}"
        for line in [each for each in will if each not in were]:
            yield f"{action.action_id}: now {line}"


def _made(steps: tuple[PlannedStep, ...]) -> list[str]:
    return [
        f"{step.name}: {step.call.service}.{step.call.operation} in {step.call.account}/{step.call.region} ({step.effect})"
        for step in steps
        if step.call
    ]
