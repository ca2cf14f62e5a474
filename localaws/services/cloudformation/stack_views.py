"""Stacks and change sets as CloudFormation's replies show them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws.service import Call
from localaws.services.cloudformation.stack import Change, Event, Inputs, Resource, Stack


@dataclass
class ChangeSet:
    """A change set; it is ready as soon as it is made."""

    id: str
    name: str
    type: str
    stack: Stack
    inputs: Inputs
    changes: list[Change]
    created_at: datetime
    status: str
    execution: str
    reason: str | None = None
    description: str | None = None
    keep_failed: bool = False
    parameters: list[Mapping[str, Any]] = field(default_factory=list)


def change_set_arn(call: Call) -> str:
    """Return a new change set's ARN."""
    name = call.params["ChangeSetName"]
    return f"arn:aws:cloudformation:{call.region}:{call.account}:changeSet/{name}/{uuid.uuid4()}"


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as Key/Value pairs."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def described(stack: Stack) -> dict[str, Any]:
    """Return a stack as DescribeStacks shows it."""
    shown = {key: _plain(value) for key, value in stack.resolved_parameters.items()}
    given = {key: stack.inputs.parameters.get(key, value) for key, value in shown.items()}
    described = {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.description,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": False,
        "NotificationARNs": [],
        "Capabilities": list(stack.inputs.capabilities),
        "Outputs": list(stack.outputs.values()) or None,
        "RoleARN": stack.inputs.role_arn,
        "Tags": pairs(stack.inputs.tags),
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": _drift(stack),
    }
    return {key: value for key, value in described.items() if value is not None}


def _drift(stack: Stack) -> dict[str, Any]:
    checked = {"LastCheckTimestamp": stack.drift_checked_at} if stack.drift_checked_at else {}
    return {"StackDriftStatus": stack.drift, **checked}


def _plain(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def summary(stack: Stack) -> dict[str, Any]:
    """Return a stack as ListStacks shows it."""
    names = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus")
    line = described(stack) | {"TemplateDescription": stack.description}
    return {
        k: v for k, v in line.items() if v is not None and k in {*names, "TemplateDescription", "StackStatusReason"}
    }


def event_line(stack: Stack, event: Event) -> dict[str, Any]:
    """Return an event as DescribeStackEvents shows it."""
    line = {
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": event.at,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ClientRequestToken": event.token,
    }
    return {key: value for key, value in line.items() if value is not None}


def resource_line(stack: Stack, resource: Resource) -> dict[str, Any]:
    """Return a resource as DescribeStackResources shows it."""
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.made.physical_id,
        "ResourceType": resource.type,
        "Timestamp": resource.updated_at,
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def declared(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declared parameter as GetTemplateSummary shows it."""
    line = {
        "ParameterKey": key,
        "ParameterType": value.get("Type", "String"),
        "DefaultValue": None if "Default" not in value else str(value["Default"]),
        "NoEcho": bool(value.get("NoEcho")),
        "Description": value.get("Description"),
        "ParameterConstraints": {"AllowedValues": [str(v) for v in value["AllowedValues"]]}
        if "AllowedValues" in value
        else None,
    }
    return {name: item for name, item in line.items() if item is not None}


def change_set_summary(change_set: ChangeSet) -> dict[str, Any]:
    """Return a change set as ListChangeSets shows it."""
    line = {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
        "Description": change_set.description,
        "CreationTime": change_set.created_at,
        "ExecutionStatus": change_set.execution,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "IncludeNestedStacks": False,
    }
    return {key: value for key, value in line.items() if value is not None}


def change_line(change: Change) -> dict[str, Any]:
    """Return one change as DescribeChangeSet shows it."""
    line: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "ResourceType": change.type,
        "Scope": [],
        "Details": [],
    }
    if change.physical_id is not None:
        line["PhysicalResourceId"] = change.physical_id
    if change.action == "Modify":
        line |= {"Replacement": "True" if change.replacement else "False", "Scope": ["Properties"]}
    return line
