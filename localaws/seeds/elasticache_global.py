"""`elasticache-global`: an ElastiCache global datastore, primary on the source side, secondary on the target side.

Settings: `engine` (default valkey), `engine_version`, `node_type` (cache.r7g.large), `shards` (1; more than one
turns cluster mode on), `replicas` (1 per shard on both sides), `target_replicas`, `lag_seconds` (0.6), `encrypted`
(default true: in transit and at rest, key `alias/<name>` on each side), `target_group` (default: the same id as on
the source side), `global` (true; false leaves the source side's group alone), `snapshot_days` (0).

The global datastore's suffix is the entry's name. Both groups and their clusters carry the tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.datastores import store_surroundings
from localaws.seeds.network import tag_list
from localaws.services.elasticache import ElastiCacheService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

PORT = 6379


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both groups, `available`, associated in one global datastore and tagged."""
    elasticache = world.service("elasticache")
    assert isinstance(elasticache, ElastiCacheService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    tags = tag_list(estate.tags(entry))
    replicas = int(entry.setting("replicas", 1))
    encrypted = bool(entry.setting("encrypted", True))
    shards = int(entry.setting("shards", 1))
    with elasticache.instantly():
        version = entry.setting("engine_version")
        settings = {
            "Engine": entry.setting("engine", "valkey"),
            "CacheNodeType": entry.setting("node_type", "cache.r7g.large"),
            "AutomaticFailoverEnabled": replicas > 0 or shards > 1,
            "TransitEncryptionEnabled": encrypted,
            "AtRestEncryptionEnabled": encrypted,
            "SnapshotRetentionLimit": int(entry.setting("snapshot_days", 0)),
            **({"NumNodeGroups": shards} if shards > 1 else {}),
            **({"EngineVersion": version} if version else {}),
        }
        _group(world, account, source_region, entry.name, entry, {**settings, "ReplicasPerNodeGroup": replicas}, tags)
        if not entry.setting("global", True):
            return
        one = world.call(
            "elasticache",
            "CreateGlobalReplicationGroup",
            account,
            source_region,
            GlobalReplicationGroupIdSuffix=entry.name,
            PrimaryReplicationGroupId=entry.name,
        )["GlobalReplicationGroup"]
        joined = {
            "GlobalReplicationGroupId": one["GlobalReplicationGroupId"],
            "ReplicasPerNodeGroup": int(entry.setting("target_replicas", replicas)),
        }
        _group(world, account, target_region, entry.setting("target_group", entry.name), entry, joined, tags)


def _group(
    world: World, account: str, region: str, name: str, entry: Entry, settings: dict[str, Any], tags: list[Any]
) -> None:
    encrypted = bool(entry.setting("encrypted", True))
    around = store_surroundings(world, "elasticache", account, region, name, PORT, encrypted=encrypted)
    world.call(
        "elasticache",
        "CreateReplicationGroup",
        account,
        region,
        ReplicationGroupId=name,
        ReplicationGroupDescription=f"Cache of {entry.name}",
        CacheSubnetGroupName=around.subnet_group,
        SecurityGroupIds=[around.security_group_id],
        Tags=tags,
        **({"KmsKeyId": around.kms_key_arn} if around.kms_key_arn else {}),
        **settings,
    )
    group = world.backend("elasticache", account, region).replication_groups[name]
    group.lag_seconds = float(entry.setting("lag_seconds", 0.6))
