"""The README's table of technologies, made from the registry: `python -m tests.docs.readme` writes it; a test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from adapters import registry
from orchestrator.words import LIFECYCLE, Phase

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- technologies: made by make generate -->", "<!-- end of technologies -->"


def table() -> str:
    """Return a row per strategy."""
    return "\n".join(
        [
            "| technology | strategy | planned loss | emergency loss | typical minutes to serve (whole run) | rollback until |",
            "|---|---|---|---|---|---|",
            *_rows(),
        ]
    )


def _rows() -> Iterator[str]:
    for adapter in registry.adapters():
        spec = adapter.spec
        for number, strategy in enumerate(spec.strategies):
            title = f"[{spec.title}](docs/adapters/{spec.key}.md)" if number == 0 else ""
            minutes = strategy.typical_minutes
            whole = sum(minutes.get(phase, 0) for phase in LIFECYCLE)
            times = f"{minutes[Phase.ACTIVATE]:g} ({whole:g})"
            cells = (
                title,
                f"`{strategy.name}`",
                strategy.planned_loss,
                strategy.emergency_loss,
                times,
                strategy.rollback_until,
            )
            yield f"| {' | '.join(cells)} |"


def with_table(text: str) -> str:
    """Return the README's text with the table as it is now."""
    return between(text, BEGIN, END, table())


def between(text: str, begin: str, end: str, made: str) -> str:
    """Return a page's text with what is made put between two marks."""
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{made}\n{end}{tail}"


def main() -> int:
    """Write the table."""
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
