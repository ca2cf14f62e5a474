"""Where on the target side a backup of FSx is restored: as the manifest says, as tags say, or as that side was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

from adapters.fencing import SecurityGroups
from adapters.fsx.models import Backup, Subnets
from adapters.fsx.spec import DS_MISSING, RESTORE_TAGS
from orchestrator.contract import Member, Reader


@dataclass(frozen=True)
class Landing:
    """Where on the target side a backup is restored."""

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    key: str | None = None
    directory: str | None = None
    missing: tuple[str, ...] = ()
    """What of these the target Region does not have, a clause each."""


def source_id(member: Member) -> str:
    """Return the id of the file system that is, or was, the source."""
    return str(member.source.facts.get("file_system") or member.source.id)


def of(backups: Sequence[Backup], file_system_id: str) -> tuple[Backup, ...]:
    """Return the backups of a file system, newest first."""
    mine = [each for each in backups if each.FileSystem.FileSystemId == file_system_id]
    return tuple(sorted(mine, key=lambda each: each.CreationTime, reverse=True))


def landing_of(member: Member, copies: Sequence[Backup]) -> Landing:
    """Return where to restore: as the manifest says, as the source's tags say, or as the side was before."""
    kept = member.source.facts.get("restore")
    told = dict(kept) if isinstance(kept, dict) else {}
    for copy in of(copies, source_id(member))[:1]:
        told = {**restore_of(copy.tags), **told}
    before = member.target.facts.get("own")
    own = dict(before) if isinstance(before, dict) else {}

    def one(setting: str, key: str) -> JsonValue:
        return member.settings.get(setting) or told.get(key) or own.get(key)

    def several(setting: str, key: str) -> tuple[str, ...]:
        value = one(setting, key)
        return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()

    key, directory = one("kmsKeyId", "key"), one("activeDirectoryId", "directory")
    return Landing(
        several("subnetIds", "subnets"),
        several("securityGroupIds", "security_groups"),
        str(key) if key else None,
        str(directory) if directory else None,
    )


def restore_of(tags: dict[str, str]) -> dict[str, JsonValue]:
    """Return what the tags `dr:restore-*` say of the place where the other side is restored."""
    found: dict[str, JsonValue] = {}
    for key, tag in RESTORE_TAGS.items():
        words = tags.get(tag, "").split()
        if words:
            found[key] = list(words) if key in {"subnets", "security_groups"} else words[0]
    return found


class Directory(BaseModel):
    """A directory."""

    DirectoryId: str
    Stage: str = ""


class Directories(BaseModel):
    """ds:DescribeDirectories."""

    DirectoryDescriptions: list[Directory] = []


def checked(reader: Reader, landing: Landing, member: Member) -> Landing:
    """Return the landing with what of it the Region does not have; filters tell without an error."""
    missing: list[str] = []
    if landing.subnets:
        filters: JsonValue = [{"Name": "subnet-id", "Values": list(landing.subnets)}]
        subnets = reader.read("ec2", "DescribeSubnets", Subnets, Filters=filters).Subnets
        there = {each.SubnetId for each in subnets}
        missing += [f"subnet {each} does not exist" for each in landing.subnets if each not in there]
    if landing.security_groups:
        filters = [{"Name": "group-id", "Values": list(landing.security_groups)}]
        groups = reader.read("ec2", "DescribeSecurityGroups", SecurityGroups, Filters=filters).SecurityGroups
        known = {each.GroupId for each in groups}
        missing += [f"security group {each} does not exist" for each in landing.security_groups if each not in known]
    directory = landing.directory or member.source.facts.get("directory")
    if directory:
        reply = reader.find("ds", "DescribeDirectories", Directories, DS_MISSING, DirectoryIds=[str(directory)])
        stages = {each.DirectoryId: each.Stage for each in (reply.DirectoryDescriptions if reply else [])}
        if stages.get(str(directory)) != "Active":
            missing.append(f"directory {directory} is {stages.get(str(directory), 'not there')}, expected Active")
    return Landing(landing.subnets, landing.security_groups, landing.key, landing.directory, tuple(missing))
