"""One execution environment: a forked process and the Runtime API that it, and only it, talks to."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from localaws import pace
from localaws.lambda_runtime.connection import ClosedError, Connection, Request
from localaws.lambda_runtime.logs import WorkerLog

_API = "/2018-06-01/runtime"


@dataclass
class Invocation:
    """One event on its way through a worker. `answer` gets (payload, error) with error None for success."""

    payload: bytes
    function_arn: str
    timeout_seconds: float
    client_context: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: Future[tuple[bytes, str | None]] = field(default_factory=Future)

    def finish(self, payload: bytes, error: str | None) -> None:
        """Record the first answer; a late one is dropped, as when a timed-out worker still speaks."""
        if not self.answer.done():
            self.answer.set_result((payload, error))


class InitError(Exception):
    """The function's module could not be loaded; `payload` is what the caller of Invoke receives."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode("utf-8", "replace"))
        self.payload = payload


class Worker:
    """A worker serves one invocation at a time; its thread is the Runtime API for it.

    `start(api_address, log_descriptor)` starts the process and returns its id.
    """

    def __init__(self, start: Callable[[str, int], int], log: WorkerLog, name: str) -> None:
        self.log = log
        self.idle_since = time.monotonic()
        self.fresh = True
        self._ready: Future[None] = Future()
        self._inbox: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._connection: Connection | None = None
        self._dead = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        try:
            self.process = start(f"{host}:{port}", log.write)
        except BaseException:
            self._listener.close()
            raise
        finally:
            os.close(log.write)
        self._thread = threading.Thread(target=self._serve, name=f"lambda-{name}-{self.process}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Return whether the worker can take an event; notices a process that died while idle."""
        connection = self._connection
        if self._dead or connection is None:
            return False
        try:
            return connection.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def reusable(self) -> bool:
        """Return whether the worker may be kept for another event."""
        return not self._dead

    def await_ready(self, seconds: float) -> None:
        """Wait for the end of the init phase; raise `InitError`, or TimeoutError after `seconds`."""
        self._ready.result(timeout=seconds)

    def send(self, invocation: Invocation) -> None:
        """Hand over an event; the answer arrives in `invocation.answer`."""
        self._inbox.put(invocation)

    def kill(self) -> None:
        """End the process and everything it started."""
        self._dead = True
        self._inbox.put(None)
        for end in (os.killpg, os.kill):
            try:
                end(self.process, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            break
        self._listener.close()
        if self._connection is not None:
            self._connection.close()

    def _serve(self) -> None:
        try:
            while not self._dead:
                self._connection = Connection(self._accept())
                self._talk(self._connection)
        except (ClosedError, OSError):
            pass  # the ordinary end of a worker
        finally:
            self._ended()

    def _accept(self) -> socket.socket:
        while not self._dead:
            readable, _, _ = select.select([self._listener], [], [], 0.5)
            if readable:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            if not _runs(self.process):
                break
        raise ClosedError

    def _talk(self, connection: Connection) -> None:
        try:
            while True:
                self._answer(connection, connection.read())
        except ClosedError:
            if self._current is not None or self._ready.done():
                raise

    def _answer(self, connection: Connection, request: Request) -> None:
        match request.path.removeprefix(_API).strip("/").split("/"):
            case ["invocation", "next"]:
                self._next(connection)
            case ["invocation", request_id, "response"]:
                self._finish(request_id, request.body, None)
                connection.answer(202, b'{"status":"OK"}')
            case ["invocation", request_id, "error"]:
                self._finish(request_id, request.body, "Unhandled")
                connection.answer(202, b'{"status":"OK"}')
            case ["init", "error"]:
                connection.answer(202, b'{"status":"OK"}')
                self._fail_init(request.body)
            case _:
                connection.answer(404, b"{}")

    def _next(self, connection: Connection) -> None:
        if not self._ready.done():
            self._ready.set_result(None)
        invocation = self._inbox.get()
        if invocation is None:
            raise ClosedError
        self._current = invocation
        # The timeout is the wall's, because the processor is real; the function reads its rest on the world's clock.
        left = invocation.timeout_seconds * pace.current().rate
        deadline = int((time.time() + left) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        connection.answer(200, invocation.payload, headers)

    def _finish(self, request_id: str, payload: bytes, error: str | None) -> None:
        current, self._current = self._current, None
        if current is not None and current.request_id == request_id:
            current.finish(payload, error)

    def _fail_init(self, payload: bytes) -> None:
        if not self._ready.done():
            self._ready.set_exception(InitError(payload))
        self._dead = True

    def _ended(self) -> None:
        self._dead = True
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
        if not self._ready.done():
            self._ready.set_exception(InitError(_exit_error("during initialization")))
        current, self._current = self._current, None
        if current is not None:
            current.finish(_exit_error("", current.request_id), "Unhandled")
        while True:
            try:
                waiting = self._inbox.get_nowait()
            except queue.Empty:
                return
            if waiting is not None:
                waiting.finish(_exit_error("", waiting.request_id), "Unhandled")


def _exit_error(when: str, request_id: str = "") -> bytes:
    prefix = f"RequestId: {request_id} " if request_id else ""
    message = f"{prefix}Error: Runtime exited without providing a reason {when}".rstrip()
    return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
