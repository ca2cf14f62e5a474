"""`aurora-global`: an Aurora global database, writer on the source side, secondary on the target side.

Settings: `engine` (default aurora-postgresql), `engine_version`, `instance_class`, `instances` (2 per side),
`lag_milliseconds` (120), `connections` (24 per instance), `encrypted` (default true, key `alias/<name>` on each
side), `deletion_protection` (false), `target_cluster` (default: the same name as on the source side).

Global database and clusters are called like the entry; instances `<name>-1`, `<name>-2`. Global database and both
clusters carry the tags; the instances carry none, they belong to their cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.databases import Surroundings, port_of, surroundings
from localaws.seeds.network import tag_list
from localaws.services.rds import RdsService
from localaws.services.rds.engines import DEFAULT_VERSIONS, parameter_family

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create the global database with both clusters and their instances, all `available` and `connected`."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    tags = tag_list(estate.tags(entry))
    owner = {"MasterUsername": "dbadmin", "MasterUserPassword": "kept-in-the-estate", "DatabaseName": "app"}
    with rds.instantly():
        source_arn = cluster(world, account, source_region, entry, entry.name, {**owner, "Tags": tags})
        world.call(
            "rds",
            "CreateGlobalCluster",
            account,
            source_region,
            GlobalClusterIdentifier=entry.name,
            SourceDBClusterIdentifier=source_arn,
            Tags=tags,
        )
        target_name = entry.setting("target_cluster", entry.name)
        joined = {"GlobalClusterIdentifier": entry.name, "Tags": tags}
        cluster(world, account, target_region, entry, target_name, joined)


def place(world: World, account: str, region: str, entry: Entry, name: str) -> Surroundings:
    """Create what a cluster is made in: subnet group, security group, key, cluster parameter group `<name>-params`."""
    engine = entry.setting("engine", "aurora-postgresql")
    version = entry.setting("engine_version", DEFAULT_VERSIONS[engine])
    world.call(
        "rds",
        "CreateDBClusterParameterGroup",
        account,
        region,
        DBClusterParameterGroupName=f"{name}-params",
        DBParameterGroupFamily=parameter_family(engine, version),
        Description=f"Parameters of {name}",
    )
    encrypted = bool(entry.setting("encrypted", True))
    return surroundings(world, account, region, name, port_of(engine), encrypted=encrypted)


def cluster(
    world: World,
    account: str,
    region: str,
    entry: Entry,
    name: str,
    extra: dict[str, Any],
    around: Surroundings | None = None,
) -> str:
    """Create a cluster with its instances, and its surroundings unless they are there; return its ARN."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    engine = entry.setting("engine", "aurora-postgresql")
    version = entry.setting("engine_version", DEFAULT_VERSIONS[engine])
    around = around or place(world, account, region, entry, name)
    made = world.call(
        "rds",
        "CreateDBCluster",
        account,
        region,
        DBClusterIdentifier=name,
        Engine=engine,
        EngineVersion=version,
        DBSubnetGroupName=around.subnet_group,
        VpcSecurityGroupIds=[around.security_group_id],
        DBClusterParameterGroupName=f"{name}-params",
        BackupRetentionPeriod=7,
        StorageEncrypted=around.kms_key_arn is not None,
        DeletionProtection=bool(entry.setting("deletion_protection", False)),
        **({"KmsKeyId": around.kms_key_arn} if around.kms_key_arn else {}),
        **extra,
    )["DBCluster"]
    stored = rds.backend(account, region).clusters[name]
    rds.cluster_state(stored).lag_milliseconds = float(entry.setting("lag_milliseconds", 120.0))
    for number in range(1, int(entry.setting("instances", 2)) + 1):
        instance_name = f"{name}-{number}"
        world.call(
            "rds",
            "CreateDBInstance",
            account,
            region,
            DBInstanceIdentifier=instance_name,
            DBClusterIdentifier=name,
            Engine=engine,
            DBInstanceClass=entry.setting("instance_class", "db.r6g.large"),
            PromotionTier=number - 1,
        )
        instance = rds.backend(account, region).databases[instance_name]
        rds.instance_state(instance).connections = int(entry.setting("connections", 24))
    return str(made["DBClusterArn"])
