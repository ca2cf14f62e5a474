"""A shop whose orders live in MemoryDB, and what stories ask AWS about them past the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import LIFECYCLE, Phase
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

SHARED = "ldgnf-orders"
MEMBERS: dict[str, Any] = {
    "kind": "memorydb-multi-region",
    "name": "orders",
    "tags": {"dr:rpo-target": "5", "dr:priority": "high"},
}
SINGLE: dict[str, Any] = {**MEMBERS, "multi_region": False, "exports": True}
FENCING = ["CreateSecurityGroup", "TagResource", "UpdateCluster", "TagResource"]
CARRYING = ["CreateSnapshot", "CopySnapshot"]


def members_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world with a multi-Region cluster."""
    return open_world(monkeypatch, {**MEMBERS, **settings})


def single_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world with a single-Region cluster whose exports travel by S3."""
    return open_world(monkeypatch, {**SINGLE, **settings})


def clusters(world: World, region: str) -> dict[str, dict[str, Any]]:
    """Return the clusters of a Region by name."""
    found = world.aws("memorydb", region).describe_clusters(ShowShardDetails=True)["Clusters"]
    return {one["Name"]: one for one in found}


def cluster(world: World, region: str, name: str = "orders") -> dict[str, Any]:
    """Return a cluster."""
    return clusters(world, region)[name]


def restored(world: World, region: str) -> dict[str, Any]:
    """Return the one cluster of a Region that a restore has made."""
    (found,) = (one for name, one in clusters(world, region).items() if name.startswith("orders-dr-"))
    return found


def groups(shown: dict[str, Any]) -> list[str]:
    """Return the security groups on a cluster."""
    return [one["SecurityGroupId"] for one in shown["SecurityGroups"]]


def tags(world: World, region: str, arn: str) -> dict[str, str]:
    """Return the tags of anything."""
    found = world.aws("memorydb", region).list_tags(ResourceArn=arn)["TagList"]
    return {one["Key"]: one["Value"] for one in found}


def is_open(world: World, region: str, name: str = "orders") -> bool:
    """Say whether any of a cluster's security groups lets somebody in: that is what serving means here."""
    on = groups(cluster(world, region, name))
    shown = world.aws("ec2", region).describe_security_groups(GroupIds=on)["SecurityGroups"]
    return any(one["IpPermissions"] for one in shown)


def member_regions(world: World, region: str = TARGET) -> dict[str, str]:
    """Return the members of the multi-Region cluster: Region -> status."""
    found = world.aws("memorydb", region).describe_multi_region_clusters(
        MultiRegionClusterName=SHARED, ShowClusterDetails=True
    )
    return {one["Region"]: one["Status"] for one in found["MultiRegionClusters"][0]["Clusters"]}


def bucket(region: str) -> str:
    """Return the bucket of a side."""
    return f"orders-exports-{region}"


def exports(world: World, region: str) -> list[str]:
    """Return the objects in a side's bucket."""
    found = world.aws("s3", region).list_objects_v2(Bucket=bucket(region)).get("Contents", [])
    return [one["Key"] for one in found]


def up_to(run: Journey, phase: Phase) -> None:
    """Run the phases up to and including one."""
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def sides(world: World) -> tuple[bool, bool]:
    """Return whether clients get in on the source and on the target side."""
    return is_open(world, SOURCE), is_open(world, TARGET)
