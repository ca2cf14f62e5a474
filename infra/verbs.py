"""The hub's functions as data: one per verb, with exactly what each may reach."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.names import Table


class Access(StrEnum):
    """What a function may do with a table."""

    READ = "read"
    WRITE = "write"
    APPEND = "append"
    """Add and read items, never remove one: the audit trail."""


LEDGER = {Table.RUNS: Access.WRITE, Table.ACTIONS: Access.WRITE, Table.EVENTS: Access.APPEND}


@dataclass(frozen=True)
class Verb:
    """One function. `name` is the module in `lambdas` and, with dashes, the physical name."""

    name: str
    purpose: str
    timeout_seconds: int = 60
    memory_mb: int = 512
    inventory: Access = Access.READ
    enters_spokes: bool = False
    publishes: bool = False
    answers_tokens: bool = False
    reads_automations: bool = False
    """Asks Systems Manager who started an automation that gives an answer."""
    watches_executions: bool = False
    """Asks Step Functions whether a run's execution still lives and whether a gate's token is still good."""
    starts_runs: bool = False
    """Starts a run by itself: a drill by the calendar, the removal of a drill's copies."""
    stops_runs: bool = False
    """Stops a run's execution by itself: of a drill that does not come to its CLEANUP any more."""
    asynchronous: bool = False
    """Invoked by an event source that does not wait: what it could not handle goes to the dead-letter queue."""

    @property
    def tables(self) -> dict[Table, Access]:
        """Return the tables it reaches."""
        return {**LEDGER, Table.INVENTORY: self.inventory}


VERBS = (
    Verb("accept_request", "Validates the request, takes the scope's lock, writes the run", publishes=True),
    Verb(
        "take_inventory",
        "Takes the snapshot of the scope's resources",
        timeout_seconds=900,
        memory_mb=1024,
        inventory=Access.WRITE,
        enters_spokes=True,
        publishes=True,
    ),
    Verb(
        "build_plan",
        "Builds and freezes the plan and its preview",
        timeout_seconds=300,
        memory_mb=1024,
        enters_spokes=True,
        publishes=True,
    ),
    Verb("check_readiness", "Judges by the plan's findings whether the run may go on", publishes=True),
    Verb("next_move", "Says what the run does next", publishes=True),
    Verb("open_gate", "Asks a person and keeps the task token", publishes=True),
    Verb("remind_gate", "Alerts about an unanswered gate", publishes=True),
    Verb("record_decision", "Judges and records a person's answer", publishes=True),
    Verb("start_stage", "Writes the map items of a stage"),
    Verb(
        "advance",
        "Looks at a resource and makes at most one change",
        timeout_seconds=120,
        memory_mb=1024,
        enters_spokes=True,
    ),
    Verb(
        "check_health",
        "Judges the health of a stage's resources",
        timeout_seconds=600,
        memory_mb=1024,
        enters_spokes=True,
    ),
    Verb("close_stage", "Records how a stage ended", publishes=True),
    Verb(
        "finish_run",
        "Writes the report, releases the lock, tells everybody, has a failed drill's copies removed",
        timeout_seconds=120,
        publishes=True,
        starts_runs=True,
    ),
    Verb("take_up", "Takes up an interrupted run when its execution is redriven", publishes=True),
    Verb(
        "on_execution_ended",
        "Leaves a true ledger when an execution failed, timed out or was stopped from outside",
        timeout_seconds=120,
        publishes=True,
        starts_runs=True,
        asynchronous=True,
    ),
    Verb(
        "refresh_inventory",
        "Keeps the inventory cache fresh",
        timeout_seconds=900,
        memory_mb=1024,
        inventory=Access.WRITE,
        enters_spokes=True,
        asynchronous=True,
    ),
    Verb(
        "judge_scopes",
        "Judges whether each scope could be moved here now",
        timeout_seconds=600,
        memory_mb=1024,
        enters_spokes=True,
        publishes=True,
        asynchronous=True,
    ),
    Verb(
        "watchdog",
        "Finds runs that died, gates that are lost and drills whose lease is over, releases what they hold",
        timeout_seconds=240,
        publishes=True,
        answers_tokens=True,
        starts_runs=True,
        stops_runs=True,
        watches_executions=True,
        asynchronous=True,
    ),
    Verb(
        "start_drill",
        "Holds a scheduled drill in the direction that the customer could be moved now",
        publishes=True,
        starts_runs=True,
        asynchronous=True,
    ),
    Verb(
        "answer_gate",
        "Redeems a gate's token with the decision of whoever AWS says is calling",
        answers_tokens=True,
        reads_automations=True,
    ),
    Verb("cancel_run", "Stops a run after the current step", answers_tokens=True),
    Verb("escalate_run", "Lets a planned run end, to go on as an emergency", publishes=True, answers_tokens=True),
    Verb("pause_run", "Pauses a run after the steps in flight", publishes=True),
    Verb("extend_lease", "Gives a drill more time", publishes=True),
    Verb("resume_run", "Resumes a paused run", answers_tokens=True),
)

BY_NAME = {verb.name: verb for verb in VERBS}
SPOKE_VERBS = tuple(verb.name for verb in VERBS if verb.enters_spokes)
