"""`rate(...)`, `cron(...)` and `at(...)` of EventBridge, to the minute."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}


def is_due(expression: str, now: datetime, since: datetime) -> bool:
    """Say whether a schedule created at `since` fires in the minute of `now`. Raises `ValueError`."""
    kind, inner = _split(expression)
    if kind == "rate":
        elapsed = int((now - since).total_seconds() // 60)
        return elapsed > 0 and elapsed % _rate_minutes(inner) == 0
    if kind == "at":
        at = datetime.fromisoformat(inner).replace(tzinfo=UTC)
        return at <= now < at + timedelta(minutes=1)
    return _cron_due(inner.split(), now)


def _split(expression: str) -> tuple[str, str]:
    found = re.fullmatch(r"(rate|cron|at)\((.+)\)", expression.strip())
    if found is None:
        raise ValueError(f"schedule expression {expression!r}: expected rate(...), cron(...) or at(...)")
    return found[1], found[2].strip()


def _rate_minutes(text: str) -> int:
    amount, unit = text.split()
    return int(amount) * _MINUTES[unit.rstrip("s")]


def _cron_due(fields: list[str], now: datetime) -> bool:
    if len(fields) != 6:
        raise ValueError(f"cron {' '.join(fields)!r}: expected six fields")
    minute, hour, day, month, weekday, year = fields
    return (
        _in(minute, now.minute, 0, 59, {})
        and _in(hour, now.hour, 0, 23, {})
        and _in(month, now.month, 1, 12, _MONTHS)
        and _in(year, now.year, 1970, 2199, {})
        and _day_due(day, now)
        and _weekday_due(weekday, now)
    )


def _day_due(field: str, now: datetime) -> bool:
    last = calendar.monthrange(now.year, now.month)[1]
    if field == "L":
        return now.day == last
    if field.endswith("W"):
        return now.day == _nearest_weekday(now, int(field[:-1]))
    return _in(field, now.day, 1, last, {})


def _weekday_due(field: str, now: datetime) -> bool:
    number = now.isoweekday() % 7 + 1
    if "#" in field:
        day, _, nth = field.partition("#")
        return number == _number(day, _DAYS) and (now.day - 1) // 7 + 1 == int(nth)
    if field.endswith("L") and field != "L":
        last = calendar.monthrange(now.year, now.month)[1]
        return number == _number(field[:-1], _DAYS) and now.day + 7 > last
    return _in("7" if field == "L" else field, number, 1, 7, _DAYS)


def _nearest_weekday(now: datetime, day: int) -> int:
    wanted = now.replace(day=day)
    if wanted.isoweekday() == 6:
        return day - 1 if day > 1 else day + 2
    if wanted.isoweekday() == 7:
        last = calendar.monthrange(now.year, now.month)[1]
        return day + 1 if day < last else day - 2
    return day


def _in(field: str, value: int, low: int, high: int, names: dict[str, int]) -> bool:
    return any(_in_part(part, value, low, high, names) for part in field.split(","))


def _in_part(part: str, value: int, low: int, high: int, names: dict[str, int]) -> bool:
    span, _, step = part.partition("/")
    if span in {"*", "?"}:
        first, last = low, high
    elif "-" in span:
        first, last = (_number(end, names) for end in span.split("-"))
    else:
        first = _number(span, names)
        last = high if step else first
    return first <= value <= last and (value - first) % int(step or 1) == 0


def _number(text: str, names: dict[str, int]) -> int:
    return names[text.upper()] if text.upper() in names else int(text)
