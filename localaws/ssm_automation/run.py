"""One run of an Automation document."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from localaws.clock import ManualClock
from localaws.service import Principal
from localaws.ssm_automation import choices
from localaws.ssm_automation.actions import ACTIONS, StepFailed, StepTimedOut
from localaws.ssm_automation.document import Document, Step
from localaws.ssm_automation.values import ReferenceProblem, as_list, select, substitute


class Status(StrEnum):
    """The states of a run and of a step."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESS = "Success"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"


class Stopped(Exception):
    """StopAutomationExecution was called."""


@dataclass
class StepRun:
    """What became of a step."""

    step: Step
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: Status = Status.PENDING
    started: datetime | None = None
    ended: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    next_step: str | None = None


class AutomationRun:
    """Runs the steps on a thread of its own; `principal` is the assumed role or the caller."""

    def __init__(
        self,
        local: Any,
        document: Document,
        name: str,
        version: str,
        principal: Principal,
        region: str,
        caller: Principal,
    ) -> None:
        self.local = local
        self.document = document
        self.name = name
        self.version = version
        self.principal = principal
        self.caller = caller
        self.region = region
        self.id = str(uuid.uuid4())
        self.parameters: dict[str, Any] = {}
        self.assume_role = ""
        self.status = Status.PENDING
        self.started = datetime.now(UTC)
        self.ended: datetime | None = None
        self.failure: str | None = None
        self.current: StepRun | None = None
        self.steps: dict[str, StepRun] = {step.name: StepRun(step) for step in document.steps}
        self.outputs: dict[str, list[str]] = {}
        self.done: Future[None] = Future()
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name=f"automation-{self.id}", daemon=True).start()

    def stop(self) -> None:
        """Cancel: the current step ends at its next pause."""
        self._stop.set()

    def pause(self, aws_seconds: float) -> None:
        """Let AWS time pass. Raises `Stopped`."""
        clock = self.local.clock
        if isinstance(clock, ManualClock):
            passed = threading.Event()
            clock.after(aws_seconds, passed.set)
            while not passed.wait(0.01) and not self._stop.is_set():
                continue
        else:
            self._stop.wait(clock.wall_seconds(aws_seconds))
        if self._stop.is_set():
            raise Stopped

    def lookup(self, reference: str) -> Any:
        """Return what `{{ reference }}` stands for. Raises `ReferenceProblem`."""
        now = datetime.now(UTC)
        known = {
            "automation:EXECUTION_ID": self.id,
            "global:ACCOUNT_ID": self.caller.account,
            "global:REGION": self.region,
            "global:AWS_PARTITION": "aws",
            "global:DATE": now.strftime("%Y-%m-%d"),
            "global:DATE_TIME": now.strftime("%Y-%m-%d_%H.%M.%S"),
            **self.parameters,
        }
        if reference in known:
            return known[reference]
        step, _, output = reference.partition(".")
        if step in self.steps and output in self.steps[step].outputs:
            return self.steps[step].outputs[output]
        raise ReferenceProblem(f"{{{{ {reference} }}}} is neither a parameter nor the output of an earlier step")

    def _run(self) -> None:
        self.status = Status.IN_PROGRESS
        final = Status.SUCCESS
        try:
            step: Step | None = self.document.steps[0]
            while step is not None:
                if self._stop.is_set():
                    raise Stopped
                step_run = self.current = self.steps[step.name]
                self._perform(step_run)
                step, final = self._after(step_run, final)
            self.outputs = {name: as_list(self.lookup(name)) for name in self.document.outputs if self._known(name)}
        except Stopped:
            final = Status.CANCELLED
        self.ended = datetime.now(UTC)
        self.status = final
        self.done.set_result(None)

    def _perform(self, step_run: StepRun) -> None:
        step = step_run.step
        step_run.status, step_run.started = Status.IN_PROGRESS, datetime.now(UTC)
        try:
            for attempt in range(step.max_attempts):
                try:
                    self._attempt(step_run)
                    break
                except StepFailed:
                    if attempt + 1 == step.max_attempts:
                        raise
            step_run.status = Status.SUCCESS
        except Stopped:
            step_run.status = Status.CANCELLED
            raise
        except StepTimedOut as error:
            step_run.status, step_run.failure = Status.TIMED_OUT, str(error)
        except (StepFailed, ReferenceProblem, ValueError, KeyError) as error:
            step_run.status, step_run.failure = Status.FAILED, str(error)
        finally:
            step_run.ended = datetime.now(UTC)

    def _attempt(self, step_run: StepRun) -> None:
        step = step_run.step
        inputs = step_run.inputs = substitute(step.inputs, self.lookup)
        if step.action == "aws:branch":
            step_run.next_step = choices.next_step(inputs)
            return
        reply = ACTIONS[step.action](self, inputs, step.timeout_seconds)
        step_run.outputs = {output.name: select(reply, output) for output in step.outputs}
        if step.action == "aws:invokeLambdaFunction":
            step_run.outputs = {**reply, **step_run.outputs}
        elif step.action == "aws:executeStateMachine":
            step_run.outputs = {key: reply[key] for key in ("status", "output") if key in reply} | step_run.outputs

    def _after(self, step_run: StepRun, final: Status) -> tuple[Step | None, Status]:
        """Return the next step (None: the end) and the final status so far."""
        step = step_run.step
        if step_run.status == Status.SUCCESS:
            return self._following(step, step_run), final
        self.failure = self.failure or f"Step fails when it is Execute/Cancelling action. {step_run.failure}"
        failed = step_run.status if step.critical else final
        if step.on_failure.startswith("step:"):
            return self.steps[step.on_failure.removeprefix("step:")].step, failed
        if step.on_failure == "Continue":
            return self._following(step, step_run), failed
        return None, step_run.status

    def _following(self, step: Step, step_run: StepRun) -> Step | None:
        if step.action == "aws:branch" and step_run.next_step:
            return self.steps[step_run.next_step].step
        if step.end:
            return None
        if step.next_step:
            return self.steps[step.next_step].step
        index = self.document.steps.index(step) + 1
        return self.document.steps[index] if index < len(self.document.steps) else None

    def _known(self, reference: str) -> bool:
        try:
            self.lookup(reference)
        except ReferenceProblem:
            return False
        return True
