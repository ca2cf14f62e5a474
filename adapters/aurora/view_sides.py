"""What is read of both sides of an Aurora cluster, whatever its strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from pydantic import JsonValue

from adapters.aurora.spec import SNAPSHOT_MISSING
from adapters.aurora.view import Cluster, Clusters, Instance, Snapshots, TargetSide, instances_of
from adapters.databases.shared import Database, base_name, final_name, is_fenced, is_retired, retired_name
from adapters.databases.view import restarted_at, subnet_group
from adapters.fencing import FENCE_GROUP, SecurityGroup, find_group
from orchestrator.contract import Reader, RunContext
from orchestrator.words import Phase

V = TypeVar("V", bound="TwoSides")


@dataclass(frozen=True)
class TwoSides(TargetSide):
    """Both sides. `source` bears the source side's name; `retired` is the old primary under its later name."""

    source: Cluster | None = None
    retired: Cluster | None = None
    source_instances: tuple[Instance, ...] = ()
    """Of `source`, else of `retired`."""
    fence: SecurityGroup | None = None
    restarted_at: datetime | None = None
    leftovers: tuple[Cluster, ...] = ()
    """In DECOMMISSION: the retired clusters of the source side, of this run and of others."""
    leftover_instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    """In DECOMMISSION: retired cluster -> its instances."""
    finals: Mapping[str, str] = field(default_factory=dict)
    """In DECOMMISSION: final snapshot -> its status."""

    @property
    def promoted(self) -> bool:
        """Say whether the target stands and replicates from nobody."""
        return self.target.there and not self.target.ReplicationSourceIdentifier

    @property
    def reversed(self) -> bool:
        """Say whether the source side's name belongs to a replica of the target."""
        return self.source is not None and self.source.ReplicationSourceIdentifier == self.member.target.arn

    @property
    def old(self) -> Cluster | None:
        """Return the old primary, under its old or its retired name."""
        return self.retired or (None if self.reversed else self.source)

    @property
    def old_database(self) -> Database | None:
        """Return the old primary as its fence needs it."""
        vpc_id = next((each.vpc_id for each in self.source_instances if each.vpc_id), "")
        return self.old.database(vpc_id) if self.old else None

    @property
    def fenced(self) -> bool:
        """Say whether nobody gets into the old primary."""
        return self.old is not None and is_fenced(self.old.groups, self.fence)


def with_source(here: V, there: Reader, run: RunContext) -> V:
    """Add what the source side tells; what was retired there only when it is to be deleted."""
    name, retired = base_name(here.member.source.id), retired_name(here.member, run)
    filters: JsonValue = [{"Name": "db-cluster-id", "Values": [name, retired]}]
    reply = there.read("rds", "DescribeDBClusters", Clusters, Filters=filters)
    by_name = {each.DBClusterIdentifier: each for each in reply.DBClusters}
    source, old = by_name.get(name), by_name.get(retired) or by_name.get(name)
    own = instances_of(there, old.DBClusterIdentifier) if old else []
    vpc_id = next((each.vpc_id for each in own if each.vpc_id), "")
    both, writer = source is not None and source is not old, source.writer if source else None
    seen = replace(
        here,
        source=source,
        retired=by_name.get(retired),
        source_instances=tuple(instances_of(there, name) if both else own),
        fence=find_group(there, FENCE_GROUP, vpc_id) if vpc_id else None,
        restarted_at=restarted_at(there, writer, run) if writer and run.phase is Phase.ACTIVATE else None,
    )
    return _with_leftovers(seen, there, run) if run.phase is Phase.DECOMMISSION else seen


def _with_leftovers(seen: V, there: Reader, run: RunContext) -> V:
    """Add every retired cluster of the resource, their instances and final snapshots."""
    every = [each for page in there.pages("rds", "DescribeDBClusters", Clusters) for each in page.DBClusters]
    left = tuple(each for each in every if is_retired(each.DBClusterIdentifier, each.tags, seen.member))
    own = {each.DBClusterIdentifier: tuple(instances_of(there, each.DBClusterIdentifier)) for each in left}
    place = (
        subnet_group(there, left[0].DBSubnetGroup) if left else None
    )  # its instances, which tell the VPC too, go first
    names = {retired_name(seen.member, run), *own}
    found = {final_name(name): _snapshot_status(there, final_name(name)) for name in sorted(names)}
    return replace(
        seen,
        leftovers=left,
        leftover_instances=own,
        fence=seen.fence or (find_group(there, FENCE_GROUP, place.VpcId) if place else None),
        finals={name: status for name, status in found.items() if status},
    )


def _snapshot_status(reader: Reader, name: str) -> str:
    found = reader.find(
        "rds", "DescribeDBClusterSnapshots", Snapshots, SNAPSHOT_MISSING, DBClusterSnapshotIdentifier=name
    )
    return found.DBClusterSnapshots[0].Status if found and found.DBClusterSnapshots else ""
