"""What readiness finds of API destinations: they have connections and secrets of their own in each Region."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.eventbridge_scene import RULE, rules_world
from tests.support.driver import TARGET, World

AUTH = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}}


def partner(world: World) -> str:
    """Make an API destination in the target Region; return its ARN."""
    events = world.aws("events", TARGET)
    connection = events.create_connection(Name="partner", AuthorizationType="API_KEY", AuthParameters=AUTH)
    made = events.create_api_destination(
        Name="partner",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint="https://partner.example.com/orders",
        HttpMethod="POST",
    )
    return str(made["ApiDestinationArn"])


def sends_to(world: World, arn: str) -> None:
    """Let a rule of the target side send to a destination, besides what it sends to already."""
    target = {"Id": "partner", "Arn": arn, "RoleArn": "arn:aws:iam::222222222222:role/events"}
    world.aws("events", TARGET).put_targets(Rule=RULE["Name"], EventBusName=RULE["EventBusName"], Targets=[target])


def a_destination_that_is_gone(world: World) -> None:
    arn = partner(world)
    sends_to(world, arn)
    world.aws("events", TARGET).delete_api_destination(Name="partner")


def a_connection_that_is_not_authorized(world: World) -> None:
    sends_to(world, partner(world))
    world.local.backend("events", "222222222222", TARGET).connections["partner"].state = "DEAUTHORIZED"


def a_destination_that_is_off(world: World) -> None:
    sends_to(world, partner(world))
    world.local.backend("events", "222222222222", TARGET).destinations["partner"].state = "INACTIVE"


@pytest.mark.parametrize(
    ("deed", "code", "words", "remedy"),
    [
        (a_destination_that_is_gone, "api-destination", "partner of rule orders-placed does not exist", "create-api"),
        (a_destination_that_is_off, "api-destination", "is INACTIVE, expected ACTIVE", "describe-api-destination"),
        (
            a_connection_that_is_not_authorized,
            "connection",
            "is DEAUTHORIZED, expected AUTHORIZED",
            "update-connection",
        ),
    ],
)
def test_an_api_destination_that_could_not_be_called_is_red(
    monkeypatch: pytest.MonkeyPatch, deed: Any, code: str, words: str, remedy: str
) -> None:
    world = rules_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    (found,) = (each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert world.refusals() == []


def test_an_api_destination_with_an_authorized_connection_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    sends_to(world, partner(world))

    run = world.start()

    assert {"api-destination", "connection"}.isdisjoint(run.findings)
    assert world.refusals() == []
