"""`fsx-backup`: a file system on the source side and what its strategy keeps on the target side.

Settings: `type` (WINDOWS, OPENZFS, LUSTRE; default OPENZFS), `storage_gib` (1024), `throughput_mbps` (160),
`deployment` (SINGLE_AZ_2, for Lustre PERSISTENT_2), `aliases` and `directory_id` (Windows), `encrypted` (true: key
`alias/<name>` on each side), `backups` (3: backups on the source side, hourly, each copied to the target side), `standby`
(false), `landing` (true: without `standby`, tags on the file system that say where on the target side it is restored).

With `standby` a file system of the same type stands on the target side: OpenZFS with a read-only volume `data` that
shares the snapshot `dr-base` with the source's `data`; Lustre
linked on both sides to buckets that S3 replicates both ways (settings `source_bucket`, `target_bucket`), hence no backups.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network, tag_list
from localaws.services.fsx import FsxService
from localaws.services.fsx.models import Life, Shelf, Thing

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

DEPLOYMENTS = {"WINDOWS": "SINGLE_AZ_2", "OPENZFS": "SINGLE_AZ_2", "LUSTRE": "PERSISTENT_2"}
CONFIGURATIONS = {
    "WINDOWS": "WindowsConfiguration",
    "OPENZFS": "OpenZFSConfiguration",
    "LUSTRE": "LustreConfiguration",
}


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create the file systems, volumes and backups, all available and tagged."""
    fsx = world.service("fsx")
    assert isinstance(fsx, FsxService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    tags = tag_list({"Name": entry.name, **estate.tags(entry)})
    kind = entry.setting("type", "OPENZFS")
    standby = bool(entry.setting("standby", False))
    landing = [] if standby else tag_list(_landing(world, account, target_region, entry))
    source = _file_system(world, fsx, account, source_region, entry, [*tags, *landing], with_aliases=True)
    if standby:
        target = _file_system(world, fsx, account, target_region, entry, tags)
        _standby(world, fsx, entry, source, target)
    if kind in {"WINDOWS", "OPENZFS"} or (kind == "LUSTRE" and not standby):
        for hours in range(int(entry.setting("backups", 3)), 0, -1):
            _backup_pair(world, fsx, source, target_region, hours)


def _file_system(
    world: World,
    fsx: FsxService,
    account: str,
    region: str,
    entry: Entry,
    tags: list[dict[str, str]],
    *,
    with_aliases: bool = False,
) -> Thing:
    kind = entry.setting("type", "OPENZFS")
    network = default_network(world, account, region)
    configuration: dict[str, Any] = {"DeploymentType": entry.setting("deployment", DEPLOYMENTS[kind])}
    if kind != "LUSTRE":
        configuration["ThroughputCapacity"] = int(entry.setting("throughput_mbps", 160))
    if kind == "WINDOWS" and with_aliases:
        configuration["Aliases"] = list(entry.setting("aliases", []))
    if kind == "WINDOWS" and entry.setting("directory_id", ""):
        configuration["ActiveDirectoryId"] = str(entry.setting("directory_id", ""))
    key = _key(world, account, region, entry)
    reply = world.call(
        "fsx",
        "CreateFileSystem",
        account,
        region,
        FileSystemType=kind,
        StorageCapacity=int(entry.setting("storage_gib", 1024)),
        SubnetIds=list(network.subnet_ids[: _subnets(entry)]),
        SecurityGroupIds=[network.security_group_id],
        Tags=tags,
        **({"KmsKeyId": key} if key else {}),
        **{CONFIGURATIONS[kind]: configuration},
    )
    made = fsx.shelf(account, region, Shelf.FILE_SYSTEMS)[reply["FileSystem"]["FileSystemId"]]
    fsx.settle(made)
    return made


def _landing(world: World, account: str, region: str, entry: Entry) -> dict[str, str]:
    """Return the tags that say where a copy is restored."""
    key = _key(world, account, region, entry)
    if not entry.setting("landing", True):
        return {}
    network = default_network(world, account, region)
    return {
        "dr:restore-subnets": " ".join(network.subnet_ids[: _subnets(entry)]),
        "dr:restore-security-groups": network.security_group_id,
        **({"dr:restore-key": key} if key else {}),
    }


def _subnets(entry: Entry) -> int:
    deployment = entry.setting("deployment", DEPLOYMENTS[entry.setting("type", "OPENZFS")])
    return 2 if str(deployment).startswith("MULTI_AZ") else 1


def _key(world: World, account: str, region: str, entry: Entry) -> str | None:
    if not entry.setting("encrypted", True):
        return None
    key = world.call("kms", "CreateKey", account, region, Description=f"Data of {entry.name}")["KeyMetadata"]
    world.call("kms", "CreateAlias", account, region, AliasName=f"alias/{entry.name}", TargetKeyId=key["KeyId"])
    return str(key["Arn"])


def _backup_pair(world: World, fsx: FsxService, source: Thing, target_region: str, hours_ago: int) -> None:
    taken_at = world.clock.now() - timedelta(hours=hours_ago)
    backup = fsx.new_backup(source)
    backup.shape |= {"CreationTime": taken_at, "Lifecycle": str(Life.AVAILABLE), "ProgressPercent": 100}
    fsx.put(Shelf.BACKUPS, backup, fsx.tags(source))
    copied = fsx.new_copy(backup, source.account, target_region)
    copied.shape |= {"CreationTime": taken_at, "Lifecycle": str(Life.AVAILABLE), "ProgressPercent": 100}
    for tag in fsx.tags(source):
        if tag["Key"] == "dr:restore-key":
            copied.shape["KmsKeyId"] = tag["Value"]
    fsx.put(Shelf.BACKUPS, copied, fsx.tags(source))


def _standby(world: World, fsx: FsxService, entry: Entry, source: Thing, target: Thing) -> None:
    kind = source.shape["FileSystemType"]
    if kind == "OPENZFS":
        base = [_openzfs_volume(world, fsx, home) for home in (source, target)]
        shared = [fsx.new_snapshot(volume, "dr-base") for volume in base]
        for snapshot in shared:
            snapshot.life = Life.AVAILABLE
        follows = {"SourceSnapshotARN": shared[0].resource_arn, "DestinationSnapshot": shared[1].id}
        base[1].shape["OpenZFSConfiguration"] |= {"ReadOnly": True, **follows}
    elif kind == "LUSTRE":
        buckets = [
            str(entry.setting(name, f"{entry.name}-{home.region}"))
            for home, name in ((source, "source_bucket"), (target, "target_bucket"))
        ]
        for home, bucket in zip((source, target), buckets, strict=True):
            _bucket(world, home, bucket)
        for home, here, there in ((source, buckets[0], buckets[1]), (target, buckets[1], buckets[0])):
            _replicated(world, home, here, there)
            _association(world, fsx, home, here)


def _bucket(world: World, home: Thing, name: str) -> None:
    where = {} if home.region == "us-east-1" else {"LocationConstraint": home.region}
    more = {"CreateBucketConfiguration": where} if where else {}
    world.call("s3", "CreateBucket", home.account, home.region, Bucket=name, **more)
    status = {"Status": "Enabled"}
    world.call("s3", "PutBucketVersioning", home.account, home.region, Bucket=name, VersioningConfiguration=status)


def _replicated(world: World, home: Thing, bucket: str, to: str) -> None:
    """Let S3 replicate a bucket, and measure what waits."""
    destination = {"Bucket": f"arn:aws:s3:::{to}", "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}}
    rule = {"ID": "dr", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""}, "Destination": destination}
    rule["DeleteMarkerReplication"] = {"Status": "Enabled"}
    role = f"arn:aws:iam::{home.account}:role/s3-replication"
    configuration = {"Role": role, "Rules": [rule]}
    world.call(
        "s3", "PutBucketReplication", home.account, home.region, Bucket=bucket, ReplicationConfiguration=configuration
    )


def _openzfs_volume(world: World, fsx: FsxService, home: Thing) -> Thing:
    parent = home.shape["OpenZFSConfiguration"]["RootVolumeId"]
    reply = world.call(
        "fsx",
        "CreateVolume",
        home.account,
        home.region,
        VolumeType="OPENZFS",
        Name="data",
        OpenZFSConfiguration={"ParentVolumeId": parent},
        Tags=fsx.tags(home),
    )
    return _settled(fsx, home, Shelf.VOLUMES, reply["Volume"]["VolumeId"])


def _association(world: World, fsx: FsxService, home: Thing, bucket: str) -> None:
    reply = world.call(
        "fsx",
        "CreateDataRepositoryAssociation",
        home.account,
        home.region,
        FileSystemId=home.id,
        FileSystemPath="/data",
        DataRepositoryPath=f"s3://{bucket}",
        Tags=fsx.tags(home),
    )
    _settled(fsx, home, Shelf.ASSOCIATIONS, reply["Association"]["AssociationId"])


def _settled(fsx: FsxService, home: Thing, kind: Shelf, thing_id: str) -> Thing:
    thing = fsx.shelf(home.account, home.region, kind)[thing_id]
    fsx.settle(thing)
    return thing
