"""The steps on a database's source side that RDS instances and Aurora clusters share: fence, drain, open again, retire. Pure.

The fence is a security group without ingress rules, `dr-fence`, one per VPC, put on the old primary alone. Revoking the rules of
its own groups would lock out bystanders, for such groups are commonly shared. Open connections are tracked and outlive the
change, so the writer is rebooted. Its own groups are remembered in its tag `dr:fenced`, which a later run, a person and the
rollback can read; the replication of RDS itself does not pass through these groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from adapters.databases.shared import Database, not_yet
from adapters.fencing import FENCE_GROUP, FENCED_TAG, SecurityGroup, group_call
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

REOPEN = "answer the failure gate with rollback to open the source again"
DATAPOINTS_AT_ZERO = 3
DRAIN_BOUND_SECONDS = 1800
"""How long lag may stay above zero behind the fence before a person is asked."""


def fence(old: Database | None, missing: str, group: SecurityGroup | None, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the old primary; `missing` is its name when it is not there."""
    if old is None:
        return [done("fence", f"there is no {missing} to be fenced", effect=Effect.REVERSIBLE)]
    if not old.vpc_id:
        why = f"{old.name} has no instance, so nobody can tell its VPC"
        return [blocked("fence-group", why, "add one: aws rds create-db-instance --db-cluster-identifier ...")]
    if group is not None and group.IpPermissions:
        why = f"security group {FENCE_GROUP} ({group.GroupId}) has ingress rules, expected none"
        remedy = f"aws ec2 revoke-security-group-ingress --group-id {group.GroupId} ..."
        return [blocked("fence-group", why, remedy)]
    return [_group(old, group, run), _remembered(old, group), _shut(old, group)]


def _group(old: Database, group: SecurityGroup | None, run: RunContext) -> Step:
    name = "fence-group"
    if group is not None:
        return done(name, f"{group.GroupId} lets nobody in", effect=Effect.REVERSIBLE)
    told = "No ingress: fences databases during disaster recovery"
    call = group_call(FENCE_GROUP, told, old.vpc_id, run, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{old.vpc_id} has no group {FENCE_GROUP}")


def _remembered(old: Database, group: SecurityGroup | None) -> Step:
    name, own = "remember-security-groups", " ".join(old.own_groups)
    if old.tags.get(FENCED_TAG):
        return done(name, f"{FENCED_TAG} says {own}", effect=Effect.REVERSIBLE)
    if group is not None and old.groups == (group.GroupId,):
        why = f"{old.name} is fenced, but {FENCED_TAG} does not tell its own security groups"
        tag = f"Key={FENCED_TAG},Value='sg-... sg-...'"
        return blocked(name, why, f"aws rds add-tags-to-resource --resource-name {old.arn} --tags {tag}")
    params: dict[str, Param] = {"ResourceName": old.arn, "Tags": tag_list({FENCED_TAG: own})}
    call = Call("rds", "AddTagsToResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"its own security groups are {own}")


def _shut(old: Database, group: SecurityGroup | None) -> Step:
    name, fence_id = "fence", group.GroupId if group else None
    call = old.modify(Side.SOURCE, VpcSecurityGroupIds=[fence_id or Later(f"id of {FENCE_GROUP}")])
    if fence_id is None or old.groups != (fence_id,):
        return when_available(name, old, call, f"{old.name} is open through {' '.join(old.groups)}")
    if not old.settled:
        return busy(name, f"{fence_id} is being put on", effect=Effect.REVERSIBLE, call=call)
    return done(name, f"only {fence_id} is on {old.name}", effect=Effect.REVERSIBLE)


def cut(writer: Database, restarted_at: datetime | None, run: RunContext) -> Step:
    """Return the step that ends the writer's connections; its truth is the restart among the instance's events."""
    name = "cut-connections"
    call = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": writer.name}, Side.SOURCE)
    fenced_at = run.called_at.get("fence")
    if writer.status != "available":
        remedy = f"repair the instance, then retry; or {REOPEN}."
        return not_yet(
            name, writer.name, writer.status, writer.kind, effect=Effect.REVERSIBLE, call=call, remedy=remedy
        )
    if restarted_at is not None and (fenced_at is None or restarted_at >= fenced_at):
        return done(name, f"restarted at {restarted_at:%H:%M:%S} UTC behind the fence", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, "connections from before the fence are still open")


def is_zero(lag: Sequence[float]) -> bool:
    """Say whether nothing is left to be replicated; one datapoint may be a coincidence."""
    return len(lag) >= DATAPOINTS_AT_ZERO and not any(lag[:DATAPOINTS_AT_ZERO])


def drained(
    lag: Sequence[float], restarted_at: datetime | None, run: RunContext, compare: str, or_else: str = ""
) -> Step:
    """Return the wait for lag zero; only minutes that began after the fenced writer's restart are believed.

    `compare` says how a person looks for what is missing, `or_else` what else would end the wait.
    """
    name, newest = "drain", lag[:DATAPOINTS_AT_ZERO]
    shown = ", ".join(f"{each:.0f} s" for each in newest) or "no datapoint"
    if is_zero(lag):
        return done(name, f"lag was zero at {DATAPOINTS_AT_ZERO} datapoints in a row")
    since = 0.0 if restarted_at is None else (run.now - restarted_at).total_seconds()
    broken = len(newest) >= DATAPOINTS_AT_ZERO and all(each < 0 for each in newest)
    if since < DRAIN_BOUND_SECONDS and not broken:
        return busy(name, f"lag {shown}, expected {DATAPOINTS_AT_ZERO} datapoints at zero{or_else}")
    why = (
        f"lag {shown} means that replication is broken"
        if broken
        else f"lag {shown}, not zero {since / 60:.0f} min after the source was fenced"
    )
    return blocked(name, why, compare)


def reopen(old: Database | None, missing: str) -> list[Step]:
    """Return the steps that give the old primary its own security groups back."""
    if old is None or not old.tags.get(FENCED_TAG):
        return [done("unfence", f"{missing} is not fenced", effect=Effect.REVERSIBLE)]
    own = old.own_groups
    call = old.modify(Side.SOURCE, VpcSecurityGroupIds=list(own))
    opened = (
        done("unfence", f"its own groups {' '.join(own)} are back", effect=Effect.REVERSIBLE)
        if old.groups == own
        else when_available("unfence", old, call, f"only {' '.join(old.groups)} is on {old.name}")
    )
    params: dict[str, Param] = {"ResourceName": old.arn, "TagKeys": [FENCED_TAG]}
    forgotten = Call("rds", "RemoveTagsFromResource", params, Side.SOURCE)
    return [opened, todo("forget-security-groups", forgotten, Effect.REVERSIBLE, f"{FENCED_TAG} is still there")]


def rename(name: str, old: Database | None, new_id: str) -> Step:
    """Return the step that gives the old primary another name; a rename reboots an instance, a cluster's keep theirs."""
    if old is None:
        return done(name, "the old primary is gone", warning="the old primary was removed by somebody else")
    change: dict[str, Param] = {old.kind.new_identifier: new_id}
    call = old.modify(Side.SOURCE, **change)
    if old.name == new_id:
        if old.status in {"available", "stopped"}:
            return done(name, f"it is called {new_id}", effect=Effect.REVERSIBLE)
        return not_yet(name, new_id, old.status, old.kind, effect=Effect.REVERSIBLE, call=call)
    if old.being_renamed:
        return busy(name, f"{old.name} is being renamed", effect=Effect.REVERSIBLE, call=call)
    return when_available(name, old, call, f"{old.name} holds the name its successor needs")


def release(old: Database | None, arn: str, noun: str) -> Step:
    """Return the step that takes a retired database out of the scope, so that the next inventory sees one claimant of the name.

    `arn` is what it is going to have when it is not retired yet.
    """
    name = "release-retired"
    call = Call("rds", "RemoveTagsFromResource", {"ResourceName": arn, "TagKeys": [ENABLED]}, Side.SOURCE)
    if old is None or ENABLED not in old.tags:
        return done(name, f"no retired {noun} is in the scope", effect=Effect.COMPENSABLE)
    return todo(name, call, Effect.COMPENSABLE, f"{old.name} still carries {ENABLED}")


def when_available(name: str, old: Database, call: Call, why: str) -> Step:
    """Return the step that changes a database as soon as it can be changed."""
    if old.status == "available":
        return todo(name, call, Effect.REVERSIBLE, why)
    remedy = f"repair the {old.kind.noun}, then retry."
    return not_yet(name, old.name, old.status, old.kind, effect=Effect.REVERSIBLE, call=call, remedy=remedy)
