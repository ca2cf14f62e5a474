"""The report as one self-contained page with a timeline picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

_TEMPLATES = Environment(
    loader=PackageLoader("orchestrator", "templates"),
    autoescape=select_autoescape(["html", "j2"]),
    undefined=StrictUndefined,
)


def render_html(report: Mapping[str, Any]) -> str:
    """Return the page for a report in its JSON form."""
    return _TEMPLATES.get_template("report.html.j2").render(report=report)
