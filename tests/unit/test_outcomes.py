"""What steps mean for their action, actions for their stage, stages for their run; and where the time went."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contract import Call, Step, blocked, busy, done, failed, skip, todo
from orchestrator.judgement import describe, judge, refuse, token_of
from orchestrator.ledger.records import CheckRecord
from orchestrator.recovery_time import split, split_to_service
from orchestrator.reducer import outcome_counts, run_status, stage_status
from orchestrator.words import (
    ActionStatus,
    CheckState,
    Effect,
    Mode,
    Outcome,
    RunStatus,
    Side,
    StageStatus,
    StepState,
)
from tests.unit.scripted_platform import START, a_gate, a_run, a_stage, an_action

CALL = Call("rds", "SwitchoverGlobalCluster", {}, Side.SOURCE)
OK, BAD, PASS, SKIP = Outcome.SUCCEEDED, Outcome.FAILED, StageStatus.PASSED, StageStatus.SKIPPED


def ended(outcome: Outcome, name: str = "a") -> Any:
    return an_action(target_id=name, status=ActionStatus.ENDED, outcome=outcome, member_outcomes={f"r/{name}": outcome})


class TestJudge:
    @pytest.mark.parametrize(
        ("steps", "end", "step"),
        [
            ([], OK, None),
            ([done("a", "x"), done("b", "x")], OK, None),
            ([done("a", "x", warning="slow")], Outcome.SUCCEEDED_WITH_WARNINGS, None),
            (skip("nothing here"), Outcome.SKIPPED, None),
            ([done("a", "x"), busy("b", "x"), todo("c", CALL, Effect.NONE, "x")], None, "b"),
            ([todo("a", CALL, Effect.NONE, "x"), blocked("b", "x", "y")], None, "a"),
            ([done("a", "x"), blocked("b", "x", "y")], BAD, "b"),
            ([failed("a", "x", "y"), todo("b", CALL, Effect.NONE, "x")], BAD, "a"),
        ],
    )
    def test_first_step_that_is_not_done_decides(
        self, steps: list[Step], end: Outcome | None, step: str | None
    ) -> None:
        verdict = judge(steps, {}, ("r1",))
        assert (verdict.end, verdict.step.name if verdict.step else None) == (end, step)

    def test_member_lost_at_this_look_asks_for_another_look_without_it(self) -> None:
        verdict = judge([failed("a", "gone", "rebuild", members=("r1",)), done("b", "x")], {}, ("r1", "r2"))
        assert (verdict.end, verdict.step, verdict.members) == (None, None, {"r1": BAD})
        assert (verdict.detail, verdict.remedy) == ("a: gone", "rebuild")

    def test_members_lost_before_make_the_end_a_failure_of_those_only(self) -> None:
        verdict = judge([failed("a", "gone", "rebuild", members=("r1",)), done("b", "x")], {"r1": BAD}, ("r1", "r2"))
        assert (verdict.end, verdict.members) == (BAD, {"r1": BAD, "r2": OK})

    def test_members_left_alone_do_not_make_the_end_a_failure(self) -> None:
        assert judge([done("b", "x")], {"r1": Outcome.SKIPPED}, ("r1", "r2")).end is OK

    @given(
        st.lists(
            st.tuples(st.sampled_from(StepState), st.sets(st.sampled_from(["r1", "r2", "r3"]), max_size=3)), max_size=6
        ),
        st.dictionaries(st.sampled_from(["r1", "r2", "r3"]), st.sampled_from([BAD, Outcome.SKIPPED]), max_size=3),
    )
    def test_any_steps_end_wait_act_or_lose_a_member(
        self, drawn: list[tuple[StepState, set[str]]], lost: dict[str, Outcome]
    ) -> None:
        steps = [Step(f"s{n}", state, members=tuple(sorted(names))) for n, (state, names) in enumerate(drawn)]
        verdict = judge(steps, lost, ("r1", "r2", "r3"))
        # Nobody comes back from the lost, and a judgement never stands still
        assert lost.items() <= dict(verdict.members).items()
        progress = verdict.end is not None or verdict.step is not None or len(verdict.members) > len(lost)
        assert progress
        if verdict.end is OK:
            assert BAD not in verdict.members.values()


class TestGuard:
    def test_irreversible_step_needs_the_commit(self) -> None:
        step = todo("promote", CALL, Effect.IRREVERSIBLE, "x")
        assert refuse(a_run(), a_stage(), step) is not None
        assert refuse(a_run(committed=True), a_stage(), step) is None
        assert refuse(a_run(), a_stage(), todo("scale", CALL, Effect.COMPENSABLE, "x")) is None

    def test_drill_works_on_copies_and_needs_no_commit(self) -> None:
        copied = replace(CALL, operation="RestoreDBClusterToPointInTime", side=Side.TARGET)
        launch = todo("launch", copied, Effect.IRREVERSIBLE, "x")
        assert refuse(a_run(mode=Mode.DRILL), a_stage(), launch) is None

    def test_drill_switches_no_roles_on_either_side(self) -> None:
        switch = todo("switch", replace(CALL, side=Side.TARGET), Effect.COMPENSABLE, "x")
        refused = refuse(a_run(mode=Mode.DRILL), a_stage(), switch)
        assert refused is not None
        assert "switches roles (rds.SwitchoverGlobalCluster on the target side)" in refused.message

    @pytest.mark.parametrize("side", [Side.SOURCE, Side.GLOBAL])
    def test_drill_changes_nothing_but_the_target_side(self, side: Side) -> None:
        step = todo("stop", replace(CALL, side=side), Effect.REVERSIBLE, "x")
        refused = refuse(a_run(mode=Mode.DRILL, committed=True), a_stage(), step)
        assert refused is not None
        assert f"changes the {side} side" in refused.message

    def test_token_is_the_same_for_repetitions_and_new_for_a_new_attempt(self) -> None:
        step = todo("promote", CALL, Effect.NONE, "x")
        first = token_of(an_action(), step)
        assert token_of(an_action(looks=9, call_counts={"promote": 2}), step) == first
        others = [an_action(attempt=1), an_action(run_id="run-2"), an_action(target_id="web")]
        assert len({first, *(token_of(other, step) for other in others)}) == 4
        assert len(first) == 32

    def test_call_is_described_as_people_read_it(self) -> None:
        assert describe(CALL) == "rds.SwitchoverGlobalCluster on the source side"


@pytest.mark.parametrize(
    ("outcomes", "healthy", "ignored", "expected"),
    [
        ([OK, OK], True, False, PASS),
        ([OK, BAD], True, False, StageStatus.FAILED),
        ([OK, Outcome.TIMED_OUT], True, False, StageStatus.FAILED),
        ([OK], False, False, StageStatus.FAILED),
        ([OK], False, True, PASS),
        ([OK, Outcome.FAILED_IGNORED], True, True, PASS),
        ([Outcome.SKIPPED, Outcome.SKIPPED], True, False, SKIP),
        ([Outcome.SKIPPED, OK], True, False, PASS),
        ([Outcome.ROLLED_BACK], True, False, StageStatus.FAILED),
        ([], True, False, PASS),
    ],
)
def test_stage_passes_only_when_everything_is_well(
    outcomes: list[Outcome], healthy: bool, ignored: bool, expected: StageStatus
) -> None:
    state = CheckState.HEALTHY if healthy else CheckState.SETTLING
    checks = [CheckRecord(resource_id="r", name="serves", state=state, detail="")]
    assert stage_status([ended(o) for o in outcomes], checks, ignored=ignored) is expected


def test_stage_with_an_action_still_under_way_has_not_passed() -> None:
    assert stage_status([an_action()], [], ignored=True) is StageStatus.FAILED


@pytest.mark.parametrize(
    ("run", "stages", "outcomes", "expected"),
    [
        ({}, [PASS, SKIP], [OK], RunStatus.SUCCEEDED),
        ({}, [PASS], [OK, Outcome.SUCCEEDED_WITH_WARNINGS], RunStatus.SUCCEEDED_WITH_WARNINGS),
        ({}, [PASS], [Outcome.FAILED_IGNORED], RunStatus.SUCCEEDED_WITH_WARNINGS),
        ({}, [PASS, StageStatus.PENDING], [OK], RunStatus.FAILED),
        ({}, [], [], RunStatus.FAILED),
        ({"failure": "x"}, [PASS], [OK], RunStatus.FAILED),
        ({"cancelled_by": "kim", "failure": "x"}, [PASS], [OK], RunStatus.CANCELLED),
        ({"rejected_by": "kim", "failure": "x"}, [StageStatus.PENDING], [], RunStatus.REJECTED),
        ({"dry_run": True}, [StageStatus.PENDING], [], RunStatus.PREVIEWED),
        ({"dry_run": True, "failure": "not ready"}, [], [], RunStatus.FAILED),
        ({"status": RunStatus.STOPPED}, [PASS], [OK], RunStatus.STOPPED),
    ],
)
def test_run_ends_as_its_stages_and_people_say(
    run: dict[str, Any], stages: list[StageStatus], outcomes: list[Outcome], expected: RunStatus
) -> None:
    records = [a_stage(n, status=status) for n, status in enumerate(stages, start=1)]
    assert run_status(a_run(**run), records, [ended(o) for o in outcomes]) is expected


def test_ignored_stage_makes_a_run_succeed_with_warnings() -> None:
    stage = a_stage(status=PASS, ignored=True)
    assert run_status(a_run(), [stage], [ended(OK)]) is RunStatus.SUCCEEDED_WITH_WARNINGS


def test_outcomes_are_counted_per_resource() -> None:
    batch = an_action(status=ActionStatus.ENDED, outcome=BAD, member_outcomes={"r/1": OK, "r/2": BAD})
    waiting = an_action(target_id="x", resource_ids=("r/3", "r/4"))
    assert outcome_counts([batch, waiting]) == {"failed": 1, "pending": 2, "succeeded": 1}


def minutes(value: float) -> timedelta:
    return timedelta(minutes=value)


class TestRecoveryTime:
    def test_time_is_split_between_people_machine_and_health(self) -> None:
        # Given an outage noticed 7 min before the start, a gate of 10 min, a health settle of 5, in a run of 40
        run = a_run(detected_at=START - minutes(7), ended_at=START + minutes(40))
        gates = [a_gate(opened_at=START + minutes(2), decided_at=START + minutes(12))]
        stages = [a_stage(health_since=START + minutes(30), ended_at=START + minutes(35), status=PASS)]
        # When
        time = split(run, stages, gates, START + minutes(99))
        # Then
        assert time.model_dump() == {
            "declaration": 7 * 60,
            "human_wait": 10 * 60,
            "machine": 25 * 60,
            "health_settle": 5 * 60,
            "total": 40 * 60,
            "to_service": (35 + 7) * 60,
        }

    def test_time_to_service_ends_with_the_last_activation_and_leaves_out_what_follows(self) -> None:
        # Given a gate that was open across the moment of service, and one after it
        run = a_run(ended_at=START + minutes(60))
        stages = [
            a_stage(1, status=PASS, ended_at=START + minutes(10)),
            a_stage(2, wave=2, status=PASS, ended_at=START + minutes(20)),
        ]
        gates = [
            a_gate(gate_id="g-1", opened_at=START + minutes(15), decided_at=START + minutes(25)),
            a_gate(gate_id="g-2", opened_at=START + minutes(30), decided_at=START + minutes(31)),
        ]
        # When
        time = split_to_service(run, stages, gates)
        # Then
        assert time is not None
        assert (time.total, time.human_wait, time.machine) == (20 * 60, 5 * 60, 15 * 60)

    def test_service_is_not_back_while_an_activation_is_missing(self) -> None:
        stages = [a_stage(1, status=PASS, ended_at=START), a_stage(2, wave=2, status=StageStatus.RUNNING)]
        assert split_to_service(a_run(), stages, []) is None

    def test_open_question_and_running_check_count_until_now(self) -> None:
        time = split(a_run(), [a_stage(health_since=START)], [a_gate(opened_at=START + minutes(3))], START + minutes(5))
        assert (time.human_wait, time.health_settle, time.machine) == (120, 180, 0)
        assert time.declaration is None

    def test_start_before_the_outage_was_noticed_is_no_negative_time(self) -> None:
        assert split(a_run(detected_at=START + minutes(1)), [], [], START).declaration == 0

    @given(
        st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=5),
        st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=5),
    )
    def test_parts_always_add_up_to_the_whole(
        self, waits: list[tuple[int, int]], settles: list[tuple[int, int]]
    ) -> None:
        run = a_run(ended_at=START + minutes(100))
        gates = [a_gate(opened_at=START + minutes(min(w)), decided_at=START + minutes(max(w))) for w in waits]
        stages = [a_stage(health_since=START + minutes(min(s)), ended_at=START + minutes(max(s))) for s in settles]
        time = split(run, stages, gates, START)
        assert time.human_wait + time.machine + time.health_settle == pytest.approx(time.total)
        assert min(time.human_wait, time.machine, time.health_settle) >= 0
