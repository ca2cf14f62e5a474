"""What all tests get."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parent / "contract"


def pytest_configure() -> None:
    """Collect garbage rarely: with AWS's service models in memory, looking through them took half of the time."""
    gc.set_threshold(200_000, 50, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, in one process, what shares what is dear: a technology's rehearsals, else the tests of a file."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_technology(item) or str(item.path)))


def _technology(item: pytest.Item) -> str:
    if CONTRACT not in item.path.parents or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return ""
    drawn = item.callspec.params
    if "case" in drawn:
        return f"contract {drawn['case'].adapter}"
    return f"contract {drawn['adapter'].spec.key}" if "adapter" in drawn else ""
