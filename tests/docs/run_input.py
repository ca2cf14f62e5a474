"""The table of a run's input, made from its model: `python -m tests.docs.run_input` writes it; a test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum

from pydantic.fields import FieldInfo

from orchestrator.request import Request
from tests.docs.readme import README, between

PAGE = README.parent / "docs/run-input.md"
BEGIN, END = "<!-- fields: made by make generate -->", "<!-- end of fields -->"
MEANINGS = {
    "Environment": "Value of the tag Environment.",
    "Operation": "To the DRRegion, back to the PrimaryRegion, or a drill in isolated copies.",
    "ApprovalMode": "Whether people are asked at the gates.",
}
"""Of fields whose type says everything to a programmer."""


def table() -> str:
    """Return a row per field."""
    return "\n".join(["| field | values | default | meaning |", "|---|---|---|---|", *_rows()])


def _rows() -> Iterator[str]:
    kinds = Request.model_json_schema()
    for name, field in Request.model_fields.items():
        meaning = (field.description or MEANINGS[name]).replace("|", "\\|")
        yield f"| `{name}` | {_values(kinds['properties'][name], kinds['$defs'])} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return {None: "", "": "", False: "`false`"}.get(value, f"`{value}`")


def _values(kind: dict[str, object], known: dict[str, dict[str, object]]) -> str:
    if "$ref" in kind:
        kind = known[str(kind["$ref"]).rpartition("/")[2]]
    if isinstance(named := kind.get("enum"), list):
        return ", ".join(f"`{each}`" for each in named)
    if isinstance(either := kind.get("anyOf"), list):
        return _values(next(each for each in either if each.get("type") != "null"), known)
    if isinstance(items := kind.get("items"), dict):
        return f"list of {_values(items, known)}"
    return {"boolean": "`true`, `false`", "object": "object"}.get(
        str(kind["type"]), str(kind.get("format", kind["type"]))
    )


def main() -> int:
    """Write the table."""
    PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), BEGIN, END, table()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
