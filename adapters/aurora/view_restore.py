"""What is read of Aurora where a cluster is restored: snapshots on both sides, and the place it is restored in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from adapters.aurora.spec import COPIES_AT_A_TIME, SNAPSHOTS
from adapters.aurora.view import DrillCopy, Snapshot, Snapshots, copy_of, find_cluster, instances_of
from adapters.aurora.view_place import with_surroundings
from adapters.aurora.view_sides import TwoSides, with_source
from adapters.databases.shared import Database, base_name
from adapters.databases.view import PlaceGroup, subnet_group, tags_of
from adapters.needed import key_states
from adapters.standing_in import CLUSTERS, as_databases
from orchestrator.contract import Clients, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Copies:
    """The cluster snapshots of a Region, newest first."""

    every: tuple[Snapshot, ...] = ()

    def of(self, cluster: str, region: str | None, since: datetime | None = None) -> tuple[Snapshot, ...]:
        """Return the snapshots of a cluster: copied from `region`, or (None) taken here; none of data older than `since`."""
        return tuple(
            each
            for each in self.every
            if each.DBClusterIdentifier == cluster
            and (each.is_from(region) if region else not each.SourceDBClusterSnapshotArn)
            and (since is None or (each.at or _NEVER) >= since)
        )

    @property
    def full(self) -> str:
        """Return why no further copy may be begun in the Region; empty when one may."""
        under_way = [each for each in self.every if each.Status == "copying" and each.SourceDBClusterSnapshotArn]
        if len(under_way) < COPIES_AT_A_TIME:
            return ""
        return f"{len(under_way)} cluster snapshots are being copied here, AWS allows {COPIES_AT_A_TIME} at a time"


@dataclass(frozen=True)
class RestoreView(TwoSides):
    """Both sides, and the snapshots between them."""

    here: Copies = field(default_factory=Copies)
    """On the target side."""
    there: Copies = field(default_factory=Copies)
    """On the source side."""
    place: PlaceGroup | None = None
    """The target side's subnet group."""
    stand_in: PlaceGroup | None = None
    """The source side's subnet group, which must name the cluster once nothing of it stands there."""
    stand_in_tags: dict[str, str] = field(default_factory=dict)
    strategy: str = SNAPSHOTS

    @property
    def standing(self) -> Database | None:
        """Return what stands on the target side."""
        return self.target.database(self.place.VpcId if self.place else "") if self.target.there else None

    @property
    def arrived(self) -> tuple[Snapshot, ...]:
        """Return the copies of the source that are on the target side, newest first."""
        return self.here.of(base_name(self.member.source.id), self.member.source.region)

    @property
    def newest(self) -> Snapshot | None:
        """Return the newest usable copy on the target side."""
        return next((each for each in self.arrived if each.Status == "available"), None)

    @property
    def back(self) -> tuple[Snapshot, ...]:
        """Return the copies of this very target that are on the source side: a name is used again by every run."""
        born = self.target.ClusterCreateTime
        if born is None:
            return ()
        return self.there.of(self.target.DBClusterIdentifier, self.member.target.region, born)

    @property
    def replicated(self) -> bool:
        """Say whether the source side could take over from the target again."""
        return any(each.Status == "available" for each in self.back)


def named(snapshots: tuple[Snapshot, ...], name: str | None) -> Snapshot | None:
    """Return the snapshot of a name."""
    return next((each for each in snapshots if each.name == name), None)


def look(target: Target, aws: Clients, run: RunContext) -> RestoreView:
    """Read the target and what has arrived there; the source side unless this is a drill or it is lost."""
    member, reader = as_databases(target.only, CLUSTERS), aws.at(Side.TARGET)
    cluster, drilled = find_cluster(reader, member), run.mode is Mode.DRILL
    here = RestoreView(
        member=member,
        target=cluster,
        instances=tuple(instances_of(reader, member.target.id)) if cluster.there else (),
        here=_copies(reader),
        place=subnet_group(reader, member.target.facts.get("subnet_group")),
        copy=copy_of(reader, member, run, member.target.facts.get("subnet_group")) if drilled else DrillCopy(),
    )
    here = with_surroundings(here, reader, run)
    return _with_source(here, aws.at(Side.SOURCE), run) if aws.reaches(Side.SOURCE) and not drilled else here


def _with_source(here: RestoreView, there: Reader, run: RunContext) -> RestoreView:
    seen = with_source(here, there, run)
    group = subnet_group(there, here.member.source.facts.get("subnet_group"))
    seen = replace(
        seen,
        there=_copies(there),
        stand_in=group,
        stand_in_tags=tags_of(there, group.DBSubnetGroupArn) if group else {},
    )
    if run.phase is not Phase.INSTANTIATE or seen.old is None:
        return seen
    return replace(seen, key_states={**seen.key_states, **key_states(there, seen.old.KmsKeyId)})


def _copies(reader: Reader) -> Copies:
    pages = reader.pages("rds", "DescribeDBClusterSnapshots", Snapshots, SnapshotType="manual")
    found = [each for page in pages for each in page.DBClusterSnapshots]
    return Copies(tuple(sorted(found, key=lambda each: each.at or _NEVER, reverse=True)))
