"""What is asked around EventBridge's rules: whether their targets exist, and whether invocations failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pydantic import BaseModel, JsonValue

from adapters.eventbridge.models import EventBus, RuleTarget
from adapters.eventbridge.spec import METRICS_AT_ONCE
from adapters.eventbridge.targets import EXISTENCE
from adapters.reading import LAG_WINDOW_MINUTES
from orchestrator.contract import Reader, RunContext


def missing(reader: Reader, targets_of: Mapping[str, Sequence[RuleTarget]]) -> tuple[str, ...]:
    """Return what the targets name that does not exist, as sentences; other accounts may not be asked."""
    wrong: dict[str, None] = {}
    for name, targets in targets_of.items():
        dead_letters = [t.DeadLetterConfig.Arn for t in targets if t.DeadLetterConfig and t.DeadLetterConfig.Arn]
        for arn in (*(target.Arn for target in targets), *dead_letters):
            if not _exists(reader, arn):
                wrong[f"rule {name} sends to {arn}, which does not exist"] = None
    return tuple(wrong)


def _exists(reader: Reader, arn: str) -> bool:
    _, _, service, region, account, resource = arn.split(":", 5)
    how = EXISTENCE.get(service)
    if how is None or (region, account) != (reader.region, reader.account):
        return True
    if service == "events" and not resource.startswith("event-bus/"):
        return True
    which = arn if how.whole_arn else resource
    found = reader.find(how.service, how.operation, EventBus, missing=how.missing, **{how.parameter: which})
    return found is not None


class _MetricResult(BaseModel):
    Id: str
    Values: list[float] = []


class _MetricData(BaseModel):
    MetricDataResults: list[_MetricResult] = []


def failures(reader: Reader, bus_name: str, names: Sequence[str], run: RunContext) -> dict[str, float]:
    """Return the failed invocations of each rule; EventBridge writes the metric only when there are any.

    Rules of the default bus have the dimension RuleName alone, others EventBusName too (user guide, "Monitoring").
    """
    asked = list(names)[:METRICS_AT_ONCE]
    bus: list[JsonValue] = [] if bus_name == "default" else [{"Name": "EventBusName", "Value": bus_name}]
    queries: list[JsonValue] = [
        {
            "Id": f"r{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Events",
                    "MetricName": "FailedInvocations",
                    "Dimensions": [*bus, {"Name": "RuleName", "Value": name}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for number, name in enumerate(asked)
    ]
    if not queries:
        return {}
    reply = reader.read(
        "cloudwatch",
        "GetMetricData",
        _MetricData,
        MetricDataQueries=queries,
        StartTime=run.now - timedelta(minutes=LAG_WINDOW_MINUTES),
        EndTime=run.now + timedelta(minutes=1),
    )
    sums = {result.Id: sum(result.Values) for result in reply.MetricDataResults}
    return {name: sums.get(f"r{number}", 0.0) for number, name in enumerate(asked) if sums.get(f"r{number}")}
