"""Launching into a prepared instance: what DRS asks of it, and the exchange of its volumes.

DRS launches drills, recoveries and failbacks alike into the instance that a server's launch settings name. Requirements:
DRS user guide, "Launch into source instance" and "Launch configuration errors".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.service import AwsError, Reply
from localaws.services.drs.models import SourceServer
from localaws.services.ec2 import Ec2Service

LAUNCH_INTO_TAG = ("AWSDRS", "AllowLaunchingIntoThisInstance")
ARCHITECTURE = "x86_64"

AsCaller = Callable[[str, dict[str, Any]], Reply]


def named(server: SourceServer) -> str:
    """Return the id of the instance that launches of this server go into; empty when they make a new one."""
    return str(server.launch.get("launchIntoInstanceProperties", {}).get("launchIntoEC2InstanceID") or "")


def is_windows(server: SourceServer) -> bool:
    """Say whether the server runs Windows."""
    return "windows" in server.os.lower()


def check_settings(ec2: Ec2Service, server: SourceServer, instance_id: str) -> None:
    """Refuse an instance that cannot be launched into whatever state it is in. Raises: ValidationException."""
    instance = ec2.instance(server.account, server.region, instance_id)
    if instance is None or instance.state == "terminated":
        raise AwsError("ValidationException", f"The EC2 instance {instance_id} was not found.", reason="other")
    wrong = [field for field, fits in _traits(ec2, server, instance) if not fits]
    if wrong:
        raise AwsError(
            "ValidationException",
            f"You cannot define the EC2 instance {instance_id} as a launch into instance ID as is has conflicting instance "
            f"settings to those of the source server ({server.id}). The following fields have a configuration mismatch: "
            f"{', '.join(wrong)}.",
            reason="other",
        )


def check_tag(ec2: Ec2Service, account: str, region: str, instance_id: str) -> None:
    """Refuse an instance without the tag that allows launching into it."""
    instance = ec2.instance(account, region, instance_id)
    tags = {} if instance is None else {tag["key"]: tag["value"] for tag in instance.get_tags()}
    key, value = LAUNCH_INTO_TAG
    if tags.get(key) != value:
        raise AwsError("UnauthorizedOperation", f"Cannot launch into {instance_id}: tag {key}={value} is missing.", 403)


def launch(ec2: Ec2Service, server: SourceServer, instance_id: str, as_caller: AsCaller, *, started: bool) -> str:
    """Exchange the volumes of a stopped instance for new ones and start it; return its id. Raises EC2's `AwsError`."""
    instance = ec2.instance(server.account, server.region, instance_id)
    if instance is None or instance.state != "stopped":
        observed = "missing" if instance is None else instance.state
        raise AwsError("IncorrectInstanceState", f"Cannot launch into {instance_id}: it is {observed}, not stopped.")
    check_tag(ec2, server.account, server.region, instance_id)
    check_settings(ec2, server, instance_id)
    for device, attached in list(instance.block_device_mapping.items()):
        as_caller("DetachVolume", {"VolumeId": attached.volume_id, "InstanceId": instance_id})
        size = max(1, server.disks[0].size_bytes // 1024**3)
        made = as_caller("CreateVolume", {"AvailabilityZone": instance.placement, "Size": size})
        as_caller("AttachVolume", {"VolumeId": made["VolumeId"], "InstanceId": instance_id, "Device": device})
    if started:
        as_caller("StartInstances", {"InstanceIds": [instance_id]})
    return instance_id


def _traits(ec2: Ec2Service, server: SourceServer, instance: Any) -> list[tuple[str, bool]]:
    """Return what must match, and whether it does."""
    platform = "windows" if is_windows(server) else ""
    mode = ec2.boot_mode(instance)
    return [
        ("Architecture", instance.architecture == ARCHITECTURE),
        ("VirtualizationType", instance.virtualization_type == "hvm"),
        ("RootDeviceType", instance.root_device_type == "ebs"),
        ("Platform", (instance.platform or "").lower() == platform),
        ("BootMode", mode == (server.boot_mode if platform else "legacy-bios")),
    ]
