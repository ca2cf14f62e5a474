"""The steps on an RDS instance's source side: fence it, open it again, retire it, put a replica in its place.

The fence is a security group without ingress rules, `dr-fence`, one per VPC, put on the source INSTANCE alone. Revoking
the rules of the instance's own groups would lock out bystanders, for such groups are commonly shared. Open connections are
tracked and outlive the change, so the instance is rebooted. Its own groups are remembered in its tag `dr:fenced`, which a
later run, a person and the rollback can read; the replication of RDS itself does not pass through these groups.
"""

from __future__ import annotations

from adapters.fencing import FENCE_GROUP, FENCED_TAG, group_call
from adapters.rds_making import not_yet, own_tags
from adapters.reading import tag_list, tag_map
from adapters.specs.rds import DATAPOINTS_AT_ZERO, DRAIN_BOUND_SECONDS, FAILED_STATUSES, READ_REPLICA
from adapters.views.rds import RdsView, base_name, retired_name
from adapters.views.rds_models import Instance
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

_REOPEN = "answer the failure gate with rollback to open the source again"


def fence(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the old primary."""
    old = view.old
    if old is None:
        return [done("fence", f"there is no {base_name(view.member.source.id)} to be fenced", effect=Effect.REVERSIBLE)]
    if view.fence is not None and view.fence.IpPermissions:
        why = f"security group {FENCE_GROUP} ({view.fence.GroupId}) has ingress rules, expected none"
        return [
            blocked("fence-group", why, f"aws ec2 revoke-security-group-ingress --group-id {view.fence.GroupId} ...")
        ]
    return [_fence_group(view, old, run), _remember(view, old), _fenced(view, old)]


def _fence_group(view: RdsView, old: Instance, run: RunContext) -> Step:
    name = "fence-group"
    call = group_call(
        FENCE_GROUP, "No ingress: fences databases during disaster recovery", old.vpc_id, run, Side.SOURCE
    )
    if view.fence is not None:
        return done(name, f"{view.fence.GroupId} lets nobody in", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"{old.vpc_id} has no group {FENCE_GROUP}")


def _remember(view: RdsView, old: Instance) -> Step:
    name, own = "remember-security-groups", " ".join(old.own_groups)
    call = Call(
        "rds",
        "AddTagsToResource",
        {"ResourceName": old.DBInstanceArn, "Tags": tag_list({FENCED_TAG: own})},
        Side.SOURCE,
    )
    if tag_map(old.TagList).get(FENCED_TAG):
        return done(name, f"{FENCED_TAG} says {own}", effect=Effect.REVERSIBLE)
    if view.fence is not None and old.groups == (view.fence.GroupId,):
        why = f"{old.DBInstanceIdentifier} is fenced, but {FENCED_TAG} does not tell its own security groups"
        tag = f"Key={FENCED_TAG},Value='sg-... sg-...'"
        return blocked(name, why, f"aws rds add-tags-to-resource --resource-name {old.DBInstanceArn} --tags {tag}")
    return todo(name, call, Effect.REVERSIBLE, f"its own security groups are {own}")


def _fenced(view: RdsView, old: Instance) -> Step:
    name, fence_id = "fence", view.fence.GroupId if view.fence else None
    call = _modify(old, {"VpcSecurityGroupIds": [fence_id or Later(f"id of {FENCE_GROUP}")]})
    if fence_id is not None and old.groups == (fence_id,) and not old.settled_groups:
        return busy(name, f"{fence_id} is being put on", effect=Effect.REVERSIBLE, call=call)
    if fence_id is not None and old.groups == (fence_id,):
        return done(name, f"only {fence_id} is on {old.DBInstanceIdentifier}", effect=Effect.REVERSIBLE)
    return _when_available(name, old, call, f"{old.DBInstanceIdentifier} is open through {' '.join(old.groups)}")


def cut(view: RdsView, run: RunContext) -> Step:
    """Return the step that ends the established connections; its truth is the restart among the instance's events."""
    name, old = "cut-connections", view.old
    if old is None or view.promoted:
        why = "nothing replicates from it any more" if view.strategy == READ_REPLICA else "it was restored elsewhere"
        return done(name, why, effect=Effect.REVERSIBLE)
    call = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": old.DBInstanceIdentifier}, Side.SOURCE)
    fenced_at = run.called_at.get("fence")
    if view.restarted_at is not None and (fenced_at is None or view.restarted_at >= fenced_at):
        if old.DBInstanceStatus != "available":
            return busy(name, f"restarted, is {old.DBInstanceStatus}", effect=Effect.REVERSIBLE, call=call)
        return done(name, f"restarted at {view.restarted_at:%H:%M:%S} UTC behind the fence", effect=Effect.REVERSIBLE)
    return _when_available(name, old, call, "connections from before the fence are still open")


def drained(view: RdsView, run: RunContext) -> Step:
    """Return the wait for lag zero.

    A PostgreSQL replica without transactions shows a lag that climbs to five minutes and starts again (RDS user guide,
    "Monitoring read replication"), so zero may never be seen: the source's empty replication slot counts as well.
    Only minutes that began after the fenced source's restart are believed.
    """
    name, lag = "drain", view.behind_the_fence(view.lag_points)
    if view.promoted:
        return done(name, f"{view.member.target.id} replicates from nobody")
    since = 0.0 if view.restarted_at is None else (run.now - view.restarted_at).total_seconds()
    shown = ", ".join(f"{each:.0f} s" for each in lag[:DATAPOINTS_AT_ZERO]) or "no datapoint"
    if len(lag) >= DATAPOINTS_AT_ZERO and not any(lag[:DATAPOINTS_AT_ZERO]):
        return done(name, f"lag was zero at {DATAPOINTS_AT_ZERO} datapoints in a row")
    if view.behind_the_fence(view.slot_lag_points)[:1] == (0.0,):
        return done(name, "the source's replication slot is empty")
    if since < DRAIN_BOUND_SECONDS:
        return busy(name, f"lag {shown}, expected {DATAPOINTS_AT_ZERO} datapoints at zero or an empty replication slot")
    why = f"lag {shown}, not zero {since / 60:.0f} min after the source was fenced"
    remedy = (
        f"compare the replayed position on both sides by SQL. Equal: start the run again with Emergency and AcceptDataLoss, "
        f"the source stays fenced. Not equal: {_REOPEN}"
    )
    return blocked(name, why, remedy)


def reopen(view: RdsView) -> list[Step]:
    """Return the steps that give the source instance its own security groups back."""
    old = view.old
    if old is None or not tag_map(old.TagList).get(FENCED_TAG):
        return [done("unfence", f"{base_name(view.member.source.id)} is not fenced", effect=Effect.REVERSIBLE)]
    own = old.own_groups
    call = _modify(old, {"VpcSecurityGroupIds": list(own)})
    forget = {"ResourceName": old.DBInstanceArn, "TagKeys": [FENCED_TAG]}
    opened = (
        done("unfence", f"its own groups {' '.join(own)} are back", effect=Effect.REVERSIBLE)
        if old.groups == own
        else _when_available("unfence", old, call, f"only {' '.join(old.groups)} is on {old.DBInstanceIdentifier}")
    )
    forgotten = Call("rds", "RemoveTagsFromResource", forget, Side.SOURCE)
    return [opened, todo("forget-security-groups", forgotten, Effect.REVERSIBLE, f"{FENCED_TAG} is still there")]


def rename(name: str, view: RdsView, old: Instance | None, new_id: str) -> Step:
    """Return the step that gives the old primary another name; a rename reboots the instance."""
    if old is None:
        return done(name, "the old primary is gone", warning="the old primary was removed by somebody else")
    call = _modify(old, {"NewDBInstanceIdentifier": new_id})
    if old.DBInstanceIdentifier == new_id:
        if old.DBInstanceStatus in {"available", "stopped"}:
            return done(name, f"it is called {new_id}", effect=Effect.REVERSIBLE)
        return busy(name, f"{new_id} is {old.DBInstanceStatus}", effect=Effect.REVERSIBLE, call=call)
    if "DBInstanceIdentifier" in old.PendingModifiedValues:
        return busy(name, f"{old.DBInstanceIdentifier} is being renamed", effect=Effect.REVERSIBLE, call=call)
    return _when_available(name, old, call, f"{old.DBInstanceIdentifier} holds the name its successor needs")


def replica(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that put a replica of the target where the old primary was, and wait until it follows."""
    member, there = view.member, view.source
    name = base_name(member.source.id)
    call = Call("rds", "CreateDBInstanceReadReplica", _replica_params(view, run), Side.SOURCE)
    if there is not None and not view.reversed:
        why = f"{there.DBInstanceArn} holds the name and is no replica of {member.target.arn}"
        return [blocked("replica", why, "run CLEANUP for it first", call=call)]
    made = (
        todo("replica", call, Effect.COMPENSABLE, f"there is no {name} in {member.source.region}")
        if there is None
        else done("replica", f"{name} is a replica of {member.target.arn}", effect=Effect.COMPENSABLE)
    )
    return [made, release(view, run), _follows(view, name)]


def _follows(view: RdsView, name: str) -> Step:
    if view.source is None:
        return busy("replicating", f"{name} is not there yet")
    observed = f"{name} is {view.source.DBInstanceStatus}, replication is {view.source.replication or 'not there'}"
    if view.source.DBInstanceStatus in FAILED_STATUSES:
        return failed("replicating", f"{observed}, expected available", "delete it, then retry.")
    if view.source.DBInstanceStatus == "available" and view.source.replication == "replicating":
        return done("replicating", observed)
    return busy("replicating", observed)


def release(view: RdsView, run: RunContext) -> Step:
    """Return the step that takes the retired instance out of the scope, so that the next inventory sees one claimant of the name."""
    name, old = "release-retired", view.retired
    arn = view.member.source.arn.rpartition(":")[0] + f":{retired_name(view.member, run)}"
    call = Call("rds", "RemoveTagsFromResource", {"ResourceName": arn, "TagKeys": [ENABLED]}, Side.SOURCE)
    if old is None or ENABLED not in tag_map(old.TagList):
        return done(name, "no retired instance is in the scope", effect=Effect.COMPENSABLE)
    return todo(name, call, Effect.COMPENSABLE, f"{old.DBInstanceIdentifier} still carries {ENABLED}")


def _replica_params(view: RdsView, run: RunContext) -> dict[str, Param]:
    """Return the parameters of the new replica: everything Regional as the old primary has it, AWS copies none of it."""
    member, facts = view.member, view.member.source.facts
    groups = view.retired.own_groups if view.retired else facts.get("security_groups")
    regional: dict[str, Param] = {
        "KmsKeyId": facts.get("kms_key"),
        "DBSubnetGroupName": facts.get("subnet_group"),
        "DBParameterGroupName": facts.get("parameter_group"),
        "OptionGroupName": facts.get("option_group"),
        "DBInstanceClass": facts.get("class"),
        "VpcSecurityGroupIds": list(groups) if isinstance(groups, list | tuple) else None,
    }
    return {
        "DBInstanceIdentifier": base_name(member.source.id),
        "SourceDBInstanceIdentifier": member.target.arn,
        "SourceRegion": member.target.region,
        **{key: value for key, value in regional.items() if value},
        "MultiAZ": bool(facts.get("multi_az")),
        "DeletionProtection": bool(facts.get("deletion_protection")),
        "Tags": tag_list({**own_tags(member), **run.tags}),
    }


def _when_available(name: str, instance: Instance, call: Call, why: str) -> Step:
    if instance.DBInstanceStatus == "available":
        return todo(name, call, Effect.REVERSIBLE, why)
    return not_yet(name, instance, effect=Effect.REVERSIBLE, call=call, remedy="repair the instance, then retry.")


def _modify(instance: Instance, change: dict[str, Param]) -> Call:
    params: dict[str, Param] = {
        "DBInstanceIdentifier": instance.DBInstanceIdentifier,
        "ApplyImmediately": True,
        **change,
    }
    return Call("rds", "ModifyDBInstance", params, Side.SOURCE)
