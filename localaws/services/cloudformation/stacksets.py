"""StackSets: the same template in many accounts and Regions, really created there."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudformation import sources
from localaws.services.cloudformation import template as templates
from localaws.services.cloudformation.stack import Inputs, Stack, StackStatus
from localaws.services.cloudformation.stack_set_model import (
    SUMMARY,
    Instance,
    Operation,
    Place,
    StackSet,
    described,
    instance_line,
    operation_line,
)
from localaws.services.cloudformation.template import validation_error
from localaws.services.organizations import STACK_SETS_PRINCIPAL, OrganizationsService

if TYPE_CHECKING:
    from localaws.world import World

ADMINISTRATION_ROLE = "AWSCloudFormationStackSetAdministrationRole"
EXECUTION_ROLE = "AWSCloudFormationStackSetExecutionRole"
OPERATION_SECONDS = 20.0
SECONDS_PER_INSTANCE = 10.0
GOOD = {StackStatus.CREATE_COMPLETE, StackStatus.UPDATE_COMPLETE}


class StackSetOperations:
    """The stack-set half of the service. `new_stack` comes from the stack half."""

    world: World

    def start_stack_sets(self) -> None:
        """Begin without stack sets."""
        self.stack_sets: dict[str, StackSet] = {}

    # Stack sets

    @operation("CreateStackSet")
    def create_stack_set(self, call: Call) -> Reply:
        params = call.params
        name = params["StackSetName"]
        if self._named(call.account, call.region, name) is not None:
            raise AwsError("NameAlreadyExistsException", f"StackSet {name} already exists", 409)
        identity = f"{name}:{uuid.uuid4()}"
        stack_set = StackSet(
            id=identity,
            arn=f"arn:aws:cloudformation:{call.region}:{call.account}:stackset/{identity}",
            name=name,
            account=call.account,
            region=call.region,
            inputs=sources.inputs(self.world, call),
            service_managed=params.get("PermissionModel") == "SERVICE_MANAGED",
            auto_deployment=params.get("AutoDeployment"),
            description=params.get("Description"),
            administration_role=params.get("AdministrationRoleARN"),
            execution_role=params.get("ExecutionRoleName"),
            managed_execution=params.get("ManagedExecution"),
        )
        if stack_set.service_managed:
            self._require_administrator(call)
        self.stack_sets[identity] = stack_set
        return {"StackSetId": identity}

    @operation("DescribeStackSet")
    def describe_stack_set(self, call: Call) -> Reply:
        return {"StackSet": described(self._stack_set(call))}

    @operation("ListStackSets")
    def list_stack_sets(self, call: Call) -> Reply:
        status = call.params.get("Status")
        found = [
            {key: value for key, value in described(s).items() if key in SUMMARY}
            for s in self.stack_sets.values()
            if (s.account, s.region) == (call.account, call.region) and status in {None, s.status}
        ]
        return {"Summaries": found}

    @operation("UpdateStackSet")
    def update_stack_set(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        params = call.params
        self._refuse_while_running(stack_set)
        stack_set.inputs = sources.inputs(self.world, call, stack_set.inputs)
        stack_set.description = params.get("Description", stack_set.description)
        stack_set.auto_deployment = params.get("AutoDeployment", stack_set.auto_deployment)
        stack_set.execution_role = params.get("ExecutionRoleName", stack_set.execution_role)
        stack_set.administration_role = params.get("AdministrationRoleARN", stack_set.administration_role)
        places = list(stack_set.instances)
        if params.get("Accounts") or params.get("DeploymentTargets"):
            asked = self._places(stack_set, params)
            places = [place for place in places if place in asked]
        for place in places:
            stack_set.instances[place].status = "OUTDATED"
        started = self._operate(stack_set, "UPDATE", places, params)
        return {"OperationId": started.id}

    @operation("DeleteStackSet")
    def delete_stack_set(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        if stack_set.instances:
            raise AwsError("StackSetNotEmptyException", f"StackSet {stack_set.name} is not empty", 409)
        stack_set.status = "DELETED"
        return {}

    # Instances

    @operation("CreateStackInstances")
    def create_stack_instances(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        self._refuse_while_running(stack_set)
        started = self.deploy(stack_set, call.params)
        return {"OperationId": started.id}

    @operation("UpdateStackInstances")
    def update_stack_instances(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        self._refuse_while_running(stack_set)
        places = [place for place in self._places(stack_set, call.params) if place in stack_set.instances]
        overrides = _overrides(call.params)
        for place in places:
            stack_set.instances[place].overrides = overrides
        return {"OperationId": self._operate(stack_set, "UPDATE", places, call.params).id}

    @operation("DeleteStackInstances")
    def delete_stack_instances(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        self._refuse_while_running(stack_set)
        return {"OperationId": self.withdraw(stack_set, call.params).id}

    @operation("ListStackInstances")
    def list_stack_instances(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        account, region = call.params.get("StackInstanceAccount"), call.params.get("StackInstanceRegion")
        found = [
            instance_line(stack_set, instance)
            for instance in stack_set.instances.values()
            if account in {None, instance.account} and region in {None, instance.region}
        ]
        return {"Summaries": found}

    @operation("DescribeStackInstance")
    def describe_stack_instance(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        account, region = call.params["StackInstanceAccount"], call.params["StackInstanceRegion"]
        instance = stack_set.instances.get((account, region))
        if instance is None:
            message = f"Stack instance not found for account {account} and region {region} in {stack_set.id}"
            raise AwsError("StackInstanceNotFoundException", message, 404)
        overrides = [{"ParameterKey": k, "ParameterValue": v} for k, v in instance.overrides.items()]
        return {"StackInstance": instance_line(stack_set, instance) | {"ParameterOverrides": overrides}}

    # Operations

    @operation("DescribeStackSetOperation")
    def describe_stack_set_operation(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        return {"StackSetOperation": operation_line(stack_set, self._operation(stack_set, call.params["OperationId"]))}

    @operation("ListStackSetOperations")
    def list_stack_set_operations(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        names = {"OperationId", "Action", "Status", "CreationTimestamp", "EndTimestamp", "StatusReason"}
        newest = reversed(list(stack_set.operations.values()))
        lines = [operation_line(stack_set, item) for item in newest]
        return {"Summaries": [{k: v for k, v in line.items() if k in names} for line in lines]}

    @operation("ListStackSetOperationResults")
    def list_stack_set_operation_results(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        done = self._operation(stack_set, call.params["OperationId"])
        found = []
        for account, region in done.places:
            status, reason = done.results.get((account, region), ("RUNNING", None))
            line = {"Account": account, "Region": region, "Status": status}
            found.append(line | ({"StatusReason": reason} if reason else {}))
        return {"Summaries": found}

    @operation("StopStackSetOperation")
    def stop_stack_set_operation(self, call: Call) -> Reply:
        stack_set = self._stack_set(call)
        running = self._operation(stack_set, call.params["OperationId"])
        if running.status == "RUNNING":
            running.status, running.ended_at = "STOPPED", self.world.clock.now()
        return {}

    @operation("DescribeOrganizationsAccess")
    def describe_organizations_access(self, call: Call) -> Reply:
        member = self._organizations.organization_id(call.account) is not None
        return {"Status": "ENABLED" if member else "DISABLED"}

    @operation("ActivateOrganizationsAccess")
    def activate_organizations_access(self, call: Call) -> Reply:
        return {}

    # For a stack's StackSet resource and for automatic deployment

    def deploy(self, stack_set: StackSet, params: Mapping[str, Any], *, at_once: bool = False) -> Operation:
        """Start an operation that creates the stack instances of the request which are not there yet."""
        places = self._places(stack_set, params)
        for place, unit in places.items():
            if place not in stack_set.instances:
                stack_set.instances[place] = Instance(*place, unit, _overrides(params))
        for unit in (params.get("DeploymentTargets") or {}).get("OrganizationalUnitIds", []):
            stack_set.targeted_units |= {(unit, region) for region in params["Regions"]}
        return self._operate(stack_set, "CREATE", list(places), params, at_once=at_once)

    def withdraw(self, stack_set: StackSet, params: Mapping[str, Any], *, at_once: bool = False) -> Operation:
        """Start an operation that deletes the stack instances of the request."""
        places = [place for place in self._places(stack_set, params) if place in stack_set.instances]
        for unit in (params.get("DeploymentTargets") or {}).get("OrganizationalUnitIds", []):
            stack_set.targeted_units -= {(unit, region) for region in params["Regions"]}
        return self._operate(stack_set, "DELETE", places, params, at_once=at_once)

    def refresh(self, stack_set: StackSet, *, at_once: bool = False) -> Operation:
        """Start an operation that brings every instance to the stack set's template and parameters."""
        return self._operate(stack_set, "UPDATE", list(stack_set.instances), {}, at_once=at_once)

    def account_moved(self, account: str, source: str, destination: str) -> None:
        """Deploy to an account that joined a targeted unit and withdraw from one that left, where enabled."""
        for stack_set in self.stack_sets.values():
            automatic = stack_set.auto_deployment or {}
            if stack_set.status != "ACTIVE" or not automatic.get("Enabled"):
                continue
            wanted = {
                (account, region): unit
                for unit, region in stack_set.targeted_units
                if account in self._organizations.accounts_below(stack_set.account, unit)
            }
            new = [place for place in wanted if place not in stack_set.instances]
            for place in new:
                stack_set.instances[place] = Instance(*place, wanted[place])
            old = [place for place in stack_set.instances if place[0] == account and place not in wanted]
            if new:
                self._operate(stack_set, "CREATE", new, {})
            if old:
                keep = automatic.get("RetainStacksOnAccountRemoval", False)
                self._operate(stack_set, "DELETE", old, {"RetainStacks": keep})

    # Inside

    @property
    def _organizations(self) -> OrganizationsService:
        return cast("OrganizationsService", self.world.service("organizations"))

    def _places(self, stack_set: StackSet, params: Mapping[str, Any]) -> dict[Place, str | None]:
        """Return account and Region of every target, with the unit through which it was chosen."""
        targets = params.get("DeploymentTargets") or {}
        units = targets.get("OrganizationalUnitIds") or []
        listed = list(params.get("Accounts") or targets.get("Accounts") or [])
        if stack_set.service_managed and not units:
            message = "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target"
            raise validation_error(message)
        if units and not stack_set.service_managed:
            raise validation_error("StackSets with SELF_MANAGED permission model can only have accounts as target")
        chosen: dict[str, str | None] = {} if units else dict.fromkeys(listed)
        for unit in units:
            if not self._organizations.has_unit(stack_set.account, unit):
                raise validation_error(f"OrganizationalUnit {unit} does not exist in the organization")
            found = self._organizations.accounts_below(stack_set.account, unit)
            chosen |= dict.fromkeys(_filtered(found, listed, targets.get("AccountFilterType", "NONE")), unit)
        return {(account, region): unit for region in params.get("Regions") or [] for account, unit in chosen.items()}

    def _operate(
        self,
        stack_set: StackSet,
        action: str,
        places: list[Place],
        params: Mapping[str, Any],
        *,
        at_once: bool = False,
    ) -> Operation:
        started = Operation(
            id=params.get("OperationId") or str(uuid.uuid4()),
            action=action,
            created_at=self.world.clock.now(),
            places=places,
            preferences=params.get("OperationPreferences") or {},
            targets=params.get("DeploymentTargets"),
        )
        if started.id in stack_set.operations:
            raise AwsError("OperationIdAlreadyExistsException", f"Operation {started.id} already exists", 409)
        stack_set.operations[started.id] = started
        retain = bool(params.get("RetainStacks"))
        if at_once:
            self._finish(stack_set, started, retain=retain)
        else:
            seconds = OPERATION_SECONDS + SECONDS_PER_INSTANCE * len(places)
            self.world.transition(
                "cloudformation.stack-set-operation",
                stack_set.arn,
                seconds,
                lambda: self._finish(stack_set, started, retain=retain),
                lambda: self._fail(stack_set, started),
            )
        return started

    def _finish(self, stack_set: StackSet, started: Operation, *, retain: bool) -> None:
        if started.status != "RUNNING":
            return
        for place in started.places:
            instance = stack_set.instances[place]
            instance.operation = started.id
            reason = self._carry_out(stack_set, instance, started.action, retain=retain)
            started.results[place] = ("FAILED" if reason else "SUCCEEDED", reason)
            instance.reason = reason
            instance.status = "OUTDATED" if reason else "CURRENT"
            instance.detailed = "FAILED" if reason else "SUCCEEDED"
            if started.action == "DELETE" and reason is None:
                del stack_set.instances[place]
        failed = sum(1 for status, _ in started.results.values() if status == "FAILED")
        percent = int(started.preferences.get("FailureTolerancePercentage", 0))
        tolerated = int(started.preferences.get("FailureToleranceCount", len(started.places) * percent // 100))
        started.status = "FAILED" if failed > tolerated else "SUCCEEDED"
        started.ended_at = self.world.clock.now()

    def _fail(self, stack_set: StackSet, started: Operation) -> None:
        for place in started.places:
            started.results[place] = ("FAILED", "Internal failure")
            stack_set.instances[place].detailed = "FAILED"
        started.status, started.ended_at = "FAILED", self.world.clock.now()

    def _carry_out(self, stack_set: StackSet, instance: Instance, action: str, *, retain: bool) -> str | None:
        """Make, change or remove one instance's stack; return why it failed."""
        if instance.account not in self.world.accounts.names:
            return f"Account {instance.account} does not exist"
        if not stack_set.service_managed and (lacking := self._lacking_role(stack_set, instance)):
            return lacking
        try:
            if action == "DELETE":
                return self._remove(instance, retain=retain)
            return self._make(stack_set, instance)
        except AwsError as error:
            return str(error)

    def _lacking_role(self, stack_set: StackSet, instance: Instance) -> str | None:
        """Say which role self-managed permissions miss: one administers, one executes in each account."""
        administration = (stack_set.administration_role or ADMINISTRATION_ROLE).rsplit("/", 1)[-1]
        execution = stack_set.execution_role or EXECUTION_ROLE
        needed = ((stack_set.account, administration), (instance.account, execution))
        for account, role in needed:
            if not any(one.name == role for one in self.world.backend("iam", account, "us-east-1").roles.values()):
                return f"Account {account} should have '{role}' role (trust: '{administration}' of {stack_set.account})"
        return None

    def _make(self, stack_set: StackSet, instance: Instance) -> str | None:
        given = stack_set.inputs
        declared = templates.parse(given.body).get("Parameters") or {}
        values = {k: v for k, v in {**given.parameters, **instance.overrides}.items() if k in declared}
        inputs = Inputs(given.body, values, given.tags, given.capabilities)
        stack = instance.stack
        if (
            stack is None
            or stack.deleted_at is not None
            or stack.status not in {*GOOD, StackStatus.UPDATE_ROLLBACK_COMPLETE}
        ):
            name = f"StackSet-{stack_set.name}-{uuid.uuid4()}"
            stack = instance.stack = self.new_stack(instance.account, instance.region, name)
            stack.create(inputs)
        elif not stack.is_unchanged_by(inputs):
            stack.update(inputs)
        return None if stack.status in GOOD else f"ResourceLogicalId: {stack.reason or stack.status}"

    def _remove(self, instance: Instance, *, retain: bool) -> str | None:
        if instance.stack is None or retain:
            return None
        instance.stack.delete()
        return None if instance.stack.deleted_at is not None else instance.stack.reason

    def new_stack(self, account: str, region: str, name: str) -> Stack:
        """Add an empty stack; the stack half of the service does it."""
        raise NotImplementedError

    def _require_administrator(self, call: Call) -> None:
        """Refuse service-managed stack sets to all but the management account and delegated administrators."""
        if self._organizations.is_management(call.account):
            return
        delegated = self._organizations.is_delegated(call.account, STACK_SETS_PRINCIPAL)
        if call.params.get("CallAs") == "DELEGATED_ADMIN" and delegated:
            return
        message = "You must be the management account or delegated admin account of an organization before operating"
        raise validation_error(f"{message} a SERVICE_MANAGED stack set")

    def _refuse_while_running(self, stack_set: StackSet) -> None:
        if any(item.status == "RUNNING" for item in stack_set.operations.values()):
            message = "Another Operation on StackSet is in progress"
            raise AwsError("OperationInProgressException", f"{message}: {stack_set.arn}", 409)

    def _named(self, account: str, region: str, name: str) -> StackSet | None:
        for stack_set in self.stack_sets.values():
            here = (stack_set.account, stack_set.region) == (account, region)
            if here and stack_set.status == "ACTIVE" and name in {stack_set.name, stack_set.id, stack_set.arn}:
                return stack_set
        return None

    def _stack_set(self, call: Call) -> StackSet:
        name = call.params["StackSetName"]
        account = call.account
        if call.params.get("CallAs") == "DELEGATED_ADMIN" and self._named(account, call.region, name) is None:
            raise AwsError("StackSetNotFoundException", f"StackSet {name} not found", 404)
        stack_set = self._named(account, call.region, name)
        if stack_set is None:
            raise AwsError("StackSetNotFoundException", f"StackSet {name} not found", 404)
        return stack_set

    def _operation(self, stack_set: StackSet, identity: str) -> Operation:
        if identity not in stack_set.operations:
            raise AwsError("OperationNotFoundException", f"Operation {identity} not found", 404)
        return stack_set.operations[identity]


def _filtered(found: list[str], listed: list[str], how: str) -> list[str]:
    if how == "INTERSECTION":
        return [account for account in found if account in listed]
    if how == "DIFFERENCE":
        return [account for account in found if account not in listed]
    if how == "UNION":
        return sorted({*found, *listed})
    return found


def _overrides(params: Mapping[str, Any]) -> dict[str, str]:
    return sources.parameters(params.get("ParameterOverrides"), {})
