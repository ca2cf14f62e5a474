"""The replies of EC2 that the DRS adapter reads, as far as it reads them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from adapters.drs.spec import BIOS, CHECKS, FENCED, LAUNCH_INTO
from adapters.reading import KeyValue, documented, tag_map


class RunState(BaseModel):
    """The state of an EC2 instance."""

    Name: str = ""


class _Status(BaseModel):
    Status: Annotated[str, documented(CHECKS)] = ""


class MachineStatus(BaseModel):
    """An EC2 instance's state and its two status checks."""

    InstanceId: str
    InstanceState: RunState = RunState()
    InstanceStatus: _Status = _Status()
    SystemStatus: _Status = _Status()

    @property
    def checks(self) -> set[str]:
        """Return what the checks say: {"ok"} when both passed."""
        return {self.InstanceStatus.Status, self.SystemStatus.Status}


class MachineStatuses(BaseModel):
    """ec2:DescribeInstanceStatus."""

    InstanceStatuses: list[MachineStatus] = []


class _Placement(BaseModel):
    Tenancy: str = ""


class Machine(BaseModel):
    """An EC2 instance."""

    InstanceId: str
    State: RunState = RunState()
    Tags: list[KeyValue] = []
    Architecture: str = ""
    VirtualizationType: str = ""
    RootDeviceType: str = ""
    Platform: str = ""
    BootMode: str = ""
    CurrentInstanceBootMode: str = ""
    Placement: _Placement = _Placement()

    @property
    def windows(self) -> bool:
        """Say whether it is a Windows instance; EC2 leaves the platform of all others empty."""
        return self.Platform.lower() == "windows"

    @property
    def boot_mode(self) -> str:
        """Return the mode it boots in; where EC2 tells none, that of its image, and legacy BIOS without one."""
        return self.CurrentInstanceBootMode or self.BootMode or BIOS

    def tag(self, key: str) -> str:
        """Return the value of a tag; empty without it."""
        return tag_map(self.Tags).get(key, "")

    @property
    def gone(self) -> bool:
        """Say whether it was terminated."""
        return self.State.Name in {"terminated", "shutting-down"}

    @property
    def fenced(self) -> bool:
        """Say whether it carries the mark of a source that must stay down."""
        return FENCED in tag_map(self.Tags)

    @property
    def launch_into(self) -> bool:
        """Say whether DRS may launch into it."""
        return tag_map(self.Tags).get(LAUNCH_INTO[0]) == LAUNCH_INTO[1]


class _Reservation(BaseModel):
    Instances: list[Machine] = []


class Machines(BaseModel):
    """ec2:DescribeInstances."""

    Reservations: list[_Reservation] = []


class _Flag(BaseModel):
    Value: bool = False


class Protection(BaseModel):
    """ec2:DescribeInstanceAttribute, of disableApiTermination."""

    DisableApiTermination: _Flag = _Flag()
