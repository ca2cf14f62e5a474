"""The embedded AWS: one WSGI application, and the world that the service modules share.

Each request becomes a `Call`, runs through the hooks, and is answered by our handler for the operation or
else by moto. moto keeps its state in module globals: one `LocalAws` per process at a time.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from moto.core.config import default_user_config
from moto.organizations.models import organizations_backends

from localaws import admin, authorization, calllog, faults, inprocess, moto_speed, motocalls, wire
from localaws.accounts import Accounts
from localaws.clock import Clock, ScaledClock
from localaws.regions import serving_region
from localaws.service import AwsError, Call, ConnectionLost, DataPlane, Principal, Reply, Service
from localaws.services.registry import SERVICES
from localaws.wire import HttpReply, Incoming, NotServed
from localaws.world import Fate, FateRule, LoggedCall

log = logging.getLogger("localaws")
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Before = Callable[[Call], None]
After = Callable[[Call, Reply], Reply]

# Headers that the server or `__call__` sets; twice the same header breaks SDKs (two dates read as no date).
SET_BY_SERVER = frozenset({"connection", "content-length", "date", "server", "status"})

# Operations of moto that wait or call back; they run without the lock.
MOTO_UNLOCKED = frozenset(
    {
        ("events", "PutEvents"),
        ("lambda", "Invoke"),
        ("lambda", "InvokeAsync"),
        ("sns", "Publish"),
        ("sns", "PublishBatch"),
        ("sqs", "ReceiveMessage"),
        ("stepfunctions", "GetActivityTask"),
        ("stepfunctions", "StartSyncExecution"),
    }
)


class LocalAws:
    """The WSGI application and the body of `World`.

    `before` hooks see each call and raise `AwsError` (or `ConnectionLost`) to refuse it; `after` hooks see
    each successful reply and may replace it or raise. `fates` decide about transitions. `admin_routes` are
    handlers of `/_localaws/<name>`.
    """

    def __init__(self, accounts: Mapping[str, str], clock: Clock | None = None) -> None:
        """Start empty. `accounts`: id (12 digits) -> name."""
        _configure_moto()
        self.clock = clock or ScaledClock()
        self.accounts = Accounts(accounts)
        self.call_log: list[LoggedCall] = []
        self.before: list[Before] = []
        self.after: list[After] = []
        self.fates: list[FateRule] = []
        self.admin_routes: dict[str, admin.Route] = dict(admin.ROUTES)
        self.lock = threading.RLock()
        self.endpoint_url: str | None = None
        self.state_directory: Path | None = None
        self._current = threading.local()
        self._services: dict[str, Service] = {}
        for path in SERVICES:
            module, class_name = path.split(":")
            service = getattr(importlib.import_module(module), class_name)(self)
            self._services[service.name] = service
        for service in self._services.values():
            service.connected()
        planes = [service.own_interface() for service in self._services.values()]
        self._data_planes = [plane for plane in planes if plane is not None]
        self.authorizer = authorization.install(self)
        self.faults = faults.install(self)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP request (WSGI)."""
        if environ.get("PATH_INFO", "").startswith("/_localaws/"):
            answer = admin.respond(self, environ)
        else:
            try:
                answer = self.answer(environ)
            except ConnectionLost as error:
                _cut(environ)
                # The server passes over a peer that is gone without a word.
                raise ConnectionAbortedError from error
        headers = [(k, v) for k, v in answer.headers.items() if k.lower() not in SET_BY_SERVER]
        length = answer.headers.get("content-length", answer.headers.get("Content-Length"))
        if environ["REQUEST_METHOD"] != "HEAD" or length is None:
            length = str(len(answer.body))
        if answer.status not in {204, 304}:
            headers.append(("Content-Length", length))
        start_response(f"{answer.status} -", headers)
        return [answer.body]

    def answer(self, environ: dict[str, Any]) -> HttpReply:
        """Answer one request to AWS. Raises `ConnectionLost` when a hook cuts the connection."""
        started = time.perf_counter()
        for plane in self._data_planes:
            if (request := plane.read(environ)) is not None:
                return self._answer_plane(plane, *request, started)
        request_id = str(uuid.uuid4())
        try:
            incoming = wire.read(environ)
        except NotServed as error:
            return _plain_error(_not_served(error), request_id)
        except AwsError as error:
            return _plain_error(error, request_id)
        call = self._anonymous_call(incoming, request_id)
        problem: AwsError | None = None
        try:
            principal = self.accounts.resolve(incoming.access_key, self.clock.now())
            call = _as(call, principal)
            return self._answer(incoming, call)
        except AwsError as error:
            problem = error
            return wire.build_error(incoming, error, request_id)
        except NotServed as error:
            problem = _not_served(error)
            return wire.build_error(incoming, problem, request_id)
        except ConnectionLost:
            problem = AwsError("ConnectionLost", "the connection was cut", 503)
            raise
        except Exception as error:
            log.exception("%s.%s failed inside the embedded AWS", call.service, call.operation)
            problem = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
            return wire.build_error(incoming, problem, request_id)
        finally:
            self._log(call, problem, started)

    def moto(self, call: Call) -> Reply:
        """Answer `call` with moto; see `World.moto`."""
        current: tuple[Incoming, Call] | None = getattr(self._current, "request", None)
        try:
            if current is not None and current[1] is call:
                return motocalls.parsed(call, motocalls.send(current[0], call))
            return motocalls.parsed(call, motocalls.ask(call))
        except NotServed as error:
            raise _not_served(error) from error

    def backend(self, service: str, account: str, region: str) -> Any:
        """Return moto's backend; see `World.backend`."""
        return motocalls.backend(service, account, region)

    def service(self, name: str) -> Service:
        """Return one of our service modules. Raises `KeyError` when we have none for `name`."""
        return self._services[name]

    def has_service(self, name: str) -> bool:
        """Say whether one of our modules serves `name`."""
        return name in self._services

    def has_handler(self, service: str, operation: str) -> bool:
        """Say whether one of our modules answers the operation itself."""
        return service in self._services and operation in self._services[service].operations

    def call(self, service: str, operation: str, account: str, region: str, **params: Any) -> Reply:
        """Make a call as the account's root, past hooks and log; see `World.call`."""
        principal = self.accounts.root(account)
        return self.perform(Call(service, operation, params, account, region, principal, str(uuid.uuid4())))

    def perform(self, call: Call) -> Reply:
        """Answer a call made inside the embedded AWS, past hooks and log."""
        ours = self._services.get(call.service)
        with self._guard(call):
            if ours is not None and call.operation in ours.operations:
                return ours.operations[call.operation](call)
            reply = self.moto(call)
            if ours is not None and call.operation in ours.observers:
                ours.observers[call.operation](call, reply)
            return reply

    def background(self, work: Callable[[], None]) -> None:
        """Run `work` on a thread of its own; a failure is logged."""
        threading.Thread(target=_logged(work), daemon=True, name="localaws-background").start()

    def transition(
        self,
        kind: str,
        resource: str,
        aws_seconds: float,
        effect: Callable[[], None],
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        """Apply `effect` later, or what a fault makes of it; see `World.transition`."""
        fate = next((f for f in (rule(kind, resource, aws_seconds) for rule in self.fates) if f), Fate(aws_seconds))
        if fate.outcome == "stick":
            log.info("%s of %s is stuck", kind, resource)
            return
        chosen = effect if fate.outcome == "succeed" else on_failure
        if chosen is not None:
            self.clock.after(fate.aws_seconds, _logged(chosen))

    def run_due(self) -> None:
        """Apply the effects whose time has come."""
        with self.lock:
            self.clock.run_due()

    def session(self, account: str, region: str) -> boto3.Session:
        """Return a boto3 session of the account's administrator that calls this object without sockets."""
        core = botocore.session.Session()
        core.register_component("data_loader", model_loader())
        core.set_credentials(f"LOCALADMIN{account}", "local")
        core.set_config_variable("region", region)
        inprocess.connect(self, core)
        return boto3.Session(botocore_session=core)

    def reset(self) -> None:
        """Forget all resources and what was about to happen; accounts and hooks stay."""
        with self.lock:
            moto_speed.forget_all()
            self.clock.clear()
            self.call_log.clear()
            for service in self._services.values():
                service.reset()

    def _anonymous_call(self, incoming: Incoming, request_id: str) -> Call:
        nobody = Principal(account="", arn="")
        name = str(incoming.operation.name)
        return Call(incoming.service, name, incoming.params, "", incoming.region, nobody, request_id)

    def _answer(self, incoming: Incoming, call: Call) -> HttpReply:
        for hook in self.before:
            hook(call)
        ours = self._services.get(call.service)
        handler = ours.operations.get(call.operation) if ours is not None else None
        with self._guard(call):
            self.clock.run_due()
            outer = getattr(self._current, "request", None)
            self._current.request = (incoming, call)
            try:
                if handler is None:
                    answer = motocalls.send(incoming, call)
                    return self._after_moto(incoming, call, answer, ours)
                _require(incoming)
                reply = handler(call)
            finally:
                self._current.request = outer
        for after in self.after:
            reply = after(call, reply)
        return wire.build(incoming, reply, call.request_id)

    def _answer_plane(self, plane: DataPlane, call: Call, access_key: str | None, started: float) -> HttpReply:
        """Answer a request to a resource's own interface, which the resource's service authorizes itself."""
        problem: AwsError | None = None
        try:
            call = replace(_as(call, self.accounts.resolve(access_key, self.clock.now())), request_id=str(uuid.uuid4()))
            self.faults.before(call)
            with self.lock:
                self.clock.run_due()
                answer = plane.answer(call)
            for after in self.after:
                after(replace(call, service=f"{call.service}-http"), plane.reply(answer))
        except AwsError as error:
            problem = error
            return plane.refuse(error)
        except ConnectionLost:
            problem = AwsError("ConnectionLost", "the connection was cut", 503)
            raise
        else:
            return answer
        finally:
            self._log(call, problem, started)

    def _after_moto(self, incoming: Incoming, call: Call, answer: HttpReply, ours: Service | None) -> HttpReply:
        """Run the after hooks over moto's answer; untouched, it goes out as it came."""
        if answer.status >= 300:
            if answer.status == 404 and not answer.body and call.service != "s3":
                raise NotServed(call.service, call.operation)
            self._current.error = _error_code(call, answer)
            return answer
        original = LazyReply(call, answer)
        if ours is not None and call.operation in ours.observers:
            ours.observers[call.operation](call, original)
        reply: Reply = original
        for after in self.after:
            reply = after(call, reply)
        return answer if reply is original else wire.build(incoming, reply, call.request_id)

    def _guard(self, call: Call) -> Any:
        ours = self._services.get(call.service)
        if ours is not None and call.operation in ours.operations:
            return _FREE if call.operation in ours.unlocked else self.lock
        return _FREE if (call.service, call.operation) in MOTO_UNLOCKED else self.lock

    def _log(self, call: Call, problem: AwsError | None, started: float) -> None:
        error = problem.code if problem else getattr(self._current, "error", None)
        self._current.error = None
        line = LoggedCall(
            at=self.clock.now(),
            service=call.service,
            operation=call.operation,
            account=call.account,
            region=serving_region(call.service, call.region),
            principal_arn=call.principal.arn,
            params=calllog.loggable(call.params),
            mutating=calllog.is_mutating(call.service, call.operation),
            error=error,
            duration_ms=(time.perf_counter() - started) * 1000,
        )
        if len(self.call_log) < calllog.KEPT:
            self.call_log.append(line)


class LazyReply(Mapping[str, Any]):
    """moto's reply, parsed only when a hook looks into it."""

    def __init__(self, call: Call, answer: HttpReply) -> None:
        self._call = call
        self._answer = answer
        self._parsed: Reply | None = None

    def _reply(self) -> Reply:
        if self._parsed is None:
            self._parsed = motocalls.parsed(self._call, self._answer)
        return self._parsed

    def __getitem__(self, key: str) -> Any:
        return self._reply()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reply())

    def __len__(self) -> int:
        return len(self._reply())


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


_FREE = _NoLock()


@lru_cache
def model_loader() -> Any:
    """Return the loader that reads each service model, which is dear, once for all sessions."""
    return botocore.loaders.create_loader()


def _configure_moto() -> None:
    moto_speed.install()
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["batch"]["use_docker"] = False
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    moto_speed.forget_all()
    organizations_backends.master_accounts.clear()


def _as(call: Call, principal: Principal) -> Call:
    return Call(call.service, call.operation, call.params, principal.account, call.region, principal, call.request_id)


def _require(incoming: Incoming) -> None:
    missing = wire.missing_required(incoming)
    if not missing:
        return
    if incoming.protocol in {"query", "ec2"}:
        raise AwsError("MissingParameter", f"The request must contain the parameter {missing[0]}")
    raise AwsError("ValidationException", f"{len(missing)} validation error(s): missing {', '.join(missing)}")


def _error_code(call: Call, answer: HttpReply) -> str | None:
    try:
        motocalls.parsed(call, answer)
    except AwsError as error:
        return error.code
    return None


def _not_served(error: NotServed) -> AwsError:
    what = f"{error.service}.{error.operation}"
    if not wire.known_service(error.service):
        what += " (botocore knows no such service)"
    log.warning("not served: %s", what)
    return AwsError("NotServedByLocalAws", f"The embedded AWS does not serve {what}", 501)


def _plain_error(error: AwsError, request_id: str) -> HttpReply:
    """Build an error for a request whose protocol is not known: every SDK finds code and message somewhere."""
    text = error.message.replace("&", "&amp;").replace("<", "&lt;")
    body = (
        f"<ErrorResponse><Error><Code>{error.code}</Code><Message>{text}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    headers = {"Content-Type": "text/xml", "x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id}
    return HttpReply(error.status, headers, body.encode())


def _cut(environ: Mapping[str, Any]) -> None:
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


def _logged(work: Callable[[], None]) -> Callable[[], None]:
    """Wrap work that nobody waits for, so that its failure is at least written down."""

    def run() -> None:
        try:
            work()
        except Exception:
            log.exception("work in the background failed")

    return run
