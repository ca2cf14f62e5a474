"""Steps that all strategies of OpenSearch share: a domain that stands, its size, the write block that fences, snapshots. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.opensearch.models import Snapshot
from adapters.opensearch.spec import (
    FAILED_CHANGES,
    FAILED_PROCESSING,
    FAILED_SNAPSHOTS,
    HTTP,
    LAST_WORD_SECONDS,
    PATH_LIMIT,
)
from adapters.opensearch.view import DomainSide, Index, OpenSearchView
from adapters.opensearch.view_states import Taken
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

_CONSOLE = "look at the domain in the console, then retry."


def request(operation: str, side: DomainSide, path: str, where: Side, body: Mapping[str, Param] | None = None) -> Call:
    """Return a request to a domain's own endpoint."""
    params: dict[str, Param] = {"Endpoint": side.endpoint or Later("the domain's endpoint"), "Path": path}
    return Call(HTTP, operation, params if body is None else {**params, "Body": body}, where)


def slug(index: str) -> str:
    """Return an index's name in the letters of step names."""
    return re.sub(r"[^a-z0-9]+", "-", index.lower()).strip("-") or "index"


def per_index(verb: str, indices: Iterable[str]) -> dict[str, str]:
    """Return a step name for each index; names that look the same as steps are numbered."""
    names: dict[str, str] = {}
    for index in sorted(indices):
        base = f"{verb}-{slug(index)}"
        count = sum(1 for each in names.values() if each == base or each.startswith(f"{base}-again-"))
        names[index] = f"{base}-again-{count}" if count else base
    return names


def standing(side: DomainSide, name: str = "domain-stands") -> Step:
    """Return the wait until a domain is neither made nor changed."""
    if side.domain is None:
        return failed(name, f"there is no domain {side.place.id} in {side.place.region}", "create it, then: dr plan")
    observed = f"{side.place.id} is {side.domain.status}"
    if side.domain.status in FAILED_PROCESSING:
        return failed(name, f"{observed}, expected Active", FAILED_PROCESSING[side.domain.status])
    if side.domain.status != "Active" or side.domain.UpgradeProcessing:
        return busy(name, f"{observed}, expected Active")
    return done(name, observed)


def there(side: DomainSide, name: str = "domain-there") -> Step:
    """Return whether a domain serves at all; one that is being changed does."""
    step = standing(side, name)
    changing = side.domain is not None and side.domain.host is not None and step.remedy == ""
    return done(name, step.reason) if changing else step


def scale(view: OpenSearchView, run: RunContext) -> Step:
    """Return the step that brings the target's nodes to what the source side ran when the inventory was taken."""
    name, side = "scale", view.target
    wanted = wanted_size(view)
    if side.domain is None or not wanted:
        return done(name, "the target side is as large as the source side was", effect=Effect.REVERSIBLE)
    change: dict[str, Param] = {"DomainName": side.place.id, "ClusterConfig": wanted}
    keep = {"change": "DomainConfig.ChangeProgressDetails.ChangeId"}
    call = Call("opensearch", "UpdateDomainConfig", change, Side.TARGET, keep=keep)
    shown = ", ".join(f"{key} {value}" for key, value in wanted.items())
    last, mine = side.domain.ChangeProgressDetails, run.kept.get(name, {}).get("change")
    if last.ConfigChangeStatus in FAILED_CHANGES and last.ChangeId == mine and run.seconds_since(name) is not None:
        return failed(name, f"the change to {shown} is {last.ConfigChangeStatus}", f"correct the cause: {_CONSOLE}")
    if side.domain.status != "Active":
        return busy(name, f"{side.place.id} is {side.domain.status}", effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"expected {shown}")


def wanted_size(view: OpenSearchView) -> dict[str, Param]:
    """Return what of the source side's size the target lacks; empty when nothing."""
    facts, domain = view.member.source.facts, view.target.domain
    if domain is None:
        return {}
    count, kind = facts.get("instances"), facts.get("instance_type")
    wanted: dict[str, Param] = {}
    if isinstance(count, int) and domain.ClusterConfig.InstanceCount < count:
        wanted["InstanceCount"] = count
    if isinstance(kind, str) and kind and domain.ClusterConfig.InstanceType != kind:
        wanted["InstanceType"] = kind
    return wanted


def block(name: str, side: DomainSide, where: Side, indices: Iterable[Index], *, wanted: bool) -> list[Step]:
    """Return the steps that set (or lift) the write block of indices, as many at once as a request's line takes."""
    steps: list[Step] = []
    for number, chunk in enumerate(_chunks(sorted(indices, key=lambda each: each.name)), start=1):
        wrong = [each.name for each in chunk if each.blocked is not wanted]
        path = f"/{','.join(each.name for each in chunk)}/_settings"
        call = request("Put", side, path, where, {"index.blocks.write": wanted})
        label = name if number == 1 else f"{name}-{number}"
        state = "blocked" if wanted else "open"
        if wrong:
            seen = f"{len(wrong)} of {len(chunk)} indices in {side.place.region} are not {state} for writing"
            steps.append(todo(label, call, Effect.REVERSIBLE, seen))
        else:
            steps.append(done(label, f"{len(chunk)} indices are {state} for writing", effect=Effect.REVERSIBLE))
    return steps or [done(name, f"there are no indices in {side.place.region}", effect=Effect.REVERSIBLE)]


def _chunks(indices: list[Index]) -> Iterable[list[Index]]:
    chunk: list[Index] = []
    for each in indices:
        if chunk and sum(len(one.name) + 1 for one in chunk) + len(each.name) > PATH_LIMIT:
            yield chunk
            chunk = []
        chunk.append(each)
    if chunk:
        yield chunk


def fence(view: OpenSearchView) -> list[Step]:
    """Return the steps that stop writes to the old source side; indices that follow take none."""
    assert view.source is not None
    free = [each for each in view.source.user_indices.values() if each.follow is None and each.is_open]
    return block("fence", view.source, Side.SOURCE, free, wanted=True)


def held(name: str, side: DomainSide, indices: Iterable[str], since: datetime, now: datetime) -> Step:
    """Return the wait until an automated snapshot, begun after `since`, holds the given indices."""
    wanted = sorted(indices)
    if not wanted:
        return done(name, f"there is nothing to be kept in {side.place.region}")
    if side.domain is None or side.domain.automated not in side.snapshots:
        why = f"the automated snapshots of {side.place.id} cannot be read"
        return blocked(name, why, "take a snapshot of the domain by hand, delete its stale indices, then retry.")
    taken = side.snapshots[side.domain.automated]
    good = [each for each in taken if each.start_time >= since and set(wanted) <= set(each.indices)]
    if any(each.state is Taken.SUCCESS for each in good):
        newest = max((each for each in good if each.state is Taken.SUCCESS), key=lambda each: each.start_time)
        return done(name, f"{newest.snapshot} holds {', '.join(wanted)}")
    waited = (now - since).total_seconds()
    if waited > LAST_WORD_SECONDS:
        why = f"{side.place.id} took no automated snapshot of {', '.join(wanted)} for {waited / 3600:.0f} hours"
        return blocked(name, why, f"GET /_snapshot/{side.domain.automated}/_all shows the reason; then retry.")
    return busy(name, f"waits for the hourly snapshot of {side.place.id} after {since:%H:%M:%S} UTC")


def snapshot(
    name: str, side: DomainSide, where: Side, repository: str, snapshot_id: str, indices: Iterable[str]
) -> Step:
    """Return the step that takes a snapshot of indices, and waits for it."""
    chosen = ",".join(sorted(indices))
    body: dict[str, Param] = {"indices": chosen, "include_global_state": False}
    call = request("Put", side, f"/_snapshot/{repository}/{snapshot_id}", where, body)
    found = find_snapshot(side, repository, snapshot_id)
    if found is None:
        return todo(name, call, Effect.REVERSIBLE, f"{repository} in {side.place.region} has no {snapshot_id}")
    if found.state in FAILED_SNAPSHOTS:
        remedy = f"DELETE /_snapshot/{repository}/{snapshot_id} on {side.endpoint}, then retry."
        return failed(name, f"snapshot {snapshot_id} is {found.state}, expected SUCCESS", remedy)
    if found.state is Taken.IN_PROGRESS:
        return busy(name, f"snapshot {snapshot_id} is {found.state}", effect=Effect.REVERSIBLE, call=call)
    return done(name, f"snapshot {snapshot_id} is complete", effect=Effect.REVERSIBLE)


def find_snapshot(side: DomainSide, repository: str, snapshot_id: str) -> Snapshot | None:
    """Return a snapshot by name."""
    return next((each for each in side.snapshots.get(repository, ()) if each.snapshot == snapshot_id), None)
