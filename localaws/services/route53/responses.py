"""Route 53: record sets, changes and test answers, on top of zones and health checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localaws import dns
from localaws.service import AwsError, Call, Reply, operation
from localaws.services.route53.answers import DataPlane
from localaws.services.route53.checks import HealthCheckOperations
from localaws.services.route53.records import (
    Key,
    Shape,
    apply_changes,
    by_key,
    invalid_batch,
    key_of,
    make,
    normal_name,
    order,
    shape,
)
from localaws.services.route53.zones import HostedZoneOperations

if TYPE_CHECKING:
    from datetime import datetime

    from localaws.world import World

PAGE_SIZE = 300
METRICS_REGION = "us-east-1"
METRICS = {"HealthCheckStatus": 1.0, "HealthCheckPercentageHealthy": 100.0}


class Route53Service(HostedZoneOperations, HealthCheckOperations):
    """The control plane. `data_plane` answers DNS questions and knows nothing of the control plane's health."""

    name = "route53"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.data_plane = DataPlane(world, self.changes, self.health)

    def connected(self) -> None:
        """Publish the status of health checks as metrics, and the answers as an admin page."""
        cloudwatch: Any = self.world.service("cloudwatch")
        cloudwatch.register_metric_source("AWS/Route53", self._metric, self._metrics)
        pages: Any = getattr(self.world, "admin_routes", {})
        pages.setdefault("dns", dns.page)

    def reset(self) -> None:
        self._forget_zones()
        self.health.clear()

    @operation("ChangeResourceRecordSets")
    def change_resource_record_sets(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        self.changes.refuse_while_preparing(zone)
        batch = call.params["ChangeBatch"]
        before = by_key(zone.rrsets)
        after = apply_changes(
            zone.name, before, batch["Changes"], lambda check: check in self._moto(call).health_checks
        )
        touched = {key_of(make(change["ResourceRecordSet"])) for change in batch["Changes"]}
        self._refuse_protected(zone, touched)
        zone.rrsets = list(after.values())
        change = self.changes.submit(call.account, zone, batch.get("Comment"), before, touched)
        return {"ChangeInfo": change.info()}

    @operation("GetChange")
    def get_change(self, call: Call) -> Reply:
        return {"ChangeInfo": self.changes.get(call.account, call.params["Id"]).info()}

    @operation("ListResourceRecordSets")
    def list_resource_record_sets(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        records = sorted(by_key(zone.rrsets).items(), key=lambda item: order(item[0]))
        start = self._start(call)
        following = [shape(record) for key, record in records if start is None or order(key) >= start]
        size = min(int(call.params.get("MaxItems") or PAGE_SIZE), PAGE_SIZE)
        reply: dict[str, Any] = {
            "ResourceRecordSets": following[:size],
            "IsTruncated": len(following) > size,
            "MaxItems": str(size),
        }
        if len(following) > size:
            rest = following[size]
            reply |= {"NextRecordName": rest["Name"], "NextRecordType": rest["Type"]}
            if "SetIdentifier" in rest:
                reply["NextRecordIdentifier"] = rest["SetIdentifier"]
        return reply

    @operation("TestDNSAnswer")
    def test_dns_answer(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        if zone.private_zone:
            raise AwsError("InvalidInput", "TestDNSAnswer is not supported for private hosted zones.")
        name, kind = normal_name(call.params["RecordName"]), call.params["RecordType"]
        answers = self.data_plane.answer(name, kind, zone)
        data = [value for record in answers.records if record.name == name for value in record.values]
        return {
            "Nameserver": zone.delegation_set.name_servers[0],
            "RecordName": name.rstrip("."),
            "RecordType": kind,
            "RecordData": data,
            "ResponseCode": "NOERROR" if answers.exists else "NXDOMAIN",
            "Protocol": "UDP",
        }

    def put_records(self, account: str, zone_id: str, described: Sequence[Shape]) -> None:
        """Put record sets that have been there for long: in sync at once, nothing logged (for estates)."""
        zone = self.world.backend("route53", account, "us-east-1").zones[zone_id.rsplit("/", 1)[-1]]
        records = by_key(zone.rrsets) | by_key(make(each) for each in described)
        zone.rrsets = list(records.values())

    def _metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], _at: datetime
    ) -> float | None:
        """Compute HealthCheckStatus (0 or 1) and HealthCheckPercentageHealthy; they live in us-east-1 only."""
        if region != METRICS_REGION or name not in METRICS:
            return None
        healthy = self.status(account, dimensions.get("HealthCheckId", ""))
        return None if healthy is None else METRICS[name] * healthy

    def _metrics(self, account: str, region: str) -> list[tuple[str, Mapping[str, str]]]:
        checks = self.world.backend("route53", account, region).health_checks if region == METRICS_REGION else ()
        return [(name, {"HealthCheckId": check_id}) for check_id in checks for name in METRICS]

    def _refuse_protected(self, zone: Any, touched: set[Key]) -> None:
        problems = [
            f"RRSet with DNS name {key.name}, type {key.type} is protected"
            for key in sorted(touched, key=str)
            if self.is_protected(zone, key.name, key.type)
        ]
        if problems:
            raise invalid_batch(problems)

    def _start(self, call: Call) -> tuple[list[str], str, str] | None:
        name, kind = call.params.get("StartRecordName"), call.params.get("StartRecordType")
        identifier = call.params.get("StartRecordIdentifier")
        if (kind and not name) or (identifier and not kind):
            raise AwsError("InvalidInput", "StartRecordType needs StartRecordName; StartRecordIdentifier needs both.")
        return order(Key(normal_name(name), kind or "", identifier)) if name else None
