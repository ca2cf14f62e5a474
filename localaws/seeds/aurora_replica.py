"""`aurora-replica`: an Aurora MySQL cluster on the source side and a binlog replica cluster on the target side.

Settings: those of `aurora-global`; `engine` is aurora-mysql, `lag_milliseconds` is the usual binlog lag (default 1000).

Both clusters are called like the entry and carry the tags; instances `<name>-1`, `<name>-2`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.seeds.aurora_global import cluster
from localaws.seeds.network import tag_list
from localaws.services.rds import RdsService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both clusters and their instances, all `available`, the second following the first."""
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    account = estate.account_id(entry.account)
    source_region, target_region = estate.regions
    entry = type(entry).model_validate({"engine": "aurora-mysql", "lag_milliseconds": 1000, **entry.model_dump()})
    tags = tag_list(estate.tags(entry))
    owner = {"MasterUsername": "dbadmin", "MasterUserPassword": "kept-in-the-estate", "DatabaseName": "app"}
    with rds.instantly():
        source = cluster(world, account, source_region, entry, entry.name, {**owner, "Tags": tags})
        follows = {"ReplicationSourceIdentifier": source, "SourceRegion": source_region, "Tags": tags}
        cluster(world, account, target_region, entry, entry.name, follows)
