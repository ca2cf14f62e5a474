"""The network every seeder uses: moto's default VPC of an account and Region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localaws.world import World


@dataclass(frozen=True)
class Network:
    """A VPC, its subnets (one per zone, in zone order), its default security group and a machine image."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_id: str
    image_id: str


def default_network(world: World, account: str, region: str) -> Network:
    """Return the default network of an account and Region; it always exists."""
    backend = world.backend("ec2", account, region)
    vpc = backend.get_default_vpc()
    subnets = [subnet for _, subnet in sorted(backend.get_default_subnets().items())]
    group = backend.get_default_security_group(vpc.id)
    return Network(vpc.id, tuple(s.id for s in subnets), group.id, next(iter(backend.amis)))


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as most AWS APIs take them: a list of `Key` and `Value`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
