"""What the watchdog can find, and how it is told once: first to people, then to the trail, which remembers it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.ledger.records import Event
from orchestrator.notify import Message
from orchestrator.platform import Platform

KIND = "watchdog"
"""Of the lines it leaves in the audit trail."""


class Finding(StrEnum):
    """What can be wrong."""

    DEAD_RUN = "dead-run"
    KEPT_LOCK = "kept-lock"
    LOST_GATE = "lost-gate"
    OVERDUE_ACTION = "overdue-action"
    OVERDUE_STAGE = "overdue-stage"
    EXPIRED_LEASE = "expired-lease"


@dataclass(frozen=True)
class Sighting:
    """One thing found. `key` tells it from every other one, so that nobody hears of it twice."""

    finding: Finding
    key: str
    what: str
    command: str = ""


def tell(platform: Platform, run_id: str, found: Sighting, told: Message) -> Iterator[Sighting]:
    """Say what was found, unless that was said before: first to people, then to the trail, which remembers it."""
    if any(e.kind == KIND and e.data.get("key") == found.key for e in platform.ledger.events(run_id)):
        return
    body = f"{found.what}\nNext: {found.command}"
    platform.tell(Message(told.notice, told.customer, told.run_id, told.subject, body))
    platform.ledger.record(
        Event(
            run_id=run_id,
            at=platform.clock.now(),
            kind=KIND,
            message=found.what,
            actor=KIND,
            data={"key": found.key, "finding": found.finding.value, "next": found.command},
        )
    )
    yield found


def subject(found: Sighting) -> str:
    """Return what a message about a sighting is called."""
    return f"watchdog: {found.finding.replace('-', ' ')}"
