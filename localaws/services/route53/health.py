"""Health checks, evaluated when somebody asks: no checker runs in the background.

A change of the truth (an endpoint dies, an alarm fires, a setting is turned) becomes the status 30 s of
AWS time later, as with real checkers. Alarms and dark Regions know when they changed; any other change is
taken to be as old as the last look, because AWS's checkers would have seen it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localaws.world import World

PROPAGATION_SECONDS = 30.0
REGION_IN_NAME = re.compile(r"(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d)\.")
MAX_DEPTH = 8


@dataclass(frozen=True)
class Endpoint:
    """Something that health checks call: it lives in a Region and says whether it serves."""

    region: str | None
    serves: Callable[[], bool]


@dataclass
class _Seen:
    status: bool
    at: datetime
    differs_since: datetime | None = None


class HealthChecks:
    """The status of every health check of every account."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._endpoints: dict[str, Endpoint] = {}
        self._seen: dict[str, _Seen] = {}
        self._last_known_alarm: dict[str, bool] = {}

    def clear(self) -> None:
        """Forget endpoints and statuses."""
        self._endpoints.clear()
        self._seen.clear()
        self._last_known_alarm.clear()

    def register_endpoint(self, name: str, serves: Callable[[], bool], region: str | None = None) -> None:
        """Make a host name or IP address something that lives in `region` and answers while `serves()`."""
        self._endpoints[_plain(name)] = Endpoint(region or _region_in(name), serves)

    def endpoint_serves(self, name: str) -> bool:
        """Say whether a host answers. An unknown host answers while the Region in its name is up; others never do."""
        endpoint = self._endpoints.get(_plain(name))
        region = endpoint.region if endpoint else _region_in(name)
        if region is not None and self._region_is_down(region):
            return False
        return endpoint.serves() if endpoint else region is not None

    def is_endpoint(self, name: str) -> bool:
        """Say whether a host is known: registered, or named after its Region."""
        return _plain(name) in self._endpoints or _region_in(name) is not None

    def observe_all(self) -> None:
        """Look at every check now, so that a later look knows since when a status differs."""
        for _, check in self._all_checks():
            self.is_healthy(check)

    def is_healthy(self, check: Any, depth: int = 0) -> bool:
        """Return the status that DNS acts upon: propagated, with Disabled and Inverted applied."""
        now = self.world.clock.now()
        truth = self._truth(check, depth)
        seen = self._seen.setdefault(check.id, _Seen(truth, now))
        if truth == seen.status:
            seen.differs_since = None
        else:
            seen.differs_since = seen.differs_since or max(seen.at, self._changed_at(check) or seen.at)
            if now - seen.differs_since >= timedelta(seconds=self.world.clock.clock_seconds(PROPAGATION_SECONDS)):
                seen.status, seen.differs_since = truth, None
        seen.at = now
        return seen.status

    def is_healthy_by_id(self, check_id: str, depth: int = 0) -> bool:
        """Return the status of a check by id; a check that no longer exists counts as healthy."""
        check = self.find(check_id)
        return True if check is None else self.is_healthy(check, depth)

    def _truth(self, check: Any, depth: int) -> bool:
        # A disabled check counts as healthy, and inverting turns that too: Disabled with Inverted is always unhealthy.
        healthy = True if check.disabled else self._measured(check, depth)
        return healthy != bool(check.inverted)

    def _measured(self, check: Any, depth: int) -> bool:
        if check.type_ == "CALCULATED":
            children = check.children or []
            if depth >= MAX_DEPTH:
                return True
            healthy = sum(self.is_healthy_by_id(child, depth + 1) for child in children)
            return healthy >= int(check.health_threshold or 0)
        if check.type_ == "CLOUDWATCH_METRIC":
            return self._alarm_is_quiet(check)
        if check.type_ == "RECOVERY_CONTROL":
            return self._routing_control_is_on(check)
        host = check.ip_address or check.fqdn
        return bool(host) and self.endpoint_serves(host)

    def _alarm_is_quiet(self, check: Any) -> bool:
        state = self.alarm_state(check)
        if state in {"OK", "ALARM"}:
            self._last_known_alarm[check.id] = state == "OK"
            return state == "OK"
        wanted = getattr(check, "insufficient_data_health_status", None) or "LastKnownStatus"
        if wanted == "LastKnownStatus":
            return self._last_known_alarm.get(check.id, True)
        return bool(wanted == "Healthy")

    def alarm_state(self, check: Any) -> str:
        """Return the state of the check's alarm in its own Region; INSUFFICIENT_DATA when it cannot be known."""
        identifier = getattr(check, "alarm_identifier", None) or {}
        region, name = identifier.get("Region", ""), identifier.get("Name", "")
        account = next((owner for owner, each in self._all_checks() if each is check), None)
        if not account or not region or self._region_is_down(region):
            return "INSUFFICIENT_DATA"
        try:
            cloudwatch: Any = self.world.service("cloudwatch")
        except KeyError:
            alarm = self.world.backend("cloudwatch", account, region).alarms.get(name)
            return str(alarm.state_value) if alarm is not None else "INSUFFICIENT_DATA"
        return str(cloudwatch.alarm_state(account, region, name) or "INSUFFICIENT_DATA")

    def _changed_at(self, check: Any) -> datetime | None:
        """Return when the alarm turned or the endpoint's Region went dark, None when nobody knows."""
        identifier = getattr(check, "alarm_identifier", None)
        if check.type_ == "CLOUDWATCH_METRIC" and identifier:
            owner = next((account for account, each in self._all_checks() if each is check), "")
            alarms = self.world.backend("cloudwatch", owner, identifier["Region"]).alarms
            changed = getattr(alarms.get(identifier["Name"]), "state_updated_timestamp", None)
            # moto's own timestamps are naive and on the wall clock.
            return changed if isinstance(changed, datetime) and changed.tzinfo else None
        host = check.ip_address or check.fqdn or ""
        endpoint = self._endpoints.get(_plain(host))
        region = endpoint.region if endpoint else _region_in(host)
        since = self.world.faults.region_down_since(region) if region else None
        return min(since, self.world.clock.now()) if since else None

    def _routing_control_is_on(self, check: Any) -> bool:
        try:
            control: Any = self.world.service("route53-recovery-cluster")
        except KeyError:
            return True
        return bool(control.is_on(getattr(check, "routing_control_arn", "")))

    def find(self, check_id: str) -> Any | None:
        """Return moto's health check of any account, None when there is none."""
        return next((check for _, check in self._all_checks() if check.id == check_id), None)

    def _all_checks(self) -> Iterator[tuple[str, Any]]:
        for account in list(self.world.accounts.names):
            backend = self.world.backend("route53", account, "us-east-1")
            yield from ((account, check) for check in list(backend.health_checks.values()))

    def _region_is_down(self, region: str) -> bool:
        return self.world.faults.region_is_down(region)


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _region_in(name: str) -> str | None:
    found = REGION_IN_NAME.search(_plain(name))
    return found.group(1) if found else None
