"""A clock for a whole process that runs faster than the wall's: everything in it sees one time.

The embedded AWS's server and the processes of its functions keep the same pace, so that the time stamps of services,
of state machines and of functions agree, and a rule like "five minutes after the fence" takes seconds on the wall.
What measures processor time stays on the wall: `time.perf_counter`, and waits on locks, queues and sockets.

The functions of `time` are replaced in their module, those of `datetime` in the class itself: another class in its
place would not be the one that compiled modules check for. Functions load this file by its path, outside any package:
it may import the standard library only.
"""

from __future__ import annotations

import ctypes
import datetime as dates
import gc

# What keeps its own reference to the wall's clock must be loaded before the clock is replaced.
import queue  # noqa: F401
import threading  # noqa: F401
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pace:
    """`rate` seconds pass per second of the wall; both clocks agree at `begins` (seconds since 1970)."""

    rate: float = 1.0
    begins: float = 0.0

    def time(self) -> float:
        """Return the seconds since 1970 on this clock."""
        return self.begins + (_wall() - self.begins) * self.rate

    def wall_seconds(self, seconds: float) -> float:
        """Return how long `seconds` of this clock last on the wall."""
        return seconds / self.rate


_current = Pace()
_replaced: list[tuple[dict[str, Any], str, Any]] = []


def current() -> Pace:
    """Return the pace this process keeps; the wall's unless `keep` changed it."""
    return _current


def wall_now() -> dates.datetime:
    """Return the wall clock's time, for those outside who judge by it."""
    return dates.datetime.fromtimestamp(_wall(), dates.UTC)


def at_rate(rate: float) -> Pace:
    """Return a pace that leaves the wall's now."""
    return Pace(rate, _wall())


def keep(pace: Pace, *, sleeps: bool = False) -> None:
    """Let this process live by `pace` until `release`; `sleeps`: its stopwatch and its sleeping too."""
    global _current  # noqa: PLW0603 - a process has one time
    release()
    _current = pace
    _replace(vars(time), _time_functions(pace))
    if sleeps:
        _replace(vars(time), _stopwatch_functions(pace))
    for kind, functions in _date_functions(pace).items():
        # The dictionary behind a class's read-only view of it.
        _replace(gc.get_referents(kind.__dict__)[0], functions)
        _forget_lookups(kind)


def release() -> None:
    """Return to the wall's pace."""
    global _current  # noqa: PLW0603 - as above
    _current = Pace()
    while _replaced:
        namespace, name, original = _replaced.pop()
        namespace[name] = original
    for kind in (dates.datetime, dates.date):
        _forget_lookups(kind)


def _wall() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


def _replace(namespace: dict[str, Any], functions: dict[str, Any]) -> None:
    for name, function in functions.items():
        _replaced.append((namespace, name, namespace[name]))
        namespace[name] = function


def _forget_lookups(kind: type) -> None:
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _time_functions(pace: Pace) -> dict[str, Callable[..., Any]]:
    gmtime, localtime, strftime = time.gmtime, time.localtime, time.strftime

    def its_gmtime(seconds: float | None = None) -> time.struct_time:
        return gmtime(pace.time() if seconds is None else seconds)

    def its_localtime(seconds: float | None = None) -> time.struct_time:
        return localtime(pace.time() if seconds is None else seconds)

    def its_strftime(form: str, when: Any = None) -> str:
        return strftime(form, its_localtime() if when is None else when)

    return {
        "time": pace.time,
        "time_ns": lambda: int(pace.time() * 1e9),
        "gmtime": its_gmtime,
        "localtime": its_localtime,
        "strftime": its_strftime,
    }


def _stopwatch_functions(pace: Pace) -> dict[str, Callable[..., Any]]:
    monotonic, sleep = time.monotonic, time.sleep
    return {
        "monotonic": lambda: monotonic() * pace.rate,
        "monotonic_ns": lambda: int(monotonic() * pace.rate * 1e9),
        "sleep": lambda seconds: sleep(pace.wall_seconds(seconds)),
    }


def _date_functions(pace: Pace) -> dict[type, dict[str, Any]]:
    def now(cls: type[dates.datetime], tz: dates.tzinfo | None = None) -> dates.datetime:
        return cls.fromtimestamp(pace.time(), tz)

    def utcnow(cls: type[dates.datetime]) -> dates.datetime:
        return cls.fromtimestamp(pace.time(), dates.UTC).replace(tzinfo=None)

    def today(cls: type[dates.date]) -> dates.date:
        return cls.fromtimestamp(pace.time())

    return {
        dates.datetime: {"now": classmethod(now), "utcnow": classmethod(utcnow)},
        dates.date: {"today": classmethod(today)},
    }
