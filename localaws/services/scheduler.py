"""Schedules: EventBridge Scheduler's and rules' `rate()` and `cron()`.

They fire only when `enabled` (so that nothing happens behind a test's back), at the clock's speed, or by hand:
POST /_localaws/schedules/fire?name=NAME.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.admin import AdminError
from localaws.delivery import Target, deliver
from localaws.schedule_expressions import is_due
from localaws.service import Service

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.scheduler")

STEP_SECONDS = 60
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""The context attribute of a schedule's input that is filled in."""


@dataclass(frozen=True)
class Scheduled:
    """A schedule or a rule with a schedule."""

    account: str
    region: str
    name: str
    expression: str
    enabled: bool
    since: datetime
    source: Any
    is_rule: bool


class SchedulerService(Service):
    """All schedules of the embedded AWS; moto keeps them."""

    name: ClassVar[str] = "scheduler"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._running = False
        self._now = world.clock.now()
        routes = getattr(world, "admin_routes", None)
        if routes is not None:
            routes["schedules/fire"] = self._fire_page
            routes["schedules"] = self._page

    @property
    def enabled(self) -> bool:
        """Return whether schedules fire by themselves."""
        return self._running

    def enable(self) -> None:
        """Make schedules fire at the clock's speed."""
        if not self._running:
            self._running = True
            self._now = self.world.clock.now()
            self.world.clock.after(STEP_SECONDS, self._step)

    def disable(self) -> None:
        """Make them fire by hand only."""
        self._running = False

    def all(self) -> Iterator[Scheduled]:
        """Return every schedule of every account and Region."""
        from moto.events.models import events_backends
        from moto.scheduler.models import scheduler_backends

        for account in self.world.accounts.names:
            for region, backend in list(scheduler_backends[account].items()):
                for group in backend.schedule_groups.values():
                    for schedule in group.schedules.values():
                        yield _of_schedule(account, region, schedule)
            for region, events in list(events_backends[account].items()):
                for bus in events.event_buses.values():
                    for rule in bus.rules.values():
                        if rule.scheduled_expression:
                            yield _of_rule(account, region, rule)

    def fire(self, name: str) -> list[str]:
        """Fire every schedule with this name now; return where they are. Raises `AdminError` when there is none."""
        found = [scheduled for scheduled in self.all() if scheduled.name == name]
        if not found:
            known = ", ".join(sorted({scheduled.name for scheduled in self.all()})) or "none"
            raise AdminError(f"no schedule {name!r}; there are: {known}")
        for scheduled in found:
            self._fire(scheduled)
        return [f"{scheduled.account}/{scheduled.region}" for scheduled in found]

    def _step(self) -> None:
        if not self._running:
            return
        self._now += timedelta(seconds=STEP_SECONDS)
        for scheduled in list(self.all()):
            if scheduled.enabled and is_due(scheduled.expression, self._now, scheduled.since):
                self._fire(scheduled)
        self.world.clock.after(STEP_SECONDS, self._step)

    def _fire(self, scheduled: Scheduled) -> None:
        log.info("schedule %s fires in %s %s", scheduled.name, scheduled.account, scheduled.region)
        self.world.background(lambda: self._deliver(scheduled))

    def _deliver(self, scheduled: Scheduled) -> None:
        if scheduled.is_rule:
            events: Any = self.world.service("events")
            events.fire(scheduled.account, scheduled.region, scheduled.source)
            return
        given = scheduled.source.target
        target = Target(
            arn=given["Arn"],
            role_arn=given.get("RoleArn"),
            parameters={"region": scheduled.region} if ":scheduler:::" in given["Arn"] else {},
            dead_letter_arn=given.get("DeadLetterConfig", {}).get("Arn"),
        )
        meant = self.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        text = (given.get("Input") or "{}").replace(SCHEDULED_TIME, meant)
        deliver(self.world, target, text, f"schedule-{scheduled.name}")  # type: ignore[arg-type]

    def _fire_page(self, _local: Any, method: str, query: Mapping[str, str], _body: Any) -> Any:
        if method != "POST" or "name" not in query:
            raise AdminError("use POST /_localaws/schedules/fire?name=NAME")
        return {"fired": self.fire(query["name"])}

    def _page(self, _local: Any, method: str, _query: Mapping[str, str], body: Any) -> Any:
        if method == "POST":
            (self.enable if (body or {}).get("enabled") else self.disable)()
        listed = [
            {"name": s.name, "account": s.account, "region": s.region, "expression": s.expression, "enabled": s.enabled}
            for s in self.all()
        ]
        return {"enabled": self.enabled, "schedules": listed}


def _of_schedule(account: str, region: str, schedule: Any) -> Scheduled:
    since = datetime.fromtimestamp(schedule.creation_date, UTC)
    on = schedule.state == "ENABLED"
    return Scheduled(account, region, schedule.name, schedule.schedule_expression, on, since, schedule, is_rule=False)


def _of_rule(account: str, region: str, rule: Any) -> Scheduled:
    on = rule.state.startswith("ENABLED")
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return Scheduled(account, region, rule.name, rule.scheduled_expression, on, start, rule, is_rule=True)
