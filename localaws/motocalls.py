"""Calls into moto: the request as it came, or one built again from changed parameters."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.core.exceptions import HTTPException
from moto.core.request import Request
from moto.core.utils import get_service_model

from localaws.service import AwsError, Call, Reply
from localaws.wire import HttpReply, Incoming, NotServed

MotoHandler = Callable[[Request, str, Any], Any]

# Services whose real host carries no Region; the rest are <endpoint prefix>.<Region>.amazonaws.com.
GLOBAL_HOSTS = {"iam": "iam", "route53": "route53", "cloudfront": "cloudfront", "budgets": "budgets"}
REGIONAL_HOSTS = {"s3control": "{account}.s3-control.{region}", "s3": "s3.{region}"}


def send(incoming: Incoming, call: Call) -> HttpReply:
    """Answer a request as it came. Raises `NotServed` when moto has no such operation."""
    return _dispatch(call, incoming.environ, incoming.body)


def ask(call: Call) -> HttpReply:
    """Answer a call built from its parameters, signed by nobody."""
    model = get_service_model(call.service)
    operation = model.operation_model(call.operation)
    serializer = create_serializer(str(model.resolved_protocol), include_validation=False)
    request = serializer.serialize_to_request(dict(call.params), operation)
    return _dispatch(call, *_environ(call, request))


def parsed(call: Call, answer: HttpReply) -> Reply:
    """Read moto's answer to an `ask` or a `send` into botocore's output shape; raise `AwsError` for an error."""
    model = get_service_model(call.service)
    operation = model.operation_model(call.operation)
    protocol = str(model.resolved_protocol)
    content_type = answer.headers.get("Content-Type", answer.headers.get("content-type", ""))
    if protocol == "json" and "xml" in content_type:
        protocol = "query"
    # A streamed body stays bytes: the parser would decode it as text.
    streamed = answer.status < 300 and operation.has_streaming_output
    body = b"" if streamed else answer.body
    response = {"status_code": answer.status, "headers": _Headers(answer.headers), "body": body}
    result = create_parser(protocol).parse(response, operation.output_shape)
    result.pop("ResponseMetadata", None)
    if streamed:
        result[operation.output_shape.serialization["payload"]] = answer.body
    if answer.status >= 300 and "Error" in result:
        error = result.pop("Error")
        raise AwsError(error.get("Code") or str(answer.status), error.get("Message", ""), answer.status, **result)
    return dict(result)


def backend(service: str, account: str, region: str) -> Any:
    """Return moto's backend of a service; global services keep one per partition, under `aws`."""
    regions = get_backend(service)[account]
    return regions[region] if region in regions else regions["aws"]


class _Headers(dict[str, str]):
    """Headers looked up in any case, as botocore's parsers expect."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({key.lower(): value for key, value in headers.items()})

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key.lower())

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key).lower())


def _environ(call: Call, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    body = request["body"]
    headers = dict(request["headers"])
    if isinstance(body, dict):
        body = urlencode(body)
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    if hasattr(body, "read"):
        body = body.read()
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    path = urlsplit(request["url_path"])
    query = "&".join(part for part in (path.query, _query(request["query_string"])) if part)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": unquote(path.path) or "/",
        "RAW_URI": (path.path or "/") + (f"?{query}" if query else ""),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=LOCAL/20260101/{call.region}/{call.service}/aws4_request",
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = str(value)
    return environ, body


def _query(values: Mapping[str, Any] | str) -> str:
    if isinstance(values, str):
        return values
    return urlencode({k: str(v).lower() if isinstance(v, bool) else v for k, v in values.items()}, doseq=True)


def _dispatch(call: Call, original: Mapping[str, Any], body: bytes) -> HttpReply:
    host = _host(call)
    environ = dict(original)
    environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
    environ |= {
        "HTTP_HOST": host,
        "HTTP_X_MOTO_ACCOUNT_ID": call.account,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_PORT": "443",
        "SCRIPT_NAME": "",
    }
    request = Request(environ)
    url = f"https://{host}{request.raw_path}"
    for pattern, handler in _routes(_moto_service(call)):
        if pattern.match(url):
            return _run(call, handler, request)
    raise NotServed(call.service, call.operation)


def _run(call: Call, handler: MotoHandler, request: Request) -> HttpReply:
    try:
        status, headers, body = handler(request, request.raw_url, request.headers)
    except NotImplementedError as error:
        raise NotServed(call.service, call.operation) from error
    except HTTPException as error:
        status, headers, body = error.code or 400, dict(error.get_headers()), error.get_body()
    if isinstance(body, str):
        body = body.encode()
    return HttpReply(int(status), {str(k): str(v) for k, v in dict(headers).items()}, bytes(body or b""))


def _host(call: Call) -> str:
    prefix = GLOBAL_HOSTS.get(call.service)
    if prefix:
        return f"{prefix}.amazonaws.com"
    pattern = REGIONAL_HOSTS.get(call.service)
    if pattern:
        return f"{pattern.format(account=call.account, region=call.region)}.amazonaws.com"
    return f"{get_service_model(call.service).endpoint_prefix}.{call.region}.amazonaws.com"


def _moto_service(call: Call) -> str:
    name = _moto_service_of_host(re.sub(r"\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws", ".us-east-1.amazonaws", _host(call)))
    if name is None:
        raise NotServed(call.service, call.operation)
    return name


@lru_cache
def _moto_service_of_host(host: str) -> str | None:
    url = f"https://{host}/"
    return next((name for name, pattern in backend_url_patterns if pattern.match(url)), None)


@lru_cache
def _routes(moto_service: str) -> tuple[tuple[re.Pattern[str], MotoHandler], ...]:
    backends = get_backend(moto_service)
    if isinstance(backends, BackendDict):
        regions = backends[DEFAULT_ACCOUNT_ID]
        any_backend = regions["us-east-1"] if "us-east-1" in regions else regions["aws"]
    else:
        any_backend = backends["global"]
    return tuple((re.compile(url), handler) for url, handler in any_backend.urls.items())
