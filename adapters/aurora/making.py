"""How Aurora clusters and their instances are made, and the wait until a cluster has one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pydantic import JsonValue

from adapters.aurora.spec import DEFAULT_INSTANCE_CLASS
from adapters.aurora.view import Cluster, DrillCopy, Instance
from adapters.databases.shared import CLUSTER, INSTANCE, LOOK, not_yet, own_tags
from adapters.reading import tag_list
from orchestrator.contract import Call, Member, Param, Place, RunContext, Step, blocked, busy, done, todo
from orchestrator.words import Effect, Mode, Side, StepState

_DESCRIBE = "describe-db-instances --filters Name=db-cluster-id,Values="


class Standing(Protocol):
    """What every strategy's view tells of the cluster that stands on the target side."""

    @property
    def member(self) -> Member:
        """Return the resource."""

    @property
    def target(self) -> Cluster:
        """Return the cluster."""

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Return its instances."""

    @property
    def copy(self) -> DrillCopy:
        """Return what a drill made of it."""


def create_instance(cluster_id: str, name: str, view: Standing, run: RunContext) -> Call:
    """Return the call that adds an instance to a cluster, of the size the manifest, the siblings or the source have."""
    known = view.instances[0].DBInstanceClass if view.instances else view.member.source.facts.get("class")
    params: dict[str, JsonValue] = {
        "DBInstanceIdentifier": name[:63].rstrip("-"),
        "DBClusterIdentifier": cluster_id,
        "Engine": view.target.Engine,
        "DBInstanceClass": str(view.member.settings.get("instanceClass") or known or DEFAULT_INSTANCE_CLASS),
        "Tags": tag_list(run.tags),
    }
    return Call("rds", "CreateDBInstance", params, Side.TARGET)


def first_instance(view: Standing, run: RunContext) -> Step:
    """Return the step that gives the target cluster an instance, if it has none."""
    name, cluster = "instance", view.target.DBClusterIdentifier
    call = create_instance(cluster, f"{cluster}-{run.short_id}", view, run)
    up = [i for i in view.instances if i.DBInstanceStatus == "available"]
    if up:
        return done(name, f"{len(up)} of {len(view.instances)} instance(s) available", effect=Effect.REVERSIBLE)
    if not view.instances:
        return todo(name, call, Effect.REVERSIBLE, f"{cluster} has no instance")
    remedy = f"replace it: aws rds {_DESCRIBE}{cluster}"
    return none_up_yet(name, view.instances, effect=Effect.REVERSIBLE, call=call, remedy=remedy)


def all_instances(view: Standing, run: RunContext) -> list[Step]:
    """Return a step for each instance that the cluster is to have; each is made without waiting for the one before."""
    settings, facts = view.member.settings, view.member.source.facts
    wanted = max(1, int(str(settings.get("instances") or facts.get("instances") or 1)))
    return [_nth_instance(number, view, run) for number in range(1, wanted + 1)]


def _nth_instance(number: int, view: Standing, run: RunContext) -> Step:
    name, cluster = f"instance-{number}", view.target.DBClusterIdentifier
    suffix = f"-{run.short_id}-{number}"
    call = create_instance(cluster, f"{cluster[: 63 - len(suffix)].rstrip('-')}{suffix}", view, run)
    if len(view.instances) < number:
        return todo(name, call, Effect.REVERSIBLE, f"{cluster} has {len(view.instances)} instance(s)")
    one = view.instances[number - 1]
    if one.DBInstanceStatus != "available":
        gone = f"aws rds delete-db-instance --db-instance-identifier {one.DBInstanceIdentifier}"
        remedy = f"{gone}; when it is gone, retry."
        waits = not_yet(name, one.DBInstanceIdentifier, one.DBInstanceStatus, INSTANCE, remedy=remedy)
        if waits.state is not StepState.BUSY:
            return waits
    return done(name, f"{one.DBInstanceIdentifier} is {one.DBInstanceStatus}", effect=Effect.REVERSIBLE)


def one_up(view: Standing) -> Step:
    """Return the wait until an instance of a cluster that this run makes is available: without one it replicates nothing."""
    up = [each for each in view.instances if each.DBInstanceStatus == "available"]
    observed = f"{len(up)} of {len(view.instances)} instance(s) available"
    return done("instance-up", observed) if up else busy("instance-up", f"{observed}, expected one")


def cluster_not_yet(name: str, cluster: Cluster, *, remedy: str = LOOK) -> Step:
    """Return the step of a cluster that is not available: a wait or a failure; raise for a status nobody documents."""
    return not_yet(name, cluster.DBClusterIdentifier, cluster.Status, CLUSTER, remedy=remedy)


def none_up_yet(
    name: str, instances: Sequence[Instance], *, effect: Effect = Effect.NONE, call: Call | None = None, remedy: str
) -> Step:
    """Return the step of a cluster none of whose instances is available: a wait as long as one may become it."""
    each = [
        not_yet(name, one.DBInstanceIdentifier, one.DBInstanceStatus, INSTANCE, effect=effect, call=call, remedy=remedy)
        for one in instances
    ]
    waits = next((step for step in each if step.state is StepState.BUSY), each[0])
    seen = ", ".join(f"{one.DBInstanceIdentifier} is {one.DBInstanceStatus}" for one in instances)
    return replace(waits, reason=f"{seen}, expected available")


def serving(view: Standing) -> Step:
    """Return the wait until the target cluster has a writer that is up; readers may follow."""
    name, cluster = "target-serves", view.target
    up = {each.DBInstanceIdentifier for each in view.instances if each.DBInstanceStatus == "available"}
    writes = cluster.writer in up
    if cluster.there and cluster.Status != "available":
        return cluster_not_yet(name, cluster, remedy="open a support case with AWS.")
    if cluster.there and view.instances and not up:
        return none_up_yet(name, view.instances, remedy=f"replace it: aws rds {_DESCRIBE}{cluster.DBClusterIdentifier}")
    observed = f"{cluster.DBClusterIdentifier} is {cluster.Status or 'not there'}, has {'a' if writes else 'no'} writer"
    if cluster.there and writes and not cluster.ReplicationSourceIdentifier:
        return done(name, observed)
    return busy(name, f"{observed}, expected available with a writer")


def cluster_params(member: Member, place: Place, like: Place, run: RunContext) -> dict[str, Param]:
    """Return what a new cluster in `place` is made with: its surroundings, and what `like` has; AWS carries over neither."""
    facts, groups = like.facts, place.facts.get("security_groups")
    known: dict[str, Param] = {
        "DBSubnetGroupName": place.facts.get("subnet_group"),
        "DBClusterParameterGroupName": facts.get("parameter_group"),
        "VpcSecurityGroupIds": list(groups) if isinstance(groups, list | tuple) else None,
        "ServerlessV2ScalingConfiguration": facts.get("scaling"),
        "EnableIAMDatabaseAuthentication": facts.get("iam_auth"),
    }
    return {
        **{key: value for key, value in known.items() if value},
        "DeletionProtection": bool(facts.get("deletion_protection")),
        "Tags": tag_list({**own_tags(member), **run.tags}),
    }


def cluster_made(name: str, view: Standing, call: Call, run: RunContext) -> Step:
    """Judge the target cluster that this run makes where none was; what it makes is the standby, and stays."""
    cluster, place = view.target, view.member.target
    if not cluster.there and (run.mode is Mode.EMERGENCY or "place" not in place.facts):
        why = f"there is no cluster {place.id} in {place.region}, and nothing to make one of"
        return blocked(name, why, "restore a copied snapshot under this name by hand, then retry.")
    if not cluster.there:
        return todo(name, call, Effect.COMPENSABLE, f"there is no cluster {place.id} in {place.region}")
    if cluster.Status == "available":
        return done(name, f"{place.id} is available", effect=Effect.COMPENSABLE)
    return not_yet(name, place.id, cluster.Status, CLUSTER, effect=Effect.COMPENSABLE, call=call)


def is_made_here(member: Member) -> bool:
    """Say whether the inventory knew no target cluster, only the place of one."""
    return "place" in member.target.facts
