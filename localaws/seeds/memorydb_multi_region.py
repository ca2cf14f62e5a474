"""`memorydb-multi-region`: a MemoryDB multi-Region cluster with a member on the source and on the target side.

Settings: `engine_version` (7.3), `node_type` (db.r7g.xlarge), `shards` (1), `replicas` (1 per shard on both sides),
`target_replicas`, `acl` (open-access), `lag_milliseconds` (350), `encrypted` (default true, key `alias/<name>` on each
side), `target_cluster` (default: the same name as on the source side), `multi_region` (true; false makes one
stand-alone cluster on the source side), `snapshot_days` (0), `exports` (false; true, for a stand-alone cluster: a bucket
`<name>-exports-<region>` on each side, replicated both ways, a nightly export in them, and on the target side a tagged subnet
group that stands in for the cluster to be restored).

The multi-Region cluster's suffix is the entry's name. Both clusters carry the tags; so does the multi-Region cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.datastores import store_surroundings
from localaws.seeds.network import tag_list
from localaws.services.memorydb import MemoryDbService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

PORT = 6379
BUCKET_TAG = "dr:export-bucket"


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both clusters, `available`, in one multi-Region cluster and tagged."""
    memorydb = world.service("memorydb")
    assert isinstance(memorydb, MemoryDbService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    tags = tag_list(estate.tags(entry))
    replicas = int(entry.setting("replicas", 1))
    with memorydb.instantly():
        if not entry.setting("multi_region", True):
            plan = {
                "Engine": "valkey",
                "EngineVersion": entry.setting("engine_version", "7.3"),
                "NumShards": int(entry.setting("shards", 1)),
            }
            exports = bool(entry.setting("exports", False))
            bucket = [{"Key": BUCKET_TAG, "Value": f"{entry.name}-exports-{source_region}"}] if exports else []
            settings = {**plan, "NumReplicasPerShard": replicas}
            _cluster(world, account, source_region, entry.name, entry, settings, [*tags, *bucket])
            if exports:
                _exports(world, account, (source_region, target_region), entry, int(entry.setting("shards", 1)))
                _standby(world, account, target_region, entry, tags)
            return
        one = world.call(
            "memorydb",
            "CreateMultiRegionCluster",
            account,
            source_region,
            MultiRegionClusterNameSuffix=entry.name,
            Engine="valkey",
            EngineVersion=entry.setting("engine_version", "7.3"),
            NodeType=entry.setting("node_type", "db.r7g.xlarge"),
            NumShards=int(entry.setting("shards", 1)),
            Tags=tags,
        )["MultiRegionCluster"]
        sides = (
            (source_region, entry.name, replicas),
            (target_region, entry.setting("target_cluster", entry.name), entry.setting("target_replicas", replicas)),
        )
        for region, name, count in sides:
            joined = {
                "MultiRegionClusterName": one["MultiRegionClusterName"],
                "NumReplicasPerShard": int(count),
            }
            _cluster(world, account, region, name, entry, joined, tags)


def _cluster(
    world: World, account: str, region: str, name: str, entry: Entry, settings: dict[str, Any], tags: list[Any]
) -> None:
    encrypted = bool(entry.setting("encrypted", True))
    around = store_surroundings(world, "memorydb", account, region, name, PORT, encrypted=encrypted)
    world.call(
        "memorydb",
        "CreateCluster",
        account,
        region,
        ClusterName=name,
        NodeType=entry.setting("node_type", "db.r7g.xlarge"),
        ACLName=entry.setting("acl", "open-access"),
        Description=f"Data of {entry.name}",
        SubnetGroupName=around.subnet_group,
        SecurityGroupIds=[around.security_group_id],
        SnapshotRetentionLimit=int(entry.setting("snapshot_days", 0)),
        Tags=tags,
        **({"KmsKeyId": around.kms_key_arn} if around.kms_key_arn else {}),
        **settings,
    )
    cluster = world.backend("memorydb", account, region).clusters[name]
    cluster.lag_milliseconds = float(entry.setting("lag_milliseconds", 350.0))


def _exports(world: World, account: str, regions: tuple[str, str], entry: Entry, shards: int) -> None:
    """Make the buckets, let S3 carry each one's objects to the other, and put a nightly export into them."""
    names = {region: f"{entry.name}-exports-{region}" for region in regions}
    for region, name in names.items():
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        world.call("s3", "CreateBucket", account, region, Bucket=name, **place)
        on = {"Status": "Enabled"}
        world.call("s3", "PutBucketVersioning", account, region, Bucket=name, VersioningConfiguration=on)
    for region, other in (regions, regions[::-1]):
        rule = {
            "ID": "exports",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{names[other]}"},
        }
        rules = {"Role": f"arn:aws:iam::{account}:role/replication", "Rules": [rule]}
        world.call("s3", "PutBucketReplication", account, region, Bucket=names[region], ReplicationConfiguration=rules)
    for number in range(1, shards + 1):
        key = f"{entry.name}.nightly-{number:04}.rdb"
        world.call("s3", "PutObject", account, regions[0], Bucket=names[regions[0]], Key=key, Body=b"data")


def _standby(world: World, account: str, region: str, entry: Entry, tags: list[Any]) -> None:
    """Make what a restored cluster needs on the target side, told by the tags of its subnet group."""
    encrypted = bool(entry.setting("encrypted", True))
    around = store_surroundings(world, "memorydb", account, region, entry.name, PORT, encrypted=encrypted)
    told = {
        "dr:standby-for": entry.name,
        "dr:security-groups": around.security_group_id,
        BUCKET_TAG: f"{entry.name}-exports-{region}",
        **({"dr:kms-key": around.kms_key_arn} if around.kms_key_arn else {}),
    }
    arn = f"arn:aws:memorydb:{region}:{account}:subnetgroup/{around.subnet_group}"
    world.call("memorydb", "TagResource", account, region, ResourceArn=arn, Tags=[*tags, *tag_list(told)])
