"""What the stories of Auto Scaling groups ask the embedded AWS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.driver import TARGET, World, open_world

NAME = "orders"


def asg_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    """Return a world with one group on either side."""
    return open_world(monkeypatch, {"kind": "asg", "name": NAME, **settings})


def group(world: World, region: str = TARGET, name: str = NAME) -> dict[str, Any]:
    """Return a group as AWS describes it."""
    found = scaling(world, region).describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(found[0]) if found else {}


def scaling(world: World, region: str = TARGET) -> Any:
    """Return the Auto Scaling client of the workload account."""
    return world.aws("autoscaling", region)


def sizes(world: World, region: str) -> tuple[int, int, int]:
    """Return min, max and desired."""
    found = group(world, region)
    return found["MinSize"], found["MaxSize"], found["DesiredCapacity"]


def lives(world: World, region: str) -> list[str]:
    """Return the lifecycle states of a group's instances."""
    return sorted(str(each["LifecycleState"]) for each in group(world, region)["Instances"])
