"""State machines on a clock that a test moves: nothing waits for real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.clock import ManualClock
from tests.localaws.engine_room import Shop, eventually
from tests.localaws.test_stepfunctions import ECHO, ask, call

HOUR = 3600


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> Iterator[Shop]:
    shop = Shop(clock)
    shop.function("echo", ECHO)
    yield shop
    shop.close()


def entered(shop: Shop, execution: str, kind: str) -> Any:
    return eventually(lambda: kind in shop.history(execution))


def test_wait_ends_when_the_clock_has_moved_far_enough(shop: Shop, clock: ManualClock) -> None:
    wait = {"Type": "Wait", "Seconds": HOUR, "Next": "Call"}
    execution = shop.start(shop.machine("hour", {"Wait": wait, "Call": call({"n": 1})}))
    entered(shop, execution, "WaitStateEntered")
    eventually(lambda: clock._queue)

    clock.advance(HOUR - 1)
    assert shop.history(execution)[-1] == "WaitStateEntered"

    clock.advance(1)
    assert shop.finish(execution)["value"] == {"heard": {"n": 1}}


def test_callback_timeout_can_be_faster_than_the_clock(shop: Shop, clock: ManualClock) -> None:
    # Given an engine whose callbacks time out sixty times faster than anything else
    shop.local.service("stepfunctions").engine.callback_speed = 60.0  # type: ignore[attr-defined]
    execution = shop.start(shop.machine("ask-hour", {"Ask": ask(TimeoutSeconds=HOUR)}))
    entered(shop, execution, "TaskSubmitted")

    # When a minute passes
    clock.advance(HOUR / 60)

    # Then the hour of the callback is over
    assert shop.finish(execution)["error"] == "States.Timeout"
