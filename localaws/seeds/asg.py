"""`asg`: an Auto Scaling group on either side, InService on the source side, small or empty on the target side.

Settings: `desired` (2), `min` (1), `max` (4), `target_desired` (0), `target_min` (0), `target_max` (default `max`),
`instance_type` (t3.medium), `target_group` (true), `port` (80), `protected` (false: instances protected from scale-in),
`warm_pool` (0: stopped instances on the target side), `target_image` (true: the image exists there; without it, the
target's template names the default image), `deletion_protection` (none), `launch_configuration` (false), `key_pair` (false:
the template names one), `load_balancer` (true: one before the target group), `encrypted_image` (false), `template_version`
($Default: how the groups follow their template).

Each side has the launch template `<name>` whose version 1 is its default, made from an image `<name>-1.0`, and the
target group `<name>`. Groups use two zones, propagate no tag but `Name`, and have the target side's AlarmNotification
and ScheduledActions suspended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network, tag_list
from localaws.services.autoscaling import AutoScalingService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Make both sides; the source side's instances are InService."""
    account = estate.account_id(entry.account)
    tags = {"Name": entry.name, **estate.tags(entry)}
    image = _image(world, account, estate.primary_region, entry)
    for region in estate.regions:
        is_source = region == estate.primary_region
        if not is_source and entry.setting("target_image", True):
            image = _image(world, account, region, entry)
        elif not is_source:
            image = default_network(world, account, region).image_id
        _group(world, account, region, entry, tags, image, is_source=is_source)


def _image(world: World, account: str, region: str, entry: Entry) -> str:
    name = f"{entry.name}-1.0"
    reply = world.call(
        "ec2", "RegisterImage", account, region, Name=name, Description=f"Server of {entry.name}", RootDeviceName="/dev/xvda"
    )  # fmt: skip
    if entry.setting("encrypted_image", False):
        world.backend("ec2", account, region).amis[reply["ImageId"]].localaws_encrypted = True
    return str(reply["ImageId"])


def _group(
    world: World, account: str, region: str, entry: Entry, tags: dict[str, str], image: str, *, is_source: bool
) -> None:
    network = default_network(world, account, region)
    prefix = "" if is_source else "target_"
    most = int(entry.setting("max", 4))
    params: dict[str, Any] = {
        "AutoScalingGroupName": entry.name,
        "MinSize": int(entry.setting(f"{prefix}min", 1 if is_source else 0)),
        "MaxSize": most if is_source else int(entry.setting("target_max", most)),
        "DesiredCapacity": int(entry.setting(f"{prefix}desired", 2 if is_source else 0)),
        "VPCZoneIdentifier": ",".join(network.subnet_ids[:2]),
        "NewInstancesProtectedFromScaleIn": bool(entry.setting("protected", False)),
        "DeletionProtection": entry.setting("deletion_protection", "none"),
        "HealthCheckGracePeriod": 300,
        "Tags": [{**tag, "PropagateAtLaunch": tag["Key"] == "Name"} for tag in tag_list(tags)],
        **_launch(world, account, region, entry, image),
    }
    if entry.setting("target_group", True):
        params["TargetGroupARNs"] = [_target_group(world, account, region, entry)]
        params["HealthCheckType"] = "ELB"
    world.call("autoscaling", "CreateAutoScalingGroup", account, region, **params)
    if not is_source:
        _prepare_target(world, account, region, entry)
    autoscaling = world.service("autoscaling")
    assert isinstance(autoscaling, AutoScalingService)
    autoscaling.settle_now(account, region, entry.name)


def _prepare_target(world: World, account: str, region: str, entry: Entry) -> None:
    group = {"AutoScalingGroupName": entry.name}
    suspended = ["AlarmNotification", "ScheduledActions"]
    world.call("autoscaling", "SuspendProcesses", account, region, **group, ScalingProcesses=suspended)
    if size := int(entry.setting("warm_pool", 0)):
        pool = {"MinSize": size, "MaxGroupPreparedCapacity": size, "PoolState": "Stopped"}
        world.call("autoscaling", "PutWarmPool", account, region, **group, **pool)


def _launch(world: World, account: str, region: str, entry: Entry, image: str) -> dict[str, Any]:
    network = default_network(world, account, region)
    kind = str(entry.setting("instance_type", "t3.medium"))
    if entry.setting("launch_configuration", False):
        name = {"LaunchConfigurationName": entry.name}
        groups = [network.security_group_id]
        settings = {"ImageId": image, "InstanceType": kind, "SecurityGroups": groups}
        world.call("autoscaling", "CreateLaunchConfiguration", account, region, **name, **settings)
        return name
    data: dict[str, Any] = {"ImageId": image, "InstanceType": kind, "SecurityGroupIds": [network.security_group_id]}
    if entry.setting("key_pair", False):
        world.call("ec2", "CreateKeyPair", account, region, KeyName=entry.name)
        data["KeyName"] = entry.name
    reply = world.call(
        "ec2", "CreateLaunchTemplate", account, region, LaunchTemplateName=entry.name, LaunchTemplateData=data
    )
    template = reply["LaunchTemplate"]["LaunchTemplateId"]
    return {
        "LaunchTemplate": {"LaunchTemplateId": template, "Version": str(entry.setting("template_version", "$Default"))}
    }


def _target_group(world: World, account: str, region: str, entry: Entry) -> str:
    network = default_network(world, account, region)
    reply = world.call(
        "elbv2",
        "CreateTargetGroup",
        account,
        region,
        Name=entry.name[:32].strip("-"),
        Protocol="HTTP",
        Port=int(entry.setting("port", 80)),
        VpcId=network.vpc_id,
        TargetType="instance",
        HealthCheckPath="/health",
    )
    arn = str(reply["TargetGroups"][0]["TargetGroupArn"])
    if entry.setting("load_balancer", True):
        _load_balancer(world, account, region, entry, arn)
    return arn


def _load_balancer(world: World, account: str, region: str, entry: Entry, target_group: str) -> None:
    network = default_network(world, account, region)
    name, where = entry.name[:32].strip("-"), list(network.subnet_ids[:2])
    made = world.call("elbv2", "CreateLoadBalancer", account, region, Name=name, Subnets=where, Scheme="internal")
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    listens: dict[str, Any] = {"Protocol": "HTTP", "Port": int(entry.setting("port", 80)), "DefaultActions": forward}
    world.call("elbv2", "CreateListener", account, region, LoadBalancerArn=arn, **listens)
