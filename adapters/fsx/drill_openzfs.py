"""A drill of replicated OpenZFS volumes: clones of their newest snapshots, beside them on the target side, then deleted.

The standing volumes stay read-only and go on following. A clone shares its snapshot's data and needs no time.
"""

from __future__ import annotations

from adapters.fsx.models import Volume
from adapters.fsx.source import slug
from adapters.fsx.view_openzfs import Pair, ZfsView
from adapters.judging import gone
from adapters.reading import KeyValue, drill_name, tag_list
from orchestrator.contract import Call, Check, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import CheckState, Effect, Side


def make(view: ZfsView, run: RunContext) -> list[Step]:
    """Return the steps that clone each volume."""
    if view.target is None or not view.replicated:
        why = f"{view.member.target.id} has no volume that follows another"
        return [blocked("drill-volume", why, "set up the replication, then start the drill again.")]
    return [_clone(view, each, run) for each in view.replicated if each.target is not None]


def _clone(view: ZfsView, pair: Pair, run: RunContext) -> Step:
    assert pair.target is not None
    name = f"drill-volume-{slug(pair.path)}"
    usable = [each for each in pair.target_snapshots if each.Lifecycle == "AVAILABLE"]
    if not usable:
        why = f"{pair.target.VolumeId} has no snapshot to be cloned"
        return blocked(name, why, "let a snapshot be copied, then start the drill again.")
    root = view.target.configuration.RootVolumeId if view.target else None
    origin: dict[str, Param] = {"SnapshotARN": usable[0].ResourceARN, "CopyStrategy": "CLONE"}
    params: dict[str, Param] = {
        "VolumeType": "OPENZFS",
        "Name": _name(pair.target, run),
        "OpenZFSConfiguration": {"ParentVolumeId": root, "OriginSnapshot": origin},
        "Tags": tag_list(run.tags),
    }
    call = Call("fsx", "CreateVolume", params, Side.TARGET, keep={"id": "Volume.VolumeId"}, token="ClientRequestToken")
    there = next((each for each in view.drills if each.Name == _name(pair.target, run)), None)
    if there is None:
        return todo(name, call, Effect.REVERSIBLE, f"{usable[0].Name} is not cloned yet")
    shown = f"{there.VolumeId} is {there.Lifecycle}"
    if there.Lifecycle == "AVAILABLE":
        return done(name, shown, effect=Effect.REVERSIBLE)
    if there.Lifecycle in {"FAILED", "MISCONFIGURED", "DELETING"}:
        return failed(name, f"{shown}, expected AVAILABLE", "look at it in the console, then start the drill again.")
    return busy(name, shown, effect=Effect.REVERSIBLE, call=call)


def _name(volume: Volume, run: RunContext) -> str:
    return drill_name(run, volume.Name).replace("-", "_")


def delete(view: ZfsView) -> list[Step]:
    """Return the steps that delete the clones; only what carries this drill's tag is ever seen as one."""
    return [
        gone(
            f"drill-volume-{slug(each.Name)}",
            each.Lifecycle,
            Call("fsx", "DeleteVolume", {"VolumeId": each.VolumeId}, Side.TARGET, token="ClientRequestToken"),
            leaving=("DELETING", "CREATING", "PENDING"),
        )
        for each in view.drills
    ] or [done("drill-volume", "gone")]


def foreseen(view: ZfsView, run: RunContext) -> tuple[Volume, ...]:
    """Return the clones that a drill makes."""
    return tuple(
        Volume(
            VolumeId="",
            Name=_name(each.target, run),
            Lifecycle="AVAILABLE",
            Tags=[KeyValue(Key=key, Value=value) for key, value in run.tags.items()],
        )
        for each in view.replicated
        if each.target is not None
    )


def health(view: ZfsView) -> list[Check]:
    """Check the clones."""
    states = [each.Lifecycle for each in view.drills]
    well = bool(states) and all(each == "AVAILABLE" for each in states)
    state = CheckState.HEALTHY if well else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"clones are {', '.join(states) or 'not there'}")]
