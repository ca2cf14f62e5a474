"""The first dashboard: how runs stand, how far, how fast; and whether the hub itself is well."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.verbs import VERBS
from orchestrator import names
from orchestrator.names import Machine

MINUTE = Duration.minutes(1)
WIDTH, HEIGHT = 12, 6

RUN_METRICS = (
    ("Runs by state", "Runs", "Status", "Sum"),
    ("Recovery time by part, seconds", "RecoverySeconds", "Part", "Maximum"),
    ("Stages by status", "Stages", "Status", "Sum"),
    ("Actions by outcome", "Actions", "Outcome", "Sum"),
    ("Scopes ready to be moved (1) or not (0)", "ScopeReady", "Scope", "Minimum"),
    ("What the watchdog found", "WatchdogFindings", "Finding", "Sum"),
    ("Scopes not ready", "ScopesNotReady", "Region", "Maximum"),
)
"""Title, metric in namespace DR, its one dimension, statistic: what the functions report."""
FUNCTION_METRICS = (
    ("Function errors", "Errors", "Sum"),
    ("Function duration, p95, milliseconds", "Duration", "p95"),
)
EXECUTION_METRICS = (
    ("ExecutionsStarted", "started"),
    ("ExecutionsSucceeded", "succeeded"),
    ("ExecutionsFailed", "failed"),
)


class Dashboard(Construct):
    """`DR-Orchestrator`. A dashboard is a global object, so the home Region's stack makes it, for both Regions."""

    def __init__(self, scope: Construct, construct_id: str, *, regions: Iterable[str]) -> None:
        super().__init__(scope, construct_id)
        self._regions = tuple(regions)
        self.dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=names.DASHBOARD, default_interval=Duration.hours(3)
        )
        self.dashboard.add_widgets(self._words())
        for first in range(0, len(RUN_METRICS), 2):
            self.dashboard.add_widgets(*(self._run_metric(*row) for row in RUN_METRICS[first : first + 2]))
        self.dashboard.add_widgets(*(self._executions(region) for region in self._regions))
        for row in FUNCTION_METRICS:
            self.dashboard.add_widgets(*(self._functions(region, *row) for region in self._regions))

    def _words(self) -> cloudwatch.TextWidget:
        return cloudwatch.TextWidget(
            width=2 * WIDTH,
            height=2,
            markdown=(
                f"# Disaster recovery\nHub Regions: {' and '.join(self._regions)}. A run is started in the Region that is "
                "being activated. One run in detail: `dr status <execution ARN> --watch`."
            ),
        )

    def _run_metric(self, title: str, metric: str, dimension: str, statistic: str) -> cloudwatch.GraphWidget:
        """Search instead of naming dimension values, so that new states and outcomes show without a deployment."""
        search = f"SEARCH('{{{names.METRICS_NAMESPACE},service,{dimension}}} MetricName=\"{metric}\"', '{statistic}')"
        expressions = [
            cloudwatch.MathExpression(expression=search, search_region=region, label=region, period=MINUTE)
            for region in self._regions
        ]
        return cloudwatch.GraphWidget(title=title, width=WIDTH, height=HEIGHT, left=expressions)

    def _executions(self, region: str) -> cloudwatch.GraphWidget:
        lines = [
            cloudwatch.Metric(
                namespace="AWS/States",
                metric_name=metric,
                dimensions_map={
                    "StateMachineArn": f"arn:{Aws.PARTITION}:states:{region}:{Aws.ACCOUNT_ID}:stateMachine:{machine.value}"
                },
                statistic="Sum",
                period=MINUTE,
                region=region,
                label=f"{machine.value} {label}",
            )
            for machine in Machine
            for metric, label in EXECUTION_METRICS
        ]
        return cloudwatch.GraphWidget(
            title=f"Executions, {region}", width=WIDTH, height=HEIGHT, region=region, left=lines
        )

    def _functions(self, region: str, title: str, metric: str, statistic: str) -> cloudwatch.GraphWidget:
        lines = [
            cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name=metric,
                dimensions_map={"FunctionName": names.function(verb.name)},
                statistic=statistic,
                period=MINUTE,
                region=region,
                label=verb.name,
            )
            for verb in VERBS
        ]
        return cloudwatch.GraphWidget(title=f"{title}, {region}", width=WIDTH, height=HEIGHT, region=region, left=lines)
