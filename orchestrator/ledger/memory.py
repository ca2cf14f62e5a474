"""The ledger in memory, for tests and previews. Same behaviour as the DynamoDB body, proved by the same tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import RLock
from typing import TypeVar

from orchestrator.errors import NotFoundError, RefusedError, StaleRecordError
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import Action, Event, Gate, Lock, ReadinessRecord, Run, Scope, Stage
from orchestrator.ledger.store import Ledger

R = TypeVar("R", Run, Stage, Action, Gate)
Key = tuple[str, ...]


class MemoryLedger(Ledger):
    """Keeps records in dicts."""

    def __init__(self) -> None:
        self._runs: dict[Key, Run] = {}
        self._stages: dict[Key, Stage] = {}
        self._actions: dict[Key, Action] = {}
        self._gates: dict[Key, Gate] = {}
        self._events: list[Event] = []
        self._locks: dict[str, Lock | None] = {}
        self._epochs: dict[str, int] = {}
        self._leases: dict[str, bool] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._readiness: list[ReadinessRecord] = []
        self._guard = RLock()

    def create_run(self, run: Run) -> Run:
        """See `Ledger.create_run`."""
        with self._guard:
            return self._runs.setdefault((run.run_id,), run)

    def run(self, run_id: str) -> Run:
        """See `Ledger.run`."""
        return _get(self._runs, (run_id,), f"run {run_id}")

    def save_run(self, run: Run) -> Run:
        """See `Ledger.save_run`."""
        return self._save(self._runs, (run.run_id,), run)

    def runs_of(self, scope: Scope, limit: int = 50) -> list[Run]:
        """See `Ledger.runs_of`."""
        mine = [run for run in self._runs.values() if run.scope == scope]
        return sorted(mine, key=lambda run: (run.created_at, run.run_id), reverse=True)[:limit]

    def lock(self, scope: Scope, run_id: str, at: datetime) -> Lock:
        """See `Ledger.lock`."""
        with self._guard:
            held = self._locks.get(scope.key)
            if held is not None and held.run_id != run_id:
                raise held_by_another(held)
            if held is None:
                self._epochs[scope.key] = self._epochs.get(scope.key, 0) + 1
                held = Lock(scope=scope, run_id=run_id, epoch=self._epochs[scope.key], taken_at=at)
                self._locks[scope.key] = held
            return held

    def holder(self, scope: Scope) -> Lock | None:
        """See `Ledger.holder`."""
        return self._locks.get(scope.key)

    def locks(self) -> list[Lock]:
        """See `Ledger.locks`."""
        return [held for _, held in sorted(self._locks.items()) if held is not None]

    def unlock(self, scope: Scope, run_id: str, epoch: int | None = None) -> None:
        """See `Ledger.unlock`."""
        with self._guard:
            held = self._locks.get(scope.key)
            if held is not None and held.run_id == run_id and epoch in {None, held.epoch}:
                self._locks[scope.key] = None

    def mark_lease(self, run_id: str, *, held: bool) -> None:
        """See `Ledger.mark_lease`."""
        self._leases[run_id] = held

    def leases(self) -> list[str]:
        """See `Ledger.leases`."""
        return sorted(run_id for run_id, held in self._leases.items() if held)

    def add_stages(self, stages: Sequence[Stage], actions: Sequence[Action]) -> None:
        """See `Ledger.add_stages`."""
        with self._guard:
            for stage in stages:
                self._stages.setdefault((stage.run_id, stage.stage_id), stage)
            for action in actions:
                self._actions.setdefault((action.run_id, action.action_id), action)

    def stages(self, run_id: str) -> list[Stage]:
        """See `Ledger.stages`."""
        return sorted((s for s in self._stages.values() if s.run_id == run_id), key=lambda stage: stage.index)

    def stage(self, run_id: str, stage_id: str) -> Stage:
        """See `Ledger.stage`."""
        return _get(self._stages, (run_id, stage_id), f"stage {stage_id} of run {run_id}")

    def save_stage(self, stage: Stage) -> Stage:
        """See `Ledger.save_stage`."""
        return self._save(self._stages, (stage.run_id, stage.stage_id), stage)

    def actions(self, run_id: str, stage_id: str | None = None) -> list[Action]:
        """See `Ledger.actions`."""
        mine = [a for a in self._actions.values() if a.run_id == run_id and stage_id in {None, a.stage_id}]
        return sorted(mine, key=lambda action: action.action_id)

    def action(self, run_id: str, action_id: str) -> Action:
        """See `Ledger.action`."""
        return _get(self._actions, (run_id, action_id), f"action {action_id} of run {run_id}")

    def save_action(self, action: Action) -> Action:
        """See `Ledger.save_action`."""
        return self._save(self._actions, (action.run_id, action.action_id), action)

    def add_gate(self, gate: Gate) -> Gate:
        """See `Ledger.add_gate`."""
        with self._guard:
            return self._gates.setdefault((gate.run_id, gate.gate_id), gate)

    def gates(self, run_id: str) -> list[Gate]:
        """See `Ledger.gates`."""
        mine = [gate for gate in self._gates.values() if gate.run_id == run_id]
        return sorted(mine, key=lambda gate: (gate.opened_at, gate.gate_id))

    def gate(self, run_id: str, gate_id: str) -> Gate:
        """See `Ledger.gate`."""
        return _get(self._gates, (run_id, gate_id), f"gate {gate_id} of run {run_id}")

    def find_gate(self, gate_id: str) -> Gate:
        """See `Ledger.find_gate`."""
        found = [gate for gate in self._gates.values() if gate.gate_id == gate_id]
        if not found:
            raise NotFoundError(f"there is no gate {gate_id}.", "dr status shows the open gates of a run.")
        return found[0]

    def save_gate(self, gate: Gate) -> Gate:
        """See `Ledger.save_gate`."""
        return self._save(self._gates, (gate.run_id, gate.gate_id), gate)

    def record(self, event: Event) -> None:
        """See `Ledger.record`."""
        self._events.append(event)

    def events(self, run_id: str) -> list[Event]:
        """See `Ledger.events`."""
        return [event for event in self._events if event.run_id == run_id]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """See `Ledger.save_snapshot`."""
        with self._guard:
            newest = self._snapshots.get(snapshot.scope.key)
            if newest is None or snapshot.taken_at >= newest.taken_at:
                self._snapshots[snapshot.scope.key] = snapshot

    def newest_snapshot(self, scope: Scope) -> Snapshot | None:
        """See `Ledger.newest_snapshot`."""
        return self._snapshots.get(scope.key)

    def save_readiness(self, verdict: ReadinessRecord) -> None:
        """See `Ledger.save_readiness`."""
        with self._guard:
            self._readiness.append(verdict)

    def readiness_of(self, scope: Scope, limit: int = 50) -> list[ReadinessRecord]:
        """See `Ledger.readiness_of`."""
        mine = [each for each in self._readiness if each.scope == scope]
        return sorted(mine, key=lambda each: each.at, reverse=True)[:limit]

    def newest_readiness(self) -> list[ReadinessRecord]:
        """See `Ledger.newest_readiness`."""
        newest = {(each.scope.key, each.region): each for each in sorted(self._readiness, key=lambda each: each.at)}
        return [newest[key] for key in sorted(newest)]

    def _save(self, table: dict[Key, R], key: Key, record: R) -> R:
        with self._guard:
            stored = _get(table, key, f"record {'/'.join(key)}")
            if stored.version != record.version:
                raise StaleRecordError(f"record {'/'.join(key)} was changed meanwhile.")
            table[key] = record.but(version=record.version + 1)
            return table[key]


def _get(table: dict[Key, R], key: Key, what: str) -> R:
    if key not in table:
        raise NotFoundError(f"there is no {what}.")
    return table[key]


def held_by_another(held: Lock) -> RefusedError:
    """Return the refusal a second run on a locked scope gets."""
    return RefusedError(
        f"{held.scope} is locked by run {held.run_id} since {held.taken_at:%Y-%m-%d %H:%M:%S} UTC.",
        f"follow it with: dr status {held.run_id} --watch; end it with: dr cancel {held.run_id}; "
        f"if its source Region has died, let it go on as an emergency: dr escalate {held.run_id}",
        code="ScopeLocked",
    )
