"""Log groups: every one with a retention and the hub's key."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group_of(scope: Construct, name: str, key: kms.IKey, retention_days: int) -> logs.LogGroup:
    """Return a new log group. Logs are a convenience beside the ledger, so they go when the stack goes."""
    group = logs.LogGroup(scope, "Logs", log_group_name=name, encryption_key=key, removal_policy=RemovalPolicy.DESTROY)
    resource = group.node.default_child
    assert isinstance(resource, logs.CfnLogGroup)
    resource.retention_in_days = retention_days
    return group
