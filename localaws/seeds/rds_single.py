"""`rds-single`: a DB instance on the source side, and on both sides what one restored there needs.

Settings: `engine` (default mysql), `engine_version`, `instance_class`, `storage_gib`, `multi_az`, `encrypted` (default
true), `backup_days` (7), `connections` (24), `deletion_protection` (false), `managed_password` (false; true lets RDS keep the
master password in Secrets Manager), `backups` (false; true replicates its automated backups to the target Region), `copied`
(false; true has copied a snapshot `<name>-nightly` there).

Each side has subnet group `<name>-subnets`, which carries the tags and `dr:standby-for`, `dr:security-groups` and
`dr:kms-key` of its Region, parameter group `<name>-params`, security group `<name>-db` and, if encrypted, `alias/<name>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.databases import owner_password
from localaws.seeds.network import tag_list
from localaws.seeds.rds_replica import regional
from localaws.services.rds import RdsService
from localaws.services.rds.engines import DEFAULT_VERSIONS

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create the instance, `available` and tagged, its place on either side, and what has been copied."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    account, tags = estate.account_id(entry.account), estate.tags(entry)
    source_region, target_region = estate.regions
    engine = entry.setting("engine", "mysql")
    version = entry.setting("engine_version", DEFAULT_VERSIONS[engine])
    here, there = (_place(world, account, region, entry, (engine, version), tags) for region in estate.regions)
    with rds.instantly():
        source = world.call(
            "rds",
            "CreateDBInstance",
            account,
            source_region,
            DBInstanceIdentifier=entry.name,
            Engine=engine,
            EngineVersion=version,
            DBInstanceClass=entry.setting("instance_class", "db.r6g.large"),
            AllocatedStorage=int(entry.setting("storage_gib", 100)),
            MasterUsername="dbadmin",
            **owner_password(entry),
            MultiAZ=bool(entry.setting("multi_az", True)),
            BackupRetentionPeriod=int(entry.setting("backup_days", 7)),
            StorageEncrypted=bool(entry.setting("encrypted", True)),
            DeletionProtection=bool(entry.setting("deletion_protection", False)),
            Tags=tag_list(tags),
            **here,
        )["DBInstance"]
        instance = rds.backend(account, source_region).databases[entry.name]
        rds.instance_state(instance).connections = int(entry.setting("connections", 24))
        key = {"KmsKeyId": there["KmsKeyId"]} if "KmsKeyId" in there else {}
        if entry.setting("backups", False):
            arn = source["DBInstanceArn"]
            world.call(
                "rds",
                "StartDBInstanceAutomatedBackupsReplication",
                account,
                target_region,
                SourceDBInstanceArn=arn,
                **key,
            )
        if entry.setting("copied", False):
            _copy(world, account, entry.name, estate.regions, key)


def _place(
    world: World, account: str, region: str, entry: Entry, engine: tuple[str, str], tags: dict[str, str]
) -> dict[str, Any]:
    settings = regional(world, account, region, entry, *engine)
    own = {
        **tags,
        "dr:standby-for": entry.name,
        "dr:security-groups": " ".join(settings["VpcSecurityGroupIds"]),
        **({"dr:kms-key": settings["KmsKeyId"]} if "KmsKeyId" in settings else {}),
    }
    arn = f"arn:aws:rds:{region}:{account}:subgrp:{settings['DBSubnetGroupName']}"
    world.call("rds", "AddTagsToResource", account, region, ResourceName=arn, Tags=tag_list(own))
    return settings


def _copy(world: World, account: str, name: str, regions: tuple[str, str], key: dict[str, str]) -> None:
    source, target = regions
    called = f"{name}-nightly"
    taken = world.call(
        "rds", "CreateDBSnapshot", account, source, DBInstanceIdentifier=name, DBSnapshotIdentifier=called
    )["DBSnapshot"]
    world.call(
        "rds",
        "CopyDBSnapshot",
        account,
        target,
        SourceDBSnapshotIdentifier=taken["DBSnapshotArn"],
        TargetDBSnapshotIdentifier=called,
        **key,
    )
