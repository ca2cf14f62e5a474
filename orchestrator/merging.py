"""Tags and manifest together: the manifest wins where both speak, and every difference is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator import tags as tag_rules
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.manifest import Layer, Manifest, ManifestResource, Problem, placed, strings
from orchestrator.references import Reference, Value, filled, located, references_of


@dataclass(frozen=True)
class Merged:
    """An inventory as the manifest wants it moved."""

    snapshot: Snapshot
    differences: tuple[str, ...]
    problems: tuple[Problem, ...]


def joined_by(manifest: Manifest) -> dict[str, str]:
    """Return ARN -> resourceId of everything the manifest names by ARN: what belongs together, whatever it is called."""
    return {arn: resource.resourceId for _, _, resource in placed(manifest) for arn in resource.arns}


def of_other_scope(manifest: Manifest, scope: Scope) -> list[Problem]:
    """Return what says that a manifest is not for a scope."""
    wanted = (
        ("customer", manifest.customer, scope.customer),
        ("environment", manifest.environment.value, scope.environment),
    )
    return [
        Problem(where, f'is "{found}", this run is for "{expected}"', "use the manifest of that scope")
        for where, found, expected in wanted
        if found != expected
    ]


def references_to_resolve(
    manifest: Manifest, snapshot: Snapshot, actions: Mapping[str, str], region: str
) -> set[Reference]:
    """Return the references of all resources, each with the account and Region where it is looked up."""
    return {
        located(reference, account, region)
        for _, _, resource in placed(manifest)
        for one in _match(resource, snapshot, actions)[:1]
        for account in [_account(one, region)]
        for _, text in strings(resource.config)
        for reference in references_of(text)
    }


def merge(
    manifest: Manifest, snapshot: Snapshot, actions: Mapping[str, str], values: Mapping[Reference, Value], region: str
) -> Merged:
    """Return the snapshot with the manifest's waves, order, strategies and settings; `values` fill its references.

    A secret never enters the inventory: settings keep its reference, and whoever needs it reads it.
    """
    waves = manifest.waves
    changed: dict[str, Resource] = {}
    differences: list[str] = []
    problems: list[Problem] = []
    homes = {resource.resourceId: _match(resource, snapshot, actions) for _, _, resource in placed(manifest)}
    sole = {name: found[0] for name, found in homes.items() if len(found) == 1}
    for where, layer, resource in placed(manifest):
        one = sole.get(resource.resourceId)
        if one is None:
            problems.append(_unmatched(where, resource, snapshot, homes[resource.resourceId]))
            continue
        if one.resource_id in changed:
            told = f"is {one.resource_id}, which another entry names already"
            problems.append(Problem(where, told, "remove one of them"))
            continue
        wanted = _tags(layer, resource, waves, sole)
        differences += [
            f'{one.resource_id}: {tag} is "{one.tags[tag]}" by its tag and "{value}" by the manifest, which wins'
            for tag, value in wanted.items()
            if one.tags.get(tag, value) != value
        ]
        own = _own_values(resource, values, _account(one, region), region)
        settings = {key: filled(value, own) for key, value in resource.config.items()}
        changed[one.resource_id] = _with(one, wanted, settings)
    differences += [
        f"{each.resource_id} is tagged for the scope and not in the manifest; it moves as its tags say"
        for each in snapshot.resources
        if each.resource_id not in changed
    ]
    resources = tuple(changed.get(each.resource_id, each) for each in snapshot.resources)
    return Merged(snapshot.model_copy(update={"resources": resources}), tuple(differences), tuple(problems))


def unresolved(manifest: Manifest, missing: Mapping[Reference, str]) -> list[Problem]:
    """Return a problem for every reference that could not be resolved, with its place."""
    why = {reference.text: reason for reference, reason in missing.items()}
    return [
        Problem(f"{where}.config{inside}", f"{each.text}: {why[each.text]}", "create it, or correct the reference")
        for where, _, resource in placed(manifest)
        for inside, text in strings(resource.config)
        for each in references_of(text)
        if each.text in why
    ]


def _own_values(
    resource: ManifestResource, values: Mapping[Reference, Value], account: str, region: str
) -> dict[str, Value]:
    found = {
        each.text: located(each, account, region)
        for _, text in strings(resource.config)
        for each in references_of(text)
    }
    return {text: values[reference] for text, reference in found.items() if reference in values}


def _account(resource: Resource, region: str) -> str:
    side = resource.side(region) or next(iter(resource.sides.values()))
    return side.account


def _match(resource: ManifestResource, snapshot: Snapshot, actions: Mapping[str, str]) -> list[Resource]:
    mine = [each for each in snapshot.resources if each.adapter == actions.get(resource.action)]
    if resource.arns:
        return [each for each in mine if {side.arn for side in each.sides.values()} & set(resource.arns)]
    return [each for each in mine if resource.resourceId in {each.name, each.resource_id}]


def _unmatched(where: str, resource: ManifestResource, snapshot: Snapshot, found: list[Resource]) -> Problem:
    what = f'"{resource.resourceId}" ({resource.action})'
    if found:
        names = ", ".join(each.resource_id for each in found)
        return Problem(where, f"{what} could be {names}", "name the inventory's id, or give its arns")
    others = [each.resource_id for each in snapshot.resources if resource.resourceId in {each.name, each.resource_id}]
    if others:
        return Problem(
            f"{where}.action", f"{what} is {', '.join(others)}, another kind of resource", "correct the action"
        )
    told = f"{what} was not found in {snapshot.scope}"
    remedy = f"tag both sides with {tag_rules.CUSTOMER}, {tag_rules.ENVIRONMENT} and {tag_rules.ENABLED}"
    return Problem(where, told, remedy if not resource.arns else f"{remedy}; look whether the arns exist")


def _tags(
    layer: Layer, resource: ManifestResource, waves: Mapping[str, int], homes: Mapping[str, Resource]
) -> dict[str, str]:
    """Return the tags that the manifest stands for."""
    needed = [homes[name].resource_id if name in homes else name for name in resource.dependsOn]
    wanted = {
        tag_rules.ENABLED: "true",
        tag_rules.WAVE: str(waves[layer.layerId]),
        tag_rules.PRIORITY: resource.priority.value if resource.priority else None,
        tag_rules.STRATEGY: resource.strategy,
        tag_rules.OPTIONAL: None if resource.optional is None else str(resource.optional).lower(),
        tag_rules.DEPENDENCIES: ",".join(needed) or None,
    }
    return {tag: value for tag, value in wanted.items() if value is not None}


def _with(resource: Resource, wanted: Mapping[str, str], settings: Mapping[str, JsonValue]) -> Resource:
    def side(record: SideRecord) -> SideRecord:
        return record.model_copy(update={"tags": {**record.tags, **wanted}})

    sides = {region: side(record) for region, record in resource.sides.items()}
    return resource.model_copy(update={"sides": sides, "settings": {**resource.settings, **settings}})
