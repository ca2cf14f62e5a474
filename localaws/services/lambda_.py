"""Lambda: moto keeps the functions, `localaws.lambda_runtime` runs them.

Ours: Invoke (RequestResponse, Event, DryRun) and InvokeAsync. A function that any part of moto invokes (an
SNS subscription, a log filter, an event source) runs in the same workers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.acting import role_principal
from localaws.lambda_runtime import moto_bridge
from localaws.lambda_runtime.layout import Layout
from localaws.lambda_runtime.pool import Surroundings, WorkerPools
from localaws.lambda_runtime.spec import Credentials, FunctionSpec, Outcome, TooManyRequestsError
from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.lambda_runtime.logs import LogEvent
    from localaws.world import World

log = logging.getLogger("localaws.lambda")

LARGEST_ANSWER_BYTES = 6_291_556
LARGEST_EVENT_BYTES = 1_048_576
SESSION_HOURS = 12
# Waits before the first and the second retry of an asynchronous event.
RETRY_AFTER_SECONDS = (60, 120)


class LambdaService(Service):
    """The invocation of functions. `pools` has the workers, their code and log files."""

    name: ClassVar[str] = "lambda"
    unlocked: ClassVar[frozenset[str]] = frozenset({"Invoke", "InvokeAsync"})

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lock = threading.Lock()
        self._server: Any = None
        self._pools: WorkerPools | None = None
        moto_bridge.install(self)

    @property
    def pools(self) -> WorkerPools:
        """Return the workers; made, with their directory, when the first function runs."""
        with self._lock:
            if self._pools is None:
                around = Surroundings(self._endpoint_url, self._credentials, self._deliver_logs)
                self._pools = WorkerPools(Layout(self._directory()), around)
            return self._pools

    def reset(self) -> None:
        """End all workers; code is unpacked again when needed."""
        with self._lock:
            pools, self._pools = self._pools, None
        if pools is not None:
            pools.close()

    def close(self) -> None:
        """End all workers and the server that was started for them."""
        self.reset()
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    @operation("Invoke")
    def invoke(self, call: Call) -> Reply:
        """Answer Invoke. Raises ResourceNotFoundException, TooManyRequestsException, RequestTooLargeException."""
        account, region, name, qualifier = _identify(call)
        payload = _read(call.params.get("Payload")) or b"{}"
        kind = call.params.get("InvocationType", "RequestResponse")
        _check_event(payload, kind)
        spec, reserved = self.describe(account, region, name, qualifier)
        version = {"ExecutedVersion": spec.version}
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b"", **version}
        if kind == "Event":
            self._invoke_later(spec, payload, call.params.get("ClientContext"))
            return {"StatusCode": 202, "Payload": b""}
        outcome = self.run(spec, payload, reserved=reserved, client_context=call.params.get("ClientContext"))
        reply: dict[str, Any] = {"StatusCode": 200, "Payload": outcome.payload, **version}
        if outcome.error:
            reply["FunctionError"] = outcome.error
        if call.params.get("LogType") == "Tail":
            reply["LogResult"] = base64.b64encode(outcome.log_tail.encode()).decode()
        return reply

    @operation("InvokeAsync")
    def invoke_async(self, call: Call) -> Reply:
        """Answer the old form of an asynchronous Invoke."""
        params = {"FunctionName": call.params["FunctionName"], "Payload": call.params.get("InvokeArgs")}
        self.invoke(call.with_params(InvokeArgs=None, InvocationType="Event", **params))
        return {"Status": 202}

    def invoke_event(self, account: str, region: str, name: str, payload: bytes) -> None:
        """Run a function asynchronously, as an event source or a subscription does."""
        spec, _reserved = self.describe(account, region, name, None)
        self._invoke_later(spec, payload, None)

    def run(
        self, spec: FunctionSpec, payload: bytes, *, reserved: int | None = None, client_context: str | None = None
    ) -> Outcome:
        """Run a function and wait. Raises `AwsError` TooManyRequestsException when it may not run at all."""
        try:
            outcome = self.pools.invoke(spec, payload, client_context=client_context, reserved=reserved)
        except TooManyRequestsError as error:
            details = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"}
            raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429, **details) from error
        if len(outcome.payload) <= LARGEST_ANSWER_BYTES:
            return outcome
        message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER_BYTES} bytes)."
        answer = json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()
        return Outcome(outcome.request_id, answer, "Unhandled", outcome.log_tail, outcome.cold, outcome.duration_ms)

    def describe(self, account: str, region: str, name: str, qualifier: str | None) -> tuple[FunctionSpec, int | None]:
        """Return what to run and the reserved concurrency; unpacks the code when it is new."""
        with self.world.lock:
            function = self._function(account, region, name, qualifier)
            layers = [self._layer(account, region, layer["Arn"]) for layer in function.layers]
            reserved = self._function(account, region, name, None).reserved_concurrency
            archive = function.code_bytes if hasattr(function, "code_bytes") else b""
            logging_config = function.logging_config
            version = str(function.version) if qualifier and qualifier != "$LATEST" else "$LATEST"
            configuration = [
                function.handler,
                function.role,
                function.timeout,
                function.memory_size,
                function.environment_vars,
                logging_config,
            ]
            spec = FunctionSpec(
                account=account,
                region=region,
                name=function.function_name,
                version=version,
                arn=_arn(account, region, function.function_name, qualifier),
                handler=str(function.handler),
                runtime=_python(function),
                role_arn=function.role,
                code_hash="",
                revision="",
                timeout_seconds=float(function.timeout),
                memory_mb=int(function.memory_size),
                log_group=logging_config["LogGroup"],
                log_format=logging_config["LogFormat"],
                log_level=logging_config.get("ApplicationLogLevel"),
                variables={key: str(value) for key, value in function.environment_vars.items()},
            )
        code = self.pools.layout.unpack(archive)
        layer_hashes = tuple(self.pools.layout.unpack(layer) for layer in layers)
        revision = hashlib.sha256(json.dumps([code, layer_hashes, configuration], default=str).encode()).hexdigest()
        spec = _with(spec, code_hash=code, layer_hashes=layer_hashes, revision=revision)
        return spec, None if reserved is None else int(reserved)

    def _function(self, account: str, region: str, name: str, qualifier: str | None) -> Any:
        try:
            return moto_bridge.backend(account, region).get_function(name, qualifier)
        except Exception as error:
            message = f"Function not found: {_arn(account, region, name, qualifier)}"
            raise AwsError("ResourceNotFoundException", message, 404, Type="User") from error

    def _layer(self, account: str, region: str, arn: str) -> bytes:
        version = moto_bridge.backend(account, region).layers_versions_by_arn(arn)
        return bytes(version.code_bytes)

    def _invoke_later(self, spec: FunctionSpec, payload: bytes, client_context: str | None, attempt: int = 0) -> None:
        self.world.background(lambda: self._attempt(spec, payload, client_context, attempt))

    def _attempt(self, spec: FunctionSpec, payload: bytes, client_context: str | None, attempt: int) -> None:
        outcome = self._outcome(spec, payload, client_context)
        settings = self._event_settings(spec)
        if outcome.error is None:
            self._send_result(spec, payload, outcome, settings, "OnSuccess", attempt)
            return
        if attempt < int(settings.get("MaximumRetryAttempts", len(RETRY_AFTER_SECONDS))):
            wait_seconds = RETRY_AFTER_SECONDS[min(attempt, 1)]
            self.world.clock.after(wait_seconds, lambda: self._invoke_later(spec, payload, client_context, attempt + 1))
            return
        log.warning("%s failed %d times: %s", spec.arn, attempt + 1, outcome.payload.decode("utf-8", "replace"))
        self._send_result(spec, payload, outcome, settings, "OnFailure", attempt)

    def _outcome(self, spec: FunctionSpec, payload: bytes, client_context: str | None) -> Outcome:
        """Run a function for an asynchronous event; being throttled is a failure like any other."""
        with self.world.lock:
            reserved = self._function(spec.account, spec.region, spec.name, None).reserved_concurrency
        limit = None if reserved is None else int(reserved)
        try:
            return self.run(spec, payload, reserved=limit, client_context=client_context)
        except AwsError as error:
            answer = json.dumps({"errorType": error.code, "errorMessage": error.message}).encode()
            return Outcome(str(uuid.uuid4()), answer, "Unhandled")

    def _event_settings(self, spec: FunctionSpec) -> Mapping[str, Any]:
        with self.world.lock:
            function = self._function(spec.account, spec.region, spec.name, None)
            if not function.event_invoke_config:
                return {}
            return dict(function.event_invoke_config[0].config)

    def _send_result(
        self,
        spec: FunctionSpec,
        payload: bytes,
        outcome: Outcome,
        settings: Mapping[str, Any],
        which: str,
        attempt: int,
    ) -> None:
        target = settings.get("DestinationConfig", {}).get(which, {}).get("Destination")
        if not target:
            return
        condition = "Success" if which == "OnSuccess" else "RetriesExhausted"
        record = {
            "version": "1.0",
            "timestamp": self.world.clock.now().isoformat(),
            "requestContext": {
                "requestId": outcome.request_id,
                "functionArn": f"{spec.arn}:{spec.version}",
                "condition": condition,
                "approximateInvokeCount": attempt + 1,
            },
            "requestPayload": json.loads(payload),
            "responseContext": {"statusCode": 200, "executedVersion": spec.version, "functionError": outcome.error},
            "responsePayload": json.loads(outcome.payload or b"null"),
        }
        self._deliver(spec, target, json.dumps(record))

    def _deliver(self, spec: FunctionSpec, target: str, message: str) -> None:
        _arn, _aws, service, region, account, resource = target.split(":", 5)
        if service == "sqs":
            url = self.world.call("sqs", "GetQueueUrl", account, region, QueueName=resource)["QueueUrl"]
            self.world.call("sqs", "SendMessage", account, region, QueueUrl=url, MessageBody=message)
        elif service == "sns":
            self.world.call("sns", "Publish", account, region, TopicArn=target, Message=message)
        elif service == "lambda":
            self.invoke_event(account, region, resource.split(":")[1], message.encode())
        else:
            log.warning("%s: destination %s is not served", spec.arn, target)

    def _directory(self) -> Path:
        """Return where code and logs go: the embedded AWS's state directory, else a temporary one."""
        state = getattr(self.world, "state_directory", None)
        if state:
            return Path(state) / "lambda"
        scratch = tempfile.mkdtemp(prefix="localaws-lambda-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        return Path(scratch)

    def _endpoint_url(self) -> str:
        """Return the address of the embedded AWS; starts a server when it runs without one (in-process tests)."""
        with self._lock:
            if self.world.endpoint_url is None:
                from localaws.server import Server

                self._server = Server(self.world, 0).start()  # type: ignore[arg-type]
            return str(self.world.endpoint_url)

    def _credentials(self, spec: FunctionSpec) -> Credentials:
        """Open a session of the execution role for one worker."""
        session = Credentials(f"ASIA{uuid.uuid4().hex[:16].upper()}", uuid.uuid4().hex, uuid.uuid4().hex)
        expires_at = self.world.clock.now() + timedelta(hours=SESSION_HOURS)
        principal = role_principal(spec.role_arn, spec.name)
        self.world.accounts.register_session(session.access_key_id, principal, expires_at)
        return session

    def _deliver_logs(self, spec: FunctionSpec, stream: str, events: list[LogEvent]) -> None:
        path = self.pools.layout.logs / spec.account / spec.region / f"{spec.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{message}\n" for _at, message in events)
        with self.world.lock:
            logs = self.world.backend("logs", spec.account, spec.region)
            if spec.log_group not in logs.groups:
                logs.create_log_group(spec.log_group, {})
            if stream not in logs.groups[spec.log_group].streams:
                logs.create_log_stream(spec.log_group, stream)
            entries = [{"timestamp": at, "message": message} for at, message in events]
            logs.put_log_events(spec.log_group, stream, entries)


def _identify(call: Call) -> tuple[str, str, str, str | None]:
    """Return account, Region, name and qualifier of FunctionName: a name, a partial or a full ARN."""
    given, qualifier = str(call.params["FunctionName"]), call.params.get("Qualifier")
    parts = given.split(":")
    if given.startswith("arn:"):
        return parts[4], parts[3], parts[6], parts[7] if len(parts) > 7 else qualifier
    if len(parts) >= 3 and parts[1] == "function":
        return parts[0], call.region, parts[2], parts[3] if len(parts) > 3 else qualifier
    return call.account, call.region, parts[0], parts[1] if len(parts) > 1 else qualifier


def _check_event(payload: bytes, kind: str) -> None:
    limit = LARGEST_EVENT_BYTES if kind == "Event" else LARGEST_ANSWER_BYTES
    if len(payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the Invoke operation"
        raise AwsError("RequestTooLargeException", message, 413, Type="User")
    try:
        json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", message, 400, Type="User") from error


def _python(function: Any) -> str:
    runtime = str(function.run_time)
    if function.package_type != "Zip" or not runtime.startswith("python"):
        what = f"{function.function_arn}: package {function.package_type}, runtime {runtime}"
        raise AwsError("InvalidRuntimeException", f"{what}; the embedded AWS runs zips of a python runtime", 502)
    return runtime


def _read(payload: Any) -> bytes:
    if hasattr(payload, "read"):
        payload = payload.read()
    return payload.encode() if isinstance(payload, str) else bytes(payload or b"")


def _arn(account: str, region: str, name: str, qualifier: str | None) -> str:
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def _with(spec: FunctionSpec, **changes: Any) -> FunctionSpec:
    from dataclasses import replace

    return replace(spec, **changes)
