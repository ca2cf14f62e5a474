"""The FSx service: data repositories here, the rest inherited.

Timings in AWS seconds. A fault of the scenario acts on `fsx.create-data-repository-association` and
`fsx.data-repository-task` (resource: the id).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudwatch.service import CloudWatchService
from localaws.services.fsx.base import of
from localaws.services.fsx.mirrors import Mirrors
from localaws.services.fsx.models import Life, Shelf, Thing, new_id, pick, unsupported
from localaws.services.fsx.ontap import OntapRest

if TYPE_CHECKING:
    from localaws.world import World

ASSOCIATION_SECONDS = 120.0
TASK_SECONDS = 180.0


class FsxService(Mirrors):
    """Amazon FSx."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/FSx", self._metric)

    def own_interface(self) -> OntapRest:
        """Return what answers at the management endpoints of ONTAP file systems."""
        return OntapRest(self)

    def write(self, written: Thing, bytes_per_minute: float) -> None:
        """Let clients write to a file system, or an ONTAP volume, at this rate from now on."""
        written.notes.setdefault("writes", []).append((self.world.clock.now(), bytes_per_minute))

    def _metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime
    ) -> float | None:
        kind, key = (Shelf.VOLUMES, "VolumeId") if "VolumeId" in dimensions else (Shelf.FILE_SYSTEMS, "FileSystemId")
        found = self.shelf(account, region, kind).get(dimensions.get(key, ""))
        if found is None or name != "DataWriteBytes" or found.life not in {Life.AVAILABLE, Life.CREATED}:
            return None
        rates = [rate for since, rate in found.notes.get("writes", []) if since <= at]
        return float(rates[-1]) if rates else 0.0

    @operation("CreateDataRepositoryAssociation")
    def create_data_repository_association(self, call: Call) -> Reply:
        """Link a path of a Lustre file system to S3. Raises FileSystemNotFound, UnsupportedOperation."""
        file_system = self._lustre(call)

        def make() -> Thing:
            association_id = new_id("dra")
            shape = {
                "AssociationId": association_id,
                "ResourceARN": f"arn:aws:fsx:{call.region}:{call.account}:association/{file_system.id}/{association_id}",
                "FileSystemId": file_system.id,
                "Lifecycle": str(Life.CREATING),
                "CreationTime": self.world.clock.now(),
                "FileSystemPath": "/",
                **pick(call.params, "FileSystemPath", "DataRepositoryPath", "BatchImportMetaDataOnCreate", "S3"),
            }
            made = Thing(association_id, call.account, call.region, str(shape["ResourceARN"]), shape)
            self.put(Shelf.ASSOCIATIONS, made, call.params.get("Tags") or [])
            self.walk("fsx.create-data-repository-association", made, ASSOCIATION_SECONDS, Life.AVAILABLE)
            return made

        return {"Association": self.shown(self.once(call, make))}

    @operation("DescribeDataRepositoryAssociations")
    def describe_data_repository_associations(self, call: Call) -> Reply:
        """List associations. Raises DataRepositoryAssociationNotFound."""
        filters = {"file-system-id": of("FileSystemId")}
        return self.listed(call, Shelf.ASSOCIATIONS, "AssociationIds", "Associations", filters)

    @operation("CreateDataRepositoryTask")
    def create_data_repository_task(self, call: Call) -> Reply:
        """Start an import or export. Raises FileSystemNotFound, UnsupportedOperation, DataRepositoryTaskExecuting."""
        file_system = self._lustre(call)

        def make() -> Thing:
            for task in self.shelf(call.account, call.region, Shelf.TASKS).values():
                if of("FileSystemId")(task) == file_system.id and task.life in {Life.PENDING, Life.EXECUTING}:
                    raise AwsError("DataRepositoryTaskExecuting", f"Task {task.id} is {task.life}.")
            task_id = new_id("task")
            shape = {
                "TaskId": task_id,
                "ResourceARN": f"arn:aws:fsx:{call.region}:{call.account}:task/{task_id}",
                "Lifecycle": str(Life.PENDING),
                "CreationTime": self.world.clock.now(),
                **pick(call.params, "Type", "FileSystemId", "Paths", "Report"),
            }
            made = Thing(task_id, call.account, call.region, str(shape["ResourceARN"]), shape)
            self.put(Shelf.TASKS, made, call.params.get("Tags") or [])
            self.pass_through(made, TASK_SECONDS / 10, Life.PENDING, Life.EXECUTING)
            self.walk("fsx.data-repository-task", made, TASK_SECONDS, Life.SUCCEEDED, lambda: self._ended(made))
            return made

        return {"DataRepositoryTask": self.shown(self.once(call, make))}

    def _ended(self, task: Thing) -> None:
        task.shape["EndTime"] = self.world.clock.now()
        task.shape["Status"] = {"TotalCount": 1, "SucceededCount": 1, "FailedCount": 0}

    @operation("DescribeDataRepositoryTasks")
    def describe_data_repository_tasks(self, call: Call) -> Reply:
        """List tasks. Raises DataRepositoryTaskNotFound."""
        filters = {"file-system-id": of("FileSystemId"), "task-lifecycle": of("Lifecycle")}
        return self.listed(call, Shelf.TASKS, "TaskIds", "DataRepositoryTasks", filters)

    def _lustre(self, call: Call) -> Thing:
        found = self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"])
        if found.shape["FileSystemType"] != "LUSTRE":
            raise unsupported(f"{found.id} is {found.shape['FileSystemType']}: data repositories belong to Lustre.")
        return found
