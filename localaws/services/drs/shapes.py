"""Answers of DRS in botocore's output shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.services.drs.models import Job, LaunchStatus, Participant, RecoveryInstance, SourceServer, Template
from localaws.services.drs.replication import Progress

LAUNCH_RESULTS = {
    LaunchStatus.PENDING: "PENDING",
    LaunchStatus.IN_PROGRESS: "PENDING",
    LaunchStatus.LAUNCHED: "SUCCEEDED",
    LaunchStatus.FAILED: "FAILED",
    LaunchStatus.TERMINATED: "SUCCEEDED",
}
AGENT_VERSION = "4.6.0"


def timestamp(at: datetime) -> str:
    """Write a time as DRS does: ISO 8601, UTC, microseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 time of a filter."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def duration(span: timedelta) -> str:
    """Write a time span as an ISO 8601 duration with hours, minutes and seconds."""
    seconds = max(0, round(span.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + f"{seconds}S"


def without_none(shape: dict[str, Any]) -> dict[str, Any]:
    """Leave out what AWS would leave out."""
    return {key: value for key, value in shape.items() if value is not None}


def source_server(server: SourceServer, progress: Progress) -> dict[str, Any]:
    """Build a `SourceServer`."""
    status = server.last_launch.status if server.last_launch else None
    return without_none(
        {
            "sourceServerID": server.id,
            "arn": server.arn,
            "tags": dict(server.tags),
            "recoveryInstanceId": server.recovery_instance_id,
            "lastLaunchResult": LAUNCH_RESULTS[status] if status else "NOT_STARTED",
            "dataReplicationInfo": data_replication(server, progress),
            "lifeCycle": _life_cycle(server, progress),
            "sourceProperties": _source_properties(server),
            "stagingArea": _staging_area(server),
            "sourceCloudProperties": None if server.on_premises else _cloud_properties(server),
            "replicationDirection": server.direction.value,
            "reversedDirectionSourceServerArn": server.reversed_arn,
            "agentVersion": AGENT_VERSION,
        }
    )


def data_replication(server: SourceServer, progress: Progress) -> dict[str, Any]:
    """Build a `DataReplicationInfo`; disks of a stopped server report nothing replicated."""
    gone = not server.windows
    disks = [
        {
            "deviceName": disk.device,
            "totalStorageBytes": 0 if progress.state == "DISCONNECTED" and gone else disk.size_bytes,
            "replicatedStorageBytes": 0 if gone else disk.size_bytes,
            "rescannedStorageBytes": 0,
            "backloggedStorageBytes": progress.backlog_bytes if index == 0 else 0,
            "volumeStatus": "REGULAR",
        }
        for index, disk in enumerate(server.disks)
    ]
    return without_none(
        {
            "dataReplicationState": progress.state.value,
            "lagDuration": None if progress.lag is None else duration(progress.lag),
            "replicatedDisks": disks,
            "dataReplicationInitiation": _initiation(server, progress),
            "dataReplicationError": {"error": progress.error} if progress.error else None,
            "stagingAvailabilityZone": f"{server.region}a",
        }
    )


def recovery_instance(
    instance: RecoveryInstance, server: SourceServer | None, ec2_state: str, progress: Progress | None
) -> dict[str, Any]:
    """Build a `RecoveryInstance`; `progress` is that of the reversed replication, None before it starts."""
    state = "NOT_STARTED" if progress is None else progress.state.value
    if instance.disconnected:
        state = "DISCONNECTED"
    ready = progress is not None and progress.state == "CONTINUOUS"
    failback = "FAILBACK_READY_FOR_LAUNCH" if ready else "FAILBACK_IN_PROGRESS"
    return without_none(
        {
            "recoveryInstanceID": instance.id,
            "ec2InstanceID": instance.id,
            "ec2InstanceState": "NOT_FOUND" if ec2_state == "not-found" else ec2_state.upper(),
            "jobID": instance.job_id,
            "sourceServerID": instance.server_id,
            "arn": instance.arn,
            "tags": dict(instance.tags),
            "failback": {"state": "FAILBACK_NOT_STARTED" if progress is None else failback},
            "dataReplicationInfo": {"dataReplicationState": state},
            "recoveryInstanceProperties": None if server is None else _recovery_properties(instance, server),
            "pointInTimeSnapshotDateTime": timestamp(instance.point_in_time),
            "isDrill": instance.drill,
            "originEnvironment": "ON_PREMISES" if server is not None and server.on_premises else "AWS",
            "originAvailabilityZone": None if server is None else f"{server.origin_region}a",
            "agentVersion": AGENT_VERSION,
        }
    )


def job(item: Job) -> dict[str, Any]:
    """Build a `Job`."""
    by_type = {"TERMINATE": "TERMINATE_RECOVERY_INSTANCES", "LAUNCH": "START_DRILL" if item.drill else "START_RECOVERY"}
    return without_none(
        {
            "jobID": item.id,
            "arn": item.arn,
            "type": item.type.value,
            "initiatedBy": by_type[item.type.value],
            "creationDateTime": timestamp(item.created_at),
            "endDateTime": timestamp(item.ended_at) if item.ended_at else None,
            "status": item.status.value,
            "participatingServers": [_participant(p) for p in item.participants],
            "tags": dict(item.tags),
        }
    )


def launch_template(item: Template) -> dict[str, Any]:
    """Build a `LaunchConfigurationTemplate`."""
    return {"launchConfigurationTemplateID": item.id, "arn": item.arn, "tags": dict(item.tags), **item.settings}


def replication_template(item: Template) -> dict[str, Any]:
    """Build a `ReplicationConfigurationTemplate`."""
    return {"replicationConfigurationTemplateID": item.id, "arn": item.arn, "tags": dict(item.tags), **item.settings}


def _participant(item: Participant) -> dict[str, Any]:
    return without_none(
        {
            "sourceServerID": item.server_id,
            "recoveryInstanceID": item.instance_id,
            "launchStatus": item.status.value,
        }
    )


def _life_cycle(server: SourceServer, progress: Progress) -> dict[str, Any]:
    last = server.last_launch
    launched = None
    if last is not None:
        launched = {
            "initiated": {
                "apiCallDateTime": timestamp(last.at),
                "jobID": last.job_id,
                "type": "DRILL" if last.drill else "RECOVERY",
            },
            "status": last.status.value,
        }
    return without_none(
        {
            "addedToServiceDateTime": timestamp(server.added_at),
            "firstByteDateTime": timestamp(server.added_at),
            "lastSeenByServiceDateTime": timestamp(progress.last_seen or server.added_at),
            "lastLaunch": launched,
        }
    )


def _source_properties(server: SourceServer) -> dict[str, Any]:
    hints = {"hostname": server.hostname, "fqdn": f"{server.hostname}.internal"}
    if not server.on_premises:
        hints["awsInstanceID"] = server.instance_id
    return {
        "lastUpdatedDateTime": timestamp(server.added_at),
        "recommendedInstanceType": server.instance_type,
        "identificationHints": hints,
        "networkInterfaces": [{"macAddress": "02:00:00:00:00:01", "isPrimary": True}],
        "disks": [{"deviceName": d.device, "bytes": d.size_bytes} for d in server.disks],
        "cpus": [{"cores": 2, "modelName": "Intel(R) Xeon(R) Platinum"}],
        "ramBytes": 8 * 1024**3,
        "os": {"fullString": server.os},
        "supportsNitroInstances": True,
        "architecture": "x86_64",
    }


def _recovery_properties(instance: RecoveryInstance, server: SourceServer) -> dict[str, Any]:
    return {
        "lastUpdatedDateTime": timestamp(instance.launched_at),
        "identificationHints": {"hostname": server.hostname, "awsInstanceID": instance.id},
        "disks": [{"internalDeviceName": d.device, "bytes": d.size_bytes} for d in server.disks],
        "os": {"fullString": server.os},
    }


def _cloud_properties(server: SourceServer) -> dict[str, Any]:
    return {
        "originAccountID": server.origin_account,
        "originRegion": server.origin_region,
        "originAvailabilityZone": f"{server.origin_region}a",
    }


def _staging_area(server: SourceServer) -> dict[str, Any]:
    if server.staging_arn is None:
        return {"status": "NOT_EXTENDED", "stagingAccountID": server.account, "stagingSourceServerArn": server.arn}
    account = server.staging_arn.split(":")[4]
    return {"status": "EXTENDED", "stagingAccountID": account, "stagingSourceServerArn": server.staging_arn}


def _initiation(server: SourceServer, progress: Progress) -> dict[str, Any] | None:
    if server.state_since is None or progress.state != "INITIATING":
        return None
    steps = ["WAIT", "CREATE_SECURITY_GROUP", "LAUNCH_REPLICATION_SERVER", "BOOT_REPLICATION_SERVER"]
    return {
        "startDateTime": timestamp(server.state_since),
        "steps": [{"name": name, "status": "IN_PROGRESS" if name == steps[-1] else "SUCCEEDED"} for name in steps],
    }
