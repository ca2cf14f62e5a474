"""Warm and cold workers: which worker serves an event, when one is started, killed or reaped."""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from localaws import tls
from localaws.lambda_runtime.layout import Layout, search_path
from localaws.lambda_runtime.logs import LogEvent, LogPump, WorkerLog
from localaws.lambda_runtime.spec import Credentials, FunctionSpec, Outcome, TooManyRequestsError
from localaws.lambda_runtime.template import Template
from localaws.lambda_runtime.worker import InitError, Invocation, Worker

INIT_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Surroundings:
    """What a function needs from the embedded AWS around it."""

    endpoint_url: Callable[[], str]
    credentials: Callable[[FunctionSpec], Credentials]
    deliver_logs: Callable[[FunctionSpec, str, list[LogEvent]], None]


@dataclass
class _Pool:
    """The workers of one function version. `total` counts idle, busy and starting ones."""

    revision: str
    idle: list[Worker] = field(default_factory=list)
    busy: set[Worker] = field(default_factory=set)
    total: int = 0


class WorkerPools:
    """All workers of the embedded AWS. `cap` is the most workers one function gets; more events wait."""

    def __init__(self, layout: Layout, around: Surroundings, *, cap: int = 4, idle_seconds: float = 120.0) -> None:
        self.layout = layout
        self.cap = cap
        self.idle_seconds = idle_seconds
        self._around = around
        self._pump = LogPump()
        self._pools: dict[tuple[str, str, str, str], _Pool] = {}
        self._templates: dict[tuple[str, ...], Template] = {}
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._change = threading.Condition()
        self._janitor: threading.Thread | None = None
        self._closed = threading.Event()

    def invoke(
        self, spec: FunctionSpec, payload: bytes, *, client_context: str | None = None, reserved: int | None = None
    ) -> Outcome:
        """Run the function with `payload` and wait for its outcome; its own failures are outcomes.

        Raises `TooManyRequestsError` when `reserved` workers are busy (0: always).
        """
        invocation = Invocation(payload, spec.arn, spec.timeout_seconds, client_context)
        started = time.monotonic()
        try:
            worker = self._acquire(spec, reserved)
        except InitError as error:
            return Outcome(invocation.request_id, error.payload, "Unhandled", cold=True)
        cold, worker.fresh = worker.fresh, False
        initialised = time.monotonic()
        worker.log.say(f"START RequestId: {invocation.request_id} Version: {spec.version}")
        worker.send(invocation)
        answer, error_kind = self._await(spec, worker, invocation)
        duration_ms = (time.monotonic() - initialised) * 1000
        init_ms = (initialised - started) * 1000 if cold else None
        _report(worker.log, spec, invocation.request_id, duration_ms, init_ms)
        tail = worker.log.tail()
        self._release(spec, worker)
        return Outcome(invocation.request_id, answer, error_kind, tail, cold, duration_ms)

    def close(self) -> None:
        """Kill every worker and template process."""
        self._closed.set()
        with self._change:
            workers = list(self._workers)
            templates = list(self._templates.values())
            self._pools.clear()
            self._templates.clear()
        for worker in workers:
            worker.kill()
        for template in templates:
            template.close()

    def count(self) -> int:
        """Return how many workers exist."""
        with self._change:
            return sum(pool.total for pool in self._pools.values())

    def _await(self, spec: FunctionSpec, worker: Worker, invocation: Invocation) -> tuple[bytes, str | None]:
        try:
            return invocation.answer.result(timeout=spec.timeout_seconds)
        except TimeoutError:
            worker.kill()
        message = f"Task timed out after {spec.timeout_seconds:.2f} seconds"
        worker.log.say(f"{_now()} {invocation.request_id} {message}")
        error = {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {invocation.request_id} Error: {message}",
        }
        return json.dumps(error).encode(), "Unhandled"

    def _acquire(self, spec: FunctionSpec, reserved: int | None) -> Worker:
        with self._change:
            while True:
                pool = self._pool(spec)
                while pool.idle:
                    worker = pool.idle.pop()
                    if worker.alive:
                        pool.busy.add(worker)
                        return worker
                    self._discard(pool, worker)
                if reserved is not None and pool.total >= reserved:
                    raise TooManyRequestsError(spec.name)
                if pool.total < self.cap:
                    pool.total += 1
                    break
                self._change.wait()
        return self._start(spec, pool)

    def _pool(self, spec: FunctionSpec) -> _Pool:
        pool = self._pools.get(spec.key)
        if pool is None or pool.revision != spec.revision:
            if pool is not None:
                for worker in pool.idle:
                    worker.kill()
            pool = self._pools[spec.key] = _Pool(spec.revision)
        return pool

    def _start(self, spec: FunctionSpec, pool: _Pool) -> Worker:
        worker: Worker | None = None
        try:
            worker = self._new_worker(spec)
            worker.await_ready(INIT_TIMEOUT_SECONDS)
        except BaseException as error:
            with self._change:
                pool.total -= 1
                self._change.notify()
            if worker is not None:
                worker.kill()
                worker.log.drain()
            if isinstance(error, TimeoutError):
                raise InitError(_init_timeout()) from error
            raise
        with self._change:
            pool.busy.add(worker)
        self._watch()
        return worker

    def _new_worker(self, spec: FunctionSpec) -> Worker:
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{spec.version}]{uuid4().hex}"
        variables = self._variables(spec, stream)
        task_root = self.layout.code(spec.code_hash)
        template = self._template(spec)
        log = WorkerLog(lambda events: self._around.deliver_logs(spec, stream, list(events)))
        self._pump.add(log)

        def start(api: str, descriptor: int) -> int:
            return template.fork(spec.handler, {**variables, "AWS_LAMBDA_RUNTIME_API": api}, task_root, descriptor)

        worker = Worker(start, log, spec.name)
        with self._change:
            self._workers.add(worker)
        return worker

    def _template(self, spec: FunctionSpec) -> Template:
        key = (spec.code_hash, *spec.layer_hashes)
        layers = [self.layout.code(layer) / "python" for layer in spec.layer_hashes]
        with self._change:
            template = self._templates.get(key)
            if template is None or not template.alive:
                first = search_path(self.layout.code(spec.code_hash), *layers)
                template = self._templates[key] = Template(first, str(self.layout.runtime()))
            return template

    def _variables(self, spec: FunctionSpec, stream: str) -> dict[str, str]:
        session = self._around.credentials(spec)
        return {
            **spec.variables,
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(self.layout.code(spec.code_hash)),
            "LAMBDA_RUNTIME_DIR": str(self.layout.runtime()),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
            "AWS_REGION": spec.region,
            "AWS_DEFAULT_REGION": spec.region,
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
            **({"AWS_LAMBDA_LOG_LEVEL": spec.log_level} if spec.log_level else {}),
            "_HANDLER": spec.handler,
            "_LOCALAWS_VPC": spec.vpc,
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
            "AWS_ENDPOINT_URL": self._around.endpoint_url(),
            "AWS_CA_BUNDLE": str(tls.ca_bundle()),
        }

    def _release(self, spec: FunctionSpec, worker: Worker) -> None:
        with self._change:
            pool = self._pools.get(spec.key)
            current = pool is not None and worker in pool.busy
            if pool is not None and current:
                pool.busy.discard(worker)
                if worker.reusable:
                    worker.idle_since = time.monotonic()
                    pool.idle.append(worker)
                else:
                    self._discard(pool, worker)
            self._change.notify()
        if not current:
            worker.kill()

    def _discard(self, pool: _Pool, worker: Worker) -> None:
        pool.total -= 1
        worker.kill()

    def _watch(self) -> None:
        with self._change:
            if self._janitor is None:
                self._janitor = threading.Thread(target=self._reap, name="lambda-janitor", daemon=True)
                self._janitor.start()

    def _reap(self) -> None:
        while not self._closed.wait(5.0):
            self.reap(older_than_seconds=self.idle_seconds)

    def reap(self, older_than_seconds: float) -> None:
        """Kill workers that have been idle for longer."""
        limit = time.monotonic() - older_than_seconds
        with self._change:
            for pool in self._pools.values():
                for worker in [w for w in pool.idle if w.idle_since <= limit]:
                    pool.idle.remove(worker)
                    self._discard(pool, worker)


def _report(log: WorkerLog, spec: FunctionSpec, request_id: str, duration_ms: float, init_ms: float | None) -> None:
    log.say(f"END RequestId: {request_id}")
    init = "" if init_ms is None else f"\tInit Duration: {init_ms:.2f} ms"
    log.say(
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {int(duration_ms) + 1} ms"
        f"\tMemory Size: {spec.memory_mb} MB\tMax Memory Used: {spec.memory_mb // 2} MB{init}"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _init_timeout() -> bytes:
    message = f"Error: Runtime was not ready after {INIT_TIMEOUT_SECONDS:.2f} seconds"
    return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()
