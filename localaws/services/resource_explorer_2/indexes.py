"""Handlers for indexes, and the state every handler of Resource Explorer shares."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.resource_explorer_2.index import Reports
from localaws.services.resource_explorer_2.views import Index, IndexType, Registry
from localaws.world import World

INDEX_SECONDS = 60.0
DEFAULT_PAGE = 50
MEMBERS_PER_CALL = 10


class Indexes(Service):
    """Indexes: one per account and Region, at most one of an account the aggregator."""

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
        return page(call, found, "Indexes")

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
        return page(call, found, "Indexes")

    def _index_by_arn(self, account: str, arn: str) -> Index:
        for index in self.registry.of_account(account):
            if index.arn == arn:
                return index
        raise AwsError("ResourceNotFoundException", f"Index {arn} was not found.", 404)

    def _settle(self, index: Index, kind: str) -> None:
        def effect() -> None:
            index.state, index.updated_at = "ACTIVE", self.world.clock.now()

        self.world.transition(kind, index.arn, INDEX_SECONDS, effect)


def page(call: Call, items: list[Any], name: str, size: int | None = None) -> dict[str, Any]:
    """Return one page of `items` under `name`, and the token of the next."""
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
