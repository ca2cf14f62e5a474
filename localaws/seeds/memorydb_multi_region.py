"""`memorydb-multi-region`: a MemoryDB multi-Region cluster with a member on the source and on the target side.

Settings: `engine_version` (7.3), `node_type` (db.r7g.xlarge), `shards` (1), `replicas` (1 per shard on both sides),
`target_replicas`, `acl` (open-access), `lag_milliseconds` (350), `encrypted` (default true, key `alias/<name>` on each
side), `target_cluster` (default: the same name as on the source side), `multi_region` (true; false makes one
stand-alone cluster on the source side), `snapshot_days` (0).

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
            _cluster(world, account, source_region, entry.name, entry, {**plan, "NumReplicasPerShard": replicas}, tags)
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
