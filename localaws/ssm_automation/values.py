"""`{{ references }}` in a step's inputs, and the outputs that a step's reply yields."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_path

from localaws.ssm_automation.document import Output

_REFERENCE = re.compile(r"\{\{\s*([\w.:$\[\]-]+)\s*\}\}")
_path = lru_cache(maxsize=1024)(parse_path)


class ReferenceProblem(Exception):
    """A reference or a selector that leads nowhere."""


def substitute(value: Any, lookup: Callable[[str], Any]) -> Any:
    """Replace references: alone they keep their type, inside a text they become text."""
    if isinstance(value, Mapping):
        return {substitute(key, lookup): substitute(item, lookup) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, lookup) for item in value]
    if not isinstance(value, str):
        return value
    alone = _REFERENCE.fullmatch(value.strip())
    if alone:
        return lookup(alone[1])
    return _REFERENCE.sub(lambda found: as_text(lookup(found[1])), value)


def select(reply: Any, output: Output) -> Any:
    """Return an output of a reply, in its type. Raises `ReferenceProblem` when the selector finds nothing."""
    found = [match.value for match in _path(output.selector).find(reply)]
    if not found:
        raise ReferenceProblem(f"output {output.name}: {output.selector} is not in the reply")
    if output.type in {"StringList", "MapList"}:
        return found[0] if len(found) == 1 and isinstance(found[0], list) else found
    value = found[0]
    if output.type == "Integer":
        return int(value)
    if output.type == "Boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return value if output.type == "StringMap" else as_text(value)


def as_text(value: Any) -> str:
    """Return a value as a document's text."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def as_list(value: Any) -> list[str]:
    """Return a value as the API shows outputs: a list of texts."""
    return [as_text(item) for item in value] if isinstance(value, list) else [as_text(value)]
