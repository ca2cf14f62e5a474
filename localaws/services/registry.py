"""The service modules, named explicitly: `module:Class`, imported when the embedded AWS starts.

Add a line for each new module.
"""

from __future__ import annotations

SERVICES: tuple[str, ...] = ()
