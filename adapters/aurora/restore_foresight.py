"""What the phases of a run are expected to leave behind where an Aurora cluster is restored. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.aurora.foresight import fenced_source, left_over, renamed
from adapters.aurora.view import Cluster, ClusterMember, Instance, Snapshot
from adapters.aurora.view_restore import Copies, RestoreView
from adapters.databases.shared import base_name, own_tags
from adapters.databases.spec import STANDBY_FOR_TAG
from adapters.reading import tag_list
from adapters.standing_in import CLUSTERS, label
from orchestrator.contract import RunContext
from orchestrator.words import Phase

_LATER = "(known later)"


def foreseen(phase: Phase, view: RestoreView, run: RunContext) -> RestoreView:
    """Return the view that `phase` leaves behind."""
    if phase is Phase.INSTANTIATE and not view.target.there and view.newest is None:
        return replace(view, here=_with_copy(view.here, view, run, Phase.INSTANTIATE))
    if phase is Phase.ACTIVATE:
        return fenced_source(_served(view, run), run)
    if phase is Phase.CLEANUP and view.old is not None:
        return renamed(view, run)
    if phase is Phase.REPLICATE:
        base = label(base_name(view.member.source.id), CLUSTERS)
        back = replace(
            view,
            there=_with_copy(view.there, view, run, Phase.REPLICATE),
            stand_in_tags={**view.stand_in_tags, STANDBY_FOR_TAG: base},
        )
        return left_over(back, protected_by=None)
    return view


def _with_copy(copies: Copies, view: RestoreView, run: RunContext, phase: Phase) -> Copies:
    forth = phase is Phase.INSTANTIATE
    of, origin = (view.member.source, view.member.source) if forth else (view.member.target, view.member.target)
    snapshot = Snapshot(
        DBClusterSnapshotIdentifier=_LATER,
        DBClusterIdentifier=base_name(of.id),
        Status="available",
        SnapshotCreateTime=run.now,
        SourceDBClusterSnapshotArn=f"arn:aws:rds:{origin.region}:{origin.account}:cluster-snapshot:{_LATER}",
    )
    return Copies((snapshot, *copies.every))


def _served(view: RestoreView, run: RunContext) -> RestoreView:
    place, facts = view.member.target, view.member.source.facts
    wanted = max(1, int(str(view.member.settings.get("instances") or facts.get("instances") or 1)))
    made = tuple(
        Instance(DBInstanceIdentifier=f"(instance {number})", DBInstanceStatus="available")
        for number in range(1, wanted + 1)
    )
    instances = view.instances or made
    writer = ClusterMember(DBInstanceIdentifier=instances[0].DBInstanceIdentifier, IsClusterWriter=True)
    tags = tag_list({**own_tags(view.member), **run.tags})
    known = view.target if view.target.there else None
    target = Cluster.model_validate(
        {
            **(known or view.target).model_dump(),
            "DBClusterIdentifier": base_name(place.id),
            "Status": "available",
            "ClusterCreateTime": known.ClusterCreateTime if known else run.now,
            "DBClusterMembers": [writer],
            "TagList": [each.model_dump() for each in known.TagList] if known else tags,
        }
    )
    return replace(view, target=target, instances=instances)
