"""botocore without sockets: clients hand their signed requests straight to the WSGI application."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, should_preserve_original_header_name

from localaws.service import ConnectionLost

if TYPE_CHECKING:
    import botocore.session

    from localaws.dispatcher import LocalAws


def connect(local: LocalAws, session: botocore.session.Session) -> None:
    """Make every client of `session`, made before or after, call `local` in this process."""

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        environ = to_environ(request)
        try:
            answer = local.answer(environ)
        except ConnectionLost as error:
            raise ConnectionClosedError(endpoint_url=request.url, request=request, response=None) from error
        return AWSResponse(request.url, answer.status, _headers(answer.headers), _Raw(answer.body))

    session.get_component("event_emitter").register_first("before-send", send)


def to_environ(request: AWSPreparedRequest) -> dict[str, Any]:
    """Return the WSGI environ of a prepared request."""
    url = urlsplit(request.url)
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path) or "/",
        "RAW_URI": (url.path or "/") + (f"?{url.query}" if url.query else ""),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": url.scheme,
    }
    preserved: dict[str, str] = {}
    for name, raw in request.headers.items():
        value = raw.decode() if isinstance(raw, bytes) else str(raw)
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = value
        if should_preserve_original_header_name(name):
            preserved[key] = name
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = preserved
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _headers(headers: Any) -> Any:
    from botocore.compat import HTTPHeaders

    result = HTTPHeaders()
    for name, value in headers.items():
        result[name] = value
    return result


class _Raw(io.BytesIO):
    """What AWSResponse reads the body from."""

    def stream(self, amt: int = 65536, **_: Any) -> Any:
        while chunk := self.read(amt):
            yield chunk
