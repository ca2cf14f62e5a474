"""Step Functions' requests and replies: checks, pages, and moto's records in the API's shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import ExecutionStatus

from localaws.service import AwsError, Call

if TYPE_CHECKING:
    from localaws.stepfunctions_patches.execution import TrackedExecution

LARGEST_INPUT_BYTES = 262_144
REDRIVABLE = timedelta(days=14)
REDRIVABLE_EVENTS = 24_999
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


def check_name(name: str) -> None:
    """Raise InvalidName unless an execution may be called so."""
    if not _NAME.fullmatch(name):
        raise AwsError("InvalidName", f"Invalid Name: '{name}'")


def status_detail(execution: TrackedExecution) -> dict[str, Any]:
    """Return the detail of a status-change event, times in milliseconds."""
    described = execution.describe()
    names = ("executionArn", "stateMachineArn", "stateMachineVersionArn", "stateMachineAliasArn", "name", "status")
    detail = {name: described.get(name) for name in (*names, "input", "output", "error", "cause")}
    for name, instant in (("startDate", execution.start_date), ("stopDate", execution.stop_date)):
        detail[name] = int(instant.timestamp() * 1000) if instant else None
    detail["inputDetails"] = {"included": True}
    detail["outputDetails"] = {"included": True} if detail["output"] else None
    return detail


def not_redrivable(execution: TrackedExecution, now: datetime) -> str | None:
    """Return why an execution cannot be redriven, in the words of redriveStatusReason; None when it can."""
    if execution.map_run_arn:
        return "Execution is a child of a Map Run and is redriven with its parent"
    if execution.exec_status in {ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED}:
        return f"Execution is {execution.exec_status.value} and cannot be redriven"
    if execution.stop_date is not None and now - execution.stop_date > REDRIVABLE:
        return "Execution redrivable period exceeded"
    if execution.env.event_manager._event_id_gen._next_id >= REDRIVABLE_EVENTS:
        return "Execution history event limit exceeded"
    return None


def check_input(text: str) -> None:
    """Raise InvalidExecutionInput unless the text is JSON of at most 256 KiB."""
    if len(text.encode()) > LARGEST_INPUT_BYTES:
        raise AwsError(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: over {LARGEST_INPUT_BYTES} bytes"
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


def listed(execution: TrackedExecution) -> dict[str, Any]:
    """Return an execution as ListExecutions shows it."""
    described = execution.describe()
    keys = (
        *("executionArn", "stateMachineArn", "stateMachineVersionArn", "stateMachineAliasArn", "name"),
        *("status", "startDate", "stopDate", "mapRunArn", "redriveCount"),
    )
    return {key: described[key] for key in keys if key in described}


def page(items: Sequence[Any], call: Call) -> tuple[list[Any], str | None]:
    """Return one page of a list and the token of the next."""
    token = call.params.get("nextToken")
    if token and not re.fullmatch(r"page-\d+", token):
        raise AwsError("InvalidToken", f"Invalid Token: '{token}'")
    start = int(token[5:]) if token else 0
    size = call.params.get("maxResults") or (1000 if call.operation == "GetExecutionHistory" else 100)
    end = start + size
    return list(items[start:end]), f"page-{end}" if end < len(items) else None


def history_event(event: dict[str, Any], data: bool) -> dict[str, Any]:  # noqa: FBT001 - the API's own flag
    """Return a history event in the API's shape, with or without its data."""
    shown = {key: value for key, value in event.items() if value is not None}
    shown["timestamp"] = _instant(shown["timestamp"])
    shown["type"] = str(getattr(shown["type"], "value", shown["type"]))
    if data:
        return shown
    hidden = {"input", "output", "parameters"}
    return {
        key: {k: v for k, v in value.items() if k not in hidden} if isinstance(value, dict) else value
        for key, value in shown.items()
    }


def dated(record: dict[str, Any]) -> dict[str, Any]:
    """Return a Map Run's record in the API's shape."""
    shown = dict(record)
    for key in ("startDate", "stopDate"):
        if key in shown:
            shown[key] = _instant(shown[key])
    if "status" in shown:
        shown["status"] = str(getattr(shown["status"], "value", shown["status"]))
    return shown


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
