"""The edges to AWS that need no AWS: error families, messages, documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from orchestrator.aws_errors import translate
from orchestrator.blobs import Blobs, MemoryBlobs, S3Blobs
from orchestrator.clock import AwsClock, SystemClock
from orchestrator.errors import (
    AccessDeniedError,
    ConflictError,
    DrError,
    NotFoundError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
    ValidationError,
)
from orchestrator.notify import BODY_LIMIT, MemoryNotifier, Notice, SnsNotifier, message
from tests.unit.scripted_platform import a_run


def client_error(code: str, status: int = 400, text: str = "no") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[arg-type, typeddict-item]
        "Operation",
    )


@pytest.mark.parametrize(
    ("code", "status", "family"),
    [
        ("ThrottlingException", 400, ThrottledError),
        ("RequestLimitExceeded", 503, ThrottledError),
        ("SomethingNew", 429, ThrottledError),
        ("AccessDenied", 403, AccessDeniedError),
        ("UnauthorizedOperation", 403, AccessDeniedError),
        ("ExpiredTokenException", 400, AccessDeniedError),
        ("ServiceUnavailable", 503, UnreachableError),
        ("ServerException", 500, UnreachableError),
        ("RequestTimeout", 400, UnreachableError),
        ("DBClusterNotFoundFault", 404, NotFoundError),
        ("NoSuchKey", 404, NotFoundError),
        ("InvalidDBClusterStateFault", 400, ConflictError),
        ("ConflictException", 409, ConflictError),
        ("ValidationException", 400, ValidationError),
        ("InvalidParameterCombination", 400, ValidationError),
        ("LimitExceededException", 400, UpstreamError),
        ("PreconditionFailedException", 412, ConflictError),
    ],
)
def test_aws_code_finds_its_family(code: str, status: int, family: type[DrError]) -> None:
    error = translate(client_error(code, status, "what happened"), "rds.X in 2222/us-east-1 as role")
    assert type(error) is family
    assert error.code == code
    assert error.message == f"rds.X in 2222/us-east-1 as role: {code}: what happened"


def test_denied_call_names_the_stack_set_and_the_external_id() -> None:
    assert "external ID" in translate(client_error("AccessDenied"), "sts.AssumeRole").remedy


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://rds"),
        ConnectTimeoutError(endpoint_url="https://rds"),
        ReadTimeoutError(endpoint_url="https://rds"),
    ],
)
def test_silence_is_unreachable_and_may_have_taken_effect(error: Any) -> None:
    translated = translate(error, "rds.X")
    assert isinstance(translated, UnreachableError)
    assert translated.retryable
    assert "Emergency" in translated.remedy


def test_local_trouble_is_not_taken_for_silence() -> None:
    assert isinstance(translate(NoCredentialsError(), "rds.X"), UpstreamError)


def test_error_shows_its_remedy() -> None:
    assert str(DrError("a is b.", "make it c")) == "a is b. Try: make it c"
    assert str(DrError("a is b.")) == "a is b."
    assert DrError("x").code == "Dr"


class Sns:
    def __init__(self, error: ClientError | None = None) -> None:
        self.error = error
        self.sent: list[dict[str, Any]] = []

    def publish(self, **params: Any) -> None:
        if self.error:
            raise self.error
        self.sent.append(params)


class TestNotifier:
    def test_message_fits_what_sns_takes(self) -> None:
        # Given a subject too long and not ASCII, and a body beyond the limit
        client = Sns()
        told = message(Notice.APPROVAL, a_run(), "genehmigen für " + "x" * 200, "y" * 300_000)
        # When
        SnsNotifier(client, "arn:topic").send(told)
        # Then
        (params,) = client.sent
        assert len(params["Subject"]) == 100
        assert params["Subject"].isascii()
        assert params["Subject"].startswith("[DR] CustomerX/production failover: genehmigen f?r")
        assert len(params["Message"]) == BODY_LIMIT
        assert params["MessageAttributes"]["Customer"] == {"DataType": "String", "StringValue": "CustomerX"}

    def test_message_without_a_body_says_its_subject(self) -> None:
        client = Sns()
        SnsNotifier(client, "arn:topic").send(message(Notice.WARNING, a_run(), "look", ""))
        assert client.sent[0]["Message"].endswith("look")

    def test_topic_that_refuses_is_named(self) -> None:
        with pytest.raises(AccessDeniedError, match=r"sns\.Publish to arn:topic"):
            SnsNotifier(Sns(client_error("AccessDenied")), "arn:topic").send(message(Notice.WARNING, a_run(), "a", "b"))

    def test_memory_keeps_what_was_sent(self) -> None:
        notifier = MemoryNotifier()
        notifier.send(message(Notice.WARNING, a_run(), "a", "b"))
        assert notifier.sent[0].body == "b"


class S3:
    """A bucket in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, Key: str, Body: bytes, **_more: Any) -> None:  # noqa: N803
        if Key == "forbidden":
            raise client_error("AccessDenied", 403)
        self.objects[Key] = Body

    def get_object(self, Key: str, **_more: Any) -> Any:  # noqa: N803
        if Key not in self.objects:
            raise client_error("NoSuchKey", 404)

        class Body:
            def read(_self) -> bytes:  # noqa: N805
                return self.objects[Key]

        return {"Body": Body()}


@pytest.mark.parametrize("blobs", [MemoryBlobs(), S3Blobs(S3(), "bucket")])
def test_document_comes_back_and_a_missing_one_is_named(blobs: Blobs) -> None:
    blobs.put("runs/1/plan.json", b"{}")
    assert blobs.get("runs/1/plan.json") == b"{}"
    with pytest.raises(NotFoundError, match=r"runs/2/plan\.json"):
        blobs.get("runs/2/plan.json")


def test_bucket_that_refuses_is_named() -> None:
    with pytest.raises(AccessDeniedError, match="s3://bucket/forbidden"):
        S3Blobs(S3(), "bucket").put("forbidden", b"")


def test_system_clock_knows_its_time_zone() -> None:
    assert SystemClock().now().tzinfo is not None


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Stopped:
    at: datetime

    def now(self) -> datetime:
        return self.at


class TestAwsClock:
    """An operator's machine whose clock is wrong still tells ages and elapsed times right."""

    def test_until_aws_answers_the_machine_is_believed(self) -> None:
        assert AwsClock(Stopped(NOON)).now() == NOON

    def test_date_of_an_answer_corrects_a_machine_that_is_an_hour_late(self) -> None:
        clock = AwsClock(Stopped(NOON))
        clock.hear(SimpleNamespace(headers=HTTPHeaders.from_dict({"date": "Thu, 01 Jan 2026 13:00:00 GMT"})))
        assert clock.now() == NOON + timedelta(hours=1)

    @pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}], ids=["no date", "no such date"])
    def test_answer_that_tells_no_time_changes_nothing(self, headers: dict[str, str]) -> None:
        clock = AwsClock(Stopped(NOON))
        clock.hear(SimpleNamespace(headers=headers))
        assert clock.now() == NOON
