"""The one object that service modules share: clock, moto, other services, faults, the call log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from localaws.accounts import Accounts
    from localaws.clock import Clock
    from localaws.faults import Faults
    from localaws.service import Call, Reply, Service


@dataclass(frozen=True)
class Fate:
    """What a fault makes of a transition: `succeed` or `fail` after `aws_seconds`, or `stick` for ever."""

    aws_seconds: float
    outcome: Literal["succeed", "fail", "stick"] = "succeed"


# Asked with kind, resource and the usual duration in AWS seconds; the first answer that is not None holds.
FateRule = Callable[[str, str, float], Fate | None]


@dataclass(frozen=True)
class LoggedCall:
    """One line of the call log, the embedded AWS's CloudTrail. `error` is None when the call succeeded."""

    at: datetime
    service: str
    operation: str
    account: str
    region: str
    principal_arn: str
    params: Any
    mutating: bool
    error: str | None
    duration_ms: float


class World(Protocol):
    """What a service module may rely on. `localaws.dispatcher.LocalAws` is the body."""

    clock: Clock
    faults: Faults
    accounts: Accounts
    call_log: list[LoggedCall]
    endpoint_url: str | None
    lock: threading.RLock

    def moto(self, call: Call) -> Reply:
        """Answer `call` with moto and return its reply in botocore's output shape; raise `AwsError`."""

    def backend(self, service: str, account: str, region: str) -> Any:
        """Return moto's backend object for a service, account and Region."""

    def service(self, name: str) -> Service:
        """Return another service module of ours, by botocore name."""

    def call(self, service: str, operation: str, account: str, region: str, **params: Any) -> Reply:
        """Make a call inside the embedded AWS as the account's root (an AWS service acting for itself)."""

    def background(self, work: Callable[[], None]) -> None:
        """Run `work` on a thread of its own, outside the world's lock: for work that waits for callbacks."""

    def transition(
        self,
        kind: str,
        resource: str,
        aws_seconds: float,
        effect: Callable[[], None],
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        """Apply `effect` after `aws_seconds`, unless a fault of the scenario makes it stick, fail or slow.

        `kind` is `service.what` (for example `rds.switchover-global-cluster`), `resource` an ARN or id.
        """
