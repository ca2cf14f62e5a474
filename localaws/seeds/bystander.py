"""`bystander`: a running EC2 instance nobody asked to recover. It must never be touched.

Settings: `region` (default: the primary Region), `instance_type`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.seeds.drs_server import run_instance

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Run the instance with its own tags only."""
    region = entry.setting("region", estate.primary_region)
    tags = {"Name": entry.name, **estate.tags(entry)}
    run_instance(world, estate.account_id(entry.account), region, tags, entry.setting("instance_type", "t3.micro"))
