"""The steps on an RDS instance's source side: fence it, open it again, retire it, put a replica in its place.

Fence, drain and retirement are those of `adapters.fence_steps`; the source INSTANCE alone is fenced, and rebooted.
"""

from __future__ import annotations

from adapters import fence_steps
from adapters.databases.shared import base_name, retired_name
from adapters.rds.models import Instance
from adapters.rds.spec import READ_REPLICA
from adapters.rds.view import RdsView
from orchestrator.contract import RunContext, Step, done
from orchestrator.words import Effect


def fence(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the old primary."""
    old = view.old.database if view.old else None
    return fence_steps.fence(old, base_name(view.member.source.id), view.fence, run)


def cut(view: RdsView, run: RunContext) -> Step:
    """Return the step that ends the established connections."""
    if view.old is None or view.promoted:
        why = "nothing replicates from it any more" if view.strategy == READ_REPLICA else "it was restored elsewhere"
        return done("cut-connections", why, effect=Effect.REVERSIBLE)
    return fence_steps.cut(view.old.database, view.restarted_at, run)


def drained(view: RdsView, run: RunContext) -> Step:
    """Return the wait for lag zero.

    A PostgreSQL replica without transactions shows a lag that climbs to five minutes and starts again (RDS user guide,
    "Monitoring read replication"), so zero may never be seen: the source's empty replication slot counts as well.
    """
    if view.promoted:
        return done("drain", f"{view.member.target.id} replicates from nobody")
    lag = view.behind_the_fence(view.lag_points)
    if not fence_steps.is_zero(lag) and view.behind_the_fence(view.slot_lag_points)[:1] == (0.0,):
        return done("drain", "the source's replication slot is empty")
    compare = (
        "compare the replayed position on both sides by SQL. Equal: start the run again with Emergency and AcceptDataLoss, "
        f"the source stays fenced. Not equal: {fence_steps.REOPEN}"
    )
    return fence_steps.drained(lag, view.restarted_at, run, compare, " or an empty replication slot")


def reopen(view: RdsView) -> list[Step]:
    """Return the steps that give the source instance its own security groups back."""
    return fence_steps.reopen(view.old.database if view.old else None, base_name(view.member.source.id))


def rename(name: str, view: RdsView, old: Instance | None, new_id: str) -> Step:
    """Return the step that gives the old primary another name; a rename reboots the instance."""
    return fence_steps.rename(name, old.database if old else None, new_id)


def release(view: RdsView, run: RunContext) -> Step:
    """Return the step that takes the retired instance out of the scope."""
    arn = view.member.source.arn.rpartition(":")[0] + f":{retired_name(view.member, run)}"
    return fence_steps.release(view.retired.database if view.retired else None, arn, "instance")
