"""Rules about what a machine may use: state types and service integrations."""

from __future__ import annotations

from functools import cache

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from statemachines.lint.document import INTEGRATION_PREFIX
from statemachines.lint.model import Finding, Machine, State

STATE_TYPES = frozenset({"Task", "Choice", "Wait", "Pass", "Parallel", "Map", "Succeed", "Fail"})
INTEGRATIONS = frozenset(
    {
        "lambda:invoke",
        "lambda:invoke.waitForTaskToken",
        "sns:publish",
        "dynamodb:getItem",
        "dynamodb:putItem",
        "dynamodb:updateItem",
        "dynamodb:deleteItem",
        "states:startExecution.sync:2",
    }
)
ITEM_READERS = frozenset({"s3:getObject"})
SDK_PREFIX = "aws-sdk:"
# Step Functions calls a service by its service id; botocore's folder has another name for these.
BOTOCORE_NAMES = {
    "cloudwatchlogs": "logs",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "resourceexplorer2": "resource-explorer-2",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "secretsmanager": "secretsmanager",
    "sfn": "stepfunctions",
}


def state_type_unknown(machine: Machine) -> list[Finding]:
    """Find state types the profile does not have."""
    return [
        machine.finding(
            "state_type_unknown",
            state.name,
            f"has the Type {state.type!r}, expected one of {', '.join(sorted(STATE_TYPES))}.",
            "correct the Type.",
        )
        for state in machine.states()
        if state.type not in STATE_TYPES
    ]


def integration_unknown(machine: Machine) -> list[Finding]:
    """Find integrations outside the profile, and SDK integrations that botocore's models do not have."""
    found = []
    for state in machine.states():
        problem = ""
        if state.is_task:
            problem = _integration_problem(state)
        elif "ItemReader" in state.body:
            reader = str(state.body["ItemReader"].get("Resource", ""))
            if reader.removeprefix(INTEGRATION_PREFIX) not in ITEM_READERS:
                problem = f"reads its items by {reader!r}, expected s3:getObject."
        if problem:
            remedy = "use an integration of the ASL profile (statemachines/README.md)."
            found.append(machine.finding("integration_unknown", state.name, problem, remedy))
    return found


def sync_on_sdk_integration(machine: Machine) -> list[Finding]:
    """Find `.sync` on an SDK integration: no such thing exists, the deployment would fail."""
    return [
        machine.finding(
            "sync_on_sdk_integration",
            state.name,
            f"{state.resource!r}: SDK integrations do not wait for the work to end.",
            "start it in one task, look at it in a loop with a Wait.",
        )
        for state in machine.states()
        if state.resource.startswith(SDK_PREFIX) and ".sync" in state.resource
    ]


def _integration_problem(state: State) -> str:
    if not str(state.body.get("Resource", "")).startswith(INTEGRATION_PREFIX):
        return f"its Resource {state.body.get('Resource')!r} does not begin with {INTEGRATION_PREFIX}."
    if not state.resource.startswith(SDK_PREFIX):
        return "" if state.resource in INTEGRATIONS else f"{state.resource!r} is not in the ASL profile."
    service, _, action = state.resource.removeprefix(SDK_PREFIX).partition(":")
    action = action.partition(".")[0]
    actions = _sdk_actions(service)
    if actions is None:
        return f"botocore knows no service {service!r}."
    return "" if action in actions else f"{service} has no action {action!r}."


@cache
def _sdk_actions(service: str) -> frozenset[str] | None:
    """Return the actions of a service in the spelling of Step Functions, None when there is no such service."""
    name = BOTOCORE_NAMES.get(service, service)
    try:
        model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
    except UnknownServiceError:
        return None
    return frozenset(operation[0].lower() + operation[1:] for operation in model.operation_names)
