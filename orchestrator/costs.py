"""What the copies of a drill would cost while its lease lasts: an estimate from the calls of its plan. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue

from orchestrator.rates import FREE, LARGE, LARGEST, PRICED, RATES, UNITS, Rate
from orchestrator.words import Phase

if TYPE_CHECKING:
    from orchestrator.plan import PlannedAction

WITHIN = frozenset({"opensearch-http", "ontap"})
"""Services whose calls make things inside a domain or file system that is paid for anyway: indices, clones."""
SHOWN = 10
SIZE = re.compile(r"(?:^|[.-])(\d*)(nano|micro|small|medium|large|xlarge)$")


class CopyCost(BaseModel):
    """What one call of the plan makes, and what that costs an hour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource_ids: tuple[str, ...]
    what: str
    usd_per_hour: float
    exact: bool
    """False when nobody knows the class or size, and a high figure is taken."""


class CostEstimate(BaseModel):
    """What all copies cost; without data transfer, requests and licences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes: int
    copies: tuple[CopyCost, ...]
    unpriced: tuple[str, ...] = ()
    """Calls that make something whose price nobody looked up."""

    @property
    def usd_per_hour(self) -> float:
        """Return what all copies cost an hour."""
        return sum(each.usd_per_hour for each in self.copies)

    def usd(self, minutes: float | None = None) -> float:
        """Return what all copies cost in these minutes, by default those of the lease."""
        return self.usd_per_hour * (self.minutes if minutes is None else minutes) / 60


def estimate(actions: Iterable[PlannedAction], minutes: int) -> CostEstimate:
    """Return what the copies that a drill's plan makes cost in so many minutes."""
    copies: list[CopyCost] = []
    unpriced: list[str] = []
    for action in actions:
        if action.phase is Phase.CLEANUP:
            continue
        for step in action.steps:
            if step.call is None or step.call.service in WITHIN:
                continue
            name = f"{step.call.service}.{step.call.operation}"
            if name in RATES:
                copies.append(_priced(RATES[name], step.call.params, action.resource_ids))
            elif name not in FREE:
                unpriced.append(name)
    return CostEstimate(minutes=minutes, copies=tuple(copies), unpriced=tuple(sorted(set(unpriced))))


def _priced(rate: Rate, params: Mapping[str, JsonValue], resource_ids: tuple[str, ...]) -> CopyCost:
    pieces = 1
    for name, more in rate.times:
        said = params.get(name)
        pieces *= (said if isinstance(said, int) else 1) + more
    listed = params.get(rate.each_of)
    if isinstance(listed, list):
        pieces *= max(1, len(listed))
    usd, what, exact = rate.usd, rate.what, False
    if rate.size:
        size = params.get(rate.size)
        units = units_of(size if isinstance(size, str) else "")
        exact = units is not None
        usd *= (units or LARGEST) / LARGE
        what = f"{what}, {size}" if units else f"{what}, class {size or 'unknown'}, taken for 24xlarge"
    return CopyCost(
        resource_ids=resource_ids,
        what=f"{pieces} x {what}" if pieces > 1 else what,
        usd_per_hour=round(usd * pieces, 4),
        exact=exact,
    )


def units_of(instance_class: str) -> float | None:
    """Return the normalized units of a class such as db.r6g.2xlarge; None when it does not tell its size."""
    found = SIZE.search(instance_class)
    if found is None:
        return None
    return UNITS[found[2]] * (int(found[1]) if found[1] else 1)


# --- told to people ---------------------------------------------------------------------------------------------------


def cost_lines(costs: CostEstimate) -> list[str]:
    """Return an estimate in words: the sum, the dearest copies, and what nobody knows."""
    total = (
        f"the copies cost an estimated {costs.usd():.2f} USD if they stay for the whole lease of {costs.minutes} min "
        f"({costs.usd_per_hour:.2f} USD an hour; {PRICED}, without traffic, requests and licences)"
    )
    dearest = sorted(costs.copies, key=lambda each: -each.usd_per_hour)[:SHOWN]
    lines = [f"{', '.join(c.resource_ids[:3])}: {c.what}: {c.usd_per_hour:.2f} USD an hour" for c in dearest]
    more = len(costs.copies) - len(dearest)
    lines += [f"and {more} more"] if more > 0 else []
    lines += [f"not priced: {', '.join(costs.unpriced)}"] if costs.unpriced else []
    return [total, *(f"  {line}" for line in lines)]
