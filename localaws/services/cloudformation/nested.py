"""CloudFormation's own resource types: nested stacks, stack sets and markers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from localaws.service import AwsError
from localaws.services.cloudformation import sources
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType, pick
from localaws.services.cloudformation.stack import Inputs, Stack, StackStatus

if TYPE_CHECKING:
    from localaws.services.cloudformation.service import CloudFormation
    from localaws.services.cloudformation.stack_set_model import Operation, StackSet


def _service(context: Context) -> CloudFormation:
    return cast("CloudFormation", context.world.service("cloudformation"))


class NestedStack(ResourceType):
    """AWS::CloudFormation::Stack."""

    def create(self, context: Context, properties: Properties) -> Made:
        stack = _service(context).new_stack(context.account, context.region, context.name(128))
        stack.create(self._inputs(context, properties))
        return self._made(stack)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        stack = _service(context).stacks[made.physical_id]
        inputs = self._inputs(context, new)
        if not stack.is_unchanged_by(inputs):
            stack.update(inputs)
        return self._made(stack)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        stack = _service(context).stacks[made.physical_id]
        stack.delete()
        if stack.status != StackStatus.DELETE_COMPLETE:
            raise AwsError("ValidationError", f"Embedded stack {stack.id} was not successfully deleted")

    def _inputs(self, context: Context, properties: Properties) -> Inputs:
        text = sources.fetch(context.world, context.account, context.region, properties["TemplateURL"])
        values = {
            k: ",".join(v) if isinstance(v, list) else str(v) for k, v in properties.get("Parameters", {}).items()
        }
        return Inputs(text, values, context.tag_map(properties.get("Tags")), ("CAPABILITY_NAMED_IAM",))

    def _made(self, stack: Stack) -> Made:
        if stack.status not in {StackStatus.CREATE_COMPLETE, StackStatus.UPDATE_COMPLETE}:
            raise AwsError("ValidationError", f"Embedded stack {stack.id} was not successful: {stack.reason}")
        return Made(stack.id, {f"Outputs.{name}": line["OutputValue"] for name, line in stack.outputs.items()})


class StackSetResource(ResourceType):
    """AWS::CloudFormation::StackSet: complete when its operations are, as in CloudFormation."""

    replaced_by = frozenset({"StackSetName", "PermissionModel", "CallAs"})
    own = (
        "TemplateBody",
        "TemplateURL",
        "Parameters",
        "Capabilities",
        "Description",
        "Tags",
        "AutoDeployment",
        "AdministrationRoleARN",
        "ExecutionRoleName",
        "ManagedExecution",
        "CallAs",
    )

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = pick(properties, "StackSetName", "PermissionModel", *self.own)
        identity = context.call("cloudformation", "CreateStackSet", **wanted)["StackSetId"]
        try:
            for group in properties.get("StackInstancesGroup", []):
                self._deploy(context, identity, properties, group)
        except AwsError:
            self.delete(context, Made(identity), properties)
            raise
        return Made(identity, {"StackSetId": identity})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        service, stack_set = self._find(context, made)
        for group in old.get("StackInstancesGroup", []):
            if group not in new.get("StackInstancesGroup", []):
                self._shrink(context, made, group, new)
        wanted = pick(new, *self.own)
        call = {k: v for k, v in wanted.items() if v != old.get(k)}
        if call:
            inputs = dict(wanted)
            inputs.setdefault("Tags", [])
            self._change(context, made, inputs)
            _check(service.refresh(stack_set, at_once=True))
        for group in new.get("StackInstancesGroup", []):
            self._deploy(context, made.physical_id, new, group)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        service, stack_set = self._find(context, made)
        for group in properties.get("StackInstancesGroup", []):
            service.withdraw(stack_set, _targets(stack_set, group), at_once=True)
        context.call("cloudformation", "DeleteStackSet", StackSetName=made.physical_id)

    def _change(self, context: Context, made: Made, wanted: Mapping[str, Any]) -> None:
        """Take over template and settings without an operation of their own."""
        from localaws.service import Call

        service, stack_set = self._find(context, made)
        principal = context.world.accounts.root(context.account)
        request = Call("cloudformation", "UpdateStackSet", wanted, context.account, context.region, principal)
        stack_set.inputs = sources.inputs(service.world, request, stack_set.inputs)
        stack_set.description = wanted.get("Description", stack_set.description)
        stack_set.auto_deployment = wanted.get("AutoDeployment", stack_set.auto_deployment)

    def _shrink(self, context: Context, made: Made, group: Mapping[str, Any], new: Properties) -> None:
        """Withdraw from the places of a group that no new group covers."""
        service, stack_set = self._find(context, made)
        kept: set[tuple[str, str]] = set()
        for other in new.get("StackInstancesGroup", []):
            kept |= set(service._places(stack_set, _targets(stack_set, other)))
        gone = [p for p in service._places(stack_set, _targets(stack_set, group)) if p not in kept]
        present = [place for place in gone if place in stack_set.instances]
        if present:
            _check(service._operate(stack_set, "DELETE", present, {}, at_once=True))

    def _deploy(self, context: Context, identity: str, properties: Properties, group: Mapping[str, Any]) -> None:
        service = _service(context)
        stack_set = service.stack_sets[identity]
        preferences = properties.get("OperationPreferences", {})
        request = {
            **_targets(stack_set, group),
            "ParameterOverrides": group.get("ParameterOverrides"),
            "OperationPreferences": preferences,
        }
        _check(service.deploy(stack_set, request, at_once=True))

    def _find(self, context: Context, made: Made) -> tuple[CloudFormation, StackSet]:
        service = _service(context)
        return service, service.stack_sets[made.physical_id]


def _targets(stack_set: StackSet, group: Mapping[str, Any]) -> dict[str, Any]:
    targets = group["DeploymentTargets"]
    if stack_set.service_managed:
        return {"DeploymentTargets": targets, "Regions": group["Regions"]}
    return {"Accounts": targets.get("Accounts", []), "Regions": group["Regions"]}


def _check(done: Operation) -> None:
    if done.status == "SUCCEEDED":
        return
    reasons = [f"{a}/{r}: {reason}" for (a, r), (status, reason) in done.results.items() if status == "FAILED"]
    raise AwsError("ValidationError", f"StackSet operation {done.id} ended {done.status}: {'; '.join(reasons)}")


class Marker(ResourceType):
    """A type that stands for nothing: AWS::CDK::Metadata, wait handles."""

    def create(self, context: Context, properties: Properties) -> Made:
        return Made(context.name(128))

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """Nothing is there."""


TYPES: dict[str, ResourceType] = {
    "AWS::CDK::Metadata": Marker(),
    "AWS::CloudFormation::Stack": NestedStack(),
    "AWS::CloudFormation::StackSet": StackSetResource(),
    "AWS::CloudFormation::WaitConditionHandle": Marker(),
}
