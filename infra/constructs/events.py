"""What starts functions and runs by itself: ended executions, the clocks of inventory and readiness, scheduled drills."""

from __future__ import annotations

import json

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.functions import machine_arn
from infra.drills import Drill
from orchestrator.names import Machine, drill_schedule

LATEST_MINUTES = 60
"""A drill that cannot begin this long after its time is not held."""
MEANT = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler puts the time into, for which it was told to invoke its target; the same however often it tries."""
ENDED_BADLY = ["FAILED", "TIMED_OUT", "ABORTED"]


class ExecutionsEnded(Construct):
    """Tells the hub about executions that died without telling it: stopped from outside, timed out, failed.

    Child executions of a Distributed Map carry another machine ARN and do not match.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, function: lambda_.IFunction, dead_letters: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self.rule = events.Rule(
            self,
            "Rule",
            rule_name="dr-execution-ended",
            description="A run's execution failed, timed out or was stopped from outside",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"status": ENDED_BADLY, "stateMachineArn": [machine_arn(machine) for machine in Machine]},
            ),
            targets=[
                targets.LambdaFunction(
                    function, dead_letter_queue=dead_letters, retry_attempts=20, max_event_age=Duration.hours(2)
                )
            ],
        )


class FunctionClock(Construct):
    """Invokes a function for all scopes every so many minutes: the inventory an emergency lives on, the readiness of plans."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        purpose: str,
        function: lambda_.IFunction,
        dead_letters: sqs.IQueue,
        key: kms.IKey,
        every_minutes: int,
    ) -> None:
        super().__init__(scope, construct_id)
        role = _schedule_role(
            self, name, "lambda:InvokeFunction", function.function_arn, dead_letters=dead_letters, key=key
        )
        unit = "minute" if every_minutes == 1 else "minutes"
        self.schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            name=name,
            description=purpose,
            schedule_expression=f"rate({every_minutes} {unit})",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=every_minutes * 60, maximum_retry_attempts=3
                ),
            ),
        )


class DrillClock(Construct):
    """Has a drill held by the calendar; what could not be started lies in the dead-letter queue, which is alarmed on."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        customer: str,
        drill: Drill,
        function: lambda_.IFunction,
        dead_letters: sqs.IQueue,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        name = drill_schedule(customer, drill.environment, drill.name)
        role = _schedule_role(
            self, name, "lambda:InvokeFunction", function.function_arn, dead_letters=dead_letters, key=key
        )
        due = {"Schedule": name, "Drill": drill.name, "At": MEANT, "Request": drill.request(customer)}
        self.schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            name=name,
            description=f"Drill {drill.name} of {customer}/{drill.environment}",
            schedule_expression=drill.schedule,
            schedule_expression_timezone=drill.time_zone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                input=json.dumps(due),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=LATEST_MINUTES * 60, maximum_retry_attempts=10
                ),
            ),
        )


def _schedule_role(
    parent: Construct, name: str, action: str, resource: str, *, dead_letters: sqs.IQueue, key: kms.IKey
) -> iam.Role:
    """Return the role of a schedule: it does one thing to one thing, and may say that it could not."""
    return iam.Role(
        parent,
        "Role",
        description=f"Lets the schedule {name} reach its target",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        ),
        inline_policies={
            "target": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(actions=[action], resources=[resource]),
                    iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn]),
                    iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]),
                ]
            )
        },
    )
