"""What starts functions by itself: ended executions, and the clocks of inventory and readiness."""

from __future__ import annotations

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
from orchestrator.names import Machine

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
        role = iam.Role(
            self,
            "Role",
            description=f"Lets the schedule {name} invoke its function",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            inline_policies={
                "invoke": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn]),
                        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn]),
                        iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]),
                    ]
                )
            },
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
