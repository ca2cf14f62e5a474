"""The organization of an estate: the hub manages it, every other account is a member, in its unit or in `other`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.services.organizations import OrganizationsService, Unit

if TYPE_CHECKING:
    from localaws.estate import Estate
    from localaws.world import World

HOME_REGION = "us-east-1"


def seed(world: World, estate: Estate) -> None:
    """Create organization, units and members with the ids of the estate."""
    organizations = world.service("organizations")
    assert isinstance(organizations, OrganizationsService)
    units = tuple(
        Unit(unit.name, unit.id, tuple(estate.account_id(name) for name in unit.accounts))
        for unit in estate.organization.units
    )
    placed = {name for unit in estate.organization.units for name in unit.accounts} | {estate.hub.account}
    others = tuple(account for name, account in estate.accounts.items() if name not in placed)
    if others:
        units += (Unit("other", accounts=others),)
    hub = estate.account_id(estate.hub.account)
    organizations.seed(
        hub,
        units,
        estate.organization.id,
        estate.organization.root,
        {account: name for name, account in estate.accounts.items()},
    )
    # moto calls the managing account `master`.
    master = next(a for a in world.backend("organizations", hub, HOME_REGION).accounts if a.id == hub)
    master.name = estate.hub.account
