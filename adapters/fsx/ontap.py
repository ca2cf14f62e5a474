"""FSx for ONTAP by SnapMirror: volumes in the target Region follow those of the source, are broken off and mounted.

instantiate  planned: what is missing is made: fsx.CreateVolume (type DP), CreateMirror, InitializeMirror; drill: CreateClone
activate     planned: fsx.TagResource (dr:fenced), UnmountVolume on the source, silence in CloudWatch, TransferMirror,
             fsx.TagResource (dr:carried), PauseMirror, BreakMirror; emergency: AbortTransfer, PauseMirror, BreakMirror at once;
             then fsx.UpdateVolume (JunctionPath) on the target, fsx.UntagResource (notes of an earlier fence there)
cleanup      the fence, if it is not there yet; drill: UnmountClone, DeleteClone
replicate    fsx.CreateBackup of what parted, CreateMirror, ResyncMirror on the source, with the run's commitment if it parted

What has no "fsx." before it is a request to ONTAP's own REST interface at the file system's management endpoint, taken by
functions in its VPC (`orchestrator.ontap_functions`, stacksets/README.md). PATCH of a relationship's state only begins the
change; state, health and transfer are looked at (ONTAP REST API, "Update a SnapMirror relationship"). A break needs a paused
relationship without a transfer (ONTAP, "Activate the destination volume": quiesce, abort, break). Unmounting is no fence by
itself: see `adapters.fsx.ontap_fence`. FSx shows what ONTAP did minutes later: types and paths are judged by ONTAP's word.

decommission nothing. After REPLICATE a volume of the source is the SnapMirror destination, of type DP: it is the standby of what
             serves, and FSx backs up no DP volume (FSx for ONTAP user guide, "Protecting your data with volume backups"), so
             that fsx.DeleteVolume could only go without a final backup. Relationships stay on both sides, one broken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.fsx import drill_ontap as drill
from adapters.fsx import ontap_back as back
from adapters.fsx import ontap_fence as fencing
from adapters.fsx import ontap_steps as steps
from adapters.fsx.discovery import discover
from adapters.fsx.health import checks
from adapters.fsx.ontap_after import foreseen
from adapters.fsx.ontap_readiness import command, findings, lag_of
from adapters.fsx.restore import state_of
from adapters.fsx.spec import SPEC
from adapters.fsx.view_ontap import OntapPair, OntapView, look
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

NFS, SMB = 2049, 445


class SnapMirror(Adapter[OntapView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> OntapView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: OntapView, run: RunContext) -> list[Finding]:
        """Judge both file systems, their virtual machines, volumes and relationships."""
        return findings(view, run)

    def loss(self, view: OntapView, run: RunContext) -> list[Loss]:
        """Report the greatest lag."""
        me = view.member.resource_id
        if view.pairs and all(each.moved for each in view.pairs):
            return [Loss(me, 0.0, "the target side serves already")]
        lags = [lag_of(each) for each in view.pairs if not each.moved]
        read = [each for each in lags if each is not None]
        if not lags or len(read) < len(lags):
            return [Loss(me, None, "of a volume it cannot be read how far it is behind")]
        return [Loss(me, max(read), "lag of the SnapMirror relationship that is furthest behind")]

    def instantiate(self, view: OntapView, run: RunContext) -> list[Step]:
        """Make volumes and relationships that are missing; in a drill, clone."""
        if stop := _stop(view, run):
            return stop
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        made = [step for each in view.pairs for step in steps.make(each, view, run)]
        return made or skip("the target side takes writes already")

    def activate(self, view: OntapView, run: RunContext) -> list[Step]:
        """Break the relationships and mount; in a planned run behind the fence, with all that was written."""
        if run.mode is Mode.DRILL:
            return skip("a drill breaks nothing; its clones are writable from birth")
        if stop := _stop(view, run):
            return stop
        if not view.pairs:
            why = f"no volume of {view.member.target.id} follows {view.member.source.id}"
            return [failed("break", why, "set up the relationships, then: dr plan")]
        forced = run.mode is Mode.EMERGENCY or not view.source_read
        both = [
            each for each in view.pairs if each.source and each.target and each.source.open and each.target.writable
        ]
        if both and not forced:
            return [_both_open(view, both[0].source_path)]
        forgotten = fencing.forget("forget-fence", view.pairs, Side.TARGET)
        broken = [step for each in view.pairs for step in steps.let_go(each, view, forced=forced)]
        opened = [*broken, *steps.mount_all(view, run), *forgotten]
        if forced:
            return opened
        carried = [
            step for p in view.pairs for step in (steps.last_transfer(p, view, run), fencing.note_carried(p, run))
        ]
        return [*fencing.fence(view, run), fencing.silence(view, run), *carried, *opened]

    def cleanup(self, view: OntapView, run: RunContext) -> list[Step]:
        """Shut clients out of the source; in a drill, delete the clones."""
        if stop := _stop(view, run):
            return stop
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        closed = [each.target_path for each in view.pairs if each.target is None or not each.target.writable]
        if closed:
            why = f"{', '.join(closed)} on the target side takes no writes: the source stays open"
            return [blocked("fence", why, "run ACTIVATE first.")]
        return fencing.fence(view, run) or skip("no volume moves")

    def replicate(self, view: OntapView, run: RunContext) -> list[Step]:
        """Let the source's volumes follow the target's."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves the relationships as they are")
        return _stop(view, run) or back.follow_back(view, run)

    def decommission(self, view: OntapView, run: RunContext) -> list[Step]:
        """Delete nothing, and say why: what is left of the source is the standby, of which FSx takes no final backup."""
        following = [p.source_path for p in view.pairs if p.back is not None]
        told = f"{', '.join(following) or 'every volume'} of {view.member.source.id} is the new standby"
        return skip(
            f"{told} and of type DP, of which FSx takes no final backup: nothing of it may be deleted. To give the standby up: "
            f"back {view.member.target.id} up first, then snapmirror delete, and delete the volumes in FSx by hand"
        )

    def rollback(self, phase: Phase, view: OntapView, run: RunContext) -> list[Step]:
        """Let the target follow again and open the source, while no volume of the target was mounted."""
        if stop := _stop(view, run):
            return stop
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        return back.give_back(view, run)

    def health(self, view: OntapView, run: RunContext) -> list[Check]:
        """Check that the target's volumes take writes, and after REPLICATE that the source's follow; in a drill, clones."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        target = view.target.file_system if view.target else None
        closed = [p.target_path for p in view.pairs if not _serves(p)] if view.pairs else ["any: no volume follows"]
        alone = [
            p.source_path for p in view.pairs if not (p.back and p.back.state == "snapmirrored" and p.back.healthy)
        ]
        return checks(view.member, target, run, closed=closed, serving=len(view.pairs), alone=alone)

    def endpoints(self, view: OntapView, run: RunContext) -> list[Endpoint]:
        """Return where clients mount its volumes."""
        me = view.member.resource_id
        ends = [each.Endpoints for each in (view.target.machines if view.target else ())]
        by_nfs = [Endpoint(me, each.Nfs.DNSName, NFS) for each in ends if each.Nfs and each.Nfs.DNSName]
        by_smb = [Endpoint(me, each.Smb.DNSName, SMB) for each in ends if each.Smb and each.Smb.DNSName]
        return [*by_nfs, *by_smb]

    def after(self, phase: Phase, view: OntapView, run: RunContext) -> OntapView:
        """Foresee broken, fenced and turned relationships, and the clones of a drill."""
        if run.mode is Mode.DRILL:
            return replace(view, clones=() if phase is Phase.CLEANUP else drill.foreseen(view, run))
        return foreseen(phase, view, run)


def _serves(pair: OntapPair) -> bool:
    """A volume that was never mounted serves nobody on either side."""
    return pair.target is not None and pair.target.open if pair.junction else pair.moved


def _both_open(view: OntapView, path: str) -> Step:
    why = f"{path} takes writes on both sides: only a person can tell which one is current"
    remedy = (
        "if the target side is: dr start with Phases CLEANUP,REPLICATE. If the source side is: snapmirror resync on "
        f"{view.member.target.id} (what was written there is discarded), then start again."
    )
    return blocked("break", why, remedy)


def _stop(view: OntapView, run: RunContext) -> list[Step]:
    """Return why nothing can be done at all; empty when it can."""
    sides = [(view.target, view.member.target), *([(view.source, view.member.source)] if view.source_read else [])]
    for side, place in sides:
        if side is None:
            why = f"there is no file system {place.id} in {place.region}"
            return [failed("standing", why, "create it with its virtual machines, then: dr plan")]
        if side.ontap is None:
            why = f"ONTAP of {place.id} in {place.region} cannot be asked"
            return [blocked("ontap", why, command(side, place))]
    if view.target is not None and view.target.file_system.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        return [state_of("standing", view.target.file_system, Effect.NONE)]
    return []
