"""What ONTAP's REST interface tells of a file system, and FSx of its virtual machines, as far as the adapter reads them."""

from __future__ import annotations

import re
from datetime import timedelta

from pydantic import BaseModel, Field

from adapters.fsx.models import DnsName, Failure
from adapters.reading import KeyValue

_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")


class Name(BaseModel):
    """Something by name."""

    name: str = ""
    uuid: str = ""


class End(BaseModel):
    """One end of a relationship; `path` is `svm:volume`."""

    path: str = ""
    svm: Name = Name()


class Policy(BaseModel):
    """The policy of a relationship."""

    name: str = ""
    type: str = "async"


class Reason(BaseModel):
    """Why a relationship is not healthy."""

    message: str = ""


class Transfer(BaseModel):
    """The last transfer, or the one under way."""

    uuid: str = ""
    state: str = ""


class Relationship(BaseModel):
    """A SnapMirror relationship, as its destination's file system tells it."""

    uuid: str
    state: str = ""
    healthy: bool = True
    unhealthy_reason: list[Reason] = []
    lag_time: str = ""
    exported_snapshot: str = ""
    source: End = End()
    destination: End = End()
    policy: Policy = Policy()
    transfer_schedule: Name = Name()
    transfer: Transfer = Transfer()

    @property
    def transferring(self) -> bool:
        """Say whether data is under way."""
        return self.transfer.state in {"queued", "transferring"}

    @property
    def lag(self) -> timedelta | None:
        """Return how old the destination's newest data is (`PT8H35M42S`); None when it has none or does not tell."""
        match = _DURATION.fullmatch(self.lag_time) if self.lag_time else None
        if match is None:
            return None
        weeks, days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)

    @property
    def trouble(self) -> str:
        """Return why it is not healthy, as the end of a sentence."""
        told = "; ".join(each.message for each in self.unhealthy_reason)
        return f" ({told})" if told else ""


class Nas(BaseModel):
    """Where clients find a volume."""

    path: str = ""


class Clone(BaseModel):
    """Whether a volume is a FlexClone."""

    is_flexclone: bool = False


class OntapVolume(BaseModel):
    """A volume, as ONTAP has it now; FSx shows the same minutes later."""

    uuid: str = ""
    name: str = ""
    svm: Name = Name()
    type: str = ""
    state: str = ""
    nas: Nas = Nas()
    comment: str = ""
    size: int = 0
    clone: Clone = Clone()

    @property
    def path(self) -> str:
        """Return `svm:volume`, the name of a relationship's end."""
        return f"{self.svm.name}:{self.name}"

    @property
    def writable(self) -> bool:
        """Say whether it is no mirror."""
        return self.type == "rw"

    @property
    def open(self) -> bool:
        """Say whether clients find it and can write to it."""
        return self.writable and bool(self.nas.path)


class PeerEnd(BaseModel):
    """The other virtual machine of a peering."""

    svm: Name = Name()


class SvmPeer(BaseModel):
    """A virtual machine and its peer on another file system."""

    state: str = ""
    svm: Name = Name()
    peer: PeerEnd = PeerEnd()


class PeerStatus(BaseModel):
    """Whether the other file system answers."""

    state: str = ""


class ClusterPeer(BaseModel):
    """Another file system."""

    name: str = ""
    status: PeerStatus = PeerStatus()


class BlockLocation(BaseModel):
    """Where a LUN lies."""

    volume: Name = Name()


class Block(BaseModel):
    """A LUN or a namespace of NVMe."""

    svm: Name = Name()
    location: BlockLocation = BlockLocation()

    @property
    def path(self) -> str:
        """Return the volume, as `svm:volume`."""
        return f"{self.svm.name}:{self.location.volume.name}"


class OntapState(BaseModel):
    """DescribeMirrors of the functions in the VPC."""

    relationships: list[Relationship] = []
    volumes: list[OntapVolume] = []
    svm_peers: list[SvmPeer] = []
    cluster_peers: list[ClusterPeer] = []
    luns: list[Block] = []
    namespaces: list[Block] = []


class MachineEndpoints(BaseModel):
    """Where clients reach a virtual machine."""

    Nfs: DnsName | None = None
    Smb: DnsName | None = None


class Machine(BaseModel):
    """A storage virtual machine."""

    StorageVirtualMachineId: str
    Name: str = ""
    UUID: str = ""
    Lifecycle: str = ""
    Endpoints: MachineEndpoints = Field(default_factory=MachineEndpoints)
    LifecycleTransitionReason: Failure | None = None
    Tags: list[KeyValue] = []


class Machines(BaseModel):
    """fsx:DescribeStorageVirtualMachines."""

    StorageVirtualMachines: list[Machine] = []
