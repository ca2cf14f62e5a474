"""`aurora-single`: an Aurora cluster on the source side, and on both sides what one made there needs.

Settings: those of `aurora-global`; `copied` (false; true has copied a cluster snapshot `<name>-nightly` to the target Region),
`global` (false; true makes the cluster the only member of a global database of its name), `managed_password` (false; true lets RDS
keep the master password in Secrets Manager).

Each side has subnet group `<name>-subnets`, which carries the tags and `dr:standby-for`, `dr:security-groups` and `dr:kms-key`
of its Region, cluster parameter group `<name>-params`, security group `<name>-db` and, if encrypted, `alias/<name>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.seeds.aurora_global import cluster, place
from localaws.seeds.databases import Surroundings, owner_password
from localaws.seeds.network import tag_list
from localaws.services.rds import RdsService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create the cluster and its instances, `available` and tagged, its place on either side, and what has been copied."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    account, tags = estate.account_id(entry.account), estate.tags(entry)
    source_region, target_region = estate.regions
    owner = {"MasterUsername": "dbadmin", "DatabaseName": "app", **owner_password(entry)}
    with rds.instantly():
        here = place(world, account, source_region, entry, entry.name)
        _stand_in(world, account, source_region, entry.name, here, tags)
        arn = cluster(world, account, source_region, entry, entry.name, {**owner, "Tags": tag_list(tags)}, here)
        there = place(world, account, target_region, entry, entry.name)
        _stand_in(world, account, target_region, entry.name, there, tags)
        if entry.setting("global", False):
            names = {"GlobalClusterIdentifier": entry.name, "SourceDBClusterIdentifier": arn}
            world.call("rds", "CreateGlobalCluster", account, source_region, Tags=tag_list(tags), **names)
        if entry.setting("copied", False):
            _copy(world, account, entry.name, estate.regions, there.kms_key_arn)


def _stand_in(world: World, account: str, region: str, name: str, around: Surroundings, tags: dict[str, str]) -> None:
    own = {
        **tags,
        "dr:standby-for": f"cluster:{name}",
        "dr:security-groups": around.security_group_id,
        **({"dr:kms-key": around.kms_key_arn} if around.kms_key_arn else {}),
    }
    arn = f"arn:aws:rds:{region}:{account}:subgrp:{around.subnet_group}"
    world.call("rds", "AddTagsToResource", account, region, ResourceName=arn, Tags=tag_list(own))


def _copy(world: World, account: str, name: str, regions: tuple[str, str], key: str | None) -> None:
    source, target = regions
    called = f"{name}-nightly"
    params = {"DBClusterIdentifier": name, "DBClusterSnapshotIdentifier": called}
    taken = world.call("rds", "CreateDBClusterSnapshot", account, source, **params)["DBClusterSnapshot"]
    world.call(
        "rds",
        "CopyDBClusterSnapshot",
        account,
        target,
        SourceDBClusterSnapshotIdentifier=taken["DBClusterSnapshotArn"],
        TargetDBClusterSnapshotIdentifier=called,
        **({"KmsKeyId": key} if key else {}),
    )
