"""What stands in the way of launching the servers of a batch, and what launching takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.needed import Lack
from adapters.quotas import Room


@dataclass(frozen=True)
class Landing:
    """What stands in the way of launching the servers of a batch."""

    of_servers: Mapping[str, tuple[Lack, ...]] = field(default_factory=dict)
    """Resource id -> what its server lacks."""
    of_all: tuple[Lack, ...] = ()
    """What they lack together: addresses of the subnets they are launched into and of the staging area."""
    what: str = ""
    """Those that take vCPUs of the quota for standard instances."""
    vcpus: int = 0
    room: Room = Room()
    """What is left of that quota."""
