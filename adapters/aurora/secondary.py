"""The secondary cluster of a global database that a run makes where only a subnet group stands in for it. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.aurora.making import all_instances, cluster_made, cluster_params, one_up
from adapters.aurora.view import Instance
from adapters.aurora.view_global_database import AuroraView, GlobalMember
from adapters.databases.shared import own_tags
from adapters.reading import tag_list
from orchestrator.contract import Call, Param, RunContext, Step, busy, done, todo
from orchestrator.words import Effect, Side


def secondary(view: AuroraView, run: RunContext) -> list[Step]:
    """Return the steps that make the global cluster around the source if there is none, and its cluster on the target side."""
    made = cluster_made("secondary", view, Call("rds", "CreateDBCluster", _params(view, run), Side.TARGET), run)
    return [_global(view, run), made, *all_instances(view, run), one_up(view), _connected(view)]


def _global(view: AuroraView, run: RunContext) -> Step:
    name, group = "global-cluster", view.group
    params: dict[str, Param] = {
        "GlobalClusterIdentifier": group.GlobalClusterIdentifier,
        "SourceDBClusterIdentifier": view.member.source.arn,
        "Tags": tag_list({**own_tags(view.member), **run.tags}),
    }
    call = Call("rds", "CreateGlobalCluster", params, Side.SOURCE)
    if group.Status == "available":
        return done(name, f"{group.GlobalClusterIdentifier} is available", effect=Effect.COMPENSABLE)
    if group.Status:
        observed = f"{group.GlobalClusterIdentifier} is {group.Status}, expected available"
        return busy(name, observed, effect=Effect.COMPENSABLE, call=call)
    why = f"there is no global cluster {group.GlobalClusterIdentifier}"
    return todo(name, call, Effect.COMPENSABLE, f"{why}; {view.member.source.id} becomes the writer of one")


def _params(view: AuroraView, run: RunContext) -> dict[str, Param]:
    """Return the parameters of the secondary; its users are those of the writer."""
    member, key = view.member, view.member.target.facts.get("kms_key")
    encrypted = bool(member.source.facts.get("kms_key"))
    return {
        **cluster_params(member, member.target, member.source, run),
        "DBClusterIdentifier": member.target.id,
        "Engine": view.target.Engine,
        "EngineVersion": view.target.EngineVersion,
        "GlobalClusterIdentifier": view.group.GlobalClusterIdentifier,
        "SourceRegion": member.source.region,
        **({"KmsKeyId": key} if key and encrypted else {}),
        "StorageEncrypted": encrypted,
    }


def _connected(view: AuroraView) -> Step:
    arn = view.member.target.arn
    status = view.sync.get(arn, "not a member")
    if status == "connected":
        return done("secondary-connected", f"{arn} is connected")
    return busy("secondary-connected", f"{arn} is {status}, expected connected")


def joined(view: AuroraView) -> AuroraView:
    """Return the view that a made secondary leaves behind."""
    source, target = view.member.source, view.member.target
    members = [
        GlobalMember(DBClusterArn=source.arn, IsWriter=True, SynchronizationStatus="connected"),
        GlobalMember(DBClusterArn=target.arn, SynchronizationStatus="connected"),
    ]
    return replace(
        view,
        group=view.group.model_copy(update={"Status": "available", "GlobalClusterMembers": members}),
        target=view.target.model_copy(update={"Status": "available"}),
        instances=(Instance(DBInstanceIdentifier="(made by this run)", DBInstanceStatus="available"),),
    )
