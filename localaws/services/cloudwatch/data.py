"""Reading metrics: stored points, computed metrics of other services, and simple metric math."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from moto.cloudwatch.metric_data_expression_parser import parse_expression

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.cloudwatch.series import MetricId, Point, Series, points_of, statistic

if TYPE_CHECKING:
    from localaws.world import World

COMPUTED_POINTS = 60
"""How many of its newest points a computed metric shows at most."""

ListSource = Callable[[str, str], Sequence[tuple[str, Mapping[str, str]]]]


class MetricSource(Protocol):
    """Computes a metric: account, Region, metric name, dimensions, time -> value, None where nothing is published."""

    def __call__(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime, /
    ) -> float | None:
        """Return the value at a time."""


@dataclass(frozen=True)
class Scope:
    """An account and a Region."""

    account: str
    region: str


@dataclass(frozen=True)
class _Window:
    start: datetime
    end: datetime
    period_seconds: float


class CloudWatchData(Service):
    """The data plane of CloudWatch.

    Other modules call `register_metric_source(namespace, source, lister)`; a computed metric then answers like
    a stored one. Asked over a stretch of time, it usually answers with the present state for each period.
    """

    name: ClassVar[str] = "cloudwatch"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._sources: dict[str, MetricSource] = {}
        self._listers: dict[str, ListSource] = {}
        self.series: dict[Scope, dict[MetricId, Series]] = {}

    def reset(self) -> None:
        """Forget data points; registered sources stay."""
        self.series = {}

    def register_metric_source(self, namespace: str, source: MetricSource, lister: ListSource | None = None) -> None:
        """Let `source` compute the metrics of a namespace; `lister` names them for ListMetrics."""
        self._sources[namespace] = source
        if lister is not None:
            self._listers[namespace] = lister

    @staticmethod
    def utc(moment: datetime) -> datetime:
        """Return a timestamp of a request as timezone-aware UTC."""
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    # --- writing

    def store(self, call: Call) -> list[MetricId]:
        """Keep the data points of a PutMetricData call; return the metrics they belong to."""
        mine = self.series.setdefault(Scope(call.account, call.region), {})
        now = self.world.clock.now()
        touched = []
        for given in call.params.get("MetricData", []):
            datum = {**given, "Timestamp": self.utc(given.get("Timestamp") or now)}
            metric = MetricId.of(call.params["Namespace"], datum["MetricName"], datum.get("Dimensions") or ())
            mine.setdefault(metric, Series()).add(points_of(datum))
            touched.append(metric)
        return touched

    # --- reading

    def knows(self, scope: Scope, metric: MetricId) -> bool:
        """Tell whether the metric is stored here or computed by a source."""
        return metric.namespace in self._sources or metric in self.series.get(scope, {})

    def points(self, scope: Scope, metric: MetricId, start: datetime, end: datetime) -> list[Point]:
        """Return the points of [start, end): stored ones, else one computed for the end of the stretch."""
        stored = self.series.get(scope, {}).get(metric)
        if stored is not None and (found := stored.between(start, end)):
            return found
        source = self._sources.get(metric.namespace)
        now = self.world.clock.now()
        if source is None or start > now:
            return []
        at = min(end, now)
        value = source(scope.account, scope.region, metric.name, dict(metric.dimensions), at)
        return [] if value is None else [Point.single(at, value)]

    def _periods(self, window: _Window) -> Iterator[tuple[datetime, datetime]]:
        seconds = window.period_seconds
        begin = datetime.fromtimestamp(window.start.timestamp() // seconds * seconds, UTC)
        step = timedelta(seconds=seconds)
        while begin < window.end:
            yield begin, min(begin + step, window.end)
            begin += step

    def _in_aws_time(self, window: _Window) -> _Window:
        """Return the window in which AWS's own services publish: their minutes are as short as the clock is fast."""
        seconds = self.world.clock.clock_seconds(window.period_seconds)
        end = min(window.end, self.world.clock.now() + timedelta(seconds=seconds))
        start = max(window.start, end - timedelta(seconds=seconds * COMPUTED_POINTS))
        return _Window(start, end, seconds) if start < end else window

    def _read(self, scope: Scope, metric: MetricId, window: _Window, stat: str) -> list[tuple[datetime, float]]:
        if metric not in self.series.get(scope, {}):
            window = self._in_aws_time(window)
        found = []
        for begin, end in self._periods(window):
            value = statistic(self.points(scope, metric, max(begin, window.start), end), stat)
            if value is not None:
                found.append((begin, value))
        return found

    def _window(self, params: Mapping[str, Any], period: int) -> _Window:
        start, end = self.utc(params["StartTime"]), self.utc(params["EndTime"])
        if start >= end:
            raise AwsError("ValidationError", "The parameter EndTime must be greater than StartTime.")
        return _Window(start, end, period)

    @operation("GetMetricData")
    def get_metric_data(self, call: Call) -> Reply:
        """Answer MetricStat queries and metric math; Metrics Insights (SELECT) goes to moto."""
        results: dict[str, dict[str, Any]] = {}
        queries = call.params["MetricDataQueries"]
        for query in queries:
            if "MetricStat" in query:
                results[query["Id"]] = self._answer_stat(call, query)
        for query in queries:
            expression = str(query.get("Expression", ""))
            if expression.startswith("SELECT"):
                results[query["Id"]] = self._ask_moto_for(call, query)
            elif expression:
                results[query["Id"]] = self._answer_math(query, list(results.values()))
        newest_first = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        shown = []
        for query in queries:
            result = results[query["Id"]]
            if query.get("ReturnData", True):
                order = -1 if newest_first else 1
                times, values = list(result["Timestamps"])[::order], list(result["Values"])[::order]
                shown.append({**result, "Timestamps": times, "Values": values, "StatusCode": "Complete"})
        return {"MetricDataResults": shown, "Messages": []}

    def _answer_stat(self, call: Call, query: Mapping[str, Any]) -> dict[str, Any]:
        asked = query["MetricStat"]
        about = asked["Metric"]
        metric = MetricId.of(about["Namespace"], about["MetricName"], about.get("Dimensions") or ())
        scope = Scope(call.account, call.region)
        if not self.knows(scope, metric):
            return self._ask_moto_for(call, query)
        found = self._read(scope, metric, self._window(call.params, int(asked["Period"])), asked["Stat"])
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or metric.name,
            "Timestamps": [at for at, _ in found],
            "Values": [value for _, value in found],
        }

    def _ask_moto_for(self, call: Call, query: Mapping[str, Any]) -> dict[str, Any]:
        alone = {key: value for key, value in query.items() if key != "ReturnData"}
        reply = self.world.moto(call.with_params(MetricDataQueries=[alone], ScanBy="TimestampAscending"))
        empty = {"Id": query["Id"], "Label": query.get("Label", ""), "Timestamps": [], "Values": []}
        return {**empty, **next(iter(reply["MetricDataResults"]), {})}

    def _answer_math(self, query: Mapping[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
        inputs = [{"id": one["Id"], "vals": one["Values"], "values": one["Values"], "timestamps": one["Timestamps"]}
                  for one in known]  # fmt: skip
        values, times = parse_expression(query["Expression"], inputs)
        label = query.get("Label") or query["Id"]
        return {"Id": query["Id"], "Label": label, "Timestamps": list(times), "Values": list(values)}

    @operation("GetMetricStatistics")
    def get_metric_statistics(self, call: Call) -> Reply:
        """Return statistics of one metric per period."""
        params = call.params
        metric = MetricId.of(params["Namespace"], params["MetricName"], params.get("Dimensions") or ())
        scope = Scope(call.account, call.region)
        if not self.knows(scope, metric):
            return self.world.moto(call)
        window = self._window(params, int(params["Period"]))
        wanted = [*params.get("Statistics", []), *params.get("ExtendedStatistics", [])]
        rows: dict[datetime, dict[str, Any]] = {}
        for stat in wanted:
            for at, value in self._read(scope, metric, window, stat):
                row = rows.setdefault(at, {"Timestamp": at, "Unit": params.get("Unit", "None")})
                if stat.startswith("p"):
                    row.setdefault("ExtendedStatistics", {})[stat] = value
                else:
                    row[stat] = value
        return {"Label": metric.name, "Datapoints": [rows[at] for at in sorted(rows)]}

    @operation("ListMetrics")
    def list_metrics(self, call: Call) -> Reply:
        """List stored and computed metrics."""
        reply = self.world.moto(call)
        params = call.params
        shown = list(reply.get("Metrics", []))
        if reply.get("NextToken") or params.get("NextToken"):
            return reply
        for namespace, lister in self._listers.items():
            if params.get("Namespace", namespace) != namespace:
                continue
            for name, dimensions in lister(call.account, call.region):
                if params.get("MetricName", name) == name and _matches(params.get("Dimensions") or (), dimensions):
                    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
                    shown.append({"Namespace": namespace, "MetricName": name, "Dimensions": pairs})
        return {**reply, "Metrics": shown}


def _matches(wanted: Sequence[Mapping[str, str]], dimensions: Mapping[str, str]) -> bool:
    return all(
        one["Name"] in dimensions and one.get("Value", dimensions[one["Name"]]) == dimensions[one["Name"]]
        for one in wanted
    )
