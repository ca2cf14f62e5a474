"""The order that gives a drill more time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from orchestrator.commands import own_run
from orchestrator.errors import NotFoundError, RefusedError
from orchestrator.identity import Identity
from orchestrator.leases import LONGEST_MINUTES, copies_left, goes_at_once, new_drill_command
from orchestrator.ledger.records import Action, Extension, Lease, Run
from orchestrator.plan import load_plan
from orchestrator.platform import Platform


def extend(platform: Platform, run_id: str, who: Identity, minutes: int, reason: str) -> Run:
    """Give a drill more time; raise `RefusedError` when it is over, holds nothing, or would last too long."""
    run = own_run(platform, run_id, f"dr extend {run_id} --minutes {minutes}")
    actions = platform.ledger.actions(run_id)
    hourly = _hourly(platform, run)
    wanted = Extension(by=who.arn, minutes=minutes, reason=reason, at=platform.clock.now())

    def longer(r: Run) -> Run:
        lease = _extendable(r, actions, minutes, hourly)
        until = lease.until + timedelta(minutes=minutes)
        return r.but(lease=lease.but(until=until, extensions=(*lease.extensions, wanted)))

    run = platform.ledger.change_run(run.run_id, longer)
    assert run.lease is not None
    told = f"lease extended by {minutes} min until {run.lease.until:%Y-%m-%d %H:%M} UTC. {reason}".strip()
    platform.note(run_id, "lease", told, actor=who.arn)
    return run


def _hourly(platform: Platform, run: Run) -> float:
    """Return what a drill's copies cost an hour, by its plan's estimate; 0 before that is built."""
    try:
        costs = load_plan(platform.blobs, run.run_id).costs
    except NotFoundError:
        return 0.0
    return costs.usd_per_hour if costs else 0.0


def _extendable(run: Run, actions: Sequence[Action], minutes: int, hourly: float) -> Lease:
    status = f"dr status {run.run_id} --region {run.target_region}"
    lease = run.lease
    if lease is None or run.dry_run:
        kind = "a preview" if run.dry_run else "the removal of a drill" if run.completes else f"{run.mode}"
        raise RefusedError(f"run {run.run_id} is {kind}; only a drill has a lease.", status, code="NoLease")
    if lease.over_at is not None or lease.removals:
        over = lease.over_at is not None or not goes_at_once(run)
        since = f"the lease of run {run.run_id} ended {lease.until:%Y-%m-%d %H:%M} UTC"
        why = f"{since if over else f'run {run.run_id} is {run.status}'}, and its copies are being removed."
        raise RefusedError(why, f"start another drill: {new_drill_command(run)}", code="LeaseOver")
    if run.ended_at is not None and not copies_left(run, actions):
        why = f"run {run.run_id} has ended already ({run.status}) and holds no copies."
        raise RefusedError(why, f"dr report {run.run_id} --region {run.target_region}", code="RunEnded")
    total = (lease.until - run.created_at) / timedelta(minutes=1) + minutes
    if minutes < 1 or total > LONGEST_MINUTES:
        raise RefusedError(
            f"{minutes} min more would make {total:.0f} min since the start of run {run.run_id}, expected at least 1 more "
            f"and at most {LONGEST_MINUTES} in all.",
            f"extend it by less, or start another drill; see {status}",
            code="LeaseTooLong",
        )
    dearer = hourly * total / 60
    if lease.ceiling_usd is not None and dearer > lease.ceiling_usd:
        raise RefusedError(
            f"in {total:.0f} min the copies of run {run.run_id} would cost an estimated {dearer:.2f} USD, expected at most "
            f"{lease.ceiling_usd:.2f} USD.",
            "extend it by less, or start another drill with a higher ceiling: "
            f"{new_drill_command(run)} --cost-ceiling {math.ceil(dearer)}",
            code="AboveCeiling",
        )
    return lease
