"""Recovery points and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.service import AwsError

KINDS = {"elasticfilesystem": "EFS", "fsx": "FSx"}


class State(StrEnum):
    """States of jobs and of recovery points."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CREATING = "CREATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(eq=False)
class RecoveryPoint:
    """A backup in a vault. `content` is what a restore needs: the file system's settings and tags."""

    arn: str
    account: str
    region: str
    vault: str
    resource_arn: str
    created_at: datetime
    content: Mapping[str, Any]
    status: State = State.COMPLETED
    key_arn: str | None = None

    @property
    def kind(self) -> str:
        """Return the ResourceType as AWS Backup writes it."""
        return KINDS[self.resource_arn.split(":")[2]]

    @property
    def vault_arn(self) -> str:
        """Return the ARN of the vault."""
        return f"arn:aws:backup:{self.region}:{self.account}:backup-vault:{self.vault}"

    def by_resource(self) -> dict[str, Any]:
        """Return the RecoveryPointByResource."""
        shown = {
            "RecoveryPointArn": self.arn,
            "CreationDate": self.created_at,
            "Status": str(self.status),
            "BackupVaultName": self.vault,
            "EncryptionKeyArn": self.key_arn,
            "IsParent": False,
        }
        return {key: value for key, value in shown.items() if value is not None}

    def in_vault(self) -> dict[str, Any]:
        """Return what a vault shows of the point."""
        more = {"BackupVaultArn": self.vault_arn, "ResourceArn": self.resource_arn, "ResourceType": self.kind}
        return {**self.by_resource(), **more}


@dataclass(eq=False)
class Job:
    """A backup, copy or restore job: its description in the API's shape, and which request made it."""

    id: str
    shape: dict[str, Any]
    asked: Mapping[str, Any] = field(default_factory=dict)


def not_found(what: str) -> AwsError:
    """Return a ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", f"{what} does not exist.", Code="ERROR", Type="Client")


def invalid(message: str) -> AwsError:
    """Return an InvalidParameterValueException."""
    return AwsError("InvalidParameterValueException", message, Code="ERROR_2603", Type="Client")
