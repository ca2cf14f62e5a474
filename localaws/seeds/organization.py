"""The organization of an estate: the hub manages it, every account is a member, in its unit or under the root."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localaws.estate import Estate
    from localaws.world import World

HOME_REGION = "us-east-1"


def seed(world: World, estate: Estate) -> None:
    """Create organization, units and accounts with the ids of the estate; moto would draw ids at random."""
    hub = estate.account_id(estate.hub.account)
    backend = world.backend("organizations", hub, HOME_REGION)
    world.call("organizations", "CreateOrganization", hub, HOME_REGION, FeatureSet="ALL")
    organization, root, master = backend.org, backend.ou[0], backend.accounts[0]
    organization.id, organization.root_id = estate.organization.id, estate.organization.root
    root.id = estate.organization.root
    for item in (root, master):
        item.organization_id = estate.organization.id
    master.name, master.parent_id = estate.hub.account, root.id
    for name, account in estate.accounts.items():
        if account != hub:
            _join(world, estate, name)
    for unit in estate.organization.units:
        _unit(world, estate, unit.id, unit.name, unit.accounts)


def _join(world: World, estate: Estate, name: str) -> None:
    hub = estate.account_id(estate.hub.account)
    backend = world.backend("organizations", hub, HOME_REGION)
    world.call(
        "organizations", "CreateAccount", hub, HOME_REGION, AccountName=name, Email=f"{name}@{estate.name}.example.com"
    )
    member = backend.accounts[-1]
    account = estate.account_id(name)
    owners = _owners()
    owners[account] = owners.pop(member.id)
    member.id, member.parent_id = account, estate.organization.root


def _unit(world: World, estate: Estate, unit_id: str, name: str, accounts: tuple[str, ...]) -> None:
    hub = estate.account_id(estate.hub.account)
    backend = world.backend("organizations", hub, HOME_REGION)
    root = estate.organization.root
    world.call("organizations", "CreateOrganizationalUnit", hub, HOME_REGION, ParentId=root, Name=name)
    backend.ou[-1].id = unit_id
    members = {estate.account_id(account) for account in accounts}
    for account in backend.accounts:
        if account.id in members:
            account.parent_id = unit_id


def _owners() -> dict[str, tuple[str, str]]:
    """Return moto's map from a member account to the organization's managing account."""
    from moto.organizations.models import organizations_backends

    owners: dict[str, tuple[str, str]] = organizations_backends.master_accounts
    return owners
