"""`efs-replication`: a file system on the source side, its replica on the target side, in sync.
`efs-backup`: a file system on the source side alone, whose recovery points AWS Backup copies to the target side.

Settings of both: `encrypted` (true), `throughput_mode` (elastic), `zones` (2, mount targets per side), `target_zones`
(default `zones`; 0 leaves them to INSTANTIATE), `access_point` (path; none by default), `target_access_point`
(true: the access point exists on the target side too), `recovery_points` (0, of `efs-backup` 2: AWS Backup points of the
source, each copied to the target side), `replica_recovery_points` (0: points of the replica itself), `writes_per_minute`
(600000: bytes that clients write to the source), `landing` (true: where the target side lacks mount targets, tags on the source
say in which subnets they belong).

Each side has a security group `<name>-efs`. Recovery points are an hour apart, the newest an hour old, in the vaults
`Default`, of `efs-backup` in vaults of its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network, tag_list
from localaws.services.backup import BackupService
from localaws.services.efs import EfsService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both file systems, tagged, mounted and replicating."""
    efs = world.service("efs")
    assert isinstance(efs, EfsService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    tags = {"Name": entry.name, **estate.tags(entry)}
    zones = int(entry.setting("zones", 2))
    target_zones = int(entry.setting("target_zones", zones))
    landing = _landing(world, account, target_region, entry, zones) if target_zones < zones else {}
    source = _file_system(world, account, source_region, entry, {**tags, **landing})
    target = _file_system(world, account, target_region, entry, tags)
    for region, file_system, count in ((source_region, source, zones), (target_region, target, target_zones)):
        _mount_targets(world, account, region, entry.name, file_system, count)
        there = region == source_region or entry.setting("target_access_point", True)
        if there and (path := entry.setting("access_point")):
            _access_point(world, account, region, entry.name, file_system, path, tags)
        efs.settle(account, region)
    efs.replicate_now(account, source_region, source, target_region, target)
    efs.write(account, source_region, source, float(entry.setting("writes_per_minute", 600_000)))
    _recovery_points(world, entry, efs_arn(account, source_region, source), efs_arn(account, target_region, target))


def seed_backup(world: World, estate: Estate, entry: Entry) -> None:
    """Create the file system, tagged and mounted, its recovery points and their copies."""
    efs = world.service("efs")
    assert isinstance(efs, EfsService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    zones = int(entry.setting("zones", 2))
    landing = _landing(world, account, target_region, entry, zones)
    tags = {"Name": entry.name, **estate.tags(entry), **landing}
    source = _file_system(world, account, source_region, entry, tags)
    _mount_targets(world, account, source_region, entry.name, source, zones)
    if path := entry.setting("access_point"):
        _access_point(world, account, source_region, entry.name, source, path, tags)
    efs.settle(account, source_region)
    efs.write(account, source_region, source, float(entry.setting("writes_per_minute", 600_000)))
    backup = world.service("backup")
    assert isinstance(backup, BackupService)
    for hours in range(int(entry.setting("recovery_points", 2)), 0, -1):
        arn = efs_arn(account, source_region, source)
        point = backup.add_recovery_point(account, source_region, arn, hours_ago=hours, vault=entry.name)
        backup.add_copy(point, target_region, vault=entry.name)


def _landing(world: World, account: str, region: str, entry: Entry, zones: int) -> dict[str, str]:
    """Return the tags that say where on the target side mount targets belong."""
    if not entry.setting("landing", True):
        return {}
    network = default_network(world, account, region)
    return {
        "dr:restore-subnets": " ".join(network.subnet_ids[:zones]),
        "dr:restore-security-groups": _group(world, account, region, entry.name, network.vpc_id),
    }


def _file_system(world: World, account: str, region: str, entry: Entry, tags: dict[str, str]) -> str:
    reply = world.call(
        "efs",
        "CreateFileSystem",
        account,
        region,
        CreationToken=f"{entry.name}-{region}",
        Encrypted=bool(entry.setting("encrypted", True)),
        ThroughputMode=entry.setting("throughput_mode", "elastic"),
        Tags=tag_list(tags),
    )
    world.backend("efs", account, region).file_systems_by_id[reply["FileSystemId"]].life_cycle_state = "available"
    return str(reply["FileSystemId"])


def _mount_targets(world: World, account: str, region: str, name: str, file_system: str, count: int) -> None:
    network = default_network(world, account, region)
    group = _group(world, account, region, name, network.vpc_id)
    for subnet_id in network.subnet_ids[:count]:
        settings: dict[str, Any] = {"FileSystemId": file_system, "SubnetId": subnet_id, "SecurityGroups": [group]}
        world.call("efs", "CreateMountTarget", account, region, **settings)


def _group(world: World, account: str, region: str, name: str, vpc_id: str) -> str:
    """Return the security group of the file system's clients in a Region; make it unless it is there."""
    wanted = {"Filters": [{"Name": "group-name", "Values": [f"{name}-efs"]}]}
    found = world.call("ec2", "DescribeSecurityGroups", account, region, **wanted)["SecurityGroups"]
    if found:
        return str(found[0]["GroupId"])
    settings = {"GroupName": f"{name}-efs", "Description": f"Clients of {name}", "VpcId": vpc_id}
    return str(world.call("ec2", "CreateSecurityGroup", account, region, **settings)["GroupId"])


def _access_point(
    world: World, account: str, region: str, name: str, file_system: str, path: str, tags: dict[str, str]
) -> None:
    owner = {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}
    world.call(
        "efs",
        "CreateAccessPoint",
        account,
        region,
        ClientToken=f"{name}-{region}-{path}",
        FileSystemId=file_system,
        PosixUser={"Uid": 1000, "Gid": 1000},
        RootDirectory={"Path": path, "CreationInfo": owner},
        Tags=tag_list(tags),
    )


def _recovery_points(world: World, entry: Entry, source_arn: str, target_arn: str) -> None:
    backup = world.service("backup")
    assert isinstance(backup, BackupService)
    region, account = target_arn.split(":")[3:5]
    for hours in range(int(entry.setting("recovery_points", 0)), 0, -1):
        point = backup.add_recovery_point(account, source_arn.split(":")[3], source_arn, hours_ago=hours)
        backup.add_copy(point, region)
    for hours in range(int(entry.setting("replica_recovery_points", 0)), 0, -1):
        backup.add_recovery_point(account, region, target_arn, hours_ago=hours)


def efs_arn(account: str, region: str, file_system_id: str) -> str:
    """Return the ARN of a file system."""
    return f"arn:aws:elasticfilesystem:{region}:{account}:file-system/{file_system_id}"
