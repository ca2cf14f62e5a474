"""What is judged of replicated OpenZFS file systems before a run. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters.fsx.models import FileSystem
from adapters.fsx.spec import FAILED_ACTION, SPEC
from adapters.fsx.view_openzfs import COPYING, Pair, ZfsView
from adapters.judging import ready, red, warning
from orchestrator.contract import Finding, RunContext
from orchestrator.tags import RTO
from orchestrator.words import Mode, Phase

LEAST_MBPS, LEAST_MBPS_SINGLE_AZ_1 = 160, 256
"""FSx for OpenZFS user guide, "On-demand data replication", prerequisites."""


def findings(view: ZfsView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    if target is None:
        text = f"there is no file system {view.member.target.id} in {view.member.target.region}."
        return [red(me, "no-target", text, "create it with its volumes, then: dr plan")]
    found = _file_system(me, target)
    if not view.replicated:
        text = f"{view.member.name} has no volume that is replicated: only volumes below the root are."
        found.append(red(me, "no-volumes", text))
    for pair in view.replicated:
        found += _pair(view, pair, run)
    if view.source_read and run.mode is Mode.PLANNED:
        found += _source(view)
    found += _time(view)
    return found or [ready(me, f"{len(view.replicated)} volume(s) of {target.FileSystemId} can take over.")]


def age_of(view: ZfsView, pair: Pair, run: RunContext) -> float | None:
    """Return the age in seconds of what was last copied; a snapshot's copy may be younger than its data."""
    if pair.target is None or pair.target.follows is None:
        return None
    arn = pair.target.follows
    kept = view.member.source.facts.get("snapshots")
    told = kept.get(arn) if isinstance(kept, dict) else None
    seen = next((each.CreationTime for each in pair.source_snapshots if each.ResourceARN == arn), None)
    newest = pair.target_snapshots[0].CreationTime if pair.target_snapshots else None
    at = seen or (datetime.fromisoformat(str(told)) if told else newest)
    return None if at is None else (run.now - at).total_seconds()


def _file_system(me: str, found: FileSystem) -> list[Finding]:
    name, settings = found.FileSystemId, found.configuration
    judged = []
    if found.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        judged.append(red(me, "status", f"{name} is {found.Lifecycle}{found.trouble}, expected AVAILABLE."))
    single = settings.DeploymentType in {"SINGLE_AZ_1", "SINGLE_AZ_HA_1"}
    least = LEAST_MBPS_SINGLE_AZ_1 if single else LEAST_MBPS
    if settings.ThroughputCapacity is not None and settings.ThroughputCapacity < least:
        text = f"{name} ({settings.DeploymentType}) has {settings.ThroughputCapacity} MBps, replication needs {least}."
        judged.append(red(me, "throughput", text, "raise its throughput capacity, then: dr plan"))
    return judged


def _pair(view: ZfsView, pair: Pair, run: RunContext) -> list[Finding]:
    me, volume = view.member.resource_id, pair.target
    if volume is None:
        text = f"{view.member.target.id} has no volume {pair.path}."
        return [red(me, "no-volume", text, "create it from a snapshot of the source with FULL_COPY, then: dr plan")]
    if pair.moved and view.source_read:
        return []  # it was moved before: nothing is left to be done
    found = []
    if volume.Lifecycle not in {"AVAILABLE", "CREATED"}:
        found.append(red(me, "volume-status", f"{volume.VolumeId} is {volume.Lifecycle}, expected AVAILABLE."))
    last = volume.newest(COPYING)
    if last is not None and last.Status in FAILED_ACTION:
        why = last.FailureDetails.Message if last.FailureDetails else "no reason is given"
        judged = warning if run.mode is Mode.PLANNED else red
        found.append(
            judged(me, "last-copy", f"the last copy into {volume.VolumeId} is {last.Status}: {why}.", "dr plan")
        )
    age, limit = age_of(view, pair, run), run.rpo_minutes.get(me)
    if age is None:
        found.append(red(me, "never-copied", f"no snapshot was ever copied into {volume.VolumeId}."))
    elif limit is not None and age > limit * 60:
        text = f"{pair.path} was last copied as of {age / 60:.0f} min ago, dr:rpo-target is {limit} min."
        judged = warning if run.mode is Mode.PLANNED else red
        found.append(judged(me, "rpo", text, "copy snapshots more often, then: dr plan"))
    return found


def _source(view: ZfsView) -> list[Finding]:
    me, source = view.member.resource_id, view.source
    if source is None:
        return [
            red(me, "no-source", f"there is no file system {view.member.source.id} in {view.member.source.region}.")
        ]
    found = _file_system(me, source)
    for pair in view.replicated:
        if (
            pair.source is not None
            and pair.target is not None
            and not pair.target.read_only
            and not pair.source.read_only
        ):
            text = f"{pair.path} takes writes on both sides: only a person can tell which one is current."
            remedy = "make the one that is not read-only; if that is the source: dr start with Phases CLEANUP,REPLICATE"
            found.append(red(me, "both-open", text, remedy))
        common = pair.common()
        newer = [s.Name for s in pair.target_snapshots if common is None or s.CreationTime > common.CreationTime]
        if not pair.moved and newer:
            text = f"{pair.path} has {len(newer)} snapshot(s) on the target side that the source lacks: {', '.join(newer[:3])}."
            found.append(red(me, "own-snapshots", text, "see who made them and delete them, then: dr plan"))
    return found


def _time(view: ZfsView) -> list[Finding]:
    wanted = view.member.tags.get(RTO, "")
    takes = SPEC.strategy(view.strategy).typical_minutes[Phase.ACTIVATE]
    if not wanted.isdigit() or int(wanted) >= takes:
        return []
    return [warning(view.member.resource_id, "rto", f"a move takes about {takes:.0f} min, {RTO} is {wanted} min.")]
