"""What AWS says of a resource: the raw replies to everything an adapter reads, made comparable."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from localaws.service import Call, Reply
from orchestrator.contract import Adapter, RunContext, Target
from orchestrator.engine import OpenSession
from orchestrator.ledger.records import Run
from orchestrator.words import Mode

MEASUREMENTS = frozenset({"cloudwatch"})
"""Services whose replies change with the minute although nothing was done."""
RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|-[0-9a-f]{17}\b|-[0-9a-f]{8}\b|\b(cluster|db)-[0-9A-Z]{26}\b|\.cluster-(ro-)?[0-9a-z]{12}\."
    r"|\b[0-9A-Z]{14}\b"
    r"|\bip-\d+-\d+-\d+-\d+\b|\b\d{1,3}(\.\d{1,3}){3}\b|\b[0-9A-Za-z]{56}\b"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^\s\"]*")

Seen = tuple[str, ...]


class Eye:
    """Keeps the replies that spoke roles got since the last `blink`: one look of an adapter at its resources."""

    def __init__(self) -> None:
        self._seen: list[tuple[Call, Reply]] = []

    def __call__(self, call: Call, reply: Reply) -> Reply:
        """Be a hook of the embedded AWS (`LocalAws.after`)."""
        if ":assumed-role/dr-spoke-" in call.principal.arn and call.service not in MEASUREMENTS:
            self._seen.append((call, reply))
        return reply

    def blink(self) -> None:
        """Forget what was seen."""
        self._seen = []

    def sight(self) -> Seen:
        """Return, line by line, all that AWS said since the last `blink`."""
        lines: list[str] = []
        for call, reply in self._seen:
            where = f"{call.service}.{call.operation} in {call.region}"
            said = json.dumps(normal({"asked": call.params, "said": dict(reply)}), indent=1)
            lines += [f"{where}: {line}" for line in said.splitlines()]
        return tuple(lines)

    def look(self, adapter: Adapter[Any], open_session: OpenSession, run: Run, context: RunContext, at: Target) -> Seen:
        """Let the adapter observe `at`, and return what AWS said."""
        self.blink()
        adapter.observe(at, open_session(run, adapter, context, at), context)
        return self.sight()


def production(run: Run, context: RunContext) -> tuple[Run, RunContext]:
    """Return a run and context that look at production itself on both sides, not at a drill's copies."""
    return run.but(mode=Mode.PLANNED, run_id="looking"), replace(context, mode=Mode.PLANNED, run_id="looking", kept={})


def normal(value: Any) -> Any:
    """Return a reply without what differs from one embedded AWS to the next: times, drawn ids, the order of lists."""
    if isinstance(value, Mapping):
        dropped = {"ResponseMetadata", "NextToken", "nextToken"}
        return {key: normal(value[key]) for key in sorted(value) if key not in dropped and value[key] is not None}
    if isinstance(value, list | tuple):
        return sorted((normal(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    if isinstance(value, datetime):
        return "<time>"
    if isinstance(value, float):
        return round(value, 1)
    return RANDOM.sub("<id>", TIME.sub("<time>", str(value))) if isinstance(value, str) else value


def difference(before: Seen, after: Seen) -> str:
    """Return what differs, for people."""
    return "\n".join(difflib.unified_diff(before, after, "expected", "observed", lineterm="", n=2))
