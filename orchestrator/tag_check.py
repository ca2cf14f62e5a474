"""Every way the tags of a scope are wrong together: each side's values, both sides of a resource, and the order they ask for.

Pure; works on a snapshot, so that it runs on the hub's inventory and on a file in CI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator import tags as tag_rules
from orchestrator.contract import Adapter
from orchestrator.dependencies import Item, dependencies_of
from orchestrator.inventory import Resource, Snapshot
from orchestrator.words import Severity

FindAdapter = Callable[[str], Adapter[Any]]


class TagFinding(BaseModel):
    """What is wrong with a resource's tags; a warning is followed, and perhaps not meant."""

    model_config = ConfigDict(frozen=True)

    resource_id: str
    severity: Severity
    message: str
    remedy: str


def check(snapshot: Snapshot, adapter: FindAdapter, regions: Sequence[str]) -> list[TagFinding]:
    """Return everything that is wrong, by resource."""
    items: list[Item] = []
    findings: list[TagFinding] = []
    off: dict[str, str] = {}
    for resource in sorted(snapshot.resources, key=lambda each: each.resource_id):
        strategies = [each.name for each in adapter(resource.adapter).spec.strategies]
        findings += _of_sides(resource, strategies, regions)
        meaning, _ = tag_rules.read(resource.tags, strategies)
        if meaning is None:
            continue
        if meaning.enabled:
            items.append(Item(resource, meaning, meaning.strategy or resource.strategy or ""))
        else:
            off[resource.resource_id] = "dr:enabled is false"
    _, wrong = dependencies_of(items, snapshot.resources, off)
    remedy = f"correct {tag_rules.DEPENDENCIES} or {tag_rules.WAVE}"
    findings += [_red(_subject(each, items), each, remedy) for each in wrong]
    return [*findings, *_contradictions(items)]


def _of_sides(resource: Resource, strategies: Sequence[str], regions: Sequence[str]) -> Iterable[TagFinding]:
    name = resource.resource_id
    for _, side in sorted(resource.sides.items()):
        _, problems = tag_rules.read(side.tags, strategies)
        yield from (_red(name, f"{side.arn}: {each}", "correct the tag there") for each in problems)
    for each in tag_rules.conflicts({region: side.tags for region, side in resource.sides.items()}):
        yield _red(name, each, "give both sides the same value")
    for region in regions:
        if resource.side(region) is None:
            there = ", ".join(sorted(resource.sides))
            yield _red(name, f"was found only in {there}, not in {region}", "tag its counterpart there, or create it")


def _contradictions(items: Sequence[Item]) -> Iterable[TagFinding]:
    """Yield what is urgent and waits for something less urgent: that is moved early too, whatever its own tag says."""
    by_name = {name: item for item in items for name in (item.resource.name, item.id)}
    for item in items:
        for name in item.tags.dependencies:
            needed = by_name.get(name)
            if needed and needed.tags.wave == item.tags.wave and needed.tags.priority.rank > item.tags.priority.rank:
                told = (
                    f"{tag_rules.PRIORITY} is {item.tags.priority}, and it depends on {needed.id}, which is only "
                    f"{needed.tags.priority}: that one is moved as {item.tags.priority} too"
                )
                remedy = f"give {needed.id} {tag_rules.PRIORITY}={item.tags.priority}"
                yield TagFinding(resource_id=item.id, severity=Severity.WARNING, message=told, remedy=remedy)


def _subject(problem: str, items: Iterable[Item]) -> str:
    """Return the resource that a problem of the order begins with; the scope when it is about several."""
    return next((item.id for item in items if problem.startswith((f"{item.id}:", f"{item.id} "))), "scope")


def _red(resource_id: str, message: str, remedy: str) -> TagFinding:
    return TagFinding(resource_id=resource_id, severity=Severity.RED, message=message, remedy=remedy)
