"""What the phases of a run of an Aurora cluster are expected to leave behind, of a binlog replica in full. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from adapters.aurora.view import Cluster, ClusterMember, Instance
from adapters.aurora.view_replica import ReplicaView
from adapters.aurora.view_sides import TwoSides
from adapters.databases.shared import base_name, retired_name
from adapters.databases.view import GroupOn
from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.reading import KeyValue
from orchestrator.contract import RunContext
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase

V = TypeVar("V", bound=TwoSides)
MADE = Instance(DBInstanceIdentifier="(made by this run)", DBInstanceStatus="available")


def foreseen(phase: Phase, view: ReplicaView, run: RunContext) -> ReplicaView:
    """Return the view that `phase` leaves behind."""
    if phase is Phase.INSTANTIATE and not view.instances:
        made = {"Status": "available"}
        if not view.target.there:
            made["ReplicationSourceIdentifier"] = view.member.source.arn
        return replace(view, target=view.target.model_copy(update=made), instances=(MADE,))
    if phase is Phase.ACTIVATE:
        return fenced_source(_promoted(view), run)
    if phase is Phase.CLEANUP and view.old is not None and not view.reversed:
        return renamed(view, run)
    if phase is Phase.REPLICATE:
        return _followed(view)
    return view


def fenced_source(view: V, run: RunContext) -> V:
    """Return the view with the source shut, as a planned activation leaves it."""
    source = view.source
    if run.mode is Mode.EMERGENCY or source is None or view.reversed:
        return view
    fence = view.fence or SecurityGroup(GroupId=FENCED_TAG)
    tags = [*source.TagList, KeyValue(Key=FENCED_TAG, Value=" ".join(source.own_groups))]
    shut = {"VpcSecurityGroups": [GroupOn(VpcSecurityGroupId=fence.GroupId)], "TagList": tags}
    return replace(view, fence=fence, source=source.model_copy(update=shut), restarted_at=run.now)


def renamed(view: V, run: RunContext) -> V:
    """Return the view with the old primary under its retired name."""
    assert view.old is not None, "asked for only where there is one"
    update = {"DBClusterIdentifier": retired_name(view.member, run), "Status": "available"}
    return replace(view, source=None, retired=view.old.model_copy(update=update))


def left_over(view: V, protected_by: Cluster | None) -> V:
    """Return the view with the retired cluster out of the scope, and what now bears the source side's name."""
    retired, instances = view.retired, view.source_instances
    if retired is not None:
        kept = [tag for tag in retired.TagList if tag.Key != ENABLED]
        retired = retired.model_copy(update={"TagList": kept, "ReadReplicaIdentifiers": []})
    return replace(
        view,
        source=protected_by or view.source,
        retired=retired,
        leftovers=(retired,) if retired else (),
        leftover_instances={retired.DBClusterIdentifier: instances} if retired else {},
    )


def _promoted(view: ReplicaView) -> ReplicaView:
    instances = view.instances or (MADE,)
    writer = ClusterMember(DBInstanceIdentifier=instances[0].DBInstanceIdentifier, IsClusterWriter=True)
    served = {"ReplicationSourceIdentifier": None, "Status": "available", "DBClusterMembers": [writer]}
    return replace(view, target=view.target.model_copy(update=served), instances=instances)


def _followed(view: ReplicaView) -> ReplicaView:
    place = view.member.source
    follower = Cluster(
        DBClusterIdentifier=base_name(place.id),
        DBClusterArn=place.arn,
        Status="available",
        ReplicationSourceIdentifier=view.member.target.arn,
    )
    return replace(left_over(view, follower), source_instances=(MADE,))
