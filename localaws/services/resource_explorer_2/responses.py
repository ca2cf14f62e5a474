"""The Resource Explorer service.

A view sees what its Region's index sees: the aggregator index every Region, another index its own Region.
A multi-account view sees the accounts that have an index there.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.resource_explorer_2 import query
from localaws.services.resource_explorer_2.collect import Record
from localaws.services.resource_explorer_2.index import Reports
from localaws.services.resource_explorer_2.views import VIEWS_PER_REGION, Index, IndexType, Registry, View
from localaws.world import World

INDEX_SECONDS = 60.0
SEARCH_CAP = 1_000
LIST_LIMIT = 1_000
DEFAULT_RESULTS = 100
DEFAULT_PAGE = 50
MEMBERS_PER_CALL = 10


class ResourceExplorerService(Service):
    """AWS Resource Explorer."""

    name: ClassVar[str] = "resource-explorer-2"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget indexes, views and reports."""
        self.registry = Registry()
        self.reports = Reports(self.world)

    @operation("CreateIndex")
    def create_index(self, call: Call) -> Reply:
        """Turn Resource Explorer on in a Region; the index is usable a minute later."""
        key = (call.account, call.region)
        if key in self.registry.indexes:
            raise AwsError("ConflictException", f"There is an index in {call.region} already.", 409)
        now = self.world.clock.now()
        index = Index(call.account, call.region, now, now, tags=dict(call.params.get("Tags", {})))
        self.registry.indexes[key] = index
        self._settle(index, "resource-explorer-2.create-index")
        return {"Arn": index.arn, "State": index.state, "CreatedAt": index.created_at}

    @operation("UpdateIndexType")
    def update_index_type(self, call: Call) -> Reply:
        """Make an index the account's aggregator or a local one again."""
        index = self._index_by_arn(call.account, call.params["Arn"])
        wanted = IndexType(call.params["Type"])
        other = self.registry.aggregator(call.account)
        if wanted is IndexType.AGGREGATOR and other is not None and other is not index:
            raise AwsError("ConflictException", f"The account has an aggregator index in {other.region}.", 409)
        index.type, index.state, index.updated_at = wanted, "UPDATING", self.world.clock.now()
        self._settle(index, "resource-explorer-2.update-index")
        return {
            "Arn": index.arn,
            "Type": index.type.value,
            "State": index.state,
            "LastUpdatedAt": index.updated_at,
        }

    @operation("GetIndex")
    def get_index(self, call: Call) -> Reply:
        """Describe the index of the Region."""
        index = self.registry.index(call.account, call.region)
        others = [i.region for i in self.registry.of_account(call.account) if i is not index]
        aggregator = self.registry.aggregator(call.account)
        replica = aggregator is not None and aggregator is not index
        return {
            "Arn": index.arn,
            "Type": index.type.value,
            "State": index.state,
            "ReplicatingFrom": others if aggregator is index else [],
            "ReplicatingTo": [aggregator.region] if replica and aggregator is not None else [],
            "CreatedAt": index.created_at,
            "LastUpdatedAt": index.updated_at,
            "Tags": dict(index.tags),
        }

    @operation("ListIndexes")
    def list_indexes(self, call: Call) -> Reply:
        """List the account's indexes in all Regions."""
        regions, kind = call.params.get("Regions"), call.params.get("Type")
        found = [
            {"Region": i.region, "Arn": i.arn, "Type": i.type.value}
            for i in self.registry.of_account(call.account)
            if (not regions or i.region in regions) and (kind is None or i.type == kind)
        ]
        return _page(call, found, "Indexes")

    @operation("ListIndexesForMembers")
    def list_indexes_for_members(self, call: Call) -> Reply:
        """List the indexes of up to ten accounts of the organization; an account without any is missing."""
        accounts = call.params["AccountIdList"]
        if len(accounts) > MEMBERS_PER_CALL:
            raise AwsError("ValidationException", f"{len(accounts)} accounts; at most {MEMBERS_PER_CALL} in a call.")
        found = [
            {"AccountId": account, "Region": i.region, "Arn": i.arn, "Type": i.type.value}
            for account in accounts
            for i in self.registry.of_account(account)
        ]
        return _page(call, found, "Indexes")

    @operation("CreateView")
    def create_view(self, call: Call) -> Reply:
        """Create a view on the Region's index."""
        self.registry.index(call.account, call.region)
        here = self._views(call)
        name = call.params["ViewName"]
        if any(view.name == name for view in here):
            raise AwsError("ConflictException", f"A view named {name} exists in {call.region}.", 409)
        if len(here) >= VIEWS_PER_REGION:
            raise AwsError("ServiceQuotaExceededException", f"{len(here)} views; at most {VIEWS_PER_REGION}.", 402)
        text = call.params.get("Filters", {}).get("FilterString", "")
        query.parse(text, free_text=False)
        view = View(
            name=name,
            account=call.account,
            region=call.region,
            scope=call.params.get("Scope") or f"arn:aws:iam::{call.account}:root",
            updated_at=self.world.clock.now(),
            filter=text,
            properties=tuple(p["Name"] for p in call.params.get("IncludedProperties", [])),
            tags=dict(call.params.get("Tags", {})),
        )
        self.registry.views[view.arn] = view
        return {"View": view.shape()}

    @operation("DeleteView")
    def delete_view(self, call: Call) -> Reply:
        """Delete a view; when it is the default one, there is no default any more."""
        view = self.registry.view(call.account, call.region, call.params["ViewArn"])
        del self.registry.views[view.arn]
        if self.registry.defaults.get((call.account, call.region)) == view.arn:
            del self.registry.defaults[call.account, call.region]
        return {"ViewArn": view.arn}

    @operation("GetView")
    def get_view(self, call: Call) -> Reply:
        """Describe a view."""
        view = self.registry.view(call.account, call.region, call.params["ViewArn"])
        return {"View": view.shape(), "Tags": dict(view.tags)}

    @operation("ListViews")
    def list_views(self, call: Call) -> Reply:
        """List the ARNs of the Region's views."""
        return _page(call, [view.arn for view in self._views(call)], "Views")

    @operation("AssociateDefaultView")
    def associate_default_view(self, call: Call) -> Reply:
        """Make a view the one that is used when a call names none."""
        view = self.registry.view(call.account, call.region, call.params["ViewArn"])
        self.registry.defaults[call.account, call.region] = view.arn
        return {"ViewArn": view.arn}

    @operation("GetDefaultView")
    def get_default_view(self, call: Call) -> Reply:
        """Return the default view's ARN; absent when there is none."""
        arn = self.registry.defaults.get((call.account, call.region))
        return {"ViewArn": arn} if arn else {}

    @operation("ListResources")
    def list_resources(self, call: Call) -> Reply:
        """List all resources that match a filter. With MaxResults=1000 there is no next page, as in AWS."""
        view = self.registry.view(call.account, call.region, call.params.get("ViewArn"))
        text = call.params.get("Filters", {}).get("FilterString", "")
        found = self._found(view, query.parse(text, free_text=False))
        size = call.params.get("MaxResults", DEFAULT_RESULTS)
        reply = _page(call, [self._shape(view, record) for record in found], "Resources", size)
        if size == LIST_LIMIT:
            reply.pop("NextToken", None)
        return {**reply, "ViewArn": view.arn}

    @operation("Search")
    def search(self, call: Call) -> Reply:
        """Find resources by words and filters: at most 1,000 of them, however many pages are read."""
        view = self.registry.view(call.account, call.region, call.params.get("ViewArn"))
        found = self._found(view, query.parse(call.params["QueryString"], free_text=True))
        shapes = [self._shape(view, record) for record in found[:SEARCH_CAP]]
        reply = _page(call, shapes, "Resources", call.params.get("MaxResults", DEFAULT_RESULTS))
        count = {"TotalResources": min(len(found), SEARCH_CAP), "Complete": len(found) <= SEARCH_CAP}
        return {**reply, "ViewArn": view.arn, "Count": count}

    @operation("TagResource")
    def tag_resource(self, call: Call) -> Reply:
        """Add or replace tags of an index or view."""
        self._tagged(call).tags.update(call.params.get("Tags", {}))
        return {}

    @operation("UntagResource")
    def untag_resource(self, call: Call) -> Reply:
        """Remove tags of an index or view."""
        tags = self._tagged(call).tags
        for key in call.params["tagKeys"]:
            tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        """Return the tags of an index or view."""
        return {"Tags": dict(self._tagged(call).tags)}

    def _tagged(self, call: Call) -> Index | View:
        arn = call.params["resourceArn"]
        everything: list[Index | View] = [*self.registry.indexes.values(), *self.registry.views.values()]
        for item in everything:
            if item.arn == arn and item.account == call.account:
                return item
        raise AwsError("ResourceNotFoundException", f"{arn} was not found.", 404)

    def _found(self, view: View, wanted: query.Query) -> list[Record]:
        stored = query.parse(view.filter, free_text=False)
        records = (record for account, region in self._visible(view) for record in self.reports.of(account, region))
        return sorted((r for r in records if stored.matches(r) and wanted.matches(r)), key=lambda r: r.arn)

    def _visible(self, view: View) -> Iterable[tuple[str, str]]:
        """Yield the accounts and Regions the view's index has reports of."""
        accounts = self.world.accounts.names if view.multi_account else [view.account]
        for account in accounts:
            here = self.registry.indexes.get((account, view.region))
            if here is None or not here.usable:
                continue
            for index in self.registry.of_account(account):
                if index.usable and (index is here or here.type is IndexType.AGGREGATOR):
                    yield account, index.region

    def _shape(self, view: View, record: Record) -> dict[str, Any]:
        now = self.world.clock.now()
        shape: dict[str, Any] = {
            "Arn": record.arn,
            "OwningAccountId": record.account,
            "Region": record.region,
            "ResourceType": record.type,
            "Service": record.service,
            "LastReportedAt": now,
            "Properties": [],
        }
        if "tags" in view.properties and record.tags:
            shape["Properties"] = [_tags_property(record, now)]
        return shape

    def _views(self, call: Call) -> list[View]:
        return [v for v in self.registry.views.values() if (v.account, v.region) == (call.account, call.region)]

    def _index_by_arn(self, account: str, arn: str) -> Index:
        for index in self.registry.of_account(account):
            if index.arn == arn:
                return index
        raise AwsError("ResourceNotFoundException", f"Index {arn} was not found.", 404)

    def _settle(self, index: Index, kind: str) -> None:
        def effect() -> None:
            index.state, index.updated_at = "ACTIVE", self.world.clock.now()

        self.world.transition(kind, index.arn, INDEX_SECONDS, effect)


def _tags_property(record: Record, at: datetime) -> dict[str, Any]:
    data = [{"Key": key, "Value": value} for key, value in sorted(record.tags.items())]
    return {"Name": "tags", "LastReportedAt": at, "Data": data}


def _page(call: Call, items: list[Any], name: str, size: int | None = None) -> dict[str, Any]:
    start = 0
    if token := call.params.get("NextToken"):
        try:
            start = int(re.sub(r"^page-", "", base64.urlsafe_b64decode(token).decode()))
        except (ValueError, binascii.Error) as error:
            raise AwsError("ValidationException", "The NextToken is not valid.") from error
    end = start + (size or call.params.get("MaxResults", DEFAULT_PAGE))
    reply: dict[str, Any] = {name: items[start:end]}
    if end < len(items):
        reply["NextToken"] = base64.urlsafe_b64encode(f"page-{end}".encode()).decode()
    return reply
