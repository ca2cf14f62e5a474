"""How long our loops may run: the histories stay short, and the waits are not late.

The expressions are the machines' own, evaluated here without running a machine for days.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonata import Jsonata

from statemachines.definitions import load

HISTORY_BUDGET = 5_000
HOUR, DAY = 3_600, 86_400
# Task entered, scheduled, started, succeeded, exited; Choice entered, exited; Wait entered, exited.
EVENTS_PER_POLL = 9
# Next Move 5, Which Move? 2, Ask 6 (entered, scheduled, started, submitted, timed out, exited), Remind 5.
EVENTS_PER_MOVE = 18
HALF_HOUR = 1_800


def evaluate(template: Any, states: dict[str, Any], **variables: Any) -> Any:
    """Evaluate a JSONata template as Step Functions does."""
    if isinstance(template, dict):
        return {key: evaluate(value, states, **variables) for key, value in template.items()}
    if isinstance(template, str) and template.startswith("{%"):
        expression = Jsonata(template[2:-2])
        frame = expression.create_frame()
        for name, value in {"states": states, **variables}.items():
            frame.bind(name, value)
        return expression.evaluate(None, frame)
    return template


def chooses(choice: dict[str, Any], states: dict[str, Any], **variables: Any) -> str:
    """Return where a Choice leads."""
    for rule in choice["Choices"]:
        if evaluate(rule["Condition"], states, **variables):
            return str(rule["Next"])
    return str(choice["Default"])


def poll(asked_seconds: int) -> Iterator[tuple[int, int]]:
    """Yield (seconds waited so far, next wait) of a child whose action never ends, until the child gives up."""
    child = load("wave")["States"]["Run Group"]["ItemProcessor"]["States"]
    data: dict[str, Any] = {"RunId": "r", "StageId": "s", "ActionId": "a"}
    while True:
        result = {"Payload": {"Done": False, "WaitSeconds": asked_seconds}}
        data = evaluate(child["Advance"]["Output"], {"input": data, "result": result})
        if chooses(child["Action Ended?"], {"input": data}) != "Wait For Resource":
            return
        seconds = evaluate(child["Wait For Resource"]["Seconds"], {"input": data})
        yield data["Waited"], seconds
        data = evaluate(child["Wait For Resource"]["Output"], {"input": data})


@pytest.mark.parametrize("asked_seconds", [0, 1, 15, 60])
def test_child_polling_for_days_stays_within_the_history_budget_and_is_never_late(asked_seconds: int) -> None:
    # Given an action that never ends, asked about again as often as its adapter wants
    polls = list(poll(asked_seconds))

    # When its child gives up, then that was after 7 days at the earliest, within the budget
    waited = sum(seconds for _, seconds in polls)
    assert waited > 7 * DAY
    assert len(polls) * EVENTS_PER_POLL < HISTORY_BUDGET
    # And it looked as often as asked for at the start, later never 2 % of the time too late, always whole seconds
    assert all(isinstance(seconds, int) for _, seconds in polls)
    assert all(seconds <= max(1, asked_seconds, so_far / 50) for so_far, seconds in polls)
    at_first = [seconds for so_far, seconds in polls if so_far < 50 * asked_seconds]
    assert all(seconds == asked_seconds for seconds in at_first)


def test_child_polling_every_quarter_minute_for_12_hours_uses_a_fraction_of_the_budget() -> None:
    turns = sum(1 for so_far, _ in poll(15) if so_far < 12 * HOUR)
    assert turns * EVENTS_PER_POLL < HISTORY_BUDGET / 2


def test_health_that_never_settles_is_judged_after_a_day_within_the_budget() -> None:
    # Given health that never settles
    states = load("wave")["States"]
    waited, turns = 0, 0
    while True:
        result = {"Payload": {"Settled": False, "WaitSeconds": 1}}
        seen = evaluate(states["Check Health"]["Output"], {"input": {}, "result": result}, waited=waited)
        if chooses(states["Settled?"], {"input": seen}, waited=waited) != "Wait For Health":
            break
        waited = evaluate(states["Wait For Health"]["Assign"]["waited"], {"input": seen}, waited=waited)
        turns += 1

    # Then the stage is closed after a day, and the history of the stage is still short
    assert chooses(states["Settled?"], {"input": seen}, waited=waited) == "Close Stage"
    assert DAY < waited < 1.1 * DAY
    assert turns * EVENTS_PER_POLL < HISTORY_BUDGET


def test_gate_nobody_answers_hands_over_before_the_history_is_full() -> None:
    # Given a gate that nobody answers, and machines as they are
    which_move = load("lifecycle")["States"]["Which Move?"]
    move = 1
    while chooses(which_move, {"input": {"Move": "gate"}}, move=move) == "Ask":
        move += 1

    # Then the execution asks for three days, ends within the budget, and the run goes on in the next
    assert chooses(which_move, {"input": {"Move": "gate"}}, move=move) == "Segment Ended"
    assert move * HALF_HOUR > 3 * DAY
    assert move * EVENTS_PER_MOVE < HISTORY_BUDGET
    # And a run that is over is not prolonged by it
    assert chooses(which_move, {"input": {"Move": "finish"}}, move=move) == "Moves Finished"


def test_run_group_reads_its_items_from_s3_and_drops_what_its_children_answer() -> None:
    # Given a stage of a hundred groups, when Run Group reads its list, then the children get ids alone
    states = load("wave")["States"]
    groups = [{"Bucket": "dr-hub", "Key": f"runs/run-1/activate-1/{n}.json", "Actions": 10} for n in range(100)]
    reader = evaluate(states["Run Group"]["ItemReader"]["Arguments"], {"input": {}}, groups=groups, group=99)
    assert reader == {"Bucket": "dr-hub", "Key": "runs/run-1/activate-1/99.json"}
    assert states["Run Group"]["Output"] == {}
    assert chooses(states["More Groups?"], {"input": {}}, groups=groups, group=100) == "Check Health"


@pytest.mark.parametrize("answered", [[], [{"Bucket": "b", "Key": "k", "Actions": 1}]])
def test_wave_groups_stay_a_list_whatever_their_number(answered: list[dict[str, Any]]) -> None:
    # JSONata unwraps lists of one, and drops empty ones, unless told otherwise
    assign = load("wave")["States"]["Start Stage"]["Assign"]
    groups = evaluate(assign["groups"], {"result": {"Payload": {"Groups": answered}}})
    assert groups == answered
