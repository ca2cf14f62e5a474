"""Resource Explorer as an organization has it: an index per account and Region, views in the hub.

The aggregator index lies in the DR Region. The hub has one view over the organization in each of its Regions;
only the one beside the aggregator sees both Regions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.services.resource_explorer_2 import ResourceExplorerService
from localaws.services.resource_explorer_2.views import IndexType

if TYPE_CHECKING:
    from localaws.estate import Estate
    from localaws.world import World

VIEW_NAME = "dr-inventory"


def seed(world: World, estate: Estate) -> None:
    """Create indexes that are active from the start, and the hub's default views."""
    explorer = world.service("resource-explorer-2")
    assert isinstance(explorer, ResourceExplorerService)
    for account in estate.accounts.values():
        for region in estate.regions:
            if (account, region) not in explorer.registry.indexes:
                world.call("resource-explorer-2", "CreateIndex", account, region)
            index = explorer.registry.index(account, region)
            index.state = "ACTIVE"
            index.type = IndexType.AGGREGATOR if region == estate.dr_region else IndexType.LOCAL
    hub = estate.account_id(estate.hub.account)
    scope = f"arn:aws:organizations::{hub}:organization/{estate.organization.id}"
    for region in estate.hub.regions:
        view = world.call(
            "resource-explorer-2",
            "CreateView",
            hub,
            region,
            ViewName=VIEW_NAME,
            Scope=scope,
            IncludedProperties=[{"Name": "tags"}],
        )["View"]
        world.call("resource-explorer-2", "AssociateDefaultView", hub, region, ViewArn=view["ViewArn"])
