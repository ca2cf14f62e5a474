"""Drills that are held by the calendar, as the deployment configuration names them."""

from __future__ import annotations

import re
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from orchestrator.request import parse
from orchestrator.words import Approval, Operation

CRON_FIELDS = 6
RATE = re.compile(r"rate\([1-9]\d* (minute|hour|day)s?\)")
CRON = re.compile(r"cron\(([^()]+)\)")


def _expression(text: str) -> str:
    found = CRON.fullmatch(text)
    if RATE.fullmatch(text) or (found and len(found[1].split()) == CRON_FIELDS):
        return text
    raise ValueError(
        f"{text!r} is no schedule that repeats: cron(minutes hours day-of-month month day-of-week year) or rate(7 days)"
    )


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone of the IANA database, such as Europe/Berlin")
    return name


class Drill(BaseModel):
    """One drill of a customer's environment, by EventBridge Scheduler.

    It is held in the hub of `dr_region`; while the customer runs there, the other way round in the hub of `primary_region`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")]
    environment: str
    schedule: Annotated[str, AfterValidator(_expression)]
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    primary_region: str
    dr_region: str
    approval: Approval = Approval.REQUIRED
    """required: somebody approves its gates, and the lease ends it when nobody does; automatic: nobody is asked."""
    waves: tuple[int, ...] = ()
    """Only these; none: all."""
    lease_minutes: int | None = None
    cost_ceiling_usd: float | None = None

    def request(self, customer: str) -> dict[str, Any]:
        """Return the input of the run; raise `ValidationError` when a run would refuse it."""
        said: dict[str, Any] = {
            "Customer": customer,
            "Environment": self.environment,
            "Operation": Operation.TEST.value,
            "PrimaryRegion": self.primary_region,
            "DRRegion": self.dr_region,
            "ApprovalMode": self.approval.value,
            "Waves": list(self.waves) or None,
            "LeaseMinutes": self.lease_minutes,
            "CostCeilingUSD": self.cost_ceiling_usd,
            "Requester": f"schedule {self.name}",
            "Reason": f"scheduled drill {self.name}",
        }
        given = {name: value for name, value in said.items() if value is not None}
        parse(given)
        return given
