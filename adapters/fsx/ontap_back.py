"""The steps that let the left side of an ONTAP file system follow the other one, and those that give it back. Pure."""

from __future__ import annotations

from adapters.fsx.copies import TOKEN, standing_tags
from adapters.fsx.ontap_fence import forget
from adapters.fsx.ontap_steps import ask, at, known, mount
from adapters.fsx.spec import BUSY_BACKUP, FAILED_BACKUP, FAILED_TRANSFER
from adapters.fsx.view_ontap import OntapPair, OntapView
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Mode, Side


def follow_back(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps after which the source's volumes follow the target's."""
    closed = [each.target_path for each in view.pairs if not each.moved]
    if closed:
        why = f"{', '.join(closed)}: the target side must take writes and the source side must not"
        return [blocked("resync", why, "run ACTIVATE and CLEANUP first.")]
    kept = [_keep(each, view, run) for each in view.pairs if _parted(each)]
    turned = [step for each in view.pairs for step in _turn(each, view, run)]
    return [*kept, *turned] or skip("no volume moves")


def _parted(pair: OntapPair) -> bool:
    """Say whether the source may hold writes that never reached the target."""
    return pair.source is not None and pair.source.writable and not pair.carried


def _keep(pair: OntapPair, view: OntapView, run: RunContext) -> Step:
    name, shown = f"keep-parted-{at(pair)}", pair.source_shown
    if shown is None:
        why = f"FSx does not show the volume {pair.source_path} yet: it cannot be backed up"
        return failed(name, why, "volumes made in ONTAP appear in FSx after some minutes: retry then.")
    tags = standing_tags(view.member, run, {}, view.strategy)
    call = Call("fsx", "CreateBackup", {"VolumeId": shown.VolumeId, "Tags": tags}, Side.SOURCE, token=TOKEN)
    mine = [each for each in view.kept if each.Volume is not None and each.Volume.VolumeId == shown.VolumeId]
    there = next((b for b in mine if b.Lifecycle not in FAILED_BACKUP or b.CreationTime >= run.began), None)
    if there is None:
        why = f"what was written to {pair.source_path} since the two sides parted is about to be overwritten"
        return todo(name, call, Effect.REVERSIBLE, why)
    told = f"{there.BackupId} is {there.Lifecycle}{there.trouble}"
    if there.Lifecycle == "AVAILABLE":
        return done(name, told, effect=Effect.REVERSIBLE)
    if there.Lifecycle in FAILED_BACKUP:
        return failed(name, f"{told}, expected AVAILABLE", "look at it in the console, then retry: a new one is made.")
    if there.Lifecycle not in BUSY_BACKUP:
        raise UpstreamError(f"{told}: this state is not known.", "report this to the platform's maintainers.")
    return busy(name, told, effect=Effect.REVERSIBLE, call=call)


def _turn(pair: OntapPair, view: OntapView, run: RunContext) -> list[Step]:
    name, back = f"make-mirror-{at(pair)}", pair.back
    params: dict[str, Param] = {"Source": pair.target_path, "Destination": pair.source_path}
    if pair.mirror is not None and pair.mirror.policy.name:
        params["Policy"] = pair.mirror.policy.name
    if pair.mirror is not None and pair.mirror.transfer_schedule.name:
        params["Schedule"] = pair.mirror.transfer_schedule.name
    call = ask("CreateMirror", view.source, Side.SOURCE, **params)
    made = (
        todo(name, call, Effect.REVERSIBLE, f"nothing of {pair.source_path} follows {pair.target_path}")
        if back is None
        else done(name, f"relationship {back.uuid}", effect=Effect.REVERSIBLE)
    )
    return [made, _resync(pair, view, run)]


def _resync(pair: OntapPair, view: OntapView, run: RunContext) -> Step:
    name, back = f"resync-{at(pair)}", pair.back
    effect = Effect.IRREVERSIBLE if _parted(pair) else Effect.COMPENSABLE
    call = ask(
        "ResyncMirror", view.source, Side.SOURCE, Mirror=back.uuid if back else Later("uuid of the relationship")
    )
    if back is None:
        return todo(name, call, effect, f"{pair.source_path} is as the two sides parted")
    state = known(back).state
    if back.transferring:
        return busy(name, f"{pair.source_path} is {state}, {back.transfer.state}", effect=effect, call=call)
    if state == "snapmirrored" and back.healthy:
        return done(name, f"{pair.source_path} follows {pair.target_path}", effect=effect)
    told = f"{pair.source_path} is {state}{back.trouble}"
    if back.transfer.state in FAILED_TRANSFER and run.seconds_since(name) is not None:
        return failed(name, f"the resync {back.transfer.state}: {told}", "see snapmirror show -instance, then retry.")
    if state == "broken_off":
        return todo(name, call, effect, told)
    if state == "snapmirrored":
        return busy(name, f"{told}, expected healthy", effect=effect, call=call)
    remedy = "snapmirror resume" if state == "paused" else "snapmirror delete it, see why no common snapshot is left"
    return blocked(name, f"{told}, expected broken_off", f"{remedy}; then retry.")


def give_back(view: OntapView, run: RunContext) -> list[Step]:
    """Return the steps that undo ACTIVATE while no client can have written to the target."""
    opened = [each.target_path for each in view.pairs if each.target is not None and each.target.open]
    if opened:
        why = f"{', '.join(opened)} on the target side is mounted and takes writes"
        return [blocked("unfence", why, "later: dr start --operation failback")]
    apart = [each for each in view.pairs if each.mirror is not None and each.mirror.state == "broken_off"]
    if run.mode is Mode.EMERGENCY and apart:
        why = f"{apart[0].target_path} is broken off, and following again needs the source"
        return [blocked("resync", why, "go on with ACTIVATE, or resync by hand when the source is back.")]
    again = [step for each in view.pairs for step in _again(each, view)]
    if run.mode is Mode.EMERGENCY:
        return again or skip("nothing was changed")
    highest = sorted(view.pairs, key=lambda pair: pair.junction.count("/"))
    mounted = [
        mount(f"unfence-{at(p)}", p.source, p.source_shown, p.junction, Side.SOURCE, run, Effect.REVERSIBLE)
        for p in highest
        if p.source is None or p.source.writable
    ]
    return [*again, *mounted, *forget("forget-fence", view.pairs, Side.SOURCE)]


def _again(pair: OntapPair, view: OntapView) -> list[Step]:
    mirror = pair.mirror
    if mirror is None:
        return []
    name, state = f"follow-{at(pair)}", known(mirror).state
    request = {"paused": "ResumeMirror", "broken_off": "ResyncMirror"}.get(state)
    if mirror.transferring and request:
        return [busy(name, f"{pair.target_path} is {state}, a transfer is {mirror.transfer.state}")]
    if request is None:
        return [done(name, f"{pair.target_path} is {state}", effect=Effect.REVERSIBLE)]
    call = ask(request, view.target, Side.TARGET, Mirror=mirror.uuid)
    return [todo(name, call, Effect.REVERSIBLE, f"{pair.target_path} is {state}, expected snapmirrored")]
