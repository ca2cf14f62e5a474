"""The Resource Explorer service.

A view sees what its Region's index sees: the aggregator index every Region, another index its own Region.
A multi-account view sees the accounts that have an index there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.resource_explorer_2 import query
from localaws.services.resource_explorer_2.collect import Record
from localaws.services.resource_explorer_2.indexes import Indexes, page
from localaws.services.resource_explorer_2.views import VIEWS_PER_REGION, Index, IndexType, View

SEARCH_CAP = 1_000
LIST_LIMIT = 1_000
DEFAULT_RESULTS = 100


class ResourceExplorerService(Indexes):
    """AWS Resource Explorer."""

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
        return page(call, [view.arn for view in self._views(call)], "Views")

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
        reply = page(call, found, "Resources", size)
        reply["Resources"] = [self._shape(view, record) for record in reply["Resources"]]
        if size == LIST_LIMIT:
            reply.pop("NextToken", None)
        return {**reply, "ViewArn": view.arn}

    @operation("Search")
    def search(self, call: Call) -> Reply:
        """Find resources by words and filters: at most 1,000 of them, however many pages are read."""
        view = self.registry.view(call.account, call.region, call.params.get("ViewArn"))
        found = self._found(view, query.parse(call.params["QueryString"], free_text=True))
        shapes = [self._shape(view, record) for record in found[:SEARCH_CAP]]
        reply = page(call, shapes, "Resources", call.params.get("MaxResults", DEFAULT_RESULTS))
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


def _tags_property(record: Record, at: datetime) -> dict[str, Any]:
    data = [{"Key": key, "Value": value} for key, value in sorted(record.tags.items())]
    return {"Name": "tags", "LastReportedAt": at, "Data": data}
