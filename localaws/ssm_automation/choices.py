"""The conditions of aws:branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "StringEquals": lambda value, wanted: str(value) == str(wanted),
    "EqualsIgnoreCase": lambda value, wanted: str(value).lower() == str(wanted).lower(),
    "StartsWith": lambda value, wanted: str(value).startswith(str(wanted)),
    "EndsWith": lambda value, wanted: str(value).endswith(str(wanted)),
    "Contains": lambda value, wanted: str(wanted) in value if isinstance(value, list) else str(wanted) in str(value),
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericGreater": lambda value, wanted: float(value) > float(wanted),
    "NumericLesser": lambda value, wanted: float(value) < float(wanted),
    "NumericGreaterOrEquals": lambda value, wanted: float(value) >= float(wanted),
    "NumericLesserOrEquals": lambda value, wanted: float(value) <= float(wanted),
    "BooleanEquals": lambda value, wanted: str(value).lower() == str(wanted).lower(),
}


def holds(choice: Mapping[str, Any]) -> bool:
    """Say whether a choice, its references replaced, is true. Raises `ValueError` for an unknown operator."""
    if "And" in choice:
        return all(holds(part) for part in choice["And"])
    if "Or" in choice:
        return any(holds(part) for part in choice["Or"])
    if "Not" in choice:
        return not holds(choice["Not"])
    for operator, test in _TESTS.items():
        if operator in choice:
            return test(choice["Variable"], choice[operator])
    raise ValueError(f"aws:branch: no known operator in {sorted(choice)}")


def next_step(inputs: Mapping[str, Any]) -> str | None:
    """Return the step that aws:branch goes to; None when no choice holds and there is no default."""
    for choice in inputs.get("Choices", []):
        if holds(choice):
            return str(choice["NextStep"])
    default = inputs.get("Default")
    return str(default) if default else None
