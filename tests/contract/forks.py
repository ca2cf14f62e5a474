"""Copies of this process: each tries another end of the same story, from exactly the same state of the embedded AWS.

A copy costs milliseconds; building the same estate again and running up to the same call costs seconds. What a copy
finds out it hands back through a file; it never returns into the test runner.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

LIVES_SECONDS = 120
"""A copy that hangs shows where and ends; one that makes copies itself is given more."""
ENDS_SECONDS = 10
"""How long what the embedded AWS does beside a call, such as sending a message, may take before a copy is made."""


@dataclass(frozen=True)
class Failure:
    """A copy ended by an error of its own."""

    trace: str


class Copies:
    """The copies of one process, `at_once` of them at a time."""

    def __init__(
        self, begin: Callable[[], None] = lambda: None, at_once: int = 1, lives_seconds: int = LIVES_SECONDS
    ) -> None:
        """`begin` is what each copy does first."""
        self._lives_seconds = lives_seconds
        self._begin = begin
        self._at_once = at_once
        self._running: dict[int, tuple[str, Path]] = {}
        self._answers: dict[str, Any] = {}
        self._mine: Path | None = None

    @property
    def is_copy(self) -> bool:
        """Say whether this process is one of the copies."""
        return self._mine is not None

    def fork(self, label: str) -> bool:
        """Copy this process; True in the copy, which must end by `answer`."""
        while len(self._running) >= self._at_once:
            self._wait()
        handle, name = tempfile.mkstemp(prefix="copy-")
        os.close(handle)
        for other in threading.enumerate():
            if other is not threading.main_thread():
                other.join(ENDS_SECONDS)
                assert not other.is_alive(), f"a copy would wait for ever for a lock that {other.name} may hold"
        gc.disable()  # a collection would touch, and so duplicate, every page both processes share
        pid = os.fork()
        if pid == 0:
            self._mine, self._running = Path(name), {}
            faulthandler.register(signal.SIGALRM, file=self._mine.open("w"), chain=True)
            signal.alarm(self._lives_seconds)
            self._begin()
            return True
        self._running[pid] = (label, Path(name))
        return False

    def answer(self, found: Any) -> NoReturn:
        """Hand `found` (or the error that pickling it raises) to the process that made this copy, and end."""
        assert self._mine is not None
        status = 1
        with suppress(BaseException):
            content = _pickled(found)
            signal.alarm(0)
            self._mine.write_bytes(content)
            status = 0
        os._exit(status)

    def run(self, label: str, work: Callable[[], Any]) -> None:
        """Do `work` in a copy; `gather` returns its result."""
        if not self.fork(label):
            return
        try:
            found = work()
        except BaseException:  # noqa: BLE001 - nothing may get from a copy into the test runner
            found = Failure(traceback.format_exc()[-6000:])
        self.answer(found)

    def gather(self) -> dict[str, Any]:
        """Wait for all copies and return what each found, by label."""
        while self._running:
            self._wait()
        answers, self._answers = self._answers, {}
        return answers

    def _wait(self) -> None:
        pid = next(iter(self._running))
        label, path = self._running.pop(pid)
        _, status = os.waitpid(pid, 0)
        content = path.read_bytes()
        path.unlink()
        if status == 0:
            self._answers[label] = pickle.loads(content)  # noqa: S301
        else:
            self._answers[label] = Failure(f"the copy died, wait status {status}\n{content.decode(errors='replace')}")


def _pickled(found: Any) -> bytes:
    try:
        return pickle.dumps(found)
    except Exception:  # noqa: BLE001 - whatever cannot be pickled is a defect of these tests, and is shown
        return pickle.dumps(Failure(traceback.format_exc()))
