"""The steps that move an ONTAP volume by SnapMirror: make it follow, the last transfer, break, mount. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.fsx.copies import TOKEN
from adapters.fsx.models import Volume
from adapters.fsx.ontap_models import OntapVolume, Relationship
from adapters.fsx.source import UPDATE, slug
from adapters.fsx.spec import (
    BUSY_ACTION,
    FAILED_ACTION,
    FAILED_TRANSFER,
    FAILED_VOLUME,
    ONTAP_SERVICE,
)
from adapters.fsx.view_ontap import OntapPair, OntapSide, OntapView
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Side

MINUTE = timedelta(minutes=1)
STATES = ("uninitialized", "snapmirrored", "paused", "broken_off")


def ask(request: str, at: OntapSide | None, side: Side, **params: Param) -> Call:
    """Return a request to a side's ONTAP."""
    where: dict[str, Param] = {
        "Endpoint": at.endpoint if at else Later("management endpoint"),
        "Secret": at.secret if at else "",
    }
    return Call(ONTAP_SERVICE, request, {**where, **params}, side)


def at(pair: OntapPair) -> str:
    """Return a pair as part of a step's name."""
    return slug(pair.source_path)


def known(mirror: Relationship) -> Relationship:
    """Return a relationship of an asynchronous policy in a state that is documented; raise for others."""
    if mirror.state not in STATES:
        raise UpstreamError(
            f"relationship {mirror.uuid} to {mirror.destination.path} is {mirror.state}: this state is not known.",
            "only asynchronous SnapMirror between volumes is moved; change its policy, or report this.",
        )
    return mirror


# --- INSTANTIATE ------------------------------------------------------------------------------------------------------


def make(pair: OntapPair, view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps after which a volume is followed: volume, relationship, first transfer, each if missing."""
    if pair.moved:
        return []
    missing = [_volume(pair, view, run)] if pair.target is None else []
    if pair.mirror is None:
        params: dict[str, Param] = {"Source": pair.source_path, "Destination": pair.target_path}
        call = ask("CreateMirror", view.target, Side.TARGET, **params)
        missing.append(todo(f"make-mirror-{at(pair)}", call, Effect.REVERSIBLE, f"nothing follows {pair.source_path}"))
    first = _first_transfer(pair, view)
    return [*missing, *first]


def _volume(pair: OntapPair, view: OntapView, run: RunContext) -> Step:
    name = f"make-volume-{at(pair)}"
    machine, _, volume = pair.target_path.partition(":")
    found = next((each for each in (view.target.machines if view.target else ()) if each.Name == machine), None)
    if found is None:
        why = f"{view.member.target.id} has no storage virtual machine {machine}"
        return blocked(name, why, "create it and peer it with the source's (vserver peer create), then: dr plan")
    settings: dict[str, Param] = {
        "StorageVirtualMachineId": found.StorageVirtualMachineId,
        "OntapVolumeType": "DP",
        "SizeInBytes": pair.source.size if pair.source else 0,
    }
    params: dict[str, Param] = {
        "VolumeType": "ONTAP",
        "Name": volume,
        "OntapConfiguration": settings,
        "Tags": tag_list(run.tags),
    }
    call = Call("fsx", "CreateVolume", params, Side.TARGET, keep={"id": "Volume.VolumeId"}, token=TOKEN)
    there = pair.target_shown
    if there is None:
        return todo(name, call, Effect.REVERSIBLE, f"{view.member.target.id} has no volume {pair.target_path}")
    if there.Lifecycle in FAILED_VOLUME:
        why = there.LifecycleTransitionReason.Message if there.LifecycleTransitionReason else "no reason is given"
        return failed(name, f"{there.VolumeId} is {there.Lifecycle}: {why}", "delete it in the console, then retry.")
    return busy(name, f"{there.VolumeId} is {there.Lifecycle}", effect=Effect.REVERSIBLE, call=call)


def _first_transfer(pair: OntapPair, view: OntapView) -> list[Step]:
    name, mirror = f"first-transfer-{at(pair)}", pair.mirror
    call = ask(
        "InitializeMirror",
        view.target,
        Side.TARGET,
        Mirror=mirror.uuid if mirror else Later("uuid of the relationship"),
    )
    if mirror is None:
        return [todo(name, call, Effect.REVERSIBLE, f"{pair.target_path} holds nothing yet")]
    if known(mirror).state != "uninitialized":
        return [done(name, f"{pair.target_path} is {mirror.state}", effect=Effect.REVERSIBLE)]
    if mirror.transferring:
        return [busy(name, f"the first transfer is {mirror.transfer.state}", effect=Effect.REVERSIBLE, call=call)]
    return [todo(name, call, Effect.REVERSIBLE, f"{pair.target_path} is {mirror.state}")]


# --- the way to the target --------------------------------------------------------------------------------------------


def last_transfer(pair: OntapPair, view: OntapView, run: RunContext) -> Step:
    """Return the transfer that carries everything written before clients were shut out, and by latecomers."""
    name, mirror = f"last-transfer-{at(pair)}", pair.mirror
    if pair.moved or (mirror is not None and mirror.state == "broken_off"):
        return done(name, f"{pair.target_path} follows no longer", effect=Effect.REVERSIBLE)
    if mirror is None:
        return failed(name, f"nothing follows {pair.source_path}", "run INSTANTIATE first.")
    call = ask("TransferMirror", view.target, Side.TARGET, Mirror=mirror.uuid)
    lag, settled = known(mirror).lag, _settled_at(pair)
    if settled is not None and lag is not None and run.now - lag > settled:
        return done(name, f"{pair.target_path} is as of {run.now - lag:%H:%M:%S} UTC, {settled:%H:%M:%S} is needed")
    if mirror.transferring:
        return busy(name, f"a transfer is {mirror.transfer.state}", effect=Effect.REVERSIBLE, call=call)
    if mirror.state == "paused":
        why = f"{pair.target_path} is paused and {_age(mirror)} behind: something was written since, or a person paused it"
        return blocked(name, why, "see that nobody writes, answer rollback (it resumes the relationship), start again.")
    if mirror.transfer.state in FAILED_TRANSFER and run.seconds_since(name) is not None:
        why = f"the transfer to {pair.target_path} {mirror.transfer.state}{mirror.trouble}"
        return failed(name, why, "correct the cause (snapmirror show -instance), then retry.")
    return todo(name, call, Effect.REVERSIBLE, f"{pair.target_path} is {_age(mirror)} behind")


def _settled_at(pair: OntapPair) -> datetime | None:
    """Return when the source had come to rest: it was fenced, and the last minute with writes was over."""
    written = [point.at + MINUTE for point in pair.writes if point.value]
    return max([pair.fenced_at, *written]) if pair.fenced_at else None


def _age(mirror: Relationship) -> str:
    return "an unknown time" if mirror.lag is None else f"{mirror.lag.total_seconds():.0f} s"


def let_go(pair: OntapPair, view: OntapView, *, forced: bool) -> list[Step]:
    """Return the steps that end the following: abort what hangs (`forced`), pause, break."""
    mirror = pair.mirror
    if mirror is None:
        if pair.moved:
            return [done(f"break-{at(pair)}", f"{pair.target_path} follows nobody")]
        return [failed(f"break-{at(pair)}", f"nothing follows {pair.source_path}", "run INSTANTIATE first.")]
    state = known(mirror).state
    if state == "uninitialized":
        why = f"{pair.target_path} never got its first transfer"
        return [blocked(f"break-{at(pair)}", why, "restore it from a backup of the source, or wait for the transfer.")]
    apart = state == "broken_off"
    abort = ask("AbortTransfer", view.target, Side.TARGET, Mirror=mirror.uuid, Transfer=mirror.transfer.uuid)
    hangs = mirror.transferring and not apart
    aborted = (
        todo(f"abort-{at(pair)}", abort, Effect.COMPENSABLE, f"a transfer is {mirror.transfer.state}")
        if hangs
        else done(f"abort-{at(pair)}", "no transfer is under way")
    )
    pause = ask("PauseMirror", view.target, Side.TARGET, Mirror=mirror.uuid)
    paused = (
        done(f"pause-{at(pair)}", f"{pair.target_path} is {state}", effect=Effect.COMPENSABLE)
        if state in {"paused", "broken_off"}
        else todo(f"pause-{at(pair)}", pause, Effect.COMPENSABLE, f"{pair.target_path} is {state}")
    )
    return [*([aborted] if forced else []), paused, _broken(pair, mirror, view)]


def _broken(pair: OntapPair, mirror: Relationship, view: OntapView) -> Step:
    """A volume that is mounted read-only takes writes as soon as it is broken off."""
    name, target = f"break-{at(pair)}", pair.target
    effect = Effect.IRREVERSIBLE if target is not None and target.nas.path else Effect.COMPENSABLE
    call = ask("BreakMirror", view.target, Side.TARGET, Mirror=mirror.uuid)
    if target is None:
        return failed(name, f"ONTAP shows no volume {pair.target_path}", "dr plan")
    if mirror.state != "broken_off":
        return todo(name, call, effect, f"{pair.target_path} is {mirror.state}{mirror.trouble}")
    if not target.writable:
        return busy(name, f"{pair.target_path} is broken off and still read-only", effect=effect, call=call)
    return done(name, f"{pair.target_path} is read-write", effect=effect)


def mount_all(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps that let clients find the target's volumes: the highest in the namespace first."""
    highest = sorted(view.pairs, key=lambda pair: pair.junction.count("/"))
    return [mount(f"mount-{at(p)}", p.target, p.target_shown, p.junction, Side.TARGET, run) for p in highest]


def mount(  # noqa: PLR0913  ONTAP's word, FSx's word, and where to
    name: str,
    volume: OntapVolume | None,
    shown: Volume | None,
    path: str,
    side: Side,
    run: RunContext,
    effect: Effect = Effect.IRREVERSIBLE,
) -> Step:
    """Return the step after which clients find a volume: on the target side there is no way back from it but a failback."""
    if volume is None or shown is None:
        return failed(
            name, f"{'ONTAP' if volume is None else 'FSx'} does not show the volume yet", "retry in some minutes."
        )
    if volume.nas.path or not path:
        return done(name, f"{volume.path} is mounted at {volume.nas.path or 'no path, as ever'}", effect=effect)
    params: dict[str, Param] = {"VolumeId": shown.VolumeId, "OntapConfiguration": {"JunctionPath": path}}
    call = Call("fsx", "UpdateVolume", params, side, token=TOKEN)
    action = shown.newest(UPDATE)
    if action is not None and action.Status in BUSY_ACTION:
        return busy(name, f"a change of {shown.VolumeId} is {action.Status}", effect=effect, call=call)
    if shown.Lifecycle in FAILED_VOLUME:
        return failed(name, f"{shown.VolumeId} is {shown.Lifecycle}", "repair the volume in the console, then retry.")
    requested = action.RequestTime if action is not None else None
    mine = requested is not None and requested >= run.began and run.seconds_since(name) is not None
    if action is not None and mine and action.Status in FAILED_ACTION:
        why = action.FailureDetails.Message if action.FailureDetails else action.Status
        return failed(name, f"mounting {volume.path} at {path} ended {action.Status}: {why}", "correct it, then retry.")
    return todo(name, call, effect, f"{volume.path} is mounted nowhere, expected {path}")
