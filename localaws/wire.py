"""HTTP on one side, `service`, `operation` and `params` on the other.

Requests are routed and parsed, replies and errors built, by moto's protocol code over botocore's service
models: nothing here knows a service by name except S3's two ways to write a bucket.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.exceptions import UnknownServiceError
from botocore.utils import parse_timestamp
from moto.core.errors import ErrorLookup, ErrorLookupFactory, ErrorShape
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import NotFound, get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

from localaws.service import AwsError
from localaws.signing import candidates

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request")
SCOPE_V4A = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<service>[^/]+)/aws4_request")
BUCKET_HOST = re.compile(r"^(?P<bucket>[a-z0-9][a-z0-9.-]+)\.(?:localhost|s3[.-][a-z0-9.-]+|s3\.localhost)(?::\d+)?$")
DEFAULT_REGION = "us-east-1"


class NotServed(Exception):
    """The request names a service or an operation that no model describes."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(f"{service}.{operation}")
        self.service = service
        self.operation = operation


@dataclass(frozen=True)
class HttpReply:
    """An HTTP answer. `headers` keeps the order given; `body` is complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Incoming:
    """A request as read from the wire. `environ` holds the body again, so that it can be handed on."""

    environ: dict[str, Any]
    body: bytes
    service: str
    operation: Any
    protocol: str
    params: dict[str, Any]
    access_key: str | None
    region: str
    security_token: str | None = field(default=None, repr=False)


def read(environ: dict[str, Any]) -> Incoming:
    """Read a WSGI request. Raises `NotServed`, or `AwsError` when the body cannot be parsed."""
    body = _body(environ)
    signing_name, region, access_key, token = credentials(environ)
    service = _service(signing_name, environ, body)
    if service == "s3":
        _bucket_into_path(environ)
    request = Request(dict(environ))
    try:
        operation, url_params = get_service_router(service).match(request)
        protocol = determine_request_protocol(operation.service_model, request.content_type)
    except (NotFound, NotImplementedError) as error:
        raise NotServed(service, _named_operation(environ, body)) from error
    content = _unframed(body) if environ.get("HTTP_CONTENT_ENCODING", "").startswith("aws-chunked") else body
    params = _parse(operation, protocol, request, content, url_params)
    return Incoming(environ, body, service, operation, protocol, params, access_key, region, token)


def build(incoming: Incoming, reply: Mapping[str, Any], request_id: str) -> HttpReply:
    """Build the answer of an operation from a reply in botocore's output shape."""
    serializer = _serializer(incoming.operation, incoming.protocol, request_id)
    answer = serializer.serialize(reply)
    shape = incoming.operation.output_shape
    for name, member in shape.members.items() if shape is not None else ():
        if member.serialization.get("location") == "statusCode" and name in reply:
            answer["status_code"] = reply[name]
    return _reply(answer, request_id)


def build_error(incoming: Incoming, error: AwsError, request_id: str) -> HttpReply:
    """Build an error answer that an SDK reads as `error.code`."""
    serializer = _serializer(incoming.operation, incoming.protocol, request_id)
    shape = _error_shape(incoming.service, error.code)
    problem = _Problem(error)
    # The steps of ResponseSerializer._serialize_error, without its warning about codes outside the model.
    content = serializer.MAP_TYPE()
    serializer._serialize_error_metadata(content, problem, shape)
    answer = serializer._serialized_error_to_response(serializer._create_default_response(), problem, shape, content)
    if error.status != 400:
        answer["status_code"] = error.status
    return _reply(answer, request_id)


def missing_required(incoming: Incoming) -> list[str]:
    """Return the required top-level members that the request lacks."""
    shape = incoming.operation.input_shape
    if shape is None:
        return []
    return [member for member in shape.required_members if incoming.params.get(member) is None]


class _Problem(Exception):
    """An exception whose attributes are the members of the error shape."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message)
        self.code = error.code
        self.message = self.Message = error.message
        for name, value in error.details.items():
            setattr(self, name, value)


def _body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
    else:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = stream.read(length) if length else b""
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip" and "HTTP_X_AMZ_TARGET" in environ:
        try:
            body = gzip.decompress(body)
        except (OSError, zlib.error) as error:
            raise AwsError("SerializationException", f"The body is not gzip: {error}") from error
        environ.pop("HTTP_CONTENT_ENCODING")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return bytes(body)


def credentials(environ: Mapping[str, Any]) -> tuple[str | None, str, str | None, str | None]:
    """Return signing name, Region, access key and session token."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    query: dict[str, str] = {}
    if not header and "Signature=" in environ.get("QUERY_STRING", ""):
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        header = "Credential=" + query.get("X-Amz-Credential", "")
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN") or query.get("X-Amz-Security-Token")
    scope = SCOPE.search(header)
    if scope:
        return scope["service"], scope["region"] or DEFAULT_REGION, scope["key"], token
    scope = SCOPE_V4A.search(header)
    if scope:
        region = environ.get("HTTP_X_AMZ_REGION_SET", DEFAULT_REGION).split(",")[0]
        return scope["service"], DEFAULT_REGION if region == "*" else region, scope["key"], token
    # Signature version 2 in a presigned S3 address names the key only.
    return None, DEFAULT_REGION, query.get("AWSAccessKeyId"), token


def _service(signing_name: str | None, environ: Mapping[str, Any], body: bytes) -> str:
    """Choose among the services that share a signing name."""
    if signing_name is None:
        return "sts" if b"Action=AssumeRoleWith" in body[:4096] else "s3"
    names = candidates(signing_name)
    if signing_name == "s3":
        return "s3control" if environ.get("PATH_INFO", "").startswith("/v20180820/") else "s3"
    for name in names:
        if len(names) == 1 or _fits(name, environ, body):
            return name
    return names[0]


def _fits(service: str, environ: Mapping[str, Any], body: bytes) -> bool:
    metadata = get_service_model(service).metadata
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return bool(target.split(".")[0] == metadata.get("targetPrefix"))
    if metadata["protocol"] in {"query", "ec2"}:
        return f"Version={metadata['apiVersion']}".encode() in body
    try:
        get_service_router(service).match(Request(dict(environ)))
    except NotFound:
        return False
    return True


def _named_operation(environ: Mapping[str, Any], body: bytes) -> str:
    """Name what was asked for, for the error message."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rsplit(".", 1)[-1]
    action = re.search(rb"(?:^|&)Action=([A-Za-z0-9]+)", body)
    if action:
        return action[1].decode()
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _bucket_into_path(environ: dict[str, Any]) -> None:
    """Turn a virtual-hosted S3 request (bucket in the host) into a path-style one."""
    host = BUCKET_HOST.match(environ.get("HTTP_HOST", ""))
    if not host:
        return
    environ["HTTP_HOST"] = "localhost"
    for key in ("PATH_INFO", "RAW_URI", "REQUEST_URI"):
        if key in environ:
            environ[key] = f"/{host['bucket']}{environ[key]}"


def _unframed(body: bytes) -> bytes:
    """Take an S3 upload out of its aws-chunked frames: size in hexadecimal, optional extension, line end, data."""
    pieces: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        size = int(body[position:end].split(b";")[0], 16) if end > position else 0
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        position = end + 2 + size + 2


def _parse(operation: Any, protocol: str, request: Request, body: bytes, url_params: dict[str, Any]) -> dict[str, Any]:
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=_timestamp)
    try:
        return dict(
            parser.parse(
                {
                    "method": request.method,
                    "values": request.values,
                    "headers": request.headers,
                    "body": body,
                    "url_path": request.path,
                    "url_params": url_params,
                }
            )
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AwsError("SerializationException", f"The request cannot be read as {operation.name}: {error}") from error


def _timestamp(value: str | float) -> datetime:
    parsed: datetime = parse_timestamp(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _serializer(operation: Any, protocol: str, request_id: str) -> Any:
    serializer = get_serializer_class(operation.service_model.service_name, protocol)
    return serializer(operation, context=SerializationContext(request_id))


def _reply(answer: Mapping[str, Any], request_id: str) -> HttpReply:
    body = answer["body"]
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    headers = {"x-amzn-RequestId": request_id, **{k: str(v) for k, v in answer["headers"].items()}}
    return HttpReply(int(answer["status_code"]), headers, body or b"")


@lru_cache
def _errors(service: str) -> ErrorLookup:
    return ErrorLookupFactory().for_service(get_service_model(service))


@lru_cache(maxsize=4096)
def _error_shape(service: str, code: str) -> ErrorShape:
    shape = _errors(service).from_code(code)
    if shape is not None:
        return shape
    return ErrorShape(code, {"exception": True, "type": "structure", "members": {}, "error": {"code": code}})


def known_service(service: str) -> bool:
    """Say whether botocore describes the service."""
    try:
        get_service_model(service)
    except UnknownServiceError:
        return False
    return True
