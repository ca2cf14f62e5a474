"""A stack: its resources, what happened to them, and how a template is brought about or taken back."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError
from localaws.services.cloudformation import template as templates
from localaws.services.cloudformation.resource import Context, Made, ResourceType, ignore_missing
from localaws.services.cloudformation.template import Scope, validation_error
from localaws.services.cloudformation.types import resource_type

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.cloudformation")
UNKNOWN = "{{known after the change}}"
STACK_TYPE = "AWS::CloudFormation::Stack"


class StackStatus(StrEnum):
    """The statuses a stack passes through here."""

    REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    CREATE_FAILED = "CREATE_FAILED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    DELETE_FAILED = "DELETE_FAILED"


@dataclass
class Resource:
    """A resource of a stack as it now is. `properties` are resolved."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    made: Made
    definition: Mapping[str, Any]
    status: str
    updated_at: datetime


@dataclass(frozen=True)
class Event:
    """A line of DescribeStackEvents."""

    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    token: str | None


@dataclass(frozen=True)
class Inputs:
    """What a stack is made from."""

    body: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...] = ()
    role_arn: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Change:
    """One difference between a stack and a template."""

    action: str
    logical_id: str
    type: str
    physical_id: str | None
    replacement: bool = False


@dataclass
class Stack:
    """One stack. Everything happens at once: after a call the stack has reached its final status."""

    world: World
    account: str
    region: str
    name: str
    exports: Callable[[str], Any]
    id: str = ""
    status: StackStatus = StackStatus.REVIEW_IN_PROGRESS
    reason: str | None = None
    inputs: Inputs = field(default_factory=lambda: Inputs("", {}, {}))
    description: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    resolved_parameters: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    protected: bool = False
    policy: str | None = None
    drift: str = "NOT_CHECKED"
    drift_checked_at: datetime | None = None
    """What the last detection found, and when it was."""

    def __post_init__(self) -> None:
        self.id = f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{self.name}/{uuid.uuid4()}"
        self.created_at = self.world.clock.now()

    # What callers do

    def create(self, inputs: Inputs, *, keep_failed: bool = False) -> None:
        """Make every resource; on a failure take all back (unless `keep_failed`) and end in ROLLBACK_COMPLETE."""
        self.inputs, self.reason = inputs, None
        self._stack_event(StackStatus.CREATE_IN_PROGRESS, "User Initiated")
        template = templates.parse(inputs.body)
        self.description = template.get("Description")
        scope = self._scope(template, inputs)
        try:
            self._bring_about(scope)
            self.outputs = self._outputs(scope)
        except AwsError as error:
            self._create_failed(error, keep_failed=keep_failed)
            return
        self._stack_event(StackStatus.CREATE_COMPLETE)

    def update(self, inputs: Inputs) -> None:
        """Bring the stack to a new template; on a failure bring it back and end in UPDATE_ROLLBACK_COMPLETE."""
        before = self.inputs
        template = templates.parse(inputs.body)
        scope = self._scope(template, inputs)
        self.updated_at = self.world.clock.now()
        self._stack_event(StackStatus.UPDATE_IN_PROGRESS, "User Initiated", inputs.token)
        self.inputs, self.reason = inputs, None
        try:
            self._bring_about(scope)
            self.outputs = self._outputs(scope)
            self._remove_absent(scope)
        except AwsError as error:
            self._update_failed(error, before)
            return
        self.description = template.get("Description")
        self._stack_event(StackStatus.UPDATE_COMPLETE, token=inputs.token)

    def delete(self, retain: Iterable[str] = (), token: str | None = None) -> None:
        """Remove every resource whose deletion policy allows it; a failure ends in DELETE_FAILED."""
        self._stack_event(StackStatus.DELETE_IN_PROGRESS, "User Initiated", token)
        failed: list[str] = []
        for resource in reversed(list(self.resources.values())):
            if resource.definition.get("DeletionPolicy") == "Retain" or resource.logical_id in set(retain):
                self._event(resource, "DELETE_SKIPPED")
                continue
            try:
                self._delete(resource)
            except AwsError as error:
                failed.append(resource.logical_id)
                self._event(resource, "DELETE_FAILED", str(error))
        if failed:
            self.reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
            self._stack_event(StackStatus.DELETE_FAILED, self.reason, token)
            return
        self.deleted_at = self.world.clock.now()
        self._stack_event(StackStatus.DELETE_COMPLETE, token=token)

    def changes(self, inputs: Inputs) -> list[Change]:
        """Say what an update to `inputs` would do, without doing it."""
        template = templates.parse(inputs.body)
        scope = self._scope(template, inputs, preview=True)
        found: list[Change] = []
        wanted = self._wanted(scope)
        for name, definition in wanted.items():
            present = self.resources.get(name)
            if present is None:
                found.append(Change("Add", name, definition["Type"], None))
            elif (difference := self._difference(present, definition, scope)) is not None:
                found.append(Change("Modify", name, definition["Type"], present.made.physical_id, difference))
        for name, present in self.resources.items():
            if name not in wanted:
                found.append(Change("Remove", name, present.type, present.made.physical_id))
        return found

    def is_unchanged_by(self, inputs: Inputs) -> bool:
        """Say whether an update to `inputs` would change neither resources, outputs nor tags."""
        if self.changes(inputs) or dict(inputs.tags) != dict(self.inputs.tags):
            return False
        scope = self._scope(templates.parse(inputs.body), inputs, preview=True)
        return self._outputs(scope) == self.outputs

    # Bringing a template about

    def _bring_about(self, scope: Scope) -> None:
        wanted = self._wanted(scope)
        for name in templates.order(wanted):
            definition = wanted[name]
            present = self.resources.get(name)
            try:
                kind = resource_type(definition["Type"])
                properties = scope.resolve(definition.get("Properties") or {})
                if present is None:
                    self._create(kind, name, definition, properties)
                elif self._moves(present, definition, properties):
                    self._change(kind, present, definition, properties)
                else:
                    present.definition = definition
            except AwsError as error:
                self._failed(name, definition, present, error)
                raise
            except Exception as error:
                log.exception("%s %s failed inside the embedded AWS", definition["Type"], name)
                failure = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
                self._failed(name, definition, present, failure)
                raise failure from error

    def _create(self, kind: ResourceType, name: str, definition: Mapping[str, Any], properties: dict[str, Any]) -> None:
        now = self.world.clock.now()
        resource = Resource(name, definition["Type"], properties, Made(""), definition, "CREATE_IN_PROGRESS", now)
        self._event(resource, "CREATE_IN_PROGRESS")
        resource.made = kind.create(self._context(name), properties)
        self.resources[name] = resource
        self._event(resource, "CREATE_COMPLETE")

    def _change(
        self, kind: ResourceType, present: Resource, definition: Mapping[str, Any], properties: dict[str, Any]
    ) -> None:
        context = self._context(present.logical_id)
        if present.type != definition["Type"]:
            reason = f"Update of resource type is not permitted. The type is {present.type}."
            raise validation_error(reason)
        self._event(present, "UPDATE_IN_PROGRESS")
        if _replaces(kind, present.properties, properties):
            made = kind.create(context, properties)
            kind.delete(context, present.made, present.properties)
        else:
            made = kind.update(context, present.made, present.properties, properties)
        present.made, present.properties, present.definition = made, properties, definition
        self._event(present, "UPDATE_COMPLETE")

    def _delete(self, resource: Resource) -> None:
        self._event(resource, "DELETE_IN_PROGRESS")
        try:
            resource_type(resource.type).delete(self._context(resource.logical_id), resource.made, resource.properties)
        except AwsError as error:
            ignore_missing(error)
        self._event(resource, "DELETE_COMPLETE")
        self.resources.pop(resource.logical_id, None)

    def _remove_absent(self, scope: Scope) -> None:
        wanted = self._wanted(scope)
        for resource in [r for r in reversed(list(self.resources.values())) if r.logical_id not in wanted]:
            if resource.definition.get("DeletionPolicy") == "Retain":
                self._event(resource, "DELETE_SKIPPED")
                del self.resources[resource.logical_id]
            else:
                self._delete(resource)

    # When something fails

    def _failed(self, name: str, definition: Mapping[str, Any], present: Resource | None, error: AwsError) -> None:
        now = self.world.clock.now()
        resource = present or Resource(name, definition["Type"], {}, Made(""), definition, "", now)
        self._event(resource, "CREATE_FAILED" if present is None else "UPDATE_FAILED", str(error))

    def _create_failed(self, error: AwsError, *, keep_failed: bool) -> None:
        self.reason = str(error)
        if keep_failed:
            self._stack_event(StackStatus.CREATE_FAILED, self.reason)
            return
        self._stack_event(StackStatus.ROLLBACK_IN_PROGRESS, f"{error}. Rollback requested by user.")
        for resource in reversed(list(self.resources.values())):
            try:
                self._delete(resource)
            except AwsError as problem:
                self._event(resource, "DELETE_FAILED", str(problem))
        self._stack_event(StackStatus.ROLLBACK_COMPLETE)

    def _update_failed(self, error: AwsError, before: Inputs) -> None:
        self.reason = str(error)
        self._stack_event(StackStatus.UPDATE_IN_PROGRESS, f"{error}. Rolling back.")
        self.inputs = before
        try:
            scope = self._scope(templates.parse(before.body), before)
            self._bring_about(scope)
            self._remove_absent(scope)
            self.outputs = self._outputs(scope)
        except AwsError as problem:
            self._stack_event(StackStatus.UPDATE_ROLLBACK_FAILED, f"{error}; then {problem}")
            return
        self._stack_event(StackStatus.UPDATE_ROLLBACK_COMPLETE, str(error))

    # Looking

    def _wanted(self, scope: Scope) -> dict[str, Mapping[str, Any]]:
        chosen = {}
        for name, definition in scope.template["Resources"].items():
            condition = definition.get("Condition")
            if condition is None or scope.condition(condition):
                chosen[name] = definition
        return chosen

    def _moves(self, present: Resource, definition: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
        return present.type != definition["Type"] or present.properties != properties

    def _difference(self, present: Resource, definition: Mapping[str, Any], scope: Scope) -> bool | None:
        """Return None for no difference, else whether the resource is replaced."""
        properties = scope.resolve(definition.get("Properties") or {})
        if not self._moves(present, definition, properties):
            return None
        return _replaces(resource_type(definition["Type"]), present.properties, properties)

    def _outputs(self, scope: Scope) -> dict[str, dict[str, Any]]:
        found = {}
        for name, output in (scope.template.get("Outputs") or {}).items():
            condition = output.get("Condition")
            if condition is not None and not scope.condition(condition):
                continue
            line = {"OutputKey": name, "OutputValue": str(scope.resolve(output["Value"]))}
            if "Description" in output:
                line["Description"] = output["Description"]
            if "Export" in output:
                line["ExportName"] = str(scope.resolve(output["Export"]["Name"]))
            found[name] = line
        return found

    def _context(self, logical_id: str) -> Context:
        tags = self.inputs.tags
        return Context(self.world, self.account, self.region, self.name, self.id, logical_id, tags)

    def _scope(self, template: Mapping[str, Any], inputs: Inputs, *, preview: bool = False) -> Scope:
        parameters = self._parameters(template, inputs)
        if not preview:
            self.resolved_parameters = parameters
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::StackId": self.id,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::Partition": "aws",
            "AWS::NotificationARNs": [],
        }

        def ref(name: str) -> Any:
            return self._known(template, name, preview=preview, attribute=None)

        def get_att(name: str, attribute: str) -> Any:
            return self._known(template, name, preview=preview, attribute=attribute)

        return Scope(template, parameters, pseudo, ref, get_att, self.exports, self._dynamic)

    def _known(self, template: Mapping[str, Any], name: str, *, preview: bool, attribute: str | None) -> Any:
        if name not in template["Resources"]:
            what = f"Template error: instance of {'Ref' if attribute is None else 'Fn::GetAtt'} references"
            raise validation_error(f"{what} undefined resource {name}")
        resource = self.resources.get(name)
        if resource is None:
            if preview:
                return UNKNOWN
            raise validation_error(f"Unresolved resource dependencies [{name}] in the template")
        if attribute is None:
            return resource.made.physical_id
        if attribute not in resource.made.attributes:
            reason = f"Requested attribute {attribute} does not exist in schema for {resource.type}"
            raise validation_error(f"Template error: resource {name}: {reason} (in the embedded AWS)")
        return resource.made.attributes[attribute]

    def _parameters(self, template: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
        declared = template.get("Parameters") or {}
        unknown = set(inputs.parameters) - set(declared)
        if unknown:
            raise validation_error(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
        missing = [n for n, p in declared.items() if n not in inputs.parameters and "Default" not in p]
        if missing:
            raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
        return {n: self._parameter(n, p, inputs.parameters.get(n, p.get("Default"))) for n, p in declared.items()}

    def _parameter(self, name: str, declared: Mapping[str, Any], value: Any) -> Any:
        kind = declared.get("Type", "String")
        allowed = declared.get("AllowedValues")
        if allowed and str(value) not in {str(item) for item in allowed}:
            raise validation_error(f"Parameter '{name}' must be one of AllowedValues")
        if kind.startswith("AWS::SSM::Parameter::Value"):
            value = self._dynamic("ssm", str(value))
            kind = kind[len("AWS::SSM::Parameter::Value<") : -1]
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [item.strip() for item in str(value).split(",")] if value != "" else []
        return str(value)

    def _dynamic(self, service: str, key: str) -> str:
        if service == "secretsmanager":
            secret = self.world.call(
                service, "GetSecretValue", self.account, self.region, SecretId=key.split(":", maxsplit=1)[0]
            )
            return str(secret["SecretString"])
        try:
            reply = self.world.call("ssm", "GetParameter", self.account, self.region, Name=key, WithDecryption=True)
        except AwsError as error:
            raise validation_error(
                f"Unable to fetch parameters [{key}] from parameter store for this account."
            ) from error
        return str(reply["Parameter"]["Value"])

    # Writing down

    def _event(self, resource: Resource, status: str, reason: str | None = None) -> None:
        resource.status, resource.updated_at = status, self.world.clock.now()
        physical_id = resource.made.physical_id
        self._append(resource.logical_id, physical_id, resource.type, status, reason, self.inputs.token)

    def _stack_event(self, status: StackStatus, reason: str | None = None, token: str | None = None) -> None:
        self.status = status
        self._append(self.name, self.id, STACK_TYPE, status, reason, token or self.inputs.token)

    def _append(
        self, logical: str, physical: str, kind: str, status: str, reason: str | None, token: str | None
    ) -> None:
        at = self.world.clock.now()
        self.events.append(Event(str(uuid.uuid4()), at, logical, physical, kind, status, reason, token))


def _replaces(kind: ResourceType, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(_canonical(old.get(name)) != _canonical(new.get(name)) for name in kind.replaced_by)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
