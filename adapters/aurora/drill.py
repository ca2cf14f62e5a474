"""A drill of an Aurora cluster: a copy restored in the target Region behind a group that lets nobody in.

It is made from a snapshot of the standing target cluster, or from the newest snapshot that was copied there. A snapshot is used
rather than a copy-on-write clone because cloning a global database's secondary cluster is not confirmed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from adapters.aurora.making import Standing, create_instance
from adapters.aurora.view import DrillCopy, TargetSide
from adapters.databases.spec import (
    CLUSTER_FAILED,
    CLUSTER_PASSING,
    INSTANCE_FAILED,
    INSTANCE_PASSING,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from adapters.fencing import group_call
from adapters.judging import gone, made, not_ours
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Call, Check, Later, Param, RunContext, Step, blocked, done, todo
from orchestrator.words import CheckState, Effect, Phase, Side

V = TypeVar("V", bound=TargetSide)
_UNDER_WAY = ("deleting", "creating", "backing-up", "modifying", "configuring-enhanced-monitoring")
"""Statuses in which RDS refuses a deletion, or is at it."""


def make(view: Standing, run: RunContext) -> list[Step]:
    """Return the steps that make the copy of a standing cluster."""
    name, target = drill_name(run, view.member.target.id), view.target
    if not view.copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    if not target.there:
        why = f"there is no cluster {view.member.target.id} in {view.member.target.region} yet"
        return [blocked("drill-snapshot", why, "a planned run makes it; or see the findings of dr plan")]
    snapshot: dict[str, Param] = {
        "DBClusterIdentifier": view.member.target.id,
        "DBClusterSnapshotIdentifier": name,
        "Tags": tag_list(run.tags),
    }
    like: dict[str, Param] = {"DBSubnetGroupName": target.DBSubnetGroup} if target.DBSubnetGroup else {}
    call = Call("rds", "CreateDBClusterSnapshot", snapshot, Side.TARGET)
    taken = made("drill-snapshot", view.copy.snapshot, call, SNAPSHOT_FAILED, passing=SNAPSHOT_PASSING)
    return [_isolated(view, name, run), taken, *restore(view, run, name, like)]


def make_from(view: Standing, run: RunContext, snapshot: str | None, like: dict[str, Param]) -> list[Step]:
    """Return the steps that make the copy from a snapshot that is there; `like` is what the cluster is made with."""
    name, place = drill_name(run, view.member.target.id), view.member.target
    if not view.copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    if not view.copy.cluster and (snapshot is None or not view.copy.vpc_id):
        lacking = "no copied snapshot" if snapshot is None else "no subnet group"
        why = f"{lacking} of {view.member.source.id} can be used in {place.region}"
        return [blocked("drill-cluster", why, "see the findings of dr plan; a planned run makes the first copy.")]
    return [_isolated(view, name, run), *restore(view, run, snapshot or name, like)]


def restore(view: Standing, run: RunContext, snapshot: str, like: dict[str, Param]) -> list[Step]:
    """Return the steps that restore the copy and give it an instance."""
    name = drill_name(run, view.member.target.id)
    params: dict[str, Param] = {
        **like,
        "DBClusterIdentifier": name,
        "SnapshotIdentifier": snapshot,
        "Engine": view.target.Engine,
        "EngineVersion": view.target.EngineVersion,
        "VpcSecurityGroupIds": [view.copy.group or Later("id of the drill's security group")],
        "DeletionProtection": False,
        "Tags": tag_list(run.tags),
    }
    call = Call("rds", "RestoreDBClusterFromSnapshot", params, Side.TARGET)
    instance = create_instance(name, name, view, run)
    return [
        made("drill-cluster", view.copy.cluster, call, CLUSTER_FAILED, passing=CLUSTER_PASSING),
        made("drill-instance", view.copy.instance, instance, INSTANCE_FAILED, passing=INSTANCE_PASSING),
    ]


def _isolated(view: Standing, name: str, run: RunContext) -> Step:
    if view.copy.group:
        return done("drill-security-group", view.copy.group, effect=Effect.REVERSIBLE)
    call = group_call(name, "Isolates the copy of a drill", view.copy.vpc_id, run, Side.TARGET)
    return todo("drill-security-group", call, Effect.REVERSIBLE, "not there")


def delete(view: Standing, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag."""
    name, copy = drill_name(run, view.member.target.id), view.copy
    if not copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    instance = Call("rds", "DeleteDBInstance", {"DBInstanceIdentifier": name, "SkipFinalSnapshot": True}, Side.TARGET)
    cluster = Call("rds", "DeleteDBCluster", {"DBClusterIdentifier": name, "SkipFinalSnapshot": True}, Side.TARGET)
    snapshot = Call("rds", "DeleteDBClusterSnapshot", {"DBClusterSnapshotIdentifier": name}, Side.TARGET)
    group = Call("ec2", "DeleteSecurityGroup", {"GroupId": copy.group}, Side.TARGET)
    return [
        gone("drill-instance", copy.instance, instance, leaving=_UNDER_WAY),
        gone("drill-cluster", copy.cluster, cluster, leaving=_UNDER_WAY),
        gone("drill-snapshot", copy.snapshot, snapshot, leaving=_UNDER_WAY),
        gone("drill-security-group", copy.group, group),
    ]


def foreseen(view: V, phase: Phase, *, snapshot: bool = True) -> V:
    """Return the view that a phase of a drill leaves behind."""
    there = DrillCopy(
        vpc_id=view.copy.vpc_id,
        group="the drill's group",
        snapshot="available" if snapshot else "",
        cluster="available",
        instance="available",
    )
    return replace(view, copy=DrillCopy() if phase is Phase.CLEANUP else there)


def health(view: Standing) -> list[Check]:
    """Check the copy."""
    serving = view.copy.instance == "available"
    state = CheckState.HEALTHY if serving else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"instance is {view.copy.instance or 'not there'}")]
