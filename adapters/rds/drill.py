"""A drill of an RDS database: a copy restored in the target Region behind a group that lets nobody in.

It is made from a snapshot of the standing replica, which is never promoted, or from the newest backups or snapshot that were
copied there. Nothing is put into the copy's groups, so no application finds it by accident.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.databases.spec import INSTANCE_FAILED, INSTANCE_PASSING, SNAPSHOT_FAILED, SNAPSHOT_PASSING
from adapters.fencing import group_call
from adapters.judging import gone, made, not_ours
from adapters.rds.making import restore_call
from adapters.rds.spec import BACKUPS, READ_REPLICA
from adapters.rds.view import RdsView
from adapters.rds.view_carried import available, restorable
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Call, Check, Later, Param, RunContext, Step, blocked, done, failed, todo
from orchestrator.words import CheckState, Effect, Side

_UNDER_WAY = ("deleting", "creating", "backing-up", "modifying", "rebooting")
"""Statuses in which RDS refuses a deletion, or is at it."""


def make(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy, replica = drill_name(run, view.member.target.id), view.copy, view.target
    if view.strategy != READ_REPLICA:
        return _make_from_content(view, run, name)
    if replica is None:
        return [failed("drill-snapshot", f"there is no DB instance {view.member.target.id}.", "dr plan")]
    if not copy.ours:
        return not_ours("drill-instance", name, run.run_id)
    group = group_call(name, "Isolates the copy of a drill", replica.vpc_id, run, Side.TARGET)
    snapshot: dict[str, Param] = {
        "DBInstanceIdentifier": view.member.target.id,
        "DBSnapshotIdentifier": name,
        "Tags": tag_list(run.tags),
    }
    restore: dict[str, Param] = {
        "DBInstanceIdentifier": name,
        "DBSnapshotIdentifier": name,
        "DBInstanceClass": replica.DBInstanceClass,
        "VpcSecurityGroupIds": [copy.group or Later("id of the drill's security group")],
        "DeletionProtection": False,
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "Tags": tag_list(run.tags),
        **({"DBSubnetGroupName": replica.DBSubnetGroup.DBSubnetGroupName} if replica.DBSubnetGroup else {}),
        **(
            {"DBParameterGroupName": replica.DBParameterGroups[0].DBParameterGroupName}
            if replica.DBParameterGroups
            else {}
        ),
    }
    return [
        _isolated(copy.group, group),
        made(
            "drill-snapshot",
            copy.snapshot,
            Call("rds", "CreateDBSnapshot", snapshot, Side.TARGET),
            SNAPSHOT_FAILED,
            passing=SNAPSHOT_PASSING,
        ),
        made(
            "drill-instance",
            copy.instance,
            Call("rds", "RestoreDBInstanceFromDBSnapshot", restore, Side.TARGET),
            INSTANCE_FAILED,
            passing=INSTANCE_PASSING,
        ),
    ]


def _isolated(there: str, call: Call) -> Step:
    if there:
        return done("drill-security-group", there, effect=Effect.REVERSIBLE)
    return todo("drill-security-group", call, Effect.REVERSIBLE, "not there")


def _make_from_content(view: RdsView, run: RunContext, name: str) -> list[Step]:
    copy, carried, place = view.copy, view.carried, view.member.target
    of = restorable(carried.backups) if view.strategy == BACKUPS else available(carried.copies)
    if not copy.ours:
        return not_ours("drill-instance", name, run.run_id)
    vpc_id = view.target.vpc_id if view.target else carried.vpc_id
    if not copy.instance and (of is None or not vpc_id):
        lacking = (
            "no subnet group" if not vpc_id else "no backups" if view.strategy == BACKUPS else "no copied snapshot"
        )
        why = f"{lacking} of {view.member.source.id} can be used in {place.region}"
        return [blocked("drill-instance", why, "see the findings of dr plan; a planned run makes the first copy.")]
    own: dict[str, Param] = {
        "VpcSecurityGroupIds": [copy.group or Later("id of the drill's security group")],
        "DeletionProtection": False,
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "Tags": tag_list(run.tags),
    }
    group = group_call(name, "Isolates the copy of a drill", vpc_id, run, Side.TARGET)
    call = restore_call(name, view, of, own)
    made_here = made("drill-instance", copy.instance, call, INSTANCE_FAILED, passing=INSTANCE_PASSING)
    return [_isolated(copy.group, group), made_here]


def delete(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag."""
    name, copy = drill_name(run, view.member.target.id), view.copy
    if not copy.ours:
        return not_ours("drill-instance", name, run.run_id)
    doomed: Mapping[str, Param] = {
        "DBInstanceIdentifier": name,
        "SkipFinalSnapshot": True,
        "DeleteAutomatedBackups": True,
    }
    instance = Call("rds", "DeleteDBInstance", doomed, Side.TARGET)
    snapshot = Call("rds", "DeleteDBSnapshot", {"DBSnapshotIdentifier": name}, Side.TARGET)
    group = Call("ec2", "DeleteSecurityGroup", {"GroupId": copy.group}, Side.TARGET)
    return [
        gone("drill-instance", copy.instance, instance, leaving=_UNDER_WAY),
        gone("drill-snapshot", copy.snapshot, snapshot, leaving=_UNDER_WAY),
        gone("drill-security-group", copy.group, group),
    ]


def health(view: RdsView) -> list[Check]:
    """Check the copy."""
    serving = view.copy.instance == "available"
    state = CheckState.HEALTHY if serving else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"instance is {view.copy.instance or 'not there'}")]
