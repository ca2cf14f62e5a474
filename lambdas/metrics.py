"""What the dashboard shows, written as embedded metrics: one dimension each, never a run or resource id."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from orchestrator.names import METRICS_NAMESPACE


def report(metric: str, dimension: str, values: Mapping[str, float], unit: MetricUnit = MetricUnit.Count) -> None:
    """Report one value per dimension value (CloudWatch embedded metric format, through the function's log)."""
    for name, value in values.items():
        with single_metric(name=metric, unit=unit, value=value, namespace=METRICS_NAMESPACE) as emitted:
            emitted.add_dimension(name=dimension, value=name)
