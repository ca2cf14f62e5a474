"""`advance`: look at one action's resources, decide, make at most one change, write down what was seen and done.

May be interrupted at any instant and repeated: the resource is read again each time, an intent is written before a
call and the answer after it, and a call that may have been made is not repeated before AWS had time to show its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from pydantic import JsonValue

from orchestrator.blobs import Blobs
from orchestrator.clock import Clock
from orchestrator.context import run_context
from orchestrator.contract import Adapter, Call, Clients, RunContext, Step, Target
from orchestrator.errors import (
    AccessDeniedError,
    ConflictError,
    DrError,
    NotFoundError,
    RefusedError,
    StaleRecordError,
    ThrottledError,
    UnreachableError,
)
from orchestrator.fencing import check_may_act
from orchestrator.judgement import NOT_COMMITTED, action_id_of, describe, held, judge, refuse, token_of
from orchestrator.ledger.records import Action, Event, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.reducer import GOOD
from orchestrator.scope_check import ConfirmScope
from orchestrator.targets import load_target
from orchestrator.trail import facts_of, step_record
from orchestrator.words import ActionStatus, Mode, Outcome, Phase, StepState

SETTLE_SECONDS = 60
"""How long AWS may take to show the effect of a call before the same call may be made again."""
MAX_CALLS_PER_STEP = 3
MAX_ERRORS_IN_A_ROW = 8
SOON_SECONDS = 3
MAX_WAIT_SECONDS = 60
PATIENT = 20
"""Looks after which a paused action is looked at once a minute only."""


class Session(Clients, Protocol):
    """Clients that can also perform a step's call."""

    def perform(self, call: Call, token: str) -> Mapping[str, JsonValue]:
        """Make the call once and return what it wants kept."""


OpenSession = Callable[[Run, Adapter[Any], RunContext, Target], Session]


@dataclass(frozen=True)
class Tick:
    """What the state machine does next: end, or look again after `wait_seconds`."""

    done: bool
    wait_seconds: int = 0


@dataclass(frozen=True)
class Engine:
    """Advances actions. Everything it needs from outside comes in here."""

    ledger: Ledger
    blobs: Blobs
    clock: Clock
    adapter: Callable[[str], Adapter[Any]]
    open_session: OpenSession
    confirm_scope: ConfirmScope

    def advance(self, run_id: str, stage_id: str, action_id: str) -> Tick:
        """Take one action one step further. Raise `FencedError` when this run may no longer act."""
        run, action = self.ledger.run(run_id), self.ledger.action(run_id, action_id)
        if action.status is ActionStatus.ENDED:
            return Tick(done=True)
        if run.escalation is not None:
            return self._handed_over(action, run.escalation.by)
        check_may_act(self.ledger, run)
        stage = self.ledger.stage(run_id, stage_id)
        try:
            missing = None if stage.rolling_back or action.started_at else self._missing_need(action)
            if missing is not None:
                return self._not_started(action, missing)
            return self._look_and_act(run, stage, self._started(run, action))
        except StaleRecordError:
            return Tick(done=False, wait_seconds=SOON_SECONDS)  # another advance of this action saved first

    def _missing_need(self, action: Action) -> Action | None:
        """Return an action that had to end well before this one and did not; a person who skips it lets this one go."""
        for needed in (self.ledger.action(action.run_id, action_id) for action_id in action.needs):
            if needed.status is not ActionStatus.ENDED or needed.outcome not in GOOD:
                return needed
        return None

    def _not_started(self, action: Action, needed: Action) -> Tick:
        detail = f"not started: it depends on {', '.join(needed.resource_ids)}, which {needed.outcome or needed.status}"
        remedy = f"repair that first, then answer the failure gate with retry. {needed.remedy}".strip()
        return self._end(action, Outcome.FAILED, detail, remedy, {})

    def _started(self, run: Run, action: Action) -> Action:
        if action.started_at is not None:
            return action
        now = self.clock.now()
        minutes = self.adapter(action.adapter).spec.deadline_minutes
        before = self._taken_up(run, action)
        kept: dict[str, Mapping[str, JsonValue]] = {}
        for each in before:
            kept.update(each.kept)
        calls = {k: v for each in before if each.action_id == action.action_id for k, v in each.called_at.items()}
        return self.ledger.save_action(
            action.but(
                status=ActionStatus.RUNNING,
                started_at=now,
                deadline_at=now + timedelta(minutes=minutes),
                kept={**kept, **action.kept},
                called_at={**calls, **action.called_at},
            )
        )

    def _taken_up(self, run: Run, action: Action) -> list[Action]:
        """Return what was done on the same resources before: by the run that this one takes up, then by this one."""
        earlier = run.escalates or run.completes
        phases = list(Phase)
        own = [(action.run_id, phase) for phase in phases[: phases.index(action.phase)]]
        others = [(earlier, phase) for phase in phases[: phases.index(action.phase) + 1]] if earlier else []
        found = []
        for run_id, phase in [*others, *own]:
            try:
                found.append(self.ledger.action(run_id, action_id_of(phase, action.target_id)))
            except NotFoundError:
                continue  # that run had no such phase
        return found

    def _handed_over(self, action: Action, by: str) -> Tick:
        """Leave an action to the emergency: nothing new is begun, what AWS works on goes on and is recognised there."""
        outcome = Outcome.SKIPPED if action.calls == 0 else Outcome.FAILED
        detail = f"left to the emergency run that {by} ordered"
        return self._end(action, outcome, detail, "what is done is recognised there.", action.member_outcomes)

    def _look_and_act(self, run: Run, stage: Stage, action: Action) -> Tick:
        rolling_back = stage.rolling_back
        adapter = self.adapter(action.adapter)
        target = load_target(self.blobs, run.run_id, action.target_id)
        now = self.clock.now()
        excluded = frozenset(action.member_outcomes)
        context = run_context(
            run,
            action.phase,
            target,
            now,
            action.started_at,
            action.kept,
            action.called_at,
            excluded,
            rolling_back=rolling_back,
            held=held(run, stage),
        )
        try:
            session = self.open_session(run, adapter, context, target)
            view = adapter.observe(target, session, context)
            steps = (
                adapter.rollback(action.phase, view, context)
                if rolling_back
                else adapter.steps(action.phase, view, context)
            )
        except DrError as err:
            return self._look_failed(action, err)
        action = self._seen(action, steps)
        verdict = judge(steps, action.member_outcomes, action.resource_ids)
        detail, remedy = verdict.detail or action.detail, verdict.remedy or action.remedy
        if verdict.end is not None:
            outcome = Outcome.ROLLED_BACK if rolling_back and verdict.end is not Outcome.FAILED else verdict.end
            return self._end(action, outcome, detail, remedy, verdict.members)
        if verdict.members != action.member_outcomes:  # these steps were made for all members: look again without them
            self.ledger.save_action(action.but(member_outcomes=verdict.members, detail=detail, remedy=remedy))
            return Tick(done=False, wait_seconds=SOON_SECONDS)
        assert verdict.step is not None
        if run.paused and verdict.step.state is StepState.TODO:
            self.ledger.save_action(action)
            return Tick(
                done=False, wait_seconds=MAX_WAIT_SECONDS if action.looks > PATIENT else adapter.spec.poll_seconds
            )
        if context.now > (action.deadline_at or context.now):
            return self._late(action, verdict.step)
        if verdict.step.state is StepState.TODO:
            stopped = self._not_ours(run, action, adapter, target)
            return stopped or self._do(run, stage, action, verdict.step, session, adapter)
        self.ledger.save_action(action)
        return Tick(done=False, wait_seconds=self._pace(action, adapter))

    def _not_ours(self, run: Run, action: Action, adapter: Adapter[Any], target: Target) -> Tick | None:
        """Look whose the resources are before the action's first call; in an emergency only the inventory can tell."""
        if action.calls or run.mode is Mode.EMERGENCY:
            return None
        try:
            self.confirm_scope(run, adapter, target)
        except DrError as err:
            return self._look_failed(action, err)
        return None

    def _do(self, run: Run, stage: Stage, action: Action, step: Step, session: Session, adapter: Adapter[Any]) -> Tick:
        if run.cancelled_by:
            return self._cancelled(action, step, f"cancelled by {run.cancelled_by}")
        if run.lease_over and action.phase is not Phase.CLEANUP and not stage.rolling_back:
            return self._cancelled(action, step, "ended with the lease of the drill")
        refusal = refuse(run, stage, step)
        if refusal is not None:
            if refusal.code == NOT_COMMITTED:  # a retry then asks for the commitment first
                self.ledger.change_stage(run.run_id, action.stage_id, lambda s: s.but(irreversible=True))
            return self._end(action, Outcome.FAILED, refusal.message, refusal.remedy, action.member_outcomes)
        now = self.clock.now()
        last = action.called_at.get(step.name)
        if last is not None and (now - last).total_seconds() < SETTLE_SECONDS:
            self.ledger.save_action(action)
            return Tick(done=False, wait_seconds=min(self._pace(action, adapter), SETTLE_SECONDS))
        times = action.call_counts.get(step.name, 0)
        if times >= MAX_CALLS_PER_STEP:
            detail = f"{step.name}: the call was made {times} times and its effect never showed: {step.reason}"
            return self._end(
                action,
                Outcome.FAILED,
                detail,
                "look at the resource in the console, then retry.",
                action.member_outcomes,
            )
        assert step.call is not None
        check_may_act(
            self.ledger, self.ledger.run(run.run_id)
        )  # looking takes time, and the scope may have changed hands meanwhile
        before = action
        action = self.ledger.save_action(
            action.but(
                intent=step.name,
                called_at={**action.called_at, step.name: now},
                call_counts={**action.call_counts, step.name: times + 1},
            )
        )
        self._note(action, "call", f"{describe(step.call)} ({step.name}: {step.reason})", step)
        try:
            kept = session.perform(step.call, token_of(action, step))
        except DrError as err:
            return self._call_failed(action, before, step, err, adapter)
        self._note(action, "answer", f"{describe(step.call)} accepted", step, {"kept": dict(kept)})
        earlier = action.kept.get(step.name, {})
        self.ledger.save_action(
            action.but(
                intent=None, refusals=0, kept={**action.kept, step.name: {**earlier, **kept}} if kept else action.kept
            )
        )
        return Tick(done=False, wait_seconds=SOON_SECONDS)

    def _call_failed(self, action: Action, before: Action, step: Step, err: DrError, adapter: Adapter[Any]) -> Tick:
        """Go on after a call that failed; `before` is the action as it was before the intent was written."""
        self._note(action, "error", err.message, step, {"code": err.code})
        if isinstance(err, UnreachableError):
            # The effect is unknown: time and count of the call stay, so that looks come before any repetition.
            return Tick(done=False, wait_seconds=self._pace(action, adapter))
        refusals = action.refusals + 1
        passing = isinstance(err, ThrottledError | ConflictError) or (
            isinstance(err, AccessDeniedError) and refusals < MAX_ERRORS_IN_A_ROW // 2
        )
        # AWS declined: nothing happened, so there is no effect to wait for and the call counts as never made.
        action = action.but(intent=None, refusals=refusals, called_at=before.called_at, call_counts=before.call_counts)
        if not passing or refusals >= MAX_ERRORS_IN_A_ROW:
            return self._declined(action, step, err)
        self.ledger.save_action(action)
        return Tick(done=False, wait_seconds=min(MAX_WAIT_SECONDS, adapter.spec.poll_seconds * refusals))

    def _declined(self, action: Action, step: Step, err: DrError) -> Tick:
        """End what a declined call was for: the members its step names, or the whole action."""
        detail = f"{action.detail}; {step.name}: {err.message}".removeprefix("; ")
        lost = {**dict.fromkeys(step.members, Outcome.FAILED), **action.member_outcomes}
        if not step.members or all(resource in lost for resource in action.resource_ids):
            return self._end(action, Outcome.FAILED, detail, err.remedy, action.member_outcomes)
        remedy = action.remedy or err.remedy
        self.ledger.save_action(action.but(member_outcomes=lost, detail=detail, remedy=remedy, refusals=0))
        return Tick(done=False, wait_seconds=SOON_SECONDS)

    def _look_failed(self, action: Action, err: DrError) -> Tick:
        errors = action.errors + 1
        self._note(action, "error", err.message, None, {"code": err.code})
        passing = err.retryable or isinstance(err, AccessDeniedError | ConflictError)
        if isinstance(err, RefusedError) or not passing or errors >= MAX_ERRORS_IN_A_ROW:
            return self._end(action, Outcome.FAILED, err.message, err.remedy, action.member_outcomes)
        self.ledger.save_action(action.but(errors=errors))
        return Tick(done=False, wait_seconds=min(MAX_WAIT_SECONDS, 5 * errors))

    def _seen(self, action: Action, steps: list[Step]) -> Action:
        now = self.clock.now()
        before = {step.name: step for step in action.steps}
        records = tuple(step_record(step, before.get(step.name), now) for step in steps)
        waiting = {step.name for step in steps if step.state is StepState.TODO}
        intent = action.intent if action.intent in waiting else None  # else the lost answer's effect has shown
        return action.but(steps=records, looks=action.looks + 1, errors=0, intent=intent)

    def _pace(self, action: Action, adapter: Adapter[Any]) -> int:
        """Wait the adapter's poll time; after twenty looks up to a minute, so that long waits stay cheap."""
        grown = adapter.spec.poll_seconds * max(1, action.looks // 20)
        return max(adapter.spec.poll_seconds, min(MAX_WAIT_SECONDS, grown))

    def _late(self, action: Action, step: Step) -> Tick:
        detail = f"{step.name}: not finished by {action.deadline_at:%H:%M:%S} UTC; last seen: {step.reason}"
        return self._end(
            action,
            Outcome.TIMED_OUT,
            detail,
            step.remedy or "look at the resource, then retry.",
            action.member_outcomes,
        )

    def _cancelled(self, action: Action, step: Step, why: str) -> Tick:
        outcome = Outcome.SKIPPED if action.calls == 0 else Outcome.FAILED
        detail = f"{why} before step {step.name}"
        return self._end(
            action, outcome, detail, "start a new run; what is done already will be adopted.", action.member_outcomes
        )

    def _end(self, action: Action, outcome: Outcome, detail: str, remedy: str, members: Mapping[str, Outcome]) -> Tick:
        every = {resource: members.get(resource, outcome) for resource in action.resource_ids}
        self.ledger.save_action(
            action.but(
                status=ActionStatus.ENDED,
                outcome=outcome,
                member_outcomes=every,
                detail=detail,
                remedy=remedy,
                intent=None,
                ended_at=self.clock.now(),
            )
        )
        self._note(action, "outcome", f"{action.action_id}: {outcome}. {detail}".strip(), None)
        return Tick(done=True)

    def _note(
        self, action: Action, kind: str, message: str, step: Step | None, data: Mapping[str, JsonValue] | None = None
    ) -> None:
        self.ledger.record(
            Event(
                run_id=action.run_id,
                at=self.clock.now(),
                kind=kind,
                message=message,
                stage_id=action.stage_id,
                action_id=action.action_id,
                resource_id=action.resource_ids[0] if len(action.resource_ids) == 1 else None,
                data=facts_of(kind, step) | dict(data or {}),
            )
        )
