"""Service integrations: instead of a boto3 client per task, calls inside the embedded AWS as the machine's role."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import moto.stepfunctions.parser.models  # noqa: F401 - loads every module that makes clients
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_dynamodb,
    state_task_service_lambda,
    state_task_service_sfn,
    state_task_service_sns,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from localaws.stepfunctions_patches.engine import current
from localaws.stepfunctions_patches.interruption import current_frame, wait_for

# Optimised integration -> prefix of its error names, and the name for an error the service's model does not know.
_ERRORS = {
    state_task_service_lambda.StateTaskServiceLambda: ("lambda", "Lambda", "AWSLambdaException", "AWSLambda"),
    state_task_service_sfn.StateTaskServiceSfn: (
        "stepfunctions",
        "StepFunctions",
        "AWSStepFunctionsException",
        "AWSStepFunctions",
    ),
    state_task_service_sns.StateTaskServiceSns: ("sns", "SNS", "AmazonSNSException", "AmazonSNS"),
    state_task_service_dynamodb.StateTaskServiceDynamoDB: (
        "dynamodb",
        "DynamoDB",
        "AmazonDynamoDBException",
        "AmazonDynamoDBv2",
    ),
}


def patch() -> None:
    """Install."""
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser") and hasattr(module, "boto_client_for"):
            module.boto_client_for = Client  # type: ignore[attr-defined]
    for kind, names in _ERRORS.items():
        kind._from_error = _failures(kind._from_error, *names)
    _ERRORS.clear()
    state_task_service_aws_sdk.StateTaskServiceAwsSdk._normalise_response = _normalise_sdk_response


class Client:
    """Looks like a boto3 client to the interpreter; `state_credentials` name the role that calls."""

    def __init__(self, region: str, service: str, state_credentials: Any = None) -> None:
        self._region = region
        self._service = service
        self._credentials = state_credentials

    def __getattr__(self, action: str) -> Callable[..., dict[str, Any]]:
        operation = _operation(self._service, action)

        def call(**params: Any) -> dict[str, Any]:
            model = get_service_model(self._service).operation_model(operation)
            arguments = _cased(params, model.input_shape)
            reply = self._call(operation, arguments)
            return _readable(reply, self._service, model.output_shape)

        return call

    def _call(self, operation: str, params: Any) -> Mapping[str, Any]:
        frame = current_frame()
        if frame is None:
            raise RuntimeError(f"{self._service}.{operation} outside a task")
        engine = current()
        role = self._credentials.role_arn if self._credentials else frame.aws_execution_details.role_arn
        name = str(frame.states.context_object.context_object_data["Execution"]["Name"])
        session = re.sub(r"[^\w+=,.@-]", "-", name)[:64]

        def work() -> Mapping[str, Any]:
            return engine.call(role, session, self._service, operation, self._region, params)

        # Only functions run long enough to be worth interrupting.
        if (self._service, operation) == ("lambda", "Invoke"):
            answer: Mapping[str, Any] = wait_for(frame, engine.submit(work))
            return answer
        return work()


@lru_cache
def _operations(service: str) -> dict[str, str]:
    return {name.lower(): name for name in get_service_model(service).operation_names}


def _operation(service: str, action: str) -> str:
    try:
        return _operations(service)[action.replace("_", "").lower()]
    except KeyError:
        raise AttributeError(f"{service} has no operation {action}") from None


def _cased(value: Any, shape: Any) -> Any:
    """Return parameters under the names of the service's model, whatever case the definition writes them in."""
    if shape is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {name.lower(): name for name in shape.members}
        names = {key: members.get(key.lower(), key) for key in value}
        return {names[key]: _cased(item, shape.members.get(names[key])) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_cased(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _cased(item, shape.value) for key, item in value.items()}
    return value


def _readable(reply: Mapping[str, Any], service: str, shape: Any) -> dict[str, Any]:
    """Return a reply as the interpreter expects a client's: streams readable, JSON otherwise."""
    body = shape.serialization.get("payload") if shape is not None else None
    result: dict[str, Any] = {}
    for key, value in reply.items():
        if key == "ResponseMetadata":
            continue
        if key == body and isinstance(value, bytes | str):
            result[key] = io.BytesIO(value.encode() if isinstance(value, str) else value)
        else:
            name = key[:1].upper() + key[1:] if service == "stepfunctions" else key
            result[name] = _json(value, milliseconds=service == "stepfunctions")
    return result


def _json(value: Any, *, milliseconds: bool = False) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000) if milliseconds else value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {key: _json(item, milliseconds=milliseconds) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, milliseconds=milliseconds) for item in value]
    return value


def _failures(original: Any, service: str, prefix: str, unknown: str, label: str) -> Any:
    """Name a service's errors as Step Functions does: modelled ones by their code, the rest by one name."""

    def from_error(self: Any, env: Environment, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException) and not _names_error(ex.payload):
                return _failure(self, env, "Lambda.Unknown", ex.payload)
            failure: FailureEvent = original(self, env, ex)
            return failure
        error, metadata = ex.response["Error"], ex.response["ResponseMetadata"]
        code = error["Code"]
        modelled = code in get_service_model(service).shape_names
        name = code if modelled else unknown
        if service == "stepfunctions" and not name.endswith("Exception"):
            name += "Exception"
        cause = (
            f"{error['Message']} (Service: {label}; Status Code: {metadata['HTTPStatusCode']}; "
            f"Error Code: {code}; Request ID: {metadata['RequestId']}; Proxy: null)"
        )
        return _failure(self, env, f"{prefix}.{name}", cause)

    return from_error


def _names_error(payload: str) -> bool:
    return '"errorType"' in payload


def _failure(self: Any, env: Environment, error: str, cause: str) -> FailureEvent:
    details = TaskFailedEventDetails(
        error=error, cause=cause, resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type()
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),
    )


def _normalise_sdk_response(self: Any, response: Any, *_: Any) -> None:
    """Give the reply of an `aws-sdk` integration the names Step Functions gives them (DbClusters, not DBClusters)."""
    model = get_service_model(self._get_boto_service_name())
    operation = _operation(self._get_boto_service_name(), self._get_boto_service_action())
    shape = model.operation_model(operation).output_shape
    if shape is not None and isinstance(response, dict):
        renamed = _renamed(response, shape)
        response.clear()
        response.update(renamed)


def _renamed(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            StateTaskService._to_sfn_cased(key): _renamed(item, shape.members[key]) if key in shape.members else item
            for key, item in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_renamed(item, shape.member) for item in value]
    return value
