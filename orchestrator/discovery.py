"""Find the resources of a scope: Resource Explorer says where, adapters re-describe, sides are paired.

Resource Explorer's ListResources pages below 1,000 results (at exactly 1,000 it returns no NextToken), sees every
account of a multi-account view, does not see DRS source servers, and may show resources that are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from orchestrator.contract import Adapter, Found, Reader
from orchestrator.errors import DrError, ValidationError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.manifest import Manifest, placed
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT

PAGE_SIZE = 500
PARALLEL = 8


@dataclass(frozen=True)
class Hit:
    """One tagged object as Resource Explorer lists it."""

    arn: str
    account: str
    region: str
    resource_type: str


class _ExplorerResource(BaseModel):
    Arn: str
    OwningAccountId: str
    Region: str
    ResourceType: str


class ExplorerPage(BaseModel):
    """A page of resource-explorer-2 ListResources."""

    Resources: list[_ExplorerResource] = []


@dataclass(frozen=True)
class Place:
    """Where an adapter looks: one account and Region, and the ARNs found there (none: it lists by itself)."""

    adapter: str
    account: str
    region: str
    arns: tuple[str, ...]


OpenReader = Callable[[str, str, str], Reader]
"""(account, region, technology) -> reader in that spoke."""


def explore(explorer: Reader, scope: Scope, regions: Sequence[str], view_arn: str | None = None) -> list[Hit]:
    """Return every object tagged for the scope in `regions` or global (resource-explorer-2:ListResources)."""
    query = f'tag:{CUSTOMER}="{scope.customer}" tag:{ENVIRONMENT}="{scope.environment}" tag.key:{ENABLED}'
    view: dict[str, JsonValue] = {"ViewArn": view_arn} if view_arn else {}
    filters: JsonValue = {"FilterString": query}
    pages = explorer.pages(
        "resource-explorer-2", "ListResources", ExplorerPage, Filters=filters, MaxResults=PAGE_SIZE, **view
    )
    return [
        Hit(each.Arn, each.OwningAccountId, each.Region, each.ResourceType)
        for page in pages
        for each in page.Resources
        if each.Region in {*regions, "global"}
    ]


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
) -> list[Place]:
    """Return where which adapter must look, also for what a manifest names; raise `ValidationError` for a tagged type that
    no adapter knows.
    """
    wanted: dict[tuple[str, str, str], list[str]] = {}
    unknown: list[str] = []
    companions = {kind for each in adapters for kind in each.spec.companion_types}
    for hit in hits:
        mine = [each.spec for each in adapters if hit.resource_type in each.spec.resource_types]
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
    for each in adapters:
        if each.spec.native_listing:
            for account in seen_accounts:
                for region in regions:
                    wanted.setdefault((each.spec.key, account, region), [])
    return [Place(*key, arns=tuple(sorted(set(arns)))) for key, arns in sorted(wanted.items())]


def take(
    scope: Scope,
    at: datetime,
    where: Sequence[Place],
    adapter: Callable[[str], Adapter[Any]],
    open_reader: OpenReader,
    joined: Mapping[str, str] | None = None,
) -> Snapshot:
    """Re-describe everything in parallel over accounts and return the paired inventory of the scope.

    `joined` maps ARNs to the name of the resource that a manifest makes of them.
    """

    def look(place: Place) -> tuple[Place, list[Found] | DrError]:
        try:
            return place, adapter(place.adapter).discover(
                open_reader(place.account, place.region, place.adapter), place.arns
            )
        except DrError as err:
            return place, err

    found: list[tuple[str, Found]] = []
    missing: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        for place, result in pool.map(look, where):
            if isinstance(result, DrError):
                missing[f"{place.account}/{place.region}/{place.adapter}"] = str(result)
            else:
                found += [(place.adapter, _joined(each, joined or {})) for each in result]
    kept = [(key, each) for key, each in found if not _answered(each, found)]
    return Snapshot(scope=scope, taken_at=at, resources=tuple(pair(scope, kept)), missing_accounts=missing)


def _answered(claim: Found, found: Iterable[tuple[str, Found]]) -> bool:
    """Say whether something else that was found tells of a claim."""
    return claim.claim and any(each.place.arn == claim.place.arn and not each.claim for _, each in found)


def _joined(found: Found, joined: Mapping[str, str]) -> Found:
    name = joined.get(found.place.arn)
    return found if name is None else replace(found, pair_key=f"manifest:{name}", name=name)


def pair(scope: Scope, found: Iterable[tuple[str, Found]]) -> list[Resource]:
    """Join what belongs together into resources with two sides. An object of another scope drops out. Pure."""
    grouped: dict[tuple[str, str], list[Found]] = {}
    for adapter_key, each in found:
        if _in_scope(scope, each.tags):
            grouped.setdefault((adapter_key, each.pair_key), []).append(each)
    return _distinct([_resource(adapter_key, group) for (adapter_key, _), group in sorted(grouped.items())])


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
