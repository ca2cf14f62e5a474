"""Leases of drills: how long copies may stay, what of them is left, and how that is told. Pure."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.ledger.records import Action, Lease, Run, Scope
from orchestrator.reducer import GOOD
from orchestrator.words import ActionStatus, Mode, Outcome, Phase

SHORTEST_MINUTES, LONGEST_MINUTES = 15, 7 * 24 * 60
"""From the start of a drill's run; extensions count."""
NAMED = 5
"""Resources told by name."""
GONE = GOOD - {Outcome.FAILED_IGNORED}
MAKING = frozenset({Phase.INSTANTIATE, Phase.ACTIVATE})
NAME_LIMIT = 80
"""Characters of an execution's name."""


class LeaseTerms(BaseModel):
    """What a drill gets when its request does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes: int = Field(default=240, ge=SHORTEST_MINUTES, le=LONGEST_MINUTES)
    cost_ceiling_usd: float | None = Field(default=None, gt=0)
    """What a drill's copies may cost, by estimate; None: whatever they cost."""


class Leases(LeaseTerms):
    """The terms of the deployment, and of the customers that have their own."""

    customers: Mapping[str, LeaseTerms] = Field(default_factory=dict)

    def of(self, customer: str) -> LeaseTerms:
        """Return a customer's terms."""
        return self.customers.get(customer, self)


def lease_for(terms: LeaseTerms, minutes: int | None, ceiling_usd: float | None, started_at: datetime) -> Lease:
    """Return the lease of a drill: as its request says, else by the terms of its customer."""
    granted = minutes or terms.minutes
    return Lease(
        minutes=granted,
        until=started_at + timedelta(minutes=granted),
        ceiling_usd=ceiling_usd or terms.cost_ceiling_usd,
    )


# --- what is left of a drill ------------------------------------------------------------------------------------------


def copies_left(run: Run, actions: Sequence[Action]) -> tuple[str, ...]:
    """Return the resources for which a drill made a call that no CLEANUP, rollback or later run has undone."""
    if run.mode is not Mode.DRILL or run.dry_run or run.removes_copies or run.completed_by:
        return ()
    gone = {resource for action in actions if action.phase is Phase.CLEANUP for resource in _well(action)}
    made = {resource for action in actions if action.phase in MAKING for resource in _made(action)}
    return tuple(sorted(made - gone))


def _well(action: Action) -> set[str]:
    if action.status is not ActionStatus.ENDED:
        return set()
    return {r for r in action.resource_ids if action.member_outcomes.get(r, action.outcome) in GONE}


def _made(action: Action) -> set[str]:
    if not action.called_at:  # a call that AWS declined counts as never made
        return set()
    return {r for r in action.resource_ids if action.member_outcomes.get(r) is not Outcome.ROLLED_BACK}


def goes_at_once(run: Run) -> bool:
    """Say whether the copies of an ended drill go now: it failed or somebody decided its end, and nobody gave it more time.

    An interrupted one keeps them for its lease, because a redrive goes on with them.
    """
    ended_badly = run.ended_at is not None and not run.interrupted and not run.status.well
    return ended_badly and run.lease is not None and not run.lease.extensions


def copies_given_up(run: Run) -> bool:
    """Say whether another run was started to remove what a drill has left: nothing goes on with it."""
    return run.lease is not None and bool(run.lease.removals or run.completed_by)


def is_due(run: Run, now: datetime) -> bool:
    """Say whether the copies of a drill may not stay any longer."""
    return run.lease is not None and (now >= run.lease.until or goes_at_once(run))


def removal_name(run_id: str, number: int) -> str:
    """Return the name of a run that removes a drill's copies; the same for whoever starts it."""
    suffix = f"-removal-{number}"
    if len(run_id) + len(suffix) <= NAME_LIMIT:
        return f"{run_id}{suffix}"
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{run_id[: NAME_LIMIT - len(suffix) - 9]}-{digest}{suffix}"


# --- told to people ---------------------------------------------------------------------------------------------------


def extend_command(run: Run) -> str:
    """Return the command that gives a drill another hour."""
    return f"dr extend {run.run_id} --minutes 60 --region {run.target_region}"


def new_drill_command(run: Run) -> str:
    """Return the command that starts another drill like this one."""
    return drill_command(run.scope, run.primary_region, run.dr_region)


def drill_command(scope: Scope, primary_region: str, dr_region: str) -> str:
    """Return the command that starts a drill."""
    whose = f"--customer {shlex.quote(scope.customer)} --environment {scope.environment}"
    return f"dr start {whose} --operation test --primary-region {primary_region} --dr-region {dr_region}"


def remove_command(run: Run) -> str:
    """Return the command that removes now what an ended drill has left."""
    return f"dr start --complete {run.run_id} --region {run.target_region} --approval automatic"


def find_command(run: Run) -> str:
    """Return the command that lists everything a drill has made and not removed."""
    return (
        f"aws resourcegroupstaggingapi get-resources --region {run.target_region} "
        f"--tag-filters Key=dr:drill-id,Values={run.made_by}"
    )


def at_its_end(run: Run) -> list[str]:
    """Return in words what becomes of a drill's copies when somebody ends it, and how to keep them."""
    if run.lease is None or run.dry_run or run.lease_over:
        return []
    if run.lease.extensions:
        until = f"{run.lease.until:%Y-%m-%d %H:%M} UTC"
        return [f"its copies stay until {until}, because it was given more time; then they are removed"]
    return [f"its copies are removed at once; to keep them until the lease ends, before that: {extend_command(run)}"]


def some(resources: Sequence[str]) -> str:
    """Return a few resources by name, and how many more there are."""
    more = f" and {len(resources) - NAMED} more" if len(resources) > NAMED else ""
    return f"{', '.join(resources[:NAMED])}{more}"


def lease_lines(run: Run, actions: Sequence[Action]) -> list[str]:
    """Return in words how a drill's lease stands, what is left of its copies, and what to type."""
    lease = run.lease
    if lease is None or run.dry_run:
        return []
    until = f"{lease.until:%Y-%m-%d %H:%M} UTC"
    more = sum(each.minutes for each in lease.extensions)
    told = f"{until} ({lease.minutes} min{f', extended by {more}' if more else ''})"
    if run.ended_at is None:
        if lease.over_at is not None:
            return [f"lease over since {until}: nothing more is made, the copies are being removed"]
        return [f"lease until {told}, then its copies are removed; longer: {extend_command(run)}"]
    left = copies_left(run, actions)
    if not left:
        return []
    if lease.removals or goes_at_once(run):
        name = lease.removals[-1] if lease.removals else removal_name(run.run_id, 1)
        follow = f"dr status {name} --region {run.target_region}"
        return [
            f"copies of {some(left)} are left; run {name} removes them: {follow}",
            f"if it did not: {remove_command(run)}",
        ]
    return [
        f"copies of {some(left)} are left; lease until {told}, then the watchdog removes them",
        f"remove them now: {remove_command(run)}",
    ]
