"""How much of a wave must succeed: everything, what is critical, or a share; what is optional never counts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

ALL, CRITICAL, EVERY_OTHER_WAVE = "all", "critical", "*"
_SHARE = re.compile(r"(\d{1,3})%")


def problems(rules: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the rules of a request."""
    found = [
        f'SuccessRules: "{wave}" is neither a wave nor "{EVERY_OTHER_WAVE}" for all others'
        for wave in rules
        if wave != EVERY_OTHER_WAVE and not re.fullmatch(r"[1-9]\d{0,5}", wave)
    ]
    found += [
        f'SuccessRules of wave {wave}: "{rule}" is neither {ALL}, {CRITICAL} nor a percentage such as 90%'
        for wave, rule in rules.items()
        if rule not in {ALL, CRITICAL} and not (_share(rule) and 1 <= _share(rule) <= 100)
    ]
    return found


def _share(rule: str) -> int:
    match = _SHARE.fullmatch(rule)
    return int(match[1]) if match else 0


def rule_of(rules: Mapping[str, str], wave: int) -> str:
    """Return the rule of a wave."""
    return rules.get(str(wave), rules.get(EVERY_OTHER_WAVE, ALL))


@dataclass(frozen=True)
class Members:
    """The resources of a stage."""

    everyone: Set[str]
    critical: Set[str] = frozenset()
    optional: Set[str] = frozenset()


def tolerates(rule: str, lost: Set[str], members: Members) -> bool:
    """Say whether a stage may pass although some of its resources were lost. Critical ones must never be."""
    missed = lost - members.optional
    if not missed:
        return True
    if rule == ALL or missed & members.critical:
        return False
    if rule == CRITICAL:
        return True
    counted = members.everyone - members.optional
    return (len(counted) - len(missed)) * 100 >= _share(rule) * len(counted)
