"""The CloudWatch service module: alarms on top of the data plane."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudwatch.alarms import EXTRA_PERIODS, AlarmState, decide_state
from localaws.services.cloudwatch.composite import rule_holds
from localaws.services.cloudwatch.dashboards import Dashboards
from localaws.services.cloudwatch.data import CloudWatchData, Scope
from localaws.services.cloudwatch.series import MetricId, statistic

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.cloudwatch")


@dataclass
class _Watch:
    """What we remember of an alarm: since when SetAlarmState holds."""

    held_since: datetime | None = None


class CloudWatchService(Dashboards, CloudWatchData):
    """Amazon CloudWatch. `alarm_state(account, region, name)` is what Route 53 health checks ask.

    An alarm's period lasts its AWS seconds on the scaled clock. States are worked out when somebody looks or
    data arrives; SetAlarmState holds until data newer than it is evaluated.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._watches: dict[tuple[Scope, str], _Watch] = {}

    def reset(self) -> None:
        """Forget data points and held states."""
        super().reset()
        self._watches = {}

    @operation("PutMetricData")
    def put_metric_data(self, call: Call) -> Reply:
        """Store data points and evaluate the alarms on them."""
        now = self.world.clock.now()
        data = [{"Timestamp": now, **datum} for datum in call.params.get("MetricData", [])]
        stamped = call.with_params(MetricData=data)
        reply = self.world.moto(stamped)
        touched = set(self.store(stamped))
        scope = Scope(call.account, call.region)
        for alarm in self._alarms(scope).values():
            if self._metric_of(alarm) in touched:
                self._evaluate(scope, alarm)
        return reply

    @operation("PutMetricAlarm")
    def put_metric_alarm(self, call: Call) -> Reply:
        """Create an alarm in INSUFFICIENT_DATA, or replace one, which keeps its state."""
        scope, name = Scope(call.account, call.region), call.params["AlarmName"]
        before = self._alarms(scope).get(name)
        reply = self.world.moto(call)
        alarm = self._alarms(scope)[name]
        self._watch(scope, alarm)
        if before is not None:
            alarm.state_value = before.state_value
            alarm.state_reason = before.state_reason
        return reply

    @operation("PutCompositeAlarm")
    def put_composite_alarm(self, call: Call) -> Reply:
        """Create or replace a composite alarm; moto knows its shape but not the call."""
        scope, wanted = Scope(call.account, call.region), call.params
        rule_holds(wanted["AlarmRule"], lambda _: "")
        alarm = self.world.backend("cloudwatch", call.account, call.region).put_metric_alarm(
            name=wanted["AlarmName"],
            namespace=None,
            metric_name=None,
            comparison_operator=None,
            evaluation_periods=None,
            period=None,
            threshold=None,
            statistic=None,
            description=wanted.get("AlarmDescription"),
            dimensions=[],
            alarm_actions=wanted.get("AlarmActions", []),
            ok_actions=wanted.get("OKActions", []),
            insufficient_data_actions=wanted.get("InsufficientDataActions", []),
            actions_enabled=wanted.get("ActionsEnabled", True),
            rule=wanted["AlarmRule"],
            tags=wanted.get("Tags"),
        )
        self._evaluate(scope, alarm)
        return {}

    @operation("SetAlarmState")
    def set_alarm_state(self, call: Call) -> Reply:
        """Set a state by hand; it holds until newer data is evaluated."""
        scope = Scope(call.account, call.region)
        alarm = self._alarms(scope).get(call.params["AlarmName"])
        if alarm is None:
            raise AwsError("ResourceNotFound", f"Alarm {call.params['AlarmName']} does not exist.", 404)
        if call.params["StateValue"] not in list(AlarmState):
            raise AwsError("ValidationError", f"Unknown state {call.params['StateValue']}.")
        self._watch(scope, alarm).held_since = self.world.clock.now()
        self._set(scope, alarm, AlarmState(call.params["StateValue"]), call.params["StateReason"])
        return {}

    @operation("DescribeAlarms")
    def describe_alarms(self, call: Call) -> Reply:
        """List alarms with the states they have now."""
        self._evaluate_all(Scope(call.account, call.region))
        return self.world.moto(call)

    @operation("DescribeAlarmsForMetric")
    def describe_alarms_for_metric(self, call: Call) -> Reply:
        """List the alarms on one metric with the states they have now."""
        self._evaluate_all(Scope(call.account, call.region))
        return self.world.moto(call)

    @operation("DeleteAlarms")
    def delete_alarms(self, call: Call) -> Reply:
        """Delete alarms."""
        for name in call.params["AlarmNames"]:
            self._watches.pop((Scope(call.account, call.region), name), None)
        return self.world.moto(call)

    def alarm_state(self, account: str, region: str, alarm_name: str) -> str:
        """Return OK, ALARM or INSUFFICIENT_DATA; an alarm that does not exist has insufficient data."""
        scope = Scope(account, region)
        alarm = self._alarms(scope).get(alarm_name)
        if alarm is None:
            return AlarmState.INSUFFICIENT_DATA.value
        self._evaluate(scope, alarm)
        return str(alarm.state_value)

    # --- evaluation

    def _alarms(self, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = self.world.backend("cloudwatch", scope.account, scope.region).alarms
        return found

    def _watch(self, scope: Scope, alarm: Any) -> _Watch:
        key = (scope, alarm.name)
        if key not in self._watches:
            self._watches[key] = _Watch()
            # moto starts alarms as OK; AWS has not seen any data yet.
            alarm.state_value = AlarmState.INSUFFICIENT_DATA.value
            alarm.state_updated_timestamp = self.world.clock.now()
        return self._watches[key]

    def _evaluate_all(self, scope: Scope) -> None:
        for alarm in list(self._alarms(scope).values()):
            self._evaluate(scope, alarm)

    @staticmethod
    def _metric_of(alarm: Any) -> MetricId | None:
        """Return the metric of a plain metric alarm; None for composite alarms and metric math."""
        if alarm.rule or alarm.metric_data_queries or not alarm.metric_name:
            return None
        pairs = [{"Name": one.name, "Value": one.value} for one in alarm.dimensions]
        return MetricId.of(alarm.namespace, alarm.metric_name, pairs)

    def _evaluate(self, scope: Scope, alarm: Any) -> None:
        watch = self._watch(scope, alarm)
        if alarm.rule:
            holds = rule_holds(alarm.rule, lambda name: self._state_of(scope, name))
            self._set(scope, alarm, AlarmState.ALARM if holds else AlarmState.OK, f"Rule {alarm.rule}")
            return
        metric = self._metric_of(alarm)
        if metric is None:
            return
        periods = int(alarm.evaluation_periods)
        values = self._recent_values(scope, alarm, metric, periods + EXTRA_PERIODS)
        if watch.held_since is not None:
            if not self._has_news(scope, metric, watch.held_since):
                return
            watch.held_since = None
        state = decide_state(
            values,
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            periods=periods,
            to_alarm=int(alarm.datapoints_to_alarm or periods),
            treat_missing=alarm.treat_missing_data or "missing",
            current=AlarmState(alarm.state_value),
        )
        present = [value for value in values if value is not None]
        reason = f"Threshold Crossed: datapoints {present[:periods]} against {alarm.threshold}"
        self._set(scope, alarm, state, reason if present else "Insufficient Data: no datapoints were received")

    def _state_of(self, scope: Scope, name: str) -> str:
        alarm = self._alarms(scope).get(name)
        return str(alarm.state_value) if alarm is not None else AlarmState.INSUFFICIENT_DATA.value

    def _recent_values(self, scope: Scope, alarm: Any, metric: MetricId, count: int) -> list[float | None]:
        step = timedelta(seconds=self.world.clock.clock_seconds(float(alarm.period)))
        # A point that arrives this very moment counts.
        end = self.world.clock.now() + timedelta(microseconds=1)
        stat = alarm.statistic or alarm.extended_statistic or "Average"
        windows = [(end - step * (back + 1), end - step * back) for back in range(count)]
        return [statistic(self.points(scope, metric, start, stop), stat) for start, stop in windows]

    def _has_news(self, scope: Scope, metric: MetricId, since: datetime) -> bool:
        stored = self.series.get(scope, {}).get(metric)
        if stored is not None and any(point.at > since for point in stored.points):
            return True
        now = self.world.clock.now()
        return stored is None and now > since and bool(self.points(scope, metric, since, now))

    def _set(self, scope: Scope, alarm: Any, state: AlarmState, reason: str) -> None:
        if alarm.state_value == state:
            return
        previous = alarm.state_value
        alarm.update_state(reason, "{}", state.value)
        alarm.state_updated_timestamp = self.world.clock.now()
        if alarm.actions_enabled:
            self._notify(scope, alarm, str(previous))
        for composite in [one for one in self._alarms(scope).values() if one.rule and one is not alarm]:
            self._evaluate(scope, composite)

    def _notify(self, scope: Scope, alarm: Any, previous: str) -> None:
        actions = {
            AlarmState.ALARM: alarm.alarm_actions,
            AlarmState.OK: alarm.ok_actions,
            AlarmState.INSUFFICIENT_DATA: alarm.insufficient_data_actions,
        }[AlarmState(alarm.state_value)]
        message = json.dumps(
            {
                "AlarmName": alarm.name,
                "AlarmArn": alarm.alarm_arn,
                "AWSAccountId": scope.account,
                "Region": scope.region,
                "OldStateValue": previous,
                "NewStateValue": alarm.state_value,
                "NewStateReason": alarm.state_reason,
                "StateChangeTime": alarm.state_updated_timestamp.isoformat(),
            }
        )
        subject = f'{alarm.state_value}: "{alarm.name}" in {scope.region}'[:100]
        for topic in (arn for arn in actions or () if ":sns:" in arn):
            self.world.background(lambda topic=topic: self._publish(scope, topic, subject, message))  # type: ignore[misc]

    def _publish(self, scope: Scope, topic: str, subject: str, message: str) -> None:
        region = topic.split(":")[3]
        try:
            self.world.call("sns", "Publish", scope.account, region, TopicArn=topic, Subject=subject, Message=message)
        except AwsError as error:
            log.warning("alarm action %s failed: %s", topic, error)
