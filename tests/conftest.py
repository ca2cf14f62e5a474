"""What all tests get."""

from __future__ import annotations

import gc
from collections.abc import Generator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import fast_botocore
from tests.support.sharing import Sharing, dearest_first

TESTS_PER_COLLECTION = 25
_ended = count(1)


def pytest_configure() -> None:
    """Collect garbage rarely: with AWS's service models in memory, looking through them took half of the time.

    How long an example takes says how busy the machine is, and nothing else.
    """
    gc.set_threshold(200_000, 50, 1_000_000)
    fast_botocore.install()
    settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")


def pytest_runtest_logfinish() -> None:
    """Let go of the worlds of the tests so far; what is still there stays, and need not be looked through again."""
    if next(_ended) % TESTS_PER_COLLECTION == 0:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Distribute tests over processes by what they share."""
    return Sharing(config, log)


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Mark the cases that the fast gate has no time for; after the shuffle, begin with what takes longest."""
    for item in items:
        if isinstance(item, pytest.Function) and getattr(_case(item), "exhaustive", False):
            item.add_marker(pytest.mark.exhaustive)
    yield
    order = dearest_first(item.nodeid for item in items)
    items.sort(key=lambda item: order[item.nodeid])


def _case(item: pytest.Function) -> Any:
    return item.callspec.params.get("case") if hasattr(item, "callspec") else None
