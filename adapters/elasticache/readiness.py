"""What is judged of a cache before a run. Pure."""

from __future__ import annotations

from adapters.elasticache.making import token_lost, wanted_replicas
from adapters.elasticache.spec import BACKUP_RESTORE, GLOBAL_DATASTORE, SETTLED, SPEC
from adapters.elasticache.view import Cache, ElastiCacheView
from adapters.judging import ready, red, warning
from adapters.needed import key_findings
from orchestrator.contract import Finding, RunContext
from orchestrator.tags import RTO
from orchestrator.words import Mode, Phase

_UNSUITED = ("cache.t", "cache.m1.", "cache.m2.", "cache.m3.", "cache.m4.", "cache.c1.", "cache.r3.", "cache.r4.")


def findings(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me = view.member.resource_id
    found = [red(me, "status", f"{c.id} is {c.status}, expected available.") for c in _both(view) if not _calm(c)]
    found += key_findings(me, view.member.target.region, view.key_states)
    found += _datastore(view, run) if view.strategy == GLOBAL_DATASTORE else _standing_alone(view, run)
    found += _time(view, run)
    return found or [ready(me, _summary(view))]


def _both(view: ElastiCacheView) -> list[Cache]:
    return [each for each in (view.target, view.source) if each is not None]


def _calm(cache: Cache) -> bool:
    return cache.status in {"available", "snapshotting"}


def _summary(view: ElastiCacheView) -> str:
    region = view.member.target.region
    if view.strategy == GLOBAL_DATASTORE:
        lag = f"{view.lag_points[0].value:.1f} s" if view.lag_points else "unknown"
        return f"{view.base} can be promoted in {region}, lag {lag}."
    return f"{view.base} can be made in {region}." if view.target is None else f"{view.target.id} stands in {region}."


def _datastore(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    me, target = view.member.resource_id, view.target
    if view.member.source.account != view.member.target.account:
        both = f"{view.member.source.account} and {view.member.target.account}"
        return [
            red(
                me,
                "accounts",
                f"the sides are in {both}: a global datastore stays in one account.",
                "use backup-restore",
            )
        ]
    if view.detached:
        text = f"{target.id if target else view.base} stands alone: it was detached before, and is protected by nothing until REPLICATE."
        return [warning(me, "detached", text)] if run.mode is Mode.PLANNED else [red(me, "detached", text)]
    if target is None or not target.datastore_id:
        return _incomplete(view, run)
    found = _roles(view) + _lag(view, run)
    if target.replicas < (wanted := wanted_replicas(view, view.member.target, view.member.source)):
        text = f"{target.id} has {target.replicas} replica(s) per shard, production {wanted}; they are added."
        found.append(warning(me, "replicas", text))
    if run.mode is Mode.DRILL and not view.exports:
        text = "the drill snapshots the secondary; AWS documents nowhere that this is allowed. Where it is declined, the drill fails."
        found.append(warning(me, "drill-snapshot", text))
    return found


def _incomplete(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    me, region = view.member.resource_id, view.member.target.region
    if view.target is not None:
        text = f"{view.target.id} in {region} stands alone; joining a global datastore would wipe it."
        return [red(me, "stands-alone", text, "make a secondary of another name, or set dr:recovery-strategy")]
    if run.mode is not Mode.PLANNED:
        return [red(me, "no-secondary", f"there is no member of {view.base} in {region}; a planned run makes one.")]
    found = [warning(me, "no-secondary", f"there is no member of {view.base} in {region}; INSTANTIATE makes one.")]
    found += [red(me, "surroundings", f"not there in {region}: {each}.") for each in view.missing]
    like = view.member.source.facts
    if str(like.get("node_type", "")).startswith(_UNSUITED):
        text = f"{like['node_type']} cannot be part of a global datastore; expected M5, R5 or newer, large or above."
        found.append(red(me, "node-type", text))
    return found


def _roles(view: ElastiCacheView) -> list[Finding]:
    me, found, mine, theirs = view.member.resource_id, [], view.target_member, view.source_member
    assert view.datastore is not None
    if view.datastore.Status != "available":
        hint = " (it has no secondary)" if view.datastore.Status == SETTLED[1] else ""
        text = f"global datastore {view.datastore.GlobalReplicationGroupId} is {view.datastore.Status}{hint}, expected available."
        found.append(red(me, "datastore", text))
    if theirs is None:
        found.append(red(me, "no-source", f"no member of the global datastore is in {view.member.source.region}."))
    for each in (mine, theirs):
        if each is not None and each.Status.lower() != "associated":
            text = f"{each.ReplicationGroupId} in {each.ReplicationGroupRegion} is {each.Status}, expected associated."
            found.append(red(me, "association", text))
    if mine is not None and mine.AutomaticFailover not in {"enabled", ""}:
        text = (
            f"automatic failover of {mine.ReplicationGroupId} is {mine.AutomaticFailover}: one lost node would stop it."
        )
        found.append(warning(me, "automatic-failover", text))
    return found


def _lag(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    me, limit = view.member.resource_id, run.rpo_minutes.get(view.member.resource_id)
    if view.target_writes:
        return []
    if not view.lag_points:
        lost = red if run.mode is not Mode.EMERGENCY else warning
        return [
            lost(
                me,
                "lag",
                f"{view.member.target.id} reports no replication lag: it may not replicate.",
                "look at its events",
            )
        ]
    lag = view.lag_points[0].value
    if limit is not None and lag > limit * 60:
        return [red(me, "lag", f"replication lag is {lag:.0f} s, dr:rpo-target is {limit} min.")]
    return []


def _standing_alone(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    me, region = view.member.resource_id, view.member.target.region
    found = []
    if view.target is None:
        found += [red(me, "surroundings", f"not there in {region}: {each}.") for each in view.missing]
        found += [red(me, step.name, f"{step.reason}.", step.remedy) for step in token_lost(view)]
        if not view.member.target.facts.get("security_groups"):
            text = f"no security groups are known in {region}: the new group gets the default one of its VPC."
            found.append(warning(me, "security-groups", text, "set dr:security-groups on the cache subnet group"))
        if view.stale:
            names = ", ".join(each.id for each in view.stale)
            found.append(
                warning(me, "name", f"{names} in {region} holds the name: the new group is called {view.base}-<run>.")
            )
    if view.strategy == BACKUP_RESTORE:
        return found + _exports(view, run)
    if view.target is not None and run.phase is Phase.INSTANTIATE and not view.target.fenced:
        text = f"{view.target.id} stands in {region} since {view.target.created:%Y-%m-%d}: what it holds may be old."
        found.append(warning(me, "not-cold", text))
    return found


def _exports(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    me, limit = view.member.resource_id, run.rpo_minutes.get(view.member.resource_id)
    found = []
    for place in (view.member.target, view.member.source):
        if not place.facts.get("bucket") and (run.mode is not Mode.EMERGENCY or place is view.member.target):
            text = f"no export bucket is known in {place.region}."
            found.append(red(me, "bucket", text, "set dr:export-bucket on the cache subnet group there, then: dr plan"))
    if view.target is not None or found:
        return found
    if not view.exports:
        text = f"no complete export of {view.base} lies in {view.member.target.facts.get('bucket')}."
        planned = run.mode is Mode.PLANNED
        return [warning(me, "export", text) if planned else red(me, "export", text, "export the cache, or use rebuild")]
    age = (run.now - view.exports[0].at).total_seconds() / 60
    if limit is not None and age > limit:
        text = f"the newest export is {age:.0f} min old, dr:rpo-target is {limit} min."
        planned = run.mode is Mode.PLANNED
        return [warning(me, "export-age", text) if planned else red(me, "export-age", text, "export more often")]
    return []


def _time(view: ElastiCacheView, run: RunContext) -> list[Finding]:
    target = view.member.tags.get(RTO)
    if target is None or run.mode is Mode.DRILL:
        return []
    minutes = SPEC.strategy(view.strategy).typical_minutes[Phase.ACTIVATE]
    if minutes <= int(target):
        return []
    text = f"{view.strategy} typically takes {minutes:.0f} min to activate, dr:rto-target is {target} min."
    return [warning(view.member.resource_id, "rto", text, "use a global datastore, or a longer dr:rto-target")]
