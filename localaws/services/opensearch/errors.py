"""The refusals of a domain's own HTTP interface, in OpenSearch's form."""

from __future__ import annotations

import json
from typing import Any


class Refusal(Exception):
    """An error answer of a domain: HTTP status, OpenSearch's exception type and reason."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.status = status
        self.kind = kind
        self.reason = reason

    def body(self) -> bytes:
        """Return the JSON body."""
        cause = {"type": self.kind, "reason": self.reason}
        content: dict[str, Any] = {"error": {"root_cause": [cause], **cause}, "status": self.status}
        return json.dumps(content).encode()


def index_missing(name: str) -> Refusal:
    """Return the answer for an unknown index."""
    return Refusal(404, "index_not_found_exception", f"no such index [{name}]")


def already_there(name: str) -> Refusal:
    """Return the answer for an index name that is taken."""
    return Refusal(400, "resource_already_exists_exception", f"index [{name}] already exists")


def illegal(reason: str) -> Refusal:
    """Return the answer for arguments or a state that forbid the request."""
    return Refusal(400, "illegal_argument_exception", reason)
