"""Events that a lost Region took and kept: sent again when the manifest asks for it, once, and to somebody who hears them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Outcome, Phase
from tests.adapters.eventbridge_scene import BUS, PATTERN, PLACED, RULE, received, rules_world, written
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World

ARCHIVE = {"archive": BUS, "from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z", "rules": ["forward"]}


def outage(world: World, **wish: Any) -> Journey:
    """Let an order be archived on the source side, move, and start the clean-up with a replay in the manifest."""
    source, target = world.aws("events", SOURCE), world.aws("events", TARGET)
    source.put_rule(Name="forward", EventBusName=BUS, EventPattern=PATTERN)
    bus = f"arn:aws:events:{TARGET}:{APPS}:event-bus/{BUS}"
    source.put_targets(Rule="forward", EventBusName=BUS, Targets=[{"Id": "bus", "Arn": bus}])
    source.disable_rule(Name="forward", EventBusName=BUS)
    source.put_events(Entries=[PLACED])
    source.enable_rule(Name="forward", EventBusName=BUS)
    received(world, SOURCE)
    target.enable_rule(**RULE)
    return clean_up(world, **wish)


def clean_up(world: World, **wish: Any) -> Journey:
    """Start the clean-up with a replay in the manifest."""
    return world.start(Phases=["CLEANUP"], **written(world, replay={**ARCHIVE, **wish}))


def test_events_that_a_lost_region_kept_are_replayed_once_when_the_manifest_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = rules_world(monkeypatch)
    run = outage(world)
    assert run.previewed_calls() == ["DisableRule", "StartReplay"]

    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert (received(world, SOURCE), received(world, TARGET)) == (0, 1)
    assert world.refusals() == []
    run.end()
    again = clean_up(world)
    assert again.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert again.made() == []
    assert received(world, TARGET) == 0


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"rules": ["orders-placed"]}, "no rule would hear the replay: orders-placed"),
        ({"rules": []}, "no rule would hear the replay: none is named"),
        ({"archive": None}, "cannot be read"),
    ],
)
def test_a_replay_that_nobody_would_hear_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any], words: str
) -> None:
    world = rules_world(monkeypatch)

    action = outage(world, **wish).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert words in action.detail
    assert action.remedy


def test_a_replay_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = outage(world)
    world.fault(effect="fail", kind="events.replay")

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "is FAILED (The events could not be delivered.)" in action.detail
    assert "under another name" in action.remedy


def test_a_replay_that_somebody_cancels_ends_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = outage(world)
    run.until(Phase.CLEANUP, "replay-events")
    (replay,) = world.aws("events", SOURCE).list_replays()["Replays"]
    world.aws("events", SOURCE).cancel_replay(ReplayName=replay["ReplayName"])

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "is CANCELLED" in action.detail
