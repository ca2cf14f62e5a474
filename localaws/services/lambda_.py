"""Lambda: moto keeps the functions, `localaws.lambda_runtime` runs them.

Ours: Invoke (RequestResponse, Event, DryRun) and InvokeAsync; what moto's control plane lacks is in `lambda_functions`,
`lambda_concurrency` and `lambda_mappings`. A function that any part of moto invokes (an
SNS subscription, a log filter, an event source) runs in the same workers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.acting import role_principal
from localaws.lambda_runtime import moto_bridge
from localaws.lambda_runtime.layout import Layout
from localaws.lambda_runtime.pool import Surroundings, WorkerPools
from localaws.lambda_runtime.spec import Credentials, FunctionSpec, Outcome, TooManyRequestsError
from localaws.service import AwsError, Call, Reply, operation
from localaws.services.ec2 import vpc_of_subnets
from localaws.services.lambda_concurrency import Concurrency
from localaws.services.lambda_events import AsynchronousEvents, Event
from localaws.services.lambda_functions import FunctionControl
from localaws.services.lambda_mappings import EventSourceMappings

if TYPE_CHECKING:
    from localaws.lambda_runtime.logs import LogEvent
    from localaws.world import World

LARGEST_ANSWER_BYTES = 6_291_556
LARGEST_EVENT_BYTES = 1_048_576
SESSION_HOURS = 12


class LambdaService(FunctionControl, Concurrency, EventSourceMappings):
    """The invocation of functions. `pools` has the workers, their code and log files."""

    name: ClassVar[str] = "lambda"
    unlocked: ClassVar[frozenset[str]] = frozenset({"Invoke", "InvokeAsync"})

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lock = threading.Lock()
        self._server: Any = None
        self._pools: WorkerPools | None = None
        self.events = AsynchronousEvents(world, self)
        moto_bridge.install(self)

    @property
    def pools(self) -> WorkerPools:
        """Return the workers; made, with their directory, when the first function runs."""
        with self._lock:
            if self._pools is None:
                layout = Layout(self._directory())
                deliver = partial(self._deliver_logs, layout.logs)
                self._pools = WorkerPools(layout, Surroundings(self._endpoint_url, self._credentials, deliver))
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

    def _vpc_of(self, function: Any) -> str:
        """Return the VPC a function runs in; empty when in none."""
        subnets = (function.vpc_config or {}).get("SubnetIds") or ()
        return vpc_of_subnets(self.world, function.account_id, function.region, subnets)

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
            self.events.accept(Event(account, region, name, qualifier, payload, call.params.get("ClientContext")))
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
        self.events.accept(Event(account, region, name, None, payload))

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
            if function.state == "Pending":
                raise _pending(function)
            reserved = self._function(account, region, name, None).reserved_concurrency
            find_layer = moto_bridge.backend(account, region).layers_versions_by_arn
            code, *layers = (
                _archive(part) for part in (function, *(find_layer(layer["Arn"]) for layer in function.layers))
            )
            hashes = tuple(layer_hash for layer_hash, _ in layers)
            spec = _spec(function, qualifier, code[0], hashes, self._vpc_of(function))
        for archive_hash, archive in (code, *layers):
            self.pools.layout.unpack(archive_hash, archive)
        return spec, None if reserved is None else int(reserved)

    def _function(self, account: str, region: str, name: str, qualifier: str | None) -> Any:
        try:
            return moto_bridge.backend(account, region).get_function(name, qualifier)
        except Exception as error:
            message = f"Function not found: {_arn(account, region, name, qualifier)}"
            raise AwsError("ResourceNotFoundException", message, 404, Type="User") from error

    def event_settings(self, account: str, region: str, name: str) -> Mapping[str, Any]:
        """Return the function's EventInvokeConfig; empty when it has none."""
        with self.world.lock:
            configured = self._function(account, region, name, None).event_invoke_config
            return dict(configured[0].config) if configured else {}

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
        hours = SESSION_HOURS * self.world.clock.rate  # workers age on the wall
        expires_at = self.world.clock.now() + timedelta(hours=hours)
        principal = role_principal(spec.role_arn, spec.name)
        self.world.accounts.register_session(session.access_key_id, principal, expires_at)
        return session

    def _deliver_logs(self, directory: Path, spec: FunctionSpec, stream: str, events: list[LogEvent]) -> None:
        path = directory / spec.account / spec.region / f"{spec.name}.log"
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


def _pending(function: Any) -> AwsError:
    message = (
        "The operation cannot be performed at this time. The function is currently in the following state: Pending. "
        f"({function.function_arn})"
    )
    return AwsError("ResourceConflictException", message, 409, Type="User")


def _identify(call: Call) -> tuple[str, str, str, str | None]:
    """Return account, Region, name and qualifier of FunctionName: a name, a partial or a full ARN."""
    given, qualifier = str(call.params["FunctionName"]), call.params.get("Qualifier")
    parts = given.split(":")
    if given.startswith("arn:"):
        return parts[4], parts[3], parts[6], parts[7] if len(parts) > 7 else qualifier
    if len(parts) >= 3 and parts[1] == "function":
        return parts[0], call.region, parts[2], parts[3] if len(parts) > 3 else qualifier
    return call.account, call.region, parts[0], parts[1] if len(parts) > 1 else qualifier


def _archive(part: Any) -> tuple[str, bytes]:
    """Return hash and content of a function's or a layer's zip."""
    if part is None or not getattr(part, "code_bytes", b""):
        raise AwsError("InvalidParameterValueException", "the function has no zip: neither ZipFile nor an S3 object")
    return part.code_sha_256.replace("/", "_").replace("+", "-").rstrip("="), part.code_bytes


def _spec(
    function: Any, qualifier: str | None, code_hash: str, layer_hashes: tuple[str, ...], vpc: str
) -> FunctionSpec:
    """Return what moto knows of a function as what the workers need."""
    logging_config = function.logging_config
    configuration = [
        *(code_hash, layer_hashes, function.handler, function.role, function.timeout, function.memory_size),
        *(function.environment_vars, logging_config, vpc),
    ]
    return FunctionSpec(
        account=function.account_id,
        region=function.region,
        name=function.function_name,
        version=str(function.version) if qualifier and qualifier != "$LATEST" else "$LATEST",
        arn=_arn(function.account_id, function.region, function.function_name, qualifier),
        handler=str(function.handler),
        runtime=_python(function),
        role_arn=function.role,
        code_hash=code_hash,
        revision=hashlib.sha256(json.dumps(configuration, default=str).encode()).hexdigest(),
        timeout_seconds=float(function.timeout),
        memory_mb=int(function.memory_size),
        log_group=logging_config["LogGroup"],
        log_format=logging_config["LogFormat"],
        log_level=logging_config.get("ApplicationLogLevel"),
        variables={key: str(value) for key, value in function.environment_vars.items()},
        layer_hashes=layer_hashes,
        vpc=vpc,
    )


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
