"""The steps on the side of an FSx file system that is being left: remember, fence, see that nobody writes, take backups.

OpenZFS volumes are made read-only: clients' writes fail from then on. Windows and Lustre have no such switch, and FSx forbids
touching its network interfaces; there, names are taken away (Windows) and CloudWatch's DataWriteBytes must show silence, before
the last backup and until it is copied. What must be put back is remembered in the file system's tag `dr:fenced`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from adapters.fsx.models import FileSystem, Volume
from adapters.fsx.spec import (
    BUSY_ACTION,
    FAILED_ACTION,
    FAILED_ALIAS,
    FENCED_TAG,
    QUIET_BOUND_SECONDS,
    QUIET_DATAPOINTS,
    TAG_VALUE_LIMIT,
)
from adapters.fsx.view_backup import BackupView
from adapters.reading import Datapoint, tag_list
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

UPDATE = "VOLUME_UPDATE"


def slug(volume: Volume | str) -> str:
    """Return a volume's path as part of a step's name."""
    path = volume if isinstance(volume, str) else volume.path or volume.Name
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"


def fence(view: BackupView, source: FileSystem, run: RunContext) -> list[Step]:
    """Return the steps after which clients can no longer write (OpenZFS) or no longer find the source (Windows)."""
    return [
        remember(source, _words(view, source), run),
        *(make_read_only(each, run, side=Side.SOURCE) for each in view.source_volumes if _ours(view, each)),
        *([aliases_off("aliases-off", source, Side.SOURCE)] if view.kind == "WINDOWS" else []),
    ]


def _ours(view: BackupView, volume: Volume) -> bool:
    """Say whether the fence concerns a volume: not one that was read-only before."""
    if view.fenced_at is None:
        return not volume.read_only
    return volume.VolumeId not in view.remembered


def _words(view: BackupView, source: FileSystem) -> list[str]:
    if view.kind == "WINDOWS":
        return list(source.aliases)
    return [each.VolumeId for each in view.source_volumes if each.read_only]


def remember(source: FileSystem, words: Sequence[str], run: RunContext) -> Step:
    """Return the step that notes on the source when it was fenced, and what the fence must not be mistaken for."""
    name, noted = "remember-fence", source.tags.get(FENCED_TAG)
    if noted:
        return done(name, f"{FENCED_TAG} says {noted}", effect=Effect.REVERSIBLE)
    value = " ".join([run.now.isoformat(timespec="seconds"), *words])
    call = Call(
        "fsx", "TagResource", {"ResourceARN": source.ResourceARN, "Tags": tag_list({FENCED_TAG: value})}, Side.SOURCE
    )
    if len(value) > TAG_VALUE_LIMIT:
        why = f"{len(words)} names do not fit into the tag {FENCED_TAG}, which must remember them"
        return blocked(name, why, "reduce the aliases or the read-only volumes, or move it by hand.")
    return todo(name, call, Effect.REVERSIBLE, f"{source.FileSystemId} is open")


def forget(name: str, owner: FileSystem, side: Side) -> Step:
    """Return the step that takes the note of the fence away."""
    call = Call("fsx", "UntagResource", {"ResourceARN": owner.ResourceARN, "TagKeys": [FENCED_TAG]}, side)
    if FENCED_TAG not in owner.tags:
        return done(name, f"{owner.FileSystemId} bears no {FENCED_TAG}", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"{FENCED_TAG} is still on {owner.FileSystemId}")


def make_read_only(
    volume: Volume,
    run: RunContext,
    *,
    side: Side,
    wanted: bool = True,
    prefix: str = "fence",
    effect: Effect = Effect.REVERSIBLE,
) -> Step:
    """Return the step that makes a volume read-only, or writable again."""
    name = f"{prefix}-{slug(volume)}"
    params: dict[str, Param] = {"VolumeId": volume.VolumeId, "OpenZFSConfiguration": {"ReadOnly": wanted}}
    call = Call("fsx", "UpdateVolume", params, side, token="ClientRequestToken")
    shown = f"{volume.VolumeId} ({volume.path}) is {'read-only' if volume.read_only else 'writable'}"
    action = volume.newest(UPDATE)
    if action is not None and action.Status in BUSY_ACTION:
        return busy(name, f"{shown}, a change is {action.Status}", effect=effect, call=call)
    if volume.read_only is wanted:
        return done(name, shown, effect=effect)
    if volume.Lifecycle in {"FAILED", "MISCONFIGURED"}:
        return failed(name, f"{volume.VolumeId} is {volume.Lifecycle}", "repair the volume in the console, then retry.")
    called = run.called_at.get(name)
    late = action is not None and called is not None and action.RequestTime is not None and action.RequestTime >= called
    if action is not None and late and action.Status in FAILED_ACTION:
        why = action.FailureDetails.Message if action.FailureDetails else action.Status
        return failed(name, f"{shown}; the change ended {action.Status}: {why}", "look at the volume, then retry.")
    if volume.Lifecycle != "AVAILABLE":
        return busy(name, f"{volume.VolumeId} is {volume.Lifecycle}", effect=effect, call=call)
    return todo(name, call, effect, shown)


def aliases_off(name: str, owner: FileSystem, side: Side) -> Step:
    """Return the step that takes a Windows file system's aliases away."""
    left = owner.configuration.Aliases
    call = Call(
        "fsx",
        "DisassociateFileSystemAliases",
        {"FileSystemId": owner.FileSystemId, "Aliases": [each.Name for each in left]},
        side,
        token="ClientRequestToken",
    )
    shown = ", ".join(f"{each.Name} {each.Lifecycle}" for each in left)
    if not left:
        return done(name, f"{owner.FileSystemId} has no alias", effect=Effect.REVERSIBLE)
    if any(each.Lifecycle == "DELETE_FAILED" for each in left):
        return failed(name, f"{owner.FileSystemId}: {shown}", "take the alias off in the console, then retry.")
    if any(each.Lifecycle in {"DELETING", "CREATING"} for each in left):
        return busy(name, shown, effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"{owner.FileSystemId} answers to {shown}")


def aliases_on(name: str, owner: FileSystem | None, wanted: tuple[str, ...], side: Side, call: Call) -> Step:
    """Return the step that gives a Windows file system its aliases; DNS and Active Directory are left to people."""
    states = {each.Name: each.Lifecycle for each in owner.configuration.Aliases} if owner else {}
    missing = [each for each in wanted if states.get(each) != "AVAILABLE"]
    if not missing and owner is not None:
        names = ", ".join(wanted) or "no alias"
        dns = f"point the DNS records of {names} to {owner.DNSName} and move their service principal names"
        return done(name, f"{owner.FileSystemId} has {names}", effect=Effect.COMPENSABLE, warning=dns if wanted else "")
    shown = ", ".join(f"{each} is {states.get(each, 'not there')}" for each in missing)
    if any(states.get(each) in FAILED_ALIAS for each in missing):
        return failed(name, shown, "take the alias off in the console, see that nobody else has it, then retry.")
    if any(states.get(each) in {"CREATING", "DELETING"} for each in missing):
        return busy(name, shown, effect=Effect.COMPENSABLE, call=call)
    return todo(name, call, Effect.COMPENSABLE, shown)


def quiet(who: str, began: datetime | None, writes: Sequence[Datapoint], run: RunContext) -> Step:
    """Return the wait until no client writes: the fence of what cannot be made read-only."""
    name = "quiet"
    seen = [point.value for point in writes if began is not None and point.at >= began]
    shown = ", ".join(f"{value:.0f}" for value in seen[:QUIET_DATAPOINTS]) or "no datapoint"
    if len(seen) >= QUIET_DATAPOINTS and not any(seen[:QUIET_DATAPOINTS]):
        return done(name, f"clients wrote nothing for {QUIET_DATAPOINTS} minutes")
    why = f"clients of {who} wrote (bytes a minute, newest first) {shown}, expected nothing"
    since = 0.0 if began is None else (run.now - max(began, run.started_at)).total_seconds()
    if since < QUIET_BOUND_SECONDS:
        return busy(name, why)
    return blocked(name, why, "stop its clients or close their sessions and open files, then retry.")


def still_quiet(who: str, written: float, since: str) -> Step:
    """Return the guard that nothing was written since the data was taken."""
    name = "still-quiet"
    if not written:
        return done(name, f"clients wrote nothing since {since} began")
    why = f"clients wrote {written:.0f} bytes to {who} since {since} began"
    return blocked(name, why, "stop its clients, answer rollback, and start again: the data must be taken anew.")


def release(view: BackupView, source: FileSystem) -> Step:
    """Return the step that takes the old file system out of the scope, so that the next inventory sees one claimant."""
    name = "release-old"
    call = Call("fsx", "UntagResource", {"ResourceARN": source.ResourceARN, "TagKeys": [ENABLED]}, Side.SOURCE)
    if ENABLED not in source.tags:
        return done(name, f"{source.FileSystemId} is kept, out of the scope", effect=Effect.COMPENSABLE)
    return todo(name, call, Effect.COMPENSABLE, f"{source.FileSystemId} still carries {ENABLED}")


def reopen(view: BackupView, source: FileSystem, run: RunContext) -> list[Step]:
    """Return the steps that give the source back to its clients."""
    if FENCED_TAG not in source.tags:
        return [done("unfence", f"{source.FileSystemId} is not fenced", effect=Effect.REVERSIBLE)]
    steps = [
        make_read_only(each, run, side=Side.SOURCE, wanted=False, prefix="unfence")
        for each in view.source_volumes
        if each.VolumeId not in view.remembered
    ]
    if view.kind == "WINDOWS" and view.remembered:
        params: dict[str, Param] = {"FileSystemId": source.FileSystemId, "Aliases": list(view.remembered)}
        call = Call("fsx", "AssociateFileSystemAliases", params, Side.SOURCE, token="ClientRequestToken")
        steps.append(aliases_on("aliases-back", source, view.remembered, Side.SOURCE, call))
    return [*steps, forget("forget-fence", source, Side.SOURCE)]
