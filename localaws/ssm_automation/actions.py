"""What steps do. An action returns the reply that outputs select from; it raises `StepFailed` or `StepTimedOut`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from jsonpath_ng.ext.parser import parse as parse_path
from moto.core.utils import get_service_model

from localaws.acting import act
from localaws.service import AwsError, Principal
from localaws.ssm_automation.values import as_text

POLL_SECONDS = 5.0
DEFAULT_WAIT_SECONDS = 3600.0
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class StepFailed(Exception):
    """The step failed; the text is its FailureMessage."""


class StepTimedOut(StepFailed):
    """The step ran out of time."""


class Surroundings(Protocol):
    """What an action acts on."""

    local: Any
    principal: Principal
    region: str

    def pause(self, aws_seconds: float) -> None:
        """Let AWS time pass; raise when the automation is stopped."""


Action = Callable[[Surroundings, Mapping[str, Any], float | None], Any]


def execute_api(around: Surroundings, inputs: Mapping[str, Any], _timeout: float | None = None) -> Any:
    """aws:executeAwsApi."""
    params = {key: value for key, value in inputs.items() if key not in {"Service", "Api"}}
    service, operation = str(inputs["Service"]), _operation(str(inputs["Service"]), str(inputs["Api"]))
    try:
        reply = act(around.local, around.principal, service, operation, around.region, **params)
    except AwsError as error:
        raise StepFailed(
            f"An error occurred ({error.code}) when calling the {operation} operation: {error.message}"
        ) from error
    return _json(reply)


def assert_property(around: Surroundings, inputs: Mapping[str, Any], _timeout: float | None = None) -> Any:
    """aws:assertAwsResourceProperty."""
    reply, value = _property(around, inputs)
    desired = [as_text(item) for item in inputs["DesiredValues"]]
    if value not in desired:
        raise StepFailed(f"Property value from the API call is {value}, expected one of {desired}")
    return reply


def wait_for_property(around: Surroundings, inputs: Mapping[str, Any], timeout: float | None = None) -> Any:
    """aws:waitForAwsResourceProperty: look every few seconds of AWS time until the value is a desired one."""
    desired = [as_text(item) for item in inputs["DesiredValues"]]
    waited, limit = 0.0, timeout or DEFAULT_WAIT_SECONDS
    while True:
        reply, value = _property(around, inputs)
        if value in desired:
            return reply
        if waited >= limit:
            raise StepTimedOut(f"Property value is {value} after {limit:.0f} seconds, expected one of {desired}")
        around.pause(POLL_SECONDS)
        waited += POLL_SECONDS


def sleep(around: Surroundings, inputs: Mapping[str, Any], _timeout: float | None = None) -> Any:
    """aws:sleep: a Duration (ISO 8601) or until a Timestamp."""
    if "Duration" in inputs:
        around.pause(_seconds(str(inputs["Duration"])))
    else:
        until = datetime.fromisoformat(str(inputs["Timestamp"]).replace("Z", "+00:00"))
        around.pause(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    return {}


def invoke_function(around: Surroundings, inputs: Mapping[str, Any], _timeout: float | None = None) -> Any:
    """aws:invokeLambdaFunction."""
    payload = inputs.get("Payload")
    if "InputPayload" in inputs:
        payload = json.dumps(inputs["InputPayload"])
    params = {key: inputs[key] for key in ("FunctionName", "InvocationType", "Qualifier", "LogType") if key in inputs}
    reply = execute_api(around, {"Service": "lambda", "Api": "Invoke", **params, "Payload": (payload or "{}").encode()})
    if reply.get("FunctionError"):
        raise StepFailed(f"The function {inputs['FunctionName']} failed: {reply['Payload']}")
    return reply


def execute_state_machine(around: Surroundings, inputs: Mapping[str, Any], timeout: float | None = None) -> Any:
    """aws:executeStateMachine: start, then wait for the end."""
    params = {key: inputs[key] for key in ("stateMachineArn", "input", "name") if key in inputs}
    arn = execute_api(around, {"Service": "stepfunctions", "Api": "StartExecution", **params})["executionArn"]
    limit = time.monotonic() + (timeout or DEFAULT_WAIT_SECONDS)
    while True:
        reply = execute_api(around, {"Service": "stepfunctions", "Api": "DescribeExecution", "executionArn": arn})
        if reply["status"] == "SUCCEEDED":
            return reply
        if reply["status"] != "RUNNING":
            raise StepFailed(f"The execution {arn} ended {reply['status']}: {reply.get('cause', '')}")
        if time.monotonic() > limit:
            raise StepTimedOut(f"The execution {arn} still runs")
        around.pause(POLL_SECONDS)


ACTIONS: dict[str, Action] = {
    "aws:executeAwsApi": execute_api,
    "aws:assertAwsResourceProperty": assert_property,
    "aws:waitForAwsResourceProperty": wait_for_property,
    "aws:sleep": sleep,
    "aws:invokeLambdaFunction": invoke_function,
    "aws:executeStateMachine": execute_state_machine,
}


def _property(around: Surroundings, inputs: Mapping[str, Any]) -> tuple[Any, str]:
    own = {"PropertySelector", "DesiredValues"}
    reply = execute_api(around, {key: value for key, value in inputs.items() if key not in own})
    found = [match.value for match in parse_path(str(inputs["PropertySelector"])).find(reply)]
    return reply, as_text(found[0]) if found else ""


def _operation(service: str, api: str) -> str:
    try:
        names = get_service_model(service).operation_names
    except Exception as error:
        raise StepFailed(f"Service {service}: not known") from error
    wanted = api.replace("_", "").lower()
    for name in names:
        if name.lower() == wanted:
            return str(name)
    raise StepFailed(f"Api {api}: not known to service {service}")


def _seconds(duration: str) -> float:
    found = _DURATION.fullmatch(duration)
    if found is None or duration in {"P", "PT"}:
        raise StepFailed(f"Duration {duration!r}: expected ISO 8601, such as PT10M")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
