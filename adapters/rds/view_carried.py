"""What is read of RDS where a database is restored: backups and snapshots on both sides, and the place it is restored in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.databases.shared import INSTANCE
from adapters.databases.view import PlaceGroup, missing, subnet_group, tags_of
from adapters.rds.models import (
    Backup,
    Backups,
    Instance,
    Snapshot,
    Snapshots,
)
from adapters.rds.spec import (
    BACKUP_KEPT,
    BACKUP_MISSING,
    BACKUPS,
)
from orchestrator.contract import Member, Reader

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Carried:
    """Newest first. `here` is the target side's Region, `back` the source side's."""

    vpc_id: str = ""
    """The VPC of the target side's subnet group."""
    missing: tuple[str, ...] = ()
    """What a restore needs on the target side and is not there."""
    backups: tuple[Backup, ...] = ()
    """Backups of the source, here."""
    copies: tuple[Snapshot, ...] = ()
    """Copied snapshots of the source, here."""
    snapshots: tuple[Snapshot, ...] = ()
    """Snapshots of the source, in its own Region."""
    back_backups: tuple[Backup, ...] = ()
    back_copies: tuple[Snapshot, ...] = ()
    back_snapshots: tuple[Snapshot, ...] = ()
    """The same of the target, the other way round; nothing of instances that bore its name before."""
    stand_in: PlaceGroup | None = None
    """The source side's subnet group, which must name the database once nothing of it stands there."""
    stand_in_tags: Mapping[str, str] | None = None


def shipped(backups: tuple[Backup, ...]) -> Backup | None:
    """Return the backups that are still being replicated."""
    return next((each for each in backups if each.Status != BACKUP_KEPT), None)


def restorable(backups: tuple[Backup, ...]) -> Backup | None:
    """Return the backups that reach furthest, replicated still or kept."""
    return next((each for each in backups if each.until is not None), None)


def available(snapshots: tuple[Snapshot, ...]) -> Snapshot | None:
    """Return the newest complete snapshot."""
    return next((each for each in snapshots if each.Status == "available"), None)


def named(snapshots: tuple[Snapshot, ...], name: str) -> Snapshot | None:
    """Return the snapshot of a name."""
    return next((each for each in snapshots if each.DBSnapshotIdentifier == name), None)


def backups_of(reader: Reader, name: str, region: str) -> tuple[Backup, ...]:
    """Return the backups here of the instance `name` of another Region, furthest reaching first."""
    reply = reader.find("rds", "DescribeDBInstanceAutomatedBackups", Backups, BACKUP_MISSING, DBInstanceIdentifier=name)
    found = [each for each in (reply.DBInstanceAutomatedBackups if reply else []) if each.Region == region]
    return tuple(sorted(found, key=lambda each: each.until or _NEVER, reverse=True))


def snapshots_of(reader: Reader, name: str, region: str | None) -> tuple[Snapshot, ...]:
    """Return the snapshots here of the instance `name`: copied from `region`, or (None) taken here."""
    pages = reader.pages("rds", "DescribeDBSnapshots", Snapshots, DBInstanceIdentifier=name)
    found = [
        each
        for each in (snapshot for page in pages for snapshot in page.DBSnapshots)
        if (each.is_from(region) if region else not each.SourceDBSnapshotIdentifier)
    ]
    return tuple(sorted(found, key=lambda each: each.at or _NEVER, reverse=True))


def look_here(reader: Reader, strategy: str, member: Member, name: str, target: Instance | None) -> Carried:
    """Read the target side: what has arrived there, and whether it can be restored there."""
    group = subnet_group(reader, member.target.facts.get("subnet_group"))
    lacking = missing(reader, member, group, INSTANCE) if target is None else ()
    vpc_id = group.VpcId if group else ""
    region = member.source.region
    if strategy == BACKUPS:
        return Carried(vpc_id, lacking, backups=backups_of(reader, name, region))
    copies = snapshots_of(reader, name, region)
    own = _since(target, snapshots_of(reader, target.DBInstanceIdentifier, None)) if target else ()
    return Carried(vpc_id, lacking, copies=copies, back_snapshots=own)


def _since(instance: Instance | None, snapshots: tuple[Snapshot, ...]) -> tuple[Snapshot, ...]:
    """Return the snapshots of this very instance: a name is used again by every run."""
    born = instance.InstanceCreateTime if instance else None
    return tuple(each for each in snapshots if born is not None and each.at is not None and each.at >= born)


def look_there(
    there: Reader, strategy: str, member: Member, here: Carried, old: Instance | None, target: Instance | None
) -> Carried:
    """Add what the source side tells: its own snapshots, what has come back, and the place it leaves behind."""
    group = subnet_group(there, member.source.facts.get("subnet_group"))
    tags = tags_of(there, group.DBSubnetGroupArn) if group else None
    base = replace(here, stand_in=group, stand_in_tags=tags)
    name, region = (target.DBInstanceIdentifier if target else ""), member.target.region
    if strategy == BACKUPS:
        return replace(base, back_backups=backups_of(there, name, region) if name else ())
    own = snapshots_of(there, old.DBInstanceIdentifier, None) if old else ()
    return replace(base, snapshots=own, back_copies=_since(target, snapshots_of(there, name, region)) if name else ())
