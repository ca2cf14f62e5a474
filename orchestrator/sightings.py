"""What several sources say of one scope, put together: where to look, where nobody looked, where they disagree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.ledger.records import FindingRecord
from orchestrator.sources import Hit, Listing, Spot
from orchestrator.words import Severity

UNSEEN_BY_TAGGING = frozenset({"autoscaling:autoScalingGroup"})
"""What GetResources returns nothing of (Tagging API reference, supported services)."""
FINDINGS_KEPT = 200


@dataclass(frozen=True)
class Sightings:
    """All tagged objects that a source knows."""

    hits: tuple[Hit, ...]
    missing: Mapping[str, str]
    """Account and Region -> why nobody could say what is there."""
    findings: tuple[FindingRecord, ...]
    explored: frozenset[Spot]
    """Where Resource Explorer looks."""
    confirmed: frozenset[str]
    """ARNs that the Tagging API vouches for: their tags are live."""


def put_together(
    explorer: Listing, tagging: Listing, accounts: Sequence[str], regions: Sequence[str], kinds: frozenset[str]
) -> Sightings:
    """Return what either source found, and what must be known of how they looked at the `kinds` that matter.

    A place is missing when neither source looked there. When Resource Explorer could not be asked, the accounts that nobody
    named beforehand are unknown: with none named, that is a gap; with some, a finding.
    """
    by_arn = {each.arn: each for each in (*tagging.hits, *explorer.hits)}
    spots = {(account, region) for account in accounts for region in regions}
    missing = {
        f"{account}/{region}": str(tagging.failed[account, region])
        for account, region in sorted(spots & tagging.failed.keys())
        if (account, region) not in explorer.seen
    }
    findings: list[FindingRecord] = []
    if explorer.error is not None:
        findings.append(_warning("Resource Explorer", "source-failed", explorer.error.message, explorer.error.remedy))
        if not accounts:
            missing["Resource Explorer"] = str(explorer.error)
    else:
        findings += _without_index(explorer, tagging, spots)
        findings += _disagreements(explorer, tagging, kinds)
    findings += [
        _warning(
            f"{account}/{region}",
            "tagging-failed",
            f"only Resource Explorer, some minutes late, says what is there: {tagging.failed[account, region].message}",
            tagging.failed[account, region].remedy,
        )
        for account, region in sorted(spots & tagging.failed.keys() & explorer.seen)
    ]
    return Sightings(
        hits=tuple(by_arn[arn] for arn in sorted(by_arn)),
        missing=missing,
        findings=tuple(findings[:FINDINGS_KEPT]),
        explored=explorer.seen,
        confirmed=frozenset(each.arn for each in tagging.hits),
    )


def with_ghosts(sightings: Sightings, described: Iterable[str], asked: Iterable[str]) -> list[FindingRecord]:
    """Return the findings, with one for every object that a source lists and its own service does not know any more.

    What the Tagging API vouches for is no ghost: an adapter had its reasons to leave it out.
    """
    gone = set(asked) - set(described) - sightings.confirmed
    found = [
        _warning(
            arn,
            "ghost",
            "Resource Explorer lists it, the service itself does not know it: it was dropped.",
            "nothing, if it was deleted (it is listed for up to 7 days); else look for it in the service.",
        )
        for arn in sorted(gone)
    ]
    return [*found, *(each for each in sightings.findings if each.resource_id not in gone)][:FINDINGS_KEPT]


def _without_index(explorer: Listing, tagging: Listing, spots: set[Spot]) -> list[FindingRecord]:
    bare = sorted(spots - explorer.seen)
    unknown = [spot for spot in bare if spot in explorer.failed and spot not in tagging.seen]
    if unknown:
        why = explorer.failed[unknown[0]].message
        return [
            _warning(
                "Resource Explorer",
                "coverage-unknown",
                f"nobody can say whether it has an index in {_few(unknown)}: {why}",
                "let the hub's account administer Resource Explorer for the organization.",
            )
        ]
    return [
        _warning(
            f"{account}/{region}",
            "no-index",
            "Resource Explorer has no index there; the Tagging API and the services' own listings were asked instead.",
            f"aws resource-explorer-2 create-index --region {region}, in account {account}.",
        )
        for account, region in bare
        if (account, region) not in explorer.failed
    ]


def _disagreements(explorer: Listing, tagging: Listing, kinds: frozenset[str]) -> list[FindingRecord]:
    """Return where two sources that both looked do not say the same."""
    explored = {each.arn: each for each in explorer.hits if each.resource_type in kinds}
    tagged = {each.arn: each for each in tagging.hits if each.resource_type in kinds}
    late = [each for arn, each in tagged.items() if arn not in explored and _looked(explorer, each)]
    odd = [
        each
        for arn, each in explored.items()
        if arn not in tagged and each.resource_type not in UNSEEN_BY_TAGGING and _looked(tagging, each)
    ]
    return [
        *(
            _warning(
                each.arn,
                "not-explored",
                "the Tagging API lists it, Resource Explorer does not (yet): it is taken.",
                "nothing, if it is new; else see that the view filters nothing out.",
            )
            for each in sorted(late, key=lambda each: each.arn)
        ),
        *(
            _warning(
                each.arn,
                "not-tagged",
                "Resource Explorer lists it, the Tagging API does not: its tags have changed, or it is gone.",
                "nothing, if that was meant; it is described again before it is taken.",
            )
            for each in sorted(odd, key=lambda each: each.arn)
        ),
    ]


def _looked(listing: Listing, hit: Hit) -> bool:
    """Say whether a source looked where an object lies; what lies in no Region is seen from wherever it looks."""
    return (hit.account, hit.region) in listing.seen or (
        hit.region == "global" and any(account == hit.account for account, _ in listing.seen)
    )


def _few(spots: Sequence[Spot]) -> str:
    regions = Counter(region for _, region in spots)
    return ", ".join(f"{region} of {count} account(s)" for region, count in sorted(regions.items()))


def _warning(subject: str, code: str, text: str, remedy: str) -> FindingRecord:
    return FindingRecord(resource_id=subject, code=code, severity=Severity.WARNING, message=text, remedy=remedy)
