"""What a run does next, from what the ledger holds."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ledger.records import Gate, Run, Stage
from orchestrator.progress import Ask, Finish, RunStage, gate_id, next_move
from orchestrator.words import Approval, Choice, GateKind, GateStatus, Phase, RunStatus, StageStatus
from tests.unit.scripted_platform import a_gate, a_run, a_stage

INST, ACT, REPL = Phase.INSTANTIATE, Phase.ACTIVATE, Phase.REPLICATE
PASSED, FAILED, RUNNING = StageStatus.PASSED, StageStatus.FAILED, StageStatus.RUNNING
AUTOMATIC = {"approval": Approval.AUTOMATIC}


def stage(index: int, phase: Phase, wave: int = 1, status: StageStatus = StageStatus.PENDING, **more: Any) -> Stage:
    return a_stage(index, phase, wave, status=status, **more)


def answered(run: Run, kind: GateKind, of: Stage, choice: Choice = Choice.APPROVE, attempt: int = 0) -> Gate:
    name = gate_id(run.run_id, kind, of.stage_id, attempt)
    return a_gate(kind, name, stage_id=of.stage_id, status=GateStatus.ANSWERED, choice=choice)


def told(move: object) -> str:
    """Return a move in one word and place."""
    if isinstance(move, Ask):
        return f"{move.kind} {move.stage.stage_id if move.stage else '-'}"
    return f"run {move.stage.stage_id}" if isinstance(move, RunStage) else "finish"


@pytest.mark.parametrize(
    ("run", "stages", "expected"),
    [
        ({}, [stage(1, INST)], "plan 01-INSTANTIATE-w1"),
        (AUTOMATIC, [stage(1, INST)], "run 01-INSTANTIATE-w1"),
        ({}, [stage(1, INST, 1, PASSED), stage(2, INST, 2)], "wave 02-INSTANTIATE-w2"),
        ({}, [stage(1, INST, 2, PASSED), stage(2, ACT, 1)], "phase 02-ACTIVATE-w1"),
        ({}, [stage(1, REPL, 1, PASSED), stage(2, INST, 2)], "wave 02-INSTANTIATE-w2"),
        ({}, [stage(1, INST, 1, PASSED), stage(2, ACT, irreversible=True)], "commit 02-ACTIVATE-w1"),
        ({}, [stage(1, ACT, irreversible=True)], "commit 01-ACTIVATE-w1"),
        (
            {"committed": True},
            [stage(1, ACT, 1, PASSED, irreversible=True), stage(2, ACT, 2, irreversible=True)],
            "wave 02-ACTIVATE-w2",
        ),
        (AUTOMATIC, [stage(1, ACT, irreversible=True)], "run 01-ACTIVATE-w1"),
        ({}, [stage(1, INST, 1, RUNNING)], "run 01-INSTANTIATE-w1"),
        ({}, [stage(1, INST, 1, StageStatus.CHECKING)], "run 01-INSTANTIATE-w1"),
        ({}, [stage(1, INST, 1, FAILED)], "failure 01-INSTANTIATE-w1"),
        (AUTOMATIC, [stage(1, INST, 1, FAILED)], "failure 01-INSTANTIATE-w1"),
        (AUTOMATIC, [stage(1, INST, 1, StageStatus.SKIPPED), stage(2, ACT)], "run 02-ACTIVATE-w1"),
        ({}, [stage(1, INST, 1, PASSED)], "finish"),
        ({}, [], "finish"),
        ({"cancelled_by": "kim"}, [stage(1, INST)], "finish"),
        ({"cancelled_by": "kim"}, [stage(1, INST, 1, FAILED)], "finish"),
        ({"rejected_by": "kim"}, [stage(1, INST)], "finish"),
        ({"failure": "aborted"}, [stage(1, INST, 1, FAILED)], "finish"),
        ({"status": RunStatus.STOPPED}, [stage(1, INST)], "finish"),
    ],
)
def test_move_follows_from_the_states(run: dict[str, Any], stages: list[Stage], expected: str) -> None:
    assert told(next_move(a_run(**run), stages, [])) == expected


def test_approved_stage_runs() -> None:
    run, first = a_run(), stage(1, INST)
    assert told(next_move(run, [first], [answered(run, GateKind.PLAN, first)])) == f"run {first.stage_id}"


def test_open_gate_is_asked_again_under_the_same_id() -> None:
    # Given a gate nobody answered
    run, first = a_run(), stage(1, INST)
    asked = next_move(run, [first], [])
    assert isinstance(asked, Ask)
    gate = a_gate(GateKind.PLAN, asked.gate_id, stage_id=first.stage_id)
    # When, Then
    assert next_move(run, [first], [gate]) == asked


def test_stage_let_across_the_line_is_not_asked_for_a_second_time() -> None:
    # Given the commit gate of a stage that also begins a phase, approved
    run, stages = a_run(committed=True), [stage(1, INST, 1, PASSED), stage(2, ACT, irreversible=True)]
    # When, Then there is no phase gate on top
    assert told(next_move(run, stages, [answered(run, GateKind.COMMIT, stages[1])])) == "run 02-ACTIVATE-w1"


def test_stage_found_irreversible_on_the_way_asks_for_the_commit_before_it_goes_on() -> None:
    # Given a stage whose phase gate was passed before anybody knew that it crosses the line
    run, stages = a_run(), [stage(1, INST, 1, PASSED), stage(2, ACT, irreversible=True, attempt=1)]
    # When, Then
    assert told(next_move(run, stages, [answered(run, GateKind.PHASE, stages[1])])) == "commit 02-ACTIVATE-w1"


def test_stage_that_fails_again_gets_a_new_question() -> None:
    # Given a first failure answered with retry, and a second one
    run, again = a_run(), stage(1, INST, 1, FAILED, attempt=1)
    gates = [answered(run, GateKind.FAILURE, again, Choice.RETRY)]
    # When
    move = next_move(run, [again], gates)
    # Then
    assert isinstance(move, Ask)
    assert move.gate_id != gates[0].gate_id
    assert set(move.choices) == {Choice.RETRY, Choice.SKIP, Choice.CONTINUE, Choice.ROLLBACK, Choice.ABORT}


def test_gate_ids_differ_between_runs_kinds_and_stages() -> None:
    ids = {gate_id(r, k, s) for r in ("run-1", "run-2") for k in GateKind for s in ("01-A", "02-B")}
    assert len(ids) == 2 * len(GateKind) * 2


def test_finish_is_a_move_of_its_own() -> None:
    assert next_move(a_run(), [], []) == Finish()
