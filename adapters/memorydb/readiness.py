"""What is judged of a MemoryDB cluster before a run. Pure."""

from __future__ import annotations

from adapters.judging import ready, red, too_slow, warning
from adapters.memorydb.fence import named_or_gone
from adapters.memorydb.spec import FAILED_STATUSES, MULTI_REGION, NAME_LIMIT, SPEC
from adapters.memorydb.view import MemoryDbView
from adapters.memorydb.view_exports import bucket_of
from adapters.needed import key_findings
from orchestrator.contract import Finding, RunContext
from orchestrator.words import Mode, Side

ONLY_WARN = ("way-back",)


def findings(view: MemoryDbView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    member, me = view.member, view.member.resource_id
    found = [warning(me, c, m) if c in ONLY_WARN else red(me, c, m) for c, m in view.problems]
    found += key_findings(me, member.target.region, view.key_states)
    if member.source.account != member.target.account:
        text = f"the sides of {member.name} lie in accounts {member.source.account} and {member.target.account}."
        found.append(red(me, "account", f"{text} MemoryDB moves nothing between accounts."))
    found += _members(view, run) if view.strategy == MULTI_REGION else _exports(view, run)
    found += _status(view, run)
    if view.target.fenced and view.strategy == MULTI_REGION:
        found.append(warning(me, "fenced", f"{named_or_gone(view.target)} is fenced; ACTIVATE lets clients in again."))
    found += too_slow(member, SPEC.strategy(view.strategy))
    return found or [ready(me, _told(view))]


def _told(view: MemoryDbView) -> str:
    if view.strategy == MULTI_REGION:
        return f"{named_or_gone(view.target)} can take over, lag {view.lag_ms or 0:.0f} ms."
    newest = next(iter(view.complete(Side.TARGET)), None)
    at = f"newest export of {newest.at:%Y-%m-%d %H:%M} UTC" if newest else "no export yet"
    return f"{view.member.name} can be restored in {view.member.target.region}, {at}."


def _members(view: MemoryDbView, run: RunContext) -> list[Finding]:
    me, group, region = view.member.resource_id, view.group, view.member.target.region
    if group is None:
        return [red(me, "no-multi-region", f"{view.member.target.id} belongs to no multi-Region cluster.")]
    found, name = [], group.MultiRegionClusterName
    if group.Status.lower() != "available" and run.mode is not Mode.EMERGENCY:
        found.append(red(me, "multi-region-status", f"{name} is {group.Status}, expected available."))
    if region not in group.members:
        text = f"{name} has no member in {region}"
        can = run.mode is Mode.PLANNED
        found.append(
            warning(me, "no-member", f"{text}: INSTANTIATE makes it.") if can else red(me, "no-member", f"{text}.")
        )
    others = sorted(set(group.members) - {region, view.member.source.region})
    if others:
        text = f"{name} has members in {', '.join(others)} too: they are not fenced, and while they write, lag is not zero."
        found.append(warning(me, "more-members", text))
    if run.mode is Mode.EMERGENCY:
        return found
    status = group.members.get(view.member.source.region, "not there")
    if status != "available":
        found.append(red(me, "source-status", f"the member in {view.member.source.region} is {status}."))
    limit = run.rpo_minutes.get(me)
    if region in group.members and view.lag_ms is None:
        found.append(red(me, "lag", f"{named_or_gone(view.target)} reports no replication lag.", "dr plan in a minute"))
    elif limit is not None and view.lag_ms is not None and view.lag_ms > limit * 60_000:
        found.append(red(me, "lag", f"lag is {view.lag_ms / 1000:.0f} s, dr:rpo-target is {limit} min."))
    cluster, wanted = view.target.cluster, view.member.source.facts.get("replicas")
    if cluster and isinstance(wanted, int) and cluster.replicas < wanted and run.mode is Mode.PLANNED:
        text = (
            f"{cluster.Name} has {cluster.replicas} replica(s) a shard, the source side {wanted}: INSTANTIATE grows it."
        )
        found.append(warning(me, "replicas", text))
    return found


def _exports(view: MemoryDbView, run: RunContext) -> list[Finding]:
    member, me, found = view.member, view.member.resource_id, []
    for place in (member.target,) if run.mode is not Mode.PLANNED else (member.source, member.target):
        if not bucket_of(place):
            text = f"no bucket for exports is named in {place.region}."
            found.append(
                red(me, "bucket", text, "tag the cluster, or its stand-in subnet group, with dr:export-bucket")
            )
    if not member.target.facts.get("security_groups"):
        text = f"no security groups are named in {member.target.region}: clients would not get in."
        remedy = f"tag subnet group {member.target.facts.get('subnet_group')} with dr:security-groups"
        found.append(red(me, "security-groups", text, remedy))
    if member.source.facts.get("kms_key") and not member.target.facts.get("kms_key"):
        text = f"no key is named in {member.target.region}: the restored cluster is encrypted with a key AWS owns."
        found.append(warning(me, "no-key", text, "tag the subnet group with dr:kms-key"))
    if member.source.facts.get("tiered"):
        found.append(red(me, "data-tiering", f"{member.source.id} uses data tiering: MemoryDB cannot export it."))
    if len(member.name) > NAME_LIMIT - len("-dr-12345678"):
        text = f"the name {member.name} is too long for a restored cluster, 28 characters at most."
        found.append(red(me, "name", text, "move the data to a cluster with a shorter name"))
    return found + _age(view, run)


def _age(view: MemoryDbView, run: RunContext) -> list[Finding]:
    me, limit = view.member.resource_id, run.rpo_minutes.get(view.member.resource_id)
    newest = next(iter(view.complete(Side.TARGET)), None)
    if view.moved:
        return []
    if newest is None:
        text = f"no whole export {view.member.name}.* is in {bucket_of(view.member.target) or 'any bucket'}"
        told = f"{text}: an emergency could restore nothing."
        return [warning(me, "export", told)] if run.mode is Mode.PLANNED else [red(me, "export", told)]
    age = (run.now - newest.at).total_seconds() / 60
    if limit is None or age <= limit:
        return []
    return [warning(me, "export-age", f"the newest export is {age:.0f} min old, dr:rpo-target is {limit} min.")]


def _status(view: MemoryDbView, run: RunContext) -> list[Finding]:
    found = []
    for each in (view.target, *((view.source,) if view.source and run.mode is Mode.PLANNED else ())):
        if not each.status or each.status == "available":
            continue
        text = f"{named_or_gone(each)} in {each.place.region} is {each.status}, expected available."
        grave = each.status in (*FAILED_STATUSES, "deleting")
        me = view.member.resource_id
        found.append(red(me, "status", text) if grave else warning(me, "busy", f"{text} The run waits for it."))
    if view.source is not None and view.source.cluster is None and run.mode is Mode.PLANNED and not view.moved:
        text = f"there is no cluster {view.member.source.id} in {view.member.source.region}."
        found.append(red(view.member.resource_id, "no-source", text))
    return found
