"""Small judgements that several adapters share: a thing to be made, a thing to be deleted, a red finding."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.contract import Call, Finding, Member, Step, blocked, busy, done, failed, todo
from orchestrator.spec import Strategy
from orchestrator.tags import RTO
from orchestrator.words import Effect, Phase, Severity


def made(
    name: str,
    status: str,
    call: Call,
    failures: Collection[str],
    *,
    ready: str = "available",
    passing: Collection[str] | None = None,
) -> Step:
    """Judge a thing to be made from its status (empty: not there). Making is reversible.

    With `passing`, a status that is none of the three is a failure: nobody knows whether it ends.
    """
    if status == ready:
        return done(name, status, effect=Effect.REVERSIBLE)
    if status in failures or (status and passing is not None and status not in passing):
        return failed(name, f"is {status}, expected {ready}", "look at its events in the console, then retry.")
    if status:
        return busy(name, f"is {status}, expected {ready}", effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, "not there")


def gone(name: str, status: str, call: Call, *, leaving: Collection[str] = ("deleting",)) -> Step:
    """Judge a drill's own thing to be deleted from its status (empty: gone)."""
    if not status:
        return done(name, "gone")
    if status in leaving:
        return busy(name, f"is {status}", call=call)
    return todo(name, call, Effect.COMPENSABLE, f"is {status}")


def not_ours(name: str, what: str, run_id: str) -> list[Step]:
    """Refuse to touch something of a drill's name that this drill did not make."""
    return [blocked(name, f"{what} does not carry dr:drill-id={run_id}", "find out who made it; remove it by hand.")]


def red(resource_id: str, code: str, message: str, remedy: str = "correct this, then: dr plan") -> Finding:
    """Return a finding that stops a planned run."""
    return Finding(resource_id, code, Severity.RED, message, remedy)


def warning(resource_id: str, code: str, message: str, remedy: str = "") -> Finding:
    """Return a finding that is reported."""
    return Finding(resource_id, code, Severity.WARNING, message, remedy)


def ready(resource_id: str, message: str) -> Finding:
    """Return the finding of a resource with nothing wrong."""
    return Finding(resource_id, "ready", Severity.OK, message)


def too_slow(member: Member, strategy: Strategy) -> list[Finding]:
    """Return a warning when a strategy usually takes longer to activate than the resource's `dr:rto-target` allows."""
    asked, usual = member.tags.get(RTO, ""), strategy.typical_minutes[Phase.ACTIVATE]
    if not asked.isdigit() or usual <= int(asked):
        return []
    text = f"{strategy.name} usually takes {usual:.0f} minutes to activate, {RTO} is {asked}."
    return [warning(member.resource_id, "rto", text, "choose a faster strategy, or a target that can be kept.")]
