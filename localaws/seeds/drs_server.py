"""`drs-server`: an EC2 instance on the source side, replicated by DRS to the target side.

Settings: `instance_type`, `os`, `disk_gib`, `backlog_mib` (still to be copied when the estate starts),
`replicating_hours` (how long replication has worked), `copy_tags`; `prepared` (launches go into a stopped instance on the
target side that is tagged for it), `prepared_boot_mode`; `plan_step` (the step of the recovery plan that it is put into; the plan is
called like the server without its number), `wait_minutes` (a pause of the plan before that step).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network, tag_list
from localaws.services.drs import DrsService
from localaws.services.drs.models import (
    Disk,
    PlanStep,
    RecoveryPlan,
    RegionState,
    SourceServer,
    new_id,
    readable_id,
)
from localaws.services.drs.prepared import LAUNCH_INTO_TAG
from localaws.services.ec2 import Ec2Service

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

LINUX = "Amazon Linux 2023"
GIB = 1024**3
MIB = 1024**2


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Run the source instance, initialise DRS on both sides, register the server on the target side."""
    account = estate.account_id(entry.account)
    for region in estate.regions:
        initialize(world, account, region)
    tags = {"Name": entry.name, **estate.tags(entry)}
    instance_id = run_instance(world, account, estate.primary_region, tags, *_machine(entry))
    drs = world.service("drs")
    assert isinstance(drs, DrsService)
    server = SourceServer(
        id=readable_id("s-", entry.name, account, estate.dr_region),
        account=account,
        region=estate.dr_region,
        hostname=entry.name,
        instance_id=instance_id,
        origin_account=account,
        origin_region=estate.primary_region,
        added_at=world.clock.now(),
        tags=tags,
        disks=(Disk(size_bytes=int(entry.setting("disk_gib", 32)) * GIB),),
        instance_type=entry.setting("instance_type", "m5.large"),
        os=entry.setting("os", LINUX),
        launch={
            "name": entry.name,
            "copyTags": bool(entry.setting("copy_tags", True)),
            "ec2LaunchTemplateID": launch_template(world, account, estate.dr_region, entry),
            **_prepared(world, account, estate.dr_region, tags, entry),
        },
        replication={"name": entry.name},
    )
    drs.enrol(
        server,
        replicating_seconds=float(entry.setting("replicating_hours", 24)) * 3600,
        backlog_bytes=int(entry.setting("backlog_mib", 0)) * MIB,
    )
    if entry.setting("plan_step", 0):
        _plan(world, drs.region_state(account, estate.dr_region), server, entry, estate.tags(entry))


def _plan(world: World, state: RegionState, server: SourceServer, entry: Entry, tags: dict[str, str]) -> None:
    """Put the server into its step of its plan; make both when they are missing."""
    name, number, now = entry.name.rpartition("-")[0], int(entry.setting("plan_step", 1)), world.clock.now()
    plan = next((plan for plan in state.plans.values() if plan.name == name), None)
    if plan is None:
        plan = RecoveryPlan(readable_id("plan-", name, state.account), state.account, state.region, name, now, "", tags)
        state.plans[plan.id] = plan
    step = next((step for step in plan.steps if step.name == f"step {number}"), None)
    if step is None:
        minutes = int(entry.setting("wait_minutes", 0))
        if minutes and plan.steps:
            plan.steps.append(PlanStep(new_id("st-"), f"wait before step {number}", now, wait_minutes=minutes))
        step = PlanStep(new_id("st-"), f"step {number}", now)
        plan.steps.append(step)
    step.servers[server.arn] = "CRITICAL"


def _machine(entry: Entry) -> tuple[str, str]:
    return entry.setting("instance_type", "m5.large"), entry.setting("os", LINUX)


def _prepared(world: World, account: str, region: str, tags: dict[str, str], entry: Entry) -> dict[str, Any]:
    """Prepare a stopped instance and return the launch settings that name it."""
    if not entry.setting("prepared", False):
        return {}
    instance_id = run_instance(world, account, region, {**tags, **dict([LAUNCH_INTO_TAG])}, *_machine(entry))
    ec2 = world.service("ec2")
    assert isinstance(ec2, Ec2Service)
    ec2.settle(account, region, instance_id, "stopped")
    ec2.choose_boot_mode(account, region, instance_id, entry.setting("prepared_boot_mode", "legacy-bios"))
    return {"copyTags": False, "launchIntoInstanceProperties": {"launchIntoEC2InstanceID": instance_id}}


def initialize(world: World, account: str, region: str) -> None:
    """Set DRS up in an account and Region, as its console does: initialise, make both default templates."""
    drs = world.service("drs")
    assert isinstance(drs, DrsService)
    if drs.region_state(account, region).initialized:
        return
    network = default_network(world, account, region)
    world.call("drs", "InitializeService", account, region)
    world.call("drs", "CreateLaunchConfigurationTemplate", account, region)
    world.call(
        "drs",
        "CreateReplicationConfigurationTemplate",
        account,
        region,
        stagingAreaSubnetId=network.subnet_ids[0],
        replicationServersSecurityGroupsIDs=[network.security_group_id],
    )


def run_instance(
    world: World, account: str, region: str, tags: dict[str, str], instance_type: str, os: str = LINUX
) -> str:
    """Run an instance that is up from the start; return its id."""
    network = default_network(world, account, region)
    windows = "windows" in os.lower()
    images = world.backend("ec2", account, region).amis.values()
    fitting = (
        image.id for image in images if (image.platform == "windows") is windows and image.architecture == "x86_64"
    )
    reply = world.call(
        "ec2",
        "RunInstances",
        account,
        region,
        ImageId=next(fitting, network.image_id),
        InstanceType=instance_type,
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnet_ids[0],
        SecurityGroupIds=[network.security_group_id],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tag_list(tags)}],
    )
    instance_id = str(reply["Instances"][0]["InstanceId"])
    ec2 = world.service("ec2")
    assert isinstance(ec2, Ec2Service)
    ec2.settle(account, region, instance_id)
    return instance_id


def launch_template(world: World, account: str, region: str, entry: Entry) -> str:
    """Create the EC2 launch template DRS keeps for a source server; return its id."""
    network = default_network(world, account, region)
    data: dict[str, Any] = {
        "InstanceType": entry.setting("instance_type", "m5.large"),
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": network.subnet_ids[0], "Groups": [network.security_group_id]}
        ],
    }
    reply = world.call(
        "ec2",
        "CreateLaunchTemplate",
        account,
        region,
        LaunchTemplateName=f"drs-{entry.name}",
        LaunchTemplateData=data,
    )
    return str(reply["LaunchTemplate"]["LaunchTemplateId"])
