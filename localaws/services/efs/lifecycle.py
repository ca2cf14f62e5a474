"""File systems, mount targets and access points: moto keeps them, here they take their time.

Timings in AWS seconds. A fault of the scenario acts on `efs.create-file-system`, `efs.update-file-system`,
`efs.create-mount-target` and `efs.create-access-point` (resource: the id).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.efs.models import (
    LifeCycle,
    Protection,
    Side,
    bad_request,
    file_system_not_found,
    wrong_life_cycle,
)

if TYPE_CHECKING:
    from localaws.services.efs.replication import Replications
    from localaws.world import World

CREATE_SECONDS = 5.0
UPDATE_SECONDS = 10.0
DELETE_SECONDS = 10.0
MOUNT_SECONDS = 90.0
UNMOUNT_SECONDS = 30.0
ACCESS_POINT_SECONDS = 5.0


class LifeCycles(Service):
    """Creation, change and deletion."""

    name: ClassVar[str] = "efs"
    replications: Replications

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget access points that are starting; moto knows only available ones."""
        self._access_points: dict[str, LifeCycle] = {}

    def settle(self, account: str, region: str) -> None:
        """Make everything in a Region available at once: an estate starts with what is up."""
        backend = self.world.backend("efs", account, region)
        for thing in (*backend.file_systems_by_id.values(), *backend.mount_targets_by_id.values()):
            thing.life_cycle_state = LifeCycle.AVAILABLE
        for access_point_id in backend.access_points:
            self._access_points.pop(access_point_id, None)

    @operation("CreateFileSystem")
    def create_file_system(self, call: Call) -> Reply:
        """Create a file system. Raises FileSystemAlreadyExists, with its id, for a token used before."""
        backend = self._backend(call)
        token = call.params["CreationToken"]
        for known in backend.file_systems_by_id.values():
            if known.creation_token == token:
                message = f"File system '{known.file_system_id}' already exists with creation token '{token}'"
                raise AwsError("FileSystemAlreadyExists", message, 409, FileSystemId=known.file_system_id)
        reply = self.world.moto(call)
        made = backend.file_systems_by_id[reply["FileSystemId"]]
        made.creation_time = self.world.clock.now().timestamp()
        made.life_cycle_state = LifeCycle.CREATING
        self._walk("efs.create-file-system", made.file_system_id, CREATE_SECONDS, made)
        return self._shown(backend, {**reply, "LifeCycleState": str(LifeCycle.CREATING)})

    @operation("DescribeFileSystems")
    def describe_file_systems(self, call: Call) -> Reply:
        """List file systems with their protection."""
        if wanted := call.params.get("FileSystemId"):
            call = call.with_params(FileSystemId=wanted.rpartition("/")[2])
        reply = self.world.moto(call)
        backend = self._backend(call)
        return {**reply, "FileSystems": [self._shown(backend, entry) for entry in reply["FileSystems"]]}

    @operation("UpdateFileSystem")
    def update_file_system(self, call: Call) -> Reply:
        """Change the throughput mode. Raises FileSystemNotFound, IncorrectFileSystemLifeCycleState, BadRequest."""
        file_system = self._available(call)
        mode = call.params.get("ThroughputMode") or file_system.throughput_mode
        throughput = call.params.get("ProvisionedThroughputInMibps")
        if (mode == "provisioned") != (throughput is not None):
            raise bad_request("ProvisionedThroughputInMibps belongs to ThroughputMode provisioned, and only there.")
        file_system.throughput_mode, file_system.provisioned_throughput_in_mibps = mode, throughput
        file_system.life_cycle_state = LifeCycle.UPDATING
        self._walk("efs.update-file-system", file_system.file_system_id, UPDATE_SECONDS, file_system)
        where = (call.account, call.region)
        described = self.world.call("efs", "DescribeFileSystems", *where, FileSystemId=file_system.file_system_id)
        shown: Reply = described["FileSystems"][0]
        return shown

    @operation("DeleteFileSystem")
    def delete_file_system(self, call: Call) -> Reply:
        """Delete a file system. Raises FileSystemInUse while it has mount targets or replicates."""
        file_system = self._existing_file_system(call)
        side = Side(call.account, call.region, file_system.file_system_id)
        if self.replications.of(side) is not None:
            raise _in_use(f"{side.file_system_id} is part of a replication configuration: delete that first.")
        if file_system.number_of_mount_targets:
            raise _in_use(f"{side.file_system_id} has mount targets: delete them first.")
        file_system.life_cycle_state = LifeCycle.DELETING
        backend = self._backend(call)

        def gone() -> None:
            if backend.file_systems_by_id.get(side.file_system_id) is file_system:
                backend.delete_file_system(side.file_system_id)

        self.world.transition("efs.delete-file-system", side.file_system_id, DELETE_SECONDS, gone)
        return {}

    @operation("CreateMountTarget")
    def create_mount_target(self, call: Call) -> Reply:
        """Create a mount target, one per zone. Raises MountTargetConflict, SubnetNotFound and others."""
        self._available(call)
        reply = self.world.moto(call)
        made = self._backend(call).mount_targets_by_id[reply["MountTargetId"]]
        made.life_cycle_state = LifeCycle.CREATING
        self._walk("efs.create-mount-target", made.mount_target_id, MOUNT_SECONDS, made)
        return {**reply, "LifeCycleState": str(LifeCycle.CREATING)}

    @operation("DeleteMountTarget")
    def delete_mount_target(self, call: Call) -> Reply:
        """Delete a mount target; it is `deleting` for a while. Raises MountTargetNotFound."""
        backend, wanted = self._backend(call), call.params["MountTargetId"]
        mount_target = backend.mount_targets_by_id.get(wanted)
        if mount_target is None:
            raise AwsError("MountTargetNotFound", f"Mount target '{wanted}' does not exist.", 404)
        if mount_target.life_cycle_state == LifeCycle.DELETING:
            return {}
        mount_target.life_cycle_state = LifeCycle.DELETING

        def gone() -> None:
            if backend.mount_targets_by_id.get(wanted) is mount_target:
                backend.delete_mount_target(wanted)

        self.world.transition("efs.delete-mount-target", wanted, UNMOUNT_SECONDS, gone)
        return {}

    @operation("CreateAccessPoint")
    def create_access_point(self, call: Call) -> Reply:
        """Create an access point. Raises AccessPointAlreadyExists, with its id, for a token used before."""
        self._available(call)
        backend, token = self._backend(call), call.params["ClientToken"]
        for known in backend.access_points.values():
            if known.client_token == token:
                message = f"Access point {known.access_point_id} already exists with client token {token}."
                raise AwsError("AccessPointAlreadyExists", message, 409, AccessPointId=known.access_point_id)
        reply = self.world.moto(call)
        made = str(reply["AccessPointId"])
        self._access_points[made] = LifeCycle.CREATING
        self.world.transition(
            "efs.create-access-point",
            made,
            ACCESS_POINT_SECONDS,
            lambda: self._started(made),
            lambda: self._access_points.update({made: LifeCycle.ERROR}),
        )
        return self._access_point(reply)

    @operation("DescribeAccessPoints")
    def describe_access_points(self, call: Call) -> Reply:
        """List access points of the Region, of a file system, or one. Raises AccessPointNotFound."""
        reply = self.world.moto(call)
        return {**reply, "AccessPoints": [self._access_point(entry) for entry in reply["AccessPoints"]]}

    def _started(self, access_point_id: str) -> None:
        self._access_points.pop(access_point_id, None)

    def _access_point(self, entry: Reply) -> Reply:
        state = self._access_points.get(entry["AccessPointId"], LifeCycle.AVAILABLE)
        return {**{k: v for k, v in entry.items() if v is not None}, "LifeCycleState": str(state)}

    def _walk(self, kind: str, resource: str, seconds: float, thing: Any) -> None:
        """Leave a transitional state for `available`, or for `error`."""
        before = thing.life_cycle_state

        def reach(state: LifeCycle) -> None:
            if thing.life_cycle_state == before:
                thing.life_cycle_state = state

        ready, failed = partial(reach, LifeCycle.AVAILABLE), partial(reach, LifeCycle.ERROR)
        self.world.transition(kind, resource, seconds, ready, failed)

    def _shown(self, backend: Any, entry: Reply) -> Reply:
        file_system = backend.file_systems_by_id.get(entry["FileSystemId"])
        protection = getattr(file_system, "_protection", Protection.ENABLED)
        return {**entry, "FileSystemProtection": {"ReplicationOverwriteProtection": str(protection)}}

    def _backend(self, call: Call) -> Any:
        return self.world.backend("efs", call.account, call.region)

    def _existing_file_system(self, call: Call) -> Any:
        wanted = str(call.params["FileSystemId"]).rpartition("/")[2]
        found = self._backend(call).file_systems_by_id.get(wanted)
        if found is None:
            raise file_system_not_found(wanted)
        return found

    def _available(self, call: Call) -> Any:
        found = self._existing_file_system(call)
        if found.life_cycle_state != LifeCycle.AVAILABLE:
            raise wrong_life_cycle(f"File system {found.file_system_id}", found.life_cycle_state)
        return found


def _in_use(message: str) -> AwsError:
    return AwsError("FileSystemInUse", message, 409)
