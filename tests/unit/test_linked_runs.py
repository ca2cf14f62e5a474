"""Runs that take up another one: what an emergency deferred is done later, a planned run becomes an emergency midway."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator import ending, linked, moving, planning, stocktaking
from orchestrator.approvals import Approvals, Occasion, Rule
from orchestrator.errors import FencedError, RefusedError, UnreachableError, ValidationError
from orchestrator.escalating import escalate
from orchestrator.identity import Identity
from orchestrator.ledger.records import Gate, Run, Stage
from orchestrator.plan import load_plan
from orchestrator.platform import Platform
from orchestrator.progress import Finish
from orchestrator.report import build_report, report_keys
from orchestrator.report_html import render_html
from orchestrator.stages import start_stage
from orchestrator.words import Choice, GateKind, Mode, Outcome, Phase, RunStatus
from tests.unit.scripted_platform import (
    APPS,
    HOME,
    SCOPE,
    SOURCE,
    TARGET,
    Cloud,
    Operator,
    Scripted,
    View,
    approve,
    obstacle_failed,
)

KIM = Identity(arn=f"arn:aws:iam::{HOME}:user/kim", account=HOME)
EMERGENCY = {"Emergency": True, "ApprovalMode": "automatic", "AcceptDataLoss": True}
COMPLETE = f"dr start --complete run-1 --region {TARGET}"


def shop() -> tuple[Cloud, Platform]:
    """Return a scope of two waves, with an inventory from normal times."""
    cloud = Cloud()
    cloud.add("orders", wave=1)
    cloud.add("search", wave=2, dr_dependencies="orders")
    platform = cloud.platform()
    cloud.accept(platform, "run-0", DryRun=True)
    ending.finish(platform, "run-0")
    return cloud, platform


def emergency(cloud: Cloud, platform: Platform) -> Run:
    run = Operator(platform, cloud).drive(cloud.accept(platform, "run-1", **EMERGENCY))
    assert run.status is RunStatus.SUCCEEDED
    cloud.clock.advance(3600)
    return run


def take_up(cloud: Cloud, platform: Platform, run_id: str, **raw: Any) -> str:
    """Accept a run whose input names the run it takes up and nothing else, take its inventory, plan it."""
    arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:{run_id}"
    planning.accept(platform, raw, arn, run_id, cloud.clock.now())
    stocktaking.take_inventory(platform, run_id)
    planning.build_plan(platform, run_id)
    assert planning.check_readiness(platform, run_id)
    return run_id


class TestComplete:
    def test_what_was_deferred_is_done_fences_first_and_both_runs_name_each_other(self) -> None:
        cloud, platform = shop()
        # Given an emergency, which tells what to type when the Region is back
        run = emergency(cloud, platform)
        assert cloud.operations().count("quiesce") == 0
        assert any(COMPLETE in line for line in linked.ties(run))
        assert COMPLETE in platform.notifier.sent[-1].body  # type: ignore[attr-defined]
        report = build_report(platform.ledger, platform.blobs, "run-1", cloud.clock.now())
        assert report.outcomes == {"deferred": 4, "succeeded": 2}
        assert COMPLETE in render_html(report)
        # When that is started, naming the run and nothing else
        before = len(cloud.made)
        asked = Operator(platform, cloud)
        ended = asked.drive(take_up(cloud, platform, "run-2", Complete="run-1"))
        # Then it plans exactly what was deferred: every returned side is fenced before anything is turned round
        assert (ended.status, ended.mode, ended.completes) == (RunStatus.SUCCEEDED, Mode.PLANNED, "run-1")
        stages = [s.stage_id for s in platform.ledger.stages("run-2")]
        assert stages == ["01-CLEANUP-w1", "02-CLEANUP-w2", "03-REPLICATE-w1", "04-REPLICATE-w2"]
        assert [m.operation for m in cloud.made[before:]] == ["quiesce", "quiesce", "reverse", "reverse"]
        assert asked.asked[0].kind is GateKind.PLAN
        # And both runs, and their reports, are linked
        assert platform.ledger.run("run-1").completed_by == "run-2"
        assert "what was deferred is done, by run run-2" in platform.blobs.get(report_keys("run-1")[1]).decode()
        assert "does what the emergency run run-1 deferred" in platform.blobs.get(report_keys("run-2")[1]).decode()
        assert build_report(platform.ledger, platform.blobs, "run-1", cloud.clock.now()).outcomes == {"succeeded": 2}

    def test_a_second_completion_is_refused_and_changes_nothing(self) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        Operator(platform, cloud).drive(take_up(cloud, platform, "run-2", Complete="run-1"))
        with pytest.raises(RefusedError) as refused:
            take_up(cloud, platform, "run-3", Complete="run-1")
        assert refused.value.code == "AlreadyCompleted"
        assert platform.ledger.holder(SCOPE) is None

    def test_what_the_emergency_did_not_activate_is_left_out_and_told(self) -> None:
        cloud, platform = shop()
        cloud.add("carts", wave=1)
        cloud.accept(platform, "run-00", DryRun=True)
        ending.finish(platform, "run-00")
        cloud.obstacles["orders", "promote"] = obstacle_failed("database/orders", "promote")
        Operator(platform, cloud).drive(cloud.accept(platform, "run-1", OnFailure="continue", **EMERGENCY))
        cloud.clock.advance(60)
        plan = load_plan(platform.blobs, take_up(cloud, platform, "run-2", Complete="run-1"))
        assert {r for a in plan.actions for r in a.resource_ids} == {"database/carts", "database/search"}
        assert "database/orders is left out: run-1 did not activate it" in plan.remarks

    def test_resources_tagged_since_are_not_touched_and_sides_are_the_frozen_ones(self) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        cloud.add("brand-new", wave=1)
        plan = load_plan(platform.blobs, take_up(cloud, platform, "run-2", Complete="run-1"))
        frozen = load_plan(platform.blobs, "run-1")
        assert [t.target() for t in plan.targets] == [t.target() for t in frozen.targets]

    def test_a_dry_run_shows_it_and_completes_nothing(self) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        take_up(cloud, platform, "run-2", Complete="run-1", DryRun=True)
        ending.finish(platform, "run-2")
        assert platform.ledger.run("run-1").completed_by is None

    def test_it_is_refused_while_the_source_region_is_away(self) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        cloud.dark_accounts.add(APPS)
        with pytest.raises(RefusedError, match=f"{SOURCE} is not back") as refused:
            take_up(cloud, platform, "run-2", Complete="run-1")
        assert (refused.value.code, refused.value.remedy) == ("SourceNotBack", f"when it answers again: {COMPLETE}")

    def test_it_is_refused_once_the_scope_has_moved_on(self) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        # Given a failback that the hub of the other Region has begun
        later = platform.ledger.run("run-1").but(
            run_id="run-9",
            mode=Mode.PLANNED,
            created_at=cloud.clock.now(),
            started_at=cloud.clock.now(),
            target_region=SOURCE,
            source_region=TARGET,
        )
        platform.ledger.create_run(later)
        with pytest.raises(RefusedError, match="would fence the side that serves now") as refused:
            take_up(cloud, platform, "run-2", Complete="run-1")
        assert refused.value.code == "MovedSince"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"mode": Mode.PLANNED}, "NothingDeferred"),
            ({"dry_run": True}, "NothingDeferred"),
            ({"ended_at": None, "status": RunStatus.RUNNING}, "StillRunning"),
        ],
    )
    def test_only_an_ended_emergency_can_be_completed(self, changes: dict[str, Any], code: str) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        platform.ledger.change_run("run-1", lambda r: r.but(**changes))
        with pytest.raises(RefusedError) as refused:
            take_up(cloud, platform, "run-2", Complete="run-1")
        assert refused.value.code == code
        assert refused.value.remedy

    def test_an_emergency_that_activated_nothing_and_an_unknown_run_are_refused(self) -> None:
        cloud, platform = shop()
        Operator(platform, cloud, lambda _g: Choice.REJECT).drive(
            cloud.accept(platform, "run-1", Emergency=True, ApprovalMode="required")
        )
        for named, code in (("run-1", "NothingDeferred"), ("run-404", "NoSuchRun")):
            with pytest.raises(RefusedError) as refused:
                take_up(cloud, platform, "run-2", Complete=named)
            assert refused.value.code == code

    @pytest.mark.parametrize(
        "more", [{"Customer": "CustomerY"}, {"Operation": "failback"}, {"Waves": [1]}, {"Emergency": True}]
    )
    def test_input_that_contradicts_the_run_it_names_is_refused(self, more: dict[str, Any]) -> None:
        cloud, platform = shop()
        emergency(cloud, platform)
        if "Waves" in more:
            platform.ledger.change_run("run-1", lambda r: r.but(waves=(1, 2)))
        with pytest.raises(ValidationError):
            take_up(cloud, platform, "run-2", Complete="run-1", **more)


class Reached(Exception):
    """A run is about to begin the stage it was driven to."""


@dataclass
class Driver(Operator):
    """Drives a run to the start of a stage."""

    until: str = ""

    def stage(self, run_id: str, stage_id: str) -> Stage:
        """See `Operator.stage`."""
        if stage_id == self.until:
            raise Reached
        return super().stage(run_id, stage_id)


def planned_until(cloud: Cloud, platform: Platform, stage: str, **request: Any) -> str:
    """Bring a planned run to the start of a stage."""
    run_id = cloud.accept(platform, "run-1", **request)
    with pytest.raises(Reached):
        Driver(platform, cloud, until=stage).drive(run_id)
    return run_id


class TestEscalate:
    def test_a_source_that_dies_in_the_middle_of_activate_is_left_and_the_emergency_goes_on(self) -> None:
        cloud, platform = shop()
        # Given a planned run whose first wave is activated, and whose second is promoting
        run_id = planned_until(cloud, platform, "04-ACTIVATE-w2")
        (item,) = start_stage(platform, run_id, "04-ACTIVATE-w2")
        action = "ACTIVATE.database-search"
        while "promote" not in cloud.operations("search"):
            platform.engine.advance(run_id, "04-ACTIVATE-w2", action)
            cloud.clock.advance(5)
        made = len(cloud.made)
        # When it is escalated
        run = escalate(platform, run_id, KIM, "us-east-1 is gone")
        # Then what is in flight is left to AWS without another look
        looked = len(cloud.looked_at)
        assert platform.engine.advance(run_id, "04-ACTIVATE-w2", action).done
        assert len(cloud.looked_at) == looked
        assert platform.ledger.action(run_id, action).detail == f"left to the emergency run that {KIM.arn} ordered"
        # And the emergency takes the scope over, while the old run has not even ended
        old_epoch = run.epoch
        assert take_up(cloud, platform, "run-2", Escalate=run_id) == "run-2"
        new = platform.ledger.run("run-2")
        assert (new.mode, new.escalates, new.requester) == (Mode.EMERGENCY, run_id, KIM.arn)
        held = platform.ledger.holder(SCOPE)
        assert held is not None
        assert (held.run_id, held.epoch > old_epoch) == ("run-2", True)
        # And the loss is shown before a person lets the line be crossed
        operator = Operator(platform, cloud)
        ended = operator.drive("run-2")
        (gate,) = [g for g in operator.asked if any(line.startswith("loss: ") for line in g.checklist)][:1]
        assert Choice.APPROVE in gate.choices
        assert {x.resource_id for x in load_plan(platform.blobs, "run-2").losses} == {
            "database/orders",
            "database/search",
        }
        # And what was done is recognised: not one call is made twice
        assert ended.status is RunStatus.SUCCEEDED
        assert cloud.made[made:] == []
        # And the old run ends, keeps its hands off the lock, and both tell of each other
        old = Operator(platform, cloud).drive(run_id)
        assert old.status is RunStatus.CANCELLED
        assert "goes on as run run-2" in " ".join(linked.ties(old))
        assert "goes on as an emergency with what run run-1 began" in linked.ties(ended)
        # And what the emergency deferred can be completed when the Region is back
        cloud.clock.advance(60)
        done = Operator(platform, cloud).drive(take_up(cloud, platform, "run-3", Complete="run-2"))
        assert done.status is RunStatus.SUCCEEDED

    def test_a_look_that_began_before_the_order_ends_without_a_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1")
        start_stage(platform, run_id, "03-ACTIVATE-w1")
        made, look = len(cloud.made), Scripted.observe

        # Given an order and an emergency that come while the old run looks at the database
        def slow_look(self: Scripted, *args: Any) -> View:
            monkeypatch.setattr(Scripted, "observe", look)
            escalate(platform, run_id, KIM, "")
            take_up(cloud, platform, "run-2", Escalate=run_id)
            return look(self, *args)

        monkeypatch.setattr(Scripted, "observe", slow_look)
        # When the look ends, then the call it would have led to is not made
        with pytest.raises(FencedError, match="held by run run-2"):
            platform.engine.advance(run_id, "03-ACTIVATE-w1", "ACTIVATE.database-orders")
        assert cloud.made[made:] == []

    def test_a_run_waiting_at_a_gate_ends_at_once_and_is_taken_over(self) -> None:
        cloud, platform = shop()
        run_id = cloud.accept(platform, "run-1")
        Operator(platform, cloud, lambda _g: None).drive(run_id)
        escalate(platform, run_id, KIM, "")
        assert isinstance(moving.decide_next(platform, run_id), Finish)
        ending.finish(platform, run_id)
        assert platform.ledger.run(run_id).status is RunStatus.CANCELLED
        run = Operator(platform, cloud).drive(take_up(cloud, platform, "run-2", Escalate=run_id))
        assert run.status is RunStatus.SUCCEEDED
        assert {a.outcome for a in platform.ledger.actions("run-2")} == {Outcome.SUCCEEDED}
        assert {a.phase for a in platform.ledger.actions("run-2")} == {Phase.ACTIVATE}

    def test_without_approvals_policy_or_a_person_accepts_the_loss(self) -> None:
        # Given a run without approvals: escalated without accepting the loss, the emergency asks a person
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1", ApprovalMode="automatic")
        escalate(platform, run_id, KIM, "")
        operator = Operator(platform, cloud)
        operator.drive(take_up(cloud, platform, "run-2", Escalate=run_id))
        assert operator.asked
        # Given the same with the loss accepted in so many words, nobody is asked
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1", ApprovalMode="automatic")
        escalate(platform, run_id, KIM, "", accept_data_loss=True)
        operator = Operator(platform, cloud)
        run = operator.drive(take_up(cloud, platform, "run-2", Escalate=run_id))
        assert (operator.asked, run.status, run.accept_data_loss) == ([], RunStatus.SUCCEEDED, True)

    def test_accepting_the_loss_needs_whoever_may_pass_the_commit_gate(self) -> None:
        cloud, platform = shop()
        rule = Rule(gates=(Occasion.COMMIT,), approvers=("arn:aws:sts::*:assumed-role/DR-Approver/*",))
        platform = replace(platform, approvals=Approvals(rules=(rule,)))
        run_id = planned_until(cloud, cloud.platform(), "03-ACTIVATE-w1", ApprovalMode="automatic")
        with pytest.raises(RefusedError) as refused:
            escalate(platform, run_id, KIM, "", accept_data_loss=True)
        assert refused.value.code == "NotAnApprover"
        assert platform.ledger.run(run_id).escalation is None
        assert escalate(platform, run_id, KIM, "").escalation is not None  # the emergency then asks the approver

    def test_an_order_whose_emergency_never_began_may_be_given_again_and_one_that_began_not(self) -> None:
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1")
        escalate(platform, run_id, KIM, "")
        Operator(platform, cloud).drive(run_id)
        assert escalate(platform, run_id, KIM, "again").escalation.reason == "again"  # type: ignore[union-attr]
        take_up(cloud, platform, "run-2", Escalate=run_id)
        for order in (
            lambda: escalate(platform, run_id, KIM, ""),
            lambda: linked.filled(platform.ledger, {"Escalate": run_id}),
        ):
            with pytest.raises(RefusedError) as refused:
                order()
            assert (refused.value.code, refused.value.remedy) == (
                "AlreadyEscalated",
                f"dr status run-2 --region {TARGET}",
            )

    def test_accepting_the_emergency_may_be_repeated(self) -> None:
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1")
        escalate(platform, run_id, KIM, "")
        arn, at = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:run-2", cloud.clock.now()
        first = planning.accept(platform, {"Escalate": run_id}, arn, "run-2", at)
        assert planning.accept(platform, {"Escalate": run_id}, arn, "run-2", at).epoch == first.epoch

    def test_nobody_escalates_by_an_input_alone(self) -> None:
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1")
        with pytest.raises(RefusedError) as refused:
            take_up(cloud, platform, "run-2", Escalate=run_id)
        assert (refused.value.code, refused.value.remedy) == ("NotOrdered", f"dr escalate run-1 --region {TARGET}")

    @pytest.mark.parametrize("asked", [EMERGENCY, {"Operation": "test"}])
    def test_emergencies_and_drills_are_never_escalated(self, asked: dict[str, Any]) -> None:
        cloud, platform = shop()
        cloud.accept(platform, "run-1", **asked)
        with pytest.raises(RefusedError) as refused:
            escalate(platform, "run-1", KIM, "")
        assert refused.value.code == "NotPlanned"

    def test_a_dead_source_that_blinds_the_planned_run_does_not_keep_the_emergency(self) -> None:
        cloud, platform = shop()
        run_id = planned_until(cloud, platform, "03-ACTIVATE-w1")
        cloud.blind = [UnreachableError("us-east-1 does not answer.")] * 8
        gates: list[Gate] = []
        operator = Operator(platform, cloud, gates.append)
        run = operator.drive(run_id)
        assert (run.status, gates[-1].kind) == (RunStatus.WAITING, GateKind.FAILURE)
        escalate(platform, run_id, KIM, "")
        ended = Operator(platform, cloud, approve).drive(take_up(cloud, platform, "run-2", Escalate=run_id))
        assert ended.status is RunStatus.SUCCEEDED
