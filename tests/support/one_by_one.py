"""A pool without threads: stories in which time stands still come out the same each time, and may copy their process.

A thread that is just ending may hold a lock, for which a copy made then would wait for ever. That work is done side by side is
shown by the unit tests of `orchestrator.asking` and by the deployed hub.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from orchestrator import asking, previews, stages


class OneByOne(Executor):
    """Does everything at once, in the caller's thread."""

    def __init__(self, max_workers: int) -> None:
        """Take what a pool of threads takes."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do `work` before returning."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it, as from a thread
            done.set_exception(error)
        return done


def install(patch: pytest.MonkeyPatch) -> None:
    """Let the platform do one after the other what it would do side by side."""
    for module in (asking, previews, stages):
        patch.setattr(module, "ThreadPoolExecutor", OneByOne)
