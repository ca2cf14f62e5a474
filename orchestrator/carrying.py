"""A partial inventory keeps what was known before of the places that could not be read, and says how old that is. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.inventory import Resource, Snapshot
from orchestrator.ledger.records import FindingRecord
from orchestrator.words import Severity

REASONS_SHOWN = 10


def carried(fresh: Snapshot, before: Snapshot | None) -> Snapshot:
    """Return a partial snapshot with what the one before tells of the missing places. A complete one stays as it is."""
    if not fresh.missing_accounts or before is None:
        return fresh
    known = {each.resource_id: each for each in fresh.resources}
    for old in before.resources:
        if _touches(old, fresh.missing_accounts):
            now = known.get(old.resource_id)
            sides = {**old.sides, **now.sides} if now else old.sides
            known[old.resource_id] = (now or old).model_copy(update={"sides": sides})
    last_read = {place: before.last_read.get(place, before.taken_at) for place in fresh.missing_accounts}
    resources = tuple(known[name] for name in sorted(known))
    return fresh.model_copy(update={"resources": resources, "last_read": last_read})


def gaps(snapshot: Snapshot) -> list[FindingRecord]:
    """Return a red finding for each place of a snapshot that could not be read, with the age of what is known of it."""
    return [
        FindingRecord(
            resource_id=place,
            code="not-read",
            severity=Severity.RED,
            message=f"it could not be read when the inventory was taken; {_age(snapshot, place)}: {why}",
            remedy="look there yourself: what was made since is not part of this run.",
        )
        for place, why in sorted(snapshot.missing_accounts.items())
    ]


def named(snapshot: Snapshot) -> str:
    """Return what could not be read and why, with every account named and the first reasons in full."""
    missing = sorted(snapshot.missing_accounts.items())
    reasons = "; ".join(f"{place}: {why}" for place, why in missing[:REASONS_SHOWN])
    accounts = sorted({place.partition("/")[0] for place, _ in missing[REASONS_SHOWN:]})
    return f"{reasons}; and in {', '.join(accounts)}" if accounts else reasons


def _age(snapshot: Snapshot, place: str) -> str:
    at = snapshot.last_read.get(place)
    return f"what is known of it is of {at:%Y-%m-%d %H:%M} UTC" if at else "nothing is known of it"


def _touches(resource: Resource, places: Iterable[str]) -> bool:
    """Say whether something that tells of a resource could not be read.

    A place reads "account/Region/technology" or "account/Region", or names a source that tells of everything. The Region does
    not count: what lies in one is often told by the other.
    """
    accounts = {side.account for side in resource.sides.values()}
    for place in places:
        account, _, rest = place.partition("/")
        if not rest or (account in accounts and rest.partition("/")[2] in {"", resource.adapter}):
            return True
    return False
