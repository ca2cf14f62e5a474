"""Replays that take their time, rules of AWS services that customers cannot change, and the quotas of rules and targets.

Timings in AWS seconds. A fault of the scenario acts on `events.replay` (resource: the replay's ARN).
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Replay, ReplayState

from localaws.service import AwsError, Call, Reply, Service, operation

START_SECONDS = 15.0
REPLAY_SECONDS = 120.0
RULES_PER_BUS = 300
TARGETS_PER_RULE = 5
UNFINISHED = frozenset({ReplayState.STARTING, ReplayState.RUNNING})


class Replays(Service):
    """StartReplay and its kind, and the guards of managed rules."""

    @operation("StartReplay")
    def start_replay(self, call: Call) -> Reply:
        """Send archived events again, to the bus they came from, or to some of its rules (FilterArns).

        Raises: ResourceAlreadyExistsException, ResourceNotFoundException, ValidationException.
        """
        Replay.replay_events = _wait
        reply = self.world.moto(call)
        backend = self.world.backend("events", call.account, call.region)
        replay = backend.replays[call.params["ReplayName"]]
        archive = backend.archives[str(call.params["EventSourceArn"]).rpartition("/")[2]]
        replay.state = ReplayState.STARTING
        replay.start_time = self.world.clock.now().timestamp()
        replay.reason = None

        def begin() -> None:
            if replay.state is ReplayState.STARTING:
                replay.state = ReplayState.RUNNING

        def done() -> None:
            if replay.state in UNFINISHED:
                self._replay(call, replay, archive)
                self._end(replay, ReplayState.COMPLETED)

        def failed() -> None:
            self._end(replay, ReplayState.FAILED, "The events could not be delivered.")

        self.world.clock.after(START_SECONDS, begin)
        self.world.transition("events.replay", replay.arn, REPLAY_SECONDS, done, failed)
        return {**reply, "State": "STARTING", "ReplayStartTime": self.world.clock.now()}

    @operation("DescribeReplay")
    def describe_replay(self, call: Call) -> Reply:
        """Describe a replay. Raises ResourceNotFoundException."""
        reply = {key: value for key, value in self.world.moto(call).items() if value is not None}
        replay = self.world.backend("events", call.account, call.region).replays[call.params["ReplayName"]]
        reason = getattr(replay, "reason", None)
        return {**reply, "StateReason": reason} if reason else reply

    @operation("CancelReplay")
    def cancel_replay(self, call: Call) -> Reply:
        """Cancel a replay under way. Raises ResourceNotFoundException, IllegalStatusException."""
        name = call.params["ReplayName"]
        replay = self.world.backend("events", call.account, call.region).replays.get(name)
        if replay is not None and replay.state not in UNFINISHED:
            raise AwsError("IllegalStatusException", f"Replay {name} is not in a valid state for this operation.")
        reply = self.world.moto(call)
        self._end(replay, ReplayState.CANCELLED)
        return reply

    @operation("PutRule")
    def put_rule(self, call: Call) -> Reply:
        """Create or replace a rule; one that is replaced keeps its tags. Raises ManagedRuleException, LimitExceededException."""
        bus = self._event_bus(call)
        if self._rule(call, call.params["Name"]) is not None:
            call = replace(call, params={name: value for name, value in call.params.items() if name != "Tags"})
        elif bus is not None and len(bus.rules) >= RULES_PER_BUS:
            raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        return self._unless_managed(call, call.params["Name"])

    @operation("EnableRule")
    def enable_rule(self, call: Call) -> Reply:
        """Enable a rule. Raises ManagedRuleException, ResourceNotFoundException."""
        return self._unless_managed(call, call.params["Name"])

    @operation("DisableRule")
    def disable_rule(self, call: Call) -> Reply:
        """Disable a rule. Raises ManagedRuleException, ResourceNotFoundException."""
        return self._unless_managed(call, call.params["Name"])

    @operation("DeleteRule")
    def delete_rule(self, call: Call) -> Reply:
        """Delete a rule, or one that is not there. Raises ResourceNotFoundException for a bus that is not there,
        ManagedRuleException unless forced.
        """
        if self._event_bus(call) is None:
            raise AwsError("ResourceNotFoundException", f"Event bus {call.params['EventBusName']} does not exist.")
        return self._unless_managed(call, call.params["Name"])

    @operation("PutTargets")
    def put_targets(self, call: Call) -> Reply:
        """Add or replace targets. Raises ManagedRuleException, ResourceNotFoundException, LimitExceededException."""
        rule = self._rule(call, call.params["Rule"])
        there = {target["Id"] for target in (rule.targets if rule else ())}
        if len(there | {target["Id"] for target in call.params["Targets"]}) > TARGETS_PER_RULE:
            raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        return self._unless_managed(call, call.params["Rule"])

    @operation("RemoveTargets")
    def remove_targets(self, call: Call) -> Reply:
        """Remove targets. Raises ManagedRuleException unless forced."""
        return self._unless_managed(call, call.params["Rule"])

    @operation("ListRules")
    def list_rules(self, call: Call) -> Reply:
        """List the rules of a bus. Raises ResourceNotFoundException."""
        prefix = call.params.get("NamePrefix")  # moto takes it for a regular expression
        return self.world.moto(call.with_params(NamePrefix=re.escape(prefix)) if prefix else call)

    @abstractmethod
    def deliver_to(self, account: str, region: str, bus: str, event: dict[str, Any], rules: set[str]) -> None:
        """Send an event to the matching rules of a bus, or to those of them whose ARNs are given."""

    def _unless_managed(self, call: Call, name: str) -> Reply:
        rule = self._rule(call, name)
        managed_by = getattr(rule, "managed_by", None)
        if managed_by and not call.params.get("Force") and not call.principal.arn.endswith(":root"):
            message = f"Rule {name} is managed by {managed_by} and can't be changed by customers."
            raise AwsError("ManagedRuleException", message)
        return self.world.moto(call)

    def _rule(self, call: Call, name: str) -> Any | None:
        found = self._event_bus(call)
        return None if found is None else found.rules.get(name)

    def _event_bus(self, call: Call) -> Any | None:
        bus = str(call.params.get("EventBusName") or "default").rpartition("/")[2]
        return self.world.backend("events", call.account, call.region).event_buses.get(bus)

    def _replay(self, call: Call, replay: Any, archive: Any) -> None:
        destination = call.params["Destination"]
        bus = str(destination["Arn"]).rpartition("/")[2]
        rules = set(destination.get("FilterArns") or [])
        for event in list(archive.events):
            if self._within(call, event):
                again = {**_plain(event), "replay-name": replay.name}
                self.deliver_to(call.account, call.region, bus, again, rules)

    def _within(self, call: Call, event: Mapping[str, Any]) -> bool:
        at = datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        first, last = (_utc(call.params[name]) for name in ("EventStartTime", "EventEndTime"))
        return first.replace(microsecond=0) <= at <= last

    def _end(self, replay: Any, state: ReplayState, reason: str | None = None) -> None:
        replay.state, replay.reason = state, reason
        replay.end_time = self.world.clock.now().timestamp()


def _wait(_replay: Any, _archive: Any) -> None:
    """Do nothing where moto would send all events at once."""


def _plain(event: Any) -> dict[str, Any]:
    return dict(json.loads(event)) if isinstance(event, str) else dict(event)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
