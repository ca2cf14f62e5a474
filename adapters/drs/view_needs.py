"""What is read of an instance that DRS is, or may be, launched into; and whether EC2 would refuse to terminate it."""

from __future__ import annotations

from adapters.drs.models import Launch, LaunchTemplates, Server
from adapters.drs.spec import LAUNCH_INTO
from adapters.drs.view_machines import Machine, Protection
from orchestrator.contract import Reader


def launches_into_sources(reader: Reader) -> str:
    """Say that DRS in this Region launches into source instances; empty when it does not."""
    pages = reader.pages("drs", "DescribeLaunchConfigurationTemplates", LaunchTemplates)
    if any(each.launchIntoSourceInstance for page in pages for each in page.items):
        return f"DRS in {reader.region} launches into source instances (launchIntoSourceInstance)"
    return ""


def settings(reader: Reader, server: Server | None) -> Launch | None:
    """Return a source server's launch settings; None without a server."""
    if server is None:
        return None
    return reader.read("drs", "GetLaunchConfiguration", Launch, sourceServerID=server.sourceServerID)


def need(reader: Reader, source: Machine | None, reverse: Server | None) -> str:
    """Say why the way back needs the source instance; empty when it does not."""
    launch = settings(reader, reverse)
    if reverse is not None and launch is not None and launch.into:
        return f"{reverse.sourceServerID} is set to launch into {launch.into}"
    return tagged_for_launch(source)


def tagged_for_launch(source: Machine | None) -> str:
    """Say that the instance is tagged as one that DRS may launch into; empty when it is not."""
    return f"it carries {'='.join(LAUNCH_INTO)}" if source and source.launch_into else ""


def locked(reader: Reader, source: Machine | None) -> bool:
    """Say whether EC2 refuses to terminate the instance; one that is gone is not asked for."""
    if source is None or source.State.Name in {"terminated", "shutting-down"}:
        return False
    asked = {"InstanceId": source.InstanceId, "Attribute": "disableApiTermination"}
    return reader.read("ec2", "DescribeInstanceAttribute", Protection, **asked).DisableApiTermination.Value
