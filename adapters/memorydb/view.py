"""What is read of a MemoryDB cluster on both sides, of its multi-Region cluster, and of its exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.fencing import find_group
from adapters.memorydb.models import Acls, Clusters, MultiRegion, MultiRegions, Snapshots
from adapters.memorydb.spec import (
    ACL_MISSING,
    MULTI_REGION,
    MULTI_REGION_MISSING,
    NAME_LIMIT,
    SNAPSHOT_MISSING,
    SNAPSHOT_RESTORE,
)
from adapters.memorydb.view_exports import Export, bucket_of, listed, ways
from adapters.memorydb.view_stand import Stand, base_name, latest, named, stand, subnet_group, tags_of, vpc_of
from adapters.needed import key_states
from adapters.quotas import Room
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points, tag_map
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made; empty means: not there."""

    group: str = ""
    snapshot: str = ""
    cluster: str = ""
    ours: bool = True


@dataclass(frozen=True)
class StandIn:
    """A subnet group and its tags."""

    name: str
    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class MemoryDbView:
    """Both sides; the source side is None in drills and emergencies."""

    member: Member
    strategy: str
    target: Stand
    source: Stand | None = None
    group: MultiRegion | None = None
    lag_points: tuple[Datapoint, ...] = ()
    """MultiRegionClusterReplicationLag of the target in milliseconds, newest first."""
    exports: Mapping[Side, tuple[Export, ...]] = field(default_factory=dict)
    snapshot: str = ""
    """Status of the snapshot that this phase takes."""
    problems: tuple[tuple[str, str], ...] = ()
    key_states: Mapping[str, str] = field(default_factory=dict)
    """What is missing around the target, as readiness tells it: (code, message)."""
    copy: DrillCopy = DrillCopy()
    vpc_id: str = ""
    """Where a drill makes its security group."""
    room: Room | None = None
    """What is left of the Region's nodes; read when the run is planned and is to make some."""
    stand_in: StandIn | None = None
    """The subnet group that is left on the source side when the old cluster is deleted."""

    @property
    def lag_ms(self) -> float | None:
        """Return the last known lag."""
        return self.lag_points[0].value if self.lag_points else None

    @property
    def shards(self) -> int:
        """Return how many objects an export of it has."""
        there = self.source.cluster if self.source else None
        told = there.NumberOfShards if there else self.member.source.facts.get("shards")
        return int(str(told or 1))

    @property
    def moved(self) -> bool:
        """Say whether the target side serves and the source side does not (in an emergency: it serves)."""
        open_here = self.target.cluster is not None and not self.target.fenced
        return open_here and (self.source is None or self.source.cluster is None or self.source.fenced)

    def complete(self, side: Side) -> list[Export]:
        """Return the whole exports in a side's bucket, newest first."""
        found = [each for each in self.exports.get(side, ()) if len(each.keys) >= self.shards]
        return sorted(found, key=lambda each: each.at, reverse=True)

    def export(self, side: Side, name: str) -> Export | None:
        """Return the whole export of that name in a side's bucket."""
        return next((each for each in self.complete(side) if each.name == name), None)


def restored_name(member: Member, run: RunContext) -> str:
    """Return what the restored cluster is called; the same at every retry."""
    suffix = f"-dr-{run.short_id}"
    return f"{member.name[: NAME_LIMIT - len(suffix)].rstrip('-')}{suffix}"


def snapshot_name(member: Member, run: RunContext) -> str:
    """Return what the snapshot of this phase is called."""
    return f"{member.name}-dr-{run.short_id}-{run.phase.value[:3].lower()}"


def export_name(member: Member, run: RunContext) -> str:
    """Return what the export of this phase is called; a dot ends the cluster's name, which can hold none."""
    return f"{member.name}.{run.short_id}-{run.phase.value[:3].lower()}"


def look(target: Target, aws: Clients, run: RunContext) -> MemoryDbView:
    """Read the target side; the source side unless this is a drill or it is lost; surroundings when they matter."""
    member, reader = target.only, aws.at(Side.TARGET)
    if target.strategy == MULTI_REGION:
        here = stand(reader, member.target, named(reader, _id(member.target, member)))
        view = MemoryDbView(member, target.strategy, here, group=_group(reader, member, here))
    else:
        view = MemoryDbView(member, target.strategy, _current(reader, member, run))
    there = aws.at(Side.SOURCE) if aws.reaches(Side.SOURCE) and run.mode is not Mode.DRILL else None
    source = _source(there, member, run) if there else None
    first = run.phase is Phase.INSTANTIATE or run.mode is Mode.EMERGENCY
    measured = target.strategy == MULTI_REGION and run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    return MemoryDbView(
        member=member,
        strategy=target.strategy,
        target=view.target,
        source=source,
        group=view.group,
        lag_points=_lag(reader, run, view.target) if measured else (),
        exports=_exports(reader, there, member) if target.strategy == SNAPSHOT_RESTORE else {},
        snapshot=_snapshot(reader, there, member, run) if target.strategy == SNAPSHOT_RESTORE else "",
        stand_in=_stand_in(there, member) if there and target.strategy == SNAPSHOT_RESTORE else None,
        problems=tuple(_problems(reader, there, view, run)) if first else (),
        key_states=_keys(reader, view) if first else {},
        **(_drill(reader, member, view.target, run) if run.mode is Mode.DRILL else {}),
    )


def _id(place: Place, member: Member) -> str:
    """Return the name of the cluster that stands, or is to be made, on a side of a multi-Region cluster."""
    other = member.source if place is member.target else member.target
    return str(other.id if place.facts.get("standby") else place.id)


def _source(reader: Reader, member: Member, run: RunContext) -> Stand:
    fencing = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP}
    return stand(reader, member.source, named(reader, _id(member.source, member)), with_fence=fencing)


def _current(reader: Reader, member: Member, run: RunContext) -> Stand:
    """Return this run's restored cluster, else the one that serves, else the one that was left last."""
    pages = reader.pages("memorydb", "DescribeClusters", Clusters, ShowShardDetails=True)
    family = [each for page in pages for each in page.Clusters if base_name(each.Name) == member.name]
    stands = [stand(reader, member.target, each) for each in family if each.status != "deleting"]
    mine = [each for each in stands if each.cluster and each.cluster.Name == restored_name(member, run)]
    return (mine or [latest(stands) or Stand(member.target)])[0]


def _group(reader: Reader, member: Member, here: Stand) -> MultiRegion | None:
    told = here.cluster.MultiRegionClusterName if here.cluster else None
    name = told or member.target.facts.get("multi_region") or member.source.facts.get("multi_region")
    if not name:
        return None
    found = reader.find(
        "memorydb",
        "DescribeMultiRegionClusters",
        MultiRegions,
        MULTI_REGION_MISSING,
        MultiRegionClusterName=str(name),
        ShowClusterDetails=True,
    )
    return found.MultiRegionClusters[0] if found and found.MultiRegionClusters else None


def _lag(reader: Reader, run: RunContext, here: Stand) -> tuple[Datapoint, ...]:
    if here.cluster is None:
        return ()
    dimensions = {"ClusterName": here.cluster.Name}
    return tuple(recent_points(reader, run.now, "AWS/MemoryDB", "MultiRegionClusterReplicationLag", dimensions))


def _exports(here: Reader, there: Reader | None, member: Member) -> dict[Side, tuple[Export, ...]]:
    sides = [(Side.TARGET, here, member.target)] + ([(Side.SOURCE, there, member.source)] if there else [])
    return {side: listed(reader, bucket_of(place), member.name) for side, reader, place in sides if bucket_of(place)}


def _snapshot(here: Reader, there: Reader | None, member: Member, run: RunContext) -> str:
    reader = here if run.phase is Phase.REPLICATE else there
    if reader is None:
        return ""
    name = snapshot_name(member, run)
    found = reader.find("memorydb", "DescribeSnapshots", Snapshots, SNAPSHOT_MISSING, SnapshotName=name)
    return found.Snapshots[0].Status.lower() if found and found.Snapshots else ""


def _stand_in(reader: Reader, member: Member) -> StandIn | None:
    group = subnet_group(reader, str(member.source.facts.get("subnet_group") or ""))
    return StandIn(group.Name, group.ARN, tags_of(reader, group.ARN) or {}) if group else None


def _problems(here: Reader, there: Reader | None, view: MemoryDbView, run: RunContext) -> Iterable[tuple[str, str]]:
    """Tell what a cluster on the target side would miss: ACL, subnet group; and the way of the exports."""
    place, cluster, region = view.member.target, view.target.cluster, view.member.target.region
    acl = cluster.ACLName if cluster else str(view.member.source.facts.get("acl") or "open-access")
    reply = here.find("memorydb", "DescribeACLs", Acls, ACL_MISSING, ACLName=acl)
    status = reply.ACLs[0].Status.lower() if reply and reply.ACLs else "not there"
    if status not in {"active", "modifying"}:
        yield "acl", f"ACL {acl} is {status} in {region}, expected active."
    subnets = cluster.SubnetGroupName if cluster else str(place.facts.get("subnet_group") or "")
    if not vpc_of(here, subnets):
        yield "subnet-group", f"there is no subnet group {subnets or '(none named)'} in {region}."
    if view.strategy == SNAPSHOT_RESTORE and there is not None and run.mode is Mode.PLANNED:
        yield from ways(here, there, view.member)


def _keys(reader: Reader, view: MemoryDbView) -> dict[str, str]:
    """Return the state of the key that the target side's cluster is, or would be, encrypted with."""
    key = view.target.cluster.KmsKeyId if view.target.cluster else view.member.target.facts.get("kms_key")
    return key_states(reader, str(key) if key else None)


def _drill(reader: Reader, member: Member, here: Stand, run: RunContext) -> dict[str, Any]:
    """Return what a drill made so far, and where."""
    name = drill_name(run, member.name, NAME_LIMIT)
    subnets = here.cluster.SubnetGroupName if here.cluster else str(member.target.facts.get("subnet_group") or "")
    vpc_id = vpc_of(reader, subnets)
    group = find_group(reader, name, vpc_id)
    found = reader.find("memorydb", "DescribeSnapshots", Snapshots, SNAPSHOT_MISSING, SnapshotName=name)
    snapshot = found.Snapshots[0] if found and found.Snapshots else None
    cluster = named(reader, name)
    tags = [tag_map(group.Tags)] if group else []
    tags += [told for each in (snapshot, cluster) if each and (told := tags_of(reader, each.ARN)) is not None]
    copy = DrillCopy(
        group=group.GroupId if group else "",
        snapshot=snapshot.Status.lower() if snapshot else "",
        cluster=cluster.status if cluster else "",
        ours=all(is_of_this_drill(each, run) for each in tags),
    )
    return {"copy": copy, "vpc_id": vpc_id}
