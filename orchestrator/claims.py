"""Does everything a plan takes of a quota fit into what is left of it? Judged over all resources of the plan together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.contract import Claim
from orchestrator.ledger.records import FindingRecord
from orchestrator.words import Severity

EXCEEDED, UNSEEN = "quota", "quota-unseen"
AGAIN = "then: dr plan"


def judged(claims: Iterable[Claim]) -> list[FindingRecord]:
    """Return a red finding for each resource whose quota does not suffice for all that draw on it, a warning where nobody knows."""
    shared: dict[tuple[str, str, str], list[Claim]] = {}
    for claim in claims:
        if claim.amount > 0:
            shared.setdefault((claim.quota, claim.account, claim.region), []).append(claim)
    return [finding for together in shared.values() for finding in _of_one_quota(together)]


def _of_one_quota(claims: Sequence[Claim]) -> Iterator[FindingRecord]:
    limits = [each.limit for each in claims if each.limit is not None]
    for claim in claims:
        if claim.limit is None and claim.note:
            text = f"{_need(claim)}, and how many are left in {claim.region} is not known: {claim.note}."
            yield from _findings(claim, UNSEEN, Severity.WARNING, text, claim.remedy)
    if not limits:
        return
    # Looks are moments apart: the least favourable one counts.
    limit, used = min(limits), max((each.used for each in claims if each.used is not None), default=None)
    total = sum(each.amount for each in claims)
    if total <= limit - (used or 0):
        return
    for claim in claims:
        text = f"{_need(claim)}, the quota of {claim.region} is {limit:g}, {_usage(claim, used)}."
        if len(claims) > 1:
            text += f" {len(claims)} members of this plan need {total:g} of it together in account {claim.account}."
        remedy = claim.remedy or "ask for a higher quota"
        yield from _findings(claim, EXCEEDED, Severity.RED, text, f"{remedy}, {AGAIN}")


def _need(claim: Claim) -> str:
    return f"{claim.what} need {claim.amount:g} {claim.quota}"


def _usage(claim: Claim, used: float | None) -> str:
    told = f"{used:g} of it in use" if used is not None else "and how much of it is in use, AWS does not tell"
    return f"{told} ({claim.note})" if claim.note and claim.limit is not None else told


def _findings(claim: Claim, code: str, severity: Severity, text: str, remedy: str) -> Iterator[FindingRecord]:
    for resource in claim.resource_ids:
        yield FindingRecord(resource_id=resource, code=code, severity=severity, message=text, remedy=remedy)
