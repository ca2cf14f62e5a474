"""Requests to a domain's own endpoint: signed, verified, confined to a Region, never repeated when they change something."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, NoCredentialsError
from pydantic import BaseModel

from orchestrator.aws_errors import translate
from orchestrator.contract import Call
from orchestrator.errors import (
    AccessDeniedError,
    ConflictError,
    DrError,
    NotFoundError,
    RefusedError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
)
from orchestrator.judgement import describe
from orchestrator.sessions import AwsReader
from orchestrator.signed_http import SignedHttpClient
from orchestrator.words import Side

HOST = "search-orders-abc.us-west-2.es.amazonaws.com"
READS = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


class Domain:
    """Answers requests instead of a network."""

    def __init__(self, *answers: tuple[int, Any] | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[AWSPreparedRequest] = []

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.seen.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, content = answer
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        raw = SimpleNamespace(stream=lambda *_a, **_k: iter([body]), read=lambda *_a, **_k: body)
        return AWSResponse(request.url, status, HTTPHeaders(), raw)


@pytest.fixture(autouse=True)
def _no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session-token")


class Functions:
    """Invokes a function in a VPC, which answers what a test says."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:
        self.seen.append((FunctionName, json.loads(Payload)))
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


def client(domain: Domain, config: Config = READS, functions: Functions | None = None) -> SignedHttpClient:
    session = boto3.Session(region_name="us-west-2")
    session.events.register_first("before-send.opensearch-http", domain)
    return SignedHttpClient(session._session, "us-west-2", config, lambda: functions)


def lost() -> ConnectionClosedError:
    return ConnectionClosedError(endpoint_url=f"https://{HOST}")


def test_request_is_signed_for_es_in_its_region_with_the_sessions_token() -> None:
    domain = Domain((200, {"status": "green"}))

    assert client(domain).get(Endpoint=HOST, Path="/_cluster/health?local=true") == {"status": "green"}

    (request,) = domain.seen
    assert (request.method, request.url) == ("GET", f"https://{HOST}/_cluster/health?local=true")
    assert "/us-west-2/es/aws4_request" in str(request.headers["Authorization"])
    assert request.headers["X-Amz-Security-Token"] == "a-session-token"


def test_body_goes_as_json_and_a_list_comes_back_under_items() -> None:
    domain = Domain((200, [{"index": "orders"}]), (200, {"acknowledged": True}), (200, b""), (200, {}))
    asked = client(domain)

    assert asked.get(Endpoint=HOST, Path="/_cat/indices?format=json") == {"items": [{"index": "orders"}]}
    assert asked.put(Endpoint=HOST, Path="/orders/_settings", Body={"index.blocks.write": True}) == {
        "acknowledged": True
    }
    assert asked.delete(Endpoint=HOST, Path="/orders") == {}
    assert asked.post(Endpoint=HOST, Path="/_plugins/_replication/orders/_stop", Body={}) == {}
    assert [json.loads(each.body) if each.body else None for each in domain.seen[1:]] == [
        {"index.blocks.write": True},
        None,
        {},
    ]
    assert not asked.can_paginate("get")


def test_request_to_a_domain_in_a_vpc_is_signed_here_and_carried_by_a_function_there() -> None:
    inside, outside = HOST.replace("search-", "vpc-"), Domain()
    functions = Functions(Answer={"Status": 200, "Body": '{"acknowledged": true}'})
    asked = client(outside, functions=functions)

    assert asked.get(Endpoint=inside, Path="/_cluster/health") == {"acknowledged": True}
    asked.put(Endpoint=inside, Path="/orders/_settings", Body={"index.blocks.write": True})

    (reads, first), (changes, second) = functions.seen
    assert (reads, changes) == ("dr-opensearch-read", "dr-opensearch-change")
    assert (first["Method"], first["Endpoint"], first["Path"], first["Body"]) == ("GET", inside, "/_cluster/health", "")
    assert "/us-west-2/es/aws4_request" in first["Headers"]["Authorization"]
    assert first["Headers"]["X-Amz-Security-Token"] == "a-session-token"
    assert json.loads(second["Body"]) == {"index.blocks.write": True}
    assert outside.seen == []


def test_what_a_domain_in_a_vpc_declines_is_told_as_outside_of_one() -> None:
    inside = HOST.replace("search-", "vpc-")
    declined = {"Status": 404, "Body": json.dumps({"error": {"type": "index_not_found_exception", "reason": "gone"}})}
    with pytest.raises(ClientError) as told:
        client(Domain(), functions=Functions(Answer=declined)).get(Endpoint=inside, Path="/_cluster/health")
    assert told.value.response["Error"]["Code"] == "IndexNotFoundException"

    silent = {"Code": "Unreachable", "Message": "does not answer", "Remedy": "look at security groups"}
    with pytest.raises(UnreachableError, match="dr-opensearch-read in us-west-2, asked GET /_cluster/health"):
        client(Domain(), functions=Functions(Refusal=silent)).get(Endpoint=inside, Path="/_cluster/health")


def test_read_without_an_answer_is_tried_again_and_a_change_never() -> None:
    reading = Domain(lost(), lost(), (200, {}))
    assert client(reading).get(Endpoint=HOST, Path="/") == {}
    with pytest.raises(ConnectionClosedError):
        client(Domain(lost(), lost(), lost())).get(Endpoint=HOST, Path="/")

    for method in ("put", "post", "delete"):
        changing = Domain(lost(), (200, {}))
        with pytest.raises(ConnectionClosedError):
            getattr(client(changing), method)(Endpoint=HOST, Path="/orders")
        assert len(changing.seen) == 1


@pytest.mark.parametrize(
    ("status", "content", "code", "family"),
    [
        (
            404,
            {"error": {"type": "index_not_found_exception", "reason": "no"}},
            "IndexNotFoundException",
            NotFoundError,
        ),
        (
            400,
            {"error": {"type": "resource_already_exists_exception"}},
            "ResourceAlreadyExistsException",
            ConflictError,
        ),
        (
            403,
            {"error": {"type": "security_exception", "reason": "no permissions"}},
            "SecurityException",
            AccessDeniedError,
        ),
        (403, {"error": {"type": "cluster_block_exception"}}, "ClusterBlockException", UpstreamError),
        (403, {"Message": "User: x is not authorized"}, "AccessDeniedException", AccessDeniedError),
        (403, {"message": "The security token is expired"}, "AccessDeniedException", AccessDeniedError),
        (429, {"error": {"type": "circuit_breaking_exception"}}, "CircuitBreakingException", ThrottledError),
        (503, b"<html>busy</html>", "Http503", UnreachableError),
        (404, [], "Http404", UpstreamError),
    ],
)
def test_refusals_become_the_families_that_the_engine_knows(
    status: int, content: Any, code: str, family: type[DrError]
) -> None:
    with pytest.raises(ClientError) as raised:
        client(Domain((status, content))).get(Endpoint=HOST, Path="/orders")

    assert raised.value.response["Error"]["Code"] == code
    assert type(translate(raised.value, "a request")) is family


@pytest.mark.parametrize(
    "endpoint",
    ["search-orders-abc.us-east-1.es.amazonaws.com", "us-west-2.example.com", "search.us-west-20.es.amazonaws.com"],
)
def test_nothing_leaves_for_a_domain_of_another_region(endpoint: str) -> None:
    domain = Domain()

    with pytest.raises(RefusedError, match="does not lie in us-west-2"):
        client(domain).get(Endpoint=endpoint, Path="/")

    assert domain.seen == []


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Domain()
    asked = client(domain)
    monkeypatch.setattr(asked._session, "get_credentials", lambda: None)

    with pytest.raises(NoCredentialsError):
        asked.get(Endpoint=HOST, Path="/")


class _Health(BaseModel):
    status: str


def test_reader_reads_through_it_and_does_nothing_else() -> None:
    domain = Domain(
        (200, {"status": "green"}), (404, {"error": {"type": "index_not_found_exception"}}), (200, {"status": "red"})
    )
    session = boto3.Session(region_name="us-west-2")
    session.events.register_first("before-send.opensearch-http", domain)
    reader = AwsReader("222222222222", "us-west-2", session, "a role")

    assert reader.read("opensearch-http", "Get", _Health, Endpoint=HOST, Path="/_cluster/health").status == "green"
    absent = reader.find("opensearch-http", "Get", _Health, ("IndexNotFoundException",), Endpoint=HOST, Path="/nothing")
    assert absent is None
    assert [p.status for p in reader.pages("opensearch-http", "Get", _Health, Endpoint=HOST, Path="/")] == ["red"]
    with pytest.raises(RefusedError, match="is not a read"):
        reader.read("opensearch-http", "Post", _Health, Endpoint=HOST, Path="/orders/_close")
    assert reader.client("opensearch-http") is reader.client("opensearch-http")
    assert reader.client("opensearch-http", changes=True)._attempts == 1


def test_audit_trail_tells_which_path_was_asked() -> None:
    call = Call(
        "opensearch-http", "Post", {"Endpoint": HOST, "Path": "/_plugins/_replication/orders/_stop"}, Side.TARGET
    )

    assert describe(call) == "opensearch-http.Post /_plugins/_replication/orders/_stop on the target side"
