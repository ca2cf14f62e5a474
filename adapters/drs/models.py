"""The replies of DRS, as far as its adapter reads them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel

from adapters.drs.spec import (
    CATCHING_UP,
    ENDED,
    INSTANCE_STATES,
    LAUNCH_ENDED_BADLY,
    LAUNCHING,
    NO_DATA_YET,
    REPLICATING,
)
from adapters.reading import documented

_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


class Disk(BaseModel):
    """A replicated disk."""

    backloggedStorageBytes: int = 0


class ReplicationError(BaseModel):
    """Why replication does not work."""

    error: str = ""


class Replication(BaseModel):
    """How replication stands."""

    dataReplicationState: Annotated[str, documented(REPLICATING, CATCHING_UP, NO_DATA_YET, ENDED)] = ""
    lagDuration: str | None = None
    replicatedDisks: list[Disk] = []
    dataReplicationError: ReplicationError | None = None

    @property
    def lag_seconds(self) -> float:
        """Return the lag; 0 when DRS reports none. An unreadable duration counts as an hour."""
        if not self.lagDuration:
            return 0.0
        match = _DURATION.match(self.lagDuration)
        if match is None:
            return 3600.0
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return days * 86_400 + hours * 3600 + minutes * 60 + seconds

    @property
    def backlog_bytes(self) -> int:
        """Return what waits to be copied."""
        return sum(disk.backloggedStorageBytes for disk in self.replicatedDisks)

    @property
    def drained(self) -> bool:
        """Say whether the target side holds everything."""
        return self.dataReplicationState == "CONTINUOUS" and not self.lag_seconds and not self.backlog_bytes

    @property
    def error(self) -> str:
        """Return DRS's error code, or nothing."""
        return self.dataReplicationError.error if self.dataReplicationError else ""


class _Hints(BaseModel):
    awsInstanceID: str | None = None
    hostname: str = ""


class _Os(BaseModel):
    fullString: str = ""


class _Properties(BaseModel):
    identificationHints: _Hints = _Hints()
    os: _Os = _Os()


class _Cloud(BaseModel):
    originAccountID: str = ""
    originRegion: str = ""


class _Staging(BaseModel):
    status: str = ""


class Server(BaseModel):
    """A source server: an object of the Region that its disks are replicated to."""

    sourceServerID: str
    arn: str = ""
    tags: dict[str, str] = {}
    dataReplicationInfo: Replication = Replication()
    sourceProperties: _Properties = _Properties()
    sourceCloudProperties: _Cloud | None = None
    stagingArea: _Staging = _Staging()
    replicationDirection: str = ""
    recoveryInstanceId: str | None = None

    @property
    def protects(self) -> str | None:
        """Return the id of the EC2 instance whose disks are replicated."""
        return self.sourceProperties.identificationHints.awsInstanceID

    @property
    def windows(self) -> bool:
        """Say whether it runs Windows."""
        return "windows" in self.sourceProperties.os.fullString.lower()

    @property
    def name(self) -> str:
        """Return the Name tag; without one the host name, then the id."""
        return self.tags.get("Name") or self.sourceProperties.identificationHints.hostname or self.sourceServerID


class Servers(BaseModel):
    """drs:DescribeSourceServers."""

    items: list[Server] = []


class Part(BaseModel):
    """A server's part in a job."""

    sourceServerID: str
    launchStatus: Annotated[str, documented(LAUNCHING, LAUNCH_ENDED_BADLY)] = ""
    recoveryInstanceID: str | None = None


class Job(BaseModel):
    """A job; COMPLETED says nothing about success."""

    jobID: str
    type: str = ""
    status: str = ""
    creationDateTime: datetime
    participatingServers: list[Part] = []
    tags: dict[str, str] = {}

    def part(self, server_id: str) -> Part | None:
        """Return a server's part, or None when it does not take part."""
        return next((p for p in self.participatingServers if p.sourceServerID == server_id), None)


class Jobs(BaseModel):
    """drs:DescribeJobs."""

    items: list[Job] = []


class _EventData(BaseModel):
    sourceServerID: str | None = None
    rawError: str | None = None


class LogItem(BaseModel):
    """A line of a job's log."""

    event: str
    eventData: _EventData = _EventData()


class LogItems(BaseModel):
    """drs:DescribeJobLogItems."""

    items: list[LogItem] = []


class _Failback(BaseModel):
    state: str = "FAILBACK_NOT_STARTED"


class Recovered(BaseModel):
    """A recovery instance; its id is that of its EC2 instance."""

    recoveryInstanceID: str
    sourceServerID: str = ""
    jobID: str = ""
    ec2InstanceState: Annotated[str, documented(INSTANCE_STATES)] = ""
    isDrill: bool = False
    failback: _Failback = _Failback()

    @property
    def runs(self) -> bool:
        """Say whether its EC2 instance runs."""
        return self.ec2InstanceState == "RUNNING"


class RecoveredInstances(BaseModel):
    """drs:DescribeRecoveryInstances."""

    items: list[Recovered] = []


class _Into(BaseModel):
    launchIntoEC2InstanceID: str | None = None


class _Licensing(BaseModel):
    osByol: bool = False


class Launch(BaseModel):
    """drs:GetLaunchConfiguration."""

    launchDisposition: str = "STARTED"
    copyTags: bool = True
    copyPrivateIp: bool = False
    licensing: _Licensing = _Licensing()
    launchIntoInstanceProperties: _Into | None = None

    @property
    def into(self) -> str:
        """Return the id of the EC2 instance that DRS launches into; empty when it launches a new one."""
        properties = self.launchIntoInstanceProperties
        return (properties.launchIntoEC2InstanceID if properties else None) or ""


class _LaunchTemplate(BaseModel):
    launchIntoSourceInstance: bool = False


class LaunchTemplates(BaseModel):
    """drs:DescribeLaunchConfigurationTemplates."""

    items: list[_LaunchTemplate] = []


class Point(BaseModel):
    """A point-in-time snapshot."""

    timestamp: datetime


class Points(BaseModel):
    """drs:DescribeRecoverySnapshots."""

    items: list[Point] = []


class _Template(BaseModel):
    replicationConfigurationTemplateID: str


class Templates(BaseModel):
    """drs:DescribeReplicationConfigurationTemplates."""

    items: list[_Template] = []
