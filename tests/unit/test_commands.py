"""Every command in every state of a run: it works, or it is refused with a reason and the next step.

A new status, kind of gate, choice or command fails `test_table_is_complete` until it has its row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from cli import order_commands
from orchestrator import commands, moving
from orchestrator.ending import cancel
from orchestrator.errors import DrError
from orchestrator.escalating import escalate
from orchestrator.extending import extend
from orchestrator.gates import Answer, decide, read_answer
from orchestrator.identity import Identity
from orchestrator.ledger.records import Gate
from orchestrator.platform import Platform
from orchestrator.words import Choice, GateKind, Operation, RunStatus
from tests.unit.scripted_platform import HOME, Cloud, Operator, obstacle_failed

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
ORDERS = ("pause", "resume", "cancel", "escalate", "extend")
WORKS = "works"
Situation = tuple[RunStatus, GateKind | None]
COMMANDS = {*ORDERS, *(f"decide {choice}" for choice in Choice)}


def row(works: str, **refused: str) -> dict[str, str]:
    """Return command -> "works" or the code of its refusal; choices are given without `decide`."""
    table = {WORKS: works, **refused}
    known = {choice.value for choice in Choice}
    named = {word: code for code, words in table.items() for word in words.split()}
    return {(f"decide {w}" if w in known else w.removesuffix("!")): code for w, code in named.items()}


EVERY_CHOICE = " ".join(Choice)
EARLY = row("pause cancel", NotFound=EVERY_CHOICE, NotPaused="resume!", NoPlanYet="escalate", NoLease="extend")
OVER = row("", GateWithdrawn=EVERY_CHOICE, RunEnded="pause resume! cancel escalate", NoLease="extend")
LATER_GATE = row(
    "approve reject rollback-run pause cancel escalate",
    NotAnOption="retry skip continue rollback abort resume",
    NotPaused="resume!",
    NoLease="extend",
)
TABLE: dict[Situation, dict[str, str]] = {
    (RunStatus.ACCEPTED, None): EARLY,
    (RunStatus.PLANNING, None): EARLY,
    (RunStatus.READY, None): {**EARLY, "escalate": WORKS},
    (RunStatus.RUNNING, None): row(
        "pause cancel escalate", NotWaiting=EVERY_CHOICE, NotPaused="resume!", NoLease="extend"
    ),
    (RunStatus.WAITING, GateKind.PLAN): row(
        "approve reject pause cancel escalate",
        NotAnOption="retry skip continue rollback rollback-run abort resume",
        NotPaused="resume!",
        NoLease="extend",
    ),
    (RunStatus.WAITING, GateKind.PHASE): {**LATER_GATE, "decide rollback-run": "PastTheLine"},  # ACTIVATE is through
    (RunStatus.WAITING, GateKind.WAVE): LATER_GATE,
    (RunStatus.WAITING, GateKind.COMMIT): LATER_GATE,
    (RunStatus.WAITING, GateKind.FAILURE): row(
        "retry skip continue rollback rollback-run abort pause cancel escalate",
        NotAnOption="approve reject resume",
        NotPaused="resume!",
        NoLease="extend",
    ),
    (RunStatus.PAUSED, GateKind.PAUSE): row(
        "resume abort resume! cancel escalate",
        NotAnOption="approve reject retry skip continue rollback rollback-run",
        AlreadyPaused="pause",
        NoLease="extend",
    ),
    **{(status, None): OVER for status in RunStatus if status.ended},
}


def test_table_is_complete() -> None:
    assert {status for status, _ in TABLE} == set(RunStatus)
    assert {kind for _, kind in TABLE if kind} == set(GateKind)
    assert {situation: set(cells) for situation, cells in TABLE.items()} == dict.fromkeys(TABLE, COMMANDS)
    typed = {name for name, value in vars(order_commands).items() if hasattr(value, "callback")}
    assert typed == {*ORDERS, "approve", "reject", "decide"}, "a new command of dr needs its column"


@dataclass
class Desk:
    """A run in some situation, and the orders people give it."""

    situation: Situation
    operation: Operation = Operation.FAILOVER
    cloud: Cloud = field(default_factory=Cloud)
    platform: Platform = field(init=False)
    gate: Gate | None = None

    def __post_init__(self) -> None:
        self.platform = self.cloud.platform()
        self.cloud.add("orders", wave=1)
        self.cloud.add("search", wave=2)
        status, kind = self.situation
        if kind is GateKind.FAILURE:
            self.cloud.obstacles["search", "scale"] = obstacle_failed("database/search", "scale")
        automatic = kind in {GateKind.PAUSE, GateKind.FAILURE}
        mode = {"Phases": ["INSTANTIATE"]} if kind is GateKind.WAVE else {}
        self.run_id = self.cloud.accept(
            self.platform,
            Operation=self.operation,
            ApprovalMode="automatic" if automatic else "required",
            **mode,  # type: ignore[arg-type]
        )
        self._bring_to(status, kind)
        assert self.platform.ledger.run(self.run_id).status is status

    def _bring_to(self, status: RunStatus, kind: GateKind | None) -> None:
        ledger = self.platform.ledger
        if status in {RunStatus.ACCEPTED, RunStatus.PLANNING, RunStatus.READY}:
            planned = status is RunStatus.READY
            ledger.change_run(self.run_id, lambda r: r.but(status=status, plan_hash=r.plan_hash if planned else None))
            return
        if kind is GateKind.PAUSE:
            commands.pause(self.platform, self.run_id, KIM, "a look at the graphs")
        wanted = kind or GateKind.PLAN
        Operator(self.platform, self.cloud, lambda g: None if g.kind is wanted else Choice.APPROVE).drive(self.run_id)
        (self.gate,) = [g for g in ledger.gates(self.run_id) if g.kind is wanted and g.token]
        if status is RunStatus.RUNNING:
            decide(ledger, self.cloud.clock, self.run_id, self.gate.gate_id, Answer(Choice.APPROVE, "lee"))
            moving.decide_next(self.platform, self.run_id)
        elif status.ended:
            ledger.change_run(self.run_id, lambda r: r.but(status=status, ended_at=self.cloud.clock.now()))

    def order(self, command: str) -> bool:
        """Give an order as the functions do; say whether its effect shows."""
        verb, _, choice = command.partition(" ")
        match verb:
            case "decide":
                gate_id = self.gate.gate_id if self.gate else "g-00000000"
                answer = Answer(Choice(choice), KIM.arn, "because", identity=KIM)
                return self._redeemed(commands.ready(self.platform, gate_id, answer, "id")) == choice
            case "pause":
                return commands.pause(self.platform, self.run_id, KIM, "").paused
            case "resume":
                made = commands.resume(self.platform, self.run_id, KIM, "", "id")
                if made is not None:
                    self._redeemed(made)
                return not self.platform.ledger.run(self.run_id).paused
            case "extend":
                before = self.platform.ledger.run(self.run_id).lease
                after = extend(self.platform, self.run_id, KIM, 60, "").lease
                return bool(before and after and after.until - before.until == timedelta(hours=1))
            case "escalate":
                return escalate(self.platform, self.run_id, KIM, "").escalation is not None
            case _:
                return cancel(self.platform, self.run_id, KIM.arn, "").cancelled_by == KIM.arn

    def _redeemed(self, made: commands.Ready) -> str | None:
        gate = self.platform.ledger.gate(self.run_id, made.gate.gate_id)
        answer = read_answer(dict(made.output), gate)
        return decide(self.platform.ledger, self.cloud.clock, self.run_id, gate.gate_id, answer).choice


OF_A_DRILL: dict[Situation, dict[str, str]] = {
    **{
        situation: {"extend": WORKS, "escalate": "NotPlanned"}
        for situation in TABLE
        if not situation[0].ended and situation[1] is not GateKind.COMMIT
    },
    **{(status, None): {"extend": "RunEnded", "escalate": "NotPlanned"} for status in RunStatus if status.ended},
}
"""What differs in a drill; it has no line of no return. An ended one that left copies can be extended, too."""
CELLS = [(Operation.FAILOVER, TABLE), (Operation.TEST, OF_A_DRILL)]


@pytest.mark.parametrize(
    ("operation", "situation", "cells"),
    [(operation, situation, cells) for operation, table in CELLS for situation, cells in table.items()],
    ids=lambda value: "-".join(str(part) for part in value if part) if isinstance(value, tuple) else str(value)[:8],
)
def test_command_works_or_is_refused_with_a_reason(
    operation: Operation, situation: Situation, cells: dict[str, str]
) -> None:
    for command, expected in cells.items():
        desk = Desk(situation, operation)
        before = desk.platform.ledger.run(desk.run_id)
        if expected == WORKS:
            assert desk.order(command), command
            continue
        with pytest.raises(DrError) as refused:
            desk.order(command)
        assert refused.value.code == expected, command
        assert refused.value.message, command
        assert refused.value.remedy, command
        assert desk.platform.ledger.run(desk.run_id) == before, f"{command} was refused and changed something"


def test_pause_that_has_not_taken_effect_is_resumed_at_once() -> None:
    desk = Desk((RunStatus.RUNNING, None))
    commands.pause(desk.platform, desk.run_id, KIM, "")
    assert commands.resume(desk.platform, desk.run_id, KIM, "", "id") is None
    assert not desk.platform.ledger.run(desk.run_id).paused
