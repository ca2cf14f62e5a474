"""What is judged before a database is made in another Region, of an instance and of a cluster alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.databases.shared import base_name
from adapters.judging import red, warning
from adapters.quotas import Room, ask
from orchestrator.contract import Claim, Finding, Member, Place, RunContext
from orchestrator.words import Mode

_THINGS = {"DBInstances": ("DB instances", "L-7B6409FD"), "DBClusters": ("DB clusters", "L-952B80B8")}


def made(member: Member, place: Place, rooms: Mapping[str, Room], needed: Mapping[str, int], what: str) -> list[Claim]:
    """Return what making databases in a place takes of the quotas that AWS tells."""
    where, mine = (place.account, place.region), (member.resource_id,)
    return [
        rooms[name].claim(mine, where, _THINGS[name][0], what, number, ask("rds", _THINGS[name][1], place.region))
        for name, number in needed.items()
        if name in rooms
    ]


def one_account(member: Member, what: str) -> list[Finding]:
    """Return a finding when the sides are in two accounts."""
    mine, theirs = member.source.account, member.target.account
    if mine == theirs:
        return []
    text = f"the sides are in accounts {mine} and {theirs}: {what}."
    return [red(member.resource_id, "accounts", text, "keep both sides in one account, then: dr plan")]


def place(member: Member, missing: Iterable[str]) -> list[Finding]:
    """Judge the place where a database is to be made: what it needs is there."""
    me, there = member.resource_id, member.target
    found = [red(me, "surroundings", f"not there in {there.region}: {each}.") for each in missing]
    if not there.facts.get("security_groups"):
        text = f"no security groups are known in {there.region}: what is made there gets the default one of its VPC."
        found.append(warning(me, "security-groups", text, "set dr:security-groups on the subnet group"))
    if member.source.facts.get("kms_key") and not there.facts.get("kms_key"):
        text = f"the database is encrypted, and no key is known in {there.region}."
        found.append(red(me, "kms-key", text, "set dr:kms-key on the subnet group, then: dr plan"))
    return found


def content(member: Member, what: str, at: datetime | None, run: RunContext) -> list[Finding]:
    """Judge what has arrived; a planned run brings the rest itself."""
    me, where = member.resource_id, member.target.region
    judge = warning if run.mode is Mode.PLANNED else red
    if at is None:
        text = f"no {what} of {base_name(member.source.id)} can be restored in {where}."
        return [judge(me, "no-copy", text, "a planned run makes it; or set dr:recovery-strategy")]
    limit, age = run.rpo_minutes.get(me), (run.now - at).total_seconds() / 60
    if limit is None or age <= limit:
        return []
    text = f"the newest content in {where} is {age:.0f} min old, dr:rpo-target is {limit} min."
    return [judge(me, "age", text, "copy more often, or use a replica")]
