"""Signed HTTP to an OpenSearch domain's own endpoint, in the shape of a botocore client.

botocore knows the control plane of OpenSearch Service only; indices, replication and snapshots of a domain are reached by
HTTPS requests that carry a SigV4 signature for the service `es` (developer guide, "Signing HTTP requests"). This client
signs with botocore's signer, sends with botocore's transport (urllib3; certificates are verified against AWS_CA_BUNDLE or
`ca_bundle`, as in every other client), and raises botocore's own errors, so that one table translates them all.

A domain in a VPC (its endpoint's name begins with `vpc-`) answers in that VPC only. A request to it is signed here all the
same, and a function there (`dr-opensearch-read`, `dr-opensearch-change`) carries it and the answer. It has no rights of its own:
what may be asked of the domain is told by the signature, that is by the spoke role and the session policy of the run. There are
two, because a domain may let in whoever reaches it: a session for reading must reach it with nothing but GET.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from pydantic import BaseModel, JsonValue

from orchestrator.errors import RefusedError
from orchestrator.names import OPENSEARCH_CHANGE, OPENSEARCH_READ
from orchestrator.vpc_functions import invoked

SERVICE = "opensearch-http"
"""The pseudo-service's name in reads and calls: operations Get, Put, Post, Delete; parameters Endpoint, Path, Body."""
_SIGNED_AS = "es"
_DENIED = 403


class SignedHttpClient:
    """Requests to domains of one Region. JSON objects are returned as they are, arrays as `{"items": [...]}`."""

    SERVICE = SERVICE

    def __init__(self, session: Any, region: str, config: Config, functions: Callable[[], Any]) -> None:
        """`session` is a botocore session; `config` holds time limits and how often a read may be tried.

        `functions` returns a Lambda client of `region`, of the same session.
        """
        self._session = session
        self._functions = functions
        self._region = region
        self._attempts = int((config.retries or {}).get("total_max_attempts", 1))
        self._transport = URLLib3Session(
            verify=session.get_config_variable("ca_bundle") or True,
            timeout=(config.connect_timeout, config.read_timeout),
        )

    def can_paginate(self, _operation: str) -> bool:
        """Say that nothing has pages."""
        return False

    def get(self, *, Endpoint: str, Path: str) -> Mapping[str, Any]:
        """GET; tried again when no answer came."""
        for left in reversed(range(self._attempts)):
            try:
                return self._ask("GET", Endpoint, Path, None)
            except HTTPClientError:
                if not left:
                    raise
        raise AssertionError("no attempt was allowed")

    def put(self, *, Endpoint: str, Path: str, Body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """PUT, once."""
        return self._ask("PUT", Endpoint, Path, Body)

    def post(self, *, Endpoint: str, Path: str, Body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """POST, once."""
        return self._ask("POST", Endpoint, Path, Body)

    def delete(self, *, Endpoint: str, Path: str, Body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """DELETE, once."""
        return self._ask("DELETE", Endpoint, Path, Body)

    def _ask(self, method: str, endpoint: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        request = self._signed(method, self._url(endpoint, path), body)
        if lies_in_vpc(endpoint):
            status, answered = self._carried(request, endpoint, path)
        else:
            events = self._session.get_component("event_emitter")
            name = f"{SERVICE}.{method.capitalize()}"
            _, answer = events.emit_until_response(f"before-send.{name}", request=request)
            answer = answer or self._transport.send(request)
            status, answered = answer.status_code, answer.content
        content = _parsed(answered)
        if status >= 300:
            raise _refusal(status, content, method.capitalize())
        return content if isinstance(content, Mapping) else {"items": content}

    def _carried(self, request: AWSPreparedRequest, endpoint: str, path: str) -> tuple[int, bytes]:
        """Let the function in the domain's VPC send a signed request; return status and body of the answer."""
        body = request.body or b""
        event: Mapping[str, JsonValue] = {
            "Method": str(request.method),
            "Endpoint": endpoint,
            "Path": path,
            "Headers": {
                name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()
            },
            "Body": body.decode() if isinstance(body, bytes) else str(body),
        }
        name = OPENSEARCH_READ if request.method == "GET" else OPENSEARCH_CHANGE
        what = f"function {name} in {self._region}, asked {request.method} {path} of {endpoint}"
        answer = _Carried.model_validate(invoked(self._functions(), name, event, what, "OpenSearch"))
        return answer.Status, answer.Body.encode()

    def _url(self, endpoint: str, path: str) -> str:
        """Return the URL. A request may leave for no other Region than this client's: not for one that is lost."""
        if f".{self._region}." not in f"{endpoint}.":
            raise RefusedError(
                f"{endpoint} does not lie in {self._region}; this session may only ask domains there.",
                "this is a defect of the adapter: report it; nothing was sent.",
            )
        return f"https://{endpoint}{path}"

    def _signed(self, method: str, url: str, body: Mapping[str, Any] | None) -> AWSPreparedRequest:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        data = b"" if body is None else json.dumps(body).encode()
        request = AWSRequest(method=method, url=url, data=data, headers={"Content-Type": "application/json"})
        SigV4Auth(credentials.get_frozen_credentials(), _SIGNED_AS, self._region).add_auth(request)
        return request.prepare()


class _Carried(BaseModel):
    Status: int
    Body: str = ""


def lies_in_vpc(endpoint: str) -> bool:
    """Say whether a domain's endpoint is one inside a VPC: `vpc-NAME-ID.REGION...`, never `search-...` (developer guide, VPC)."""
    return endpoint.rpartition("/")[2].startswith("vpc-")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content.strip() else {}
    except ValueError:
        return {"text": content.decode("utf-8", "replace")[:500]}


def _refusal(status: int, content: Any, operation: str) -> ClientError:
    """Return botocore's error. OpenSearch's `index_not_found_exception` gets the code IndexNotFoundException."""
    told = content if isinstance(content, Mapping) else {}
    error = told.get("error")
    if isinstance(error, Mapping):
        code = "".join(part.capitalize() for part in str(error.get("type", "unknown")).split("_"))
        message = str(error.get("reason", ""))
    else:
        code = "AccessDeniedException" if status == _DENIED else f"Http{status}"
        message = str(told.get("Message") or told.get("message") or error or told.get("text") or "no reason given")
    reply: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(reply, operation)
