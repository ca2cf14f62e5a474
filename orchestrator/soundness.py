"""Is a selection of waves and phases sound? What is left out must have happened before. Pure, but for reading the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orchestrator import tags as tag_rules
from orchestrator.inventory import Snapshot
from orchestrator.leases import SHORTEST_MINUTES
from orchestrator.ledger.records import FindingRecord, Run
from orchestrator.ledger.store import Ledger
from orchestrator.linked import moved_by
from orchestrator.plan import Plan
from orchestrator.words import Mode, Phase, Severity

ACTIVATE_FIRST = "activate-first"
"""Code of the finding that something is to be done after an ACTIVATE which is not part of the run."""
AFTER_ACTIVATE = frozenset({Phase.CLEANUP, Phase.REPLICATE, Phase.DECOMMISSION})


def moved_before(ledger: Ledger, run: Run) -> frozenset[str]:
    """Return the resources whose last ACTIVATE, in any earlier run of the scope that was no drill, was into this run's target."""
    into: dict[str, str] = {}
    for earlier in ledger.runs_of(run.scope):
        if earlier.run_id == run.run_id or earlier.dry_run or earlier.mode is Mode.DRILL or earlier.plan_hash is None:
            continue
        for resource in moved_by(ledger.actions(earlier.run_id)):
            into.setdefault(resource, earlier.target_region)
    return frozenset(resource for resource, region in into.items() if region == run.target_region)


def unmoved_dependencies(plan: Plan, snapshot: Snapshot, moved: frozenset[str]) -> list[FindingRecord]:
    """Return a red finding for every dependency on a wave that is neither part of the plan nor was moved before.

    A drill copies and needs nothing moved; without ACTIVATE nothing waits for anything.
    """
    activated = {r for a in plan.actions if a.phase is Phase.ACTIVATE for r in a.resource_ids}
    if plan.mode is Mode.DRILL or not activated:
        return []
    left_out = {
        name: each
        for each in snapshot.resources
        if each.resource_id in plan.excluded and each.resource_id not in moved and _wave(each.tags)
        for name in (each.name, each.resource_id)
        if plan.excluded[each.resource_id].startswith("wave ")
    }
    tags = {member.resource_id: member.tags for target in plan.targets for member in target.members}
    return [
        FindingRecord(
            resource_id=resource,
            code="wave-left-out",
            severity=Severity.RED,
            message=f"it depends on {left_out[name].resource_id} of wave {_wave(left_out[name].tags)}, which is not part of this "
            f"run, and no earlier run activated it in {plan.target_region}.",
            remedy=f"add {_wave(left_out[name].tags)} to Waves (what is done already is only looked at), or move it first.",
        )
        for resource in sorted(activated)
        for name in _needs(tags[resource])
        if name in left_out
    ]


def without_moved(findings: list[FindingRecord], moved: frozenset[str]) -> list[FindingRecord]:
    """Return the findings less those that miss an ACTIVATE which an earlier run has made."""
    return [each for each in findings if not (each.code == ACTIVATE_FIRST and each.resource_id in moved)]


def above_ceiling(run: Run, plan: Plan) -> list[FindingRecord]:
    """Return a red finding when the copies of a drill would cost more than they may."""
    lease, costs = run.lease, plan.costs
    if lease is None or lease.ceiling_usd is None or costs is None or costs.usd() <= lease.ceiling_usd:
        return []
    fits = int(60 * lease.ceiling_usd / costs.usd_per_hour)
    shorter = f"shorten the lease to {fits} min (--lease-minutes {fits}), " if fits >= SHORTEST_MINUTES else ""
    return [
        FindingRecord(
            resource_id="the copies of this drill",
            code="cost-ceiling",
            severity=Severity.RED,
            message=f"they would cost an estimated {costs.usd():.2f} USD in {costs.minutes} min, expected at most "
            f"{lease.ceiling_usd:.2f} USD.",
            remedy=f"{shorter}drill fewer waves (--waves), or allow it: --cost-ceiling {math.ceil(costs.usd())}",
        )
    ]


def activate_first(resource_id: str, phase: Phase, why: str) -> FindingRecord:
    """Return the finding that a later phase is asked for while ACTIVATE has not happened."""
    return FindingRecord(
        resource_id=resource_id,
        code=ACTIVATE_FIRST,
        severity=Severity.RED,
        message=f"{phase} is asked for without ACTIVATE, which has not happened: {why}",
        remedy="add ACTIVATE to Phases (what is done already is only looked at), or activate it first.",
    )


def _needs(tags: Mapping[str, str]) -> list[str]:
    return sorted({name.strip() for name in tags.get(tag_rules.DEPENDENCIES, "").split(",")})


def _wave(tags: Mapping[str, str]) -> str:
    return tags.get(tag_rules.WAVE, "")
