"""A drill of OpenSearch: indices of a snapshot, restored in the target domain under names of the drill's own.

Nothing stops following. The copies take no aliases along, so no application finds them, and no setting that would make them
followers or write-protected. Indices carry no tags: the name, which holds the drill's id, tells whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from adapters.opensearch.domains import per_index, request
from adapters.opensearch.models import Snapshot
from adapters.opensearch.spec import DRILL_PREFIX
from adapters.opensearch.view import DomainSide, Index, OpenSearchView
from adapters.opensearch.view_states import Taken
from orchestrator.contract import Check, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import CheckState, Effect, Side

_NOT_RESTORED = ["index.blocks.write", "index.plugins.replication.follower.leader_index"]


def prefix(run: RunContext) -> str:
    """Return how the names of this drill's copies begin."""
    return f"{DRILL_PREFIX}{run.short_id}-"


def mine(view: OpenSearchView, run: RunContext) -> dict[str, Index]:
    """Return this drill's copies."""
    return {name: each for name, each in view.target.copies.items() if name.startswith(prefix(run))}


def newest(side: DomainSide, repository: str) -> Snapshot | None:
    """Return the newest complete snapshot of a repository that holds indices."""
    good = [each for each in side.snapshots.get(repository, ()) if each.state is Taken.SUCCESS]
    return max((each for each in good if _indices(each)), key=lambda each: each.start_time, default=None)


def _indices(snapshot: Snapshot) -> list[str]:
    return sorted(name for name in snapshot.indices if not name.startswith((".", DRILL_PREFIX)))


def make(view: OpenSearchView, run: RunContext, repository: str) -> list[Step]:
    """Return the steps that restore the newest snapshot of a repository under the drill's names."""
    name, copies, snapshot = "drill-restore", mine(view, run), newest(view.target, repository)
    if copies:
        return [_restored(name, copies.values())]
    if snapshot is None:
        why = f"repository {repository} of {view.target.place.id} holds no complete snapshot"
        return [
            blocked(
                name, why, f"GET /_snapshot/{repository}/_all on {view.target.endpoint}; then start the drill again."
            )
        ]
    body: dict[str, Param] = {
        "indices": ",".join(_indices(snapshot)),
        "rename_pattern": "(.+)",
        "rename_replacement": f"{prefix(run)}$1",
        "include_global_state": False,
        "include_aliases": False,
        "ignore_index_settings": ",".join(_NOT_RESTORED),
    }
    call = request("Post", view.target, f"/_snapshot/{repository}/{snapshot.snapshot}/_restore", Side.TARGET, body)
    return [todo(name, call, Effect.REVERSIBLE, f"not there; {snapshot.snapshot} holds {body['indices']}")]


def _restored(name: str, copies: Iterable[Index]) -> Step:
    red = [each.name for each in copies if each.health == "red" and each.recovered]
    if red:
        return failed(name, f"{', '.join(red)} is red, expected green", "GET /_cluster/allocation/explain tells why.")
    late = [each.name for each in copies if not each.recovered]
    if late:
        return busy(name, f"{', '.join(late)} is being restored", effect=Effect.REVERSIBLE)
    return done(name, "the copies are there", effect=Effect.REVERSIBLE)


def delete(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Return the steps that delete this drill's copies, and nothing else."""
    copies = mine(view, run)
    names = per_index("delete", copies)
    return [
        todo(names[each], request("Delete", view.target, f"/{each}", Side.TARGET), Effect.COMPENSABLE, "is there")
        for each in sorted(copies)
    ] or [done("delete-copies", "gone")]


def health(view: OpenSearchView, run: RunContext) -> list[Check]:
    """Check the copies."""
    copies = mine(view, run)
    well = bool(copies) and all(each.recovered and each.health in {"green", "yellow"} for each in copies.values())
    seen = ", ".join(f"{name} {each.health}" for name, each in copies.items()) or "no copy"
    return [Check(view.member.resource_id, "drill-copies", CheckState.HEALTHY if well else CheckState.SETTLING, seen)]


def foreseen(view: OpenSearchView, run: RunContext, *, repository: str = "", gone: bool) -> DomainSide:
    """Return the target side as the preview of a drill's later phases expects it."""
    automated = view.target.domain.automated if view.target.domain else ""
    snapshot = newest(view.target, repository or automated)
    names = [f"{prefix(run)}{name}" for name in _indices(snapshot)] if snapshot else []
    return replace(view.target, copies={} if gone else {name: Index(name) for name in names})
