"""How runs begin and end: accepted, refused, finished, stopped, cancelled; nothing is left locked or untold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator import ending, locking, planning, stages, stocktaking
from orchestrator.errors import DrError, NotFoundError, RefusedError, ValidationError
from orchestrator.gates import Answer, decide
from orchestrator.ledger.records import Gate
from orchestrator.notify import Notice
from orchestrator.plan import load_plan
from orchestrator.report import report_keys
from orchestrator.words import Choice, GateStatus, Outcome, RunStatus, StageStatus
from tests.unit.scripted_platform import (
    REQUEST,
    SCOPE,
    SOURCE,
    START,
    TARGET,
    Cloud,
    Operator,
    approve,
    obstacle_blocked,
)


def a_cloud(*names: str) -> Cloud:
    cloud = Cloud()
    for name in names or ("orders",):
        cloud.add(name)
    return cloud


def notices(cloud: Cloud) -> list[Notice]:
    return [message.notice for message in cloud.notifier.sent]


class TestAccepting:
    def test_second_run_on_the_scope_is_refused_and_writes_nothing(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        with pytest.raises(RefusedError, match="locked by run run-1"):
            cloud.accept(platform, "run-2")
        with pytest.raises(DrError, match="run-2"):
            cloud.ledger.run("run-2")

    def test_name_of_an_earlier_run_is_refused_and_the_earlier_run_is_left_as_it_is(self) -> None:
        # Given a run that ended, whose name Step Functions has freed since
        cloud = a_cloud()
        platform = cloud.platform()
        ending.finish(platform, cloud.accept(platform))
        earlier = cloud.ledger.run("run-1")
        cloud.clock.advance(91 * 86_400)
        cloud.started_at.clear()
        # When the name is used again
        with pytest.raises(RefusedError, match="every run needs a name of its own") as refused:
            cloud.accept(platform)
        # Then nothing is locked, and the old outcome is not taken for the new one
        assert "--name" in refused.value.remedy
        assert cloud.ledger.holder(SCOPE) is None
        assert cloud.ledger.run("run-1") == earlier

    def test_refusal_in_one_region_does_not_end_the_peers_run_of_the_same_name(self) -> None:
        # Given a run that the hub in the target Region is carrying out
        cloud = a_cloud()
        cloud.accept(cloud.platform())
        peer = cloud.platform(SOURCE)
        # When the other Region's hub ends an execution of that name
        told = ending.finish(peer, "run-1", "refused here")
        with pytest.raises(NotFoundError):
            ending.stopped(peer, "run-1", "was aborted")
        # Then the run goes on, and holds its scope
        assert (told.status, told.summary) == (RunStatus.FAILED, "refused here")
        held = cloud.ledger.holder(SCOPE)
        assert held is not None
        assert held.run_id == "run-1"
        assert not cloud.ledger.run("run-1").status.ended

    def test_bad_request_locks_nothing(self) -> None:
        cloud = a_cloud()
        with pytest.raises(ValidationError):
            cloud.accept(cloud.platform(), Customer="")
        assert cloud.ledger.holder(SCOPE) is None

    def test_hub_of_the_region_being_left_refuses_and_locks_nothing(self) -> None:
        cloud = a_cloud()
        with pytest.raises(RefusedError) as refused:
            cloud.accept(cloud.platform(SOURCE))
        assert refused.value.code == "WrongHubRegion"
        assert cloud.ledger.holder(SCOPE) is None

    def test_dry_run_needs_no_lock_and_disturbs_nobody(self) -> None:
        # Given a run under way
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        told = len(cloud.notifier.sent)
        # When somebody looks at a plan
        cloud.accept(platform, "look", DryRun=True)
        ended = ending.finish(platform, "look")
        # Then
        assert ended.status is RunStatus.PREVIEWED
        assert cloud.ledger.holder(SCOPE) is not None
        assert len(cloud.notifier.sent) == told
        assert load_plan(cloud.blobs, "look").resource_count() == 1

    def test_lock_of_a_run_that_ended_without_releasing_it_is_taken_over(self) -> None:
        # Given a run whose last function died between ending it and releasing the lock
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        cloud.ledger.change_run("run-1", lambda r: r.but(status=RunStatus.FAILED, ended_at=START))
        # When the next run begins, Then it has the scope under a newer epoch
        cloud.accept(platform, "run-2")
        assert cloud.ledger.run("run-2").epoch == 2

    def test_lock_of_a_run_that_never_came_to_be_is_taken_over_after_a_while(self) -> None:
        # Given a lock whose run was never written
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.ledger.lock(SCOPE, "ghost", START)
        with pytest.raises(RefusedError, match="ghost"):
            cloud.accept(platform)
        # When accepting it can no longer be under way
        cloud.clock.advance(locking.ACCEPTING.total_seconds() + 1)
        # Then
        assert cloud.accept(platform) == "run-1"

    def test_request_is_understood_again_from_the_run(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform, Waves=[1], Phases=["ACTIVATE"], Mode="wave", Reason="drill 7")
        request = planning.request_of(cloud.ledger.run("run-1"))
        assert (request.Waves, request.Phases, request.Mode, request.Reason) == ((1,), ("ACTIVATE",), "wave", "drill 7")


class TestInventory:
    def test_unknown_customer_is_refused(self) -> None:
        cloud = Cloud()
        with pytest.raises(ValidationError) as refused:
            cloud.accept(cloud.platform())
        assert refused.value.code == "EmptyScope"
        assert "Customer=CustomerX" in refused.value.message

    def test_account_that_cannot_be_read_stops_a_planned_run_and_keeps_the_old_snapshot(self) -> None:
        # Given a good snapshot, and then an account that cannot be entered
        cloud = a_cloud()
        platform = cloud.platform()
        good = stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))
        cloud.dark_accounts = {"222222222222"}
        cloud.clock.advance(60)
        # When, Then
        with pytest.raises(RefusedError, match="may not be assumed") as refused:
            cloud.accept(platform)
        assert refused.value.code == "PartialInventory"
        assert cloud.ledger.newest_snapshot(SCOPE) == good

    def test_emergency_lives_on_the_snapshot_and_enters_no_account(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))
        cloud.dark_accounts = {"222222222222"}
        cloud.clock.advance(20 * 60)
        cloud.accept(platform, Emergency=True)
        assert "cached inventory is 20 minutes old" in [e.message for e in cloud.ledger.events("run-1")]

    def test_emergency_without_a_snapshot_uses_the_last_plan(self) -> None:
        # Given a failover some time ago, a failed one after it, and no snapshot since
        cloud = a_cloud()
        platform = cloud.platform()
        Operator(platform, cloud).drive(cloud.accept(platform))
        cloud.ledger._snapshots.clear()  # type: ignore[attr-defined]
        # When
        cloud.accept(platform, "run-2", Emergency=True)
        # Then
        assert load_plan(cloud.blobs, "run-2").resource_count() == 1

    def test_emergency_without_any_memory_is_refused_with_a_way_out(self) -> None:
        cloud = a_cloud()
        with pytest.raises(RefusedError) as refused:
            cloud.accept(cloud.platform(), Emergency=True)
        assert refused.value.code == "NoInventory"
        assert "break-glass" in refused.value.remedy


class TestReadiness:
    def test_red_finding_stops_a_planned_run_before_anything_changes(self) -> None:
        # Given
        cloud = a_cloud()
        cloud.red = {"orders"}
        platform = cloud.platform()
        # When
        cloud.accept(platform)
        ended = ending.finish(platform, "run-1")
        # Then
        assert ended.status is RunStatus.FAILED
        assert "not ready: 1 red finding(s), first database/orders: replication lags 9 h" in ended.summary
        assert cloud.tried == []
        assert notices(cloud) == [Notice.STARTED, Notice.FAILURE, Notice.FAILURE]
        assert cloud.ledger.holder(SCOPE) is None

    def test_red_finding_only_warns_in_an_emergency(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))
        cloud.red = {"orders"}
        cloud.accept(platform, Emergency=True)
        assert Notice.WARNING in notices(cloud)
        assert Operator(platform, cloud).drive("run-1").status is RunStatus.SUCCEEDED

    def test_plan_is_frozen_once(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        before = cloud.ledger.run("run-1").plan_hash
        cloud.add("late")
        assert planning.build_plan(platform, "run-1").plan_hash == before
        assert load_plan(cloud.blobs, "run-1").resource_count() == 1


class TestFinishing:
    def test_end_releases_the_lock_writes_the_report_and_tells(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        Operator(platform, cloud).drive(cloud.accept(platform))
        assert cloud.ledger.holder(SCOPE) is None
        assert set(report_keys("run-1")) <= set(cloud.blobs.documents)
        assert notices(cloud)[-1] is Notice.ENDED
        assert "Report: dr report run-1" in cloud.notifier.sent[-1].body

    def test_end_repeated_tells_nobody_twice(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        Operator(platform, cloud).drive(cloud.accept(platform))
        told = len(cloud.notifier.sent)
        assert ending.finish(platform, "run-1", "late error").status is RunStatus.SUCCEEDED
        assert ending.stopped(platform, "run-1", "was aborted").status is RunStatus.SUCCEEDED
        assert len(cloud.notifier.sent) == told

    def test_error_that_a_machine_caught_is_the_reason(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        ended = ending.finish(platform, "run-1", "States.Timeout in Build Plan")
        assert (ended.status, cloud.ledger.run("run-1").failure) == (RunStatus.FAILED, "States.Timeout in Build Plan")

    def test_run_that_was_never_accepted_ends_with_the_reason(self) -> None:
        cloud = a_cloud()
        ended = ending.finish(cloud.platform(), "nobody", "the input has 1 problem(s)")
        assert ended == ending.Ending(RunStatus.FAILED, "the input has 1 problem(s)")

    def test_rejected_run_ends_as_rejected(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        run = Operator(platform, cloud, lambda _gate: Choice.REJECT).drive(cloud.accept(platform))
        assert run.status is RunStatus.REJECTED
        assert run.rejected_by == "kim@example.com"
        assert cloud.tried == []


class TestStopping:
    def test_execution_stopped_from_outside_leaves_a_true_ledger(self) -> None:
        # Given a resource under way
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform)
        stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
        platform.engine.advance("run-1", "01-INSTANTIATE-w1", "INSTANTIATE.database-orders")
        # When
        ended = ending.stopped(platform, "run-1", "was aborted")
        # Then
        assert ended.status is RunStatus.STOPPED
        assert cloud.ledger.run("run-1").failure == "the execution was aborted from outside"
        action = cloud.ledger.action("run-1", "INSTANTIATE.database-orders")
        assert action.outcome is Outcome.FAILED
        assert "while this was under way; AWS may have gone on by itself" in action.detail
        assert cloud.ledger.stage("run-1", "01-INSTANTIATE-w1").status is StageStatus.FAILED
        assert cloud.ledger.stage("run-1", "02-ACTIVATE-w1").status is StageStatus.PENDING
        assert cloud.ledger.holder(SCOPE) is None
        assert notices(cloud)[-1] is Notice.FAILURE

    def test_open_question_of_a_stopped_run_is_withdrawn(self) -> None:
        # Given
        cloud = a_cloud()
        platform = cloud.platform()
        operator = Operator(platform, cloud, lambda _gate: None)
        operator.drive(cloud.accept(platform))
        # When
        ending.stopped(platform, "run-1", "was aborted")
        # Then a late answer is refused
        (gate,) = cloud.ledger.gates("run-1")
        assert (gate.status, gate.token) == (GateStatus.WITHDRAWN, None)
        with pytest.raises(RefusedError):
            decide(cloud.ledger, cloud.clock, "run-1", gate.gate_id, Answer(Choice.APPROVE, "kim"))

    def test_next_run_adopts_what_the_stopped_one_did(self) -> None:
        # Given a run stopped after the fence was called
        cloud = a_cloud()
        platform = cloud.platform()
        cloud.accept(platform, Phases=["ACTIVATE"])
        stages.start_stage(platform, "run-1", "01-ACTIVATE-w1")
        platform.engine.advance("run-1", "01-ACTIVATE-w1", "ACTIVATE.database-orders")
        ending.stopped(platform, "run-1", "was aborted")
        # When
        run = Operator(platform, cloud).drive(cloud.accept(platform, "run-2", Phases=["ACTIVATE"]))
        # Then
        assert run.status is RunStatus.SUCCEEDED
        assert cloud.operations() == ["fence", "promote"]


class TestCancelling:
    def test_cancelled_run_stops_after_its_current_step(self) -> None:
        # Given a run that is cancelled at its second gate
        cloud = a_cloud()
        platform = cloud.platform()

        def answer(gate: Gate) -> Choice:
            if gate.stage_id == "02-ACTIVATE-w1":
                ending.cancel(platform, "run-1", "lee", "false alarm")
            return approve(gate)

        run = Operator(platform, cloud, answer).drive(cloud.accept(platform))
        # Then
        assert (run.status, run.cancelled_by) == (RunStatus.CANCELLED, "lee")
        assert cloud.operations() == ["scale"]
        assert "cancelled. false alarm" in [e.message for e in cloud.ledger.events("run-1")]

    def test_ended_run_cannot_be_cancelled(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        Operator(platform, cloud).drive(cloud.accept(platform))
        with pytest.raises(RefusedError, match="has ended already: succeeded") as refused:
            ending.cancel(platform, "run-1", "lee", "")
        assert refused.value.remedy == "dr report run-1"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"ApprovalMode": "automatic"}, RunStatus.SUCCEEDED),
        ({"Operation": "test"}, RunStatus.SUCCEEDED),
        ({"Mode": "wave"}, RunStatus.SUCCEEDED),
        ({"Phases": ["INSTANTIATE", "ACTIVATE"]}, RunStatus.SUCCEEDED),
    ],
)
def test_runs_of_every_kind_come_to_their_end(request_: dict[str, Any], status: RunStatus) -> None:
    cloud = a_cloud("orders", "billing")
    cloud.add("late", 2)
    platform = cloud.platform()
    assert Operator(platform, cloud).drive(cloud.accept(platform, **request_)).status is status


def test_automatic_run_asks_nobody_unless_something_fails() -> None:
    cloud = a_cloud("orders")
    cloud.obstacles["orders", "promote"] = obstacle_blocked("promote")
    platform = cloud.platform()
    operator = Operator(platform, cloud)
    run = operator.drive(cloud.accept(platform, ApprovalMode="automatic"))
    assert [gate.kind for gate in operator.asked] == ["failure"]
    assert run.status is RunStatus.FAILED


def test_failback_after_failover_is_a_run_the_other_way() -> None:
    cloud = a_cloud()
    Operator(cloud.platform(), cloud).drive(cloud.accept(cloud.platform()))
    cloud.made.clear()
    home = cloud.platform(SOURCE)
    run = Operator(home, cloud).drive(cloud.accept(home, "run-2", Operation="failback"))
    assert (run.status, run.source_region, run.target_region) == (RunStatus.SUCCEEDED, TARGET, SOURCE)


def test_calls_of_a_stage_are_shown_as_people_read_them() -> None:
    cloud = a_cloud()
    platform = cloud.platform()
    cloud.accept(platform)
    assert planning.frozen_plan_calls(platform, "run-1", "02-ACTIVATE-w1") == [
        "fake.fence in 222222222222/us-west-2 for database/orders (compensable)",
        "fake.promote in 222222222222/us-west-2 for database/orders (irreversible)",
    ]


def test_requester_and_start_of_the_outage_are_kept() -> None:
    cloud = a_cloud()
    noticed = (START - timedelta(minutes=7)).isoformat()
    cloud.accept(cloud.platform(), Requester="kim@example.com", DetectedAt=noticed)
    run = cloud.ledger.run("run-1")
    assert (run.requester, run.detected_at) == ("kim@example.com", START - timedelta(minutes=7))
    assert REQUEST["Customer"] in cloud.notifier.sent[0].subject
