"""ACM: moto's certificates on our clock. A public one is PENDING_VALIDATION for a while (as if its DNS records were there at
once), tells no validity before it is ISSUED, and is not renewed; an imported one is as valid as it says of itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

VALIDATION_SECONDS = 60.0
VALID_DAYS = 395
_ONCE_ISSUED = ("IssuedAt", "NotAfter", "NotBefore", "Serial")


class AcmService(Service):
    """When certificates are issued, and how long they are valid."""

    name = "acm"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget when certificates were requested."""
        self._requested: dict[str, datetime] = {}

    @operation("RequestCertificate")
    def request_certificate(self, call: Call) -> Reply:
        """Note when a certificate was asked for."""
        reply = self.world.moto(call)
        self._requested.setdefault(reply["CertificateArn"], self.world.clock.now())
        return reply

    @operation("DescribeCertificate")
    def describe_certificate(self, call: Call) -> Reply:
        """Describe a certificate as it is now."""
        shown = dict(self.world.moto(call)["Certificate"])
        requested = self._requested.get(shown["CertificateArn"])
        if requested is not None:
            self._issued_since(requested, shown)
        if shown["Status"] != "PENDING_VALIDATION":
            shown["Status"] = "EXPIRED" if _moment(shown["NotAfter"]) <= self.world.clock.now() else "ISSUED"
        return {"Certificate": shown}

    def _issued_since(self, requested: datetime, shown: dict[str, Any]) -> None:
        """Set what the time tells of a certificate that AWS issues."""
        issued = requested + timedelta(seconds=self.world.clock.clock_seconds(VALIDATION_SECONDS))
        shown["CreatedAt"] = requested
        if self.world.clock.now() < issued:
            shown["Status"] = "PENDING_VALIDATION"
            for name in _ONCE_ISSUED:
                shown.pop(name, None)
            return
        shown |= {"Status": "ISSUED", "IssuedAt": issued, "NotBefore": issued}
        shown["NotAfter"] = issued + timedelta(days=VALID_DAYS)


def _moment(value: datetime | float) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
