"""What is read of the place where an Aurora cluster is to be made."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from adapters.aurora.spec import DEFAULT_INSTANCE_CLASS
from adapters.aurora.view import TargetSide
from adapters.databases.shared import CLUSTER
from adapters.databases.view import missing, rooms, subnet_group
from adapters.needed import key_states
from orchestrator.contract import Member, Reader, RunContext
from orchestrator.words import Phase

V = TypeVar("V", bound=TargetSide)


def with_surroundings(here: V, reader: Reader, run: RunContext) -> V:
    """Add what the target cluster needs when the plan is made; while it is not there, what judges whether it can be made."""
    if here.target.there and run.planning:
        return replace(here, key_states=key_states(reader, here.target.KmsKeyId, here.target.secret_key))
    if here.target.there or not (run.planning or run.phase is Phase.INSTANTIATE):
        return here
    group = subnet_group(reader, here.member.target.facts.get("subnet_group"))
    return replace(
        here,
        missing=missing(reader, here.member, group, CLUSTER, DEFAULT_INSTANCE_CLASS),
        key_states=key_states(reader, wanted_key(here.member)),
        rooms=rooms(reader),
    )


def wanted_key(member: Member) -> str | None:
    """Return the key that what is made of an encrypted cluster on the target side is encrypted with."""
    key = member.target.facts.get("kms_key")
    return key if isinstance(key, str) and member.source.facts.get("kms_key") else None
