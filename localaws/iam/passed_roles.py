"""Requests that hand a role to a service: the caller needs `iam:PassRole` on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.iam.resources import values

# (botocore service, operation) -> parameters that hold role ARNs, and the service that will assume the role.
_PASSED: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("backup", "StartBackupJob"): (("IamRoleArn",), "backup.amazonaws.com"),
    ("backup", "StartCopyJob"): (("IamRoleArn",), "backup.amazonaws.com"),
    ("backup", "StartRestoreJob"): (("IamRoleArn",), "backup.amazonaws.com"),
    ("cloudformation", "CreateChangeSet"): (("RoleARN",), "cloudformation.amazonaws.com"),
    ("cloudformation", "CreateStack"): (("RoleARN",), "cloudformation.amazonaws.com"),
    ("cloudformation", "DeleteStack"): (("RoleARN",), "cloudformation.amazonaws.com"),
    ("cloudformation", "UpdateStack"): (("RoleARN",), "cloudformation.amazonaws.com"),
    ("ec2", "AssociateIamInstanceProfile"): (("IamInstanceProfile.Arn",), "ec2.amazonaws.com"),
    ("ec2", "RunInstances"): (("IamInstanceProfile.Arn",), "ec2.amazonaws.com"),
    ("ecs", "CreateService"): (("role",), "ecs.amazonaws.com"),
    ("ecs", "RegisterTaskDefinition"): (("taskRoleArn", "executionRoleArn"), "ecs-tasks.amazonaws.com"),
    ("ecs", "RunTask"): (("overrides.taskRoleArn", "overrides.executionRoleArn"), "ecs-tasks.amazonaws.com"),
    ("ecs", "StartTask"): (("overrides.taskRoleArn", "overrides.executionRoleArn"), "ecs-tasks.amazonaws.com"),
    ("efs", "CreateReplicationConfiguration"): (("Destinations[].RoleArn",), "elasticfilesystem.amazonaws.com"),
    ("events", "CreateEndpoint"): (("RoleArn",), "events.amazonaws.com"),
    ("events", "PutRule"): (("RoleArn",), "events.amazonaws.com"),
    ("events", "PutTargets"): (("Targets[].RoleArn",), "events.amazonaws.com"),
    ("events", "UpdateEndpoint"): (("RoleArn",), "events.amazonaws.com"),
    ("lambda", "CreateFunction"): (("Role",), "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): (("Role",), "lambda.amazonaws.com"),
    ("rds", "CreateDBInstance"): (("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    ("rds", "CreateDBInstanceReadReplica"): (("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    ("rds", "ModifyDBInstance"): (("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    ("scheduler", "CreateSchedule"): (("Target.RoleArn",), "scheduler.amazonaws.com"),
    ("scheduler", "UpdateSchedule"): (("Target.RoleArn",), "scheduler.amazonaws.com"),
    ("ssm", "StartAutomationExecution"): (("Parameters.AutomationAssumeRole[]",), "ssm.amazonaws.com"),
    ("stepfunctions", "CreateStateMachine"): (("roleArn",), "states.amazonaws.com"),
    ("stepfunctions", "UpdateStateMachine"): (("roleArn",), "states.amazonaws.com"),
}


def passed_roles(service: str, operation: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (role ARN, service it is passed to) for the roles named in a request."""
    rule = _PASSED.get((service, operation))
    if rule is None:
        return []
    return [(arn, rule[1]) for arn in values(params, rule[0]) if arn.startswith("arn:")]
