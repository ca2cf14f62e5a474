"""What goes wrong: refuses, delays, loses and darkens calls, and decides the fate of transitions.

`Faults` is installed in every embedded AWS as `local.faults`; without a scenario it does nothing. A refused
call is in the call log with its error, so a test can assert that a call was never even tried.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from localaws.admin import AdminError
from localaws.refusals import throttled
from localaws.regions import serving_region
from localaws.scenario import (
    Blackout,
    CallFault,
    ControlPlaneDown,
    Delay,
    Effect,
    ErrorAnswer,
    Fault,
    LostAnswer,
    Scenario,
    ScenarioError,
    Throttle,
    Transition,
    parse_fault,
    parse_scenario,
    read_scenario,
)
from localaws.service import AwsError, ConnectionLost
from localaws.world import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from localaws.dispatcher import LocalAws
    from localaws.service import Call, Reply


@dataclass
class _Bucket:
    """A token bucket on the process's clock, by which callers wait before they try again."""

    tokens: float
    at: float


@dataclass
class _Active:
    """A fault with its memory: when it began, how many calls matched, its buckets."""

    fault: Fault
    since: datetime
    matched: int = 0
    hit: int = 0
    buckets: dict[tuple[str, str, str, str], _Bucket] = field(default_factory=dict)


class Faults:
    """The faults in force. `sleep` is the wall's, `seconds` the process's clock; tests bring their own."""

    def __init__(
        self,
        local: LocalAws,
        sleep: Callable[[float], None] = time.sleep,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        self._local = local
        self._sleep = sleep
        self._seconds = seconds or time.time
        self._active: list[_Active] = []
        self._random = random.Random(1)  # noqa: S311 -- repeatable, not secret
        self._lock = threading.Lock()
        self._named = 0
        self._lost: dict[str, None] = {}

    def load(self, scenario: Scenario) -> None:
        """Put a scenario in force, besides what is in force already."""
        self._random.seed(scenario.seed)
        if scenario.clock is not None:
            self._local.clock.speed = scenario.clock.speed
        for fault in scenario.faults:
            self.add(fault)

    def add(self, fault: Fault) -> str:
        """Put a fault in force and return its id; raise `ScenarioError` when the id is taken."""
        with self._lock:
            self._named += 1
            name = fault.id or f"{fault.effect}-{self._named}"
            if any(active.fault.id == name for active in self._active):
                raise ScenarioError(f"fault {name}: there is one of that id already")
            self._active.append(_Active(fault.model_copy(update={"id": name}), self._local.clock.now()))
        return name

    def remove(self, fault_id: str | None = None) -> int:
        """End the fault called `fault_id`, or all; return how many ended."""
        with self._lock:
            kept = [active for active in self._active if fault_id is not None and active.fault.id != fault_id]
            ended = len(self._active) - len(kept)
            self._active = kept
        return ended

    @property
    def in_force(self) -> bool:
        """Tell whether anything is made to fail."""
        return bool(self._active)

    def region_is_down(self, region: str) -> bool:
        """Tell whether a Region is blacked out: nothing in it answers or runs."""
        return any(active.fault.region == region for active in self._in_force(Blackout))

    def region_down_since(self, region: str) -> datetime | None:
        """Return since when a Region is blacked out; None when it is up."""
        lasting = self._local.clock.clock_seconds
        found = [a for a in self._in_force(Blackout) if a.fault.region == region]
        return min((a.since + timedelta(seconds=lasting(a.fault.after_seconds)) for a in found), default=None)

    def before(self, call: Call) -> None:
        """Refuse a call, or remember to lose its answer."""
        if not self.in_force:
            return
        region = serving_region(call.service, call.region)
        if self.region_is_down(region):
            raise ConnectionLost(f"{region} is blacked out")
        for active in self._in_force(ControlPlaneDown):
            if _fits(call.service, active.fault.service) and _fits(region, active.fault.region):
                raise AwsError("ServiceUnavailable", f"The {call.service} control plane does not answer.", 503)
        for active in self._in_force(Throttle, ErrorAnswer, LostAnswer, Delay):
            if self._strikes(active, call):
                self._strike(active, call)

    def after(self, call: Call, reply: Reply) -> Reply:
        """Drop the connection when the answer is to be lost."""
        with self._lock:
            lost = call.request_id in self._lost
            self._lost.pop(call.request_id, None)
        if lost:
            raise ConnectionLost(f"the answer of {call.service}.{call.operation} is lost")
        return reply

    def transition(self, kind: str, resource: str, aws_seconds: float) -> Fate | None:
        """Return what becomes of a transition; None when no fault concerns it."""
        for active in self._in_force(Transition):
            fault = active.fault
            if not _fits(kind, fault.kind) or not _mentions(resource, fault.resource):
                continue
            with self._lock:
                active.matched += 1
                if fault.first is not None and active.matched > fault.first:
                    continue
                active.hit += 1
            if fault.effect is Effect.STUCK:
                return Fate(aws_seconds, "stick")
            if fault.effect is Effect.FAIL:
                return Fate(aws_seconds, "fail")
            return Fate(aws_seconds * (fault.times or 1))
        return None

    def route(self, _local: LocalAws, method: str, query: Mapping[str, str], body: Any) -> Any:
        """Answer `/_localaws/faults`: GET lists, POST adds, DELETE removes."""
        try:
            if method == "POST":
                return {"added": self._post(body)}
            if method == "DELETE":
                return {"removed": self.remove(query.get("id"))}
        except ScenarioError as error:
            raise AdminError(str(error)) from error
        return {"faults": [self._as_json(active) for active in self._active]}

    def _post(self, body: Any) -> list[str]:
        before = {active.fault.id for active in self._active}
        if isinstance(body, dict) and body.keys() & {"faults", "clock"}:
            self.load(parse_scenario(body))
        else:
            for item in body if isinstance(body, list) else [body]:
                self.add(parse_fault(item))
        return [active.fault.id for active in self._active if active.fault.id not in before]

    def _as_json(self, active: _Active) -> dict[str, Any]:
        content: dict[str, Any] = active.fault.model_dump(mode="json", exclude_defaults=True)
        return {**content, "in_force": self._is_in_force(active), "matched": active.matched, "hit": active.hit}

    def _in_force(self, *kinds: type) -> Iterator[Any]:
        for active in list(self._active):
            if isinstance(active.fault, kinds) and self._is_in_force(active):
                yield active

    def _is_in_force(self, active: _Active) -> bool:
        clock = self._local.clock
        elapsed = (clock.now() - active.since).total_seconds()
        begins = clock.clock_seconds(active.fault.after_seconds)
        lasts = active.fault.for_seconds
        return elapsed >= begins and (lasts is None or elapsed < begins + clock.clock_seconds(lasts))

    def _strikes(self, active: _Active, call: Call) -> bool:
        fault: CallFault = active.fault  # type: ignore[assignment]
        if not _concerns(fault, call):
            return False
        with self._lock:
            active.matched += 1
            if fault.nth is not None and active.matched not in _list(fault.nth):
                return False
            if fault.first is not None and active.matched > fault.first:
                return False
            return fault.probability >= 1 or self._random.random() < fault.probability

    def _strike(self, active: _Active, call: Call) -> None:
        fault = active.fault
        if isinstance(fault, Throttle):
            if self._has_token(active, fault, call):
                return
            active.hit += 1
            raise throttled(call.service)
        active.hit += 1
        if isinstance(fault, ErrorAnswer):
            raise AwsError(fault.code, fault.message, fault.status)
        if isinstance(fault, LostAnswer):
            with self._lock:
                self._lost[call.request_id] = None
        elif isinstance(fault, Delay):
            self._sleep(fault.seconds)

    def _has_token(self, active: _Active, fault: Throttle, call: Call) -> bool:
        now = self._seconds()
        with self._lock:
            api = call.operation if fault.per == "api" else ""
            key = (call.account, call.region, call.service, api)
            bucket = active.buckets.setdefault(key, _Bucket(fault.burst, now))
            bucket.tokens = min(fault.burst, bucket.tokens + (now - bucket.at) * fault.rate)
            bucket.at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
        return True


def install(local: LocalAws) -> Faults:
    """Give `local` its faults, ahead of authorization: a dark Region does not ask who calls."""
    faults = Faults(local)
    local.before.insert(0, faults.before)
    local.after.append(faults.after)
    local.fates.append(faults.transition)
    local.admin_routes["faults"] = faults.route
    return faults


def load(local: LocalAws, path: Path) -> None:
    """Put the scenario file at `path` in force; raise `ScenarioError`."""
    local.faults.load(read_scenario(path))


def _concerns(fault: CallFault, call: Call) -> bool:
    wanted = (
        (call.service, fault.service),
        (call.operation, fault.operation),
        (call.account, fault.account),
        (serving_region(call.service, call.region), fault.region),
        (call.principal.role_name or "", fault.role or "*"),
    )
    if not all(_fits(value, pattern) for value, pattern in wanted):
        return False
    return fault.resource is None or fault.resource in json.dumps(call.params, default=str)


def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern)


def _mentions(resource: str, wanted: str) -> bool:
    if "*" in wanted or "?" in wanted:
        return fnmatchcase(resource, wanted)
    return wanted in resource


def _list(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value]
