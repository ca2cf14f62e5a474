"""Indexes and views, per account and Region."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError

VIEWS_PER_REGION = 10


class IndexType(StrEnum):
    """How far an index sees: its own Region, or every Region of the account."""

    LOCAL = "LOCAL"
    AGGREGATOR = "AGGREGATOR"


@dataclass
class Index:
    """The index of one account and Region."""

    account: str
    region: str
    created_at: datetime
    updated_at: datetime
    type: IndexType = IndexType.LOCAL
    state: str = "CREATING"
    id: str = field(default_factory=lambda: str(mock_random.uuid4()))
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Return the index's ARN."""
        return f"arn:aws:resource-explorer-2:{self.region}:{self.account}:index/{self.id}"

    @property
    def usable(self) -> bool:
        """Say whether resources can be found through it."""
        return self.state in {"ACTIVE", "UPDATING"}


@dataclass
class View:
    """A stored filter through which an account searches."""

    name: str
    account: str
    region: str
    scope: str
    updated_at: datetime
    filter: str = ""
    properties: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: str(mock_random.uuid4()))
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Return the view's ARN; its Region is the one whose index it uses."""
        return f"arn:aws:resource-explorer-2:{self.region}:{self.account}:view/{self.name}/{self.id}"

    @property
    def multi_account(self) -> bool:
        """Say whether the view spans the organization or a unit of it."""
        return ":organizations:" in self.scope

    def shape(self) -> dict[str, Any]:
        """Build a `View`."""
        return {
            "ViewArn": self.arn,
            "ViewName": self.name,
            "Owner": self.account,
            "Scope": self.scope,
            "LastUpdatedAt": self.updated_at,
            "IncludedProperties": [{"Name": name} for name in self.properties],
            "Filters": {"FilterString": self.filter},
        }


@dataclass
class Registry:
    """All indexes and views."""

    indexes: dict[tuple[str, str], Index] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    defaults: dict[tuple[str, str], str] = field(default_factory=dict)

    def index(self, account: str, region: str) -> Index:
        """Return an index; raise ResourceNotFoundException."""
        if (account, region) not in self.indexes:
            raise AwsError("ResourceNotFoundException", f"Account {account} has no index in {region}.", 404)
        return self.indexes[account, region]

    def aggregator(self, account: str) -> Index | None:
        """Return an account's aggregator index; there is at most one."""
        return next((i for i in self.of_account(account) if i.type is IndexType.AGGREGATOR), None)

    def of_account(self, account: str) -> list[Index]:
        """Return an account's indexes, by Region."""
        return [index for key, index in sorted(self.indexes.items()) if key[0] == account]

    def view(self, account: str, region: str, arn: str | None) -> View:
        """Return a view of this account and Region, the default one when `arn` is empty.

        Raises: ResourceNotFoundException (no default view), UnauthorizedException (no such view here: the real
            service does not tell whether it exists).
        """
        wanted = arn or self.defaults.get((account, region))
        if wanted is None:
            raise AwsError("ResourceNotFoundException", f"No default view in {region}: name a view.", 404)
        found = self.views.get(wanted)
        if found is None or (found.account, found.region) != (account, region):
            raise AwsError("UnauthorizedException", f"You are not authorized to use the view {wanted}.", 401)
        return found
