"""Functions in a workload's VPC that ask, for the hub, what only that VPC reaches: how they are invoked and what they answer.

Their owner deploys them (stacksets/README.md). Each takes a closed list of requests and answers `{"Answer": {...}}` or
`{"Refusal": {"Code", "Message", "Remedy"}}`. A function that is not deployed is Lambda's ResourceNotFoundException.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, JsonValue

from orchestrator.errors import ConflictError, DrError, UnreachableError, UpstreamError

ABSENT = ("ResourceNotFoundException",)
"""What Lambda says of a function that is not there."""


class _Refusal(BaseModel):
    Code: str
    Message: str
    Remedy: str = ""


class _Answer(BaseModel):
    Answer: dict[str, JsonValue] | None = None
    Refusal: _Refusal | None = None


def invoked(functions: Any, name: str, event: Mapping[str, JsonValue], what: str, family: str) -> Mapping[str, Any]:
    """Return a function's answer; raise `DrError` with a code that begins with `family` when it refused or broke.

    `functions` is a Lambda client; `what` says in words what was asked of whom.
    """
    reply = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    body: bytes = reply["Payload"].read()
    if reply.get("FunctionError"):
        told = body[:300].decode(errors="replace")
        raise UnreachableError(f"{what}, broke: {told}", f"look at /aws/lambda/{name} there.", code="FunctionBroke")
    answer = _Answer.model_validate_json(body)
    if answer.Refusal is not None:
        raise _error(what, answer.Refusal, family)
    return answer.Answer or {}


_ERRORS: Mapping[str, type[DrError]] = {"Unreachable": UnreachableError, "Conflict": ConflictError}


def _error(what: str, refusal: _Refusal, family: str) -> DrError:
    kind = _ERRORS.get(refusal.Code, UpstreamError)
    remedy = refusal.Remedy or "look at it from a machine in that VPC, then retry."
    return kind(f"{what}: {refusal.Message}", remedy, code=f"{family}{refusal.Code}")
