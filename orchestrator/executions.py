"""What Step Functions says of executions and tokens, asked in the hub's own Region only; and what the watchdog may order."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.aws_errors import translate

CLOSED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


@dataclass(frozen=True)
class Execution:
    """An execution as Step Functions knows it."""

    status: str
    ended_at: datetime | None = None

    @property
    def runs(self) -> bool:
        """Say whether it goes on by itself."""
        return self.status not in {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}


class Executions(ABC):
    """Looks at executions and tokens; `let_go`, `start` and `stop` are the only changes."""

    @abstractmethod
    def find(self, arn: str) -> Execution | None:
        """Return an execution, None when Step Functions knows none of that ARN (any more)."""

    @abstractmethod
    def waits(self, token: str) -> bool:
        """Say whether a callback token would still be taken."""

    @abstractmethod
    def let_go(self, token: str, output: Mapping[str, object]) -> None:
        """Redeem a callback token; one that is used up or too old is left as it is."""

    @abstractmethod
    def start(self, machine_arn: str, name: str, given: Mapping[str, object]) -> None:
        """Start an execution; one of that name that was started before stays the only one."""

    @abstractmethod
    def stop(self, arn: str, why: str) -> None:
        """Stop an execution with everything it waits for; one that has ended, or is not known, stays as it is."""


class StepFunctionsExecutions(Executions):
    """Asks Step Functions. `client` is a boto3 client of the hub's Region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, arn: str) -> Execution | None:
        """See `Executions.find` (states:DescribeExecution, which may lag behind by seconds)."""
        try:
            found = self._client.describe_execution(executionArn=arn)
        except ClientError as err:
            if _code(err) == "ExecutionDoesNotExist":
                return None
            raise translate(err, f"states.DescribeExecution of {arn}") from err
        except BotoCoreError as err:
            raise translate(err, f"states.DescribeExecution of {arn}") from err
        return Execution(str(found["status"]), found.get("stopDate"))

    def waits(self, token: str) -> bool:
        """See `Executions.waits`. A heartbeat is the only question about a token; the gates' tasks expect none, so it does nothing."""
        try:
            self._client.send_task_heartbeat(taskToken=token)
        except ClientError as err:
            if _code(err) in CLOSED:
                return False
            raise translate(err, "states.SendTaskHeartbeat") from err
        except BotoCoreError as err:
            raise translate(err, "states.SendTaskHeartbeat") from err
        return True

    def let_go(self, token: str, output: Mapping[str, object]) -> None:
        """See `Executions.let_go` (states:SendTaskSuccess)."""
        try:
            self._client.send_task_success(taskToken=token, output=json.dumps(output))
        except ClientError as err:
            if _code(err) not in CLOSED:
                raise translate(err, "states.SendTaskSuccess") from err
        except BotoCoreError as err:
            raise translate(err, "states.SendTaskSuccess") from err

    def start(self, machine_arn: str, name: str, given: Mapping[str, object]) -> None:
        """See `Executions.start` (states:StartExecution)."""
        try:
            self._client.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(given))
        except ClientError as err:
            if _code(err) != "ExecutionAlreadyExists":
                raise translate(err, f"states.StartExecution of {name}") from err
        except BotoCoreError as err:
            raise translate(err, f"states.StartExecution of {name}") from err

    def stop(self, arn: str, why: str) -> None:
        """See `Executions.stop` (states:StopExecution)."""
        try:
            self._client.stop_execution(executionArn=arn, error="StoppedByWatchdog", cause=why)
        except ClientError as err:
            if _code(err) != "ExecutionDoesNotExist":
                raise translate(err, f"states.StopExecution of {arn}") from err
        except BotoCoreError as err:
            raise translate(err, f"states.StopExecution of {arn}") from err


def _code(err: ClientError) -> str:
    return str(err.response.get("Error", {}).get("Code", ""))
