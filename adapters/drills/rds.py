"""A drill of an RDS read replica: a snapshot of the replica, restored beside it behind a group that lets nobody in.

The standing replica is never promoted. Nothing is copied into the copy's groups, so no application finds it by accident.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.fencing import group_call
from adapters.judging import gone, made, not_ours
from adapters.reading import drill_name, tag_list
from adapters.specs.rds import FAILED_STATUSES
from adapters.views.rds import RdsView
from orchestrator.contract import Call, Check, Later, Param, RunContext, Step, done, failed, todo
from orchestrator.words import CheckState, Effect, Side

_UNDER_WAY = ("deleting", "creating", "backing-up", "modifying", "rebooting")
"""Statuses in which RDS refuses a deletion, or is at it."""


def make(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy, replica = drill_name(run, view.member.target.id), view.copy, view.target
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
    isolated = (
        done("drill-security-group", copy.group, effect=Effect.REVERSIBLE)
        if copy.group
        else todo("drill-security-group", group, Effect.REVERSIBLE, "not there")
    )
    return [
        isolated,
        made("drill-snapshot", copy.snapshot, Call("rds", "CreateDBSnapshot", snapshot, Side.TARGET), FAILED_STATUSES),
        made(
            "drill-instance",
            copy.instance,
            Call("rds", "RestoreDBInstanceFromDBSnapshot", restore, Side.TARGET),
            FAILED_STATUSES,
        ),
    ]


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
