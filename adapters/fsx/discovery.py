"""Which tagged FSx file systems and backups are the two sides of one resource, and what an emergency must know of them.

The sides bear one name, in the tag `Name`: backups take over a file system's tags (`CopyTagsToBackups`, AWS Backup, or the
copies this adapter makes), and a restored file system gets them too. In a Region where a file system stands, its backups
are left aside; where none stands, the newest available backup of that name is the side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from adapters.fsx.lustre_models import Links, Tasks
from adapters.fsx.models import (
    Backup,
    Backups,
    FileSystem,
    FileSystems,
    NetworkInterfaces,
    Snapshot,
    Snapshots,
    Volume,
    Volumes,
)
from adapters.fsx.ontap_models import Machines
from adapters.fsx.spec import BACKUP_COPY, FENCED_TAG, LUSTRE_S3, ONTAP, OPENZFS
from adapters.fsx.view_backup import volumes_of
from adapters.fsx.view_landing import restore_of
from adapters.fsx.view_ontap import junctions
from orchestrator.contract import Found, Place, Reader
from orchestrator.tags import ENABLED

BACKUPS_REMEMBERED = 10
SNAPSHOTS_REMEMBERED = 20


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged file systems, and the newest backup where no file system stands."""
    pages = aws.pages("fsx", "DescribeFileSystems", FileSystems)
    tagged = [each for page in pages for each in page.FileSystems if each.ResourceARN in arns]
    standing = [each for each in tagged if each.Lifecycle != "DELETING" and not _retired(each)]
    every = [each for page in aws.pages("fsx", "DescribeBackups", Backups) for each in page.Backups]
    backups = [
        each for each in every if each.ResourceType != "VOLUME"
    ]  # of an ONTAP volume, for which it stands for nothing
    zfs = any(each.FileSystemType == "OPENZFS" for each in standing)
    volumes = _volumes(aws) if zfs else []
    snapshots = _snapshots(aws) if zfs else []
    found = [
        _ontap(aws, each) if each.FileSystemType == "ONTAP" else _file_system(aws, each, backups, volumes, snapshots)
        for each in standing
    ]
    taken = {each.pair_key for each in found}
    newest: dict[str, Backup] = {}
    for copy in sorted((each for each in backups if each.ResourceARN in arns), key=_by_use):
        newest[_pair(aws, copy.tags, copy.FileSystem.FileSystemId)] = copy
    for key, copy in newest.items():
        if key not in taken:
            found.append(_backup(aws, key, copy))
    return found


def _retired(each: FileSystem) -> bool:
    """Say whether a run fenced a file system and took it out of the scope: it is no side of anything any more."""
    return FENCED_TAG in each.tags and ENABLED not in each.tags


def _by_use(backup: Backup) -> tuple[bool, float]:
    return backup.Lifecycle == "AVAILABLE", backup.CreationTime.timestamp()


def _pair(aws: Reader, tags: Mapping[str, str], otherwise: str) -> str:
    return f"{aws.account}/{tags.get('Name') or otherwise}"


def _file_system(
    aws: Reader,
    each: FileSystem,
    backups: Iterable[Backup],
    volumes: Iterable[Volume],
    snapshots: Iterable[Snapshot],
) -> Found:
    name = each.tags.get("Name") or each.FileSystemId
    mine = [volume for volume in volumes if volume.FileSystemId == each.FileSystemId]
    linked = each.FileSystemType == "LUSTRE" and _is_linked(aws, each)
    ids = {volume.VolumeId for volume in mine}
    newest = sorted((s for s in snapshots if s.VolumeId in ids), key=lambda s: s.CreationTime, reverse=True)
    facts = _facts(aws, each, backups, mine)
    facts["snapshots"] = {s.ResourceARN: s.CreationTime.isoformat() for s in newest[:SNAPSHOTS_REMEMBERED]}
    if linked:
        facts["exported_at"] = _exported_at(aws, each)
    place = Place(aws.account, aws.region, each.FileSystemId, each.ResourceARN, facts)
    strategy = LUSTRE_S3 if linked else _strategy(each, mine)
    return Found(_pair(aws, each.tags, each.FileSystemId), name, place, each.tags, strategy)


def _ontap(aws: Reader, each: FileSystem) -> Found:
    """Return an ONTAP file system; what only ONTAP itself knows is left to the strategy, in whose session it can be asked."""
    filters: JsonValue = [{"Name": "file-system-id", "Values": [each.FileSystemId]}]
    pages = aws.pages("fsx", "DescribeStorageVirtualMachines", Machines, Filters=filters)
    machines = [machine for page in pages for machine in page.StorageVirtualMachines]
    facts: dict[str, JsonValue] = {
        "type": each.FileSystemType,
        "file_system": each.FileSystemId,
        "machines": [machine.UUID for machine in machines],
        "junctions": dict(junctions(machines, volumes_of(aws, each.FileSystemId))),
    }
    place = Place(aws.account, aws.region, each.FileSystemId, each.ResourceARN, facts)
    name = each.tags.get("Name") or each.FileSystemId
    return Found(_pair(aws, each.tags, each.FileSystemId), name, place, each.tags, ONTAP)


def _strategy(each: FileSystem, volumes: Iterable[Volume]) -> str | None:
    """Return what the file system shows; an OpenZFS one that follows nobody may be the source of either way."""
    if each.FileSystemType == "OPENZFS":
        return OPENZFS if any(volume.follows for volume in volumes) else None
    return BACKUP_COPY


def _backup(aws: Reader, key: str, copy: Backup) -> Found:
    facts: dict[str, JsonValue] = {
        "type": copy.FileSystem.FileSystemType,
        "file_system": copy.FileSystem.FileSystemId,
        "restore": restore_of(copy.tags),
    }
    place = Place(aws.account, aws.region, copy.BackupId, copy.ResourceARN, facts)
    return Found(key, key.partition("/")[2], place, copy.tags, BACKUP_COPY)


def _facts(aws: Reader, each: FileSystem, backups: Iterable[Backup], volumes: Sequence[Volume]) -> dict[str, JsonValue]:
    """Return what a successor needs: the file system as it is when it is not fenced, and how old which backup is."""
    remembered = each.tags.get(FENCED_TAG, "").split()[1:]
    fenced = FENCED_TAG in each.tags
    own = [b for b in backups if b.FileSystem.FileSystemId == each.FileSystemId]
    newest = sorted(own, key=lambda b: b.CreationTime, reverse=True)[:BACKUPS_REMEMBERED]
    aliases = remembered if fenced and each.FileSystemType == "WINDOWS" else list(each.aliases)
    read_only = [v.path for v in volumes if (v.VolumeId in remembered if fenced else v.read_only)]
    return {
        "type": each.FileSystemType,
        "file_system": each.FileSystemId,
        "dns_name": each.DNSName,
        "storage_type": each.StorageType,
        "deployment": each.configuration.DeploymentType,
        "directory": each.configuration.ActiveDirectoryId,
        "own": {
            "subnets": list(each.SubnetIds),
            "security_groups": _groups(aws, each),
            "key": each.KmsKeyId,
            "directory": each.configuration.ActiveDirectoryId,
        },
        "restore": restore_of(each.tags),
        "aliases": list(aliases),
        "read_only": list(read_only),
        "backups": {b.BackupId: b.CreationTime.isoformat() for b in newest},
    }


def _groups(aws: Reader, each: FileSystem) -> list[JsonValue]:
    """Return a file system's security groups, which only its network interfaces show (ec2:DescribeNetworkInterfaces)."""
    if not each.NetworkInterfaceIds:
        return []
    filters: JsonValue = [{"Name": "network-interface-id", "Values": list(each.NetworkInterfaceIds)}]
    reply = aws.read("ec2", "DescribeNetworkInterfaces", NetworkInterfaces, Filters=filters)
    found = sorted({group.GroupId for card in reply.NetworkInterfaces for group in card.Groups})
    return [*found]


def _is_linked(aws: Reader, each: FileSystem) -> bool:
    filters: JsonValue = [{"Name": "file-system-id", "Values": [each.FileSystemId]}]
    return bool(aws.read("fsx", "DescribeDataRepositoryAssociations", Links, Filters=filters).Associations)


def _exported_at(aws: Reader, each: FileSystem) -> str | None:
    """Return when the last export began that went through."""
    filters: JsonValue = [{"Name": "file-system-id", "Values": [each.FileSystemId]}]
    pages = aws.pages("fsx", "DescribeDataRepositoryTasks", Tasks, Filters=filters)
    every = [task for page in pages for task in page.DataRepositoryTasks]
    done = [t.CreationTime for t in every if t.Type == "EXPORT_TO_REPOSITORY" and t.Lifecycle == "SUCCEEDED"]
    return max(done).isoformat() if done else None


def _volumes(aws: Reader) -> list[Volume]:
    return [each for page in aws.pages("fsx", "DescribeVolumes", Volumes) for each in page.Volumes]


def _snapshots(aws: Reader) -> list[Snapshot]:
    return [each for page in aws.pages("fsx", "DescribeSnapshots", Snapshots) for each in page.Snapshots]
