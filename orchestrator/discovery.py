"""Find the resources of a scope: sources say where, adapters re-describe, ghosts are dropped, sides are paired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from orchestrator.asking import ask_all
from orchestrator.contract import Adapter, Found, Reader
from orchestrator.errors import DrError, ValidationError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.manifest import Manifest, placed
from orchestrator.sightings import Sightings, with_ghosts
from orchestrator.sources import Hit, Spot
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT

SHARE = 20
"""Objects that are described one after the other; more are shared out, to be looked at side by side."""


@dataclass(frozen=True)
class Place:
    """Where an adapter looks: one account and Region, and the ARNs found there (none: it lists by itself)."""

    adapter: str
    account: str
    region: str
    arns: tuple[str, ...]


OpenReader = Callable[[str, str, str], Reader]
"""(account, region, technology) -> reader in that spoke."""


def named(manifest: Manifest, actions: Mapping[str, str]) -> list[Place]:
    """Return where lies what a manifest names by ARN, whatever its tags show elsewhere."""
    found: list[Place] = []
    for _, _, resource in placed(manifest):
        for arn in resource.arns:
            account, region = arn.split(":")[4], arn.split(":")[3]
            if resource.action in actions:
                found.append(Place(actions[resource.action], account, region, (arn,)))
    return found


def places(
    hits: Iterable[Hit],
    adapters: Sequence[Adapter[Any]],
    accounts: Iterable[str],
    regions: Sequence[str],
    named: Iterable[Place] = (),
    explored: frozenset[Spot] | None = None,
) -> list[Place]:
    """Return where which adapter must look, also for what a manifest names; raise `ValidationError` for a tagged type that
    no adapter knows. Where Resource Explorer has not `explored`, adapters that can list by themselves do so as well.
    """
    wanted: dict[tuple[str, str, str], list[str]] = {}
    unknown: list[str] = []
    companions = {kind for each in adapters for kind in each.spec.companion_types}
    for hit in hits:
        mine = [
            each.spec
            for each in adapters
            if hit.resource_type in (*each.spec.resource_types, *each.spec.stand_in_types)
        ]
        if not mine and hit.resource_type not in companions:
            unknown.append(f"{hit.arn} ({hit.resource_type})")
        for spec in mine:
            region = regions[0] if spec.global_service else hit.region
            wanted.setdefault((spec.key, hit.account, region), []).append(hit.arn)
    if unknown:
        raise ValidationError(
            f"no adapter knows the type of {len(unknown)} tagged resource(s): {', '.join(sorted(unknown)[:10])}.",
            f"remove {ENABLED} from them or set it on the resource they belong to.",
            code="UnknownType",
        )
    for place in named:
        wanted.setdefault((place.adapter, place.account, place.region), []).extend(place.arns)
    seen_accounts = sorted({*accounts, *(account for _, account, _ in wanted)})
    alone: list[Place] = []
    for each in adapters:
        for account in seen_accounts if each.spec.native_listing else ():
            for region in regions:
                key = (each.spec.key, account, region)
                if wanted.setdefault(key, []) and explored is not None and (account, region) not in explored:
                    alone.append(Place(*key, arns=()))
    apart = {each.spec.key for each in adapters if each.spec.found_apart}
    found = [*alone, *(each for key, arns in wanted.items() for each in _shares(key, arns, apart=key[0] in apart))]
    return sorted(found, key=lambda each: (each.account, each.region, each.adapter, each.arns))


def _shares(key: tuple[str, str, str], arns: Iterable[str], *, apart: bool) -> list[Place]:
    """Return one place, or several where a technology's objects need not be looked at together."""
    mine = sorted(set(arns))
    size = SHARE if apart else len(mine) or 1
    return [Place(*key, arns=tuple(mine[start : start + size])) for start in range(0, len(mine) or 1, size)]


def take(
    scope: Scope,
    at: datetime,
    where: Sequence[Place],
    adapter: Callable[[str], Adapter[Any]],
    open_reader: OpenReader,
    joined: Mapping[str, str] | None = None,
    sightings: Sightings | None = None,
) -> Snapshot:
    """Re-describe everything in parallel over accounts and return the paired inventory of the scope.

    `joined` maps ARNs to the name of the resource that a manifest makes of them.
    """
    found: list[tuple[str, Found]] = []
    missing: dict[str, str] = dict(sightings.missing) if sightings else {}
    asked: set[str] = set()
    for place, answer in ask_all(
        where,
        lambda place: place.region,
        lambda place: adapter(place.adapter).discover(
            open_reader(place.account, place.region, place.adapter), place.arns
        ),
    ):
        if isinstance(answer, DrError):
            missing[f"{place.account}/{place.region}/{place.adapter}"] = str(answer)
        else:
            asked |= set(place.arns)
            found += [(place.adapter, _joined(each, joined or {})) for each in answer]
    answered = {each.place.arn for _, each in found if not each.claim}
    kept = [(key, each) for key, each in found if not (each.claim and each.place.arn in answered)]
    told = with_ghosts(sightings, (each.place.arn for _, each in found), asked) if sightings else []
    return Snapshot(
        scope=scope,
        taken_at=at,
        resources=tuple(pair(scope, kept)),
        missing_accounts=missing,
        findings=tuple(told),
    )


def _joined(found: Found, joined: Mapping[str, str]) -> Found:
    name = joined.get(found.place.arn)
    return found if name is None else replace(found, pair_key=f"manifest:{name}", name=name)


def pair(scope: Scope, found: Iterable[tuple[str, Found]]) -> list[Resource]:
    """Join what belongs together into resources with two sides. An object of another scope drops out. Pure."""
    grouped: dict[tuple[str, str], list[Found]] = {}
    for adapter_key, each in found:
        if _in_scope(scope, each.tags):
            grouped.setdefault((adapter_key, each.pair_key), []).append(each)
    return _distinct(
        [_resource(adapter_key, each) for (adapter_key, _), group in sorted(grouped.items()) for each in _apart(group)]
    )


def _apart(group: Sequence[Found]) -> list[list[Found]]:
    """Return what belongs together: of one name in several accounts, the sides of each account, when all sides of all
    accounts could not be one resource.
    """
    by_region: dict[str, set[str]] = {}
    by_account: dict[str, list[Found]] = {}
    for each in group:
        by_account.setdefault(each.place.account, []).append(each)
        if not each.counterpart:
            by_region.setdefault(each.place.region, set()).add(each.place.arn)
    crowded = any(len(arns) > 1 for arns in by_region.values())
    return [found for _, found in sorted(by_account.items())] if crowded else [list(group)]


def _distinct(resources: list[Resource]) -> list[Resource]:
    """Tell resources of the same name in several accounts apart by their account; raise when that is not enough."""
    names = Counter(each.resource_id for each in resources)
    told = [each if names[each.resource_id] == 1 else _with_account(each) for each in resources]
    twice = [name for name, times in Counter(each.resource_id for each in told).items() if times > 1]
    if twice:
        raise ValidationError(
            f"several resources are called {', '.join(twice)}, expected one of each name in an account.",
            "rename one of them, or take the dr:* tags off.",
            code="Ambiguous",
        )
    return told


def _with_account(resource: Resource) -> Resource:
    _, side = min(resource.sides.items())
    return resource.model_copy(update={"resource_id": f"{resource.resource_id}@{side.account}"})


def _resource(adapter_key: str, group: Sequence[Found]) -> Resource:
    told = {each.place.region for each in group if not each.counterpart}
    kept = [each for each in group if not (each.counterpart and each.place.region in told)]
    ordered = sorted(kept, key=lambda each: (each.place.region, each.place.arn))
    sides: dict[str, SideRecord] = {}
    for each in ordered:
        region = each.place.region
        if region in sides and sides[region].arn != each.place.arn:
            raise ValidationError(
                f"{adapter_key} {each.name}: {sides[region].arn} and {each.place.arn} both claim the side in {region}.",
                "keep the dr:* tags on one of them.",
                code="Ambiguous",
            )
        sides[region] = SideRecord(
            account=each.place.account,
            region=region,
            id=each.place.id,
            arn=each.place.arn,
            facts=each.place.facts,
            tags=dict(each.tags),
        )
    strategies = {each.strategy for each in ordered if each.strategy}
    return Resource(
        resource_id=f"{adapter_key}/{ordered[0].name}",
        adapter=adapter_key,
        name=ordered[0].name,
        strategy=strategies.pop() if len(strategies) == 1 else None,
        sides=sides,
    )


def _in_scope(scope: Scope, tags: Mapping[str, str]) -> bool:
    return tags.get(CUSTOMER) == scope.customer and tags.get(ENVIRONMENT) == scope.environment
