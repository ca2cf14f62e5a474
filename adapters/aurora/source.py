"""The steps on the source side of an Aurora cluster: fence the old primary, open it again, retire it, follow the new one.

Fence, drain and retirement are those of `adapters.fence_steps`; the old CLUSTER alone is fenced, and its writer rebooted.
"""

from __future__ import annotations

from adapters import fence_steps
from adapters.aurora.view_replica import ReplicaView
from adapters.aurora.view_sides import TwoSides
from adapters.databases.shared import INSTANCE, Database, base_name, retired_name
from orchestrator.contract import RunContext, Step, done, failed
from orchestrator.words import Effect


def fence(view: TwoSides, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the old primary."""
    return fence_steps.fence(view.old_database, base_name(view.member.source.id), view.fence, run)


def cut(view: TwoSides, run: RunContext) -> Step:
    """Return the step that ends the writer's connections."""
    old = view.old
    if old is None or view.promoted:
        why = f"{view.member.target.id} stands alone, nothing replicates from it any more"
        return done("cut-connections", why, effect=Effect.REVERSIBLE)
    found = next((each for each in view.source_instances if each.DBInstanceIdentifier == old.writer), None)
    if found is None:
        why = f"{old.DBClusterIdentifier} has no writer"
        return failed("cut-connections", why, "look at its instances in the console.")
    writer = Database(INSTANCE, found.DBInstanceIdentifier, "", found.DBInstanceStatus, found.vpc_id, (), True, {})
    return fence_steps.cut(writer, view.restarted_at, run)


def drained(view: ReplicaView, run: RunContext) -> Step:
    """Return the wait for lag zero."""
    if view.promoted:
        return done("drain", f"{view.member.target.id} replicates from nobody")
    compare = f"compare both sides by SQL (SHOW REPLICA STATUS); or {fence_steps.REOPEN}."
    return fence_steps.drained(view.lag_behind_the_fence, view.restarted_at, run, compare)


def reopen(view: TwoSides) -> list[Step]:
    """Return the steps that give the old primary its own security groups back."""
    return fence_steps.reopen(view.old_database, base_name(view.member.source.id))


def rename(name: str, view: TwoSides, new_id: str) -> Step:
    """Return the step that gives the old primary another name; its instances keep theirs."""
    return fence_steps.rename(name, view.old_database, new_id)


def release(view: TwoSides, run: RunContext) -> Step:
    """Return the step that takes the retired cluster out of the scope."""
    arn = view.member.source.arn.rpartition(":")[0] + f":{retired_name(view.member, run)}"
    return fence_steps.release(view.retired.database("") if view.retired else None, arn, "cluster")
