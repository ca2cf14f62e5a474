"""The steps that shut clients out of ONTAP volumes, and the notes of it. Pure.

Clients are shut out by taking the volume's junction path away, for NFS and SMB alike. That alone stops no client that holds
a file handle (ONTAP documentation, "Mount and unmount existing volumes in the NAS namespace"): CloudWatch must show silence
too, and the last transfer counts only when its snapshot is younger than the last minute in which somebody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from adapters.fsx.ontap_steps import ask, at
from adapters.fsx.source import quiet
from adapters.fsx.spec import CARRIED_TAG, FENCED_TAG, TAG_VALUE_LIMIT
from adapters.fsx.view_ontap import OntapPair, OntapView
from adapters.reading import Datapoint, tag_list
from orchestrator.contract import Call, Param, RunContext, Step, blocked, done, failed, todo
from orchestrator.words import Effect, Side


def fence(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps that shut clients out of the source's volumes: the deepest in the namespace first."""
    deepest = sorted(view.pairs, key=lambda pair: -pair.junction.count("/"))
    return [
        *(remember(each, run) for each in view.pairs if not each.moved),
        *(_unmount(each, view) for each in deepest),
    ]


def remember(pair: OntapPair, run: RunContext) -> Step:
    """Return the step that notes on the source's volume since when, and from where, clients are shut out."""
    name, shown = f"remember-{at(pair)}", pair.source_shown
    if shown is None:
        why = f"FSx does not show the volume {pair.source_path} yet"
        return failed(name, why, "volumes made in ONTAP appear in FSx after some minutes: retry then.")
    if FENCED_TAG in shown.tags:
        return done(name, f"{FENCED_TAG} says {shown.tags[FENCED_TAG]}", effect=Effect.REVERSIBLE)
    value = f"{run.now.isoformat(timespec='seconds')} {pair.junction}".strip()
    if len(value) > TAG_VALUE_LIMIT:
        why = f"the junction path of {pair.source_path} does not fit into the tag {FENCED_TAG}"
        return blocked(name, why, "move the volume by hand, or mount it at a shorter path.")
    tags: list[Param] = list(tag_list({FENCED_TAG: value}))
    call = Call("fsx", "TagResource", {"ResourceARN": shown.ResourceARN, "Tags": tags}, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{pair.source_path} is open at {pair.junction or 'no path'}")


def _unmount(pair: OntapPair, view: OntapView) -> Step:
    name, source = f"fence-{at(pair)}", pair.source
    if source is None:
        return failed(name, f"ONTAP shows no volume {pair.source_path}", "dr plan")
    if not source.open:
        how = "a mirror" if not source.writable else "mounted nowhere"
        return done(name, f"{pair.source_path} is {how}", effect=Effect.REVERSIBLE)
    call = ask("UnmountVolume", view.source, Side.SOURCE, Volume=source.uuid)
    return todo(name, call, Effect.REVERSIBLE, f"clients find {pair.source_path} at {source.nas.path}")


def silence(view: OntapView, run: RunContext) -> Step:
    """Return the wait until nobody writes to any of the volumes any more."""
    waiting = [each for each in view.pairs if not each.moved]
    if not waiting:
        return done("quiet", "the target side serves already")
    began = max((each.fenced_at for each in waiting if each.fenced_at), default=None)
    summed: dict[datetime, float] = {}
    for point in (point for each in waiting for point in each.writes):
        summed[point.at] = summed.get(point.at, 0.0) + point.value
    points = [Datapoint(when, value) for when, value in sorted(summed.items(), reverse=True)]
    return quiet(view.member.source.id, began, points, run)


def note_carried(pair: OntapPair, run: RunContext) -> Step:
    """Return the step that notes on the source that nothing of it would be lost, for whoever overwrites it later."""
    name, shown = f"note-carried-{at(pair)}", pair.source_shown
    if pair.carried or shown is None:
        return done(name, f"{pair.source_path} is noted", effect=Effect.REVERSIBLE)
    if pair.moved:
        return done(name, f"{pair.source_path} was left without the note: it is backed up before it is overwritten")
    tags: list[Param] = list(tag_list({CARRIED_TAG: run.run_id}))
    call = Call("fsx", "TagResource", {"ResourceARN": shown.ResourceARN, "Tags": tags}, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{pair.source_path} bears no {CARRIED_TAG}")


def forget(prefix: str, pairs: Iterable[OntapPair], side: Side) -> list[Step]:
    """Return the steps that take the notes of a fence off a side's volumes."""
    steps = []
    for pair in pairs:
        shown = pair.source_shown if side is Side.SOURCE else pair.target_shown
        notes: Sequence[str] = [key for key in (FENCED_TAG, CARRIED_TAG) if shown is not None and key in shown.tags]
        name = f"{prefix}-{at(pair)}"
        if shown is None or not notes:
            steps.append(done(name, "no note of a fence is left", effect=Effect.REVERSIBLE))
            continue
        params: dict[str, Param] = {"ResourceARN": shown.ResourceARN, "TagKeys": list(notes)}
        call = Call("fsx", "UntagResource", params, side)
        steps.append(todo(name, call, Effect.REVERSIBLE, f"{', '.join(notes)} is still on {shown.VolumeId}"))
    return steps
