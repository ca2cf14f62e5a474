"""Snapshots that travel with their bucket: taken on the source side, replicated by S3, restored in the target domain. Pure.

Each Region that writes has a repository of its own, `dr-<Region>`, registered in both domains: with the bucket of its own
Region, and readonly on the other side. Two domains that write to one repository destroy it (OpenSearch documentation,
"Take and restore snapshots"). S3 copies objects in no order, so a snapshot is restored when it has had time to arrive.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from adapters.opensearch import drill
from adapters.opensearch.domains import (
    block,
    fence,
    find_snapshot,
    per_index,
    request,
    scale,
    snapshot,
    standing,
    there,
    wanted_size,
)
from adapters.opensearch.models import Snapshot
from adapters.opensearch.spec import ARRIVAL_SECONDS
from adapters.opensearch.view import DomainSide, Index, OpenSearchView, repository_of
from adapters.opensearch.view_states import Taken
from orchestrator.contract import Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import Effect, Mode, Phase, Side


def snapshot_id(run: RunContext) -> str:
    """Return what this run's snapshots are called."""
    return f"dr-{run.short_id}"


def arrived(view: OpenSearchView, run: RunContext) -> Snapshot | None:
    """Return the newest complete snapshot of the source side that the target sees, one that has had time to arrive if any."""
    seen = view.target.snapshots.get(repository_of(view.member.source), ())
    good = sorted((each for each in seen if each.state is Taken.SUCCESS), key=lambda each: each.start_time)
    settled = [each for each in good if each.end_time + timedelta(seconds=ARRIVAL_SECONDS) <= run.now]
    return next(reversed(settled or good), None)


def _free(source: DomainSide | None) -> list[Index]:
    return [each for each in source.user_indices.values() if each.is_open] if source is not None else []


def switched(view: OpenSearchView) -> bool:
    """Say whether the target serves everything and nobody can write to the source side."""
    here = view.target.user_indices
    return _serves(view) and all(each.name in here and not each.writable for each in _free(view.source))


def instantiate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Bring the target to size."""
    if switched(view):
        return skip("the target side serves already")
    return [standing(view.target), scale(view, run)]


def activate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Restore the last snapshot; in a planned run one that is taken behind the fence."""
    repository = repository_of(view.member.source)
    if view.source is None:
        chosen = arrived(view, run)
        if chosen is None:
            why = f"repository {repository} of {view.target.place.id} holds no complete snapshot"
            return [blocked("restore", why, "let data flow in again from where it came from: nothing can be restored.")]
        names = [name for name in chosen.indices if not name.startswith((".", "drill-"))]
        return [there(view.target), *_restore(view, repository, chosen.snapshot, names, already=False)]
    if switched(view) and not _free(view.source):
        return [done("restore", "the target side serves, the source side is empty", effect=Effect.IRREVERSIBLE)]
    names = [each.name for each in _free(view.source)]
    if not names:
        return [blocked("snapshot", f"{view.source.place.id} holds no index to be moved", "dr plan")]
    taken = snapshot("snapshot", view.source, Side.SOURCE, repository, snapshot_id(run), names)
    begun = all(not each.writable for each in _free(view.source))
    before = [there(view.target), _known(view, repository), _room(view, names, fenced=begun), *fence(view)]
    if switched(view):
        return [
            *before,
            done("restore", "the target side serves what the source side held", effect=Effect.IRREVERSIBLE),
        ]
    arrival = _arrival(view, repository, run)
    return [*before, taken, arrival, *_restore(view, repository, snapshot_id(run), names, already=True)]


def _known(view: OpenSearchView, repository: str) -> Step:
    """Refuse to stop the writers while their data could not travel."""
    sides = [view.target] if view.source is None else [view.source, view.target]
    without = [each for each in sides if repository not in each.snapshots]
    if not without:
        return done("repository", f"both domains know {repository}")
    where = " and ".join(f"{each.place.id} in {each.place.region}" for each in without)
    endpoints = " and ".join(each.endpoint for each in without)
    remedy = (
        f"PUT /_snapshot/{repository} on {endpoints}, with the bucket of its Region and a role to pass; then retry."
    )
    return blocked("repository", f"{where} has no snapshot repository {repository}", remedy)


def _room(view: OpenSearchView, names: Iterable[str], *, fenced: bool) -> Step:
    """Refuse to take indices that were there before for restored ones."""
    name, here = "target-empty", view.target.user_indices
    foreign = [n for n in names if n in here and not (fenced and here[n].restored_from.startswith("dr-"))]
    if foreign:
        why = f"{', '.join(foreign)} is in {view.target.place.id} already, and is no copy of what the source side holds"
        return blocked(name, why, f"DELETE it on {view.target.endpoint} when it is of no use, then retry.")
    return done(name, f"nothing is in the way in {view.target.place.id}")


def _arrival(view: OpenSearchView, repository: str, run: RunContext) -> Step:
    name, wanted = "arrival", snapshot_id(run)
    found = find_snapshot(view.target, repository, wanted)
    if found is None or found.state is not Taken.SUCCESS:
        return busy(name, f"{wanted} has not arrived in {view.target.place.region} yet")
    ready_at = found.end_time + timedelta(seconds=ARRIVAL_SECONDS)
    if run.now < ready_at:
        return busy(name, f"{wanted} is listed; its files count as arrived at {ready_at:%H:%M:%S} UTC")
    return done(name, f"{wanted} has arrived in {view.target.place.region}")


def _restore(view: OpenSearchView, repository: str, wanted: str, names: list[str], *, already: bool) -> list[Step]:
    """Return the steps that restore indices, and wait; `already`: what is there has been checked to be restored."""
    side, here = view.target, view.target.user_indices
    if not already:
        foreign = [n for n in names if n in here and here[n].restored_from != wanted]
        if foreign:
            why = f"{', '.join(foreign)} is in {side.place.id} already, and was not restored from {wanted}"
            remedy = f"when it serves, nothing is left to do; else DELETE it on {side.endpoint}, then retry."
            return [blocked("restore", why, remedy)]
    missing = [n for n in sorted(names) if n not in here]
    body: dict[str, Param] = {
        "indices": ",".join(missing),
        "include_global_state": False,
        "ignore_index_settings": "index.blocks.write",
    }
    call = request("Post", side, f"/_snapshot/{repository}/{wanted}/_restore", Side.TARGET, body)
    restored = (
        todo(
            "restore",
            call,
            Effect.IRREVERSIBLE,
            f"{', '.join(missing)} is not in {side.place.region}; {wanted} holds it",
        )
        if missing
        else done("restore", f"{len(names)} indices are in {side.place.region}", effect=Effect.IRREVERSIBLE)
    )
    open_again = block("writable", side, Side.TARGET, (here[n] for n in names if n in here), wanted=False)
    return [restored, _recovered(side, names), *open_again]


def _recovered(side: DomainSide, names: Iterable[str]) -> Step:
    name, found = "recovered", [side.user_indices[n] for n in names if n in side.user_indices]
    red = [each.name for each in found if each.recovered and each.health == "red"]
    if red:
        remedy = f"files may be missing: DELETE it on {side.endpoint}, then retry to restore it again."
        return failed(name, f"{', '.join(red)} is red, expected green", remedy)
    late = [each.name for each in found if not each.recovered]
    return busy(name, f"{', '.join(late)} is being restored") if late or not found else done(name, "all are restored")


def cleanup(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Keep the old source side fenced."""
    if not _serves(view):
        return [blocked("fence", f"{view.target.place.id} does not serve every index", "run ACTIVATE first.")]
    return fence(view)


def _serves(view: OpenSearchView) -> bool:
    here = _free(view.target)
    return bool(here) and all(each.writable for each in here)


def replicate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Empty the old source side, after a snapshot of it, and let a snapshot of the target arrive there."""
    source, there_is = view.source, view.target.user_indices
    if source is None or source.domain is None:
        return [blocked("snapshot", f"there is no domain {view.member.source.id}", "create it again, then retry.")]
    if not _serves(view):
        return [blocked("fence", f"{view.target.place.id} does not serve every index", "run ACTIVATE first.")]
    stale = [name for name in source.user_indices if name in there_is]
    kept = (
        snapshot("snapshot", source, Side.SOURCE, repository_of(source.place), snapshot_id(run), stale)
        if stale
        else done("snapshot", f"there is nothing stale in {source.place.region}", effect=Effect.REVERSIBLE)
    )
    kept = _holding(kept, source, stale, run)
    names, own = per_index("delete-stale", there_is), repository_of(view.target.place)
    protecting = _protecting(view) or snapshot_id(run)
    protect = snapshot("protect", view.target, Side.TARGET, own, protecting, there_is)
    return [
        *fence(view),
        kept,
        *(_delete(names[each], source, each, each in stale) for each in there_is),
        protect,
        _protected(source, own, protecting),
    ]


def _protecting(view: OpenSearchView) -> str:
    """Return the snapshot that holds all of the target, and is newer than all that the source side took of it."""
    wanted, good = set(view.target.user_indices), view.target.snapshots
    theirs = [each for each in good.get(repository_of(view.member.source), ()) if wanted & set(each.indices)]
    last = max((each.start_time for each in theirs), default=None)
    ours = [
        each
        for each in good.get(repository_of(view.target.place), ())
        if each.state is Taken.SUCCESS and wanted <= set(each.indices) and (last is None or each.start_time > last)
    ]
    return max(ours, key=lambda each: each.start_time).snapshot if ours else ""


def _holding(step: Step, source: DomainSide, stale: list[str], run: RunContext) -> Step:
    """Refuse a snapshot of this run's name that lacks one of the indices that will be deleted."""
    found = find_snapshot(source, repository_of(source.place), snapshot_id(run))
    lacking = sorted(set(stale) - set(found.indices)) if found is not None else []
    if not lacking:
        return step
    why = f"snapshot {snapshot_id(run)} does not hold {', '.join(lacking)}"
    return blocked(step.name, why, "start a new run with Phases CLEANUP and REPLICATE: it takes a new one.")


def _delete(name: str, source: DomainSide, index: str, stale: bool) -> Step:
    if not stale:
        return done(name, f"there is no {index} in {source.place.region}", effect=Effect.COMPENSABLE)
    call = request("Delete", source, f"/{index}", Side.SOURCE)
    return todo(name, call, Effect.COMPENSABLE, f"{index} in {source.place.region} would be in the way of a restore")


def _protected(source: DomainSide, repository: str, wanted: str) -> Step:
    found = find_snapshot(source, repository, wanted)
    if found is not None and found.state is Taken.SUCCESS:
        return done("protected", f"{source.place.id} sees {found.snapshot}")
    return busy("protected", f"{wanted} has not arrived in {source.place.region} yet")


def rollback(phase: Phase, view: OpenSearchView, run: RunContext) -> list[Step]:
    """Open the source side again while nothing was restored."""
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    if view.target.user_indices:
        why = f"{view.target.place.id} serves restored indices, and clients may have written to them"
        return [blocked("unfence", why, "retry ACTIVATE; later: dr start --operation failback")]
    if view.source is None:
        return skip("nothing was restored and nothing was fenced")
    return block("unfence", view.source, Side.SOURCE, view.source.user_indices.values(), wanted=False)


def after(phase: Phase, view: OpenSearchView, run: RunContext) -> OpenSearchView:
    """Foresee size, fence, snapshots and restored indices."""
    repository = repository_of(view.member.source)
    if run.mode is Mode.DRILL:
        target = drill.foreseen(view, run, repository=repository, gone=phase is Phase.CLEANUP)
        return replace(view, target=target)
    if phase is Phase.INSTANTIATE and view.target.domain is not None and not switched(view):
        config = view.target.domain.ClusterConfig.model_copy(update=dict(wanted_size(view)))
        domain = view.target.domain.model_copy(update={"ClusterConfig": config})
        return replace(view, target=replace(view.target, domain=domain))
    if phase is not Phase.ACTIVATE or switched(view):
        return view
    chosen = arrived(view, run)
    names = [each.name for each in _free(view.source)] if view.source else list(chosen.indices if chosen else ())
    taken = Snapshot(
        snapshot=snapshot_id(run), state=Taken.SUCCESS, indices=names, start_time=run.now, end_time=run.now
    )
    target = view.target.with_indices({n: Index(n, restored_from=taken.snapshot) for n in names})
    if view.source is None:
        return replace(view, target=target)
    fenced = {n: replace(each, blocked=True) for n, each in view.source.user_indices.items()}
    source = replace(view.source.with_indices(fenced), snapshots={**view.source.snapshots, repository: (taken,)})
    target = replace(target, snapshots={**target.snapshots, repository: (taken,)})
    return replace(view, source=source, target=target)
