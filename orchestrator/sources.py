"""Who is asked where the tagged objects of a scope are, behind one interface; `sightings` puts together what they say.

Resource Explorer sees every account of a multi-account view in one place, where an index lies, some minutes late; its
ListResources pages below 1,000 results (at exactly 1,000 it returns no NextToken). The Resource Groups Tagging API sees one
account and Region per call, at once, but no Auto Scaling groups. Neither sees DRS source servers: adapters list those.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from orchestrator.asking import ask_all
from orchestrator.contract import Reader
from orchestrator.errors import DrError
from orchestrator.ledger.records import Scope
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT

EXPLORER_PAGE = 500
TAGGING_PAGE = 100
MEMBERS_PER_CALL = 10
"""Accounts that ListIndexesForMembers takes."""
HOME_OF_GLOBAL = "us-east-1"
"""Where the Tagging API lists what lives in no Region (Route 53)."""
BARE = {"s3": "bucket", "sns": "topic", "sqs": "queue"}
"""Services whose ARNs do not say what kind of thing they name, because there is only one kind."""

Spot = tuple[str, str]
"""An account and a Region."""


@dataclass(frozen=True)
class Hit:
    """One tagged object as a source lists it; `resource_type` as Resource Explorer names it."""

    arn: str
    account: str
    region: str
    resource_type: str


@dataclass(frozen=True)
class Listing:
    """What one source said."""

    hits: tuple[Hit, ...] = ()
    seen: frozenset[Spot] = frozenset()
    """Where it is known to have looked."""
    failed: Mapping[Spot, DrError] = field(default_factory=dict)
    """Where it could not look, and why."""
    error: DrError | None = None
    """Why it could not be asked at all."""


class Source(ABC):
    """Somebody who knows tagged objects."""

    @abstractmethod
    def listing(self, scope: Scope, regions: Sequence[str], accounts: Sequence[str]) -> Listing:
        """Return every object tagged for the scope in `regions` or in none; errors are told, not raised."""


class _ExplorerResource(BaseModel):
    Arn: str
    OwningAccountId: str
    Region: str
    ResourceType: str


class ExplorerPage(BaseModel):
    """A page of resource-explorer-2 ListResources."""

    Resources: list[_ExplorerResource] = []


class _MemberIndex(BaseModel):
    AccountId: str
    Region: str


class IndexPage(BaseModel):
    """A page of resource-explorer-2 ListIndexesForMembers."""

    Indexes: list[_MemberIndex] = []


class Explorer(Source):
    """Resource Explorer, asked once for all accounts (resource-explorer-2:ListResources, ListIndexesForMembers)."""

    def __init__(self, reader: Reader, view_arn: str | None = None) -> None:
        self._reader = reader
        self._view: dict[str, JsonValue] = {"ViewArn": view_arn} if view_arn else {}

    def listing(self, scope: Scope, regions: Sequence[str], accounts: Sequence[str]) -> Listing:
        """See `Source.listing`. `seen` are accounts and Regions with an index; when only the organization's administrator may
        ask for those, the ones that something was found in.
        """
        try:
            hits = self._hits(scope, regions)
        except DrError as err:
            return Listing(error=err)
        told = {(each.account, each.region) for each in hits if each.region != "global"}
        asked = sorted({*accounts, *(each.account for each in hits)})
        try:
            indexed = {spot for spot in self._indexes(asked) if spot[1] in regions}
        except DrError as err:
            unknown = {(account, region): err for account in asked for region in regions}
            return Listing(tuple(hits), frozenset(told), {k: v for k, v in unknown.items() if k not in told})
        return Listing(tuple(hits), frozenset(indexed | told))

    def _hits(self, scope: Scope, regions: Sequence[str]) -> list[Hit]:
        query = f'tag:{CUSTOMER}="{scope.customer}" tag:{ENVIRONMENT}="{scope.environment}" tag.key:{ENABLED}'
        filters: JsonValue = {"FilterString": query}
        pages = self._reader.pages(
            "resource-explorer-2",
            "ListResources",
            ExplorerPage,
            Filters=filters,
            MaxResults=EXPLORER_PAGE,
            **self._view,
        )
        return [
            Hit(each.Arn, each.OwningAccountId, each.Region, each.ResourceType)
            for page in pages
            for each in page.Resources
            if each.Region in {*regions, "global"}
        ]

    def _indexes(self, accounts: Sequence[str]) -> list[Spot]:
        found: list[Spot] = []
        for start in range(0, len(accounts), MEMBERS_PER_CALL):
            members: JsonValue = list(accounts[start : start + MEMBERS_PER_CALL])
            pages = self._reader.pages("resource-explorer-2", "ListIndexesForMembers", IndexPage, AccountIdList=members)
            found += [(each.AccountId, each.Region) for page in pages for each in page.Indexes]
        return found


class _Mapping(BaseModel):
    ResourceARN: str


class TaggingPage(BaseModel):
    """A page of resourcegroupstaggingapi GetResources."""

    ResourceTagMappingList: list[_Mapping] = []


class Tagging(Source):
    """The Tagging API, asked in every account and Region side by side (tag:GetResources)."""

    def __init__(self, open_reader: Callable[[str, str], Reader], *, also_global: bool = False) -> None:
        """`also_global`: ask where global objects are listed, too, when that is none of the scope's Regions."""
        self._open_reader = open_reader
        self._also_global = also_global

    def listing(self, scope: Scope, regions: Sequence[str], accounts: Sequence[str]) -> Listing:
        """See `Source.listing`."""
        homes = [HOME_OF_GLOBAL] if self._also_global and HOME_OF_GLOBAL not in regions else []
        spots = [(account, region) for account in accounts for region in (*regions, *homes)]
        hits: list[Hit] = []
        seen: set[Spot] = set()
        failed: dict[Spot, DrError] = {}
        for spot, answer in ask_all(spots, lambda spot: spot[1], lambda spot: self._hits(scope, spot)):
            if isinstance(answer, DrError):
                failed[spot] = answer
            else:
                seen.add(spot)
                hits += [each for each in answer if each.region in {*regions, "global"}]
        return Listing(tuple(hits), frozenset(seen), failed)

    def _hits(self, scope: Scope, spot: Spot) -> list[Hit]:
        wanted: JsonValue = [
            {"Key": CUSTOMER, "Values": [scope.customer]},
            {"Key": ENVIRONMENT, "Values": [scope.environment]},
            {"Key": ENABLED},
        ]
        pages = self._open_reader(*spot).pages(
            "resourcegroupstaggingapi", "GetResources", TaggingPage, TagFilters=wanted, ResourcesPerPage=TAGGING_PAGE
        )
        return [hit_of(each.ResourceARN, *spot) for page in pages for each in page.ResourceTagMappingList]


def hit_of(arn: str, account: str, region: str) -> Hit:
    """Return what an ARN names, as Resource Explorer would list it."""
    return Hit(arn, account, region if arn.split(":")[3] else "global", type_of(arn))


def type_of(arn: str) -> str:
    """Return the type of what an ARN names, in Resource Explorer's words: `rds:db`."""
    _, _, service, _, _, tail = arn.split(":", 5)
    return f"{service}:{BARE.get(service) or re.split('[:/]', tail.lstrip('/'))[0]}"
