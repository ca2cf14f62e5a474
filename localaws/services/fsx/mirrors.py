"""SnapMirror: relationships between ONTAP volumes, what they carry, and what time does to them.

Files are kept with the time they were written at, so that a transfer carries what its snapshot holds and not what came later.
Scheduled updates happen when somebody looks, as of the time they were due. Timings in AWS seconds; a fault of the scenario
acts on `fsx.snapmirror-transfer`, `fsx.snapmirror-resync` and `fsx.snapmirror-break` (resource: the relationship's uuid).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from localaws.service import AwsError
from localaws.services.fsx.models import Shelf, Thing
from localaws.services.fsx.volumes import Volumes

TRANSFER_SECONDS = 60.0
FIRST_TRANSFER_SECONDS = 600.0
RESYNC_SECONDS = 120.0
BREAK_SECONDS = 5.0


class Declined(AwsError):
    """ONTAP's own refusal: `code` is one of its error codes."""

    def __init__(self, message: str, status: int = 409, code: str = "13303845") -> None:
        super().__init__(code, message, status)


@dataclass(eq=False)
class Mirror:
    """A relationship; it lives on the destination's file system."""

    source: Thing
    destination: Thing
    policy: str
    schedule: str | None
    minutes: int | None
    since: datetime
    state: str = "uninitialized"
    snapshot_at: datetime | None = None
    trouble: str = ""
    transfer: dict[str, str] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def transferring(self) -> bool:
        """Say whether data is under way."""
        return self.transfer.get("state") == "transferring"


class Mirrors(Volumes):
    """What relationships do."""

    def reset(self) -> None:
        """Forget relationships, too."""
        super().reset()
        self.mirrors: dict[str, Mirror] = {}
        self.peered: list[tuple[Thing, Thing]] = []

    # --- for seeds and stories

    def peer(self, one: Thing, other: Thing) -> None:
        """Let two virtual machines, and so their file systems, be peers."""
        self.peered += [(one, other), (other, one)]

    def peers_of(self, file_system: Thing) -> list[tuple[Thing, Thing]]:
        """Return the virtual machines of a file system that have peers, each with its peer."""
        return [pair for pair in self.peered if pair[0].shape["FileSystemId"] == file_system.id]

    def mirror_now(self, source: Thing, destination: Thing, minutes: int | None) -> Mirror:
        """Let a volume follow another one that it is equal to, every so many minutes."""
        made = self.add_mirror(source, destination, "MirrorAllSnapshots", f"{minutes}min" if minutes else None, minutes)
        made.state = "snapmirrored"
        made.transfer = {"uuid": str(uuid.uuid4()), "state": "success"}
        self._carry(made, self.world.clock.now())
        self.set_volume(destination, OntapVolumeType="DP")
        return made

    def write_file(self, volume: Thing, name: str) -> None:
        """Let a client write a file; raise ValueError where it cannot."""
        settings = self.truth(volume)
        if settings["OntapVolumeType"] == "DP":
            raise ValueError(f"{volume.id} is read-only")
        if not settings.get("JunctionPath") and not volume.notes.get("open_handles"):
            raise ValueError(f"{volume.id} is not mounted")
        volume.notes.setdefault("files", {})[name] = self.world.clock.now()

    def files(self, volume: Thing) -> set[str]:
        """Return what a client reads."""
        for each in [m for m in self.mirrors.values() if m.destination is volume]:
            self.settle_mirror(each)
        return set(volume.notes.get("files", {}))

    # --- relationships

    def add_mirror(
        self, source: Thing, destination: Thing, policy: str, schedule: str | None, minutes: int | None
    ) -> Mirror:
        """Keep a new relationship: onto a read-write volume it is broken off, as after a break."""
        there = [m for m in self.mirrors.values() if m.destination is destination]
        if there:
            raise Declined(f"{destination.shape['Name']} is the destination of another relationship.")
        made = Mirror(source, destination, policy, schedule, minutes, self.world.clock.now())
        if self.truth(destination)["OntapVolumeType"] == "RW":
            made.state = "broken_off"
        self.mirrors[made.uuid] = made
        return made

    def mirrors_of(self, file_system: Thing, *, to: bool = True) -> Iterator[Mirror]:
        """Return the relationships to (or from) a file system, brought up to now."""
        for each in list(self.mirrors.values()):
            end = each.destination if to else each.source
            if end.shape["FileSystemId"] == file_system.id and end.region == file_system.region:
                self.settle_mirror(each)
                yield each

    def settle_mirror(self, each: Mirror) -> None:
        """Make the scheduled updates that were due."""
        if each.state != "snapmirrored" or each.transferring or each.minutes is None:
            return
        step, now = timedelta(minutes=each.minutes), self.world.clock.now()
        due = each.since + step * ((now - each.since) // step)
        down = self.world.faults.region_down_since(each.source.region)
        if down is not None and due > down:
            due = each.since + step * ((down - each.since) // step)
            each.trouble = "Transfer failed. (Failed to contact the source cluster.)"
        else:
            each.trouble = ""
        if each.snapshot_at is None or due > each.snapshot_at:
            self._carry(each, due)
            each.transfer = {"uuid": str(uuid.uuid4()), "state": "success"}

    def turn(self, each: Mirror, wanted: str) -> None:
        """Put a relationship into another state, as ONTAP's PATCH does."""
        self.settle_mirror(each)
        if wanted == "paused" and each.state == "snapmirrored":
            each.state = "paused"
        elif wanted == "broken_off" and each.state in {"paused", "snapmirrored"} and not each.transferring:
            self._break(each)
        elif wanted == "snapmirrored" and each.state == "paused":
            each.state = "snapmirrored"
        elif wanted == "snapmirrored" and each.state == "uninitialized":
            self._transfer(each, FIRST_TRANSFER_SECONDS, "fsx.snapmirror-transfer")
        elif wanted == "snapmirrored" and each.state == "broken_off":
            self._resync(each)
        else:
            moving = ", a transfer is in progress" if each.transferring else ""
            raise Declined(f"The relationship is {each.state}{moving}: it cannot become {wanted}.")

    def update(self, each: Mirror) -> None:
        """Begin a transfer."""
        self.settle_mirror(each)
        if each.state != "snapmirrored" or each.transferring:
            raise Declined(f"The relationship is {each.state}: it cannot be updated now.")
        self._transfer(each, TRANSFER_SECONDS, "fsx.snapmirror-transfer")

    def abort(self, each: Mirror) -> None:
        """End the transfer under way."""
        if each.transferring:
            each.transfer["state"] = "aborted"

    def _break(self, each: Mirror) -> None:
        def done() -> None:
            each.state = "broken_off"
            self.set_volume(each.destination, OntapVolumeType="RW")

        def failed() -> None:
            each.trouble = "Failed to break the relationship."

        self.world.transition("fsx.snapmirror-break", each.uuid, BREAK_SECONDS, done, failed)

    def _resync(self, each: Mirror) -> None:
        """Throw away what the destination has of its own, and follow again."""
        if self.truth(each.source)["OntapVolumeType"] == "DP":
            raise Declined(f"{each.source.shape['Name']} is a data protection volume: nothing can follow it.")
        self.set_volume(each.destination, OntapVolumeType="DP")
        self._transfer(each, RESYNC_SECONDS, "fsx.snapmirror-resync")

    def _transfer(self, each: Mirror, seconds: float, kind: str) -> None:
        if self.world.faults.region_is_down(each.source.region):
            raise Declined("Failed to contact the source cluster.")
        taken_at = self.world.clock.now()
        mine = each.transfer = {"uuid": str(uuid.uuid4()), "state": "transferring"}

        def done() -> None:
            if mine["state"] != "transferring":
                return
            if self.world.faults.region_is_down(each.source.region):
                failed()
                return
            each.state, each.since, each.trouble = "snapmirrored", taken_at, ""
            self._carry(each, taken_at)
            mine["state"] = "success"

        def failed() -> None:
            if mine["state"] == "transferring":
                mine["state"] = "failed"
                each.trouble = "Transfer failed."

        self.world.transition(kind, each.uuid, seconds, done, failed)

    def _carry(self, each: Mirror, at: datetime) -> None:
        """Bring the destination to what the source held at a time."""
        written: dict[str, Any] = each.source.notes.get("files", {})
        each.destination.notes["files"] = {name: when for name, when in written.items() if when <= at}
        each.snapshot_at = at

    def machine(self, volume: Thing) -> Thing:
        """Return the virtual machine that serves a volume."""
        machines = self.shelf(volume.account, volume.region, Shelf.MACHINES)
        return machines[volume.shape["OntapConfiguration"]["StorageVirtualMachineId"]]
