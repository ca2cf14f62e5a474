"""Task tokens: one per attempt of a callback task, redeemable in its own account and Region only."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from concurrent.futures import Future
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcomeFailure,
    CallbackOutcomeFailureError,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from localaws.service import AwsError
from localaws.stepfunctions_patches.engine import Cancellable, Engine, current

_PREFIX = "AQCUAAAAKgAAAAMAAAAAAAAAA"
_FORM = re.compile(rf"{_PREFIX}[A-Za-z0-9_=-]{{64,}}")
LARGEST_OUTPUT_BYTES = 262_144


class Token:
    """A task that waits for its callback. `answer` gets the task's output."""

    def __init__(self, account: str, region: str, execution_arn: str) -> None:
        self.value = _PREFIX + base64.urlsafe_b64encode(os.urandom(240)).decode()
        self.account = account
        self.region = region
        self.execution_arn = execution_arn
        self.answer: Future[Any] = Future()
        self.closed = False
        self._lock = threading.Lock()
        self._heartbeat_seconds: float | None = None
        self._timer: Cancellable | None = None

    def succeed(self, output: Any) -> None:
        """Give the task its output (JSON value)."""
        self._settle(lambda: self.answer.set_result(output))

    def fail(self, error: str | None, cause: str | None) -> None:
        """Fail the task with an error name and a cause."""
        outcome = CallbackOutcomeFailure(callback_id=self.value, error=error, cause=cause)
        self._settle(lambda: self.answer.set_exception(CallbackOutcomeFailureError(outcome)))

    def expect_heartbeats(self, seconds: float) -> None:
        """Fail the task unless `beat` is called every `seconds`."""
        self._heartbeat_seconds = seconds
        self.beat()

    def beat(self) -> None:
        """Take a sign of life. Raises TaskTimedOut when the task is over."""
        with self._lock:
            self._require_open()
            if self._timer is not None:
                self._timer.cancel()
            if self._heartbeat_seconds is not None:
                engine = current()
                self._timer = engine.after(self._heartbeat_seconds, self._miss, engine.callback_speed)

    def close(self) -> None:
        """End the attempt: the token is worth nothing from now on."""
        with self._lock:
            self.closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _miss(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(HeartbeatTimeoutError())

    def _settle(self, settle: Any) -> None:
        with self._lock:
            self._require_open()
            settle()

    def _require_open(self) -> None:
        if self.closed or self.answer.done():
            raise AwsError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def is_callback(state: Any) -> bool:
    """Return whether a state is a task that waits for a token."""
    resource = getattr(state, "resource", None)
    return bool(getattr(resource, "condition", None) == ResourceCondition.WaitForTaskToken)


def open_token(env: Environment) -> Token:
    """Make a token for one attempt of a task and put it into the context object."""
    engine = current()
    details = env.aws_execution_details
    context = env.states.context_object.context_object_data
    token = Token(details.account, details.region, context["Execution"]["Id"])
    engine.tokens[token.value] = token
    context["Task"] = {"Token": token.value}
    return token


def close_token(token: Token | None) -> None:
    """End an attempt."""
    if token is not None:
        token.close()


def find(engine: Engine, value: str, account: str, region: str) -> Token:
    """Return an open or closed token. Raises InvalidToken, TaskDoesNotExist."""
    if not _FORM.fullmatch(value):
        raise AwsError("InvalidToken", "Invalid Token: 'Invalid token'")
    token = engine.tokens.get(value)
    if token is None or (token.account, token.region) != (account, region):
        raise AwsError("TaskDoesNotExist", "Task does not exist")
    return token


def parse_output(text: str) -> Any:
    """Read the output of SendTaskSuccess. Raises InvalidOutput."""
    if len(text.encode()) > LARGEST_OUTPUT_BYTES:
        raise AwsError("InvalidOutput", f"Invalid Output: 'size exceeds {LARGEST_OUTPUT_BYTES} bytes'")
    try:
        return json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidOutput", f"Invalid Output: '{error}'") from error
