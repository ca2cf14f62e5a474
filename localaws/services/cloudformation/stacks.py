"""The stack and change-set operations."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudformation import sources
from localaws.services.cloudformation import template as templates
from localaws.services.cloudformation.stack import Change, Inputs, Resource, Stack, StackStatus
from localaws.services.cloudformation.template import validation_error

if TYPE_CHECKING:
    from localaws.world import World

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
PAGE = 100


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


class StackOperations:
    """Stacks of every account and Region."""

    world: World

    def start(self) -> None:
        """Begin without stacks."""
        self.stacks: dict[str, Stack] = {}
        self.change_sets: dict[str, ChangeSet] = {}

    # For other modules

    def new_stack(self, account: str, region: str, name: str) -> Stack:
        """Add an empty stack. Raises `AlreadyExistsException`."""
        present = self.stack_named(account, region, name)
        if present is not None and present.status != StackStatus.REVIEW_IN_PROGRESS:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = Stack(self.world, account, region, name, self._exports_of(account, region))
        self.stacks[stack.id] = stack
        return stack

    def stack_named(self, account: str, region: str, name: str) -> Stack | None:
        """Return the living stack of that name."""
        for stack in self.stacks.values():
            if (stack.name, stack.account, stack.region) == (name, account, region) and stack.deleted_at is None:
                return stack
        return None

    # Stacks

    @operation("CreateStack")
    def create_stack(self, call: Call) -> Reply:
        inputs = sources.inputs(self.world, call)
        stack = self.new_stack(call.account, call.region, call.params["StackName"])
        stack.protected = bool(call.params.get("EnableTerminationProtection"))
        failure = call.params.get("OnFailure", "ROLLBACK")
        try:
            stack.create(inputs, keep_failed=failure == "DO_NOTHING" or bool(call.params.get("DisableRollback")))
        except AwsError:
            del self.stacks[stack.id]
            raise
        return {"StackId": stack.id}

    @operation("UpdateStack")
    def update_stack(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        inputs = sources.inputs(self.world, call, stack.inputs)
        if stack.is_unchanged_by(inputs):
            raise validation_error("No updates are to be performed.")
        stack.update(inputs)
        return {"StackId": stack.id}

    @operation("DeleteStack")
    def delete_stack(self, call: Call) -> Reply:
        stack = self._find(call, call.params["StackName"])
        if stack is None or stack.deleted_at is not None:
            return {}
        if stack.protected:
            message = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            raise validation_error(message)
        stack.delete(call.params.get("RetainResources") or [], call.params.get("ClientRequestToken"))
        return {}

    @operation("DescribeStacks")
    def describe_stacks(self, call: Call) -> Reply:
        name = call.params.get("StackName")
        if name:
            return {"Stacks": [_described(self._stack(call, name))]}
        return {"Stacks": [_described(stack) for stack in self._mine(call) if stack.deleted_at is None]}

    @operation("ListStacks")
    def list_stacks(self, call: Call) -> Reply:
        wanted = call.params.get("StackStatusFilter")
        chosen = [stack for stack in self._mine(call) if not wanted or stack.status in wanted]
        return {"StackSummaries": [_summary(stack) for stack in chosen]}

    @operation("DescribeStackEvents")
    def describe_stack_events(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        events = list(reversed(stack.events))
        start = int(call.params.get("NextToken") or 0)
        page: dict[str, Any] = {"StackEvents": [_event(stack, e) for e in events[start : start + PAGE]]}
        if start + PAGE < len(events):
            page["NextToken"] = str(start + PAGE)
        return page

    @operation("DescribeStackResources")
    def describe_stack_resources(self, call: Call) -> Reply:
        name = call.params.get("StackName")
        wanted = call.params.get("LogicalResourceId")
        physical = call.params.get("PhysicalResourceId")
        stacks = [self._stack(call, name)] if name else [s for s in self._mine(call) if s.deleted_at is None]
        found = [
            _resource(stack, resource)
            for stack in stacks
            for resource in stack.resources.values()
            if wanted in {None, resource.logical_id} and physical in {None, resource.made.physical_id}
        ]
        return {"StackResources": found}

    @operation("DescribeStackResource")
    def describe_stack_resource(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        name = call.params["LogicalResourceId"]
        resource = stack.resources.get(name)
        if resource is None:
            raise validation_error(f"Resource {name} does not exist for stack {stack.name}")
        detail = _resource(stack, resource)
        detail["LastUpdatedTimestamp"] = detail.pop("Timestamp")
        return {"StackResourceDetail": detail}

    @operation("ListStackResources")
    def list_stack_resources(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        found = []
        for resource in stack.resources.values():
            line = _resource(stack, resource)
            line["LastUpdatedTimestamp"] = line.pop("Timestamp")
            found.append({key: value for key, value in line.items() if key not in {"StackId", "StackName"}})
        return {"StackResourceSummaries": found}

    @operation("GetTemplate")
    def get_template(self, call: Call) -> Reply:
        change_set = call.params.get("ChangeSetName")
        holder = self._change_set(call, change_set) if change_set else self._stack(call, call.params["StackName"])
        return {"TemplateBody": holder.inputs.body, "StagesAvailable": ["Original", "Processed"]}

    @operation("GetTemplateSummary")
    def get_template_summary(self, call: Call) -> Reply:
        name = call.params.get("StackName")
        previous = self._stack(call, name).inputs.body if name else None
        text = previous if previous else sources.body(self.world, call)
        template = templates.parse(text)
        needed = sources.capabilities_needed(template)
        reply: dict[str, Any] = {
            "Parameters": [_declared(key, value) for key, value in (template.get("Parameters") or {}).items()],
            "ResourceTypes": sorted({resource["Type"] for resource in template["Resources"].values()}),
            "Version": template.get("AWSTemplateFormatVersion", "2010-09-09"),
            "Metadata": json.dumps(template["Metadata"]) if "Metadata" in template else None,
            "Description": template.get("Description"),
            "Capabilities": needed or None,
        }
        return {key: value for key, value in reply.items() if value is not None}

    @operation("ValidateTemplate")
    def validate_template(self, call: Call) -> Reply:
        template = templates.parse(sources.body(self.world, call))
        templates.order(template["Resources"])
        parameters = [
            {
                k: v
                for k, v in _declared(key, value).items()
                if k in {"ParameterKey", "DefaultValue", "NoEcho", "Description"}
            }
            for key, value in (template.get("Parameters") or {}).items()
        ]
        reply = {"Parameters": parameters, "Capabilities": sources.capabilities_needed(template)}
        return reply | ({"Description": template["Description"]} if "Description" in template else {})

    @operation("SetStackPolicy")
    def set_stack_policy(self, call: Call) -> Reply:
        self._stack(call, call.params["StackName"]).policy = call.params.get("StackPolicyBody")
        return {}

    @operation("GetStackPolicy")
    def get_stack_policy(self, call: Call) -> Reply:
        policy = self._stack(call, call.params["StackName"]).policy
        return {"StackPolicyBody": policy} if policy else {}

    @operation("UpdateTerminationProtection")
    def update_termination_protection(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        stack.protected = call.params["EnableTerminationProtection"]
        return {"StackId": stack.id}

    @operation("ListExports")
    def list_exports(self, call: Call) -> Reply:
        found = []
        for stack in self._mine(call):
            for line in stack.outputs.values():
                if "ExportName" in line and stack.deleted_at is None:
                    export = {"Name": line["ExportName"], "Value": line["OutputValue"]}
                    found.append({"ExportingStackId": stack.id, **export})
        return {"Exports": found}

    # Change sets

    @operation("CreateChangeSet")
    def create_change_set(self, call: Call) -> Reply:
        name, kind = call.params["StackName"], call.params.get("ChangeSetType", "UPDATE")
        stack = self._find(call, name)
        if stack is None or stack.deleted_at is not None:
            if kind == "UPDATE":
                raise validation_error(f"Stack [{name}] does not exist")
            inputs = sources.inputs(self.world, call)
            stack = self.new_stack(call.account, call.region, name)
        else:
            if kind == "CREATE" and stack.status != StackStatus.REVIEW_IN_PROGRESS:
                raise validation_error(
                    f"Stack [{name}] already exists and cannot be created again with the changeSet [{name}]."
                )
            inputs = sources.inputs(self.world, call, stack.inputs)
        same = kind == "UPDATE" and stack.is_unchanged_by(inputs)
        change_set = ChangeSet(
            id=_change_set_arn(call),
            name=call.params["ChangeSetName"],
            type=kind,
            stack=stack,
            inputs=inputs,
            changes=stack.changes(inputs),
            created_at=self.world.clock.now(),
            status="FAILED" if same else "CREATE_COMPLETE",
            execution="UNAVAILABLE" if same else "AVAILABLE",
            reason=NO_CHANGES if same else None,
            description=call.params.get("Description"),
            keep_failed=call.params.get("OnStackFailure") == "DO_NOTHING",
            parameters=list(call.params.get("Parameters") or []),
        )
        self.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    @operation("DescribeChangeSet")
    def describe_change_set(self, call: Call) -> Reply:
        change_set = self._change_set(call, call.params["ChangeSetName"])
        inputs = change_set.inputs
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in inputs.parameters.items()]
        return {
            **_change_set_summary(change_set),
            "Parameters": parameters,
            "Capabilities": list(inputs.capabilities),
            "Tags": _pairs(inputs.tags),
            "Changes": [{"Type": "Resource", "ResourceChange": _change(change)} for change in change_set.changes],
        }

    @operation("ExecuteChangeSet")
    def execute_change_set(self, call: Call) -> Reply:
        change_set = self._change_set(call, call.params["ChangeSetName"])
        if change_set.execution != "AVAILABLE":
            message = f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
            raise AwsError("InvalidChangeSetStatus", message)
        token = call.params.get("ClientRequestToken")
        given = change_set.inputs
        inputs = Inputs(given.body, given.parameters, given.tags, given.capabilities, given.role_arn, token)
        change_set.execution = "EXECUTE_COMPLETE"
        if change_set.type == "CREATE":
            keep = change_set.keep_failed or bool(call.params.get("DisableRollback"))
            change_set.stack.create(inputs, keep_failed=keep)
        else:
            change_set.stack.update(inputs)
        for other in [c for c in self.change_sets.values() if c.stack is change_set.stack]:
            if other is not change_set:
                del self.change_sets[other.id]
        return {}

    @operation("DeleteChangeSet")
    def delete_change_set(self, call: Call) -> Reply:
        try:
            change_set = self._change_set(call, call.params["ChangeSetName"])
        except AwsError:
            return {}
        del self.change_sets[change_set.id]
        return {}

    @operation("ListChangeSets")
    def list_change_sets(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        mine = [c for c in self.change_sets.values() if c.stack is stack]
        return {"Summaries": [_change_set_summary(change_set) for change_set in mine]}

    # Finding

    def _mine(self, call: Call) -> Iterator[Stack]:
        return (s for s in self.stacks.values() if (s.account, s.region) == (call.account, call.region))

    def _find(self, call: Call, name_or_id: str) -> Stack | None:
        if name_or_id in self.stacks:
            return self.stacks[name_or_id]
        return self.stack_named(call.account, call.region, name_or_id)

    def _stack(self, call: Call, name_or_id: str) -> Stack:
        stack = self._find(call, name_or_id)
        if stack is None:
            raise validation_error(f"Stack with id {name_or_id} does not exist")
        return stack

    def _change_set(self, call: Call, name_or_id: str) -> ChangeSet:
        if name_or_id in self.change_sets:
            return self.change_sets[name_or_id]
        stack = self._find(call, call.params.get("StackName", ""))
        for change_set in self.change_sets.values():
            if change_set.name == name_or_id and change_set.stack is stack:
                return change_set
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{name_or_id}] does not exist", 404)

    def _exports_of(self, account: str, region: str) -> Callable[[str], Any]:
        def find(name: str) -> Any:
            for stack in self.stacks.values():
                if (stack.account, stack.region) == (account, region) and stack.deleted_at is None:
                    for line in stack.outputs.values():
                        if line.get("ExportName") == name:
                            return line["OutputValue"]
            raise validation_error(f"No export named {name} found.")

        return find


def _change_set_arn(call: Call) -> str:
    name = call.params["ChangeSetName"]
    return f"arn:aws:cloudformation:{call.region}:{call.account}:changeSet/{name}/{uuid.uuid4()}"


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _described(stack: Stack) -> dict[str, Any]:
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
        "Tags": _pairs(stack.inputs.tags),
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }
    return {key: value for key, value in described.items() if value is not None}


def _plain(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _summary(stack: Stack) -> dict[str, Any]:
    names = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus")
    described = _described(stack) | {"TemplateDescription": stack.description}
    return {
        k: v
        for k, v in described.items()
        if v is not None and k in {*names, "TemplateDescription", "StackStatusReason"}
    }


def _event(stack: Stack, event: Any) -> dict[str, Any]:
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


def _resource(stack: Stack, resource: Resource) -> dict[str, Any]:
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


def _declared(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
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


def _change_set_summary(change_set: ChangeSet) -> dict[str, Any]:
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


def _change(change: Change) -> dict[str, Any]:
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
