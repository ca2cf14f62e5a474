"""Orders to a run, and the watchdog's rounds, that die at any write and are given again come to the same end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from orchestrator import commands, ending, pausing
from orchestrator.errors import RefusedError
from orchestrator.escalating import escalate
from orchestrator.identity import Identity
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.linked import filled
from orchestrator.platform import Platform
from orchestrator.words import RunStatus
from tests.unit.scripted_platform import HOME, SCOPE, START, Cloud, Operator
from tests.unit.test_interruptions import WRITES, Crash, Fuse, fused
from tests.unit.test_watchdog import StepFunctions, Story

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
Order = Callable[[Platform], object]


def _watch(platform: Platform) -> object:
    states = StepFunctions()
    states.end("run-1", "ABORTED", START)
    story = Story.__new__(Story)
    story.platform, story.states = platform, states
    return story.look()


def _paused(platform: Platform) -> None:
    pausing.pause(platform.ledger, "run-1", KIM.arn, "", platform.clock.now())


def _escalated(platform: Platform) -> bool:
    """Say whether the planned run is marked once, and the emergency that goes on with it may take its scope."""
    run = platform.ledger.run("run-1")
    lines = [event for event in platform.ledger.events("run-1") if event.kind == "escalate"]
    asked = filled(platform.ledger, {"Escalate": "run-1"}, "run-2")
    return (
        run.escalation is not None
        and (run.escalation.by, run.escalation.accept_data_loss, run.cancelled_by) == (KIM.arn, True, KIM.arn)
        and len(lines) >= 1
        and isinstance(asked, dict)
        and asked["Emergency"] is True
    )


ORDERS: Mapping[str, tuple[Callable[[Platform], None], Order, Callable[[Platform], bool]]] = {
    "pause": (
        lambda _platform: None,
        lambda platform: commands.pause(platform, "run-1", KIM, "CHG-1"),
        lambda platform: platform.ledger.run("run-1").paused,
    ),
    "resume": (
        _paused,
        lambda platform: commands.resume(platform, "run-1", KIM, "", "a-1"),
        lambda platform: not platform.ledger.run("run-1").paused,
    ),
    "cancel": (
        lambda _platform: None,
        lambda platform: ending.cancel(platform, "run-1", KIM.arn, ""),
        lambda platform: platform.ledger.run("run-1").cancelled_by == KIM.arn,
    ),
    "escalate": (
        lambda _platform: None,
        lambda platform: escalate(platform, "run-1", KIM, "us-east-1 is dead", accept_data_loss=True),
        _escalated,
    ),
    "watchdog": (
        lambda _platform: None,
        _watch,
        lambda platform: (
            platform.ledger.run("run-1").status is RunStatus.STOPPED
            and platform.ledger.holder(SCOPE) is None
            and any(event.kind == "watchdog" for event in platform.ledger.events("run-1"))
        ),
    ),
}


def _given(order: str, fuse: Fuse) -> tuple[Cloud, Platform]:
    cloud = Cloud(ledger=fused(MemoryLedger, WRITES, fuse))
    cloud.add("orders")
    platform = cloud.platform()
    cloud.accept(platform)
    Operator(platform, cloud, lambda _gate: None).drive("run-1")
    ORDERS[order][0](platform)
    cloud.clock.advance(3600)
    return cloud, platform


def _killed(order: str, point: int) -> tuple[Cloud, Platform, bool]:
    """Give an order that dies at a point, and give it again; say whether it died."""
    fuse = Fuse()
    cloud, platform = _given(order, fuse)
    fuse.points = {len(fuse.seen) + point}
    try:
        ORDERS[order][1](platform)
    except Crash:
        try:
            ORDERS[order][1](platform)
        except RefusedError as again:  # it had taken effect before it died
            assert again.code in {"AlreadyPaused", "NotPaused"}
        return cloud, platform, True
    return cloud, platform, False


@pytest.mark.parametrize("order", ORDERS)
def test_order_killed_at_any_write_and_given_again_takes_effect_once(order: str) -> None:
    point = 0
    while True:
        cloud, platform, died = _killed(order, point)
        # Then it has its effect, and nothing was called
        assert ORDERS[order][2](platform), f"{order} killed at {point}"
        assert len(platform.ledger.run("run-1").pauses) <= 1
        assert cloud.made == []
        if not died:
            break
        point += 1
    assert point >= 2, "the order wrote nothing"
