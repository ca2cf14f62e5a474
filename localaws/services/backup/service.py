"""Recovery points of EFS and FSx file systems: taken, copied, listed; restores are in `restores`.

Timings in AWS seconds. A fault of the scenario acts on `backup.backup-job`, `backup.copy-job` and
`backup.restore-job` (resource: the ARN of the file system that was backed up).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.backup.models import Job, RecoveryPoint, State, invalid, not_found
from localaws.services.backup.restores import Restores
from localaws.services.fsx.models import Life, Shelf

if TYPE_CHECKING:
    from localaws.services.fsx import FsxService

BACKUP_SECONDS = 300.0
COPY_SECONDS = 600.0
PAGE = 1000


class BackupService(Restores):
    """AWS Backup."""

    def add_recovery_point(
        self, account: str, region: str, resource_arn: str, *, hours_ago: float = 0, vault: str = "Default"
    ) -> RecoveryPoint:
        """Put a finished recovery point of a file system into a vault: an estate starts with some."""
        self.ensure_vault(account, region, vault)
        made = self._new_point(account, region, resource_arn, vault)
        made.created_at -= timedelta(hours=hours_ago)
        return self._keep(made)

    def add_copy(self, point: RecoveryPoint, region: str, vault: str = "Default") -> RecoveryPoint:
        """Put a finished copy of a recovery point into a vault of another Region, with the job that made it."""
        self.ensure_vault(point.account, region, vault)
        made = self._keep(self._copy_of(point, point.account, region, vault))
        shape = {
            "CopyJobId": str(uuid.uuid4()),
            "SourceBackupVaultArn": point.vault_arn,
            "SourceRecoveryPointArn": point.arn,
            "DestinationBackupVaultArn": made.vault_arn,
            "DestinationRecoveryPointArn": made.arn,
            "ResourceArn": point.resource_arn,
            "ResourceType": point.kind,
            "State": str(State.COMPLETED),
            "CreationDate": point.created_at,
            "CompletionDate": point.created_at,
        }
        self.add_job(point.account, point.region, str(shape["CopyJobId"]), shape)
        return made

    @operation("DescribeBackupVault")
    def describe_backup_vault(self, call: Call) -> Reply:
        """Describe a vault. Raises ResourceNotFoundException."""
        vault = self.vault(call.account, call.region, call.params["BackupVaultName"])
        shown = {key: value for key, value in vault.to_list_dict().items() if value is not None}
        points = [p for p in self.points(call.account, call.region).values() if p.vault == vault.backup_vault_name]
        return {**shown, "VaultState": "AVAILABLE", "NumberOfRecoveryPoints": len(points)}

    @operation("ListRecoveryPointsByResource")
    def list_recovery_points_by_resource(self, call: Call) -> Reply:
        """List the recovery points of a file system, newest first; a copy belongs to the original's ARN."""
        arn = call.params["ResourceArn"]
        found = [p for p in self.points(call.account, call.region).values() if p.resource_arn == arn]
        return self._page(call, [point.by_resource() for point in _newest_first(found)])

    @operation("ListRecoveryPointsByBackupVault")
    def list_recovery_points_by_backup_vault(self, call: Call) -> Reply:
        """List the recovery points of a vault, newest first. Raises ResourceNotFoundException."""
        vault = self.vault(call.account, call.region, call.params["BackupVaultName"]).backup_vault_name
        found = [p for p in self.points(call.account, call.region).values() if p.vault == vault]
        if arn := call.params.get("ByResourceArn"):
            found = [point for point in found if point.resource_arn == arn]
        return self._page(call, [point.in_vault() for point in _newest_first(found)])

    @operation("DescribeRecoveryPoint")
    def describe_recovery_point(self, call: Call) -> Reply:
        """Describe a recovery point. Raises ResourceNotFoundException."""
        return self.point(call, call.params["RecoveryPointArn"]).in_vault()

    @operation("DeleteRecoveryPoint")
    def delete_recovery_point(self, call: Call) -> Reply:
        """Delete a recovery point. Raises ResourceNotFoundException."""
        point = self.point(call, call.params["RecoveryPointArn"])
        del self.points(call.account, call.region)[point.arn]
        if point.kind == "FSx":
            self._fsx().shelf(point.account, point.region, Shelf.BACKUPS).pop(point.arn.rpartition("/")[2], None)
        return {}

    @operation("StartBackupJob")
    def start_backup_job(self, call: Call) -> Reply:
        """Back a file system up. Raises ResourceNotFoundException for an unknown vault or file system."""
        self.vault(call.account, call.region, call.params["BackupVaultName"])

        def make() -> Job:
            arn = call.params["ResourceArn"]
            point = self._new_point(call.account, call.region, arn, call.params["BackupVaultName"])
            point.status = State.CREATING
            self._keep(point)
            shape = {
                "BackupJobId": str(uuid.uuid4()),
                "BackupVaultName": point.vault,
                "BackupVaultArn": point.vault_arn,
                "RecoveryPointArn": point.arn,
                "ResourceArn": arn,
                "ResourceType": point.kind,
                "IamRoleArn": call.params["IamRoleArn"],
            }
            job = self.new_job(call, str(shape["BackupJobId"]), shape)
            kept = self.points(call.account, call.region)
            self._run(
                job,
                "backup.backup-job",
                arn,
                BACKUP_SECONDS,
                lambda: self._complete(point),
                lambda: kept.pop(point.arn, None),
            )
            return job

        job = self.once(call, make)
        return {k: v for k, v in job.shape.items() if k in {"BackupJobId", "RecoveryPointArn", "CreationDate"}}

    @operation("ListBackupJobs")
    def list_backup_jobs(self, call: Call) -> Reply:
        """List the backup jobs of the last 30 days, newest first."""
        return self._page(call, self.listed(call, "BackupJobId"), "BackupJobs")

    @operation("DescribeBackupJob")
    def describe_backup_job(self, call: Call) -> Reply:
        """Describe a backup job. Raises ResourceNotFoundException."""
        return self.job(call, "BackupJobId").shape

    @operation("StartCopyJob")
    def start_copy_job(self, call: Call) -> Reply:
        """Copy a recovery point into a vault of another Region or account; asked on the source side.

        Raises: ResourceNotFoundException (vaults, point), InvalidParameterValueException (unfinished point),
            ServiceUnavailableException (the other Region is down).
        """
        self.vault(call.account, call.region, call.params["SourceBackupVaultName"])
        target = call.params["DestinationBackupVaultArn"].split(":")
        account, region, vault = target[4], target[3], target[6]
        if self.world.faults.region_is_down(region):
            raise AwsError("ServiceUnavailableException", f"{region} does not answer.", 503)
        self.vault(account, region, vault)
        point = self.point(call, call.params["RecoveryPointArn"])
        if point.status is not State.COMPLETED:
            raise invalid(f"Recovery point {point.arn} is {point.status}; it must be COMPLETED.")

        def make() -> Job:
            shape = {
                "CopyJobId": str(uuid.uuid4()),
                "SourceBackupVaultArn": point.vault_arn,
                "SourceRecoveryPointArn": point.arn,
                "DestinationBackupVaultArn": call.params["DestinationBackupVaultArn"],
                "ResourceArn": point.resource_arn,
                "ResourceType": point.kind,
                "IamRoleArn": call.params["IamRoleArn"],
            }
            job = self.new_job(call, str(shape["CopyJobId"]), shape)

            def copied() -> None:
                if self.world.faults.region_is_down(region) or self.world.faults.region_is_down(point.region):
                    self.fail(job, "A Region did not answer.")
                    return
                made = self._keep(self._copy_of(point, account, region, vault))
                made.created_at = self.world.clock.now()
                job.shape["DestinationRecoveryPointArn"] = made.arn

            self._run(job, "backup.copy-job", point.resource_arn, COPY_SECONDS, copied)
            return job

        job = self.once(call, make)
        return {"CopyJobId": job.id, "CreationDate": job.shape["CreationDate"]}

    @operation("ListCopyJobs")
    def list_copy_jobs(self, call: Call) -> Reply:
        """List the copy jobs that were started in this Region in the last 30 days, newest first."""
        return self._page(call, self.listed(call, "CopyJobId"), "CopyJobs")

    @operation("ListRestoreJobsByProtectedResource")
    def list_restore_jobs_by_protected_resource(self, call: Call) -> Reply:
        """List the restore jobs of a file system's recovery points in this Region, newest first."""
        asked = {"ByResourceArn": call.params["ResourceArn"], "ByState": call.params.get("ByStatus")}
        return self._page(call, self.listed(call.with_params(**asked), "RestoreJobId"), "RestoreJobs")

    @operation("DescribeCopyJob")
    def describe_copy_job(self, call: Call) -> Reply:
        """Describe a copy job. Raises ResourceNotFoundException."""
        return {"CopyJob": self.job(call, "CopyJobId").shape}

    def _run(
        self,
        job: Job,
        kind: str,
        resource: str,
        seconds: float,
        effect: Callable[[], None],
        on_failure: Callable[[], object] = lambda: None,
    ) -> None:
        def done() -> None:
            job.shape |= {"State": str(State.COMPLETED), "CompletionDate": self.world.clock.now()}
            effect()

        def failed() -> None:
            self.fail(job, "The job failed for an internal reason.")
            on_failure()

        job.shape["State"] = str(State.CREATED)
        self.world.clock.after(seconds / 10, lambda: _begin(job))
        self.world.transition(kind, resource, seconds, done, failed)

    def fail(self, job: Job, message: str) -> None:
        """End a backup or copy job as FAILED."""
        failed = {"State": str(State.FAILED), "StatusMessage": message, "CompletionDate": self.world.clock.now()}
        job.shape |= failed

    def _complete(self, point: RecoveryPoint) -> None:
        point.status = State.COMPLETED
        if point.kind == "FSx":
            backup = self._fsx().shelf(point.account, point.region, Shelf.BACKUPS)[point.arn.rpartition("/")[2]]
            backup.life = Life.AVAILABLE

    def _new_point(self, account: str, region: str, resource_arn: str, vault: str) -> RecoveryPoint:
        now = self.world.clock.now()
        content = self._content(resource_arn)
        if ":fsx:" in resource_arn:
            fsx = self._fsx()
            source = fsx.shelf(account, region, Shelf.FILE_SYSTEMS)[resource_arn.rpartition("/")[2]]
            arn = fsx.put(Shelf.BACKUPS, fsx.new_backup(source, "AWS_BACKUP")).resource_arn
        else:
            arn = f"arn:aws:backup:{region}:{account}:recovery-point:{uuid.uuid4()}"
        return RecoveryPoint(arn, account, region, vault, resource_arn, now, content)

    def _copy_of(self, point: RecoveryPoint, account: str, region: str, vault: str) -> RecoveryPoint:
        arn = f"arn:aws:backup:{region}:{account}:recovery-point:{uuid.uuid4()}"
        if point.kind == "FSx":
            fsx = self._fsx()
            source = fsx.shelf(point.account, point.region, Shelf.BACKUPS)[point.arn.rpartition("/")[2]]
            arn = fsx.put(Shelf.BACKUPS, fsx.new_copy(source, account, region)).resource_arn
        return replace(point, arn=arn, account=account, region=region, vault=vault)

    def _keep(self, point: RecoveryPoint) -> RecoveryPoint:
        self.points(point.account, point.region)[point.arn] = point
        if point.status is State.COMPLETED:
            self._complete(point)
        return point

    def _content(self, resource_arn: str) -> Mapping[str, Any]:
        """Return settings and tags of a file system. Raises ResourceNotFoundException."""
        _, _, service, region, account, tail = resource_arn.split(":", 5)
        wanted = tail.rpartition("/")[2]
        if service == "fsx":
            if wanted not in self._fsx().shelf(account, region, Shelf.FILE_SYSTEMS):
                raise not_found(resource_arn)
            return {}
        found = self.world.backend("efs", account, region).file_systems_by_id.get(wanted)
        if found is None:
            raise not_found(resource_arn)
        return {"throughput_mode": found.throughput_mode, "encrypted": found.encrypted}

    def _fsx(self) -> FsxService:
        service: Any = self.world.service("fsx")
        found: FsxService = service
        return found

    def _page(self, call: Call, found: list[dict[str, Any]], member: str = "RecoveryPoints") -> Reply:
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxResults") or PAGE)
        reply: dict[str, Any] = {member: found[start:end]}
        return {**reply, "NextToken": str(end)} if end < len(found) else reply


def _begin(job: Job) -> None:
    if job.shape["State"] == State.CREATED:
        job.shape["State"] = str(State.RUNNING)


def _newest_first(points: list[RecoveryPoint]) -> list[RecoveryPoint]:
    return sorted(points, key=lambda point: point.created_at, reverse=True)
