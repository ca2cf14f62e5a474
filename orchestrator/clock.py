"""The only source of the current time in production code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol


class Clock(Protocol):
    """Tells the time, timezone-aware UTC."""

    def now(self) -> datetime:
        """Return the current time."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, UTC."""
        return datetime.now(UTC)


class AwsClock:
    """AWS's time, as the `Date` of its answers tells it; the machine's until the first one.

    For machines whose clock nobody vouches for: ages and elapsed times compare with time stamps that AWS wrote.
    """

    def __init__(self, machine: Clock | None = None) -> None:
        self._machine = machine or SystemClock()
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the current time of AWS, UTC."""
        return self._machine.now() + self._ahead

    def hear(self, http_response: Any, **_: Any) -> None:
        """Learn from an answer (botocore's event `after-call`) how far AWS's clock is ahead of the machine's."""
        headers: Mapping[str, str] = http_response.headers
        told = headers.get("Date")
        if told is None:
            return
        try:
            self._ahead = parsedate_to_datetime(told).astimezone(UTC) - self._machine.now()
        except ValueError:  # a proxy's own idea of a date teaches nothing
            return
