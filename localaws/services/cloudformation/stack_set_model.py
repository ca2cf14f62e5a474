"""Stack sets, their instances and operations, and how CloudFormation's replies show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws.services.cloudformation.stack import Inputs, Stack

Place = tuple[str, str]


@dataclass
class Instance:
    """A stack instance: one account and Region of a stack set."""

    account: str
    region: str
    unit: str | None
    overrides: dict[str, str] = field(default_factory=dict)
    stack: Stack | None = None
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str | None = None
    operation: str = ""


@dataclass
class Operation:
    """One operation of a stack set, with its result per account and Region."""

    id: str
    action: str
    created_at: datetime
    places: list[Place]
    preferences: Mapping[str, Any]
    targets: Mapping[str, Any] | None = None
    status: str = "RUNNING"
    ended_at: datetime | None = None
    reason: str | None = None
    results: dict[Place, tuple[str, str | None]] = field(default_factory=dict)


@dataclass
class StackSet:
    """A stack set in the account and Region that administers it."""

    id: str
    arn: str
    name: str
    account: str
    region: str
    inputs: Inputs
    service_managed: bool
    auto_deployment: Mapping[str, Any] | None
    description: str | None = None
    administration_role: str | None = None
    execution_role: str | None = None
    managed_execution: Mapping[str, Any] | None = None
    status: str = "ACTIVE"
    instances: dict[Place, Instance] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    targeted_units: set[tuple[str, str]] = field(default_factory=set)


SUMMARY = {
    "StackSetName",
    "StackSetId",
    "Description",
    "Status",
    "AutoDeployment",
    "PermissionModel",
    "ManagedExecution",
}


def _present(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if value is not None}


def described(stack_set: StackSet) -> dict[str, Any]:
    """Return a stack set as DescribeStackSet shows it."""
    return _present(
        {
            "StackSetName": stack_set.name,
            "StackSetId": stack_set.id,
            "StackSetARN": stack_set.arn,
            "Description": stack_set.description,
            "Status": stack_set.status,
            "TemplateBody": stack_set.inputs.body,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in stack_set.inputs.parameters.items()
            ],
            "Capabilities": list(stack_set.inputs.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in stack_set.inputs.tags.items()],
            "AdministrationRoleARN": stack_set.administration_role,
            "ExecutionRoleName": stack_set.execution_role,
            "AutoDeployment": stack_set.auto_deployment,
            "PermissionModel": "SERVICE_MANAGED" if stack_set.service_managed else "SELF_MANAGED",
            "OrganizationalUnitIds": sorted({unit for unit, _ in stack_set.targeted_units}) or None,
            "ManagedExecution": stack_set.managed_execution or {"Active": False},
            "Regions": sorted({region for _, region in stack_set.instances}) or None,
        }
    )


def instance_line(stack_set: StackSet, instance: Instance) -> dict[str, Any]:
    """Return an instance as ListStackInstances shows it."""
    return _present(
        {
            "StackSetId": stack_set.id,
            "Region": instance.region,
            "Account": instance.account,
            "StackId": instance.stack.id if instance.stack else None,
            "Status": instance.status,
            "StatusReason": instance.reason,
            "StackInstanceStatus": {"DetailedStatus": instance.detailed},
            "OrganizationalUnitId": instance.unit,
            "DriftStatus": "NOT_CHECKED",
            "LastOperationId": instance.operation or None,
        }
    )


def operation_line(stack_set: StackSet, done: Operation) -> dict[str, Any]:
    """Return an operation as DescribeStackSetOperation shows it."""
    failed = sum(1 for status, _ in done.results.values() if status == "FAILED")
    return _present(
        {
            "OperationId": done.id,
            "StackSetId": stack_set.id,
            "Action": done.action,
            "Status": done.status,
            "OperationPreferences": dict(done.preferences),
            "RetainStacks": False if done.action == "DELETE" else None,
            "AdministrationRoleARN": stack_set.administration_role,
            "ExecutionRoleName": stack_set.execution_role,
            "CreationTimestamp": done.created_at,
            "EndTimestamp": done.ended_at,
            "DeploymentTargets": done.targets,
            "StatusReason": done.reason,
            "StatusDetails": {"FailedStackInstancesCount": failed},
        }
    )
