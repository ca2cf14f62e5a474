"""Instances of Aurora clusters: how one is made, and the wait until a cluster has one. Pure."""

from __future__ import annotations

from typing import Protocol

from pydantic import JsonValue

from adapters.reading import tag_list
from adapters.specs.aurora import DEFAULT_INSTANCE_CLASS, FAILED_STATUSES
from adapters.views.aurora import Cluster, DrillCopy, Instance
from orchestrator.contract import Call, Member, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side

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
    """Return the call that adds an instance to a cluster, of the size the manifest or the siblings have."""
    sibling = view.instances[0].DBInstanceClass if view.instances else DEFAULT_INSTANCE_CLASS
    params: dict[str, JsonValue] = {
        "DBInstanceIdentifier": name[:63].rstrip("-"),
        "DBClusterIdentifier": cluster_id,
        "Engine": view.target.Engine,
        "DBInstanceClass": str(view.member.settings.get("instanceClass") or sibling),
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
    observed = ", ".join(f"{i.DBInstanceIdentifier} is {i.DBInstanceStatus}" for i in view.instances)
    if all(i.DBInstanceStatus in FAILED_STATUSES for i in view.instances):
        return failed(name, f"{observed}, expected available", f"replace it: aws rds {_DESCRIBE}{cluster}")
    return busy(name, f"{observed}, expected available", effect=Effect.REVERSIBLE, call=call)
