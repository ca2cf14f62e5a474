"""What AWS says of a resource: the raw replies to everything an adapter reads, made comparable."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
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
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|-[0-9a-f]{17}\b|-[0-9a-f]{8}\b|\b(cluster|db)-[0-9A-Z]{26}\b|\bab-[0-9a-z]{26}\b|\.cluster-(ro-)?[0-9a-z]{12}\."
    r"|\b[0-9A-Z]{14}\b"
    r"|\b02:00:00(:[0-9a-f]{2}){3}\b"
    r"|\becs-svc/\d+\b|\bscalable-target/[0-9a-z]+\b"
    r"|\b(ip|ec2)-\d+-\d+-\d+-\d+\b|\b\d{1,3}(\.\d{1,3}){3}\b|\b[0-9A-Za-z]{56}\b"
)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt _]\d\d[:-]?\d\d[:-]?\d\d[^\s\")]*")
DURATION = re.compile(r"^P(\d+D)?T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$")
JOURNALS = frozenset(
    {
        "DescribeInstanceRefreshes",
        "DescribeJobLogItems",
        "DescribeJobs",
        "DescribeScalingActivities",
        "GetChange",
        "GetRecoveryPlanExecution",
        "GetRecoveryPlanExecutionStep",
        "ListRecoveryPlanExecutions",
        "ListRecoveryPlanExecutionSteps",
        "ListBackupJobs",
        "ListCopyJobs",
        "ListRestoreJobsByProtectedResource",
    }
)
"""Reads that tell what was done, not what there is."""
BOOKKEEPING = frozenset(
    {
        "AvailableIpAddressCount",
        "TotalShards",
        "lastLaunch",
        "lastLaunchResult",
        "recoveryInstanceId",
        "runningTasksCount",
        "pendingTasksCount",
    }
)
"""What DRS itself notes on a source server about the drills that were made of it; how many addresses a subnet has left; what a
search domain counts over all its indices, and a cluster over all its tasks, a drill's included.
"""
ACCOUNT_WIDE = frozenset({"DescribeAccountAttributes", "GetAccountSettings"})
"""Reads that sum up an account and Region, whosever resources they are."""
NAMED_BY_DRILL = re.compile(r'"drill[-_][0-9a-f]{8}[-_]')
"""Names of what carries no tags: indices of search domains, FlexClones of ONTAP."""

Seen = tuple[str, ...]


class Eye:
    """Keeps the replies that spoke roles get while it looks."""

    def __init__(self) -> None:
        self._seen: list[tuple[Call, Reply]] | None = None

    def __call__(self, call: Call, reply: Reply) -> Reply:
        """Be a hook of the embedded AWS (`LocalAws.after`)."""
        silent = call.service in MEASUREMENTS or call.operation in JOURNALS | ACCOUNT_WIDE or _is_hourly(call)
        if self._seen is not None and not silent and ":assumed-role/dr-spoke-" in call.principal.arn:
            self._seen.append((call, reply))
        return reply

    def look(
        self,
        adapter: Adapter[Any],
        open_session: OpenSession,
        run: Run,
        context: RunContext,
        at: Target,
        keep: Callable[[Any], bool] = lambda _: True,
    ) -> Seen:
        """Let the adapter observe `at`, and return line by line what AWS said; of lists only what `keep` keeps."""
        self._seen = []
        adapter.observe(at, open_session(run, adapter, context, at), context)
        lines: list[str] = []
        for call, reply in self._seen:
            where = f"{call.service}.{call.operation}{call.params.get('path', '')} in {call.region}"
            kept = {name: _kept(value, keep) for name, value in _opened(reply).items()}
            lines += [f"{where}: {line}" for line in json.dumps(normal(kept), indent=1).splitlines()]
        self._seen = None
        return tuple(lines)


def _opened(reply: Reply) -> dict[str, Any]:
    """Return a reply; what a function answered with, if it was one, read as JSON."""
    payload = reply.get("Payload")
    return {**reply, "Payload": json.loads(payload)} if isinstance(payload, bytes) else dict(reply)


def _is_hourly(call: Call) -> bool:
    """Say whether a call asks for the snapshots that a search domain takes by itself, every hour other ones."""
    return "/_snapshot/cs-automated" in str(call.params.get("path", ""))


def production(run: Run, context: RunContext) -> tuple[Run, RunContext]:
    """Return a run and context that look at production itself on both sides, not at a drill's copies."""
    return run.but(mode=Mode.PLANNED, run_id="looking"), replace(context, mode=Mode.PLANNED, run_id="looking", kept={})


def of(target: Target) -> Callable[[Any], bool]:
    """Return whether an item of a list speaks of `target`; some lists hold everything of an account and Region."""
    words = names_in(target)

    def speaks_of_it(item: Any) -> bool:
        text = json.dumps(item, default=str)
        return any(word in text for word in words)

    return speaks_of_it


def names_in(target: Target) -> frozenset[str]:
    """Return the names, ids and ARNs of what `target` holds, both sides."""
    places = [place for member in target.members for place in (member.source, member.target)]
    names = (member.name for member in target.members)
    return frozenset({*names, *(place.id for place in places), *(place.arn for place in places)})


def is_no_copy(item: Any) -> bool:
    """Say whether an item of a list is production, not something that a drill made."""
    text = json.dumps(item, default=str)
    return "dr:drill-id" not in text and '"isDrill": true' not in text and NAMED_BY_DRILL.search(text) is None


def _kept(value: Any, keep: Callable[[Any], bool]) -> Any:
    if isinstance(value, dict):
        return {k: _kept(v, keep) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    return [
        {k: _kept(v, keep) for k, v in item.items()} if isinstance(item, dict) else item
        for item in value
        if not isinstance(item, dict) or keep(item)
    ]


def normal(value: Any) -> Any:
    """Return a reply without what differs from one embedded AWS to the next: times, drawn ids, the order of lists."""
    if isinstance(value, Mapping):
        dropped = {"ResponseMetadata", "NextToken", "nextToken", *BOOKKEEPING}
        return {key: normal(value[key]) for key in sorted(value) if key not in dropped and value[key] is not None}
    if isinstance(value, list | tuple):
        return sorted((normal(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    if isinstance(value, datetime):
        return "<time>"
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, str):
        return RANDOM.sub("<id>", TIME.sub("<time>", DURATION.sub("<duration>", value)))
    return value


def difference(before: Seen, after: Seen) -> str:
    """Return what differs, for people."""
    return "\n".join(difflib.unified_diff(before, after, "expected", "observed", lineterm="", n=2))
