"""A resource is looked at once more before it is touched: tags that have changed since the plan stop it, and it is named."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, World, open_world

SERVICE = {"kind": "ecs-service", "name": "orders-api"}
SERVER = ({"kind": "drs-server", "name": "orders-1"}, {"kind": "drs-server", "name": "orders-2"})


def arn(region: str) -> str:
    return f"arn:aws:ecs:{region}:{APPS}:service/apps/orders-api"


def retag(world: World, region: str, **tags: str) -> None:
    """Change tags as somebody who does not know of the run may: Customer="CustomerY"."""
    named = [{"key": key.replace("dr_", "dr:"), "value": value} for key, value in tags.items()]
    world.aws("ecs", region).tag_resource(resourceArn=arn(region), tags=named)


@pytest.mark.parametrize("region", [SOURCE, TARGET])
@pytest.mark.parametrize(
    ("tags", "seen"),
    [
        ({"Customer": "CustomerY"}, 'Customer="CustomerY", expected "CustomerX"'),
        ({"Environment": "staging"}, 'Environment="staging", expected "production"'),
        ({"dr_enabled": "false"}, 'dr:enabled="false", expected "true"'),
    ],
)
def test_resource_that_changed_hands_after_the_plan_is_named_and_not_touched(
    monkeypatch: pytest.MonkeyPatch, region: str, tags: dict[str, Any], seen: str
) -> None:
    # Given a frozen plan, and a service whose tags are changed before its turn
    world = open_world(monkeypatch, SERVICE)
    run = world.start()
    retag(world, region, **tags)
    # When its turn comes
    action = run.phase(Phase.ACTIVATE)
    # Then it fails before anything is changed, and says what was seen where
    assert action.outcome is Outcome.FAILED
    assert f"{arn(region)} carries {seen}" in action.detail
    assert "correct them, then retry" in action.remedy
    assert world.operations() == []
    # And when the tags are right again, a retry goes through
    retag(world, region, Customer="CustomerX", Environment="production", dr_enabled="true")
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_emergency_does_not_ask_the_lost_region_whose_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_drill_looks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    run = world.start(Operation.TEST)
    retag(world, TARGET, Customer="CustomerY")
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.FAILED
    assert world.operations() == []


def test_one_server_of_a_batch_that_changed_hands_stops_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, *SERVER, images=True)
    run = world.start()
    servers = world.aws("drs", TARGET).describe_source_servers()["items"]
    (mine,) = [each for each in servers if each["tags"].get("Name") == "orders-2"]
    world.aws("drs", TARGET).tag_resource(resourceArn=mine["arn"], tags={"Customer": "CustomerY"})
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert mine["arn"] in action.detail
    assert world.operations() == []
