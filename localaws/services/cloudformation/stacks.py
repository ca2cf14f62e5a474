"""The stack and change-set operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudformation import sources
from localaws.services.cloudformation import template as templates
from localaws.services.cloudformation.stack import Stack, StackStatus
from localaws.services.cloudformation.stack_views import (
    ChangeSet,
    declared,
    described,
    event_line,
    resource_line,
    summary,
)
from localaws.services.cloudformation.template import validation_error

if TYPE_CHECKING:
    from localaws.world import World

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
PAGE = 100


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
            return {"Stacks": [described(self._stack(call, name))]}
        return {"Stacks": [described(stack) for stack in self._mine(call) if stack.deleted_at is None]}

    @operation("ListStacks")
    def list_stacks(self, call: Call) -> Reply:
        wanted = call.params.get("StackStatusFilter")
        chosen = [stack for stack in self._mine(call) if not wanted or stack.status in wanted]
        return {"StackSummaries": [summary(stack) for stack in chosen]}

    @operation("DescribeStackEvents")
    def describe_stack_events(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        events = list(reversed(stack.events))
        start = int(call.params.get("NextToken") or 0)
        page: dict[str, Any] = {"StackEvents": [event_line(stack, e) for e in events[start : start + PAGE]]}
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
            resource_line(stack, resource)
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
        detail = resource_line(stack, resource)
        detail["LastUpdatedTimestamp"] = detail.pop("Timestamp")
        return {"StackResourceDetail": detail}

    @operation("ListStackResources")
    def list_stack_resources(self, call: Call) -> Reply:
        stack = self._stack(call, call.params["StackName"])
        found = []
        for resource in stack.resources.values():
            line = resource_line(stack, resource)
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
            "Parameters": [declared(key, value) for key, value in (template.get("Parameters") or {}).items()],
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
                for k, v in declared(key, value).items()
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
