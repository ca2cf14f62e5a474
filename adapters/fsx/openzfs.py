"""FSx for OpenZFS by snapshots: read-only volumes in the target Region follow those of the source, and are opened.

instantiate  planned, per volume: fsx.CreateSnapshot on the source, fsx.CopySnapshotAndUpdateVolume on the target, while clients
             go on writing: the last copy is then only a small difference; drill: fsx.CreateVolume, a clone of the newest
             snapshot on the target
activate     planned: fsx.TagResource (dr:fenced) and fsx.UpdateVolume (ReadOnly) on the source, snapshot and copy once more; then,
             as in an emergency: fsx.UpdateVolume (ReadOnly=False) on the target, fsx.UntagResource (dr:fenced there)
cleanup      the fence, if it is not there yet; drill: fsx.DeleteVolume
replicate    fsx.CreateSnapshot on the target, fsx.CopySnapshotAndUpdateVolume into the source's volumes. What was written
             there since the two parted is overwritten: only after fsx.CreateBackup of it, with the DELETE_* options, and the
             run's commitment

The source becomes the standby: nothing of it is ever deleted. Snapshots `dr-<run>...` stay on both sides; later copies build on
them. One copy runs into a file system at a time. A drill's clone depends on its snapshot: while it stands, a replication that
would delete that snapshot fails (API reference, DELETE_CLONED_VOLUMES); the drill removes it at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.fsx import drill_openzfs as drill
from adapters.fsx import source as source_side
from adapters.fsx import zfs_steps as steps
from adapters.fsx.copies import back_up, standing_tags
from adapters.fsx.discovery import discover
from adapters.fsx.health import checks
from adapters.fsx.models import FileSystem
from adapters.fsx.restore import state_of
from adapters.fsx.spec import PORTS, SPEC
from adapters.fsx.view_openzfs import Pair, ZfsView, look
from adapters.fsx.zfs_readiness import age_of, findings
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    failed,
    skip,
)
from orchestrator.words import Effect, Mode, Phase, Side


class OpenZfs(Adapter[ZfsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> ZfsView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: ZfsView, run: RunContext) -> list[Finding]:
        """Judge both file systems, their volumes and the last copies."""
        return findings(view, run)

    def loss(self, view: ZfsView, run: RunContext) -> list[Loss]:
        """Report the age of the oldest of the last copied snapshots."""
        me = view.member.resource_id
        if view.replicated and all(each.moved for each in view.replicated):
            return [Loss(me, 0.0, "the target side serves already")]
        ages = [age_of(view, each, run) for each in view.replicated if not each.moved]
        known = [each for each in ages if each is not None]
        if not ages or len(known) < len(ages):
            return [Loss(me, None, "of a volume no snapshot was ever copied")]
        return [Loss(me, max(known), "age of the last copied snapshot")]

    def instantiate(self, view: ZfsView, run: RunContext) -> list[Step]:
        """Bring the standing volumes near to the source; in a drill, clone them."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        missing = _missing(view)
        if missing:
            return [missing]
        pairs = [each for each in view.replicated if not each.moved]
        if not pairs:
            return skip("the target side takes writes already")
        name = f"dr-{run.short_id}-base"
        return [step for each in pairs for step in steps.bring(each, name, "base", view, run)]

    def activate(self, view: ZfsView, run: RunContext) -> list[Step]:
        """Open the target's volumes; in a planned run behind the fence, with all that was written."""
        if run.mode is Mode.DRILL:
            return skip("a drill opens nothing; its clones are writable from birth")
        missing = _missing(view)
        if missing:
            return [missing]
        if not view.replicated:
            return skip(
                f"every volume of {view.member.source.id} is read-only in normal times: there is nothing to open"
            )
        both = [each for each in view.pairs if each.source and each.target and _open(each)]
        if both and view.source_read:
            return [_both_open(view, both)]
        opened = [steps.open_target(each, run) for each in view.replicated]
        unmarked = [source_side.forget("forget-fence", view.target, Side.TARGET)] if view.target else []
        if run.mode is Mode.EMERGENCY or view.source is None:
            return [*opened, *unmarked]
        return [*_fence(view, view.source, run), *_last(view, run), *opened, *unmarked]

    def cleanup(self, view: ZfsView, run: RunContext) -> list[Step]:
        """Fence the source; in a drill, delete the clones."""
        if run.mode is Mode.DRILL:
            return drill.delete(view)
        if view.source is None:
            return [failed("fence", f"there is no file system {view.member.source.id}", "dr plan")]
        closed = [each.path for each in view.replicated if each.target is None or each.target.read_only]
        if closed or not view.replicated:
            why = f"{', '.join(closed) or 'nothing'} on the target side takes no writes: {view.source.FileSystemId} stays open"
            return [blocked("fence", why, "run ACTIVATE first.")] if closed else skip("no volume moves")
        return _fence(view, view.source, run)

    def replicate(self, view: ZfsView, run: RunContext) -> list[Step]:
        """Let the source's volumes follow the target's."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if view.source is None:
            return [failed("back-copy", f"there is no file system {view.member.source.id}", "dr plan")]
        closed = [each.path for each in view.replicated if not each.moved]
        if closed:
            why = f"{', '.join(closed)}: the target side must take writes and the source side must not"
            return [blocked("back-copy", why, "run ACTIVATE and CLEANUP first.")]
        parted = [each for each in view.replicated if steps.parted(each, run) and not each.back]
        tags = standing_tags(view.member, run, {}, view.strategy)
        why = "what was written to it since the two sides parted is about to be overwritten"
        there = view.kept[0] if view.kept else None
        kept = back_up("keep-parted", there, view.source.FileSystemId, tags, Side.SOURCE, why)
        copies = [step for each in view.replicated for step in steps.bring_back(each, view, run)]
        return [*([kept] if parted or (there and view.replicated) else []), *copies] or skip("no volume moves")

    def rollback(self, phase: Phase, view: ZfsView, run: RunContext) -> list[Step]:
        """Open the source again while no volume of the target takes writes."""
        if run.mode is Mode.DRILL:
            return drill.delete(view)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        opened = [each.path for each in view.replicated if each.target is not None and not each.target.read_only]
        if opened:
            why = f"{', '.join(opened)} on the target side takes writes already"
            return [blocked("unfence", why, "later: dr start --operation failback")]
        if view.source is None:
            return skip("nothing was opened and nothing was fenced")
        unfenced = [
            source_side.make_read_only(each.source, run, side=Side.SOURCE, wanted=False, prefix="unfence")
            for each in view.replicated
            if each.source is not None
        ]
        return [*unfenced, source_side.forget("forget-fence", view.source, Side.SOURCE)]

    def health(self, view: ZfsView, run: RunContext) -> list[Check]:
        """Check that the target's volumes take writes, and after REPLICATE that the source's follow; in a drill, clones."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        closed = [each.path for each in view.replicated if each.target is None or each.target.read_only]
        alone = [each.path for each in view.replicated if not each.back]
        return checks(view.member, view.target, run, closed=closed, serving=len(view.replicated), alone=alone)

    def endpoints(self, view: ZfsView, run: RunContext) -> list[Endpoint]:
        """Return where clients mount it."""
        if view.target is None or not view.target.DNSName:
            return []
        return [Endpoint(view.member.resource_id, view.target.DNSName, PORTS["OPENZFS"])]

    def after(self, phase: Phase, view: ZfsView, run: RunContext) -> ZfsView:
        """Foresee opened and fenced volumes, copies, and the clones of a drill."""
        if run.mode is Mode.DRILL:
            return replace(view, drills=() if phase is Phase.CLEANUP else drill.foreseen(view, run))
        return steps.after(phase, view, run)


def _open(pair: Pair) -> bool:
    sides = (pair.source, pair.target)
    return all(each is not None and not each.read_only for each in sides)


def _both_open(view: ZfsView, both: Sequence[Pair]) -> Step:
    paths = ", ".join(each.path for each in both)
    why = f"{paths} takes writes on both sides: only a person can tell which one is current"
    target = both[0].target.VolumeId if both[0].target else ""
    remedy = (
        "if the target side is: dr start with Phases CLEANUP,REPLICATE. If the source side is: aws fsx update-volume --volume-id "
        f"{target} --open-zfs-configuration ReadOnly=true (and copy a snapshot), then start again."
    )
    return blocked("open", why, remedy)


def _missing(view: ZfsView) -> Step | None:
    if view.target is None:
        why = f"there is no file system {view.member.target.id} in {view.member.target.region}"
        return failed("standing", why, "create it with its volumes, then: dr plan")
    judged = state_of("standing", view.target, Effect.NONE)
    if view.target.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        return judged
    lost = [each.path for each in view.replicated if each.target is None]
    if lost:
        why = f"{view.target.FileSystemId} has no volume {', '.join(lost)}"
        return failed(
            "standing", why, "aws fsx create-volume with OriginSnapshot CopyStrategy=FULL_COPY and ReadOnly=true"
        )
    return None


def _fence(view: ZfsView, source: FileSystem, run: RunContext) -> list[Step]:
    volumes = [each.source for each in view.replicated if each.source is not None]
    exceptions = [each.source.VolumeId for each in view.pairs if each.source is not None and each.path in view.closed]
    if all(each.read_only for each in volumes):
        return [source_side.make_read_only(each, run, side=Side.SOURCE) for each in volumes]
    return [
        source_side.remember(source, exceptions, run),
        *(source_side.make_read_only(each, run, side=Side.SOURCE) for each in volumes),
    ]


def _last(view: ZfsView, run: RunContext) -> list[Step]:
    name = f"dr-{run.short_id}"
    return [step for each in view.replicated for step in steps.bring(each, name, "last", view, run)]
