"""How far a run can be taken back, and the planned move that is the way back beyond that line. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from orchestrator.errors import RefusedError
from orchestrator.ledger.records import Action, Run
from orchestrator.words import Choice, Effect, Mode, Operation, Outcome

NAMED = 5


def crossed(run: Run, actions: Iterable[Action]) -> dict[str, str]:
    """Return action -> the irreversible step that took effect; a drill only touches its own copies."""
    if run.mode is Mode.DRILL:
        return {}
    return {
        action.action_id: step.name
        for action in actions
        for step in action.steps
        if step.effect is Effect.IRREVERSIBLE
        and (step.name in action.called_at or step.done_at is not None)
        and action.outcome is not Outcome.SKIPPED
    }


def refusal(run: Run, choice: Choice, actions: Iterable[Action]) -> RefusedError | None:
    """Return why these actions cannot be rolled back, with the command that is the way back, or None."""
    beyond = crossed(run, actions)
    if not beyond:
        return None
    shown = ", ".join(f"{action} ({step})" for action, step in list(beyond.items())[:NAMED])
    more = f" and {len(beyond) - NAMED} more" if len(beyond) > NAMED else ""
    return RefusedError(
        f"{choice} is not possible any more: {shown}{more} cannot be taken back; it would leave {run.scope} served from "
        f"nowhere. The way back is a planned {back(run)}, once this run has ended.",
        command(run),
        code="PastTheLine",
    )


def back(run: Run) -> Operation:
    """Return the operation that moves the scope back."""
    return Operation.FAILOVER if run.operation is Operation.FAILBACK else Operation.FAILBACK


def command(run: Run) -> str:
    """Return the command that starts the planned move back."""
    return (
        f"dr start --customer {shlex.quote(run.scope.customer)} --environment {run.scope.environment} --operation {back(run)} "
        f"--primary-region {run.primary_region} --dr-region {run.dr_region} --reason {shlex.quote(f'way back from {run.run_id}')}"
    )
