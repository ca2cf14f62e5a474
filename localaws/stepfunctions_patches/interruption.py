"""Running without a thread per task and without polling: everything that waits can be woken.

A state's frame ends when it is done, when its time is over, or when the execution is stopped; whoever waits
inside it waits for that too.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramRunning

from localaws.clock import ManualClock
from localaws.stepfunctions_patches.engine import Cancellable, current
from localaws.stepfunctions_patches.tokens import close_token, is_callback, open_token

log = logging.getLogger("localaws.stepfunctions")

_new_environment = Environment.__init__
_new_frame = Environment.as_inner_frame_of.__func__
_program_body = Program._eval_body
_here = threading.local()

MOST_EVENTS = 25_000


class Halted(BaseException):
    """The execution, or the state, was ended from outside while something waited inside it."""


class Ending(threading.Event):
    """Set once, when an environment ends; tells those who listen."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Callable[[], None]] = []

    def set(self) -> None:
        """Mark the end."""
        super().set()
        for listener in list(self._listeners):
            listener()

    def clear(self) -> None:
        """Do nothing: an end is final."""

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` at the end, at once if it has come."""
        self._listeners.append(listener)
        if self.is_set():
            listener()

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`."""
        if listener in self._listeners:
            self._listeners.remove(listener)


def patch() -> None:
    """Install."""
    Environment.__init__ = _environment
    Environment.as_inner_frame_of = classmethod(_frame)
    Environment.program_state = lambda self: self._program_state
    EvalComponent._log_evaluation_step = lambda *_: None
    EvalComponent._log_failure_event_exception = lambda *_, **__: None
    EvalComponent._log_exception = lambda *_, **__: None
    Program.eval = _eval_program
    Program._eval_body = _eval_program_body
    ExecutionState._evaluate_with_timeout = _evaluate_with_timeout
    WaitFunction._wait_interval = _wait_interval
    RetrierDecl._eval_body = _eval_retrier


def wait_for(env: Environment, future: Future[Any]) -> Any:
    """Return the future's result; raise `Halted` when the environment ends first."""
    woken = threading.Event()
    future.add_done_callback(lambda _: woken.set())
    env.program_state_event.listen(woken.set)
    try:
        woken.wait()
    finally:
        env.program_state_event.forget(woken.set)
    if future.done():
        return future.result()
    raise Halted


def pause(env: Environment, aws_seconds: float) -> None:
    """Let AWS time pass; raise `Halted` when the environment ends first."""
    engine = current()
    if isinstance(engine.clock, ManualClock):
        passed: Future[None] = Future()
        engine.after(aws_seconds, lambda: passed.set_result(None))
        wait_for(env, passed)
    elif env.program_state_event.wait(engine.clock.wall_seconds(aws_seconds)):
        raise Halted
    if not env.is_running():
        raise Halted


def current_frame() -> Environment | None:
    """Return the environment of the task that this thread is running."""
    return getattr(_here, "frame", None)


def ended(env: Environment) -> bool:
    """Return whether the environment has come to its end."""
    return env._program_state is not None and not isinstance(env._program_state, ProgramRunning)


def _environment(self: Any, *args: Any, **kwargs: Any) -> None:
    _new_environment(self, *args, **kwargs)
    self.program_state_event = Ending()


def _frame(cls: Any, *args: Any, **kwargs: Any) -> Environment:
    frame: Environment = _new_frame(cls, *args, **kwargs)
    if ended(frame):
        frame.program_state_event.set()
    return frame


def _eval_program(self: Any, env: Environment) -> None:
    """Run a program in this thread; its TimeoutSeconds are wall seconds, as its tasks really take time."""
    if ended(env):
        return
    env.next_state_name = env.__dict__.pop("resume_at", None) or self.start_at.start_at_name
    timer: Cancellable | None = None
    if self.timeout_seconds:
        timer = current().after_wall(self.timeout_seconds.timeout_seconds, env.set_timed_out)
    try:
        EvalComponent.eval(self, env)
    finally:
        if timer is not None:
            timer.cancel()


def _eval_program_body(self: Any, env: Environment) -> None:
    try:
        while env.is_running():
            state = self._get_state(env.next_state_name)
            if not env.is_frame():
                _remember(env, state.name)
            if env.event_manager._event_id_gen._next_id > MOST_EVENTS:
                _end_history(env)
                break
            state.eval(env)
            env.stack.clear()
            env.heap.clear()
    except FailureEventException as error:
        env.set_error(error=error.get_execution_failed_event_details())
    except Halted:
        pass  # the environment says why
    except Exception as error:
        log.exception("the interpreter failed in state %s", env.next_state_name)
        cause = f"{type(error).__name__}({error})"
        name = StatesErrorName(typ=StatesErrorNameType.StatesRuntime).error_name
        env.set_error(ExecutionFailedEventDetails(error=name, cause=cause))
    # No state is left to run; this writes the closing event of the history.
    _program_body(self, env)


def _end_history(env: Environment) -> None:
    name = StatesErrorName(typ=StatesErrorNameType.StatesRuntime).error_name
    cause = f"The execution reached the maximum number of history events ({MOST_EVENTS})."
    env.set_error(ExecutionFailedEventDetails(error=name, cause=cause))


def _remember(env: Environment, state_name: str) -> None:
    """Keep what RedriveExecution needs to go on from here."""
    variables = copy.deepcopy(env.variable_store._inner_scope)
    env.resume_point = (state_name, copy.deepcopy(env.states.get_input()), variables)


def _evaluate_with_timeout(self: Any, env: Environment) -> None:
    self.timeout.eval(env=env)
    seconds = env.stack.pop()
    token = open_token(env) if is_callback(self) else None
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        frame.set_timed_out()

    timer = None if self.timeout.is_default_value() else _timer(self, seconds, expire)
    outer, _here.frame = getattr(_here, "frame", None), frame
    try:
        output = _run(self, env, frame, expired)
    finally:
        _here.frame = outer
        if timer is not None:
            timer.cancel()
        close_token(token)
        frame.set_ended()
        env.close_frame(frame)
    _take_output(self, env, output)


def _run(self: Any, env: Environment, frame: Environment, expired: threading.Event) -> Any:
    try:
        self._eval_execution(frame)
    except Halted:
        pass  # told apart below
    except Exception:
        if env.is_running() and not expired.is_set():
            raise
    if not env.is_running():
        raise Halted
    if expired.is_set():
        raise EvalTimeoutError
    return frame.stack.pop()


def _timer(self: Any, seconds: float, expire: Callable[[], None]) -> Cancellable:
    if is_callback(self):
        return current().after(seconds, expire, current().callback_speed)
    return current().after_wall(seconds, expire)


def _take_output(self: Any, env: Environment, output: Any) -> None:
    env.stack.append(output)
    if not self._is_language_query_jsonpath():
        env.states.set_result(output)
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if self.result_selector:
        self.result_selector.eval(env=env)
    if self.result_path:
        self.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _wait_interval(_self: Any, env: Environment, wait_seconds: float) -> None:
    if wait_seconds > 0:
        pause(env, wait_seconds)


def _eval_retrier(self: Any, env: Environment) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    for component in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
        component.eval(env=env)
    pause(env, env.stack.pop())
    env.stack.append(RetrierOutcome.Executed)
