"""The tag rules: what a resource's `dr:*` tags mean, and every way they can be wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.request import Environment, closest
from orchestrator.words import Priority

ENABLED = "dr:enabled"
WAVE = "dr:wave"
CUSTOMER = "Customer"
ENVIRONMENT = "Environment"
PRIORITY = "dr:priority"
STRATEGY = "dr:recovery-strategy"
RTO = "dr:rto-target"
RPO = "dr:rpo-target"
HEALTH_URL = "dr:health-check-url"
DEPENDENCIES = "dr:dependencies"
OPTIONAL = "dr:optional"

KNOWN = (ENABLED, WAVE, CUSTOMER, ENVIRONMENT, PRIORITY, STRATEGY, RTO, RPO, HEALTH_URL, DEPENDENCIES, OPTIONAL)
WHOLE_NUMBER = re.compile("[0-9]{1,6}")
OWN = (
    "dr:execution-id",
    "dr:drill-id",
    "dr:fenced",
    "dr:saved-capacity",
    "dr:rule-state",
    "dr:drill-safe",
    "dr:carried",
    "dr:ontap-secret",
    "dr:deploy-region",
    "dr:deploy-security-groups",
    "dr:deploy-subnets",
    "dr:deploy-target-groups",
    "dr:restore-directory",
    "dr:restore-key",
    "dr:restore-security-groups",
    "dr:restore-subnets",
    "dr:export-bucket",
    "dr:fenced-at",
    "dr:kms-key",
    "dr:security-groups",
    "dr:standby-for",
    "dr:taken-at",
    "dr:artifact",
    "dr:record",
    "dr:record-values",
)
"""Tags the platform itself writes or that a single adapter reads."""


@dataclass(frozen=True)
class DrTags:
    """The meaning of a resource's tags."""

    enabled: bool
    wave: int
    priority: Priority = Priority.MEDIUM
    strategy: str | None = None
    rto_minutes: int | None = None
    rpo_minutes: int | None = None
    health_check_url: str | None = None
    dependencies: tuple[str, ...] = ()


def read(tags: Mapping[str, str], strategies: Sequence[str]) -> tuple[DrTags | None, list[str]]:
    """Return the meaning of the tags and every problem in them; the meaning is None when there is a problem."""
    problems = [
        f'unknown tag "{tag}"{closest(tag, KNOWN)}'
        for tag in sorted(tags)
        if tag.startswith("dr:") and tag not in KNOWN and tag not in OWN
    ]
    problems += [
        f"required tag {tag} is missing" for tag in (ENABLED, WAVE, CUSTOMER, ENVIRONMENT) if not tags.get(tag)
    ]
    problems += _one_of(tags, ENABLED, ("true", "false"))
    problems += _one_of(tags, ENVIRONMENT, [e.value for e in Environment])
    problems += _one_of(tags, PRIORITY, [p.value for p in Priority])
    problems += _one_of(tags, OPTIONAL, ("true", "false"))
    if tags.get(OPTIONAL) == "true" and tags.get(PRIORITY) == Priority.CRITICAL:
        problems.append(f"{OPTIONAL} is true and {PRIORITY} is critical; a resource is one or the other")
    problems += _one_of(tags, STRATEGY, strategies)
    problems += (
        (_whole_number(tags, WAVE) if tags.get(WAVE) else [])
        + _whole_number(tags, RTO)
        + _whole_number(tags, RPO, least=0)
    )
    url = tags.get(HEALTH_URL)
    if url is not None and not url.startswith(("https://", "http://")):
        problems.append(f'{HEALTH_URL} is "{url}", expected a URL that starts with https:// or http://')
    if problems:
        return None, problems
    return (
        DrTags(
            enabled=tags[ENABLED] == "true",
            wave=int(tags[WAVE]),
            priority=Priority(tags.get(PRIORITY) or Priority.MEDIUM),
            strategy=tags.get(STRATEGY) or None,
            rto_minutes=_number(tags, RTO),
            rpo_minutes=_number(tags, RPO),
            health_check_url=url,
            dependencies=tuple(name.strip() for name in tags.get(DEPENDENCIES, "").split(",") if name.strip()),
        ),
        [],
    )


def conflicts(sides: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return every tag that the two sides of one resource give different values; `sides` maps Region to tags."""
    problems = []
    for tag in KNOWN:
        values = {region: tags[tag] for region, tags in sorted(sides.items()) if tag in tags}
        if len(set(values.values())) > 1:
            shown = ", ".join(f'"{value}" in {region}' for region, value in values.items())
            problems.append(f"{tag} is {shown}; both sides must agree")
    return problems


def _one_of(tags: Mapping[str, str], tag: str, known: Sequence[str]) -> list[str]:
    value = tags.get(tag)
    if not value or value in known:
        return []
    return [f'{tag} is "{value}", expected one of {", ".join(known)}{closest(value, known)}']


def _whole_number(tags: Mapping[str, str], tag: str, least: int = 1) -> list[str]:
    value = tags.get(tag)
    if value is None or (WHOLE_NUMBER.fullmatch(value) and int(value) >= least):
        return []
    return [f'{tag} is "{value}", expected a whole number from {least}']


def _number(tags: Mapping[str, str], tag: str) -> int | None:
    return int(tags[tag]) if tag in tags else None
