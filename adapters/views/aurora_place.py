"""What is read of the place where an Aurora cluster is to be made."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from adapters.specs.aurora import DEFAULT_INSTANCE_CLASS
from adapters.specs.databases import PARAMETER_GROUP_MISSING
from adapters.views.aurora import TargetSide
from adapters.views.databases import PlaceGroup, key_states, not_offered, quotas_left, subnet_group
from orchestrator.contract import Member, Reader, RunContext
from orchestrator.words import Phase

V = TypeVar("V", bound=TargetSide)


class ParameterGroups(BaseModel):
    """rds:DescribeDBClusterParameterGroups."""

    DBClusterParameterGroups: list[dict[str, JsonValue]] = []


def with_surroundings(here: V, reader: Reader, run: RunContext) -> V:
    """Add what judges whether the target cluster can be made, while it is not there and the plan is made."""
    if here.target.there or run.phase is not Phase.INSTANTIATE:
        return here
    group = subnet_group(reader, here.member.target.facts.get("subnet_group"))
    return replace(
        here,
        missing=missing(reader, here.member, group),
        key_states=key_states(reader, wanted_key(here.member)),
        quotas_left=quotas_left(reader),
    )


def wanted_key(member: Member) -> str | None:
    """Return the key that what is made of an encrypted cluster on the target side is encrypted with."""
    key = member.target.facts.get("kms_key")
    return key if isinstance(key, str) and member.source.facts.get("kms_key") else None


def missing(reader: Reader, member: Member, group: PlaceGroup | None) -> tuple[str, ...]:
    """Return what a cluster on the target side needs and is not there."""
    facts = member.source.facts
    found: list[str] = []
    if group is None:
        found.append(f"subnet group {member.target.facts.get('subnet_group') or '(none named)'}")
    parameters = facts.get("parameter_group")
    if isinstance(parameters, str) and not _has_parameters(reader, parameters):
        found.append(f"cluster parameter group {parameters}")
    found += not_offered(
        reader, facts, member.settings.get("instanceClass") or facts.get("class") or DEFAULT_INSTANCE_CLASS
    )
    return tuple(found)


def _has_parameters(reader: Reader, name: str) -> bool:
    if name.startswith("default."):
        return True
    found = reader.find(
        "rds",
        "DescribeDBClusterParameterGroups",
        ParameterGroups,
        PARAMETER_GROUP_MISSING,
        DBClusterParameterGroupName=name,
    )
    return found is not None and bool(found.DBClusterParameterGroups)
