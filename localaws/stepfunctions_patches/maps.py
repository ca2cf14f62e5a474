"""Map states: inline ones in a loop, distributed ones as real child executions."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType, MapRunFailedEventDetails, MapRunStatus
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
    InlineIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import IterationWorker
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData

from localaws.stepfunctions_patches.engine import current
from localaws.stepfunctions_patches.execution import TrackedExecution
from localaws.stepfunctions_patches.interruption import Halted

MOST_INLINE_WORKERS = 40
MOST_CHILDREN = 1000


def patch() -> None:
    """Install."""
    InlineIterationComponent._eval_body = _eval_inline
    IterationWorker.eval = _eval_jobs
    DistributedIterationComponent._map_run = _map_run


def _eval_inline(self: Any, env: Environment) -> None:
    eval_input = env.stack.pop()
    items = eval_input.input_items
    pool = JobPool(job_program=self._get_iteration_program(), job_inputs=items)
    for _ in range(min(len(items), eval_input.max_concurrency or MOST_INLINE_WORKERS, MOST_INLINE_WORKERS)):
        self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
    pool.await_jobs()
    failure = pool.get_worker_exception()
    if failure is not None:
        for frame in list(env._frames):
            frame.set_stop(stop_date=datetime.now(UTC), error=None, cause=None)
        raise failure
    env.stack.append([job.job_output for job in pool.get_closed_jobs()])


def _eval_jobs(self: Any) -> None:
    """Run iterations until none is left; moto's own version recurses once per item."""
    worker = self._env.open_frame()
    while (job := self._job_pool.next_job()) is not None:
        frame = worker.open_inner_frame()
        self._eval_job(env=frame, job=job)
        worker.close_frame(frame)
        worker.event_history_context.source_event_id = frame.event_history_context.last_published_event_id
        last = isinstance(job.job_output, Exception) or not self._job_pool._open_jobs
        if last:
            # Before the job: the map goes on as soon as its last job is closed.
            self._env.close_frame(worker)
        self._job_pool.close_job(job)
        if last:
            return
    self._env.close_frame(worker)


def _map_run(self: Any, env: Environment, eval_input: Any) -> None:
    items = env.stack.pop()
    run = _MapRun(self, env, eval_input, items)
    env.stack.append(run.run())


class _MapRun:
    """One Map Run: its children, in parallel up to MaxConcurrency, each an execution with its own history."""

    def __init__(self, component: Any, env: Environment, eval_input: Any, items: Sequence[Any]) -> None:
        self._env = env
        self._record = eval_input.map_run_record
        self._program = component._get_iteration_program()
        self._inputs = [_child_input(component, env, eval_input, i, item) for i, item in enumerate(items)]
        self._children: list[TrackedExecution | None] = [None] * len(items)
        self._next = iter(range(len(items)))
        self._lock = threading.Lock()
        self._failed = 0
        self._stopped = False

    def run(self) -> list[Any]:
        """Run all children; raise when too many fail, or `Halted` when the parent ends."""
        total = len(self._inputs)
        for counter in (self._record.item_counter, self._record.execution_counter):
            counter.total.count(total)
            counter.pending.count(total)
        wanted = self._record.max_concurrency or MOST_CHILDREN
        threads = [
            threading.Thread(target=self._work, args=(self._env.next_state_name,), name="map-run", daemon=True)
            for _ in range(min(total, wanted, MOST_CHILDREN))
        ]
        self._env.program_state_event.listen(self._stop)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._env.program_state_event.forget(self._stop)
        if not self._env.is_running():
            self._record.set_stop(status=MapRunStatus.ABORTED)
            raise Halted
        if self._exceeded():
            raise self._failure()
        return [child.output if child is not None else None for child in self._children]

    def _work(self, _state: str) -> None:
        while True:
            with self._lock:
                index = None if self._stopped else next(self._next, None)
                if index is None:
                    return
                child = self._children[index] = self._child(index)
            self._count("pending", -1)
            self._count("running", 1)
            child.announce()
            child.run()
            self._count("running", -1)
            self._close(child)

    def _close(self, child: TrackedExecution) -> None:
        outcome = {
            ExecutionStatus.SUCCEEDED: "succeeded",
            ExecutionStatus.FAILED: "failed",
            ExecutionStatus.ABORTED: "aborted",
            ExecutionStatus.TIMED_OUT: "timed_out",
        }[child.exec_status]
        self._count(outcome, 1)
        if outcome == "succeeded":
            self._count("results_written", 1)
        elif outcome in {"failed", "timed_out"}:
            self._failed += 1
            if self._exceeded():
                self._stop()

    def _child(self, index: int) -> TrackedExecution:
        context = self._env.states.context_object.context_object_data
        details = self._env.aws_execution_details
        name = str(uuid.uuid4())
        machine_arn = self._record.map_state_machine_arn
        machine = _ChildMachine(machine_arn, f"{context['StateMachine']['Name']}/{machine_arn.rsplit('/', 1)[-1]}")
        child = TrackedExecution(
            name=name,
            sm_type="STANDARD",
            role_arn=details.role_arn,
            exec_arn=f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}",
            account_id=details.account,
            region_name=details.region,
            state_machine=machine,
            start_date=datetime.now(UTC),
            input_data=json.dumps(self._inputs[index]),
            program=self._program,
            map_run_arn=self._record.map_run_arn,
        )
        current().executions[child.exec_arn] = child
        return child

    def _stop(self) -> None:
        self._stopped = True
        for child in list(self._children):
            if child is not None and not child.done.done():
                child.halt(error=None, cause=None)

    def _count(self, counter: str, change: int) -> None:
        for progress in (self._record.item_counter, self._record.execution_counter):
            getattr(progress, counter).offset(change)

    def _exceeded(self) -> bool:
        share = 100.0 * self._failed / max(len(self._inputs), 1)
        tolerated = self._failed <= self._record.tolerated_failure_count
        if self._record.tolerated_failure_percentage:
            tolerated = share <= self._record.tolerated_failure_percentage
        return self._failed > 0 and not tolerated

    def _failure(self) -> FailureEventException:
        name = StatesErrorNameType.StatesExceedToleratedFailureThreshold
        cause = "The specified tolerated failure threshold was exceeded"
        details = MapRunFailedEventDetails(error=name.to_name(), cause=cause)
        return FailureEventException(
            FailureEvent(
                env=self._env,
                error_name=StatesErrorName(typ=name),
                event_type=HistoryEventType.MapRunFailed,
                event_details=EventDetails(mapRunFailedEventDetails=details),
            )
        )


class _ChildMachine:
    """What an execution needs to know of the state machine it belongs to."""

    def __init__(self, arn: str, name: str) -> None:
        self.arn = arn
        self.name = name
        self.sm_type = "STANDARD"
        self.definition = ""


def _child_input(component: Any, env: Environment, eval_input: Any, index: int, item: Any) -> Any:
    """Return the input of one child: the item, or what ItemSelector makes of it."""
    frame = env.open_inner_frame()
    try:
        frame.states.context_object.context_object_data["Map"] = MapData(Item=ItemData(Index=index, Value=item))
        frame.states.reset(input_value=item)
        worker = component._create_worker(env=env, eval_input=eval_input, job_pool=None)
        worker._eval_input(env_frame=frame)
        return frame.states.get_input()
    finally:
        env.delete_frame(frame)
