"""Where a run stands: the one view that terminal, API and dashboard show."""

from __future__ import annotations

from datetime import timedelta

from orchestrator import stages
from orchestrator.plan import load_plan
from orchestrator.status import RunView, run_view
from orchestrator.words import Choice, GateKind
from tests.unit.scripted_platform import Cloud, Operator, obstacle_blocked


def view(cloud: Cloud) -> RunView:
    return run_view(cloud.ledger, "run-1", load_plan(cloud.blobs, "run-1"), cloud.clock.now())


def two_resources() -> Cloud:
    cloud = Cloud()
    cloud.add("orders", dr_rto_target="45")
    cloud.add("web", adapter="service", dr_rto_target="30")
    return cloud


def test_run_waiting_for_its_first_approval_shows_the_question() -> None:
    # Given
    cloud = two_resources()
    platform = cloud.platform()
    Operator(platform, cloud, lambda _gate: None).drive(cloud.accept(platform))
    cloud.clock.advance(90)
    # When
    seen = view(cloud)
    # Then
    (gate,) = seen.open_gates
    assert (gate.kind, gate.waiting_seconds, gate.asks) == ("plan", 90, 1)
    assert gate.choices == (Choice.APPROVE, Choice.REJECT)
    assert seen.status == "waiting"
    assert (seen.resources_done, seen.resources_pending, seen.resources_failed) == (0, 2, 0)
    assert seen.rto_target_minutes == 30


def test_resource_under_way_is_shown_with_its_step() -> None:
    cloud = two_resources()
    platform = cloud.platform()
    cloud.accept(platform)
    stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
    platform.engine.advance("run-1", "01-INSTANTIATE-w1", "INSTANTIATE.database-orders")
    platform.engine.advance("run-1", "01-INSTANTIATE-w1", "INSTANTIATE.database-orders")
    seen = view(cloud)
    (line,) = seen.under_way
    assert (line.resource_ids, line.state, line.step, line.detail) == (
        ("database/orders",),
        "running",
        "scale",
        "under way",
    )
    first = seen.stages[0]
    assert (first.running, first.pending, first.done, first.failed) == (1, 1, 0, 0)


def test_failed_resource_is_shown_with_what_to_do() -> None:
    cloud = two_resources()
    cloud.obstacles["web", "scale"] = obstacle_blocked("scale")
    platform = cloud.platform()
    operator = Operator(platform, cloud, lambda gate: None if gate.kind is GateKind.FAILURE else Choice.APPROVE)
    operator.drive(cloud.accept(platform))
    seen = view(cloud)
    (line,) = seen.failures
    assert line.resource_ids == ("service/web",)
    assert line.detail == "scale: the source still takes writes stop the application first"
    assert (seen.resources_done, seen.resources_pending, seen.resources_failed) == (0, 1, 1)
    assert seen.stages[0].failed == 1


def test_finished_run_shows_all_done_and_its_end() -> None:
    cloud = two_resources()
    platform = cloud.platform()
    run = Operator(platform, cloud).drive(cloud.accept(platform))
    seen = view(cloud)
    assert (seen.resources_done, seen.resources_pending, seen.resources_failed) == (2, 0, 0)
    assert seen.estimated_end == run.ended_at
    assert run.ended_at is not None
    assert seen.elapsed_seconds == (run.ended_at - run.created_at).total_seconds()
    assert seen.under_way == ()
    assert seen.open_gates == ()


def test_estimated_end_comes_no_nearer_while_people_think_and_no_later_while_work_goes_on() -> None:
    # Given a plan of about eleven minutes
    cloud = two_resources()
    platform = cloud.platform()
    cloud.accept(platform)
    first = view(cloud).estimated_end
    assert first == cloud.clock.now() + timedelta(minutes=11)
    # When nobody begins for two minutes, Then the end moves away
    cloud.clock.advance(120)
    later = view(cloud).estimated_end
    assert later == first + timedelta(minutes=2)
    # When a stage has worked for half its time, Then the end stays
    stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
    cloud.clock.advance(30)
    assert view(cloud).estimated_end == later


def test_run_without_a_plan_yet_has_a_view() -> None:
    cloud = two_resources()
    cloud.accept(cloud.platform())
    seen = run_view(cloud.ledger, "run-1", None, cloud.clock.now())
    assert seen.rto_target_minutes is None
    assert seen.stages[0].expected_minutes is None
