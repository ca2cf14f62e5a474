"""What clients do with file systems: policies that let them in or not, and how much they write.

A policy that denies everybody takes effect after `POLICY_SECONDS`. Clients that were mounted before may be told to go on
writing all the same (`write(..., despite_policy=True)`): AWS does not say what becomes of open connections.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.efs.lifecycle import LifeCycles
from localaws.services.efs.models import LifeCycle, Protection, bad_request, wrong_life_cycle

POLICY_SECONDS = 120.0
POLICY_LIMIT = 20_000
CLIENT_WRITE = "elasticfilesystem:ClientWrite"


class Clients(LifeCycles):
    """File system policies, and the metric of what is written."""

    def write(
        self, account: str, region: str, file_system_id: str, bytes_per_minute: float, *, despite_policy: bool = False
    ) -> None:
        """Let clients write to a file system at this rate from now on, as far as they are let in."""
        file_system = self.world.backend("efs", account, region).file_systems_by_id[file_system_id]
        rates = getattr(file_system, "_rates", [])
        file_system._rates = [*rates, (self.world.clock.now(), bytes_per_minute, despite_policy)]

    @operation("DescribeFileSystemPolicy")
    def describe_file_system_policy(self, call: Call) -> Reply:
        """Return the policy that was set. Raises FileSystemNotFound, PolicyNotFound (the default one is in force)."""
        file_system = self._existing_file_system(call)
        if not file_system.file_system_policy:
            raise AwsError("PolicyNotFound", f"{file_system.file_system_id} has no policy.", 404)
        return {"FileSystemId": file_system.file_system_id, "Policy": file_system.file_system_policy}

    @operation("PutFileSystemPolicy")
    def put_file_system_policy(self, call: Call) -> Reply:
        """Replace the policy. Raises FileSystemNotFound, InvalidPolicyException, IncorrectFileSystemLifeCycleState."""
        file_system = self._available(call)
        text = call.params["Policy"]
        _check(text)
        before = _denies_writes(file_system.file_system_policy)
        file_system.file_system_policy = text
        if _denies_writes(text) and not before:
            file_system._closed_at = self.world.clock.now()
        return {"FileSystemId": file_system.file_system_id, "Policy": text}

    @operation("DeleteFileSystemPolicy")
    def delete_file_system_policy(self, call: Call) -> Reply:
        """Go back to the default policy. Raises FileSystemNotFound, IncorrectFileSystemLifeCycleState."""
        file_system = self._existing_file_system(call)
        if file_system.life_cycle_state in {LifeCycle.CREATING, LifeCycle.DELETING}:
            raise wrong_life_cycle(f"File system {file_system.file_system_id}", file_system.life_cycle_state)
        file_system.file_system_policy = None
        return {}

    def written(self, account: str, region: str, dimensions: Mapping[str, str], at: datetime) -> float | None:
        """Compute DataWriteIOBytes of the minute before `at`; minutes without writes have no datapoint."""
        backend = self.world.backend("efs", account, region)
        file_system = backend.file_systems_by_id.get(dimensions.get("FileSystemId", ""))
        if file_system is None or getattr(file_system, "_protection", Protection.ENABLED) != Protection.ENABLED:
            return None
        past = [each for each in getattr(file_system, "_rates", []) if each[0] <= at]
        if not past:
            return None
        _, rate, despite_policy = past[-1]
        if _denies_writes(file_system.file_system_policy) and not despite_policy:
            shut = file_system._closed_at + timedelta(seconds=POLICY_SECONDS)
            return None if at >= shut else rate
        return rate or None


def _check(text: str) -> None:
    if len(text) > POLICY_LIMIT:
        raise bad_request(f"The policy has {len(text)} characters, at most {POLICY_LIMIT} are allowed.")
    try:
        policy = json.loads(text)
        statements = _statements(text)
        good = (
            isinstance(policy, dict)
            and bool(statements)
            and all("Effect" in s and "Principal" in s for s in statements)
        )
    except (ValueError, TypeError, AttributeError):
        good = False
    if not good:
        raise AwsError("InvalidPolicyException", "The policy is malformed or has invalid parameters.", 400)


def _statements(text: str | None) -> list[dict[str, Any]]:
    found = json.loads(text).get("Statement", []) if text else []
    return [found] if isinstance(found, dict) else list(found)


def _denies_writes(text: str | None) -> bool:
    """Say whether a statement without conditions denies everybody to write."""
    return any(
        each["Effect"] == "Deny"
        and each["Principal"] in ("*", {"AWS": "*"})
        and not each.get("Condition")
        and CLIENT_WRITE in _listed(each.get("Action", []))
        for each in _statements(text)
    )


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
