"""A drill of an Aurora cluster: a snapshot of the target cluster, restored beside it.

A snapshot is used rather than a copy-on-write clone because cloning a global database's secondary cluster is not confirmed.
"""

from __future__ import annotations

from pydantic import JsonValue

from adapters.aurora_making import Standing, create_instance
from adapters.judging import gone, made, not_ours
from adapters.reading import drill_name, tag_list
from adapters.specs.aurora import FAILED_STATUSES
from orchestrator.contract import Call, Check, RunContext, Step
from orchestrator.words import CheckState, Side

_UNDER_WAY = ("deleting", "creating", "backing-up", "modifying", "configuring-enhanced-monitoring")
"""Statuses in which RDS refuses a deletion, or is at it."""


def make(view: Standing, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy = drill_name(run, view.member.target.id), view.copy
    if not copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    tags = tag_list(run.tags)
    snapshot: dict[str, JsonValue] = {
        "DBClusterIdentifier": view.member.target.id,
        "DBClusterSnapshotIdentifier": name,
        "Tags": tags,
    }
    restore: dict[str, JsonValue] = {
        "DBClusterIdentifier": name,
        "SnapshotIdentifier": name,
        "Engine": view.target.Engine,
        "Tags": tags,
        **({"DBSubnetGroupName": view.target.DBSubnetGroup} if view.target.DBSubnetGroup else {}),
    }
    snapshot_call = Call("rds", "CreateDBClusterSnapshot", snapshot, Side.TARGET)
    restore_call = Call("rds", "RestoreDBClusterFromSnapshot", restore, Side.TARGET)
    return [
        made("drill-snapshot", copy.snapshot, snapshot_call, FAILED_STATUSES),
        made("drill-cluster", copy.cluster, restore_call, FAILED_STATUSES),
        made("drill-instance", copy.instance, create_instance(name, name, view, run), FAILED_STATUSES),
    ]


def delete(view: Standing, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag."""
    name, copy = drill_name(run, view.member.target.id), view.copy
    if not copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    instance = Call("rds", "DeleteDBInstance", {"DBInstanceIdentifier": name, "SkipFinalSnapshot": True}, Side.TARGET)
    cluster = Call("rds", "DeleteDBCluster", {"DBClusterIdentifier": name, "SkipFinalSnapshot": True}, Side.TARGET)
    snapshot = Call("rds", "DeleteDBClusterSnapshot", {"DBClusterSnapshotIdentifier": name}, Side.TARGET)
    return [
        gone("drill-instance", copy.instance, instance, leaving=_UNDER_WAY),
        gone("drill-cluster", copy.cluster, cluster, leaving=_UNDER_WAY),
        gone("drill-snapshot", copy.snapshot, snapshot, leaving=_UNDER_WAY),
    ]


def health(view: Standing) -> list[Check]:
    """Check the copy."""
    serving = view.copy.instance == "available"
    state = CheckState.HEALTHY if serving else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"instance is {view.copy.instance or 'not there'}")]
