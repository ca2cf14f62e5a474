"""`rds-replica`: a DB instance on the source side and its cross-Region read replica on the target side, one name.

Settings: `engine` (default mysql), `engine_version`, `instance_class`, `storage_gib`, `multi_az`, `encrypted`
(default true, key `alias/<name>` on each side), `backup_days` (7), `replica_backup_days` (0), `lag_seconds` (2),
`connections` (24), `deletion_protection` (false), `replica_name`.

Each side has its own subnet group `<name>-subnets`, parameter group `<name>-params` and security group `<name>-db`
with one ingress rule. PostgreSQL replicas show AWS's idle climb of ReplicaLag once the writer has no clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.databases import port_of, surroundings
from localaws.seeds.network import tag_list
from localaws.services.rds import RdsService
from localaws.services.rds.engines import DEFAULT_VERSIONS, parameter_family

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create the source and its replica, both `available`, replicating and tagged."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    engine = entry.setting("engine", "mysql")
    version = entry.setting("engine_version", DEFAULT_VERSIONS[engine])
    instance_class = entry.setting("instance_class", "db.r6g.large")
    tags = tag_list(estate.tags(entry))
    replica_name = entry.setting("replica_name", entry.name)

    def settings(region: str) -> dict[str, Any]:
        return regional(world, account, region, entry, engine, version)

    with rds.instantly():
        source = world.call(
            "rds",
            "CreateDBInstance",
            account,
            source_region,
            DBInstanceIdentifier=entry.name,
            Engine=engine,
            EngineVersion=version,
            DBInstanceClass=instance_class,
            AllocatedStorage=int(entry.setting("storage_gib", 100)),
            MasterUsername="dbadmin",
            MasterUserPassword="kept-in-the-estate",  # noqa: S106  nothing ever logs in
            MultiAZ=bool(entry.setting("multi_az", True)),
            BackupRetentionPeriod=int(entry.setting("backup_days", 7)),
            StorageEncrypted=bool(entry.setting("encrypted", True)),
            DeletionProtection=bool(entry.setting("deletion_protection", False)),
            Tags=tags,
            **settings(source_region),
        )["DBInstance"]
        instance = rds.backend(account, source_region).databases[entry.name]
        state = rds.instance_state(instance)
        state.lag_seconds = float(entry.setting("lag_seconds", 2.0))
        state.connections = int(entry.setting("connections", 24))
        world.call(
            "rds",
            "CreateDBInstanceReadReplica",
            account,
            target_region,
            DBInstanceIdentifier=replica_name,
            SourceDBInstanceIdentifier=source["DBInstanceArn"],
            DBInstanceClass=instance_class,
            BackupRetentionPeriod=int(entry.setting("replica_backup_days", 0)),
            DeletionProtection=bool(entry.setting("deletion_protection", False)),
            Tags=tags,
            **settings(target_region),
        )


def regional(world: World, account: str, region: str, entry: Entry, engine: str, version: str) -> dict[str, Any]:
    """Create a Region's groups and key; return the parameters that put an instance there."""
    encrypted = bool(entry.setting("encrypted", True))
    around = surroundings(world, account, region, entry.name, port_of(engine), encrypted=encrypted)
    group = f"{entry.name}-params"
    world.call(
        "rds",
        "CreateDBParameterGroup",
        account,
        region,
        DBParameterGroupName=group,
        DBParameterGroupFamily=parameter_family(engine, version),
        Description=f"Parameters of {entry.name}",
    )
    return {
        "DBSubnetGroupName": around.subnet_group,
        "VpcSecurityGroupIds": [around.security_group_id],
        "DBParameterGroupName": group,
        **({"KmsKeyId": around.kms_key_arn} if around.kms_key_arn else {}),
    }
