"""Data points as PutMetricData brings them, and the statistics over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

POINTS_KEPT_PER_METRIC = 5_000
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MetricId:
    """A metric: namespace, name and its exact set of dimensions."""

    namespace: str
    name: str
    dimensions: Dimensions = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Iterable[Mapping[str, str]] = ()) -> MetricId:
        """Build the id from the API's list of Name/Value pairs."""
        return cls(namespace, name, tuple(sorted((one["Name"], one["Value"]) for one in dimensions)))


@dataclass(frozen=True)
class Point:
    """One data point: a single value (`count` 1) or a ready-made statistic set."""

    at: datetime
    total: float
    count: float
    low: float
    high: float

    @classmethod
    def single(cls, at: datetime, value: float, count: float = 1.0) -> Point:
        """Build the point of a single value seen `count` times."""
        return cls(at, value * count, count, value, value)


@dataclass
class Series:
    """The points of one metric, in the order they came."""

    points: list[Point] = field(default_factory=list)

    def add(self, points: Iterable[Point]) -> None:
        """Append points; the oldest beyond the limit are forgotten."""
        self.points.extend(points)
        del self.points[:-POINTS_KEPT_PER_METRIC]

    def between(self, start: datetime, end: datetime) -> list[Point]:
        """Return the points in [start, end)."""
        return [point for point in self.points if start <= point.at < end]


def points_of(datum: Mapping[str, Any]) -> list[Point]:
    """Return the points of one MetricDatum with its Timestamp: Value, Values with Counts, or StatisticValues."""
    at = datum["Timestamp"]
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(values)
        return [Point.single(at, float(value), float(count)) for value, count in zip(values, counts, strict=True)]
    if stats := datum.get("StatisticValues"):
        total, count = float(stats["Sum"]), float(stats["SampleCount"])
        return [Point(at, total, count, float(stats["Minimum"]), float(stats["Maximum"]))]
    return [Point.single(at, float(datum.get("Value", 0.0)))]


def statistic(points: Sequence[Point], name: str) -> float | None:
    """Return a statistic over points, None without points. Percentiles (`p99`) take the nearest rank."""
    count = sum(point.count for point in points)
    if not count:
        return None
    total = sum(point.total for point in points)
    if name.startswith("p"):
        values = sorted(point.total / point.count for point in points)
        return values[max(0, math.ceil(float(name[1:]) / 100 * len(values)) - 1)]
    simple = {
        "Average": total / count,
        "Sum": total,
        "SampleCount": count,
        "Minimum": min(point.low for point in points),
        "Maximum": max(point.high for point in points),
    }
    return simple.get(name)
