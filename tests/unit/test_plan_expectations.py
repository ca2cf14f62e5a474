"""What a plan expects and how it differs from the last one: told before anybody approves it."""

from __future__ import annotations

from datetime import timedelta

from orchestrator import planner
from orchestrator.history import medians, past_minutes
from orchestrator.inventory import Snapshot
from orchestrator.plan import load_plan
from orchestrator.plan_diff import differences
from orchestrator.request import parse
from orchestrator.words import ActionStatus, Outcome, Phase
from tests.unit.scripted_platform import REQUEST, SCOPE, START, Cloud, Operator, an_action
from tests.unit.test_planner import FAKES, a_thing, plan_of


def took(minutes: float, outcome: Outcome = Outcome.SUCCEEDED, phase: Phase = Phase.ACTIVATE) -> object:
    return an_action(
        phase, status=ActionStatus.ENDED, outcome=outcome, started_at=START, ended_at=START + timedelta(minutes=minutes)
    )


def test_expected_time_is_the_median_of_what_it_took_before() -> None:
    past = medians([took(3), took(40), took(5), took(99, Outcome.FAILED), took(1, phase=Phase.CLEANUP)])  # type: ignore[list-item]
    assert past == {"ACTIVATE.database-orders": 5.0, "CLEANUP.database-orders": 1.0}
    snapshot = Snapshot(scope=SCOPE, taken_at=START, resources=(a_thing("orders"),))
    plan = planner.build(parse(REQUEST), snapshot, FAKES.__getitem__, past)
    expected = {action.phase: action.expected_minutes for action in plan.actions}
    assert (expected[Phase.ACTIVATE], expected[Phase.CLEANUP]) == (5.0, 1.0)
    assert expected[Phase.REPLICATE] == 5.0, "without a past, the adapter's typical figure"


def test_scope_learns_from_its_own_runs_of_the_same_kind() -> None:
    # Given a run that has ended, whose ACTIVATE took two minutes and a bit
    cloud = Cloud()
    cloud.add("orders")
    platform = cloud.platform()
    Operator(platform, cloud).drive(cloud.accept(platform))
    done = cloud.ledger.action("run-1", "ACTIVATE.database-orders")
    assert done.started_at
    assert done.ended_at
    took_minutes = (done.ended_at - done.started_at).total_seconds() / 60
    # When the next one is planned
    cloud.accept(platform, "run-2")
    # Then it expects what the last one took, and a drill, which is something else, does not
    expected = {a.action_id: a.expected_minutes for a in load_plan(cloud.blobs, "run-2").actions}
    assert expected["ACTIVATE.database-orders"] == round(took_minutes, 1)
    cloud.ledger.unlock(SCOPE, "run-2")
    cloud.accept(platform, "run-3", Operation="test")
    assert past_minutes(cloud.ledger, cloud.ledger.run("run-3")) == {}


def test_critical_path_names_the_slowest_of_each_group() -> None:
    snapshot = Snapshot(scope=SCOPE, taken_at=START, resources=(a_thing("slow"), a_thing("quick"), a_thing("last", 2)))
    past = {"ACTIVATE.database-slow": 30.0, "ACTIVATE.database-quick": 2.0}
    plan = planner.build(parse({**REQUEST, "Phases": ["ACTIVATE"]}), snapshot, FAKES.__getitem__, past)
    assert [action.action_id for action in plan.critical_path] == ["ACTIVATE.database-slow", "ACTIVATE.database-last"]
    assert sum(action.expected_minutes for action in plan.critical_path) == plan.expected_minutes


def test_plan_that_does_the_same_has_no_difference() -> None:
    assert differences(plan_of(a_thing("orders")), plan_of(a_thing("orders"))) == []


def test_difference_names_what_comes_goes_and_moves() -> None:
    old = plan_of(a_thing("orders"), a_thing("old"), a_thing("web", 2))
    new = plan_of(a_thing("orders", 2, dr_priority="critical"), a_thing("new"), a_thing("web", 2), Mode="wave")
    assert differences(old, new) == [
        "order: lifecycle -> wave",
        "database/old: no longer moved (not found)",
        "database/new: new",
        "database/orders: priority: medium -> critical",
        "database/orders: wave: 1 -> 2",
    ]


def test_difference_tells_calls_that_would_now_be_made_or_no_longer() -> None:
    # Given a plan, and the same scope after its standby was scaled by hand
    cloud = Cloud()
    cloud.add("orders")
    platform = cloud.platform()
    cloud.accept(platform, "run-1", DryRun=True)
    Operator(platform, cloud).drive(cloud.accept(platform, "run-2", Phases=["INSTANTIATE"]))
    cloud.clock.advance(600)
    cloud.accept(platform, "run-3", DryRun=True)
    lines = differences(load_plan(cloud.blobs, "run-1"), load_plan(cloud.blobs, "run-3"))
    assert [line for line in lines if line.startswith("INSTANTIATE")] == [
        "INSTANTIATE.database-orders: no longer scale: fake.scale in 222222222222/us-west-2 (reversible)"
    ]
