"""A replication group that is made: alike the one it stands for, with the Regional things of its own side."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from adapters.elasticache.fence import unknown
from adapters.elasticache.spec import (
    BUCKET_TAG,
    FAILED_STATUSES,
    GROUPS_TAG,
    KEY_TAG,
    PASSING_STATUSES,
    STANDBY_FOR_TAG,
)
from adapters.elasticache.view import Cache, ElastiCacheView
from adapters.fencing import FENCED_TAG
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Param, Place, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Mode, Side

_OWN = ("dr:execution-id", "dr:drill-id", FENCED_TAG, STANDBY_FOR_TAG, GROUPS_TAG, BUCKET_TAG, KEY_TAG)
"""Tags that belong to one run, or to one side."""


def wait(name: str, cache: Cache | None, call: Call | None, why: str, *, effect: Effect) -> Step:
    """Judge a group to be made: not there, under way, there."""
    if cache is None:
        return todo(name, call, effect, why) if call else failed(name, why, "look at the group's events, then retry.")
    if cache.status in FAILED_STATUSES:
        remedy = (
            f"look at its events (aws elasticache describe-events --source-identifier {cache.id} --source-type "
            f"replication-group), delete it (aws elasticache delete-replication-group --replication-group-id {cache.id}), "
            "then retry."
        )
        return failed(name, f"{cache.id} is {cache.status}, expected available", remedy)
    if cache.status in PASSING_STATUSES:
        return busy(name, f"{cache.id} is {cache.status}, expected available", effect=effect, call=call)
    if cache.status != "available":
        raise unknown(cache.id, cache.status)
    return done(name, f"{cache.id} is available", effect=effect)


def secondary(name: str, view: ElastiCacheView, run: RunContext, side: Side, datastore: str | None) -> Call:
    """Return the call that makes a member of a global datastore: what is inherited must not be passed."""
    place, other = _sides(view, side)
    params: dict[str, Param] = {
        "ReplicationGroupId": name,
        "ReplicationGroupDescription": _description(view),
        "GlobalReplicationGroupId": datastore or Later("id of the global datastore"),
        "ReplicasPerNodeGroup": wanted_replicas(view, place, other),
        **_regional(place, view, run),
    }
    return Call("elasticache", "CreateReplicationGroup", params, side)


def alone(name: str, view: ElastiCacheView, run: RunContext, seed: Mapping[str, Param]) -> Call:
    """Return the call that makes a group of its own on the target side: empty, or from `seed`."""
    place, like = view.member.target, view.member.source.facts
    replicas = wanted_replicas(view, place, view.member.source)
    shards = view.shards
    versions = str(like.get("version") or "")
    copied: dict[str, Param] = {
        "CacheNodeType": str(view.member.settings.get("nodeType") or like.get("node_type") or ""),
        "Engine": str(like.get("engine") or ""),
        "EngineVersion": version(str(like.get("engine")), versions) if versions else "",
        "CacheParameterGroupName": str(like.get("parameter_group") or ""),
        "UserGroupIds": _list(like.get("user_groups")),
        "SnapshotRetentionLimit": int(str(like.get("snapshot_days") or 0)),
        "Port": int(str(like.get("port") or 6379)),
    }
    params: dict[str, Param] = {
        "ReplicationGroupId": name,
        "ReplicationGroupDescription": _description(view),
        **{key: value for key, value in copied.items() if value},
        "NumNodeGroups": shards,
        "ReplicasPerNodeGroup": replicas,
        "AutomaticFailoverEnabled": bool(like.get("automatic_failover")) and (replicas > 0 or shards > 1),
        "MultiAZEnabled": bool(like.get("multi_az")) and replicas > 0,
        "TransitEncryptionEnabled": bool(like.get("transit_encryption")),
        "AtRestEncryptionEnabled": bool(like.get("at_rest_encryption")),
        **_regional(place, view, run),
        **seed,
    }
    return Call("elasticache", "CreateReplicationGroup", params, Side.TARGET)


def token_lost(view: ElastiCacheView) -> list[Step]:
    """Refuse to make a group that would be open to everybody because nobody can read the old one's token."""
    like = view.member.source.facts
    if not like.get("auth_token") or like.get("user_groups"):
        return []
    why = f"{view.member.source.id} has an AUTH token, which nobody can read: a new group would have none"
    return [
        blocked("auth-token", why, "give it user groups (RBAC) instead, or make the new group by hand with its token.")
    ]


def wanted_replicas(view: ElastiCacheView, place: Place, other: Place) -> int:
    """Return the replicas per shard: the manifest's, else as many as either side had."""
    known = [int(str(each.facts["replicas"])) for each in (place, other) if each.facts.get("replicas") is not None]
    return int(str(view.member.settings.get("replicas") or max(known, default=1)))


def version(engine: str, full: str) -> str:
    """Return a version as CreateReplicationGroup takes it: from Redis OSS 6 and Valkey on, without the patch number."""
    parts = full.split(".")
    return full if engine == "redis" and int(parts[0]) < 6 else ".".join(parts[:2])


def _regional(place: Place, view: ElastiCacheView, run: RunContext) -> dict[str, Param]:
    facts = place.facts
    regional: dict[str, Param] = {
        "CacheSubnetGroupName": str(facts.get("subnet_group") or ""),
        "SecurityGroupIds": _list(facts.get("security_groups")),
        "KmsKeyId": str(facts.get("kms_key") or "") if view.member.source.facts.get("at_rest_encryption") else "",
    }
    return {**{key: value for key, value in regional.items() if value}, "Tags": tags(view, run)}


def tags(view: ElastiCacheView, run: RunContext) -> list[JsonValue]:
    """Return the tags of a group that is made: in a drill only the drill's own."""
    if run.mode is Mode.DRILL:
        return tag_list(run.tags)
    kept = {k: v for k, v in view.member.tags.items() if k not in _OWN and not k.startswith("aws:")}
    return tag_list({**kept, **run.tags})


def _sides(view: ElastiCacheView, side: Side) -> tuple[Place, Place]:
    source, target = view.member.source, view.member.target
    return (target, source) if side is Side.TARGET else (source, target)


def _description(view: ElastiCacheView) -> str:
    return str(view.member.source.facts.get("description") or view.member.target.facts.get("description") or view.base)


def _list(value: JsonValue) -> list[Param]:
    return list(value) if isinstance(value, list) else []
