"""Schedules in the embedded AWS: when they are due, and that they keep still unless they are switched on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from localaws.clock import ManualClock
from localaws.schedule_expressions import is_due
from tests.localaws.engine_room import Shop, eventually
from tests.localaws.test_events import queue, received, schedule


def test_schedules_fire_with_the_clock_only_when_enabled() -> None:
    # Given a schedule every five minutes and a rule every hour
    clock = ManualClock(datetime.now(UTC))
    shop = Shop(clock)
    url, arn = queue(shop, "clocked")
    schedule(shop, "five", arn, "rate(5 minutes)")
    shop.aws("events").put_rule(Name="hourly", ScheduleExpression="cron(0 * * * ? *)")
    shop.aws("events").put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": arn, "Input": '{"from": "hourly"}'}])

    # When an hour passes while schedules are off, nothing comes
    clock.advance(3600)
    assert received(shop, url) == []

    # When they are on for another hour, each comes as often as it should
    shop.local.service("scheduler").enable()  # type: ignore[attr-defined]
    clock.advance(3600)
    seen: list[Any] = []
    eventually(lambda: seen.extend(received(shop, url)) or seen, lambda found: len(found) >= 13)
    assert [message["from"] for message in seen].count("five") == 12
    assert [message["from"] for message in seen].count("hourly") == 1


@pytest.mark.parametrize(
    ("expression", "moment", "due"),
    [
        ("cron(15 10 ? * MON-FRI *)", "2026-03-02T10:15", True),
        ("cron(15 10 ? * MON-FRI *)", "2026-03-01T10:15", False),
        ("cron(0/15 * * * ? *)", "2026-03-01T10:45", True),
        ("cron(0 3 L * ? *)", "2026-02-28T03:00", True),
        ("cron(0 3 ? * 2#1 *)", "2026-03-02T03:00", True),
        ("cron(0 3 ? * 2#1 *)", "2026-03-09T03:00", False),
        ("cron(0 3 ? MAR SUNL *)", "2026-03-29T03:00", True),
        ("cron(0 3 1W * ? *)", "2026-03-02T03:00", True),
        ("rate(2 hours)", "2026-01-01T04:00", True),
        ("rate(2 hours)", "2026-01-01T03:00", False),
        ("at(2026-05-05T05:05:00)", "2026-05-05T05:05", True),
    ],
)
def test_schedule_expression_is_due(expression: str, moment: str, due: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    assert is_due(expression, now, since=datetime(2026, 1, 1, tzinfo=UTC)) is due
