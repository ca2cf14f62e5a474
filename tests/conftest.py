"""What all tests get."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.support.sharing import Sharing


def pytest_configure() -> None:
    """Collect garbage rarely: with AWS's service models in memory, looking through them took half of the time."""
    gc.set_threshold(200_000, 50, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Distribute tests over processes by what they share."""
    return Sharing(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases that the fast gate has no time for."""
    for item in items:
        if isinstance(item, pytest.Function) and getattr(_case(item), "exhaustive", False):
            item.add_marker(pytest.mark.exhaustive)


def _case(item: pytest.Function) -> Any:
    return item.callspec.params.get("case") if hasattr(item, "callspec") else None
