"""Take a scope's inventory: live, or in an emergency what was remembered; then as the scope's manifest wants it moved."""

from __future__ import annotations

from orchestrator import discovery, taking_up
from orchestrator.carrying import carried, gaps, named
from orchestrator.errors import NotFoundError, RefusedError, ValidationError
from orchestrator.fencing import check_may_act
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import Run, Scope
from orchestrator.manifest import Manifest, Problem, actions_of, complaint, parse
from orchestrator.merging import joined_by, merge, of_other_scope, references_to_resolve, unresolved
from orchestrator.platform import DISCOVERY, Platform
from orchestrator.references import resolve
from orchestrator.sightings import Sightings, put_together
from orchestrator.sources import Explorer, Tagging
from orchestrator.words import Mode

REMARKS_KEPT = 200


def inventory_key(run_id: str) -> str:
    """Return where a run's inventory is kept."""
    return f"runs/{run_id}/inventory.json"


def take_inventory(platform: Platform, run_id: str) -> Snapshot:
    """Take the scope's resources, live or, in an emergency, from the newest snapshot or plan; never an empty scope."""
    run = platform.ledger.run(run_id)
    check_may_act(platform.ledger, run)
    if run.plan_hash is not None:  # what a frozen plan was built on stays
        return taking_up.frozen(platform, run, inventory_key(run_id))
    manifest = _manifest_of(platform, run)
    snapshot = _snapshot(platform, run, manifest)
    if not snapshot.resources:
        raise ValidationError(
            f"no resource carries Customer={run.scope.customer}, Environment={run.scope.environment} and dr:enabled.",
            "check the spelling of Customer and Environment (tags are case-sensitive), then: dr plan",
            code="EmptyScope",
        )
    if manifest is not None:
        snapshot = _as_written(platform, run, manifest, snapshot)
    platform.blobs.put(inventory_key(run_id), snapshot.model_dump_json().encode())
    platform.note(
        run_id, "inventory", f"{len(snapshot.resources)} resources, taken {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return snapshot


def _snapshot(platform: Platform, run: Run, manifest: Manifest | None) -> Snapshot:
    if run.escalates:
        return taking_up.frozen(platform, run, inventory_key(run.escalates))
    if run.mode is Mode.EMERGENCY:
        return _remembered(platform, run)
    if run.completes is None:
        return _live(platform, run, manifest)
    if run.removes_copies:  # the drill's own plan, so that every copy is looked for where it was made
        return taking_up.frozen(platform, run, inventory_key(run.completes))
    earlier = platform.ledger.run(run.completes)
    known = taking_up.frozen(platform, run, inventory_key(run.completes))
    live = refresh(platform, run.scope, (run.source_region, run.target_region))
    taking_up.refuse_absent(run, earlier, live)
    return taking_up.as_deferred(platform, earlier, known, _whole(live))


def manifest_key(scope: Scope) -> str:
    """Return where the manifest of a scope lies in the hub's bucket, unless a run names another key."""
    return f"manifests/{scope.customer}/{scope.environment}.json"


def refresh(platform: Platform, scope: Scope, regions: tuple[str, str], manifest: Manifest | None = None) -> Snapshot:
    """Look at everything tagged for the scope in both Regions, and at what a manifest names by ARN; keep it as the newest.

    Without a manifest the one lying at `manifest_key(scope)` tells of ARNs. Of places that could not be read, the snapshot
    that is kept has what was known before, and says so; the one returned has only what was seen now. When nothing could be
    read, the older one stays the newest.
    """
    remarks: list[str] = []
    known = manifest or _lying_there(platform, scope, remarks)
    before = platform.ledger.newest_snapshot(scope)
    sightings = _sightings(platform, scope, regions, before)
    by_arn = discovery.named(known, actions_of(platform.adapters())) if known else []
    where = discovery.places(
        sightings.hits, platform.adapters(), platform.accounts, regions, by_arn, sightings.explored
    )
    snapshot = discovery.take(
        scope,
        platform.clock.now(),
        where,
        platform.adapter,
        lambda account, region, _technology: platform.open_reader(account, region, DISCOVERY),
        joined_by(known) if known else {},
        sightings,
    ).model_copy(update={"remarks": tuple(remarks)})
    if snapshot.resources:
        platform.ledger.save_snapshot(carried(snapshot, before))
    return snapshot


def _sightings(platform: Platform, scope: Scope, regions: tuple[str, str], before: Snapshot | None) -> Sightings:
    """Return what Resource Explorer and then, in every account now known, the Tagging API list."""
    specs = [each.spec for each in platform.adapters()]
    explored = Explorer(platform.explorer(), platform.explorer_view_arn).listing(scope, regions, platform.accounts)
    remembered = {side.account for each in before.resources for side in each.sides.values()} if before else set()
    accounts = sorted({*platform.accounts, *remembered, *(hit.account for hit in explored.hits)})
    tagging = Tagging(
        lambda account, region: platform.open_reader(account, region, DISCOVERY),
        also_global=any(spec.global_service for spec in specs),
    )
    tagged = tagging.listing(scope, regions, accounts)
    kinds = frozenset(kind for spec in specs for kind in (*spec.resource_types, *spec.stand_in_types))
    return put_together(explored, tagged, accounts, regions, kinds)


def _live(platform: Platform, run: Run, manifest: Manifest | None) -> Snapshot:
    return _whole(refresh(platform, run.scope, (run.source_region, run.target_region), manifest))


def _whole(snapshot: Snapshot) -> Snapshot:
    if snapshot.missing_accounts:
        raise RefusedError(
            f"the inventory is incomplete, {len(snapshot.missing_accounts)} place(s) could not be read: {named(snapshot)}.",
            "restore access (spoke role, external ID), then start again; if the Region is lost, start with Emergency.",
            code="PartialInventory",
        )
    return snapshot


def _remembered(platform: Platform, run: Run) -> Snapshot:
    snapshot = platform.ledger.newest_snapshot(run.scope) or _last_planned(platform, run)
    if snapshot is None:
        raise RefusedError(
            f"there is no inventory of {run.scope} from before the outage in {platform.hub_region}.",
            "in normal times: aws lambda invoke --function-name dr-refresh-inventory out.json (it also runs every 30 minutes); "
            "now: use the break-glass script.",
            code="NoInventory",
        )
    age_minutes = (platform.clock.now() - snapshot.taken_at).total_seconds() / 60
    platform.note(run.run_id, "inventory", f"cached inventory is {age_minutes:.0f} minutes old")
    unread = gaps(snapshot)
    for finding in unread:
        platform.note(run.run_id, "inventory", f"{finding.resource_id}: {finding.message}")
    return snapshot.model_copy(update={"findings": (*unread, *snapshot.findings)})


def _last_planned(platform: Platform, run: Run) -> Snapshot | None:
    """Return what the last planned run of the scope was built on; better than nothing when there is no cache."""
    for earlier in platform.ledger.runs_of(run.scope):
        if earlier.plan_hash is not None and earlier.run_id != run.run_id:
            try:
                return Snapshot.model_validate_json(platform.blobs.get(inventory_key(earlier.run_id)))
            except NotFoundError:
                continue  # it ran in the other hub Region
    return None


# --- the manifest ---------------------------------------------------------------------------------------------------------


def _manifest_of(platform: Platform, run: Run) -> Manifest | None:
    """Return the manifest a run goes by, of the version it names; the version read is kept with the run."""
    if run.manifest_key is None:
        return None
    body, version = platform.blobs.get_version(run.manifest_key, run.manifest_version)
    manifest = parse(body, actions_of(platform.adapters()))
    problems = of_other_scope(manifest, run.scope)
    if problems:
        raise complaint(problems)
    chosen = run.phases or (manifest.run_phases if run.mode is Mode.PLANNED else None)
    platform.ledger.change_run(run.run_id, lambda r: r.but(manifest_version=version, phases=chosen))
    platform.note(run.run_id, "manifest", f"s3://{platform.blobs.bucket}/{run.manifest_key} version {version}")
    return manifest


def _lying_there(platform: Platform, scope: Scope, remarks: list[str]) -> Manifest | None:
    """Return the scope's manifest; one that is no good is remarked upon, and does not keep the inventory from being fresh."""
    try:
        body, _ = platform.blobs.get_version(manifest_key(scope))
        return parse(body, actions_of(platform.adapters()))
    except NotFoundError:
        return None
    except ValidationError as err:
        remarks.append(f"{manifest_key(scope)} is not used: {err.message}")
        return None


def _as_written(platform: Platform, run: Run, manifest: Manifest, snapshot: Snapshot) -> Snapshot:
    """Return the inventory as the manifest wants it moved; raise `ValidationError` with every problem."""
    actions, region = actions_of(platform.adapters()), run.target_region
    wanted = references_to_resolve(manifest, snapshot, actions, region)
    values, missing = resolve(wanted, lambda account, where: platform.open_reader(account, where, DISCOVERY))
    merged = merge(manifest, snapshot, actions, values, region)
    problems: list[Problem] = [*merged.problems, *unresolved(manifest, missing)]
    if problems:
        raise complaint(problems)
    for line in merged.differences[:REMARKS_KEPT]:
        platform.note(run.run_id, "manifest", line)
    return merged.snapshot.model_copy(update={"remarks": (*snapshot.remarks, *merged.differences[:REMARKS_KEPT])})
