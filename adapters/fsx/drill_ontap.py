"""A drill of volumes that follow by SnapMirror: FlexClones of them, beside them on the target side, then deleted.

A clone is made of the snapshot that the mirror shows, needs no time and no space, and is mounted at a path of its own
name, which no client knows. The mirror goes on following; it only cannot drop that snapshot while the clone stands. A clone
carries no tag that FSx gives it: its comment in ONTAP holds `dr:drill-id`, and the function in the VPC deletes nothing else.
"""

from __future__ import annotations

from adapters.fsx.ontap_models import Name, Nas, OntapVolume
from adapters.fsx.ontap_steps import ask, at
from adapters.fsx.source import slug
from adapters.fsx.view_ontap import DRILL_COMMENT, OntapPair, OntapView
from adapters.reading import drill_name
from orchestrator.contract import Check, RunContext, Step, blocked, done, failed, todo
from orchestrator.words import CheckState, Effect, Side


def make(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps that clone each volume."""
    if not view.pairs:
        why = f"no volume of {view.member.target.id} follows {view.member.source.id}"
        return [blocked("drill-volume", why, "set up the relationships, then start the drill again.")]
    return [_clone(view, each, run) for each in view.pairs]


def _clone(view: OntapView, pair: OntapPair, run: RunContext) -> Step:
    name = f"drill-volume-{at(pair)}"
    snapshot = pair.mirror.exported_snapshot if pair.mirror else ""
    if pair.target is None or not snapshot:
        why = f"{pair.target_path} has no snapshot to be cloned"
        return blocked(name, why, "let the first transfer end, then start the drill again.")
    called = _name(pair.target, run)
    there = next((each for each in view.clones if each.name == called), None)
    call = ask(
        "CreateClone",
        view.target,
        Side.TARGET,
        Svm=pair.target.svm.name,
        Parent=pair.target.name,
        Snapshot=snapshot,
        Name=called,
        Comment=f"{DRILL_COMMENT}{run.run_id}",
    )
    if there is None:
        return todo(name, call, Effect.REVERSIBLE, f"{pair.target_path} is not cloned yet")
    if there.state != "online" or not there.writable:
        why = f"{there.path} is {there.state} and {there.type}, expected online and rw"
        return failed(name, why, "look at it with volume show, then start the drill again.")
    return done(name, f"{there.path} is mounted at {there.nas.path or 'no path'}", effect=Effect.REVERSIBLE)


def _name(volume: OntapVolume, run: RunContext) -> str:
    return drill_name(run, volume.name).replace("-", "_")


def delete(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps that unmount and delete the clones; only what carries this drill's comment is ever seen as one."""
    comment = f"{DRILL_COMMENT}{run.run_id}"
    steps = []
    for each in view.clones:
        unmount = ask("UnmountClone", view.target, Side.TARGET, Volume=each.uuid, Comment=comment)
        remove = ask("DeleteClone", view.target, Side.TARGET, Volume=each.uuid, Comment=comment)
        what = slug(each.path)
        steps += [
            todo(f"unmount-{what}", unmount, Effect.COMPENSABLE, f"{each.path} is mounted at {each.nas.path}")
            if each.nas.path
            else done(f"unmount-{what}", f"{each.path} is mounted nowhere"),
            todo(f"delete-{what}", remove, Effect.COMPENSABLE, f"{each.path} is {each.state}"),
        ]
    return steps or [done("drill-volume", "gone")]


def foreseen(view: OntapView, run: RunContext) -> tuple[OntapVolume, ...]:
    """Return the clones that a drill makes."""
    return tuple(
        OntapVolume(
            name=_name(each.target, run),
            svm=Name(name=each.target.svm.name),
            type="rw",
            state="online",
            nas=Nas(path=f"/{_name(each.target, run)}"),
            comment=f"{DRILL_COMMENT}{run.run_id}",
        )
        for each in view.pairs
        if each.target is not None
    )


def health(view: OntapView) -> list[Check]:
    """Check the clones, and that the volumes they were made of still follow."""
    me = view.member.resource_id
    well = bool(view.clones) and all(each.state == "online" and each.writable for each in view.clones)
    told = ", ".join(f"{each.path} {each.state}" for each in view.clones) or "not there"
    apart = [p.target_path for p in view.pairs if p.mirror is None or p.mirror.state != "snapmirrored"]
    return [
        Check(me, "drill-copy", CheckState.HEALTHY if well else CheckState.SETTLING, f"clones: {told}"),
        Check(
            me,
            "mirror",
            CheckState.UNHEALTHY if apart else CheckState.HEALTHY,
            f"follow no longer: {', '.join(apart)}" if apart else f"{len(view.pairs)} volume(s) go on following",
        ),
    ]
