"""The hub's buckets: what a Region's hub writes, and the copies of what the peer's hub wrote.

Replication in both directions between the same two buckets cannot be deployed without a custom resource, because each
must exist before the other names it. So each Region has a bucket of its own, and a second one for the peer's copies.
"""

from __future__ import annotations

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledge import acknowledge
from orchestrator.names import KEY_ALIAS

OLD_VERSIONS_DAYS = 365


class PrivateBucket(Construct):
    """A versioned, encrypted bucket that answers TLS only and nobody outside the account."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str, key: kms.IKey, retain: bool) -> None:
        super().__init__(scope, construct_id)
        self.name = name
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="forget-old-versions",
                    noncurrent_version_expiration=Duration.days(OLD_VERSIONS_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )
        acknowledge(
            self.bucket,
            "S1",
            "Only the hub's functions and machines read and write here, and every document they handle is in the audit "
            "table; object-level CloudTrail is the account's decision. A server access log bucket could not use the "
            "customer-managed key.",
        )


class ReplicatedBucket(PrivateBucket):
    """A private bucket whose every object is copied to `replica_name` in `replica_region`, under the key there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        key: kms.IKey,
        retain: bool,
        replica_name: str,
        replica_region: str,
    ) -> None:
        super().__init__(scope, construct_id, name=name, key=key, retain=retain)
        replica_arn = f"arn:{Aws.PARTITION}:s3:::{replica_name}"
        keys_there = f"arn:{Aws.PARTITION}:kms:{replica_region}:{Aws.ACCOUNT_ID}"
        role = self._role(replica_arn, f"{keys_there}:key/*", key)
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=role.role_arn,
            rules=[
                s3.CfnBucket.ReplicationRuleProperty(
                    id="copy-to-the-peer",
                    status="Enabled",
                    priority=1,
                    filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
                    delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Enabled"),
                    source_selection_criteria=s3.CfnBucket.SourceSelectionCriteriaProperty(
                        sse_kms_encrypted_objects=s3.CfnBucket.SseKmsEncryptedObjectsProperty(status="Enabled")
                    ),
                    destination=s3.CfnBucket.ReplicationDestinationProperty(
                        bucket=replica_arn,
                        encryption_configuration=s3.CfnBucket.EncryptionConfigurationProperty(
                            replica_kms_key_id=f"{keys_there}:{KEY_ALIAS}"
                        ),
                    ),
                )
            ],
        )

    def _role(self, replica_arn: str, keys_there: str, key: kms.IKey) -> iam.Role:
        own_arn = f"arn:{Aws.PARTITION}:s3:::{self.name}"
        statements = [
            iam.PolicyStatement(actions=["s3:GetReplicationConfiguration", "s3:ListBucket"], resources=[own_arn]),
            iam.PolicyStatement(
                actions=[
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionTagging",
                ],
                resources=[f"{own_arn}/*"],
            ),
            iam.PolicyStatement(
                actions=["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"], resources=[f"{replica_arn}/*"]
            ),
            iam.PolicyStatement(actions=["kms:Decrypt"], resources=[key.key_arn]),
            iam.PolicyStatement(
                actions=["kms:Encrypt", "kms:GenerateDataKey"],
                resources=[keys_there],
                conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": KEY_ALIAS}},
            ),
        ]
        role = iam.Role(
            self,
            "ReplicationRole",
            description="Copies the hub's documents to the peer Region",
            assumed_by=iam.ServicePrincipal(
                "s3.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            inline_policies={"replicate": iam.PolicyDocument(statements=statements)},
        )
        acknowledge(
            role,
            "IAM5",
            "Replication copies every object; the key in the peer Region is named by its alias through a condition, "
            "because its id is known only there.",
            f"Resource::{own_arn}/*",
            f"Resource::{replica_arn}/*",
            f"Resource::{keys_there}",
        )
        return role
