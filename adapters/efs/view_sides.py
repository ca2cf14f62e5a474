"""One side of an EFS file system as AWS shows it now, its fence, and where mount targets belong. Both strategies read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import JsonValue

from adapters.efs.models import (
    AccessPoint,
    AccessPoints,
    FileSystem,
    FileSystems,
    Guard,
    MountTarget,
    MountTargets,
    Policy,
    Replication,
    Replications,
    Subnets,
)
from adapters.efs.spec import (
    DRAINED,
    EXECUTION_ID,
    FENCE_SID,
    FENCED_TAG,
    FS_MISSING,
    NO_POLICY,
    NOT_REPLICATED,
    POLICY_SECONDS,
    RESTORE_TAGS,
    WRITES,
    WRITES_NAMESPACE,
)
from adapters.reading import Datapoint, points_since
from orchestrator.contract import Member, Place, Reader, RunContext

FS_PREFIX = "fs-"


@dataclass(frozen=True)
class EfsSide:
    """One side. `fs` is None when there is no file system, or when the side was not read."""

    place: Place
    fs: FileSystem | None = None
    replication: Replication | None = None
    """The replication this side holds the configuration of, in whichever direction."""
    mounts: tuple[MountTarget, ...] = ()
    access_points: tuple[AccessPoint, ...] = ()
    policy: str | None = None
    """The file system policy; None: the default, which lets every client in."""

    @property
    def id(self) -> str:
        """Return the file system's id."""
        return self.fs.FileSystemId if self.fs else self.place.id

    @property
    def closed(self) -> bool:
        """Say whether the policy lets no client in."""
        return any(each.get("Sid") == FENCE_SID for each in statements(self.policy))

    @property
    def fenced_at(self) -> datetime | None:
        """Return since when it is fenced, as its tag tells."""
        words = self.fs.tags.get(FENCED_TAG, "").split() if self.fs else []
        return datetime.fromisoformat(words[0]) if words else None

    @property
    def fenced(self) -> bool:
        """Say whether it is closed and says since when."""
        return self.closed and self.fenced_at is not None

    @property
    def quiet_from(self) -> datetime | None:
        """Return from when the fence surely holds."""
        return self.fenced_at + timedelta(seconds=POLICY_SECONDS) if self.fenced_at else None

    @property
    def drained_to(self) -> datetime | None:
        """Return the sync that was noted to hold everything written before the fence, or None."""
        words = self.fs.tags.get(FENCED_TAG, "").split() if self.fs else []
        return datetime.fromisoformat(words[-1]) if DRAINED in words[1:-1] else None

    @property
    def marked(self) -> bool:
        """Say whether a run noted that it made this side the serving one."""
        return self.fs is not None and EXECUTION_ID in self.fs.tags

    def silent_from(self, writes: Sequence[Datapoint]) -> datetime | None:
        """Return since when nobody can have written: the fence in force, or the last write that was seen; None: open."""
        times = [each for each in (self.quiet_from, last_write(writes)) if each is not None]
        return max(times) if self.fenced else None

    @property
    def writable(self) -> bool:
        """Say whether it takes writes: it is part of no replication and protected against one."""
        return self.fs is not None and self.replication is None and self.fs.guard is Guard.ENABLED


def last_write(writes: Sequence[Datapoint]) -> datetime | None:
    """Return the end of the last minute in which clients wrote."""
    return max((point.at + timedelta(minutes=1) for point in writes if point.value > 0), default=None)


def statements(policy: str | None) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    if not policy:
        return []
    found = json.loads(policy).get("Statement", [])
    return [dict(found)] if isinstance(found, Mapping) else [dict(each) for each in found]


def side_of(reader: Reader, place: Place, *, file_system: FileSystem | None = None) -> EfsSide:
    """Read one side; `file_system` when it was read already."""
    found = file_system or (file_system_of(reader, place.id) if place.id.startswith(FS_PREFIX) else None)
    if found is None:
        return EfsSide(place)
    known = {"FileSystemId": found.FileSystemId}
    held = reader.find("efs", "DescribeReplicationConfigurations", Replications, NOT_REPLICATED, **known)
    policy = reader.find("efs", "DescribeFileSystemPolicy", Policy, NO_POLICY, **known)
    return EfsSide(
        place,
        found,
        next(iter(held.Replications), None) if held else None,
        tuple(mounts_of(reader, found.FileSystemId)),
        tuple(access_points_of(reader, found.FileSystemId)),
        policy.Policy if policy else None,
    )


def file_system_of(reader: Reader, file_system_id: str) -> FileSystem | None:
    """Return the file system of an id."""
    found = reader.find("efs", "DescribeFileSystems", FileSystems, FS_MISSING, FileSystemId=file_system_id)
    return next(iter(found.FileSystems), None) if found else None


def file_system_made_as(reader: Reader, creation_token: str) -> FileSystem | None:
    """Return the file system that was created with a token."""
    found = reader.find("efs", "DescribeFileSystems", FileSystems, FS_MISSING, CreationToken=creation_token)
    return next((each for each in found.FileSystems if each.CreationToken == creation_token), None) if found else None


def mounts_of(reader: Reader, file_system_id: str) -> list[MountTarget]:
    """Return the mount targets of a file system by zone."""
    pages = reader.pages("efs", "DescribeMountTargets", MountTargets, FileSystemId=file_system_id)
    found = [each for page in pages for each in page.MountTargets]
    return sorted(found, key=lambda each: (each.AvailabilityZoneName, each.MountTargetId))


def access_points_of(reader: Reader, file_system_id: str) -> list[AccessPoint]:
    """Return the access points of a file system."""
    pages = reader.pages("efs", "DescribeAccessPoints", AccessPoints, FileSystemId=file_system_id)
    return [point for page in pages for point in page.AccessPoints]


def writes_since(reader: Reader, run: RunContext, file_system_id: str, since: datetime) -> tuple[Datapoint, ...]:
    """Return the bytes that clients wrote minute by minute, newest first; minutes without any may be missing."""
    dimensions = {"FileSystemId": file_system_id}
    return tuple(points_since(reader, run.now, since, WRITES_NAMESPACE, WRITES, dimensions, "Sum"))


@dataclass(frozen=True)
class Landing:
    """Where on the target side mount targets belong: a subnet for each zone, and who is let in."""

    zones: Mapping[str, str]
    """Zone -> subnet."""
    security_groups: tuple[str, ...] = ()
    key: str | None = None
    missing: tuple[str, ...] = ()
    """Subnets that were told and are not there."""


def landing_of(reader: Reader, member: Member) -> Landing:
    """Return what the manifest, the tags of the source, or the memory of this side tell of the target side's network."""
    subnets, groups = _told(member, "subnetIds", "subnets"), _told(member, "securityGroupIds", "security_groups")
    keys = _told(member, "kmsKeyId", "key")
    filters: JsonValue = [{"Name": "subnet-id", "Values": list(subnets)}]
    found = reader.read("ec2", "DescribeSubnets", Subnets, Filters=filters).Subnets if subnets else []
    there = {each.SubnetId: each.AvailabilityZone for each in found}
    zones = {there[each]: each for each in reversed(subnets) if each in there}
    return Landing(
        dict(sorted(zones.items())), groups, keys[0] if keys else None, tuple(s for s in subnets if s not in there)
    )


def _told(member: Member, setting: str, key: str) -> tuple[str, ...]:
    """Return the first that tells: the manifest, the tag on either side, how the target side was."""
    own = member.target.facts.get("own")
    sources: Sequence[JsonValue] = (
        member.settings.get(setting),
        restore_of(member.source.facts).get(key),
        own.get(key) if isinstance(own, Mapping) else None,
    )
    for value in sources:
        if isinstance(value, str) and value:
            return (value,)
        if isinstance(value, list | tuple) and value:
            return tuple(str(each) for each in value)
    return ()


def restore_of(facts: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Return what discovery kept of the tags `dr:restore-*`."""
    kept = facts.get("restore")
    return kept if isinstance(kept, Mapping) else {}


def restore_tags(tags: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return what the tags `dr:restore-*` say of the place on the other side."""
    return {key: [*tags[tag].split()] for key, tag in RESTORE_TAGS.items() if tags.get(tag)}
