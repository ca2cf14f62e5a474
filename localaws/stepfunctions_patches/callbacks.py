"""Tasks that wait for somebody else: `.waitForTaskToken`, and `startExecution.sync` and `.sync:2`."""

from __future__ import annotations

import json
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from localaws.stepfunctions_patches.engine import current
from localaws.stepfunctions_patches.interruption import wait_for


def patch() -> None:
    """Install."""
    StateTaskServiceCallback._eval_body = _eval_body
    StateTaskServiceCallback._eval_integration_pattern = _eval_integration_pattern


def _eval_body(self: Any, env: Environment) -> None:
    if self._is_integration_pattern():
        self._assert_integration_pattern_is_supported()
    try:
        CommonStateField._eval_body(self, env)
    finally:
        env.states.context_object.context_object_data.pop("Task", None)


def _eval_integration_pattern(self: Any, env: Environment, **_: Any) -> None:
    submitted = env.stack.pop()
    if self.resource.condition == ResourceCondition.WaitForTaskToken:
        env.stack.append(_await_token(self, env))
    elif isinstance(self, StateTaskServiceSfn):
        env.stack.append(_await_execution(self, env, submitted["ExecutionArn"]))
    else:
        raise NotImplementedError(f"{self.resource.resource_arn}: the embedded AWS waits only for startExecution.sync")


def _await_token(self: Any, env: Environment) -> Any:
    token = current().tokens[env.states.context_object.context_object_data["Task"]["Token"]]
    if self.heartbeat and not token.answer.done():
        self.heartbeat.eval(env=env)
        token.expect_heartbeats(env.stack.pop())
    return wait_for(env, token.answer)


def _await_execution(self: Any, env: Environment, arn: str) -> dict[str, Any]:
    child = current().executions[arn]
    try:
        wait_for(env, child.done)
    except BaseException:
        child.abort(error=None, cause=None)
        raise
    result = _described(child, parse=self.resource.condition == ResourceCondition.Sync2)
    if child.exec_status == ExecutionStatus.SUCCEEDED:
        return result
    name = StatesErrorNameType.StatesTaskFailed
    details = TaskFailedEventDetails(
        resource=self._get_sfn_resource(),
        resourceType=self._get_sfn_resource_type(),
        error=name.to_name(),
        cause=to_json_str(result),
    )
    raise FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )


def _described(child: Any, *, parse: bool) -> dict[str, Any]:
    """Return what DescribeExecution says, in Step Functions' own case; `.sync:2` has input and output as JSON."""
    described = {key[:1].upper() + key[1:]: value for key, value in child.describe().items() if value is not None}
    for key in ("StartDate", "StopDate"):
        if key in described:
            described[key] = int(described[key].timestamp() * 1000)
    for key in ("InputDetails", "OutputDetails"):
        if key in described:
            described[key] = {"Included": True}
    if parse:
        for key in ("Input", "Output"):
            if key in described:
                described[key] = json.loads(described[key])
    return described
