"""A drill of a cache: a group of its own beside the target, behind a security group that lets nobody in.

It is filled from a snapshot of the standing secondary, from the newest export that lies on the target side, or (rebuild)
from nothing. Whether a secondary can be snapshotted is documented nowhere, so an export is preferred where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.elasticache.making import alone
from adapters.elasticache.spec import (
    FAILED_STATUSES,
    GLOBAL_DATASTORE,
    NAME_LIMIT,
    PASSING_STATUSES,
    REBUILD,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from adapters.elasticache.view import ElastiCacheView
from adapters.fencing import group_call
from adapters.judging import gone, made, not_ours
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Call, Check, Later, Param, RunContext, Step, blocked, done, todo
from orchestrator.words import CheckState, Effect, Side

_UNDER_WAY = ("creating", "deleting", "modifying", "snapshotting", "copying", "exporting", "restoring")
"""Statuses in which ElastiCache refuses a deletion, or is at it."""


def make(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy = drill_name(run, view.base, NAME_LIMIT), view.copy
    if not copy.ours:
        return not_ours("drill-group", name, run.run_id)
    if view.target_vpc is None:
        return [
            blocked("drill-group", f"not there: {', '.join(view.missing)}", "correct the subnet group, then: dr plan")
        ]
    isolation = group_call(name, "Isolates the copy of a drill", view.target_vpc, run, Side.TARGET)
    isolated = (
        done("drill-security-group", copy.security_group, effect=Effect.REVERSIBLE)
        if copy.security_group
        else todo("drill-security-group", isolation, Effect.REVERSIBLE, "not there")
    )
    behind: dict[str, Param] = {"SecurityGroupIds": [copy.security_group or Later("id of the drill's security group")]}
    before, seed = _content(view, run, name)
    params = alone(name, view, run, {**behind, **seed}).params
    call = Call("elasticache", "CreateReplicationGroup", {**params, "SnapshotRetentionLimit": 0}, Side.TARGET)
    return [isolated, *before, made("drill-group", copy.group, call, FAILED_STATUSES, passing=PASSING_STATUSES)]


def _content(view: ElastiCacheView, run: RunContext, name: str) -> tuple[list[Step], Mapping[str, Param]]:
    if view.strategy == REBUILD:
        return [], {}
    if view.exports:
        return [], {"SnapshotArns": list(view.exports[0].arns)}
    if view.strategy != GLOBAL_DATASTORE or view.target is None:
        why = f"no complete export of {view.base} lies in {view.member.target.facts.get('bucket') or 'any bucket'}"
        return [
            blocked(
                "drill-export", why, "export the cache to the bucket of its own Region, then start the drill again."
            )
        ], {}
    params: dict[str, Param] = {
        "ReplicationGroupId": view.target.id,
        "SnapshotName": name,
        "Tags": tag_list(run.tags),
    }
    call = Call("elasticache", "CreateSnapshot", params, Side.TARGET)
    return [made("drill-snapshot", view.copy.snapshot, call, SNAPSHOT_FAILED, passing=SNAPSHOT_PASSING)], {
        "SnapshotName": name
    }


def delete(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag."""
    name, copy = drill_name(run, view.base, NAME_LIMIT), view.copy
    if not copy.ours:
        return not_ours("drill-group", name, run.run_id)
    group = Call("elasticache", "DeleteReplicationGroup", {"ReplicationGroupId": name}, Side.TARGET)
    snapshot = Call("elasticache", "DeleteSnapshot", {"SnapshotName": name}, Side.TARGET)
    isolation = Call("ec2", "DeleteSecurityGroup", {"GroupId": copy.security_group}, Side.TARGET)
    return [
        gone("drill-group", copy.group, group, leaving=_UNDER_WAY),
        gone("drill-snapshot", copy.snapshot, snapshot, leaving=_UNDER_WAY),
        gone("drill-security-group", copy.security_group, isolation),
    ]


def health(view: ElastiCacheView) -> list[Check]:
    """Check the copy."""
    state = CheckState.HEALTHY if view.copy.group == "available" else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"group is {view.copy.group or 'not there'}")]
