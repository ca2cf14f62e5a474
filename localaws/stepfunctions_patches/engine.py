"""What the patched interpreter runs on: clock, calls, executions, task tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from localaws.acting import act, client_error, role_principal
from localaws.clock import ManualClock
from localaws.service import AwsError, Reply
from localaws.stepfunctions_patches.timers import Timers

if TYPE_CHECKING:
    from localaws.clock import Clock
    from localaws.stepfunctions_patches.execution import TrackedExecution
    from localaws.stepfunctions_patches.tokens import Token


class Cancellable(Protocol):
    """A timer."""

    def cancel(self) -> None:
        """Make it never fire."""


class Engine:
    """One embedded AWS's Step Functions.

    `callback_speed`: AWS seconds per second for the timeouts and heartbeats of callback tasks; None follows
    the clock. `on_change` hears every change of an execution's status.
    """

    def __init__(self, local: Any, callback_speed: float | None = None) -> None:
        self.local = local
        self.callback_speed = callback_speed
        self.executions: dict[str, TrackedExecution] = {}
        self.tokens: dict[str, Token] = {}
        self.on_change: Callable[[TrackedExecution], None] = lambda _execution: None
        self.start_child: Callable[..., TrackedExecution]
        self.timers = Timers()
        self.lock = threading.RLock()

    @property
    def clock(self) -> Clock:
        """Return the clock of the embedded AWS."""
        clock: Clock = self.local.clock
        return clock

    def after(self, aws_seconds: float, call: Callable[[], None], speed: float | None = None) -> Cancellable:
        """Call `call` after `aws_seconds` of AWS time; `speed` replaces the clock's speed."""
        clock = self.clock
        if isinstance(clock, ManualClock):
            return clock.after(aws_seconds / (speed or 1.0), call)
        return self.timers.after(aws_seconds / (speed or clock.speed), call)

    def after_wall(self, seconds: float, call: Callable[[], None]) -> Cancellable:
        """Call `call` after `seconds` that no clock speeds up: what workers really take."""
        return self.timers.after(seconds, call)

    def call(self, role_arn: str, session: str, service: str, operation: str, region: str, params: Any) -> Reply:
        """Make a call with the state machine's role; raises botocore's ClientError as a client would."""
        try:
            return act(self.local, role_principal(role_arn, session), service, operation, region, **params)
        except AwsError as error:
            raise client_error(error, operation) from error

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Run work that may take long on a thread of its own, which nobody waits for at exit."""
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                answer.set_exception(error)
            else:
                answer.set_result(result)

        threading.Thread(target=run, name="stepfunctions-invoke", daemon=True).start()
        return answer


_engine: Engine | None = None


def use(engine: Engine) -> None:
    """Make `engine` the one that the patched interpreter runs on; what ran on the one before is stopped."""
    global _engine  # noqa: PLW0603 - the interpreter's classes are module globals, so is what they run on
    before, _engine = _engine, engine
    if before is not None:
        before.on_change = lambda _execution: None
        for execution in list(before.executions.values()):
            execution.halt(error=None, cause="the embedded AWS was started anew")


def current() -> Engine:
    """Return the engine in use."""
    if _engine is None:
        raise RuntimeError("Step Functions is not installed: call localaws.stepfunctions_patches.install")
    return _engine
