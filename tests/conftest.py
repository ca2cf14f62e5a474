"""What all tests get."""

from __future__ import annotations

import gc


def pytest_configure() -> None:
    """Collect garbage rarely: with AWS's service models in memory, looking through them took half of the time."""
    gc.set_threshold(200_000, 50, 50)
