"""Binlog replica clusters that a run makes: the standby that is missing, and the one that follows the promoted cluster. Pure."""

from __future__ import annotations

from adapters.aurora.making import all_instances, cluster_made, cluster_params, none_up_yet, one_up
from adapters.aurora.source import release
from adapters.aurora.spec import DEFAULT_INSTANCE_CLASS
from adapters.aurora.view_replica import ReplicaView
from adapters.databases.shared import CLUSTER, base_name, not_yet
from adapters.reading import tag_list
from orchestrator.contract import Call, Param, RunContext, Step, blocked, done, todo
from orchestrator.words import Effect, Side


def standby(view: ReplicaView, run: RunContext) -> list[Step]:
    """Return the steps that make the replica cluster that is missing on the target side."""
    call = Call("rds", "CreateDBCluster", _replica_params(view, run, Side.TARGET), Side.TARGET)
    return [cluster_made("replica", view, call, run), *all_instances(view, run), one_up(view)]


def follower(view: ReplicaView, run: RunContext) -> list[Step]:
    """Return the steps that put a replica of the target where the old primary was, and wait until it can follow."""
    member, there = view.member, view.source
    name = base_name(member.source.id)
    call = Call("rds", "CreateDBCluster", _replica_params(view, run, Side.SOURCE), Side.SOURCE)
    if there is not None and not view.reversed:
        why = f"{there.DBClusterArn} holds the name and is no replica of {member.target.arn}"
        return [blocked("replica", why, "run CLEANUP for it first", call=call)]
    if there is None:
        made = todo("replica", call, Effect.COMPENSABLE, f"there is no {name} in {member.source.region}")
    elif there.Status == "available":
        made = done("replica", f"{name} is a replica of {member.target.arn}", effect=Effect.COMPENSABLE)
    else:
        made = not_yet(
            "replica",
            name,
            there.Status,
            CLUSTER,
            effect=Effect.COMPENSABLE,
            call=call,
            remedy="delete it, then retry.",
        )
    return [made, _instance(view, run, name), release(view, run)]


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
    return none_up_yet(name, own, effect=Effect.COMPENSABLE, call=call, remedy="delete it, then retry.")


def _replica_params(view: ReplicaView, run: RunContext, side: Side) -> dict[str, Param]:
    """Return the parameters of a replica on a side: everything Regional as that side has it, AWS copies none of it."""
    member = view.member
    place, origin = (member.source, member.target) if side is Side.SOURCE else (member.target, member.source)
    key, encrypted = place.facts.get("kms_key"), bool(member.source.facts.get("kms_key"))
    own: dict[str, Param] = {}
    if view.retired and side is Side.SOURCE:
        own = {"VpcSecurityGroupIds": list(view.retired.own_groups)}
    return {
        **cluster_params(member, place, member.source, run),
        **own,
        "DBClusterIdentifier": base_name(place.id),
        "Engine": view.target.Engine,
        "ReplicationSourceIdentifier": origin.arn,
        "SourceRegion": origin.region,
        **({"KmsKeyId": key} if key and encrypted else {}),
        "StorageEncrypted": encrypted,
    }
