"""The inventory of a run that takes up another one: the sides that run's frozen plan was built on."""

from __future__ import annotations

from orchestrator.errors import NotFoundError, RefusedError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.leases import find_command
from orchestrator.ledger.records import Run
from orchestrator.linked import complete_command, moved_by
from orchestrator.plan import load_plan
from orchestrator.platform import Platform
from orchestrator.tags import DEPENDENCIES


def frozen(platform: Platform, run: Run, key: str) -> Snapshot:
    """Return the inventory of an earlier run, kept at `key`; raise `RefusedError` when it is gone."""
    try:
        return Snapshot.model_validate_json(platform.blobs.get(key))
    except NotFoundError as err:
        why = f"the inventory of the run that {run.run_id} takes up is not in {platform.hub_region}: {key}."
        without = "start without it: dr start --emergency"
        by_hand = f"remove by hand what this lists: {find_command(run)}"
        raise RefusedError(why, by_hand if run.removes_copies else without, code="NoInventory") from err


def refuse_absent(run: Run, earlier: Run, live: Snapshot) -> None:
    """Raise `RefusedError` while the Region that was lost cannot be read."""
    away = {place: why for place, why in live.missing_accounts.items() if run.source_region in place}
    if away:
        place, why = next(iter(away.items()))
        raise RefusedError(
            f"{run.source_region} is not back: {len(away)} place(s) there could not be read, first {place}: {why}",
            f"when it answers again: {complete_command(earlier)}",
            code="SourceNotBack",
        )


def as_deferred(platform: Platform, earlier: Run, known: Snapshot, live: Snapshot) -> Snapshot:
    """Return what an emergency activated, on the sides of its plan, with what is read of them now.

    Tags, settings and strategies are the plan's. A side counts as the plan's when account and Region are the same.
    """
    moved = moved_by(platform.ledger.actions(earlier.run_id))
    plan = load_plan(platform.blobs, earlier.run_id)
    strategies = {member.resource_id: target.strategy for target in plan.targets for member in target.members}
    now = {resource.resource_id: resource for resource in live.resources}
    remarks: list[str] = []
    kept = []
    for resource in known.resources:
        if resource.resource_id not in strategies:
            continue
        if resource.resource_id not in moved:
            remarks.append(f"{resource.resource_id} is left out: {earlier.run_id} did not activate it")
            continue
        sides = {
            where: _now(side, where, now.get(resource.resource_id), remarks) for where, side in resource.sides.items()
        }
        kept.append(resource.model_copy(update={"sides": sides, "strategy": strategies[resource.resource_id]}))
    names = {name for each in kept for name in (each.name, each.resource_id)}
    return Snapshot(
        scope=known.scope,
        taken_at=live.taken_at,
        resources=tuple(needing_only(each, names) for each in kept),
        findings=live.findings,
        remarks=(*live.remarks, *remarks),
    )


def _now(side: SideRecord, where: str, live: Resource | None, remarks: list[str]) -> SideRecord:
    found = live.sides.get(where) if live else None
    if found is None or (found.account, found.region) != (side.account, side.region):
        remarks.append(
            f"{side.arn} was not found by name and tag now; the run goes by what the emergency's plan says of it"
        )
        return side
    if found.arn != side.arn:
        remarks.append(f"{found.arn} stands for {side.arn}, which the emergency's plan names")
    return found.model_copy(update={"tags": side.tags})


def needing_only(resource: Resource, names: set[str]) -> Resource:
    """Return a resource less its dependencies on what is left out: nothing waits for that here."""
    sides = {}
    for where, side in resource.sides.items():
        needs = [name.strip() for name in side.tags.get(DEPENDENCIES, "").split(",")]
        left = ",".join(name for name in needs if name in names)
        tags = {key: value for key, value in side.tags.items() if key != DEPENDENCIES}
        sides[where] = side.model_copy(update={"tags": {**tags, DEPENDENCIES: left} if left else tags})
    return resource.model_copy(update={"sides": sides})
