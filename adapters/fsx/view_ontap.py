"""What is seen of two ONTAP file systems whose volumes follow each other by SnapMirror.

FSx knows file systems, virtual machines and volumes, their tags and life cycles; of what ONTAP does itself (types, junction
paths, relationships) it learns minutes later. That is read from ONTAP, by the functions in the VPC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from pydantic import JsonValue

from adapters.fsx.models import Backup, Backups, FileSystem, FileSystems, Volume
from adapters.fsx.ontap_models import Machine, Machines, OntapState, OntapVolume, Relationship
from adapters.fsx.spec import (
    CARRIED_TAG,
    FENCED_TAG,
    FS_MISSING,
    FUNCTION_MISSING,
    ONTAP_SERVICE,
    SECRET_TAG,
    WRITES,
    WRITES_NAMESPACE,
)
from adapters.fsx.view_backup import EXECUTION_ID, volumes_of
from adapters.reading import Datapoint, points_since
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase, Side

DRILL_COMMENT = "dr:drill-id="


@dataclass(frozen=True)
class OntapSide:
    """One file system. `ontap` is None where nobody could ask it: no function in the VPC, or no secret named."""

    file_system: FileSystem
    machines: tuple[Machine, ...] = ()
    volumes: tuple[Volume, ...] = ()
    ontap: OntapState | None = None

    @property
    def endpoint(self) -> str:
        """Return where it is managed."""
        return self.file_system.configuration.Endpoints.Management.DNSName

    @property
    def secret(self) -> str:
        """Return the name of the secret with its password."""
        return self.file_system.tags.get(SECRET_TAG, "")

    def relationships(self) -> list[Relationship]:
        """Return the relationships to it."""
        return list(self.ontap.relationships) if self.ontap else []

    def volume(self, path: str) -> OntapVolume | None:
        """Return a volume by `svm:volume`, as ONTAP has it."""
        every = self.ontap.volumes if self.ontap else []
        return next((each for each in every if each.path == path), None)

    def shown(self, volume: OntapVolume | None, path: str) -> Volume | None:
        """Return a volume as FSx shows it: by its UUID, a new one by its name."""
        if volume is not None:
            return next(
                (v for v in self.volumes if v.OntapConfiguration and volume.uuid == v.OntapConfiguration.UUID), None
            )
        machines = {each.StorageVirtualMachineId: each.Name for each in self.machines}
        return next((v for v in self.volumes if _path(v, machines) == path), None)


@dataclass(frozen=True)
class OntapPair:
    """One volume, both sides: as ONTAP has it, as FSx shows it, and who follows whom."""

    source_path: str
    target_path: str
    source: OntapVolume | None = None
    target: OntapVolume | None = None
    source_shown: Volume | None = None
    target_shown: Volume | None = None
    mirror: Relationship | None = None
    """The target follows the source by it."""
    back: Relationship | None = None
    """The source follows the target by it."""
    junction: str = ""
    """Where clients find it; empty when they never did."""
    writes: tuple[Datapoint, ...] = ()
    """Bytes that clients wrote to the source since it was fenced, a point a minute."""

    @property
    def moved(self) -> bool:
        """Say whether the target takes writes and the source does not."""
        return self.target is not None and self.target.writable and (self.source is None or not self.source.open)

    @property
    def fenced_at(self) -> datetime | None:
        """Return when the source's clients began to be shut out, as the volume's tag tells."""
        words = self.source_shown.tags.get(FENCED_TAG, "").split() if self.source_shown else []
        return datetime.fromisoformat(words[0]) if words else None

    @property
    def carried(self) -> bool:
        """Say whether everything that the source ever held had reached the target when they parted."""
        return self.source_shown is not None and CARRIED_TAG in self.source_shown.tags


@dataclass(frozen=True)
class OntapView:
    """Both file systems and their volumes."""

    strategy: ClassVar[str] = "ontap-snapmirror"
    member: Member
    source: OntapSide | None = None
    target: OntapSide | None = None
    pairs: tuple[OntapPair, ...] = ()
    clones: tuple[OntapVolume, ...] = ()
    """On the target side, of this drill."""
    kept: tuple[Backup, ...] = ()
    """Backups of the source's volumes that this run made before something of them is overwritten."""
    source_read: bool = True


def look(target: Target, aws: Clients, run: RunContext) -> OntapView:
    """Read the target side; the source side unless it is lost, or in a drill."""
    member, here = target.only, aws.at(Side.TARGET)
    found = _side(here, member.target)
    mine = f"{DRILL_COMMENT}{run.run_id}"
    clones = tuple(v for v in (found.ontap.volumes if found and found.ontap else []) if v.comment == mine)
    if run.mode is Mode.DRILL or not aws.reaches(Side.SOURCE):
        pairs = _pairs(member, None, found)
        return OntapView(member, None, found, pairs, clones, source_read=False)
    there = aws.at(Side.SOURCE)
    source = _side(there, member.source)
    pairs = _pairs(member, source, found)
    if run.phase is Phase.ACTIVATE and source is not None:
        pairs = tuple(_with_writes(each, source, there, run) for each in pairs)
    kept = _kept(there, run) if run.phase is Phase.REPLICATE else ()
    return OntapView(member, source, found, pairs, clones, kept)


def _side(reader: Reader, place: Place) -> OntapSide | None:
    reply = reader.find("fsx", "DescribeFileSystems", FileSystems, FS_MISSING, FileSystemIds=[place.id])
    if reply is None or not reply.FileSystems:
        return None
    found = reply.FileSystems[0]
    filters: JsonValue = [{"Name": "file-system-id", "Values": [place.id]}]
    pages = reader.pages("fsx", "DescribeStorageVirtualMachines", Machines, Filters=filters)
    side = OntapSide(
        found,
        tuple(each for page in pages for each in page.StorageVirtualMachines),
        volumes_of(reader, place.id),
    )
    if not side.endpoint or not side.secret:
        return side
    asked: dict[str, JsonValue] = {"Endpoint": side.endpoint, "Secret": side.secret}
    told = reader.find(ONTAP_SERVICE, "DescribeMirrors", OntapState, FUNCTION_MISSING, **asked)
    return replace(side, ontap=told)


def _pairs(member: Member, source: OntapSide | None, target: OntapSide | None) -> tuple[OntapPair, ...]:
    """Return what belongs together: by relationships in either direction, and what nobody follows yet."""
    remembered = _facts(member.source)
    forward = {
        (r.source.path, r.destination.path): r
        for r in (target.relationships() if target else [])
        if r.source.svm.uuid in _uuids(source, member.source)
    }
    backward = {
        (r.destination.path, r.source.path): r
        for r in (source.relationships() if source else [])
        if r.source.svm.uuid in _uuids(target, member.target)
    }
    followed = {here for here, _ in (*forward, *backward)}
    alone = {(each.path, _peer_path(each, target)): None for each in _plain(source) if each.path not in followed}
    return tuple(
        _pair(here, there, source, target, forward.get((here, there)), backward.get((here, there)), remembered)
        for here, there in sorted({**forward, **backward, **alone})
    )


def _pair(  # noqa: PLR0913  a pair has two ends, and two ways between them
    here: str,
    there: str,
    source: OntapSide | None,
    target: OntapSide | None,
    mirror: Relationship | None,
    back: Relationship | None,
    remembered: Mapping[str, str],
) -> OntapPair:
    mine, theirs = (side.volume(path) if side else None for side, path in ((source, here), (target, there)))
    shown = source.shown(mine, here) if source else None
    fenced = shown.tags.get(FENCED_TAG, "") if shown else ""
    junction = fenced.partition(" ")[2] or (mine.nas.path if mine else "") or remembered.get(here, "")
    return OntapPair(
        here,
        there,
        mine,
        theirs,
        shown,
        target.shown(theirs, there) if target else None,
        mirror,
        back,
        junction,
    )


def _plain(side: OntapSide | None) -> Iterable[OntapVolume]:
    """Return the volumes that clients write to, but for those that are meant to stay: roots, copies of drills, untagged."""
    if side is None or side.ontap is None:
        return
    shown = {v.OntapConfiguration.UUID: v for v in side.volumes if v.OntapConfiguration}
    for each in side.ontap.volumes:
        told = shown.get(each.uuid)
        root = (
            told is not None
            and told.OntapConfiguration is not None
            and told.OntapConfiguration.StorageVirtualMachineRoot
        )
        left_out = told is None or told.tags.get(ENABLED) == "false"
        if each.writable and not root and not left_out and not each.comment.startswith(DRILL_COMMENT):
            yield each


def _peer_path(volume: OntapVolume, target: OntapSide | None) -> str:
    """Return where a volume that nobody follows belongs on the other side: the peer of its virtual machine."""
    peers = target.ontap.svm_peers if target and target.ontap else []
    machine = next((each.svm.name for each in peers if each.peer.svm.name == volume.svm.name), volume.svm.name)
    return f"{machine}:{volume.name}"


def _uuids(side: OntapSide | None, place: Place) -> frozenset[str]:
    """Return the UUIDs of a side's virtual machines; of one that cannot be read, those of the inventory."""
    if side is not None:
        return frozenset(each.UUID for each in side.machines)
    kept = place.facts.get("machines")
    return frozenset(str(each) for each in kept) if isinstance(kept, list | tuple) else frozenset()


def _facts(place: Place) -> dict[str, str]:
    kept = place.facts.get("junctions")
    return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, Mapping) else {}


def junctions(machines: Iterable[Machine], volumes: Iterable[Volume]) -> dict[str, str]:
    """Return where clients find which volume when it is not fenced, by `svm:volume`; for the inventory."""
    names = {each.StorageVirtualMachineId: each.Name for each in machines}
    return {
        _path(each, names): each.tags.get(FENCED_TAG, "").partition(" ")[2] or each.OntapConfiguration.JunctionPath
        for each in volumes
        if each.OntapConfiguration is not None and not each.OntapConfiguration.StorageVirtualMachineRoot
    }


def _path(volume: Volume, machines: Mapping[str, str]) -> str:
    settings = volume.OntapConfiguration
    return f"{machines.get(settings.StorageVirtualMachineId, '')}:{volume.Name}" if settings else ""


def _with_writes(pair: OntapPair, source: OntapSide, reader: Reader, run: RunContext) -> OntapPair:
    if pair.fenced_at is None or pair.source_shown is None or pair.moved:
        return pair
    where = {"FileSystemId": source.file_system.FileSystemId, "VolumeId": pair.source_shown.VolumeId}
    points = points_since(reader, run.now, pair.fenced_at, WRITES_NAMESPACE, WRITES, where, "Sum")
    return replace(pair, writes=tuple(points))


def _kept(reader: Reader, run: RunContext) -> tuple[Backup, ...]:
    filters: JsonValue = [{"Name": "file-system-type", "Values": ["ONTAP"]}]
    pages = reader.pages("fsx", "DescribeBackups", Backups, Filters=filters)
    every = [each for page in pages for each in page.Backups]
    return tuple(each for each in every if each.tags.get(EXECUTION_ID) == run.run_id)
