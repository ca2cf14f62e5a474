"""How the restore of a database in the other Region is judged, of an instance and of a cluster alike. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters.databases.shared import Database, base_name, not_yet
from orchestrator.contract import Call, Loss, Member, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Effect, Mode, Phase

_LATER = "later: dr start --operation failback"


def guard(target: Database | None, member: Member, run: RunContext, *, fenced: bool) -> list[Step]:
    """Return a refusal when what stands on the target side is another's, or when two databases take writes."""
    if target is None or target.tags.get("dr:execution-id") == run.run_id:
        return []
    if any(target.tags.get(key) != member.tags.get(key) for key in (CUSTOMER, ENVIRONMENT)):
        why = f"{target.arn} holds the name and does not belong to {member.tags.get(CUSTOMER)}"
        return [blocked("restore", why, "rename one of the two, then: dr plan")]
    if run.mode is Mode.PLANNED and run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE} and not fenced:
        why = f"{target.arn} stands there, and {member.source.arn} takes writes: nobody knows which is current"
        remedy = (
            f"if {member.target.region} is: dr start with Phases CLEANUP,REPLICATE. If not: delete it, then: dr plan"
        )
        return [blocked("restore", why, remedy)]
    return []


def no_source(name: str, member: Member) -> Step:
    """Return the failure of a planned run whose source is not there."""
    why = f"there is no {base_name(member.source.id)} in {member.source.region}"
    return failed(name, why, "if the Region is lost, start again with Emergency and AcceptDataLoss")


def restored(
    target: Database | None, call: Call, what: str, at: datetime | None, member: Member, run: RunContext
) -> Step:
    """Return the restore; `what` is restored, `at` the time of the newest of it (None: there is none)."""
    name, place = "restore", member.target
    base = base_name(place.id)
    if target is None and at is None and run.mode is Mode.EMERGENCY:
        why = f"no {what} of {base_name(member.source.id)} can be restored in {place.region}"
        return blocked(name, why, "find another copy of the data and restore it by hand under this name, then retry.")
    if target is None:
        age = f"; the newest content is of {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
        return todo(name, call, Effect.IRREVERSIBLE, f"there is no {base} in {place.region}{age}")
    if target.status in target.kind.failed:
        remedy = f"{_deletion(target)} (nobody wrote to it); when it is gone, retry."
        return not_yet(name, target.name, target.status, target.kind, remedy=remedy)
    if run.mode is Mode.EMERGENCY and target.tags.get("dr:execution-id") != run.run_id:
        told = f"{target.name} was there before: it goes on with what it holds, nothing was restored"
        return done(name, f"{target.name} is there", effect=Effect.IRREVERSIBLE, warning=told)
    return done(name, f"{target.name} is restored", effect=Effect.IRREVERSIBLE)


def _deletion(target: Database) -> str:
    return f"aws rds {target.kind.delete} {target.name} --skip-final-snapshot"


def not_restored(target: Database | None, member: Member) -> list[Step]:
    """Return a refusal to retire the source while its successor does not stand."""
    if target is not None and target.status != "creating" and target.status not in target.kind.failed:
        return []
    shown = f"is {target.status}" if target else "is not there"
    why = f"{base_name(member.target.id)} {shown} on the target side: the source stays in service"
    return [blocked("fence", why, "run ACTIVATE first")]


def not_undoable(target: Database | None, run: RunContext) -> list[Step]:
    """Return why an activation cannot be undone (any more); nothing when the source may be opened again."""
    if target is not None and target.status in target.kind.failed:
        why = f"{target.name} is {target.status} and holds the name"
        remedy = f"{_deletion(target)} (nobody wrote to it); when it is gone, roll back again."
        return [blocked("unfence", why, remedy)]
    if target is not None:
        return [blocked("unfence", f"{target.name} was restored and may hold newer writes", _LATER)]
    if run.mode is Mode.EMERGENCY:
        return skip("nothing was restored and nothing was fenced")
    if "restore" in run.called_at:
        return [busy("unfence", "the restore was called and does not show yet")]
    return []


def lost(target: Database | None, what: str, at: datetime | None, member: Member, run: RunContext) -> Loss:
    """Return the age of the newest content that can be restored; `what` names it."""
    me = member.resource_id
    if target is not None:
        return Loss(me, 0.0, f"{target.name} stands on the target side already")
    if at is None:
        return Loss(me, None, f"nothing that can be restored is in {member.target.region}: everything would be lost")
    return Loss(me, max(0.0, (run.now - at).total_seconds()), f"age of {what}")
