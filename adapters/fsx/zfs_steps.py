"""The steps that bring an OpenZFS volume to the state of another one's snapshot, either way, and open it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from adapters.fsx.models import FileSystem, Snapshot, Volume, VolumeConfiguration
from adapters.fsx.source import make_read_only, slug
from adapters.fsx.spec import BUSY_ACTION, FAILED_ACTION, FENCED_TAG
from adapters.fsx.view_openzfs import COPYING, Pair, ZfsView
from adapters.reading import KeyValue, tag_list
from orchestrator.contract import Call, Later, Param, RunContext, Step, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Mode, Phase, Side

TOKEN = "ClientRequestToken"  # noqa: S105  a parameter's name
DELETE_PARTED = ("DELETE_INTERMEDIATE_SNAPSHOTS", "DELETE_INTERMEDIATE_DATA")


def bring(pair: Pair, name: str, what: str, view: ZfsView, run: RunContext) -> list[Step]:
    """Return snapshot and copy of a volume towards the target."""
    at = slug(pair.path)
    if pair.moved or pair.source is None or pair.target is None:
        return [done(f"{what}-copy-{at}", f"{pair.path} takes writes on the target side already")]
    snapshot = _named(pair.source_snapshots, name)
    others = [each.target for each in view.pairs if each.target is not None]
    return [
        _snapshot(f"{what}-snapshot-{at}", pair.source, snapshot, name, Side.SOURCE, run),
        _copy(f"{what}-copy-{at}", pair.target, snapshot, others, Side.TARGET, run),
    ]


def bring_back(pair: Pair, view: ZfsView, run: RunContext) -> list[Step]:
    """Return snapshot and copy of a volume towards the source; what parted from it there is overwritten."""
    at = slug(pair.path)
    if pair.source is None or pair.target is None:
        return [failed(f"back-copy-{at}", f"{pair.path} is missing on one side", "dr plan")]
    snapshot = _named(pair.target_snapshots, f"dr-{run.short_id}-back")
    if pair.back and snapshot is None:
        return [done(f"back-copy-{at}", f"{pair.source.VolumeId} follows {pair.target.VolumeId}")]
    others = [each.source for each in view.pairs if each.source is not None]
    options = DELETE_PARTED if parted(pair, run) else ()
    name = f"dr-{run.short_id}-back"
    return [
        _snapshot(f"back-snapshot-{at}", pair.target, snapshot, name, Side.TARGET, run),
        _copy(f"back-copy-{at}", pair.source, snapshot, others, Side.SOURCE, run, options),
    ]


def parted(pair: Pair, run: RunContext) -> bool:
    """Say whether the source may hold writes that never reached the target: unless this run copied all behind the fence."""
    last = _named(pair.source_snapshots, f"dr-{run.short_id}")
    return last is None or _named(pair.target_snapshots, last.Name) is None


def open_target(pair: Pair, run: RunContext) -> Step:
    """Return the step after which the target takes writes: from then on there is no way back but a failback."""
    name = f"open-{slug(pair.path)}"
    volume = pair.target
    if volume is None:
        return failed(name, f"there is no volume {pair.path} on the target side", "dr plan")
    copying = volume.newest(COPYING)
    if volume.read_only and copying is not None and copying.Status in BUSY_ACTION and run.mode is Mode.EMERGENCY:
        return busy(name, f"a copy into {volume.VolumeId} is {copying.Status}: it ends or fails by itself")
    return make_read_only(volume, run, side=Side.TARGET, wanted=False, prefix="open", effect=Effect.IRREVERSIBLE)


def _named(snapshots: Iterable[Snapshot], name: str) -> Snapshot | None:
    return next((each for each in snapshots if each.Name == name), None)


def _snapshot(name: str, volume: Volume, there: Snapshot | None, called: str, side: Side, run: RunContext) -> Step:
    params: dict[str, Param] = {"Name": called, "VolumeId": volume.VolumeId, "Tags": tag_list(run.tags)}
    call = Call("fsx", "CreateSnapshot", params, side, keep={"arn": "Snapshot.ResourceARN"}, token=TOKEN)
    if there is None:
        return todo(name, call, Effect.REVERSIBLE, f"{volume.VolumeId} has no snapshot {called}")
    shown = f"{there.SnapshotId} is {there.Lifecycle}"
    if there.Lifecycle == "AVAILABLE":
        return done(name, shown, effect=Effect.REVERSIBLE)
    if there.Lifecycle == "DELETING":
        return failed(name, f"{shown}, expected AVAILABLE", "see who deletes it, then retry.")
    if there.Lifecycle not in {"PENDING", "CREATING"}:
        raise UpstreamError(f"{shown}: this state is not known.", "report this to the platform's maintainers.")
    return busy(name, shown, effect=Effect.REVERSIBLE, call=call)


def _copy(  # noqa: PLR0913  a copy has two ends
    name: str,
    into: Volume,
    snapshot: Snapshot | None,
    others: Iterable[Volume],
    side: Side,
    run: RunContext,
    options: tuple[str, ...] = (),
) -> Step:
    params: dict[str, Param] = {
        "VolumeId": into.VolumeId,
        "SourceSnapshotARN": snapshot.ResourceARN if snapshot else Later("ARN of the snapshot"),
        "CopyStrategy": "INCREMENTAL_COPY",
        **({"Options": list(options)} if options else {}),
    }
    call = Call("fsx", "CopySnapshotAndUpdateVolume", params, side, token=TOKEN)
    effect = Effect.IRREVERSIBLE if options else Effect.COMPENSABLE
    arn = snapshot.ResourceARN if snapshot else None
    action = into.newest(COPYING)
    mine = action if action is not None and arn is not None and action.snapshot == arn else None
    if mine is not None and mine.Status == "COMPLETED" and into.follows == arn:
        return done(name, f"{into.VolumeId} is as {arn}", effect=effect)
    if mine is not None and mine.Status in FAILED_ACTION and _since_call(mine.RequestTime, run, name):
        why = mine.FailureDetails.Message if mine.FailureDetails else "no reason is given"
        return failed(name, f"the copy into {into.VolumeId} is {mine.Status}: {why}", "correct the cause, then retry.")
    running = [each.VolumeId for each in others if _is_copying(each)]
    if running:
        progress = f", {mine.ProgressPercent} %" if mine is not None and mine.ProgressPercent else ""
        return busy(name, f"a copy into {', '.join(running)} runs{progress}", effect=effect, call=call)
    return todo(name, call, effect, f"{into.VolumeId} is as {into.follows or 'no snapshot'}")


def _since_call(requested: datetime | None, run: RunContext, name: str) -> bool:
    called = run.called_at.get(name)
    if called is None or requested is None:
        return False
    return requested >= called >= run.started_at


def _is_copying(volume: Volume) -> bool:
    action = volume.newest(COPYING)
    return action is not None and action.Status in BUSY_ACTION


# --- previews ---------------------------------------------------------------------------------------------------------


def after(phase: Phase, view: ZfsView, run: RunContext) -> ZfsView:
    """Return the view after a phase of a real run."""
    if phase is Phase.ACTIVATE:
        pairs = tuple(_activated(each, run) if each in view.replicated else each for each in view.pairs)
        return replace(view, pairs=pairs, source=_fenced(view, run))
    if phase is Phase.CLEANUP:
        pairs = tuple(replace(each, source=_set(each.source, closed=True)) for each in view.pairs)
        return replace(view, pairs=pairs, source=_fenced(view, run))
    if phase is Phase.REPLICATE:
        return replace(view, pairs=tuple(_followed(each) for each in view.pairs))
    return view


def _activated(pair: Pair, run: RunContext) -> Pair:
    opened = _set(pair.target, closed=False)
    if run.mode is Mode.EMERGENCY or pair.source is None or pair.moved:
        return replace(pair, target=opened)
    last = Snapshot(SnapshotId="", Name=f"dr-{run.short_id}", Lifecycle="AVAILABLE", CreationTime=run.now)
    return replace(
        pair,
        source=_set(pair.source, closed=True),
        target=opened,
        source_snapshots=(last, *pair.source_snapshots),
        target_snapshots=(last, *pair.target_snapshots),
    )


def _fenced(view: ZfsView, run: RunContext) -> FileSystem | None:
    if view.source is None or run.mode is Mode.EMERGENCY or FENCED_TAG in view.source.tags:
        return view.source
    noted = [*view.source.Tags, KeyValue(Key=FENCED_TAG, Value=run.now.isoformat(timespec="seconds"))]
    return view.source.model_copy(update={"Tags": noted})


def _set(volume: Volume | None, *, closed: bool) -> Volume | None:
    if volume is None:
        return None
    settings = volume.OpenZFSConfiguration or VolumeConfiguration()
    return volume.model_copy(update={"OpenZFSConfiguration": settings.model_copy(update={"ReadOnly": closed})})


def _followed(pair: Pair) -> Pair:
    if pair.source is None or pair.target is None:
        return pair
    arn = f"arn:aws:fsx::snapshot/{pair.target.VolumeId}/"
    settings = pair.source.OpenZFSConfiguration or VolumeConfiguration()
    return replace(
        pair,
        source=pair.source.model_copy(
            update={"OpenZFSConfiguration": settings.model_copy(update={"SourceSnapshotARN": arn})}
        ),
    )
