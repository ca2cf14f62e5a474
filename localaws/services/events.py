"""EventBridge: moto keeps buses and rules; events, of customers and of services, reach their targets here."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from moto.events.models import EventPattern, Rule

from localaws.delivery import Target, deliver
from localaws.service import AwsError, Call, Reply, operation
from localaws.services.events_endpoints import Endpoints
from localaws.services.events_replays import Replays

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")
_PATH_PART = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]")


class EventsService(Endpoints, Replays):
    """The event buses of all accounts and Regions; global endpoints and replays have modules of their own."""

    name: ClassVar[str] = "events"
    unlocked: ClassVar[frozenset[str]] = frozenset({"PutEvents"})

    def reset(self) -> None:
        """Forget endpoints; the rest is moto's."""
        self.forget_endpoints()

    @operation("PutEvents")
    def put_events(self, call: Call) -> Reply:
        """Take up to ten events; a bad one fails alone. An EndpointId sends them where its health check says."""
        calls: list[tuple[Call, str | None]] = [(call, None)]
        if endpoint_id := call.params.get("EndpointId"):
            with self.world.lock:
                bus, regions = self.serving_regions(call.account, endpoint_id)
            calls = [(replace(call, region=region), bus) for region in regions]
        if not calls:
            raise AwsError("InternalException", "No Region of the endpoint answers.", 500)
        # The replica of an event has its own fate; the answer is that of the Region in charge.
        entries = [[self._put(one, entry, bus) for entry in call.params["Entries"]] for one, bus in calls][0]
        return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}

    def emit(
        self,
        account: str,
        region: str,
        source: str,
        detail_type: str,
        resources: Sequence[str],
        detail: Mapping[str, Any],
        bus: str = "default",
    ) -> str:
        """Put an event of an AWS service onto a bus; return its id."""
        event_id = str(uuid.uuid4())
        event = {
            "version": "0",
            "id": event_id,
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": self.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": list(resources),
            "detail": dict(detail),
        }
        self._route(account, region, bus, event)
        return event_id

    def fire(self, account: str, region: str, rule: Rule) -> None:
        """Send the scheduled event of a rule with a schedule to its targets."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": self.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": [rule.arn],
            "detail": {},
        }
        self._send(rule, event)

    def rules(self, account: str, region: str, bus: str) -> list[Rule]:
        """Return the rules of a bus that are enabled."""
        with self.world.lock:
            buses = self.world.backend("events", account, region).event_buses
            if bus not in buses:
                raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
            return [rule for rule in buses[bus].rules.values() if rule.state.startswith("ENABLED")]

    def _put(self, call: Call, entry: Mapping[str, Any], bus_of_endpoint: str | None = None) -> dict[str, Any]:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
        # Services put their own events as root; a customer may not pretend to be one.
        if entry["Source"].startswith("aws.") and not call.principal.arn.endswith(":root"):
            message = "Not authorized for the source."
            return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": message}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        account, region, bus = _bus(call, bus_of_endpoint or entry.get("EventBusName") or "default")
        resources = entry.get("Resources", [])
        return {"EventId": self.emit(account, region, entry["Source"], entry["DetailType"], resources, detail, bus)}

    def _route(self, account: str, region: str, bus: str, event: dict[str, Any]) -> None:
        self.deliver_to(account, region, bus, event, set())

    def deliver_to(self, account: str, region: str, bus: str, event: dict[str, Any], rules: set[str]) -> None:
        """Send an event to the matching rules of a bus, or to those of them whose ARNs are given."""
        for rule in self.rules(account, region, bus):
            wanted = not rules or rule.arn in rules
            if wanted and rule.event_pattern._pattern and rule.event_pattern.matches_event(event):
                self._send(rule, event)

    def _send(self, rule: Rule, event: dict[str, Any]) -> None:
        for target in list(rule.targets):
            arn = target["Arn"]
            if arn.startswith("arn:aws:events") and not arn.split(":")[5]:
                wanted = json.loads(render(target, event, rule))["archive-arn"]
                rule._send_to_events_archive(wanted.rpartition("/")[2], event)
                continue
            group = target.get("SqsParameters", {}).get("MessageGroupId")
            to = Target(
                arn=arn,
                role_arn=target.get("RoleArn"),
                parameters={"MessageGroupId": group} if group else {},
                dead_letter_arn=target.get("DeadLetterConfig", {}).get("Arn"),
            )
            arrived = deliver(self.world, to, render(target, event, rule), f"rule-{rule.name}")  # type: ignore[arg-type]
            self._count(rule, arrived=arrived, has_queue=to.dead_letter_arn is not None)

    def _count(self, rule: Rule, *, arrived: bool, has_queue: bool) -> None:
        """Publish what became of an invocation; FailedInvocations counts only what was given up and went nowhere."""
        names = (
            ["Invocations"]
            if arrived
            else ["Invocations", "InvocationsSentToDlq" if has_queue else "FailedInvocations"]
        )
        bus = [] if rule.event_bus_name == "default" else [{"Name": "EventBusName", "Value": rule.event_bus_name}]
        dimensions = [*bus, {"Name": "RuleName", "Value": rule.name}]
        data = [{"MetricName": name, "Dimensions": dimensions, "Value": 1.0} for name in names]
        where = (rule.account_id, rule.region_name)
        self.world.call("cloudwatch", "PutMetricData", *where, Namespace="AWS/Events", MetricData=data)


def matches(pattern: str, event: Mapping[str, Any]) -> bool:
    """Say whether an event pattern (JSON) matches an event."""
    return bool(EventPattern.load(pattern).matches_event(event))


def render(target: Mapping[str, Any], event: Mapping[str, Any], rule: Rule) -> str:
    """Return the text a target receives: Input, InputPath, InputTransformer or the whole event."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_at(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: _at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": dict(event),
    }
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Replace `<name>`: as JSON outside quotes, as escaped text inside."""
    result, last, quoted = [], 0, False
    for found in _PLACEHOLDER.finditer(template):
        before = template[last : found.start()]
        quoted ^= before.replace('\\"', "").count('"') % 2 == 1
        result += [before, _value(values.get(found[1], ""), quoted=quoted)]
        last = found.end()
    return "".join([*result, template[last:]])


def _value(value: Any, *, quoted: bool) -> str:
    if not quoted:
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]


def _at(event: Mapping[str, Any], path: str) -> Any:
    """Return what a JSONPath of EventBridge's kind (`$.detail.list[0]`) points at; empty text when nothing."""
    value: Any = event
    for name, index, quoted in _PATH_PART.findall(path.removeprefix("$")):
        try:
            value = value[int(index)] if index else value[name or quoted]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def _bus(call: Call, name: str) -> tuple[str, str, str]:
    if not name.startswith("arn:"):
        return call.account, call.region, name
    parts = name.split(":")
    return parts[4], parts[3], parts[5].removeprefix("event-bus/")
