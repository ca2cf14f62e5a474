"""Volumes, snapshots and storage virtual machines.

Timings in AWS seconds. A fault of the scenario acts on `fsx.create-volume`, `fsx.update-volume`,
`fsx.create-snapshot`, `fsx.copy-snapshot`, `fsx.create-storage-virtual-machine` (resource: the id).

What ONTAP itself did to a volume (broken off, unmounted), FSx shows minutes later: `truth` is ONTAP's word.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.fsx.base import of
from localaws.services.fsx.file_systems import FileSystems
from localaws.services.fsx.models import Life, Shelf, Thing, bad_request, new_id, too_many, unsupported

CREATE_SECONDS = 60.0
UPDATE_SECONDS = 30.0
DELETE_SECONDS = 60.0
SNAPSHOT_SECONDS = 30.0
COPY_SECONDS = 300.0
MACHINE_SECONDS = 180.0
ONTAP_SHOWN_SECONDS = 120.0
COPIES_AT_A_TIME = 20
LEAST_THROUGHPUT_MBPS = 160
COPYING = "VOLUME_UPDATE_WITH_SNAPSHOT"


class Volumes(FileSystems):
    """Operations on volumes, snapshots and storage virtual machines."""

    @operation("CreateVolume")
    def create_volume(self, call: Call) -> Reply:
        """Create a volume. Raises MissingVolumeConfiguration, VolumeNotFound, StorageVirtualMachineNotFound."""
        kind = call.params["VolumeType"]
        name = "OntapConfiguration" if kind == "ONTAP" else "OpenZFSConfiguration"
        configuration = dict(call.params.get(name) or {})
        if not configuration:
            raise AwsError("MissingVolumeConfiguration", f"{name} is required for {kind}.")

        def make() -> Thing:
            if kind == "ONTAP":
                parent = self.find(call, Shelf.MACHINES, configuration["StorageVirtualMachineId"])
                settings = _ontap_settings(configuration)
            else:
                parent = self.find(call, Shelf.VOLUMES, configuration["ParentVolumeId"])
                path = f"{parent.shape['OpenZFSConfiguration']['VolumePath']}/{call.params['Name']}"
                settings = {"ReadOnly": False, "VolumePath": path, **configuration}
            made = self._volume(call.account, call.region, parent.shape["FileSystemId"], call.params["Name"])
            made.shape |= {"VolumeType": kind, name: settings}
            self.put(Shelf.VOLUMES, made, call.params.get("Tags") or [])
            end = Life.CREATED if kind == "ONTAP" else Life.AVAILABLE
            self.walk("fsx.create-volume", made, CREATE_SECONDS, end)
            return made

        return {"Volume": self.shown(self.once(call, make))}

    @operation("UpdateVolume")
    def update_volume(self, call: Call) -> Reply:
        """Change a volume; its action is PENDING until the change holds. Raises VolumeNotFound, BadRequest."""
        volume = self._ready_volume(call)
        name = "OntapConfiguration" if volume.shape["VolumeType"] == "ONTAP" else "OpenZFSConfiguration"

        def make() -> Thing:
            self._change(volume, name, dict(call.params.get(name) or {}), call.params.get("Name"))
            return volume

        return {"Volume": self.shown(self.once(call, make))}

    @operation("DescribeVolumes")
    def describe_volumes(self, call: Call) -> Reply:
        """List volumes by id, file system or virtual machine. Raises VolumeNotFound."""
        filters = {
            "file-system-id": of("FileSystemId"),
            "storage-virtual-machine-id": of("OntapConfiguration", "StorageVirtualMachineId"),
        }
        return self.listed(call, Shelf.VOLUMES, "VolumeIds", "Volumes", filters)

    @operation("DeleteVolume")
    def delete_volume(self, call: Call) -> Reply:
        """Delete a volume. Raises VolumeNotFound, BadRequest (root volume)."""
        volume = self.find(call, Shelf.VOLUMES, call.params["VolumeId"])
        if volume.notes.get("root"):
            raise bad_request(f"{volume.id} is the root volume of {volume.shape['FileSystemId']}.")
        volume.life = Life.DELETING
        self.world.transition("fsx.delete-volume", volume.id, DELETE_SECONDS, lambda: self.drop(Shelf.VOLUMES, volume))
        return {"VolumeId": volume.id, "Lifecycle": volume.life}

    @operation("CreateSnapshot")
    def create_snapshot(self, call: Call) -> Reply:
        """Take a snapshot of an OpenZFS volume. Raises VolumeNotFound, BadRequest (name taken, wrong type)."""
        volume = self._ready_volume(call)
        if volume.shape["VolumeType"] != "OPENZFS":
            raise bad_request(f"{volume.id} is an ONTAP volume: snapshots are made in ONTAP.")
        name = call.params["Name"]

        def make() -> Thing:
            if any(s.shape["Name"] == name for s in self._snapshots(volume)):
                raise bad_request(f"Volume {volume.id} has a snapshot {name} already.")
            made = self.new_snapshot(volume, name, call.params.get("Tags") or [])
            self.pass_through(made, SNAPSHOT_SECONDS / 3, Life.PENDING, Life.CREATING)
            self.walk("fsx.create-snapshot", made, SNAPSHOT_SECONDS, Life.AVAILABLE)
            return made

        return {"Snapshot": self.shown(self.once(call, make))}

    @operation("DescribeSnapshots")
    def describe_snapshots(self, call: Call) -> Reply:
        """List snapshots by id, volume or file system. Raises SnapshotNotFound."""
        volumes = self.shelf(call.account, call.region, Shelf.VOLUMES)
        filters = {
            "volume-id": of("VolumeId"),
            "file-system-id": lambda s: getattr(volumes.get(s.shape["VolumeId"]), "shape", {}).get("FileSystemId"),
        }
        return self.listed(call, Shelf.SNAPSHOTS, "SnapshotIds", "Snapshots", filters)

    @operation("DeleteSnapshot")
    def delete_snapshot(self, call: Call) -> Reply:
        """Delete a snapshot. Raises SnapshotNotFound."""
        snapshot = self.find(call, Shelf.SNAPSHOTS, call.params["SnapshotId"])
        self.drop(Shelf.SNAPSHOTS, snapshot)
        return {"SnapshotId": snapshot.id, "Lifecycle": str(Life.DELETING)}

    @operation("CopySnapshotAndUpdateVolume")
    def copy_snapshot_and_update_volume(self, call: Call) -> Reply:
        """Bring a volume to the state of a snapshot of another volume, Region or account.

        Raises: VolumeNotFound, BadRequest (snapshot not AVAILABLE, too little throughput, changed data that no
            option allows to delete), ServiceLimitExceeded (one copy per file system, 20 per Region).
        """
        volume = self._ready_volume(call)

        def make() -> Thing:
            source = self._source_snapshot(call)
            strategy = call.params.get("CopyStrategy") or "INCREMENTAL_COPY"
            self._check_copy(volume, source, set(call.params.get("Options") or []), strategy)
            self._start_copy(volume, source, strategy)
            return volume

        made = self.once(call, make)
        return {
            "VolumeId": made.id,
            "Lifecycle": made.life,
            "AdministrativeActions": made.shape.get("AdministrativeActions", []),
        }

    @operation("CreateStorageVirtualMachine")
    def create_storage_virtual_machine(self, call: Call) -> Reply:
        """Create a virtual machine of an ONTAP file system. Raises FileSystemNotFound, UnsupportedOperation."""
        file_system = self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"])
        if file_system.shape["FileSystemType"] != "ONTAP":
            raise unsupported(f"{file_system.id} is {file_system.shape['FileSystemType']}, not ONTAP.")

        def make() -> Thing:
            machine_id = new_id("svm")
            tail = f"storage-virtual-machine/{file_system.id}/{machine_id}"
            shape = {
                "CreationTime": self.world.clock.now(),
                "FileSystemId": file_system.id,
                "Lifecycle": str(Life.CREATING),
                "Name": call.params["Name"],
                "ResourceARN": f"arn:aws:fsx:{call.region}:{call.account}:{tail}",
                "StorageVirtualMachineId": machine_id,
                "Subtype": "DEFAULT",
                "UUID": str(uuid.uuid4()),
                "RootVolumeSecurityStyle": call.params.get("RootVolumeSecurityStyle") or "UNIX",
                "Endpoints": {
                    kind: {"DNSName": f"{machine_id}.{file_system.id}.fsx.{call.region}.amazonaws.com"}
                    for kind in ("Management", "Nfs", "Iscsi")
                },
            }
            made = Thing(machine_id, call.account, call.region, str(shape["ResourceARN"]), shape)
            self.put(Shelf.MACHINES, made, call.params.get("Tags") or [])
            self._add_machine_root(made)
            self.walk("fsx.create-storage-virtual-machine", made, MACHINE_SECONDS, Life.CREATED)
            return made

        return {"StorageVirtualMachine": self.shown(self.once(call, make))}

    @operation("DescribeStorageVirtualMachines")
    def describe_storage_virtual_machines(self, call: Call) -> Reply:
        """List virtual machines by id or file system. Raises StorageVirtualMachineNotFound."""
        filters = {"file-system-id": of("FileSystemId")}
        return self.listed(call, Shelf.MACHINES, "StorageVirtualMachineIds", "StorageVirtualMachines", filters)

    def _add_machine_root(self, machine: Thing) -> None:
        name = f"{machine.shape['Name']}_root"
        root = self._volume(machine.account, machine.region, machine.shape["FileSystemId"], name)
        given = {"StorageVirtualMachineId": machine.id, "StorageVirtualMachineRoot": True, "JunctionPath": "/"}
        settings = _ontap_settings({**given, "SizeInBytes": 2**30})
        root.shape |= {"VolumeType": "ONTAP", "Lifecycle": str(Life.CREATED), "OntapConfiguration": settings}
        root.notes["root"] = True
        self.put(Shelf.VOLUMES, root)

    def truth(self, volume: Thing) -> dict[str, Any]:
        """Return the settings of an ONTAP volume as ONTAP has them; FSx shows them a while later."""
        kept: dict[str, Any] = volume.notes.setdefault("ontap", dict(volume.shape["OntapConfiguration"]))
        return kept

    def set_volume(self, volume: Thing, **changes: Any) -> None:
        """Change a volume in ONTAP, past FSx."""
        self.truth(volume).update(changes)

        def show() -> None:
            shown = {**volume.shape["OntapConfiguration"], **changes}
            volume.shape["OntapConfiguration"] = {key: value for key, value in shown.items() if value is not None}

        self.world.clock.after(ONTAP_SHOWN_SECONDS, show)

    def add_root_volume(self, file_system: Thing) -> Thing:
        """Add the root volume of an OpenZFS file system."""
        root = self._volume(file_system.account, file_system.region, file_system.id, "fsx")
        given = file_system.shape["OpenZFSConfiguration"].get("RootVolumeConfiguration") or {}
        root.shape |= {
            "VolumeType": "OPENZFS",
            "Lifecycle": str(Life.AVAILABLE),
            "OpenZFSConfiguration": {"VolumePath": "/fsx", "ReadOnly": False, **given},
        }
        root.notes["root"] = True
        return self.put(Shelf.VOLUMES, root)

    def restore_volumes(self, file_system: Thing, saved: Iterable[Mapping[str, Any]]) -> None:
        """Give a file system the volumes of a backup: same names, paths and settings, other ids."""
        where = (file_system.account, file_system.region)
        (root,) = [v for v in self.shelf(*where, Shelf.VOLUMES).values() if v.shape["FileSystemId"] == file_system.id]
        ids = {str(each["VolumeId"]): new_id("fsvol") for each in saved}
        for each in saved:
            settings = dict(each["OpenZFSConfiguration"])
            settings.pop("SourceSnapshotARN", None)
            settings.pop("DestinationSnapshot", None)
            if settings["VolumePath"] == root.shape["OpenZFSConfiguration"]["VolumePath"]:
                root.shape["OpenZFSConfiguration"] = settings
                ids[str(each["VolumeId"])] = root.id
        for each in saved:
            settings = dict(each["OpenZFSConfiguration"])
            if ids[str(each["VolumeId"])] == root.id:
                continue
            parent = str(settings.get("ParentVolumeId"))
            made = self._volume(*where, file_system.id, str(each["Name"]))
            made.shape |= {"VolumeType": "OPENZFS", "Lifecycle": str(Life.AVAILABLE)}
            made.shape["OpenZFSConfiguration"] = {**settings, "ParentVolumeId": ids.get(parent, parent)}
            self.put(Shelf.VOLUMES, made)

    def _volume(self, account: str, region: str, file_system_id: str, name: str) -> Thing:
        volume_id = new_id("fsvol")
        shape = {
            "CreationTime": self.world.clock.now(),
            "FileSystemId": file_system_id,
            "Lifecycle": str(Life.CREATING),
            "Name": name,
            "ResourceARN": f"arn:aws:fsx:{region}:{account}:volume/{file_system_id}/{volume_id}",
            "VolumeId": volume_id,
        }
        return Thing(volume_id, account, region, str(shape["ResourceARN"]), shape)

    def _ready_volume(self, call: Call) -> Thing:
        volume = self.find(call, Shelf.VOLUMES, call.params["VolumeId"])
        if volume.life not in {Life.AVAILABLE, Life.CREATED}:
            raise bad_request(f"Volume {volume.id} is {volume.life}; it must be AVAILABLE or CREATED.")
        return volume

    def _change(self, volume: Thing, member: str, changes: dict[str, Any], name: str | None) -> None:
        action = volume.act("VOLUME_UPDATE", self.world.clock.now(), TargetVolumeValues={member: dict(changes)})

        def done() -> None:
            volume.shape[member] = {**volume.shape[member], **changes}
            if member == "OntapConfiguration":
                self.truth(volume).update(changes)
            volume.shape["Name"] = name or volume.shape["Name"]
            action["Status"] = "COMPLETED"

        def failed() -> None:
            action.update(Status="FAILED", FailureDetails={"Message": "The volume could not be changed."})

        self.world.transition("fsx.update-volume", volume.id, UPDATE_SECONDS, done, failed)

    def _snapshots(self, volume: Thing) -> list[Thing]:
        kept = self.shelf(volume.account, volume.region, Shelf.SNAPSHOTS).values()
        return [snapshot for snapshot in kept if snapshot.shape["VolumeId"] == volume.id]

    def new_snapshot(self, volume: Thing, name: str, tags: Iterable[Mapping[str, str]] = ()) -> Thing:
        """Keep a new snapshot of a volume, PENDING."""
        snapshot_id = new_id("fsvolsnap")
        arn = f"arn:aws:fsx:{volume.region}:{volume.account}:snapshot/{volume.id}/{snapshot_id}"
        shape = {
            "ResourceARN": arn,
            "SnapshotId": snapshot_id,
            "Name": name,
            "VolumeId": volume.id,
            "CreationTime": self.world.clock.now(),
            "Lifecycle": str(Life.PENDING),
        }
        return self.put(Shelf.SNAPSHOTS, Thing(snapshot_id, volume.account, volume.region, arn, shape), tags)

    def _source_snapshot(self, call: Call) -> Thing:
        parts = str(call.params["SourceSnapshotARN"]).split(":")
        if len(parts) < 6:
            raise bad_request(f"{call.params['SourceSnapshotARN']} is not the ARN of a snapshot.")
        if self.world.faults.region_is_down(parts[3]):
            raise AwsError("InternalServerError", f"The source snapshot in {parts[3]} could not be read.", 500)
        source = self.shelf(parts[4], parts[3], Shelf.SNAPSHOTS).get(parts[5].rpartition("/")[2])
        if source is None or source.life != Life.AVAILABLE:
            state = "does not exist" if source is None else f"is {source.life}"
            raise bad_request(f"Snapshot {call.params['SourceSnapshotARN']} {state}; it must be AVAILABLE.")
        return source

    def _check_copy(self, volume: Thing, source: Thing, options: set[str], strategy: str) -> None:
        if volume.shape["VolumeType"] != "OPENZFS":
            raise bad_request(f"{volume.id} is an ONTAP volume: replicate it with SnapMirror.")
        for thing in (volume, self.shelf(source.account, source.region, Shelf.VOLUMES)[source.shape["VolumeId"]]):
            home = self.shelf(thing.account, thing.region, Shelf.FILE_SYSTEMS)[thing.shape["FileSystemId"]]
            throughput = int(home.shape["OpenZFSConfiguration"].get("ThroughputCapacity", LEAST_THROUGHPUT_MBPS))
            if throughput < LEAST_THROUGHPUT_MBPS:
                raise bad_request(f"{home.id} has {throughput} MBps; copies need {LEAST_THROUGHPUT_MBPS}.")
        common, newer = self._compare(volume, source)
        if strategy == "INCREMENTAL_COPY" and not common:
            raise bad_request(f"{volume.id} shares no snapshot with the source: use FULL_COPY.")
        if newer and "DELETE_INTERMEDIATE_SNAPSHOTS" not in options:
            raise bad_request(f"{volume.id} has newer snapshots: give DELETE_INTERMEDIATE_SNAPSHOTS.")
        if not volume.shape["OpenZFSConfiguration"].get("ReadOnly") and "DELETE_INTERMEDIATE_DATA" not in options:
            raise bad_request(f"{volume.id} is writable and may have changed: give DELETE_INTERMEDIATE_DATA.")

    def _compare(self, volume: Thing, source: Thing) -> tuple[list[Thing], list[Thing]]:
        """Return the volume's snapshots that the source volume has too, and those made after the last of them."""
        origin = self.shelf(source.account, source.region, Shelf.VOLUMES)[source.shape["VolumeId"]]
        names = {snapshot.shape["Name"] for snapshot in self._snapshots(origin)}
        mine = self._snapshots(volume)
        common = [s for s in mine if s.shape["Name"] in names]
        latest = max((s.shape["CreationTime"] for s in common), default=None)
        others = [s for s in mine if s not in common]
        return common, [s for s in others if latest is None or s.shape["CreationTime"] > latest]

    def _start_copy(self, volume: Thing, source: Thing, strategy: str) -> None:
        running = [v for v in self.shelf(volume.account, volume.region, Shelf.VOLUMES).values() if _copying(v)]
        busy = [v for v in running if v.shape["FileSystemId"] == volume.shape["FileSystemId"]]
        if busy or len(running) >= COPIES_AT_A_TIME:
            raise too_many(f"{len(running)} snapshot copies run; one per file system.", "VOLUMES_PER_FILE_SYSTEM")
        target = {"OpenZFSConfiguration": {"SourceSnapshotARN": source.resource_arn, "CopyStrategy": strategy}}
        action = volume.act(COPYING, self.world.clock.now(), ProgressPercent=0, TargetVolumeValues=target)

        def begin() -> None:
            if action["Status"] == "PENDING":
                action["Status"] = "IN_PROGRESS"

        def done() -> None:
            if self.world.faults.region_is_down(source.region):
                failed()
                return
            for old in self._compare(volume, source)[1]:
                self.drop(Shelf.SNAPSHOTS, old)
            copied = self.new_snapshot(volume, source.shape["Name"])
            copied.life = Life.AVAILABLE
            settings = {"SourceSnapshotARN": source.resource_arn, "DestinationSnapshot": copied.id}
            volume.shape["OpenZFSConfiguration"] = {**volume.shape["OpenZFSConfiguration"], **settings}
            action.update(Status="COMPLETED", ProgressPercent=100)

        def failed() -> None:
            action.update(Status="FAILED", FailureDetails={"Message": "The source snapshot could not be read."})

        self.world.clock.after(COPY_SECONDS / 10, begin)
        self.world.transition("fsx.copy-snapshot", volume.id, COPY_SECONDS, done, failed)


def _ontap_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a new ONTAP volume; raise BadRequest."""
    settings = {"OntapVolumeType": "RW", "VolumeStyle": "FLEXVOL", "UUID": str(uuid.uuid4()), **given}
    path = settings.get("JunctionPath")
    if path is not None and not path.startswith("/"):
        raise bad_request(f"The junction path {path} must begin with a slash.")
    if "SizeInBytes" not in settings and "SizeInMegabytes" not in settings:
        raise bad_request("SizeInBytes is required.")
    settings.setdefault("SizeInBytes", settings.get("SizeInMegabytes", 0) * 2**20)
    return settings


def _copying(volume: Thing) -> bool:
    actions: list[dict[str, Any]] = volume.shape.get("AdministrativeActions", [])
    unfinished = {"PENDING", "IN_PROGRESS"}
    return any(a["AdministrativeActionType"] == COPYING and a["Status"] in unfinished for a in actions)
