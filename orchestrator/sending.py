"""What of a step's call is sent: plain values, and nothing that an earlier step has yet to reveal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.contract import Later
from orchestrator.errors import UpstreamError


def sendable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as botocore takes them; raise `UpstreamError` for one that still waits for its value."""
    return {name: _plain(value, name) for name, value in params.items()}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Later):
        raise UpstreamError(f'parameter {where} still waits for "{value.what}".', "this is a defect of the adapter.")
    if isinstance(value, Mapping):
        return {k: _plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, where) for v in value]
    return value
