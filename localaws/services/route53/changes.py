"""Changes on their way to the name servers: PENDING until every server has them, then INSYNC.

The API shows a change at once; the data plane serves the records from before until the change is INSYNC.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.route53.models import RecordSet

from localaws.service import AwsError
from localaws.services.route53.records import Key, Records, by_key

if TYPE_CHECKING:
    from localaws.world import World

PREPARING_SECONDS = 2.0
IN_SYNC_SECONDS = 40.0


@dataclass
class Change:
    """One accepted change. `before` holds what the name servers still serve (None: nothing) for what it touched."""

    id: str
    zone_id: str | None
    submitted_at: datetime
    comment: str | None
    status: str = "PENDING"
    before: dict[Key, RecordSet | None] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        """Return the ChangeInfo shape."""
        shown = {"Id": f"/change/{self.id}", "Status": self.status, "SubmittedAt": self.submitted_at}
        return {**shown, "Comment": self.comment} if self.comment else shown


class Changes:
    """All changes of all accounts, by (account, id); change ids are not visible to other accounts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._changes: dict[tuple[str, str], Change] = {}

    def clear(self) -> None:
        """Forget all changes."""
        self._changes.clear()

    def get(self, account: str, change_id: str) -> Change:
        """Return a change; raise NoSuchChange."""
        plain = change_id.rsplit("/", 1)[-1]
        if (account, plain) not in self._changes:
            raise AwsError("NoSuchChange", f"Could not find resource with ID: {plain}", 404)
        return self._changes[account, plain]

    def refuse_while_preparing(self, zone: Any) -> None:
        """Raise PriorRequestNotComplete for 2 s of AWS time after a change of the same zone."""
        now = self.world.clock.now()
        window = timedelta(seconds=self.world.clock.clock_seconds(PREPARING_SECONDS))
        for change in self._changes.values():
            if change.zone_id == zone.resource_id and now - change.submitted_at < window:
                raise AwsError(
                    "PriorRequestNotComplete",
                    "The request was rejected because Route 53 was still processing a prior request.",
                )

    def submit(
        self, account: str, zone: Any | None, comment: str | None, before: Records, touched: Iterable[Key]
    ) -> Change:
        """Accept a change; it is INSYNC after 40 s unless a fault of the scenario keeps it pending."""
        alphabet = string.ascii_uppercase + string.digits
        change = Change(
            "C" + "".join(secrets.choice(alphabet) for _ in range(20)),
            zone.resource_id if zone is not None else None,
            self.world.clock.now(),
            comment,
            before={key: before.get(key) for key in touched},
        )
        self._changes[account, change.id] = change
        resource = f"arn:aws:route53:::hostedzone/{change.zone_id}" if change.zone_id else f"/change/{change.id}"
        self.world.transition(
            "route53.change-resource-record-sets", resource, IN_SYNC_SECONDS, lambda: self._in_sync(change)
        )
        return change

    def served(self, zone: Any) -> Records:
        """Return the records that the name servers of a zone answer with now."""
        records = by_key(zone.rrsets)
        for change in reversed(self._pending(zone.resource_id)):
            for key, record in change.before.items():
                if record is None:
                    records.pop(key, None)
                else:
                    records[key] = record
        return records

    def _in_sync(self, change: Change) -> None:
        change.status = "INSYNC"
        pending = self._pending(change.zone_id)
        for older in pending:
            if older.submitted_at <= change.submitted_at:
                for key in change.before:
                    older.before.pop(key, None)

    def _pending(self, zone_id: str | None) -> list[Change]:
        return [each for each in self._changes.values() if each.zone_id == zone_id and each.status == "PENDING"]
