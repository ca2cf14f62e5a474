"""Resources of a scope with both sides, and the snapshot that outlives a Region."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orchestrator.contract import Member, Place
from orchestrator.ledger.records import FindingRecord, Scope


class SideRecord(BaseModel):
    """One side of a resource as the inventory keeps it; mirrors `contract.Place` plus the tags found there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str
    region: str
    id: str
    arn: str
    facts: Mapping[str, JsonValue] = Field(default_factory=dict)
    tags: Mapping[str, str] = Field(default_factory=dict)

    def place(self) -> Place:
        """Return the contract's form."""
        return Place(self.account, self.region, self.id, self.arn, dict(self.facts))


class Resource(BaseModel):
    """One thing to recover. `sides` maps a Region (or "global") to what lies there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource_id: str
    adapter: str
    name: str
    strategy: str | None = None
    sides: Mapping[str, SideRecord]
    settings: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of all sides; `merge` has made sure that they agree."""
        merged: dict[str, str] = {}
        for side in self.sides.values():
            merged.update(side.tags)
        return merged

    def side(self, region: str) -> SideRecord | None:
        """Return what lies in `region`, the global object for a global service, or None."""
        return self.sides.get(region) or self.sides.get("global")

    def member(self, source_region: str, target_region: str) -> Member:
        """Return the contract's form, seen from a run; raise KeyError when a side is missing."""
        source, target = self.side(source_region), self.side(target_region)
        if source is None or target is None:
            raise KeyError(source_region if source is None else target_region)
        return Member(self.resource_id, self.name, source.place(), target.place(), self.tags, dict(self.settings))


class Snapshot(BaseModel):
    """The inventory of a scope at one time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Scope
    taken_at: datetime
    resources: tuple[Resource, ...]
    missing_accounts: Mapping[str, str] = Field(default_factory=dict)
    """Account, Region and technology, as far as known -> why it could not be read."""
    last_read: Mapping[str, datetime] = Field(default_factory=dict)
    """What is missing -> when what the snapshot tells of it was read, if it ever was."""
    findings: tuple[FindingRecord, ...] = ()
    """Where sources disagree, or did not look."""
    remarks: tuple[str, ...] = ()
    """What people should know of how it came about: where tags and manifest differ."""
