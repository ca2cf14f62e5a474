"""Time inside the embedded AWS: the process's clock, and durations divided by a speed.

A change that takes 120 s in AWS takes 120 / speed seconds on the wall. Time stamps follow the process's pace
(`localaws.pace`), the wall's unless told otherwise: at ten times the wall's rate the same change takes
120 / speed * 10 seconds of this clock. Effects wait in one ordered queue and are applied by `run_due`, which the
dispatcher calls before it answers a request, so that an observer never sees time run backwards. Tests use
`ManualClock` and move it themselves.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from localaws import pace

Effect = Callable[[], None]


@dataclass(order=True)
class _Due:
    at: datetime
    order: int
    effect: Effect = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


class Timer:
    """A scheduled effect that can be cancelled before it is due."""

    def __init__(self, due: _Due) -> None:
        self._due = due

    def cancel(self) -> None:
        """Make the effect never happen."""
        self._due.cancelled = True


class Clock(ABC):
    """The embedded AWS's time. `speed` = AWS seconds per wall second, `rate` = its own seconds per wall second."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._queue: list[_Due] = []
        self._order = itertools.count()
        self._lock = threading.RLock()

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, timezone-aware UTC."""

    @property
    def rate(self) -> float:
        """Return how many of its seconds pass per second of the wall."""
        return 1.0

    def wall_seconds(self, aws_seconds: float) -> float:
        """Return how long `aws_seconds` last on the wall clock: what a thread waits."""
        return aws_seconds / self.speed

    def clock_seconds(self, aws_seconds: float) -> float:
        """Return how long `aws_seconds` last on this clock: what lies between two of its time stamps."""
        return aws_seconds * self.rate / self.speed

    def aws_seconds(self, clock_seconds: float) -> float:
        """Return how much AWS does while `clock_seconds` pass on this clock."""
        return clock_seconds * self.speed / self.rate

    def after(self, aws_seconds: float, effect: Effect) -> Timer:
        """Apply `effect` when `aws_seconds` of AWS time have passed."""
        due = _Due(self.now() + timedelta(seconds=self.clock_seconds(aws_seconds)), next(self._order), effect)
        with self._lock:
            heapq.heappush(self._queue, due)
        return Timer(due)

    def clear(self) -> None:
        """Forget every effect that is still to come."""
        with self._lock:
            self._queue.clear()

    def run_due(self) -> None:
        """Apply every effect whose time has come, oldest first."""
        while True:
            with self._lock:
                if not self._queue or self._queue[0].at > self.now():
                    return
                due = heapq.heappop(self._queue)
            if not due.cancelled:
                due.effect()


class ScaledClock(Clock):
    """The clock of the process, whatever pace it keeps; durations are divided by `speed`."""

    @property
    def rate(self) -> float:
        return pace.current().rate

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock(Clock):
    """A clock that stands still until a test advances it."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__(speed=1.0)
        self._now = start or datetime(2026, 1, 1, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward, applying effects in order at their own time."""
        end = self._now + timedelta(seconds=seconds)
        while self._queue and self._queue[0].at <= end:
            self._now = max(self._now, self._queue[0].at)
            self.run_due()
        self._now = end
