"""What functions print: read from the workers' pipes, delivered line by line."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

LogEvent = tuple[int, str]
Deliver = Callable[[Sequence[LogEvent]], None]

_TAIL_BYTES = 4096
_LINES_KEPT = 1000


class WorkerLog:
    """The output of one worker: one log stream. `write` is the descriptor the worker prints to."""

    def __init__(self, deliver: Deliver) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        self._deliver = deliver
        self._lock = threading.Lock()
        self._partial = b""
        self._recent: deque[str] = deque(maxlen=_LINES_KEPT)
        self._closed = False

    def drain(self) -> bool:
        """Deliver what has been printed so far; return False at the end of the output."""
        with self._lock:
            if self._closed:
                return False
            try:
                while data := os.read(self.read, 65536):
                    self._partial += data
            except BlockingIOError:
                self._emit()
                return True
            except OSError:
                return False
            self._emit(end=True)
            return False

    def say(self, line: str) -> None:
        """Add a line of the service itself (START, END, REPORT)."""
        self.drain()
        with self._lock:
            if line.startswith("START "):
                self._recent.clear()
            self._recent.append(line)
            self._deliver([(_milliseconds(), line)])

    def tail(self) -> str:
        """Return the last 4 KB since the latest START."""
        self.drain()
        with self._lock:
            return "\n".join(self._recent)[-_TAIL_BYTES:]

    def close(self) -> None:
        """Deliver the rest and close the pipe."""
        self.drain()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.read)

    def _emit(self, *, end: bool = False) -> None:
        # Older runtimes end the lines of one traceback with a carriage return: one event, several lines.
        *lines, self._partial = self._partial.split(b"\n")
        if end and self._partial:
            lines, self._partial = [*lines, self._partial], b""
        texts = [line.decode("utf-8", "replace").replace("\r", "\n") for line in lines if line.strip()]
        if texts:
            now = _milliseconds()
            self._recent.extend(texts)
            self._deliver([(now, text) for text in texts])


class LogPump:
    """One thread that empties every worker's pipe, so that no worker ever blocks on printing."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, log: WorkerLog) -> None:
        """Watch a worker's output until it ends."""
        with self._lock:
            self._selector.register(log.read, selectors.EVENT_READ, log)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lambda-logs", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            for key, _events in self._selector.select(timeout=1.0):
                if not key.data.drain():
                    with self._lock:
                        self._selector.unregister(key.fileobj)
                    key.data.close()


def _milliseconds() -> int:
    return int(time.time() * 1000)
