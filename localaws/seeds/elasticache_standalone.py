"""`elasticache-standalone`: a replication group on the source side, and on both sides what one restored there needs.

Settings: those of `elasticache-global` for the group (`engine`, `engine_version`, `node_type`, `shards`, `replicas`,
`encrypted`, `snapshot_days`), `parameter_group` and `user_group` (made in the source side's Region), `auth_token` (false),
`exports` (true: each Region has a bucket `<name>-exports-<region>`, S3 replicates them to each other, and an export
`<name>.nightly` lies in both), `standby` (false; true makes an empty group on the target side as well).

The cache subnet group `<name>-subnets` of each Region carries the tags, and `dr:standby-for`, `dr:export-bucket`,
`dr:security-groups` and `dr:kms-key` of its Region.
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
    """Create the group, `available` and tagged, and its places on both sides."""
    elasticache = world.service("elasticache")
    assert isinstance(elasticache, ElastiCacheService)
    account, tags = estate.account_id(entry.account), estate.tags(entry)
    if entry.setting("exports", True):
        _buckets(world, account, entry, estate.regions)
    _named(world, account, estate.regions[0], entry)
    with elasticache.instantly():
        for region in estate.regions:
            _place(
                world, account, region, entry, tags, made=region == estate.regions[0] or bool(entry.setting("standby"))
            )


def bucket_of(name: str, region: str) -> str:
    """Return the bucket that takes the exports of a cache in a Region."""
    return f"{name}-exports-{region}"


def _place(world: World, account: str, region: str, entry: Entry, tags: dict[str, str], *, made: bool) -> None:
    encrypted = bool(entry.setting("encrypted", True))
    around = store_surroundings(world, "elasticache", account, region, entry.name, PORT, encrypted=encrypted)
    regional = {
        "dr:standby-for": entry.name,
        "dr:security-groups": around.security_group_id,
        **({"dr:kms-key": around.kms_key_arn} if around.kms_key_arn else {}),
        **({"dr:export-bucket": bucket_of(entry.name, region)} if entry.setting("exports", True) else {}),
    }
    arn = f"arn:aws:elasticache:{region}:{account}:subnetgroup:{around.subnet_group}"
    own = tag_list({**tags, **regional})
    world.call("elasticache", "AddTagsToResource", account, region, ResourceName=arn, Tags=own)
    if made:
        settings = _settings(entry, encrypted=encrypted)
        world.call(
            "elasticache",
            "CreateReplicationGroup",
            account,
            region,
            ReplicationGroupId=entry.name,
            ReplicationGroupDescription=f"Cache of {entry.name}",
            CacheSubnetGroupName=around.subnet_group,
            SecurityGroupIds=[around.security_group_id],
            Tags=tag_list(tags),
            **({"KmsKeyId": around.kms_key_arn} if around.kms_key_arn else {}),
            **settings,
        )


def _named(world: World, account: str, region: str, entry: Entry) -> None:
    engine = entry.setting("engine", "valkey")
    if name := entry.setting("parameter_group"):
        family = {"CacheParameterGroupFamily": f"{engine}8", "Description": f"Parameters of {entry.name}"}
        world.call("elasticache", "CreateCacheParameterGroup", account, region, CacheParameterGroupName=name, **family)
    if name := entry.setting("user_group"):
        world.call("elasticache", "CreateUserGroup", account, region, UserGroupId=name, Engine=engine)


def _settings(entry: Entry, *, encrypted: bool) -> dict[str, Any]:
    shards, replicas = int(entry.setting("shards", 1)), int(entry.setting("replicas", 1))
    optional = {
        "EngineVersion": entry.setting("engine_version"),
        "CacheParameterGroupName": entry.setting("parameter_group"),
        "UserGroupIds": [entry.setting("user_group")] if entry.setting("user_group") else None,
        "NumNodeGroups": shards if shards > 1 else None,
        "AuthToken": "kept-in-the-estate" if entry.setting("auth_token", False) else None,
    }
    return {
        "Engine": entry.setting("engine", "valkey"),
        "CacheNodeType": entry.setting("node_type", "cache.r7g.large"),
        "ReplicasPerNodeGroup": replicas,
        "AutomaticFailoverEnabled": replicas > 0 or shards > 1,
        "TransitEncryptionEnabled": encrypted,
        "AtRestEncryptionEnabled": encrypted,
        "SnapshotRetentionLimit": int(entry.setting("snapshot_days", 0)),
        **{name: value for name, value in optional.items() if value},
    }


def _buckets(world: World, account: str, entry: Entry, regions: tuple[str, str]) -> None:
    for region in regions:
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        name = bucket_of(entry.name, region)
        world.call("s3", "CreateBucket", account, region, Bucket=name, **place)
        on = {"Status": "Enabled"}
        world.call("s3", "PutBucketVersioning", account, region, Bucket=name, VersioningConfiguration=on)
    for region, other in (regions, regions[::-1]):
        rule = {
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{bucket_of(entry.name, other)}"},
        }
        rules = {"Role": f"arn:aws:iam::{account}:role/replication", "Rules": [rule]}
        name = bucket_of(entry.name, region)
        world.call("s3", "PutBucketReplication", account, region, Bucket=name, ReplicationConfiguration=rules)
    for number in range(1, int(entry.setting("shards", 1)) + 1):
        key, name = f"{entry.name}.nightly-{number:04}.rdb", bucket_of(entry.name, regions[0])
        world.call("s3", "PutObject", account, regions[0], Bucket=name, Key=key, Body=b"REDIS0011")
