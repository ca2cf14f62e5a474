"""Which endpoint of a cluster is asked, and when another one is."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from orchestrator.cluster_endpoints import ClusterClient
from orchestrator.errors import RefusedError

ENDPOINTS = [{"Region": r, "Endpoint": f"https://{r}.example"} for r in ("us-east-1", "eu-west-1", "us-west-2")]
ON = [{"RoutingControlArn": "arn", "RoutingControlState": "On"}]


def refusal(code: str, status: int) -> ClientError:
    reply: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(reply, "UpdateRoutingControlStates")


def ask(answers: Mapping[str, Exception], lost: frozenset[str] = frozenset()) -> tuple[list[str], Exception | None]:
    """Change a state from us-west-2; return whom it asked, and how it ended."""
    asked: list[str] = []

    def make(region: str, url: str) -> Any:
        assert url == f"https://{region}.example"

        def update(**_: Any) -> dict[str, Any]:
            asked.append(region)
            if region in answers:
                raise answers[region]
            return {}

        return SimpleNamespace(update_routing_control_states=update)

    client = ClusterClient(make, "us-west-2", lost)
    try:
        client.update_routing_control_states(Endpoints=ENDPOINTS, UpdateRoutingControlStateEntries=ON)
    except (ClientError, ConnectTimeoutError, RefusedError) as err:
        return asked, err
    return asked, None


def test_its_own_region_is_asked_first_and_is_enough() -> None:
    assert ask({}) == (["us-west-2"], None)


@pytest.mark.parametrize(
    "error",
    [
        refusal("EndpointTemporarilyUnavailableException", 503),
        refusal("ThrottlingException", 429),
        refusal("InternalServerException", 500),
        ConnectTimeoutError(endpoint_url="https://us-west-2.example"),
    ],
    ids=repr,
)
def test_another_one_is_asked_when_one_cannot_answer(error: Exception) -> None:
    assert ask({"us-west-2": error}) == (["us-west-2", "us-east-1"], None)


@pytest.mark.parametrize("code", ["ConflictException", "AccessDeniedException", "ValidationException"])
def test_a_refusal_is_final(code: str) -> None:
    error = refusal(code, 409)
    assert ask({"us-west-2": error}) == (["us-west-2"], error)


def test_the_last_error_is_told_when_none_answers() -> None:
    errors = {each["Region"]: ConnectTimeoutError(endpoint_url=each["Endpoint"]) for each in ENDPOINTS}
    assert ask(errors) == (["us-west-2", "us-east-1", "eu-west-1"], errors["eu-west-1"])


def test_a_lost_region_is_not_asked() -> None:
    error = refusal("EndpointTemporarilyUnavailableException", 503)
    assert ask({"us-west-2": error}, frozenset({"us-east-1"})) == (["us-west-2", "eu-west-1"], None)


def test_nothing_is_sent_when_no_endpoint_is_known_elsewhere() -> None:
    asked, error = ask({}, frozenset(each["Region"] for each in ENDPOINTS))
    assert asked == []
    assert isinstance(error, RefusedError)
