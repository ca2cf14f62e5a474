"""From a call to the actions, resources and condition keys it is judged by."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.utils import get_service_model

from localaws.iam.arn_rules import ARN_RULES
from localaws.iam.calls import FREE, SPECIAL, action_of, needs
from localaws.iam.resources import BUILDERS, Where
from localaws.iam.table import prefix_of, resource_types

ACCOUNT, REGION = "222222222222", "us-west-2"


class KnownNames:
    """A stand-in for state: one key alias, one role with a path."""

    def arn(self, kind: str, name: str) -> str | None:
        known = {
            ("kms:key", "alias/dr"): f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k-1",
            ("iam:role", "hub"): f"arn:aws:iam::{ACCOUNT}:role/dr/hub",
        }
        return known.get((kind, name))

    def task_roles(self, definition: str) -> tuple[str, ...]:
        return (ROLE,) if definition == "web:1" else ()

    def mapped_function(self, mapping_id: str) -> str | None:
        return arn("lambda", "function:orders:live") if mapping_id == "m-1" else None


def judged_by(service: str, operation: str, params: dict[str, Any]) -> dict[str, list[str]]:
    """Return action -> resources, the account and Region left out of the ARNs."""
    found: dict[str, list[str]] = {}
    for need in needs(service, operation, params, Where(ACCOUNT, REGION, KnownNames())):
        found.setdefault(need.action, []).extend(target.arn for target in need.targets)
    return found


def arn(service: str, tail: str, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{tail}"


ROLE = f"arn:aws:iam::{ACCOUNT}:role/x"
CASES: list[tuple[str, str, dict[str, Any], dict[str, list[str]]]] = [
    (
        "lambda",
        "UpdateFunctionCode",
        {"FunctionName": "orders", "S3Bucket": "code", "S3Key": "orders.zip"},
        {
            "lambda:UpdateFunctionCode": [arn("lambda", "function:orders")],
            "s3:GetObject": ["arn:aws:s3:::code/orders.zip"],
        },
    ),
    (
        "lambda",
        "CreateFunction",
        {
            "FunctionName": "orders",
            "Role": ROLE,
            "Code": {"S3Bucket": "code", "S3Key": "orders.zip", "S3ObjectVersion": "7"},
        },
        {
            "lambda:CreateFunction": [arn("lambda", "function:orders")],
            "s3:GetObjectVersion": ["arn:aws:s3:::code/orders.zip"],
            "iam:PassRole": [ROLE],
        },
    ),
    ("rds", "PromoteReadReplica", {"DBInstanceIdentifier": "o"}, {"rds:PromoteReadReplica": [arn("rds", "db:o")]}),
    ("rds", "DescribeDBInstances", {}, {"rds:DescribeDBInstances": [arn("rds", "db:*")]}),
    ("rds", "DescribeEvents", {}, {"rds:DescribeEvents": ["*"]}),
    (
        "memorydb",
        "CreateCluster",
        {
            "ClusterName": "o",
            "ACLName": "a",
            "SnapshotArns": ["arn:aws:s3:::exports/o.n-0001.rdb"],
            "Tags": [{"Key": "dr:enabled", "Value": "true"}],
        },
        {
            "memorydb:CreateCluster": [arn("memorydb", "acl/a")],
            "memorydb:TagResource": [arn("memorydb", "cluster/o")],
            "s3:GetObject": ["arn:aws:s3:::exports/o.n-0001.rdb"],
        },
    ),
    (
        "memorydb",
        "CopySnapshot",
        {"SourceSnapshotName": "s", "TargetSnapshotName": "o.n", "TargetBucket": "exports"},
        {
            "memorydb:CopySnapshot": [arn("memorydb", "snapshot/o.n"), arn("memorydb", "snapshot/s")],
            "s3:GetBucketLocation": ["arn:aws:s3:::exports"],
            "s3:ListAllMyBuckets": ["*"],
            "s3:PutObject": ["arn:aws:s3:::exports/o.n-0001.rdb"],
            "s3:DeleteObject": ["arn:aws:s3:::exports/o.n-0001.rdb"],
        },
    ),
    (
        "memorydb",
        "DeleteCluster",
        {"ClusterName": "o", "FinalSnapshotName": "f"},
        {
            "memorydb:DeleteCluster": [arn("memorydb", "cluster/o")],
            "memorydb:CreateSnapshot": [arn("memorydb", "cluster/o")],
        },
    ),
    (
        "rds",
        "FailoverGlobalCluster",
        {"GlobalClusterIdentifier": "g", "TargetDbClusterIdentifier": arn("rds", "cluster:c")},
        {"rds:FailoverGlobalCluster": [arn("rds", "cluster:c"), arn("rds", "global-cluster:g", region="")]},
    ),
    (
        "rds",
        "ListTagsForResource",
        {"ResourceName": arn("rds", "db:o")},
        {"rds:ListTagsForResource": [arn("rds", "db:o")]},
    ),
    (
        "rds",
        "CreateDBInstanceReadReplica",
        {
            "DBInstanceIdentifier": "replica",
            "SourceDBInstanceIdentifier": arn("rds", "db:o", region="us-east-1"),
            "KmsKeyId": "alias/dr",
            "Tags": [{"Key": "dr:enabled", "Value": "true"}],
        },
        {
            "rds:CreateDBInstanceReadReplica": [arn("rds", "db:replica"), arn("rds", "db:o", region="us-east-1")],
            "rds:AddTagsToResource": [arn("rds", "db:replica")],
            "rds:CrossRegionCommunication": ["*"],
            "kms:DescribeKey": [arn("kms", "key/k-1")],
            "kms:CreateGrant": [arn("kms", "key/k-1")],
        },
    ),
    (
        "ecs",
        "UpdateService",
        {"cluster": "shop", "service": "web", "desiredCount": 3},
        {"ecs:UpdateService": [arn("ecs", "service/shop/web")]},
    ),
    ("ecs", "ListTasks", {"cluster": "shop"}, {"ecs:ListTasks": [arn("ecs", "container-instance/shop/*")]}),
    ("ecs", "ListServices", {"cluster": "shop"}, {"ecs:ListServices": ["*"]}),
    (
        "ecs",
        "RegisterTaskDefinition",
        {"family": "web", "executionRoleArn": ROLE},
        {"ecs:RegisterTaskDefinition": [arn("ecs", "task-definition/web:*")], "iam:PassRole": [ROLE]},
    ),
    (
        "ecs",
        "RunTask",
        {"cluster": "shop", "taskDefinition": "web:1"},
        {"ecs:RunTask": [arn("ecs", "task-definition/web:1")], "iam:PassRole": [ROLE]},
    ),
    (
        "drs",
        "StartRecovery",
        {"sourceServers": [{"sourceServerID": "s-1"}, {"sourceServerID": "s-2"}]},
        {"drs:StartRecovery": [arn("drs", "source-server/s-1"), arn("drs", "source-server/s-2")]},
    ),
    (
        "drs",
        "TerminateRecoveryInstances",
        {"recoveryInstanceIDs": ["i-1"]},
        {"drs:TerminateRecoveryInstances": [arn("drs", "recovery-instance/i-1")]},
    ),
    (
        "route53",
        "GetHealthCheck",
        {"HealthCheckId": "h"},
        {"route53:GetHealthCheck": ["arn:aws:route53:::healthcheck/h"]},
    ),
    (
        "route53",
        "ListTagsForResources",
        {"ResourceType": "hostedzone", "ResourceIds": ["Z1", "/hostedzone/Z2"]},
        {"route53:ListTagsForResources": ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]},
    ),
    ("route53", "GetChange", {"Id": "/change/C1"}, {"route53:GetChange": ["arn:aws:route53:::change/C1"]}),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        {"lambda:InvokeFunction": [arn("lambda", "function:f:live")]},
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": f"{ACCOUNT}:function:f"},
        {"lambda:InvokeFunction": [arn("lambda", "function:f")]},
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": ROLE, "Tags": {"a": "b"}},
        {
            "lambda:CreateFunction": [arn("lambda", "function:f")],
            "lambda:TagResource": [arn("lambda", "function:f")],
            "iam:PassRole": [ROLE],
        },
    ),
    (
        "lambda",
        "PutProvisionedConcurrencyConfig",
        {"FunctionName": "f", "Qualifier": "live"},
        {"lambda:PutProvisionedConcurrencyConfig": [arn("lambda", "function:f:live")]},
    ),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k/1"}, {"s3:GetObject": ["arn:aws:s3:::b/k/1"]}),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}, {"s3:GetObjectVersion": ["arn:aws:s3:::b/k"]}),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, {"s3:ListBucket": ["arn:aws:s3:::b"]}),
    ("s3", "GetBucketEncryption", {"Bucket": "b"}, {"s3:GetEncryptionConfiguration": ["arn:aws:s3:::b"]}),
    ("s3", "ListBuckets", {}, {"s3:ListAllMyBuckets": ["*"]}),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2"}]}},
        {"s3:DeleteObject": ["arn:aws:s3:::b/1", "arn:aws:s3:::b/2"]},
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "to", "Key": "k", "CopySource": "from/key?versionId=1"},
        {"s3:PutObject": ["arn:aws:s3:::to/k"], "s3:GetObject": ["arn:aws:s3:::from/key"]},
    ),
    (
        "dynamodb",
        "Query",
        {"TableName": "runs", "IndexName": "open"},
        {"dynamodb:Query": [arn("dynamodb", "table/runs/index/open")]},
    ),
    (
        "dynamodb",
        "BatchWriteItem",
        {"RequestItems": {"runs": [], "locks": []}},
        {"dynamodb:BatchWriteItem": [arn("dynamodb", "table/runs"), arn("dynamodb", "table/locks")]},
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "runs"}}, {"ConditionCheck": {"TableName": "locks"}}]},
        {
            "dynamodb:PutItem": [arn("dynamodb", "table/runs")],
            "dynamodb:ConditionCheckItem": [arn("dynamodb", "table/locks")],
        },
    ),
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": arn("states", "stateMachine:m")},
        {"states:StartExecution": [arn("states", "stateMachine:m")]},
    ),
    ("stepfunctions", "SendTaskSuccess", {"taskToken": "t"}, {"states:SendTaskSuccess": ["*"]}),
    (
        "ssm",
        "StartAutomationExecution",
        {"DocumentName": "DR-Failover", "Parameters": {"AutomationAssumeRole": [ROLE]}},
        {
            "ssm:StartAutomationExecution": [arn("ssm", "automation-definition/DR-Failover:$DEFAULT")],
            "iam:PassRole": [ROLE],
        },
    ),
    ("ssm", "GetParameter", {"Name": "/dr/config"}, {"ssm:GetParameter": [arn("ssm", "parameter/dr/config")]}),
    ("events", "PutRule", {"Name": "r"}, {"events:PutRule": [arn("events", "rule/r")]}),
    ("events", "PutRule", {"Name": "r", "EventBusName": "bus"}, {"events:PutRule": [arn("events", "rule/bus/r")]}),
    (
        "events",
        "PutEvents",
        {"Entries": [{"Source": "dr"}]},
        {"events:PutEvents": [arn("events", "event-bus/default")]},
    ),
    ("sqs", "SendMessageBatch", {"QueueUrl": f"http://localhost/{ACCOUNT}/q"}, {"sqs:SendMessage": [arn("sqs", "q")]}),
    ("sns", "Publish", {"TopicArn": arn("sns", "t")}, {"sns:Publish": [arn("sns", "t")]}),
    ("kms", "Decrypt", {"KeyId": "alias/dr"}, {"kms:Decrypt": [arn("kms", "key/k-1")]}),
    (
        "kms",
        "ReEncrypt",
        {"SourceKeyId": "k-1", "DestinationKeyId": "k-2"},
        {"kms:ReEncryptFrom": [arn("kms", "key/k-1")], "kms:ReEncryptTo": [arn("kms", "key/k-2")]},
    ),
    ("iam", "GetRole", {"RoleName": "hub"}, {"iam:GetRole": [f"arn:aws:iam::{ACCOUNT}:role/dr/hub"]}),
    ("memorydb", "DescribeACLs", {}, {"memorydb:DescribeAcls": [arn("memorydb", "acl/*")]}),
    ("logs", "CreateLogGroup", {"logGroupName": "g"}, {"logs:CreateLogGroup": [arn("logs", "log-group:g:*")]}),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "g", "logStreamName": "s"},
        {"logs:PutLogEvents": [arn("logs", "log-group:g:log-stream:s")]},
    ),
    ("opensearch", "SwitchoverReplication", {"DomainName": "d"}, {"es:SwitchoverReplication": [arn("es", "domain/d")]}),
    (
        "efs",
        "DescribeFileSystems",
        {"FileSystemId": "fs-1"},
        {"elasticfilesystem:DescribeFileSystems": [arn("elasticfilesystem", "file-system/fs-1")]},
    ),
    ("resourcegroupstaggingapi", "GetResources", {}, {"tag:GetResources": ["*"]}),
    (
        "service-quotas",
        "GetServiceQuota",
        {"ServiceCode": "drs", "QuotaCode": "L-1"},
        {"servicequotas:GetServiceQuota": [arn("servicequotas", "drs/L-1")]},
    ),
    ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, {"ec2:DescribeInstances": ["*"]}),
    (
        "ec2",
        "StopInstances",
        {"InstanceIds": ["i-1", "i-2"]},
        {"ec2:StopInstances": [arn("ec2", "instance/i-1"), arn("ec2", "instance/i-2")]},
    ),
    (
        "ec2",
        "CreateTags",
        {"Resources": ["i-1", "vol-1"]},
        {"ec2:CreateTags": [arn("ec2", "instance/i-1"), arn("ec2", "volume/vol-1")]},
    ),
    (
        "ec2",
        "CreateSnapshot",
        {"VolumeId": "vol-1"},
        {"ec2:CreateSnapshot": [arn("ec2", "volume/vol-1"), arn("ec2", "snapshot/*", account="")]},
    ),
    (
        "ec2",
        "RunInstances",
        {"ImageId": "ami-1", "TagSpecifications": [{"ResourceType": "instance", "Tags": []}]},
        {
            "ec2:RunInstances": [
                arn("ec2", "image/ami-1", account=""),
                arn("ec2", "instance/*"),
                arn("ec2", "network-interface/*"),
            ],
            "ec2:CreateTags": [arn("ec2", "instance/*")],
        },
    ),
    (
        "ec2",
        "CopyImage",
        {"SourceImageId": "ami-1", "TagSpecifications": [{"ResourceType": "snapshot", "Tags": []}]},
        {
            "ec2:CopyImage": [arn("ec2", "image/ami-1", account=""), arn("ec2", "snapshot/*", account="")],
            "ec2:CreateTags": [arn("ec2", "snapshot/*", account="")],
        },
    ),
    (
        "autoscaling",
        "UpdateAutoScalingGroup",
        {"AutoScalingGroupName": "g", "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}},
        {
            "autoscaling:UpdateAutoScalingGroup": [
                arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/g"),
            ],
            "ec2:RunInstances": [
                arn("ec2", "instance/*"),
                arn("ec2", "network-interface/*"),
                arn("ec2", "volume/*"),
                arn("ec2", "launch-template/lt-1"),
            ],
        },
    ),
    (
        "autoscaling",
        "UpdateAutoScalingGroup",
        {"AutoScalingGroupName": "g", "MinSize": 1},
        {"autoscaling:UpdateAutoScalingGroup": [arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/g")]},
    ),
    ("sts", "GetCallerIdentity", {}, {}),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), CASES)
def test_call_is_judged_by_its_actions_on_its_resources(
    service: str, operation: str, params: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert judged_by(service, operation, params) == expected


def keys_of(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for need in needs(service, operation, params, Where(ACCOUNT, REGION, KnownNames())):
        found |= need.keys
    return found


RECORDS = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": "App_1.Example.com.", "Type": "CNAME"}}]}
KEYS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "route53",
        "ChangeResourceRecordSets",
        {"HostedZoneId": "Z1", "ChangeBatch": RECORDS},
        {
            "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
            "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["app_1.example.com"],
        },
    ),
    ("ecs", "ListServices", {"cluster": "shop"}, {"ecs:cluster": arn("ecs", "cluster/shop")}),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        {"ServiceNamespace": "ecs"},
        {"application-autoscaling:service-namespace": "ecs"},
    ),
    ("cloudwatch", "PutMetricData", {"Namespace": "DR"}, {"cloudwatch:namespace": "DR"}),
    (
        "ecs",
        "RegisterTaskDefinition",
        {"family": "f", "taskRoleArn": ROLE},
        {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
    ),
    (
        "rds",
        "AddTagsToResource",
        {"ResourceName": "x", "Tags": [{"Key": "a", "Value": "b"}]},
        {"aws:RequestTag/a": "b", "aws:TagKeys": ["a"]},
    ),
    ("drs", "UntagResource", {"resourceArn": "x", "tagKeys": ["a"]}, {"aws:TagKeys": ["a"]}),
    ("kms", "CreateGrant", {"KeyId": "k"}, {"kms:GrantIsForAWSResource": "false"}),
    (
        "rds",
        "CreateDBInstance",
        {"DBInstanceIdentifier": "d", "KmsKeyId": "k"},
        {"kms:GrantIsForAWSResource": "true", "kms:ViaService": "rds.us-west-2.amazonaws.com"},
    ),
    (
        "route53-recovery-cluster",
        "UpdateRoutingControlState",
        {"RoutingControlArn": "a", "SafetyRulesToOverride": ["r"]},
        {"route53-recovery-cluster:AllowSafetyRulesOverrides": "true"},
    ),
    (
        "autoscaling",
        "UpdateAutoScalingGroup",
        {"AutoScalingGroupName": "g", "MaxSize": 4},
        {"autoscaling:MaxSize": "4"},
    ),
    ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "runs/"}, {"s3:prefix": "runs/"}),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), KEYS)
def test_call_carries_the_condition_keys_of_its_parameters(
    service: str, operation: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = keys_of(service, operation, params)
    assert {key: found.get(key) for key in expected} == expected


# Operations of the services we fail over whose resources nobody taught us to name; judged on `*` and logged.
# Shorten this list when one of them is used; never lengthen it silently.
KNOWN_GAPS = {
    "elbv2": "TrustStore|ResourcePolicy",
    "events": "EventSource",
    "fsx": "UpdateFileCache",
    "lambda": "CapacityProvider|CodeSigning|DurableExecution|ResourcePolicy|LayerVersionByArn",
    "memorydb": "MultiRegionParameter|ReservedNodes",
    "opensearch": "DataSource|Application|Capability|Migration|InsightFeedback|UpdateClone|CompareDomain",
    "secretsmanager": "CrossAccountReplica|ListResourcePolicies",
    "rds": "Proxy|Proxies|ShardGroup|EngineVersion|Integration|Reserved|CapacityReservation|TenantDatabase|PlatformVersions",
    "drs": "RecoveryPlan",
    "ecs": "Daemon|Gateway|ContinueServiceDeployment",
    "elasticache": "Migration",
    "route53": "Cidr|QueryLogging|TrafficPolic",
    "cloudwatch": "MuteRule|MetricStream|Dataset|OTel|MetricDataQuery|ResourceMetrics|PutLogAlarm|AlarmContributors",
}
COVERED = [
    "application-autoscaling",
    "autoscaling",
    "cloudwatch",
    "drs",
    "ecs",
    "efs",
    "elasticache",
    "elbv2",
    "events",
    "fsx",
    "lambda",
    "memorydb",
    "opensearch",
    "rds",
    "resourcegroupstaggingapi",
    "route53",
    "route53-recovery-cluster",
    "scheduler",
    "secretsmanager",
    "service-quotas",
    "sns",
    "sqs",
    "stepfunctions",
]


@pytest.mark.parametrize("service", COVERED)
def test_every_operation_has_a_known_action_and_nameable_resources_save_the_listed_gaps(service: str) -> None:
    allowed = [part for part in KNOWN_GAPS.get(service, "").split("|") if part]
    missing = [
        operation
        for operation in get_service_model(service).operation_names
        if not _is_nameable(service, operation) and not any(part in operation for part in allowed)
    ]
    assert missing == []


def _is_nameable(service: str, operation: str) -> bool:
    if (service, operation) in SPECIAL or (service, operation) in FREE:
        return True
    types = resource_types(action_of(service, operation, {}))
    if types is None:
        return False
    prefix = prefix_of(service)
    return not types or any((prefix, kind.name) in BUILDERS or kind.name in ARN_RULES.get(prefix, {}) for kind in types)


@pytest.mark.parametrize("operation", ["DeleteEventSourceMapping", "GetEventSourceMapping", "UpdateEventSourceMapping"])
def test_an_event_source_mapping_is_judged_by_the_function_it_calls(operation: str) -> None:
    def keys(mapping_id: str) -> dict[str, Any]:
        (need,) = needs("lambda", operation, {"UUID": mapping_id}, Where(ACCOUNT, REGION, KnownNames()))
        return dict(need.keys)

    assert keys("m-1")["lambda:FunctionArn"] == arn("lambda", "function:orders:live")
    assert "lambda:FunctionArn" not in keys("unknown")
