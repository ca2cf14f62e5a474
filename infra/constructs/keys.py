"""The hub's customer-managed key of one Region."""

from __future__ import annotations

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from orchestrator.names import KEY_ALIAS


class HubKey(Construct):
    """One key per Region under one alias, so that stacks of the other Region can name it without its id.

    Every Region decrypts with its own key: nothing of the hub needs the lost Region's KMS.
    """

    def __init__(self, scope: Construct, construct_id: str, *, retain: bool) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description="Disaster-recovery hub: ledger, documents, notifications, logs",
            alias=KEY_ALIAS,
            enable_key_rotation=True,
            pending_window=Duration.days(30 if retain else 7),
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
        )
        for statement in (_logs(), _messengers(), _table_replication()):
            self.key.add_to_resource_policy(statement)


def _logs() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="LogGroupsOfThisAccount",
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
        actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        resources=["*"],
        conditions={
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
            }
        },
    )


def _messengers() -> iam.PolicyStatement:
    """Alarms publish to the encrypted topic, rules and schedules write to the encrypted dead-letter queue."""
    return iam.PolicyStatement(
        sid="AlarmsAndEventsOfThisAccount",
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com"), iam.ServicePrincipal("events.amazonaws.com")],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    )


def _table_replication() -> iam.PolicyStatement:
    """Global tables replicate with DynamoDB's service-linked role, which IAM policies of ours cannot reach."""
    role = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/aws-service-role/replication.dynamodb.amazonaws.com/*"
    return iam.PolicyStatement(
        sid="GlobalTableReplication",
        principals=[iam.AnyPrincipal()],
        actions=["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        conditions={
            "StringEquals": {
                "kms:CallerAccount": Aws.ACCOUNT_ID,
                "kms:ViaService": f"dynamodb.{Aws.REGION}.amazonaws.com",
            },
            "ArnLike": {"aws:PrincipalArn": role},
        },
    )
