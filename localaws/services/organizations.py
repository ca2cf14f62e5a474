"""AWS Organizations: moto answers; this module lets an estate declare the organisation with its own ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.organizations.models import FakeDelegatedAdministrator, organizations_backends

from localaws.service import Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

STACK_SETS_PRINCIPAL = "member.org.stacksets.cloudformation.amazonaws.com"
AccountMoved = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Unit:
    """An organisational unit: its name, accounts (ids) and units below it. `id` None: moto makes one up."""

    name: str
    id: str | None = None
    accounts: tuple[str, ...] = ()
    units: tuple[Unit, ...] = field(default=())


class OrganizationsService(Service):
    """Seeds the organisation and tells others who belongs where."""

    name = "organizations"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        supported = FakeDelegatedAdministrator.SUPPORTED_SERVICES
        if STACK_SETS_PRINCIPAL not in supported:
            supported.append(STACK_SETS_PRINCIPAL)
        # Told account, old parent and new parent when an account moves: StackSets deploy automatically.
        self.on_move: list[AccountMoved] = []

    def seed(
        self,
        management: str,
        units: tuple[Unit, ...],
        organization_id: str | None = None,
        root_id: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> str:
        """Create the organisation of the management account with its units and accounts; return its id."""
        self.world.call("organizations", "CreateOrganization", management, "us-east-1", FeatureSet="ALL")
        backend = self.world.backend("organizations", management, "us-east-1")
        if organization_id:
            backend.org.id = organization_id
        if root_id:
            self._rename_root(backend, root_id)
        for account in backend.accounts:
            account.organization_id = backend.org.id
        for unit in units:
            self._seed_unit(backend, unit, backend.org.root_id, names or {})
        return str(backend.org.id)

    def organization_id(self, account: str) -> str | None:
        """Return the id of the organisation that an account belongs to."""
        backend = self._backend_of(account)
        return str(backend.org.id) if backend is not None else None

    def is_management(self, account: str) -> bool:
        """Say whether the account manages an organisation."""
        backend = self._backend_of(account)
        return backend is not None and bool(backend.org.master_account_id == account)

    def is_delegated(self, account: str, service_principal: str) -> bool:
        """Say whether the account is a delegated administrator of a service."""
        backend = self._backend_of(account)
        admins = backend.admins if backend is not None else []
        wanted = (account, service_principal)
        return any((one.account.id, service) == wanted for one in admins for service in one.services)

    def path_of(self, account: str) -> str | None:
        """Return the account's path for `aws:PrincipalOrgPaths`: organisation, root, units, each with a slash."""
        backend = self._backend_of(account)
        if backend is None:
            return None
        parents = {unit.id: unit.parent_id for unit in backend.ou if hasattr(unit, "parent_id")}
        here = next((a.parent_id for a in backend.accounts if a.id == account), backend.org.root_id)
        path = [here]
        while path[-1] in parents and parents[path[-1]]:
            path.append(parents[path[-1]])
        return "/".join([backend.org.id, *reversed(path)]) + "/"

    def accounts_below(self, management: str, parent: str) -> list[str]:
        """Return the member accounts in a unit or root and in all units below it, the management account left out."""
        backend = self._backend_of(management)
        if backend is None:
            return []
        wanted = set(self._units_below(backend, parent))
        master = backend.org.master_account_id
        return sorted(a.id for a in backend.accounts if a.parent_id in wanted and a.id != master)

    def has_unit(self, management: str, unit: str) -> bool:
        """Say whether the organisation has a unit or root of that id."""
        backend = self._backend_of(management)
        return backend is not None and any(ou.id == unit for ou in backend.ou)

    @operation("MoveAccount")
    def move_account(self, call: Call) -> Reply:
        reply = self.world.moto(call)
        params = call.params
        for listener in self.on_move:
            listener(params["AccountId"], params["SourceParentId"], params["DestinationParentId"])
        return reply

    def reset(self) -> None:
        """Forget which account belongs to whom; moto keeps it outside its backends."""
        organizations_backends.master_accounts.clear()

    def _backend_of(self, account: str) -> Any:
        management, _ = organizations_backends.master_accounts.get(account, (account, "aws"))
        backend = self.world.backend("organizations", management, "us-east-1")
        return backend if backend.org is not None else None

    def _units_below(self, backend: Any, parent: str) -> Iterator[str]:
        yield parent
        for unit in backend.ou:
            if getattr(unit, "parent_id", None) == parent:
                yield from self._units_below(backend, unit.id)

    def _rename_root(self, backend: Any, root_id: str) -> None:
        old = backend.org.root_id
        backend.org.root_id = root_id
        for unit in backend.ou:
            if unit.id == old:
                unit.id = root_id
            if unit.parent_id == old:
                unit.parent_id = root_id
        for account in backend.accounts:
            account.parent_id = root_id

    def _seed_unit(self, backend: Any, unit: Unit, parent: str, names: Mapping[str, str]) -> None:
        made = backend.create_organizational_unit(ParentId=parent, Name=unit.name)["OrganizationalUnit"]
        ou = backend.get_organizational_unit_by_id(made["Id"])
        ou.id = unit.id or ou.id
        for account in unit.accounts:
            self._seed_account(backend, account, ou.id, names.get(account, account))
        for below in unit.units:
            self._seed_unit(backend, below, ou.id, names)

    def _seed_account(self, backend: Any, account_id: str, parent: str, name: str) -> None:
        present = next((a for a in backend.accounts if a.id == account_id), None)
        if present is None:
            before = set(organizations_backends.master_accounts)
            backend.create_account(AccountName=name, Email=f"{account_id}@example.com")
            present = backend.accounts[-1]
            for made_up in set(organizations_backends.master_accounts) - before:
                del organizations_backends.master_accounts[made_up]
            present.id = account_id
            organizations_backends.master_accounts[account_id] = (backend.account_id, backend.partition)
            self._access_role(backend, account_id)
        present.organization_id = backend.org.id
        present.parent_id = parent

    def _access_role(self, backend: Any, account_id: str) -> None:
        principal = {"AWS": f"arn:aws:iam::{backend.org.master_account_id}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        self.world.call(
            "iam",
            "CreateRole",
            account_id,
            "us-east-1",
            RoleName="OrganizationAccountAccessRole",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
