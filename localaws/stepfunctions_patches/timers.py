"""Wall-clock timers on one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("localaws.stepfunctions")


@dataclass(order=True)
class Timer:
    """A call that is due at `at` (monotonic seconds)."""

    at: float
    order: int
    call: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Make the call never happen."""
        self.cancelled = True


class Timers:
    """Runs short calls at their time; the thread starts with the first timer."""

    def __init__(self) -> None:
        self._queue: list[Timer] = []
        self._order = itertools.count()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` after `seconds` of wall time."""
        timer = Timer(time.monotonic() + seconds, next(self._order), call)
        with self._change:
            heapq.heappush(self._queue, timer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stepfunctions-timers", daemon=True)
                self._thread.start()
            elif self._queue[0] is timer:
                self._change.notify()
        return timer

    def _run(self) -> None:
        while True:
            timer = self._next()
            if not timer.cancelled:
                try:
                    timer.call()
                except Exception:
                    log.exception("a timer failed")

    def _next(self) -> Timer:
        with self._change:
            while True:
                while self._queue and self._queue[0].cancelled:
                    heapq.heappop(self._queue)
                if not self._queue:
                    self._change.wait()
                    continue
                wait_seconds = self._queue[0].at - time.monotonic()
                if wait_seconds <= 0:
                    return heapq.heappop(self._queue)
                self._change.wait(wait_seconds)
