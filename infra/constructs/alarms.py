"""Alarms on everything that can fail silently; all of them go to the topic."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.functions import camel
from orchestrator import names
from orchestrator.names import Machine, Table

FIVE_MINUTES = Duration.minutes(5)
ENDED_BADLY = ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")


class Alarms(Construct):
    """Functions: errors, throttles. Machines: bad ends, throttled transitions. Tables: throttles. Dead letters: any."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)

    def watch_functions(self, functions: Mapping[str, lambda_.IFunction]) -> None:
        """Alarm on every error and throttle of every function."""
        for verb, function in functions.items():
            name = names.function(verb)
            look = f"Look at the log group /aws/lambda/{name}."
            self._alarm(
                f"{camel(verb)}Errors",
                f"{name}-errors",
                function.metric_errors(period=FIVE_MINUTES),
                f"{name} ended with an error. {look}",
            )
            self._alarm(
                f"{camel(verb)}Throttles",
                f"{name}-throttles",
                function.metric_throttles(period=FIVE_MINUTES),
                f"{name} was throttled: the account's Lambda concurrency is used up. Raise the quota.",
            )

    def watch_machines(self, machines: Mapping[Machine, sfn.IStateMachine]) -> None:
        """Alarm on bad ends and on throttled transitions, which no API call reports."""
        for machine, made in machines.items():
            metrics = {each.lower(): _machine_metric(made, each) for each in ENDED_BADLY}
            self._alarm(
                f"{machine.value}Failures",
                f"dr-{machine.value}-failures",
                cloudwatch.MathExpression(
                    expression="+".join(f"FILL({each}, 0)" for each in metrics),
                    using_metrics=metrics,
                    label=f"{machine.value} failed, timed out or aborted",
                    period=FIVE_MINUTES,
                ),
                f"An execution of {machine.value} failed, timed out or was stopped. Try: dr status <execution ARN>.",
            )
            self._alarm(
                f"{machine.value}Throttled",
                f"dr-{machine.value}-throttled-transitions",
                _machine_metric(made, "ExecutionThrottled"),
                f"State transitions of {machine.value} are throttled. Raise the StateTransition quota of this Region.",
            )

    def watch_tables(self) -> None:
        """Alarm when a table rejects reads or writes of this Region."""
        for table in Table:
            metrics = {
                each.lower(): cloudwatch.Metric(
                    namespace="AWS/DynamoDB",
                    metric_name=each,
                    dimensions_map={"TableName": table.value},
                    statistic="Sum",
                    period=FIVE_MINUTES,
                )
                for each in ("ReadThrottleEvents", "WriteThrottleEvents")
            }
            self._alarm(
                f"{table.name.capitalize()}TableThrottles",
                f"{table.value}-throttles",
                cloudwatch.MathExpression(
                    expression="+".join(f"FILL({each}, 0)" for each in metrics),
                    using_metrics=metrics,
                    label=f"{table.value} throttled requests",
                    period=FIVE_MINUTES,
                ),
                f"{table.value} throttles requests: a hot run, or the table's quota. Look at its metrics.",
            )

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm on the first event nobody could handle."""
        self._alarm(
            "DeadLetters",
            f"{names.DEAD_LETTERS}-depth",
            queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum"),
            f"An event could not be handled and lies in {names.DEAD_LETTERS}. Read it, repair, invoke the function again.",
        )

    def watch_readiness(self, region: str) -> None:
        """Alarm while a scope that stands by in this Region is not ready."""
        self._alarm(
            "ScopesNotReady",
            "dr-scopes-not-ready",
            cloudwatch.Metric(
                namespace=names.METRICS_NAMESPACE,
                metric_name="ScopesNotReady",
                dimensions_map={"service": names.function("judge_scopes"), "Region": region},
                statistic="Maximum",
                period=Duration.minutes(30),
            ),
            f"A scope could not be moved into {region} as it is. Try: dr readiness --region {region}.",
        )

    def _alarm(self, construct_id: str, name: str, metric: cloudwatch.IMetric, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=name,
            alarm_description=description,
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)


def _machine_metric(machine: sfn.IStateMachine, name: str) -> cloudwatch.Metric:
    return machine.metric(name, statistic="Sum", period=FIVE_MINUTES)
