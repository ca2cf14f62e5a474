"""What caches and search domains on either side need first: subnet group, security group, encryption key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.seeds.databases import Surroundings, client_group, encryption_key
from localaws.seeds.network import default_network

if TYPE_CHECKING:
    from localaws.world import World

_SUBNET_GROUPS = {
    "elasticache": ("CreateCacheSubnetGroup", "CacheSubnetGroupName", "CacheSubnetGroupDescription"),
    "memorydb": ("CreateSubnetGroup", "SubnetGroupName", "Description"),
}


def store_surroundings(
    world: World, service: str, account: str, region: str, name: str, port: int, *, encrypted: bool
) -> Surroundings:
    """Create subnet group `<name>-subnets`, security group `<name>-db` with one rule, and key `alias/<name>`."""
    operation, name_field, description_field = _SUBNET_GROUPS[service]
    subnet_group = f"{name}-subnets"
    fields = {name_field: subnet_group, description_field: f"Private subnets of {name}"}
    subnets = list(default_network(world, account, region).subnet_ids)
    world.call(service, operation, account, region, SubnetIds=subnets, **fields)
    group_id = client_group(world, account, region, name, port)
    key_arn = encryption_key(world, account, region, name) if encrypted else None
    return Surroundings(subnet_group, group_id, key_arn)
