"""The change-set operations."""

from __future__ import annotations

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudformation import sources
from localaws.services.cloudformation.stack import Inputs, StackStatus
from localaws.services.cloudformation.stack_views import (
    ChangeSet,
    change_line,
    change_set_arn,
    change_set_summary,
    pairs,
)
from localaws.services.cloudformation.stacks import NO_CHANGES, StackOperations
from localaws.services.cloudformation.template import validation_error


class ChangeSetOperations(StackOperations):
    """Change sets of every account and Region."""

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
            id=change_set_arn(call),
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
            **change_set_summary(change_set),
            "Parameters": parameters,
            "Capabilities": list(inputs.capabilities),
            "Tags": pairs(inputs.tags),
            "Changes": [{"Type": "Resource", "ResourceChange": change_line(change)} for change in change_set.changes],
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
        return {"Summaries": [change_set_summary(change_set) for change_set in mine]}
