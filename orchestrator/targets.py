"""What an action acts on, kept beside the plan: one document per batch of resources, shared by its four phases."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orchestrator.blobs import Blobs
from orchestrator.contract import Member, Target
from orchestrator.inventory import SideRecord


class PlannedMember(BaseModel):
    """One resource of a plan, both sides as they were when the plan was frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource_id: str
    name: str
    source: SideRecord
    target: SideRecord
    tags: Mapping[str, str] = Field(default_factory=dict)
    settings: Mapping[str, JsonValue] = Field(default_factory=dict)

    def member(self) -> Member:
        """Return the contract's form."""
        return Member(
            self.resource_id, self.name, self.source.place(), self.target.place(), dict(self.tags), dict(self.settings)
        )


class PlannedTarget(BaseModel):
    """A batch of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_id: str
    strategy: str
    members: tuple[PlannedMember, ...]

    def target(self) -> Target:
        """Return the contract's form."""
        return Target(self.strategy, tuple(member.member() for member in self.members))


def target_key(run_id: str, target_id: str) -> str:
    """Return where a batch is kept."""
    return f"runs/{run_id}/targets/{target_id}.json"


def save_target(blobs: Blobs, run_id: str, planned: PlannedTarget) -> None:
    """Keep a batch."""
    blobs.put(target_key(run_id, planned.target_id), planned.model_dump_json().encode())


def load_target(blobs: Blobs, run_id: str, target_id: str) -> Target:
    """Return a batch in the contract's form."""
    return PlannedTarget.model_validate_json(blobs.get(target_key(run_id, target_id))).target()
