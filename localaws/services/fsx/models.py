"""Things of FSx: each keeps its description in the API's own shape, `Lifecycle` included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError


class Life(StrEnum):
    """Values of `Lifecycle`, of whatever thing."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    CREATED = "CREATED"
    AVAILABLE = "AVAILABLE"
    TRANSFERRING = "TRANSFERRING"
    COPYING = "COPYING"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    DELETED = "DELETED"
    FAILED = "FAILED"
    EXECUTING = "EXECUTING"
    SUCCEEDED = "SUCCEEDED"


class Shelf(StrEnum):
    """Where moto's backend (or we, on it) keeps things of a kind."""

    FILE_SYSTEMS = "file_systems"
    BACKUPS = "backups"
    VOLUMES = "volumes"
    SNAPSHOTS = "snapshots"
    MACHINES = "storage_virtual_machines"
    ASSOCIATIONS = "associations"
    TASKS = "tasks"


@dataclass(eq=False)
class Thing:
    """A file system, backup, volume ... of an account and Region."""

    id: str
    account: str
    region: str
    resource_arn: str
    shape: dict[str, Any]
    # What an API description does not tell: the base of incremental copies, for example.
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def life(self) -> str:
        """Return the lifecycle state."""
        return str(self.shape["Lifecycle"])

    @life.setter
    def life(self, state: Life) -> None:
        self.shape["Lifecycle"] = str(state)

    def fail(self, message: str) -> None:
        """Put the thing into FAILED, with the reason where its kind shows one."""
        self.life = Life.FAILED
        place = "LifecycleTransitionReason" if self.shape.keys() & {"VolumeType", "Subtype"} else "FailureDetails"
        self.shape[place] = {"Message": message}

    def act(self, kind: str, at: datetime, **more: Any) -> dict[str, Any]:
        """Put an administrative action in front of the thing's list and return it."""
        action = {"AdministrativeActionType": kind, "RequestTime": at, "Status": "PENDING", **more}
        self.shape.setdefault("AdministrativeActions", []).insert(0, action)
        return action


ONTAP_PATH = "/_ontap/"


def management_endpoint(server: str | None, file_system_id: str, region: str) -> str:
    """Return where an ONTAP file system is managed: a path of our server if there is one, else the name AWS would give."""
    if server is None:
        return f"management.{file_system_id}.fsx.{region}.amazonaws.com"
    return f"{server.partition('://')[2]}{ONTAP_PATH}{file_system_id}.{region}"


def new_id(prefix: str) -> str:
    """Return an id as FSx makes them, for example `fs-0123456789abcdef0`."""
    return f"{prefix}-0{mock_random.get_random_hex(16)}"


def pick(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the given values under these names."""
    return {name: given[name] for name in names if given.get(name) is not None}


def bad_request(message: str) -> AwsError:
    """Return a BadRequest error."""
    return AwsError("BadRequest", message)


def unsupported(message: str) -> AwsError:
    """Return an UnsupportedOperation error."""
    return AwsError("UnsupportedOperation", message)


def too_many(message: str, limit: str) -> AwsError:
    """Return a ServiceLimitExceeded error; `limit` is one of the API's ServiceLimit values."""
    return AwsError("ServiceLimitExceeded", message, Limit=limit)
