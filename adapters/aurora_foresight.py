"""What the phases of a run of an Aurora binlog replica are expected to leave behind. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.reading import KeyValue
from adapters.views.aurora import Cluster, ClusterMember, Group, Instance
from adapters.views.aurora_replica import ReplicaView, base_name, own_groups, retired_name
from orchestrator.contract import RunContext
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase

_MADE = Instance(DBInstanceIdentifier="(made by this run)", DBInstanceStatus="available")


def foreseen(phase: Phase, view: ReplicaView, run: RunContext) -> ReplicaView:
    """Return the view that `phase` leaves behind."""
    if phase is Phase.INSTANTIATE and not view.instances:
        return replace(view, instances=(_MADE,))
    if phase is Phase.ACTIVATE:
        return _activated(view, run)
    if phase is Phase.CLEANUP and view.old is not None and not view.reversed:
        renamed = {"DBClusterIdentifier": retired_name(view.member, run), "Status": "available"}
        return replace(view, source=None, retired=view.old.model_copy(update=renamed))
    if phase is Phase.REPLICATE:
        return _followed(view)
    return view


def _activated(view: ReplicaView, run: RunContext) -> ReplicaView:
    instances = view.instances or (_MADE,)
    served = {
        "ReplicationSourceIdentifier": None,
        "Status": "available",
        "DBClusterMembers": [
            ClusterMember(DBInstanceIdentifier=instances[0].DBInstanceIdentifier, IsClusterWriter=True)
        ],
    }
    seen = replace(view, target=view.target.model_copy(update=served), instances=instances)
    source = view.source
    if run.mode is Mode.EMERGENCY or source is None or view.reversed:
        return seen
    fence = view.fence or SecurityGroup(GroupId=FENCED_TAG)
    tags = [*source.TagList, KeyValue(Key=FENCED_TAG, Value=" ".join(own_groups(source)))]
    shut = {"VpcSecurityGroups": [Group(VpcSecurityGroupId=fence.GroupId)], "TagList": tags}
    return replace(seen, fence=fence, source=source.model_copy(update=shut), restarted_at=run.now)


def _followed(view: ReplicaView) -> ReplicaView:
    retired = view.retired
    if retired is not None:
        retired = retired.model_copy(update={"TagList": [tag for tag in retired.TagList if tag.Key != ENABLED]})
    place = view.member.source
    follower = Cluster(
        DBClusterIdentifier=base_name(place.id),
        DBClusterArn=place.arn,
        Status="available",
        ReplicationSourceIdentifier=view.member.target.arn,
    )
    return replace(view, source=follower, retired=retired, source_instances=(_MADE,))
