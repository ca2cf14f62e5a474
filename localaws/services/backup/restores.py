"""Restore jobs: a new file system from a recovery point."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.backup.models import Job, RecoveryPoint, State, invalid, not_found

if TYPE_CHECKING:
    from localaws.world import World

RESTORE_SECONDS = 900.0
JOBS_KEPT_DAYS = 30
# The new resource exists, and the job RUNs, from here on.
CREATE_AFTER_SECONDS = 30.0


class Restores(Service):
    """Vaults, points and jobs of all accounts and Regions, and the restore operations."""

    name: ClassVar[str] = "backup"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget jobs and recovery points."""
        self._jobs: dict[tuple[str, str, str], Job] = {}
        self._tokens: dict[tuple[str, ...], Job] = {}
        self._points: dict[tuple[str, str], dict[str, RecoveryPoint]] = {}

    def points(self, account: str, region: str) -> dict[str, RecoveryPoint]:
        """Return the recovery points of an account and Region by ARN."""
        return self._points.setdefault((account, region), {})

    def point(self, call: Call, arn: str) -> RecoveryPoint:
        """Return a recovery point. Raises ResourceNotFoundException."""
        found = self.points(call.account, call.region).get(arn)
        if found is None:
            raise not_found(f"Recovery point {arn}")
        return found

    def vault(self, account: str, region: str, name: str) -> Any:
        """Return moto's vault. Raises ResourceNotFoundException."""
        found = self.world.backend("backup", account, region).vaults.get(name)
        if found is None:
            raise not_found(f"Backup vault {name}")
        return found

    def ensure_vault(self, account: str, region: str, name: str) -> None:
        """Create a vault unless it exists."""
        if name not in self.world.backend("backup", account, region).vaults:
            self.world.call("backup", "CreateBackupVault", account, region, BackupVaultName=name)

    def new_job(self, call: Call, job_id: str, shape: Mapping[str, Any]) -> Job:
        """Keep a new job of the caller's account and Region."""
        created = {"AccountId": call.account, "CreationDate": self.world.clock.now()}
        job = Job(job_id, {**created, **shape}, call.params)
        self._jobs[call.account, call.region, job_id] = job
        return job

    def add_job(self, account: str, region: str, job_id: str, shape: Mapping[str, Any]) -> None:
        """Keep a job that ended before the estate began."""
        self._jobs[account, region, job_id] = Job(job_id, {"AccountId": account, **shape})

    def listed(self, call: Call, member: str) -> list[dict[str, Any]]:
        """Return the jobs of a kind (which has `member`) that a listing asks for, newest first."""
        oldest = self.world.clock.now() - timedelta(days=JOBS_KEPT_DAYS)
        arn, state, after = (call.params.get(name) for name in ("ByResourceArn", "ByState", "ByCreatedAfter"))
        found = [
            job.shape
            for (account, region, _), job in self._jobs.items()
            if (account, region) == (call.account, call.region) and member in job.shape
            if job.shape["CreationDate"] >= oldest
            if arn in {None, job.shape.get("ResourceArn") or job.shape.get("SourceResourceArn")}
            if state in {None, job.shape.get("State") or job.shape.get("Status")}
            if after is None or job.shape["CreationDate"] >= after
        ]
        return sorted(found, key=lambda shape: shape["CreationDate"], reverse=True)

    def job(self, call: Call, member: str) -> Job:
        """Return the job named in the request. Raises ResourceNotFoundException."""
        found = self._jobs.get((call.account, call.region, call.params[member]))
        if found is None or member not in found.shape:
            raise not_found(f"Job {call.params[member]}")
        return found

    def once(self, call: Call, make: Callable[[], Job]) -> Job:
        """Make a job, or return what the same IdempotencyToken made; raise InvalidParameterValueException."""
        token = call.params.get("IdempotencyToken")
        if token is None:
            return make()
        key = (call.account, call.region, call.operation, token)
        if key not in self._tokens:
            self._tokens[key] = make()
        job = self._tokens[key]
        if job.asked != call.params:
            raise invalid(f"IdempotencyToken {token} was used before with other parameters.")
        return job

    @operation("StartRestoreJob")
    def start_restore_job(self, call: Call) -> Reply:
        """Restore a recovery point into a new file system.

        Raises: ResourceNotFoundException, MissingParameterValueException (Metadata lacks what the type needs),
            InvalidParameterValueException (the recovery point is not COMPLETED).
        """
        point = self.point(call, call.params["RecoveryPointArn"])
        metadata = dict(call.params["Metadata"])
        if point.status is not State.COMPLETED:
            raise invalid(f"Recovery point {point.arn} is {point.status}; it must be COMPLETED.")
        needed = {"EFS": ("file-system-id", "newFileSystem"), "FSx": ("SubnetIds",)}[point.kind]
        for name in needed:
            if not metadata.get(name):
                raise AwsError("MissingParameterValueException", f"Metadata lacks {name}.", Code="ERROR", Type="Client")
        job = self.once(call, lambda: self._start(call, point, metadata))
        return {"RestoreJobId": job.id}

    @operation("DescribeRestoreJob")
    def describe_restore_job(self, call: Call) -> Reply:
        """Describe a restore job. Raises ResourceNotFoundException."""
        return self.job(call, "RestoreJobId").shape

    @operation("GetRecoveryPointRestoreMetadata")
    def get_recovery_point_restore_metadata(self, call: Call) -> Reply:
        """Return the metadata the recovery point was made with. Raises ResourceNotFoundException."""
        point = self.point(call, call.params["RecoveryPointArn"])
        metadata = {"file-system-id": point.resource_arn.rpartition("/")[2]} if point.kind == "EFS" else {}
        return {
            "BackupVaultArn": point.vault_arn,
            "RecoveryPointArn": point.arn,
            "RestoreMetadata": metadata,
            "ResourceType": point.kind,
        }

    def _start(self, call: Call, point: RecoveryPoint, metadata: Mapping[str, str]) -> Job:
        shape = {
            "RestoreJobId": str(uuid.uuid4()),
            "RecoveryPointArn": point.arn,
            "SourceResourceArn": point.resource_arn,
            "BackupVaultArn": point.vault_arn,
            "RecoveryPointCreationDate": point.created_at,
            "ResourceType": point.kind,
            "IamRoleArn": call.params.get("IamRoleArn", ""),
            "Status": str(State.PENDING),
            "PercentDone": "0.00%",
        }
        job = self.new_job(call, str(shape["RestoreJobId"]), shape)

        def begin() -> None:
            if job.shape["Status"] == State.PENDING:
                self._create(call, job, point, metadata)

        def done() -> None:
            if job.shape["Status"] == State.RUNNING:
                self._end(job, State.COMPLETED, PercentDone="100.00%")

        def failed() -> None:
            self._end(job, State.FAILED, StatusMessage="The restore failed for an internal reason.")

        self.world.clock.after(CREATE_AFTER_SECONDS, begin)
        self.world.transition("backup.restore-job", point.resource_arn, RESTORE_SECONDS, done, failed)
        return job

    def _create(self, call: Call, job: Job, point: RecoveryPoint, metadata: Mapping[str, str]) -> None:
        make = self._new_efs if point.kind == "EFS" else self._new_fsx
        try:
            job.shape["CreatedResourceArn"] = make(call, point, metadata)
        except AwsError as error:
            self._end(job, State.FAILED, StatusMessage=str(error))
            return
        job.shape["Status"] = str(State.RUNNING)

    def _end(self, job: Job, status: State, **more: Any) -> None:
        job.shape |= {"Status": str(status), "CompletionDate": self.world.clock.now(), **more}

    def _new_efs(self, call: Call, point: RecoveryPoint, metadata: Mapping[str, str]) -> str:
        if metadata["newFileSystem"].lower() != "true":
            wanted = metadata["file-system-id"]
            if wanted not in self.world.backend("efs", call.account, call.region).file_systems_by_id:
                raise not_found(f"File system {wanted}")
            return f"arn:aws:elasticfilesystem:{call.region}:{call.account}:file-system/{wanted}"
        encrypted = metadata.get("Encrypted", str(point.content.get("encrypted", True))).lower() == "true"
        key = {"KmsKeyId": metadata["KmsKeyId"]} if encrypted and metadata.get("KmsKeyId") else {}
        reply = self.world.call(
            "efs",
            "CreateFileSystem",
            call.account,
            call.region,
            CreationToken=metadata.get("CreationToken") or str(uuid.uuid4()),
            PerformanceMode=metadata.get("PerformanceMode") or "generalPurpose",
            ThroughputMode=point.content.get("throughput_mode", "elastic"),
            Encrypted=encrypted,
            **key,
        )
        return str(reply["FileSystemArn"])

    def _new_fsx(self, call: Call, point: RecoveryPoint, metadata: Mapping[str, str]) -> str:
        settings = {name: _parsed(text) for name, text in metadata.items()}
        settings["SubnetIds"] = _listed(settings["SubnetIds"])
        allowed = {"SubnetIds", "SecurityGroupIds", "KmsKeyId", "StorageType", "WindowsConfiguration"}
        allowed |= {"OpenZFSConfiguration", "LustreConfiguration"}
        given = {name: value for name, value in settings.items() if name in allowed}
        backup_id = point.arn.rpartition("/")[2]
        where = (call.account, call.region)
        reply = self.world.call("fsx", "CreateFileSystemFromBackup", *where, BackupId=backup_id, **given)
        return str(reply["FileSystem"]["ResourceARN"])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
