"""Calls without the wire: botocore's clients ask the embedded AWS directly, through the same hooks, IAM and faults.

Signing, writing and reading what the service's model describes is botocore's work, and dear. In every process the first call of
each operation still goes over the wire, and so do all calls while something is made to fail, because botocore tries again then.
What goes the short way is held against the model on its way in, and comes out as a client would have read it.

Sessions of assumed roles last minutes, and stories hours: their clients are copies of one per service and Region, because making
a client costs more than all its calls. A real one is made for what goes over the wire.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ParamValidationError
from botocore.model import OperationModel
from botocore.response import StreamingBody
from botocore.utils import parse_to_aware_datetime
from botocore.validate import ParamValidator

from localaws import acting
from localaws.dispatcher import LocalAws
from localaws.service import AwsError, ConnectionLost
from orchestrator import sessions

OVER_THE_WIRE = frozenset({"s3"})
"""Services whose requests are more than their parameters."""
EVERYWHERE = "aws-global"
REAL = "_real"
"""Where a copied client keeps what makes the real one."""
_METADATA = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
_ANSWER = SimpleNamespace(status_code=200)
_call = BaseClient._make_api_call
_seen: set[tuple[str, str]] = set()


def install(local: LocalAws, patch: pytest.MonkeyPatch, core: Callable[[], botocore.session.Session]) -> None:
    """Let the clients of stories go the short way to `local`, but where the wire itself is to be seen.

    `core` makes a botocore session without credentials that reaches `local`.
    """

    def call(self: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        model = self.meta.service_model.operation_model(operation)
        name = (self.meta.service_model.service_name, operation)
        if name not in _seen or local.faults.in_force or is_more_than_parameters(model):
            _seen.add(name)
            return over_the_wire(self, operation, params)
        return directly(local, self, model, params)

    def session(**of: Any) -> Any:
        if "aws_access_key_id" not in of:
            return boto3.Session(**of)
        return Session(local, core, (of["aws_access_key_id"], of["aws_secret_access_key"], of["aws_session_token"]))

    patch.setattr(BaseClient, "_make_api_call", call)
    patch.setattr(sessions, "_shared_core", lambda: None)
    patch.setattr(sessions, "boto3", SimpleNamespace(Session=session))


def over_the_wire(client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
    """Call as botocore does, with the real client where `client` is a copy."""
    return _call(client.__dict__.get(REAL, lambda: client)(), operation, params)


def only_directly(local: LocalAws) -> None:
    """Let no call of this process go over the wire from now on but signed HTTP: it is a copy, and ends soon."""

    def call(self: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        return directly(local, self, self.meta.service_model.operation_model(operation), params)

    BaseClient._make_api_call = call  # type: ignore[method-assign]


@dataclass
class Session:
    """A session of an assumed role; `keys` are its access key, its secret and its token."""

    local: LocalAws
    core: Callable[[], botocore.session.Session]
    keys: tuple[str, str, str]

    @cached_property
    def _session(self) -> botocore.session.Session:
        """Return the botocore session, which signed HTTP uses."""
        made = self.core()
        made.set_credentials(*self.keys)
        return made

    @cached_property
    def _over_the_wire(self) -> boto3.Session:
        return boto3.Session(botocore_session=self._session)

    def client(self, service: str, region_name: str, config: Any, endpoint_url: str | None = None) -> BaseClient:
        """Return a client like all others of the service and Region, but for whom it signs."""
        pattern = _pattern(self.local, service, region_name, endpoint_url)
        own: BaseClient = object.__new__(type(pattern))  # copy.copy would ask it for attributes before it has any
        own.__dict__.update(pattern.__dict__)
        own._request_signer = SimpleNamespace(_credentials=SimpleNamespace(access_key=self.keys[0]))

        @cache
        def real() -> BaseClient:
            return self._over_the_wire.client(
                service, region_name=region_name, config=config, endpoint_url=endpoint_url
            )

        own.__dict__[REAL] = real
        return own


@cache
def _pattern(local: LocalAws, service: str, region: str, endpoint_url: str | None) -> BaseClient:
    account = next(iter(local.accounts.names))
    return local.session(account, region).client(service, endpoint_url=endpoint_url)


def directly(local: LocalAws, client: BaseClient, operation: OperationModel, params: Mapping[str, Any]) -> Any:
    """Make one call; return and raise what `client` would."""
    asked = _asked(operation, params)
    key = client._request_signer._credentials.access_key
    region = client.meta.region_name
    where = (operation.service_model.service_name, operation.name, "us-east-1" if region == EVERYWHERE else region)
    try:
        local.run_due()
        reply = acting.act(local, local.accounts.resolve(key, local.clock.now()), *where, **asked)
    except AwsError as error:
        raise _as_raised(client, error, operation.name) from error
    except ConnectionLost as error:
        raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url) from error
    rounded = local.has_handler(*where[:2]) and _has_milliseconds(operation)  # moto's own answer was read from its wire
    found = _plain(operation.output_shape, reply, rounded) if operation.output_shape else {}
    if operation.has_streaming_output:
        name = operation.output_shape.serialization["payload"]
        found[name] = StreamingBody(io.BytesIO(found[name]), len(found[name]))
    found["ResponseMetadata"] = _METADATA
    event = f"after-call.{operation.service_model.service_id.hyphenize()}.{operation.name}"
    client.meta.events.emit(event, http_response=_ANSWER, parsed=found, model=operation, context={})
    return found


def is_more_than_parameters(model: OperationModel) -> bool:
    """Say whether an operation can only be shown over the wire."""
    streams = model.has_streaming_input or model.has_streaming_output
    return streams or model.service_model.service_name in OVER_THE_WIRE


def _has_milliseconds(model: OperationModel) -> bool:
    return "json" in str(model.service_model.resolved_protocol)


def _asked(operation: OperationModel, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as the embedded AWS would read them; refuse what no client would send."""
    shape = operation.input_shape
    if shape is None:
        return {}
    made = {name: str(uuid.uuid4()) for name in operation.idempotent_members if name not in params}
    report = ParamValidator().validate({**params, **made}, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    asked: dict[str, Any] = _plain(shape, {**params, **made}, False)
    return asked


def _plain(shape: Any, value: Any, milliseconds: bool) -> Any:
    """Return a value as it comes off the wire: of the model's members and types, nothing shared with its maker."""
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type:
            return value
        return {
            name: _plain(shape.members[name], each, milliseconds)
            for name, each in value.items()
            if each is not None and name in shape.members
        }
    if kind == "list":
        return [_plain(shape.member, each, milliseconds) for each in value]
    if kind == "map":
        return {str(name): _plain(shape.value, each, milliseconds) for name, each in value.items()}
    if kind == "timestamp":
        return _time(value, shape, milliseconds)
    return _SCALARS[kind](value)


def _time(value: Any, shape: Any, milliseconds: bool) -> datetime:
    time: datetime = parse_to_aware_datetime(value)
    if not milliseconds or shape.serialization.get("timestampFormat") == "iso8601":
        return time
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _text(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


_SCALARS: dict[str, Any] = {
    "string": _text,
    "character": _text,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": lambda value: value if isinstance(value, bool) else str(value).lower() == "true",
    "blob": lambda value: value.encode() if isinstance(value, str) else bytes(value),
}


def _as_raised(client: BaseClient, error: AwsError, operation: str) -> Exception:
    response = acting.client_error(error, operation).response
    raised: Exception = client.exceptions.from_code(error.code)(response, operation)
    return raised
