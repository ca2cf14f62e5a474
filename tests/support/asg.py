"""What the stories of Auto Scaling groups ask the embedded AWS, and do to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

from tests.support.driver import SOURCE, TARGET, World, open_world

NAME = "orders"
GROUP = {"AutoScalingGroupName": NAME}
SERVING = ["InService"] * 2


def asg_world(monkeypatch: pytest.MonkeyPatch, strategy: str = "scale-up", **settings: Any) -> World:
    """Return a world with one group on either side."""
    tags = {"dr:recovery-strategy": strategy, **settings.pop("tags", {})}
    return open_world(monkeypatch, {"kind": "asg", "name": NAME, "tags": tags, **settings})


def scaling(world: World, region: str = TARGET) -> Any:
    """Return the Auto Scaling client of the workload account."""
    return world.aws("autoscaling", region)


def group(world: World, region: str = TARGET, name: str = NAME) -> dict[str, Any]:
    """Return a group as AWS describes it; empty when there is none."""
    found = scaling(world, region).describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(found[0]) if found else {}


def sizes(world: World, region: str) -> tuple[int, int, int]:
    """Return min, max and desired."""
    found = group(world, region)
    return found["MinSize"], found["MaxSize"], found["DesiredCapacity"]


def lives(world: World, region: str) -> list[str]:
    """Return the lifecycle states of a group's instances."""
    return sorted(str(each["LifecycleState"]) for each in group(world, region)["Instances"])


def suspended(world: World, region: str) -> list[str]:
    """Return the processes that rest."""
    return sorted(str(each["ProcessName"]) for each in group(world, region)["SuspendedProcesses"])


def tags(world: World, region: str) -> dict[str, str]:
    """Return a group's tags."""
    return {each["Key"]: each["Value"] for each in group(world, region)["Tags"]}


def warm(world: World, region: str = TARGET) -> list[str]:
    """Return the lifecycle states of a group's warm instances."""
    reply = scaling(world, region).describe_warm_pool(**GROUP)
    return [str(each["LifecycleState"]) for each in reply["Instances"]]


def resize(world: World, region: str, low: int, high: int, desired: int) -> None:
    """Change a group's size and wait until it is reached."""
    scaling(world, region).update_auto_scaling_group(**GROUP, MinSize=low, MaxSize=high, DesiredCapacity=desired)
    world.wait(5)


def image_of(world: World, region: str) -> dict[str, Any]:
    """Return the image that new instances of a group start from."""
    template = group(world, region)["LaunchTemplate"]
    versions = world.aws("ec2", region).describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )
    wanted = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
    found = world.aws("ec2", region).describe_images(ImageIds=[wanted])["Images"]
    return dict(found[0])


def images_in_use(world: World, region: str) -> set[str]:
    """Return the images that the instances of a group were started from."""
    ids = [each["InstanceId"] for each in group(world, region)["Instances"]]
    found = world.aws("ec2", region).describe_instances(InstanceIds=ids)["Reservations"] if ids else []
    return {str(each["ImageId"]) for one in found for each in one["Instances"]}


def template_names(world: World, region: str, **data: Any) -> None:
    """Let the group's launch template name something else, by a new default version."""
    ec2 = world.aws("ec2", region)
    made = ec2.create_launch_template_version(LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData=data)
    number = str(made["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateName=NAME, DefaultVersion=number)


def with_a_mixed_policy(world: World, region: str, version: str = "$Default", **override: Any) -> None:
    """Let the group start several instance types from its template."""
    spec = {"LaunchTemplateId": group(world, region)["LaunchTemplate"]["LaunchTemplateId"], "Version": version}
    template = {"LaunchTemplateSpecification": spec, "Overrides": [{"InstanceType": "t3.large", **override}]}
    scaling(world, region).update_auto_scaling_group(**GROUP, MixedInstancesPolicy={"LaunchTemplate": template})


def manifest(world: World, **config: JsonValue) -> dict[str, str]:
    """Put a manifest with settings for the group into the hub's bucket; return what a run must be told."""
    resource = {"resourceId": NAME, "action": "AutoScalingGroup", "config": config}
    scope = {"customer": "CustomerX", "environment": "production"}
    layers = [{"layerId": "servers", "priority": 1, "resources": [resource]}]
    world.blobs.put("manifests/a.json", json.dumps({"manifestVersion": "1.0", **scope, "layers": layers}).encode())
    return {"Manifest": "manifests/a.json"}


def dark_source(world: World) -> None:
    """Take the inventory, then lose the source Region."""
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()
