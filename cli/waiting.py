"""The one place of the command line that waits: people watch, programs poll."""

from __future__ import annotations

import threading


def pause(seconds: float) -> None:
    """Wait; an interruption from the keyboard ends it at once."""
    threading.Event().wait(seconds)
