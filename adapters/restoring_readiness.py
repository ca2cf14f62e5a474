"""What is judged before a database is made in another Region, of an instance and of a cluster alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.databases.shared import base_name
from adapters.judging import red, warning
from orchestrator.contract import Finding, Member, RunContext
from orchestrator.words import Mode

_THINGS = {
    "DBInstances": "DB instances",
    "DBClusters": "DB clusters",
    "ManualClusterSnapshots": "manual cluster snapshots",
}


def one_account(member: Member, what: str) -> list[Finding]:
    """Return a finding when the sides are in two accounts."""
    mine, theirs = member.source.account, member.target.account
    if mine == theirs:
        return []
    text = f"the sides are in accounts {mine} and {theirs}: {what}."
    return [red(member.resource_id, "accounts", text, "keep both sides in one account, then: dr plan")]


def place(member: Member, missing: Iterable[str], left: Mapping[str, int], needed: Mapping[str, int]) -> list[Finding]:
    """Judge the place where a database is to be made: what it needs is there, `needed` is within what is `left`."""
    me, there = member.resource_id, member.target
    found = [red(me, "surroundings", f"not there in {there.region}: {each}.") for each in missing]
    if not there.facts.get("security_groups"):
        text = f"no security groups are known in {there.region}: what is made there gets the default one of its VPC."
        found.append(warning(me, "security-groups", text, "set dr:security-groups on the subnet group"))
    if member.source.facts.get("kms_key") and not there.facts.get("kms_key"):
        text = f"the database is encrypted, and no key is known in {there.region}."
        found.append(red(me, "kms-key", text, "set dr:kms-key on the subnet group, then: dr plan"))
    for name, number in needed.items():
        if name in left and left[name] < number:
            text = f"{left[name]} more {_THINGS[name]} may be made in {there.region}, this run makes {number}."
            found.append(red(me, "quota", text, "ask for a higher quota, or remove what was retired"))
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
