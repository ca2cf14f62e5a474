"""One execution, followed from start to end."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from moto.stepfunctions.parser.api import (
    ExecutionStartedEventDetails,
    ExecutionStatus,
    HistoryEventExecutionDataDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import EvaluationDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.utils import TMP_THREADS

from localaws.stepfunctions_patches.engine import current

STOP_SECONDS = 5.0


class TrackedExecution(Execution):  # type: ignore[misc]
    """An execution: `done` is set at its end. A Distributed Map's child has `map_run_arn` and its own `program`."""

    def __init__(
        self, *, program: Any = None, map_run_arn: str | None = None, alias_arn: str | None = None, **details: Any
    ) -> None:
        super().__init__(cloud_watch_logging_session=None, activity_store={}, **details)
        self.map_run_arn = map_run_arn
        self.done: Future[None] = Future()
        self.redrives = 0
        self.redrive_date: datetime | None = None
        self.program = program
        self.alias_arn = alias_arn
        self.exec_worker = _Worker(self)

    @property
    def env(self) -> Environment:
        """Return the environment of the run."""
        return self.exec_worker.env

    def start(self) -> None:
        """Run on a thread of its own."""
        self.announce()
        threading.Thread(target=self.run, name=f"execution-{self.name}", daemon=True).start()

    def announce(self) -> None:
        """Enter the status RUNNING."""
        self.exec_status = ExecutionStatus.RUNNING
        current().on_change(self)

    def run(self) -> None:
        """Run in this thread, to the end."""
        TMP_THREADS.clear()
        try:
            self.exec_worker.run()
        finally:
            self._reflect()
            current().on_change(self)
            self.done.set_result(None)

    def redrive(self) -> datetime:
        """Go on from the state that did not end well, with its input; return when."""
        state_name, state_input, variables = self.env.resume_point
        self.redrives += 1
        self.redrive_date = datetime.now(UTC)
        self.error = self.cause = None
        self.stop_date: datetime | None = None
        self.done = Future()
        self.exec_worker.resume(state_name, state_input, variables, self.redrives, self.redrive_date)
        self.start()
        return self.redrive_date

    def abort(self, error: str | None, cause: str | None) -> datetime:
        """Stop the execution and what it waits for; return when it stopped."""
        self.halt(error, cause)
        with contextlib.suppress(TimeoutError):  # then it ends as soon as the call it is making returns
            self.done.result(timeout=STOP_SECONDS)
        return self.stop_date or datetime.now(UTC)

    def halt(self, error: str | None, cause: str | None) -> None:
        """Stop without waiting for the end."""
        self.env.set_stop(stop_date=datetime.now(UTC), error=error, cause=cause)

    def describe(self) -> dict[str, Any]:
        """Return the reply of DescribeExecution."""
        described = {
            "executionArn": self.exec_arn,
            **_machine_arns(self.state_machine_arn, self.alias_arn),
            "name": self.name,
            "status": str(self.exec_status.value),
            "startDate": self.start_date,
            "stopDate": self.stop_date,
            "input": self.execution_input,
            "inputDetails": {"included": True},
            "mapRunArn": self.map_run_arn,
            "error": self.error,
            "cause": self.cause,
            "redriveCount": self.redrives,
            "redriveDate": self.redrive_date,
            "traceHeader": self.trace_header,
        }
        if self.exec_status == ExecutionStatus.SUCCEEDED:
            described["output"] = to_json_str(self.output, separators=(",", ":"))
            described["outputDetails"] = {"included": True}
        return {key: value for key, value in described.items() if value is not None}

    def _reflect(self) -> None:
        state = self.env.program_state()
        self.stop_date = datetime.now(UTC)
        if isinstance(state, ProgramStopped):
            self.exec_status = ExecutionStatus.ABORTED
            self.error, self.cause = state.error, state.cause
        elif isinstance(state, ProgramError):
            self.exec_status = ExecutionStatus.FAILED
            self.error, self.cause = state.error.get("error"), state.error.get("cause")
        elif isinstance(state, ProgramTimedOut):
            self.exec_status = ExecutionStatus.TIMED_OUT
        else:
            self.output = self.env.states.get_input()
            self.exec_status = ExecutionStatus.SUCCEEDED


def _instant(at: datetime) -> str:
    """Return a time as the context object has it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _machine_arns(arn: str, alias_arn: str | None) -> dict[str, str]:
    """Return the machine's ARN, and those of the version and alias through which the run was started."""
    base = ":".join(arn.split(":")[:7])
    arns = {"stateMachineArn": base}
    if arn != base:
        arns["stateMachineVersionArn"] = arn
    if alias_arn:
        arns["stateMachineAliasArn"] = alias_arn
    return arns


class _Worker(ExecutionWorker):  # type: ignore[misc]
    def __init__(self, execution: TrackedExecution) -> None:
        details = EvaluationDetails(
            aws_execution_details=execution._get_start_aws_execution_details(),
            execution_details=execution.get_start_execution_details(),
            state_machine_details=execution.get_start_state_machine_details(),
        )
        super().__init__(details, None, None, {})
        self._redriven = False
        self._program = execution.program or AmazonStateLanguageParser.parse(execution.state_machine.definition)[0]
        self.env = self._get_evaluation_environment()
        data = self.env.states.context_object.context_object_data["Execution"]
        data["StartTime"] = _instant(execution.start_date)
        data["RedriveCount"] = 0
        # Running from the very start, so that a stop that comes at once is heard.
        self.env.next_state_name = self._program.start_at.start_at_name

    def resume(self, state_name: str, state_input: Any, variables: dict[str, Any], redrives: int, at: datetime) -> None:
        """Make ready to go on from a state, with the history so far."""
        before, self.env = self.env, self._get_evaluation_environment()
        data = self.env.states.context_object.context_object_data
        data["Execution"] = {
            **before.states.context_object.context_object_data["Execution"],
            "RedriveCount": redrives,
            "RedriveTime": _instant(at),
        }
        self.env.event_manager = before.event_manager
        self.env.event_history_context = before.event_history_context
        self.env.map_run_record_pool_manager = before.map_run_record_pool_manager
        self.env.variable_store._inner_scope.update(variables)
        self.env.states.reset(input_value=state_input)
        self.env.next_state_name = self.env.resume_at = state_name
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=EventDetails(executionRedrivenEventDetails={"redriveCount": redrives}),
        )
        self._redriven = True

    def run(self) -> None:
        """Write the first event and evaluate."""
        if self._redriven:
            self._program.eval(self.env)
            return
        details = ExecutionStartedEventDetails(
            input=to_json_str(self._evaluation_details.execution_details.inpt),
            inputDetails=HistoryEventExecutionDataDetails(truncated=False),
            roleArn=self._evaluation_details.aws_execution_details.role_arn,
        )
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type=HistoryEventType.ExecutionStarted,
            event_details=EventDetails(executionStartedEventDetails=details),
            update_source_event_id=False,
        )
        self._program.eval(self.env)
