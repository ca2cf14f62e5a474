"""`eventbridge-rules`: rules of one bus on both sides, ENABLED on the source side and DISABLED on the target side.

Settings: `bus` (default `<name>`; `default` for the account's default bus), `patterns` (rule name -> list of detail
types; default `<name>-placed: [OrderPlaced]`), `schedules` (rule name -> schedule expression, default bus), `archive` (true: archive
`<name>` of the source side's bus, kept 14 days), `endpoint` (false: global endpoint `<name>` with replication, whose
health check watches the source side's host `<name>.<Region>.events.example`), `on_target` (true: the rules exist there).

Each rule sends to the queue `<name>-events` of its Region and has the queue `<name>-events-dlq` for failures. Rules and
the bus carry the entry's tags.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.seeds.network import tag_list
from localaws.services.events import EventsService
from localaws.services.route53 import Route53Service

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

SOURCE_OF_EVENTS = "shop"


@dataclass(frozen=True)
class _Side:
    world: World
    entry: Entry
    tags: dict[str, str]
    account: str
    region: str
    is_source: bool

    @property
    def bus(self) -> str:
        return str(self.entry.setting("bus", self.entry.name))

    @property
    def bus_arn(self) -> str:
        return f"arn:aws:events:{self.region}:{self.account}:event-bus/{self.bus}"

    def call(self, service: str, operation: str, **params: Any) -> Any:
        return self.world.call(service, operation, self.account, self.region, **params)


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Make both sides."""
    account = estate.account_id(entry.account)
    tags = {"Name": entry.name, **estate.tags(entry)}
    sides = [_Side(world, entry, tags, account, r, r == estate.primary_region) for r in estate.regions]
    for side in sides:
        if side.bus not in world.backend("events", account, side.region).event_buses:
            side.call("events", "CreateEventBus", Name=side.bus, Tags=tag_list(tags))
        queue, dead = _queue(side, f"{entry.name}-events"), _queue(side, f"{entry.name}-events-dlq")
        if side.is_source or entry.setting("on_target", True):
            _rules(side, queue, dead)
    if entry.setting("archive", True):
        archive = {"ArchiveName": entry.name, "EventSourceArn": sides[0].bus_arn, "RetentionDays": 14}
        sides[0].call("events", "CreateArchive", **archive)
    if entry.setting("endpoint", False):
        _endpoint(sides[0], sides[1])


def _queue(side: _Side, name: str) -> str:
    side.call("sqs", "CreateQueue", QueueName=name, tags=side.tags)
    return f"arn:aws:sqs:{side.region}:{side.account}:{name}"


def _rules(side: _Side, queue: str, dead: str) -> None:
    default = {f"{side.entry.name}-placed": ["OrderPlaced"]}
    rules: dict[str, dict[str, str]] = {}
    for name, kinds in side.entry.setting("patterns", default).items():
        rules[name] = {"EventPattern": json.dumps({"source": [SOURCE_OF_EVENTS], "detail-type": list(kinds)})}
    for name, expression in side.entry.setting("schedules", {}).items():
        rules[name] = {"ScheduleExpression": expression}
    for name, trigger in rules.items():
        state = "ENABLED" if side.is_source else "DISABLED"
        # Schedules live on the default bus only.
        bus = {"EventBusName": "default" if "ScheduleExpression" in trigger else side.bus}
        side.call("events", "PutRule", Name=name, State=state, Tags=tag_list(side.tags), **bus, **trigger)
        target = {"Id": "queue", "Arn": queue, "DeadLetterConfig": {"Arn": dead}}
        side.call("events", "PutTargets", Rule=name, Targets=[target], **bus)


def _endpoint(source: _Side, target: _Side) -> None:
    name = source.entry.name
    host = f"{name}.{source.region}.events.example"
    route53, events = source.world.service("route53"), source.world.service("events")
    assert isinstance(route53, Route53Service)
    assert isinstance(events, EventsService)
    route53.health.register_endpoint(host, lambda: True, source.region)
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": host, "Port": 443, "RequestInterval": 10}
    check = source.call(
        "route53",
        "CreateHealthCheck",
        CallerReference=f"estate-{name}-{source.account}",
        HealthCheckConfig={**config, "FailureThreshold": 3, "ResourcePath": "/"},
    )["HealthCheck"]["Id"]
    failover = {
        "Primary": {"HealthCheck": f"arn:aws:route53:::healthcheck/{check}"},
        "Secondary": {"Route": target.region},
    }
    source.call(
        "events",
        "CreateEndpoint",
        Name=name,
        RoutingConfig={"FailoverConfig": failover},
        ReplicationConfig={"State": "ENABLED"},
        EventBuses=[{"EventBusArn": side.bus_arn} for side in (source, target)],
        RoleArn=f"arn:aws:iam::{source.account}:role/{name}-replication",
    )
    events.settle_endpoint(source.account, source.region, name)
