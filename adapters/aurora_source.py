"""The steps on the source side of an Aurora binlog replica: fence the old primary, open it again, retire it, follow the new one.

The fence is a security group without ingress rules, `dr-fence`, one per VPC, put on the old CLUSTER alone; open connections
are tracked and outlive that, so its writer is rebooted. Its own groups are remembered in its tag `dr:fenced`, which a later
run, a person and the rollback can read.
"""

from __future__ import annotations

from adapters.fencing import FENCE_GROUP, FENCED_TAG, group_call
from adapters.reading import tag_list, tag_map
from adapters.specs.aurora import (
    DATAPOINTS_AT_ZERO,
    DEFAULT_INSTANCE_CLASS,
    DRAIN_BOUND_SECONDS,
    FAILED_STATUSES,
    PLATFORM_TAGS,
)
from adapters.views.aurora import Cluster
from adapters.views.aurora_replica import ReplicaView, base_name, groups, own_groups, retired_name, writer_of
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

_REOPEN = "answer the failure gate with rollback to open the source again"


def fence(view: ReplicaView, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the old primary."""
    old, fence_group = view.old, view.fence
    if old is None:
        return [done("fence", f"there is no {base_name(view.member.source.id)} to be fenced", effect=Effect.REVERSIBLE)]
    if not view.source_instances:
        why = f"{old.DBClusterIdentifier} has no instance, so nobody can tell its VPC"
        return [blocked("fence-group", why, "add one: aws rds create-db-instance --db-cluster-identifier ...")]
    if fence_group is not None and fence_group.IpPermissions:
        why = f"security group {FENCE_GROUP} ({fence_group.GroupId}) has ingress rules, expected none"
        remedy = f"aws ec2 revoke-security-group-ingress --group-id {fence_group.GroupId} ..."
        return [blocked("fence-group", why, remedy)]
    return [_fence_group(view, run), _remember(view, old), _fenced(view, old)]


def _fence_group(view: ReplicaView, run: RunContext) -> Step:
    name, subnets = "fence-group", view.source_instances[0].DBSubnetGroup
    vpc_id = subnets.VpcId if subnets else ""
    if view.fence is not None:
        return done(name, f"{view.fence.GroupId} lets nobody in", effect=Effect.REVERSIBLE)
    call = group_call(FENCE_GROUP, "No ingress: fences databases during disaster recovery", vpc_id, run, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{vpc_id} has no group {FENCE_GROUP}")


def _remember(view: ReplicaView, old: Cluster) -> Step:
    name, own = "remember-security-groups", " ".join(own_groups(old))
    params: dict[str, Param] = {"ResourceName": old.DBClusterArn, "Tags": tag_list({FENCED_TAG: own})}
    if tag_map(old.TagList).get(FENCED_TAG):
        return done(name, f"{FENCED_TAG} says {own}", effect=Effect.REVERSIBLE)
    if view.fenced:
        why = f"{old.DBClusterIdentifier} is fenced, but {FENCED_TAG} does not tell its own security groups"
        tag = f"Key={FENCED_TAG},Value='sg-... sg-...'"
        return blocked(name, why, f"aws rds add-tags-to-resource --resource-name {old.DBClusterArn} --tags {tag}")
    call = Call("rds", "AddTagsToResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"its own security groups are {own}")


def _fenced(view: ReplicaView, old: Cluster) -> Step:
    name, fence_id = "fence", view.fence.GroupId if view.fence else None
    call = _modify(old, {"VpcSecurityGroupIds": [fence_id or Later(f"id of {FENCE_GROUP}")]})
    if view.fenced and any(each.Status != "active" for each in old.VpcSecurityGroups):
        return busy(name, f"{fence_id} is being put on", effect=Effect.REVERSIBLE, call=call)
    if view.fenced:
        return done(name, f"only {fence_id} is on {old.DBClusterIdentifier}", effect=Effect.REVERSIBLE)
    return _when_available(name, old, call, f"{old.DBClusterIdentifier} is open through {' '.join(groups(old))}")


def cut(view: ReplicaView, run: RunContext) -> Step:
    """Return the step that ends the writer's connections; its truth is the restart among the instance's events."""
    name, old = "cut-connections", view.old
    if old is None or view.promoted:
        return done(name, "nothing replicates from it any more", effect=Effect.REVERSIBLE)
    writer = writer_of(old)
    found = next((each for each in view.source_instances if each.DBInstanceIdentifier == writer), None)
    if writer is None or found is None:
        return failed(name, f"{old.DBClusterIdentifier} has no writer", "look at its instances in the console.")
    call = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": writer}, Side.SOURCE)
    fenced_at, observed = run.called_at.get("fence"), f"{writer} is {found.DBInstanceStatus}, expected available"
    if found.DBInstanceStatus in FAILED_STATUSES:
        return failed(name, observed, f"repair it, then retry; or {_REOPEN}.")
    if found.DBInstanceStatus != "available":
        return busy(name, observed, effect=Effect.REVERSIBLE, call=call)
    if view.restarted_at is not None and (fenced_at is None or view.restarted_at >= fenced_at):
        return done(name, f"restarted at {view.restarted_at:%H:%M:%S} UTC behind the fence", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, "connections from before the fence are still open")


def drained(view: ReplicaView, run: RunContext) -> Step:
    """Return the wait for lag zero; only minutes that began after the fenced writer's restart are believed."""
    name, lag = "drain", view.lag_behind_the_fence[:DATAPOINTS_AT_ZERO]
    if view.promoted:
        return done(name, f"{view.member.target.id} replicates from nobody")
    shown = ", ".join(f"{each:.0f} s" for each in lag) or "no datapoint"
    if len(lag) >= DATAPOINTS_AT_ZERO and not any(lag):
        return done(name, f"lag was zero at {DATAPOINTS_AT_ZERO} datapoints in a row")
    since = 0.0 if view.restarted_at is None else (run.now - view.restarted_at).total_seconds()
    broken = len(lag) >= DATAPOINTS_AT_ZERO and all(each < 0 for each in lag)
    if since < DRAIN_BOUND_SECONDS and not broken:
        return busy(name, f"lag {shown}, expected {DATAPOINTS_AT_ZERO} datapoints at zero")
    why = (
        f"lag {shown} means that replication is broken"
        if broken
        else f"lag {shown}, not zero {since / 60:.0f} min after the source was fenced"
    )
    return blocked(name, why, f"compare both sides by SQL (SHOW REPLICA STATUS); or {_REOPEN}.")


def reopen(view: ReplicaView) -> list[Step]:
    """Return the steps that give the old primary its own security groups back."""
    old = view.old
    if old is None or not tag_map(old.TagList).get(FENCED_TAG):
        return [done("unfence", f"{base_name(view.member.source.id)} is not fenced", effect=Effect.REVERSIBLE)]
    own = own_groups(old)
    call = _modify(old, {"VpcSecurityGroupIds": list(own)})
    opened = (
        done("unfence", f"its own groups {' '.join(own)} are back", effect=Effect.REVERSIBLE)
        if groups(old) == own
        else _when_available("unfence", old, call, f"only {' '.join(groups(old))} is on {old.DBClusterIdentifier}")
    )
    params: dict[str, Param] = {"ResourceName": old.DBClusterArn, "TagKeys": [FENCED_TAG]}
    forgotten = Call("rds", "RemoveTagsFromResource", params, Side.SOURCE)
    return [opened, todo("forget-security-groups", forgotten, Effect.REVERSIBLE, f"{FENCED_TAG} is still there")]


def rename(name: str, view: ReplicaView, new_id: str) -> Step:
    """Return the step that gives the old primary another name; its instances keep theirs."""
    old = view.old
    if old is None:
        return done(name, "the old primary is gone", warning="the old primary was removed by somebody else")
    call = _modify(old, {"NewDBClusterIdentifier": new_id})
    if old.DBClusterIdentifier == new_id and old.Status == "available":
        return done(name, f"it is called {new_id}", effect=Effect.REVERSIBLE)
    if old.DBClusterIdentifier == new_id:
        return busy(name, f"{new_id} is {old.Status}", effect=Effect.REVERSIBLE, call=call)
    return _when_available(name, old, call, f"{old.DBClusterIdentifier} holds the name its successor needs")


def follower(view: ReplicaView, run: RunContext) -> list[Step]:
    """Return the steps that put a replica of the target where the old primary was, and wait until it can follow."""
    member, there = view.member, view.source
    name = base_name(member.source.id)
    call = Call("rds", "CreateDBCluster", _replica_params(view, run), Side.SOURCE)
    if there is not None and not view.reversed:
        why = f"{there.DBClusterArn} holds the name and is no replica of {member.target.arn}"
        return [blocked("replica", why, "run CLEANUP for it first", call=call)]
    if there is None:
        made = todo("replica", call, Effect.COMPENSABLE, f"there is no {name} in {member.source.region}")
    elif there.Status in FAILED_STATUSES:
        made = failed("replica", f"{name} is {there.Status}, expected available", "delete it, then retry.")
    elif there.Status == "available":
        made = done("replica", f"{name} is a replica of {member.target.arn}", effect=Effect.COMPENSABLE)
    else:
        made = busy("replica", f"{name} is {there.Status}", effect=Effect.COMPENSABLE, call=call)
    return [made, _instance(view, run, name), _release(view, run)]


def _instance(view: ReplicaView, run: RunContext, cluster: str) -> Step:
    name, called = "replica-instance", f"{cluster}-{run.short_id}"[:63].rstrip("-")
    sibling = view.instances[0].DBInstanceClass if view.instances else DEFAULT_INSTANCE_CLASS
    params: dict[str, Param] = {
        "DBInstanceIdentifier": called,
        "DBClusterIdentifier": cluster,
        "Engine": view.target.Engine,
        "DBInstanceClass": sibling,
        "Tags": tag_list(run.tags),
    }
    call = Call("rds", "CreateDBInstance", params, Side.SOURCE)
    own = view.source_instances if view.reversed else ()
    if any(each.DBInstanceStatus == "available" for each in own):
        return done(name, f"{len(own)} instance(s), available", effect=Effect.COMPENSABLE)
    if not own:
        return todo(name, call, Effect.COMPENSABLE, f"{cluster} has no instance, so it replicates nothing")
    observed = ", ".join(f"{each.DBInstanceIdentifier} is {each.DBInstanceStatus}" for each in own)
    if all(each.DBInstanceStatus in FAILED_STATUSES for each in own):
        return failed(name, f"{observed}, expected available", "delete it, then retry.")
    return busy(name, f"{observed}, expected available", effect=Effect.COMPENSABLE, call=call)


def _release(view: ReplicaView, run: RunContext) -> Step:
    """Take the retired cluster out of the scope, so that the next inventory sees one claimant of the name."""
    name, old = "release-retired", view.retired
    arn = view.member.source.arn.rpartition(":")[0] + f":{retired_name(view.member, run)}"
    call = Call("rds", "RemoveTagsFromResource", {"ResourceName": arn, "TagKeys": [ENABLED]}, Side.SOURCE)
    if old is None or ENABLED not in tag_map(old.TagList):
        return done(name, "no retired cluster is in the scope", effect=Effect.COMPENSABLE)
    return todo(name, call, Effect.COMPENSABLE, f"{old.DBClusterIdentifier} still carries {ENABLED}")


def _replica_params(view: ReplicaView, run: RunContext) -> dict[str, Param]:
    """Return the parameters of the new replica: everything Regional as the old primary has it, AWS copies none of it."""
    member, facts = view.member, view.member.source.facts
    tags = {k: v for k, v in member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}
    own = own_groups(view.retired) if view.retired else facts.get("security_groups")
    regional: dict[str, Param] = {
        "KmsKeyId": facts.get("kms_key"),
        "DBSubnetGroupName": facts.get("subnet_group"),
        "DBClusterParameterGroupName": facts.get("parameter_group"),
        "VpcSecurityGroupIds": list(own) if isinstance(own, list | tuple) else None,
    }
    return {
        "DBClusterIdentifier": base_name(member.source.id),
        "Engine": view.target.Engine,
        "ReplicationSourceIdentifier": member.target.arn,
        "SourceRegion": member.target.region,
        **{key: value for key, value in regional.items() if value},
        "StorageEncrypted": bool(facts.get("kms_key")),
        "DeletionProtection": bool(facts.get("deletion_protection")),
        "Tags": tag_list({**tags, **run.tags}),
    }


def _when_available(name: str, cluster: Cluster, call: Call, why: str) -> Step:
    if cluster.Status == "available":
        return todo(name, call, Effect.REVERSIBLE, why)
    observed = f"{cluster.DBClusterIdentifier} is {cluster.Status}, expected available"
    if cluster.Status in FAILED_STATUSES:
        return failed(name, observed, "repair the cluster, then retry.")
    return busy(name, observed, effect=Effect.REVERSIBLE, call=call)


def _modify(cluster: Cluster, change: dict[str, Param]) -> Call:
    params: dict[str, Param] = {
        "DBClusterIdentifier": cluster.DBClusterIdentifier,
        "ApplyImmediately": True,
        **change,
    }
    return Call("rds", "ModifyDBCluster", params, Side.SOURCE)
