"""What is judged of Lustre file systems that are linked to S3 before a run. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters.fsx.spec import SPEC
from adapters.fsx.view_lustre import EXPORT, LustreSide, LustreView
from adapters.judging import ready, red, warning
from orchestrator.contract import Finding, RunContext
from orchestrator.tags import RTO
from orchestrator.words import Mode, Phase


def findings(view: LustreView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    if target.there is None:
        text = f"there is no file system {view.member.target.id} in {view.member.target.region}."
        return [red(me, "no-target", text, "create it, then: dr plan")]
    found = _side(me, target)
    if not target.links:
        found.append(red(me, "no-links", f"{view.member.target.id} is linked to no bucket."))
    if view.source_read and run.mode is Mode.PLANNED and not view.moved:
        found += _source(view) + _ways(view)
    found += _age(view, run) + _time(view)
    return found or [ready(me, f"{view.member.target.id} can take over.")]


def exported_age(view: LustreView, run: RunContext) -> float | None:
    """Return the seconds since the last export began, as seen or as the inventory remembers it."""
    seen = [each.CreationTime for each in view.source.tasks if each.Type == EXPORT and each.Lifecycle == "SUCCEEDED"]
    told = view.member.source.facts.get("exported_at")
    at = max(seen) if seen else datetime.fromisoformat(str(told)) if told else None
    return None if at is None else (run.now - at).total_seconds()


def _side(me: str, side: LustreSide) -> list[Finding]:
    assert side.there is not None
    found, name = [], side.there.FileSystemId
    if side.there.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        text = f"{name} is {side.there.Lifecycle}{side.there.trouble}, expected AVAILABLE."
        found.append(red(me, "status", text))
    for each in side.links:
        if each.Lifecycle != "AVAILABLE":
            why = each.FailureDetails.Message if each.FailureDetails else "no reason is given"
            found.append(red(me, "link", f"{each.FileSystemPath} of {name} is {each.Lifecycle}: {why}."))
    return found


def _source(view: LustreView) -> list[Finding]:
    me, source = view.member.resource_id, view.source
    if source.there is None:
        return [
            red(me, "no-source", f"there is no file system {view.member.source.id} in {view.member.source.region}.")
        ]
    found = _side(me, source)
    alone = [each.FileSystemPath for each in (*source.links, *view.target.links) if each.exports_by_itself]
    if alone:
        text = f"{', '.join(alone)} is exported automatically: an export task, which tells when all is out, cannot run then."
        found.append(red(me, "automatic-export", text, "switch AutoExportPolicy off for the move, then: dr plan"))
    if not source.links:
        found.append(red(me, "no-links", f"{view.member.source.id} is linked to no bucket."))
    text = f"clients of {view.member.source.id} must have stopped writing when ACTIVATE begins; nothing else fences it."
    return [*found, warning(me, "writers", text, "stop them before; the run waits, and asks after 30 min")]


def _ways(view: LustreView) -> list[Finding]:
    me, found = view.member.resource_id, []
    homes = {each.bucket for each in view.target.links}
    for each in view.source.links:
        rules = [rule for bucket, rule in view.source.rules if bucket == each.bucket]
        if not rules or (homes and not any(rule.bucket in homes for rule in rules)):
            text = f"S3 does not replicate {each.bucket} to a bucket that {view.member.target.id} is linked to."
            found.append(red(me, "no-replication", text, "add the replication rule, with metrics, then: dr plan"))
        elif any(rule.Destination.Metrics is None or rule.Destination.Metrics.Status != "Enabled" for rule in rules):
            text = f"the replication rule of {each.bucket} has no metrics: nothing tells when all has arrived."
            found.append(red(me, "no-metrics", text, "enable the rule's metrics, then: dr plan"))
    back = {rule.bucket for _, rule in view.target.rules}
    if view.target.links and not any(each.bucket in back for each in view.source.links):
        text = f"S3 does not replicate back to the buckets of {view.member.source.id}: REPLICATE will stop."
        found.append(warning(me, "no-way-back", text, "add a rule in the other direction, with metrics"))
    return found


def _age(view: LustreView, run: RunContext) -> list[Finding]:
    me, age = view.member.resource_id, exported_age(view, run)
    limit = run.rpo_minutes.get(me)
    if limit is None or view.moved or (age is not None and age <= limit * 60):
        return []
    told = "never was" if age is None else f"was last {age / 60:.0f} min ago"
    text = f"{view.member.source.id} {told} exported, dr:rpo-target is {limit} min."
    judged = warning if run.mode is Mode.PLANNED else red
    return [judged(me, "rpo", text, "export more often, then: dr plan")]


def _time(view: LustreView) -> list[Finding]:
    wanted = view.member.tags.get(RTO, "")
    takes = SPEC.strategy(view.strategy).typical_minutes[Phase.ACTIVATE]
    if not wanted.isdigit() or int(wanted) >= takes:
        return []
    return [warning(view.member.resource_id, "rto", f"a move takes about {takes:.0f} min, {RTO} is {wanted} min.")]
