"""Warm pools: the side that stands by keeps stopped instances, as many as production runs, and starts from them."""

from __future__ import annotations

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.asg import (
    GROUP,
    SERVING,
    asg_world,
    dark_source,
    group,
    lives,
    scaling,
    sizes,
    template_names,
    warm,
)
from tests.support.driver import SOURCE, TARGET

WARM = ["Warmed:Stopped"] * 2


def test_the_standby_is_warmed_up_and_serves_from_its_pool_and_so_does_the_way_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch, "warm-pool")
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
        assert warm(world, here) == WARM
        stopped = {each["InstanceId"] for each in scaling(world, here).describe_warm_pool(**GROUP)["Instances"]}
        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert {each["InstanceId"] for each in group(world, here)["Instances"]} == stopped
        assert (lives(world, here), lives(world, there)) == (SERVING, [])
        assert (warm(world, here), warm(world, there)) == ([], WARM)
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_a_pool_warms_up_what_production_runs_and_not_what_the_group_may_grow_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch, "warm-pool", max=20)

    world.start().phase(Phase.INSTANTIATE)

    assert len(warm(world)) == 2
    assert group(world)["WarmPoolConfiguration"]["MaxGroupPreparedCapacity"] == 2


def test_a_pool_that_is_large_enough_is_left_as_it_is_and_tells_the_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", warm_pool=3)

    run = world.start()
    run.phase(Phase.INSTANTIATE)

    assert run.made(Phase.INSTANTIATE) == []
    assert len(warm(world)) == 3
    (found,) = world.inventory().resources
    assert found.strategy == "warm-pool"


def test_a_pool_that_is_too_small_grows_and_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", desired=3, warm_pool=1)
    policy = {"ReuseOnScaleIn": True}
    scaling(world).put_warm_pool(**GROUP, MaxGroupPreparedCapacity=1, PoolState="Running", InstanceReusePolicy=policy)

    world.start().phase(Phase.INSTANTIATE)

    pool = group(world)["WarmPoolConfiguration"]
    assert (pool["MaxGroupPreparedCapacity"], pool["PoolState"], pool["InstanceReusePolicy"]) == (3, "Running", policy)
    assert len(warm(world)) == 3


def test_a_pilot_light_gets_only_the_instances_it_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", desired=3, target_min=1, target_desired=1)

    world.start().phase(Phase.INSTANTIATE)

    assert (lives(world, TARGET), warm(world)) == (["InService"], WARM)


def test_a_group_that_runs_production_already_needs_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", target_min=2, target_desired=2)

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED
    assert world.operations() == []


def test_emergency_starts_from_the_pool_and_warms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", warm_pool=1)
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()

    assert "1 warm instance(s) wait beside orders, production needs 2" in run.findings["warm-pool"]
    assert (sizes(world, TARGET), lives(world, TARGET)) == ((1, 4, 2), SERVING)
    assert run.made() == ["ResumeProcesses", "UpdateAutoScalingGroup"]


def test_emergency_without_a_pool_says_that_instances_start_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool")
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "the others start cold" in run.findings["warm-pool"]
    assert {action.outcome for action in run.all().values()} == {Outcome.SUCCEEDED}


def test_warm_instances_that_cannot_be_launched_fail_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool")
    run = world.start()
    world.fault(effect="fail", kind="autoscaling.warm-instance")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "0 of 2 instance(s) are warm" in action.detail
    assert "sufficient capacity" in action.detail


def test_a_suspended_launch_is_resumed_or_the_pool_would_stay_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool")
    scaling(world).suspend_processes(**GROUP, ScalingProcesses=["Launch"])

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert warm(world) == WARM


def test_warm_instances_of_an_older_template_version_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", warm_pool=2)
    template_names(world, TARGET, InstanceType="t3.large")

    run = world.start()

    assert "2 warm instance(s) of orders run an older launch template version" in run.findings["warm-instances"]


def test_rollback_leaves_the_pool_because_it_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    action = run.rollback(Phase.INSTANTIATE)

    assert action.outcome in {Outcome.ROLLED_BACK, Outcome.SKIPPED}
    assert warm(world) == WARM


def test_a_drill_changes_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "warm-pool", warm_pool=2)
    before = warm(world)

    ended = world.start(Operation.TEST).all()

    assert {action.outcome for action in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
    assert warm(world) == before
    assert lives(world, SOURCE) == SERVING
