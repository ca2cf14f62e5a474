"""The call log: the embedded AWS's CloudTrail."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localaws.world import LoggedCall

READ_PREFIXES = (
    "BatchGet",
    "Describe",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "TransactGet",
    "Validate",
)
# Calls that change nothing in the estate although their names do not say so, and the other way round.
READS = {
    ("sts", "AssumeRole"),
    ("sqs", "ReceiveMessage"),
    ("ssm", "GetParameters"),
    ("kms", "Decrypt"),
    ("opensearch", "ESHttpGet"),
    ("opensearch", "ESHttpHead"),
}
WRITES = {("stepfunctions", "GetActivityTask")}
LONGEST_BLOB_BYTES = 256
KEPT = 200_000


def is_mutating(service: str, operation: str) -> bool:
    """Say whether a call changes something, judged by its name; to invoke a function is a write, as in IAM's access levels."""
    if (service, operation) in READS:
        return False
    return (service, operation) in WRITES or not operation.startswith(READ_PREFIXES)


def loggable(value: Any) -> Any:
    """Return parameters with long binary values replaced by their length."""
    if isinstance(value, bytes | bytearray) and len(value) > LONGEST_BLOB_BYTES:
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {key: loggable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [loggable(item) for item in value]
    return value


def as_json(calls: Sequence[LoggedCall], since: int) -> str:
    """Return the calls from number `since` on as a JSON document with the number to ask for next."""
    lines = [dataclasses.asdict(call) for call in calls[since:]]
    return json.dumps({"next": since + len(lines), "calls": lines}, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    return str(value)
