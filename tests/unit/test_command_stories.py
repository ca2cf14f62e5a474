"""In command of a run: failures decided one by one or beforehand, rollback of everything, pauses, second looks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orchestrator import commands, moving, way_back
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.gates import Answer, decide
from orchestrator.identity import Identity
from orchestrator.ledger.records import Gate, Run
from orchestrator.platform import Platform
from orchestrator.recovery_time import split
from orchestrator.report import build_report
from orchestrator.report_html import render_html
from orchestrator.request import parse
from orchestrator.words import Choice, GateKind, GateStatus, Outcome, Phase, RunStatus, StageStatus
from tests.unit.scripted_platform import HOME, REQUEST, Cloud, Operator, obstacle_failed

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
LOST = ("member-07", "member-23", "member-41")


def wave_of_fifty(step: str = "scale", **tags: dict[str, str]) -> tuple[Cloud, Platform]:
    """Return fifty databases in wave 1, three of which cannot do a step, and one in wave 2."""
    cloud = Cloud()
    for number in range(50):
        name = f"member-{number:02d}"
        cloud.add(name, wave=1, **tags.get(name.replace("-", "_"), {}))
    cloud.add("after", wave=2)
    for name in LOST:
        cloud.obstacles[name, step] = obstacle_failed(f"database/{name}", step)
    return cloud, cloud.platform()


def outcomes(platform: Platform, phase: Phase = Phase.INSTANTIATE) -> Counter[str]:
    found: Counter[str] = Counter()
    for action in platform.ledger.actions("run-1"):
        if action.phase is phase and action.wave == 1:
            found.update(str(action.member_outcomes.get(r, action.status)) for r in action.resource_ids)
    return found


def drive(cloud: Cloud, platform: Platform, answers: Any = lambda _gate: None, **request: Any) -> tuple[Run, Operator]:
    operator = Operator(platform, cloud, answers)
    return operator.drive(cloud.accept(platform, **{"ApprovalMode": "automatic", **request})), operator


class TestWaveOfFiftyWithThreeFailing:
    def test_ask_waits_for_a_person_who_skips_two_and_then_the_third(self) -> None:
        cloud, platform = wave_of_fifty()
        run, operator = drive(cloud, platform)
        # Given the question, with what failed
        (gate,) = operator.asked
        assert (run.status, gate.kind) == (RunStatus.WAITING, GateKind.FAILURE)
        assert outcomes(platform) == {"succeeded": 47, "failed": 3}
        # When two are named, then those two are ignored and the third is asked about again, under a new id
        answer = Answer(Choice.SKIP, "kim", "CHG-1", ("database/member-07", "database/member-23"))
        decide(platform.ledger, cloud.clock, "run-1", gate.gate_id, answer)
        assert outcomes(platform) == {"succeeded": 47, "failed_ignored": 2, "failed": 1}
        again = moving.decide_next(platform, "run-1")
        assert again.gate_id != gate.gate_id  # type: ignore[union-attr]
        # When the rest is skipped, then the run goes on without all three
        run = Operator(platform, cloud, lambda g: Choice.SKIP if g.kind is GateKind.FAILURE else None).drive("run-1")
        assert run.status is RunStatus.SUCCEEDED_WITH_WARNINGS
        assert outcomes(platform) == {"succeeded": 47, "failed_ignored": 3}

    def test_continue_goes_on_without_the_three_and_asks_nobody(self) -> None:
        cloud, platform = wave_of_fifty()
        run, operator = drive(cloud, platform, OnFailure="continue")
        assert operator.asked == []
        assert run.status is RunStatus.SUCCEEDED_WITH_WARNINGS
        assert outcomes(platform) == {"succeeded": 47, "failed_ignored": 3}
        decision = next(e for e in platform.ledger.events("run-1") if e.kind == "decision")
        assert decision.actor == moving.BEFOREHAND

    def test_rollback_takes_the_whole_run_back_last_stage_first(self) -> None:
        cloud, platform = wave_of_fifty()
        for name in LOST:
            del cloud.obstacles[name, "scale"]
        cloud.obstacles["after", "scale"] = obstacle_failed("database/after", "scale")
        run, operator = drive(cloud, platform, OnFailure="rollback")
        assert operator.asked == []
        assert (run.status, run.failure) == (RunStatus.FAILED, f"the run was rolled back by {moving.BEFOREHAND}")
        assert outcomes(platform) == {"rolled_back": 50}
        begun = {s.stage_id: s for s in platform.ledger.stages("run-1") if s.started_at}
        assert {s.status for s in begun.values()} == {StageStatus.ROLLED_BACK}
        assert len(begun) == 2
        ends = [s.ended_at for s in begun.values()]
        assert ends == sorted(ends, reverse=True), "the last stage was taken back first"  # type: ignore[type-var]

    def test_rollback_of_the_first_stage_takes_that_back(self) -> None:
        cloud, platform = wave_of_fifty()
        run, operator = drive(cloud, platform, OnFailure="rollback")
        assert (operator.asked, run.status) == ([], RunStatus.FAILED)
        assert run.failure == "01-INSTANTIATE-w1 was rolled back"
        assert cloud.operations().count("undo") == 50

    def test_rollback_that_is_past_the_line_asks_a_person_and_offers_the_way_back(self) -> None:
        cloud, platform = wave_of_fifty("quiesce")
        run, operator = drive(cloud, platform, OnFailure="rollback")
        assert run.status is RunStatus.WAITING
        (gate,) = operator.asked
        told = "\n".join(gate.checklist)
        assert "rollback-run is not possible any more" in told
        assert way_back.command(run) in told
        with pytest.raises(RefusedError) as refused:
            decide(platform.ledger, cloud.clock, "run-1", gate.gate_id, Answer(Choice.ROLLBACK_RUN, "kim"))
        assert refused.value.remedy == (
            "dr start --customer CustomerX --environment production --operation failback "
            "--primary-region us-east-1 --dr-region us-west-2 --reason 'way back from run-1'"
        )

    def test_abort_ends_at_once_and_leaves_what_was_done(self) -> None:
        cloud, platform = wave_of_fifty()
        run, operator = drive(cloud, platform, OnFailure="abort")
        assert operator.asked == []
        assert (run.status, outcomes(platform)) == (RunStatus.FAILED, {"succeeded": 47, "failed": 3})
        assert "aborted by OnFailure of the request" in str(run.failure)

    @pytest.mark.parametrize(
        ("rule", "passes"), [("all", False), ("critical", True), ("94%", True), ("95%", False), ("1%", True)]
    )
    def test_rule_of_the_wave_says_how_much_must_succeed(self, rule: str, passes: bool) -> None:
        cloud, platform = wave_of_fifty()
        run, operator = drive(cloud, platform, SuccessRules={"1": rule})
        assert (operator.asked == []) is passes
        assert run.status is (RunStatus.SUCCEEDED_WITH_WARNINGS if passes else RunStatus.WAITING)
        assert outcomes(platform)["failed_ignored"] == (3 if passes else 0)

    @pytest.mark.parametrize("rule", ["critical", "1%"])
    def test_critical_member_must_succeed_under_every_rule(self, rule: str) -> None:
        cloud, platform = wave_of_fifty(member_23={"dr_priority": "critical"})
        run, _ = drive(cloud, platform, SuccessRules={"*": rule})
        assert run.status is RunStatus.WAITING

    def test_optional_members_never_stop_a_run(self) -> None:
        optional = {"dr_optional": "true"}
        cloud, platform = wave_of_fifty(member_07=optional, member_23=optional, member_41=optional)
        run, operator = drive(cloud, platform)
        assert (run.status, operator.asked) == (RunStatus.SUCCEEDED_WITH_WARNINGS, [])
        assert outcomes(platform, Phase.CLEANUP)[Outcome.SKIPPED] == 0 or outcomes(platform)["failed_ignored"] == 3


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"1": "most"}, 'SuccessRules of wave 1: "most" is neither all, critical nor a percentage'),
        ({"1": "0%"}, '"0%" is neither'),
        ({"1": "101%"}, '"101%" is neither'),
        ({"first": "all"}, '"first" is neither a wave nor "*"'),
    ],
)
def test_rule_that_means_nothing_is_refused(rules: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("*", r"\*")):
        parse({**REQUEST, "SuccessRules": rules})


def test_unknown_choice_beforehand_suggests_the_right_word() -> None:
    with pytest.raises(ValidationError, match='did you mean "rollback"'):
        parse({**REQUEST, "OnFailure": "rolback"})


class TestSkipping:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Answer(Choice.SKIP, "kim"), "NoReason"),
            (Answer(Choice.SKIP, "kim", "CHG", ("database/member-01",)), "NothingToSkip"),
            (Answer(Choice.RETRY, "kim", "CHG", ("database/member-07",)), "NoResourcesHere"),
        ],
    )
    def test_needs_a_reason_and_resources_that_failed(self, answer: Answer, code: str) -> None:
        cloud, platform = wave_of_fifty()
        _, operator = drive(cloud, platform)
        with pytest.raises(RefusedError) as refused:
            decide(platform.ledger, cloud.clock, "run-1", operator.asked[0].gate_id, answer)
        assert refused.value.code == code
        assert "skip --resource" in refused.value.remedy


class TestRollingBack:
    def test_validation_refused_at_a_wave_gate_takes_everything_back(self) -> None:
        cloud = Cloud()
        cloud.add("orders", wave=1)
        cloud.add("search", wave=2)
        platform = cloud.platform()

        def answers(gate: Gate) -> Choice:
            return Choice.ROLLBACK_RUN if gate.kind is GateKind.WAVE else Choice.APPROVE

        run, _ = drive(cloud, platform, answers, ApprovalMode="required")
        assert run.status is RunStatus.FAILED
        assert run.failure == "the run was rolled back by kim@example.com"
        assert cloud.operations() == ["scale", "undo"]
        assert not run.committed

    def test_stage_that_cannot_be_taken_back_is_asked_about_and_the_others_still_are(self) -> None:
        cloud = Cloud()
        cloud.add("orders", wave=1)
        cloud.add("search", wave=2)
        cloud.obstacles["search", "undo"] = obstacle_failed("database/search", "undo")
        platform = cloud.platform()

        def answers(gate: Gate) -> Choice:
            if gate.kind is GateKind.FAILURE:
                assert gate.choices == (Choice.RETRY, Choice.SKIP, Choice.ABORT)
                return Choice.SKIP
            return Choice.ROLLBACK_RUN if gate.kind is GateKind.COMMIT else Choice.APPROVE

        run, _ = drive(cloud, platform, answers, ApprovalMode="required")
        assert run.status is RunStatus.FAILED
        assert cloud.operations("orders") == ["scale", "undo"]
        assert cloud.operations("search") == ["scale"]


class TestPausing:
    def test_steps_in_flight_finish_and_nothing_is_begun_until_somebody_resumes(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        stage = platform_at_activate(cloud, platform)
        action = platform.ledger.actions("run-1", stage)[0].action_id
        # Given a run whose fence is under way
        while "fence" not in cloud.operations():
            platform.engine.advance("run-1", stage, action)
            cloud.clock.advance(3)
        # When it is paused for three hours, longer than the action may take
        commands.pause(platform, "run-1", KIM, "graphs")
        for _ in range(180):
            assert not platform.engine.advance("run-1", stage, action).done
            cloud.clock.advance(60)
        # Then the fence is through and the promotion not begun
        assert cloud.operations() == ["scale", "fence"]
        # When it is resumed, then it goes on where it stood, with the time it lost given back
        commands.resume(platform, "run-1", KIM, "", "id")
        run = Operator(platform, cloud).drive("run-1")
        assert run.status is RunStatus.SUCCEEDED, run.failure
        assert cloud.operations()[:3] == ["scale", "fence", "promote"]

    def test_pause_is_peoples_time_in_report_and_timeline(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        cloud.accept(platform, ApprovalMode="automatic")
        commands.pause(platform, "run-1", KIM, "graphs")
        Operator(platform, cloud, lambda _gate: None).drive("run-1")
        cloud.clock.advance(600)
        run = Operator(platform, cloud, lambda _gate: Choice.RESUME, thinks_seconds=0).drive("run-1")
        assert run.status is RunStatus.SUCCEEDED
        time = split(run, platform.ledger.stages("run-1"), platform.ledger.gates("run-1"), cloud.clock.now())
        assert time.human_wait == 600
        assert time.machine + time.health_settle == time.total - 600
        page = render_html(build_report(platform.ledger, platform.blobs, "run-1", cloud.clock.now()))
        assert f"paused by {KIM.arn}, resumed by kim@example.com" in page

    def test_abort_at_the_pause_ends_the_run(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        cloud.accept(platform, ApprovalMode="automatic")
        commands.pause(platform, "run-1", KIM, "")
        run = Operator(platform, cloud, lambda _gate: Choice.ABORT).drive("run-1")
        assert (run.status, run.failure) == (RunStatus.FAILED, "aborted by kim@example.com at the pause gate")
        assert cloud.operations() == []


def platform_at_activate(cloud: Cloud, platform: Platform) -> str:
    """Accept a run, run its INSTANTIATE, start its ACTIVATE; return that stage's id."""
    from orchestrator import stages

    cloud.accept(platform, ApprovalMode="automatic")
    operator = Operator(platform, cloud)
    operator.stage("run-1", moving.decide_next(platform, "run-1").stage.stage_id)  # type: ignore[union-attr]
    stage: str = moving.decide_next(platform, "run-1").stage.stage_id  # type: ignore[union-attr]
    stages.start_stage(platform, "run-1", stage)
    return stage


class TestSecondLook:
    def run_to_the_gate_after_activate(
        self, thinks_seconds: float, broken_meanwhile: bool
    ) -> tuple[Cloud, Platform, Run]:
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        waits = lambda g: None if g.kind in {GateKind.PHASE, GateKind.FAILURE} else Choice.APPROVE  # noqa: E731
        Operator(platform, cloud, waits).drive(cloud.accept(platform, ApprovalMode="required"))
        cloud.clock.advance(thinks_seconds)
        if broken_meanwhile:
            cloud.unhealthy.add("orders")
        gate = next(g for g in platform.ledger.gates("run-1") if g.status is GateStatus.OPEN)
        decide(platform.ledger, cloud.clock, "run-1", gate.gate_id, Answer(Choice.APPROVE, "kim"))
        return cloud, platform, Operator(platform, cloud, waits).drive("run-1")

    def test_health_that_was_lost_while_people_waited_stops_the_run_before_the_next_stage(self) -> None:
        cloud, platform, run = self.run_to_the_gate_after_activate(7200, broken_meanwhile=True)
        assert run.status is RunStatus.WAITING
        (gate,) = [g for g in platform.ledger.gates("run-1") if g.status is GateStatus.OPEN]
        assert (gate.kind, gate.stage_id) == (GateKind.FAILURE, "02-ACTIVATE-w1")
        assert "quiesce" not in cloud.operations(), "the old side was not touched"
        # When it is repaired and retried, then the run goes on
        cloud.unhealthy.clear()
        run = Operator(platform, cloud, lambda g: Choice.RETRY if g.kind is GateKind.FAILURE else Choice.APPROVE).drive(
            "run-1"
        )
        assert run.status is RunStatus.SUCCEEDED, run.failure
        assert cloud.operations() == ["scale", "fence", "promote", "quiesce", "reverse"], "nothing was done twice"

    def test_health_that_held_lets_the_run_go_on_and_the_recovery_time_stays_what_it_was(self) -> None:
        _, platform, _ = self.run_to_the_gate_after_activate(7200, broken_meanwhile=False)
        activate = platform.ledger.stage("run-1", "02-ACTIVATE-w1")
        assert (activate.status, activate.verifying) == (StageStatus.PASSED, False)
        assert activate.verify_since is not None
        assert activate.ended_at is not None
        assert (activate.verify_since - activate.ended_at).total_seconds() >= 7200
        assert "02-ACTIVATE-w1 looked at again: passed" in [
            e.message.split(": 1")[0] for e in platform.ledger.events("run-1")
        ]

    def test_health_that_was_seen_just_now_is_not_looked_at_again(self) -> None:
        _, platform, _ = self.run_to_the_gate_after_activate(20, broken_meanwhile=False)
        assert platform.ledger.stage("run-1", "02-ACTIVATE-w1").verify_since is None
