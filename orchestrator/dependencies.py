"""What must come before what: dependencies between the resources of a plan, and the turn each gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from orchestrator import tags as tag_rules
from orchestrator.inventory import Resource

DISABLED = "dr:enabled is false"
BROKEN = "has problems of its own"


@dataclass(frozen=True)
class Item:
    """A resource that will be moved, with the meaning of its tags."""

    resource: Resource
    tags: tag_rules.DrTags
    strategy: str

    @property
    def id(self) -> str:
        """Return the resource's id."""
        return self.resource.resource_id


def dependencies_of(
    items: Sequence[Item], resources: Iterable[Resource], excluded: Mapping[str, str]
) -> tuple[dict[str, set[str]], list[str]]:
    """Return what each resource needs, and every dependency that cannot be kept."""
    left_out = {name: excluded.get(r.resource_id, BROKEN) for r in resources for name in _names(r)}
    by_name: dict[str, list[Item]] = {}
    for item in items:
        for name in _names(item.resource):
            by_name.setdefault(name, []).append(item)
    graph: dict[str, set[str]] = {item.id: set() for item in items}
    problems: list[str] = []
    for item in items:
        for name in item.tags.dependencies:
            found = by_name.get(name, [])
            problems += _unkept(item, name, found, left_out)
            for needed in found:
                if needed.tags.wave > item.tags.wave:
                    problems.append(
                        f"{item.id} (wave {item.tags.wave}) depends on {needed.id}, "
                        f"which comes later (wave {needed.tags.wave})"
                    )
                elif needed.id != item.id:
                    graph[item.id].add(needed.id)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        problems.append(f"dependencies form a cycle: {' -> '.join(err.args[1])}")
    return graph, problems


def _names(resource: Resource) -> set[str]:
    """Return what `dr:dependencies` may call a resource."""
    return {resource.name, resource.resource_id}


def _unkept(item: Item, name: str, found: Sequence[Item], left_out: Mapping[str, str]) -> list[str]:
    """Return the problem of a dependency on nothing, on itself, or on what will stay where it is.

    A resource of a wave that was not asked for is taken to be moved already; one with problems of its own is
    reported for those.
    """
    if [needed.id for needed in found] == [item.id]:
        return [f"{item.id}: dr:dependencies names the resource itself"]
    if found or left_out.get(name, DISABLED) != DISABLED:
        return []
    why = f"will not be moved ({DISABLED})" if name in left_out else "is not in the scope"
    return [f'{item.id}: dr:dependencies names "{name}", which {why}']


def levels_of(items: Sequence[Item], graph: Mapping[str, set[str]]) -> dict[str, tuple[int, int]]:
    """Return for each resource (priority rank, dependency depth); what a resource needs is at least as urgent as it."""
    by_id = {item.id: item for item in items}
    ranks = {item.id: item.tags.priority.rank for item in items}
    depths = dict.fromkeys(ranks, 0)
    sequence = list(TopologicalSorter(graph).static_order())
    for needy in reversed(sequence):
        for needed in graph[needy]:
            if by_id[needed].tags.wave == by_id[needy].tags.wave:
                ranks[needed] = min(ranks[needed], ranks[needy])
    for needy in sequence:
        for needed in graph[needy]:
            if by_id[needed].tags.wave == by_id[needy].tags.wave:
                depths[needy] = max(depths[needy], depths[needed] + 1)
    return {name: (ranks[name], depths[name]) for name in ranks}
