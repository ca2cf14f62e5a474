"""The state of a metric alarm, decided from its most recent data points as CloudWatch documents it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from enum import StrEnum

# CloudWatch looks at a few periods more than it evaluates, to make up for missing ones.
EXTRA_PERIODS = 2


class AlarmState(StrEnum):
    """StateValue of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def decide_state(
    values: Sequence[float | None],
    *,
    comparison: str,
    threshold: float,
    periods: int,
    to_alarm: int,
    treat_missing: str,
    current: AlarmState,
) -> AlarmState:
    """Return the alarm's state.

    `values`: one per period, newest first, None where data is missing; `periods` + EXTRA_PERIODS of them.
    `to_alarm` of `periods` must breach. `treat_missing`: missing, ignore, breaching or notBreaching.
    """
    compare = COMPARISONS[comparison]
    present = [compare(value, threshold) for value in values if value is not None][:periods]
    gaps = periods - len(present)
    if gaps and treat_missing == "ignore":
        return current
    if not present and treat_missing not in ("breaching", "notBreaching"):
        return AlarmState.INSUFFICIENT_DATA
    breaching = sum(present)
    if treat_missing == "breaching":
        breaching += gaps
    needed = min(to_alarm, len(present)) if treat_missing not in ("breaching", "notBreaching") else to_alarm
    return AlarmState.ALARM if breaching >= needed else AlarmState.OK
