"""The ledger's interface. Two bodies pass the same tests: DynamoDB (`dynamo`) and memory (`memory`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime

from orchestrator.errors import StaleRecordError
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import Action, Event, Gate, Lock, ReadinessRecord, Run, Scope, Stage

MAX_ATTEMPTS = 8


class Ledger(ABC):
    """Remembers. Saving a record whose `version` is not the stored one raises `StaleRecordError`; reading what is not
    there raises `NotFoundError`.
    """

    @abstractmethod
    def create_run(self, run: Run) -> Run:
        """Write a new run and return it; return the stored one when the same execution already wrote it."""

    @abstractmethod
    def run(self, run_id: str) -> Run:
        """Return a run."""

    @abstractmethod
    def save_run(self, run: Run) -> Run:
        """Save a changed run and return it with its new version."""

    @abstractmethod
    def runs_of(self, scope: Scope, limit: int = 50) -> list[Run]:
        """Return the runs of a scope, newest first."""

    @abstractmethod
    def lock(self, scope: Scope, run_id: str, at: datetime) -> Lock:
        """Take the scope's lock with the next epoch, or return the run's own; raise `RefusedError` with the holder."""

    @abstractmethod
    def holder(self, scope: Scope) -> Lock | None:
        """Return the scope's lock, or None when it is free."""

    @abstractmethod
    def locks(self) -> list[Lock]:
        """Return the locks that are held, of all scopes; one taken or released just now may be missing or still there."""

    @abstractmethod
    def unlock(self, scope: Scope, run_id: str, epoch: int | None = None) -> None:
        """Release the lock if the run holds it, with this epoch when one is given; the epoch is remembered."""

    @abstractmethod
    def mark_lease(self, run_id: str, *, held: bool) -> None:
        """Remember that a drill may have copies, or that it has none any more. Repeatable."""

    @abstractmethod
    def leases(self) -> list[str]:
        """Return the runs whose lease is marked as held; one marked just now may be missing or still there."""

    @abstractmethod
    def add_stages(self, stages: Sequence[Stage], actions: Sequence[Action]) -> None:
        """Write a run's stages and actions; those already there stay as they are."""

    @abstractmethod
    def stages(self, run_id: str) -> list[Stage]:
        """Return a run's stages in order."""

    @abstractmethod
    def stage(self, run_id: str, stage_id: str) -> Stage:
        """Return one stage."""

    @abstractmethod
    def save_stage(self, stage: Stage) -> Stage:
        """Save a changed stage."""

    @abstractmethod
    def actions(self, run_id: str, stage_id: str | None = None) -> list[Action]:
        """Return a run's actions, or those of one stage."""

    @abstractmethod
    def action(self, run_id: str, action_id: str) -> Action:
        """Return one action."""

    @abstractmethod
    def save_action(self, action: Action) -> Action:
        """Save a changed action."""

    @abstractmethod
    def add_gate(self, gate: Gate) -> Gate:
        """Write a new gate; return the stored one if it is already there."""

    @abstractmethod
    def gates(self, run_id: str) -> list[Gate]:
        """Return a run's gates, oldest first."""

    @abstractmethod
    def gate(self, run_id: str, gate_id: str) -> Gate:
        """Return one gate."""

    @abstractmethod
    def find_gate(self, gate_id: str) -> Gate:
        """Return a gate by its short id alone."""

    @abstractmethod
    def save_gate(self, gate: Gate) -> Gate:
        """Save a changed gate."""

    @abstractmethod
    def record(self, event: Event) -> None:
        """Append to the audit trail."""

    @abstractmethod
    def events(self, run_id: str) -> list[Event]:
        """Return a run's audit trail, oldest first."""

    @abstractmethod
    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep an inventory snapshot as the scope's newest."""

    @abstractmethod
    def newest_snapshot(self, scope: Scope) -> Snapshot | None:
        """Return the scope's newest inventory snapshot, or None."""

    @abstractmethod
    def save_readiness(self, verdict: ReadinessRecord) -> None:
        """Keep a verdict as the newest of its scope and Region, and in the history."""

    @abstractmethod
    def readiness_of(self, scope: Scope, limit: int = 50) -> list[ReadinessRecord]:
        """Return the verdicts on a scope, newest first."""

    @abstractmethod
    def newest_readiness(self) -> list[ReadinessRecord]:
        """Return the newest verdict on each scope and Region."""

    # --- read, change, save, again when somebody else was faster -----------------------------------------------------

    def change_run(self, run_id: str, change: Callable[[Run], Run]) -> Run:
        """Apply `change` to the stored run and save it, again if somebody else saved meanwhile."""
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return self.save_run(change(self.run(run_id)))
            except StaleRecordError:
                continue
        return self.save_run(change(self.run(run_id)))

    def change_stage(self, run_id: str, stage_id: str, change: Callable[[Stage], Stage]) -> Stage:
        """Apply `change` to the stored stage and save it, again if somebody else saved meanwhile."""
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return self.save_stage(change(self.stage(run_id, stage_id)))
            except StaleRecordError:
                continue
        return self.save_stage(change(self.stage(run_id, stage_id)))

    def change_action(self, run_id: str, action_id: str, change: Callable[[Action], Action]) -> Action:
        """Apply `change` to the stored action and save it, again if somebody else saved meanwhile."""
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return self.save_action(change(self.action(run_id, action_id)))
            except StaleRecordError:
                continue
        return self.save_action(change(self.action(run_id, action_id)))

    def change_gate(self, run_id: str, gate_id: str, change: Callable[[Gate], Gate]) -> Gate:
        """Apply `change` to the stored gate and save it, again if somebody else saved meanwhile."""
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return self.save_gate(change(self.gate(run_id, gate_id)))
            except StaleRecordError:
                continue
        return self.save_gate(change(self.gate(run_id, gate_id)))
