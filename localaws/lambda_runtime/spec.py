"""What to run, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """A session of the function's execution role."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True)
class FunctionSpec:
    """One version of one function, complete enough to run it. `revision` changes with code or configuration."""

    account: str
    region: str
    name: str
    version: str
    arn: str
    handler: str
    runtime: str
    role_arn: str
    code_hash: str
    revision: str
    timeout_seconds: float
    memory_mb: int
    log_group: str
    log_format: str
    variables: Mapping[str, str] = field(default_factory=dict)
    layer_hashes: tuple[str, ...] = ()
    log_level: str | None = None
    vpc: str = ""
    """The VPC it runs in, if any."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the identity of the worker pool: the same name in another Region is another function."""
        return (self.account, self.region, self.name, self.version)


@dataclass(frozen=True)
class Outcome:
    """The result of one invocation. `error` is None or the X-Amz-Function-Error value."""

    request_id: str
    payload: bytes
    error: str | None = None
    log_tail: str = ""
    cold: bool = False
    duration_ms: float = 0.0


class TooManyRequestsError(Exception):
    """No worker may be started: reserved concurrency is used up or zero."""
