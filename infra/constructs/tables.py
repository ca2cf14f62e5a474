"""The ledger: four DynamoDB global tables, home Region plus replica in the peer Region."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from orchestrator.names import KEY_ALIAS, RUNS_BY_SCOPE, Table


class LedgerTables(Construct):
    """On demand, point-in-time recovery, deletion protection, the customer-managed key of each Region.

    Eventually consistent between the Regions (MREC): every run has one writer Region, so writes never meet.
    """

    def __init__(self, scope: Construct, construct_id: str, *, peer_region: str, retain: bool) -> None:
        super().__init__(scope, construct_id)
        key = kms.Alias.from_alias_name(self, "Key", KEY_ALIAS)
        peer_key = f"arn:{Aws.PARTITION}:kms:{peer_region}:{Aws.ACCOUNT_ID}:{KEY_ALIAS}"
        recovery = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)
        self.tables = {
            table: dynamodb.TableV2(
                self,
                table.name.capitalize(),
                table_name=table.value,
                partition_key=_text("pk"),
                sort_key=_text("sk"),
                billing=dynamodb.Billing.on_demand(),
                encryption=dynamodb.TableEncryptionV2.customer_managed_key(key, {peer_region: peer_key}),
                point_in_time_recovery_specification=recovery,
                deletion_protection=retain,
                removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
                replicas=[
                    dynamodb.ReplicaTableProps(
                        region=peer_region,
                        point_in_time_recovery_specification=recovery,
                        deletion_protection=retain,
                    )
                ],
            )
            for table in Table
        }
        self.tables[Table.RUNS].add_global_secondary_index(
            index_name=RUNS_BY_SCOPE, partition_key=_text("gsi1pk"), sort_key=_text("gsi1sk")
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
