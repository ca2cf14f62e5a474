"""The seam between the dispatcher and the service modules.

A service module subclasses `Service`, names its botocore service, and marks handlers with
`@operation("PascalCaseName")`. A handler receives a `Call` whose `params` were parsed from the wire by
botocore's model, and returns the reply in botocore's output shape (a plain dict); the dispatcher builds
the wire answer. It raises `AwsError` with the real AWS error code. Operations without a handler go to
moto unchanged. A handler may ask moto first (`self.world.moto(call)`), then amend the reply, or reach
moto's state with `self.world.backend("rds", call.account, call.region)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from localaws.wire import HttpReply
    from localaws.world import World

Reply = Mapping[str, Any]
Handler = Callable[["Call"], Reply]


@dataclass(frozen=True)
class Principal:
    """Who signed a request."""

    account: str
    arn: str
    role_name: str | None = None
    session_name: str | None = None
    session_tags: Mapping[str, str] = field(default_factory=dict)
    session_policy: Mapping[str, Any] | None = None
    source_identity: str | None = None


@dataclass(frozen=True)
class Call:
    """One API call, parsed: `service` and `operation` as botocore names them, `params` in the input shape."""

    service: str
    operation: str
    params: Mapping[str, Any]
    account: str
    region: str
    principal: Principal
    request_id: str = ""

    def with_params(self, **changes: Any) -> Call:
        """Return the same call with some parameters replaced (None removes one)."""
        merged = {**self.params, **changes}
        return replace(self, params={k: v for k, v in merged.items() if v is not None})


class AwsError(Exception):
    """An error answer, built on the wire as AWS would: `code` is the code boto3 shows."""

    def __init__(self, code: str, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details


class ConnectionLost(Exception):
    """Raised by a hook to cut the connection: the caller gets no answer at all, as when a Region is dark."""


def operation(name: str) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
    """Mark a method as the handler of the botocore operation `name`."""

    def mark(method: Callable[..., Reply]) -> Callable[..., Reply]:
        method.__dict__["aws_operation"] = name
        return method

    return mark


def observes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a method as called with `(call, reply)` after moto answered one of these operations successfully."""

    def mark(method: Callable[..., None]) -> Callable[..., None]:
        method.__dict__["aws_observed"] = names
        return method

    return mark


class DataPlane(Protocol):
    """The own HTTP interface of a service's resources (a search domain's endpoint), which no service model describes."""

    def read(self, environ: Mapping[str, Any]) -> tuple[Call, str | None] | None:
        """Return a request as a call, and the access key that signed it; None when it is not for a resource here."""

    def answer(self, call: Call) -> HttpReply:
        """Answer a request; raise `AwsError` when the caller may not ask."""

    def refuse(self, error: AwsError) -> HttpReply:
        """Build the error answer."""

    def reply(self, answer: HttpReply) -> Reply:
        """Return an answer as hooks see it."""


class Service:
    """Base of a service module: finds its handlers and observers, holds the world."""

    name: ClassVar[str]
    # Operations answered without the world's lock, because they wait for work that calls back (Lambda, long polls).
    # They guard their own state with `self.world.lock`.
    unlocked: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, world: World) -> None:
        self.world = world
        self.operations: dict[str, Handler] = {}
        self.observers: dict[str, Callable[[Call, Reply], None]] = {}
        for attribute in dir(type(self)):
            method = getattr(type(self), attribute)
            operation_name = getattr(method, "aws_operation", None)
            if operation_name is not None:
                self.operations[operation_name] = getattr(self, attribute)
            for observed in getattr(method, "aws_observed", ()):
                self.observers[observed] = getattr(self, attribute)

    def connected(self) -> None:
        """Do what needs other modules; called once when all of them exist."""

    def own_interface(self) -> DataPlane | None:
        """Return what answers the requests that go to the service's resources themselves, if any do."""
        return None

    def reset(self) -> None:
        """Forget everything; a module with state of its own overrides this."""
