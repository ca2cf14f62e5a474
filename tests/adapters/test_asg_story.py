"""Auto Scaling groups through the real engine: scaled up here, put to sleep there, and never both asleep."""

from __future__ import annotations

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.asg import (
    GROUP,
    NAME,
    SERVING,
    asg_world,
    dark_source,
    group,
    lives,
    manifest,
    resize,
    scaling,
    sizes,
    suspended,
    tags,
)
from tests.support.driver import SOURCE, TARGET, World

HELD = ["AlarmNotification", "ScheduledActions"]


def drill_group(world: World) -> str:
    """Return the name of the drill's group, empty when there is none."""
    found = scaling(world).describe_auto_scaling_groups()["AutoScalingGroups"]
    return next((str(g["AutoScalingGroupName"]) for g in found if g["AutoScalingGroupName"].startswith("drill-")), "")


def test_the_group_moves_and_comes_back_with_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
        assert run.made() == foreseen
        assert (sizes(world, here), sizes(world, there)) == ((1, 4, 2), (0, 4, 0))
        assert (lives(world, here), lives(world, there)) == (SERVING, [])
        assert (suspended(world, here), suspended(world, there)) == ([], HELD)
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_processes_wake_before_the_size_grows_and_the_size_is_saved_before_it_shrinks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch)
    run = world.start()

    run.all()

    assert run.made(Phase.ACTIVATE) == ["ResumeProcesses", "UpdateAutoScalingGroup"]
    assert run.made(Phase.CLEANUP) == ["CreateOrUpdateTags", "SuspendProcesses", "UpdateAutoScalingGroup"]
    assert tags(world, SOURCE)["dr:saved-capacity"] == "1/4/2"
    assert tags(world, SOURCE)["Customer"] == "CustomerX"


def test_emergency_scales_to_what_the_inventory_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, desired=3, max=5)
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert (sizes(world, TARGET), lives(world, TARGET)) == ((1, 5, 3), ["InService"] * 3)
    assert {call.region for call in world.calls()} == {TARGET}


def test_the_source_goes_to_sleep_after_the_lost_region_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    dark_source(world)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()

    ended = world.start(Phases=["CLEANUP", "REPLICATE"]).all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert (sizes(world, SOURCE), lives(world, SOURCE)) == ((0, 4, 0), [])
    assert lives(world, TARGET) == SERVING


def test_a_drill_starts_one_instance_in_a_group_of_its_own_and_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start(Operation.TEST)
    before = (group(world, SOURCE), group(world, TARGET))

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    made = group(world, name=drill_group(world))
    assert [each["LifecycleState"] for each in made["Instances"]] == ["InService"]
    assert made["TargetGroupARNs"] == [], "a drill's instance must get no traffic"
    assert {"dr:drill-id"} <= {each["Key"] for each in made["Tags"] if each["PropagateAtLaunch"]}
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert drill_group(world) == ""
    assert world.operations() == ["CreateAutoScalingGroup", "DeleteAutoScalingGroup"]
    assert (group(world, SOURCE), group(world, TARGET)) == before
    assert world.refusals() == []


def test_a_drill_that_cannot_launch_says_why_and_rollback_removes_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start(Operation.TEST)
    world.fault(effect="fail", kind="autoscaling.launch-instance")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "sufficient t3.medium capacity" in action.detail
    assert run.rollback(Phase.INSTANTIATE).outcome is Outcome.ROLLED_BACK
    assert drill_group(world) == ""


def test_a_drill_touches_no_group_of_its_name_that_it_did_not_make(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)
    name = drill_group(world)
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "dr:drill-id", "PropagateAtLaunch": True}
    scaling(world).create_or_update_tags(Tags=[{**tag, "Value": "somebody-else"}])

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "does not carry dr:drill-id" in action.detail
    assert drill_group(world) == name


def test_launches_without_capacity_fail_the_action_early_and_rollback_sleeps_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="autoscaling.launch-instance")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "sufficient t3.medium capacity" in action.detail
    assert action.remedy
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SKIPPED
    assert lives(world, SOURCE) == SERVING

    world.repair()
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert (sizes(world, TARGET), lives(world, TARGET), suspended(world, TARGET)) == ((0, 4, 0), [], HELD)


def test_a_retry_after_the_cause_is_gone_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    world.fault(effect="fail", kind="autoscaling.launch-instance")
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    world.repair()

    action = run.retry(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert lives(world, TARGET) == SERVING


def test_instances_that_never_come_into_service_fail_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    world.fault(effect="stuck", kind="autoscaling.launch-instance")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "0 of 2 in service" in action.detail
    assert "1200 s" in action.detail


def test_instances_that_do_not_end_fail_the_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    world.fault(effect="fail", kind="autoscaling.terminate-instance")

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "could not be terminated" in action.detail


def test_rollback_of_cleanup_wakes_the_source_side(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    run.all()

    action = run.rollback(Phase.CLEANUP)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert (sizes(world, SOURCE), lives(world, SOURCE), suspended(world, SOURCE)) == ((1, 4, 2), SERVING, [])
    assert world.refusals() == []


def test_rollback_of_activate_is_refused_while_nothing_else_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    run.all()

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "nothing would serve" in action.detail
    assert action.remedy == "roll back CLEANUP first."
    assert lives(world, TARGET) == SERVING


def test_the_source_stays_up_while_the_target_side_does_not_carry_production(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "the source stays up" in action.detail
    assert (lives(world, SOURCE), sizes(world, SOURCE)) == (SERVING, (1, 4, 2))


def test_a_count_moved_by_autoscaling_within_its_bounds_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, desired=4, min=2)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    scaling(world).set_desired_capacity(**GROUP, DesiredCapacity=3)
    world.wait(5)

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert (len(lives(world, TARGET)), lives(world, SOURCE)) == (3, [])


def test_a_pilot_light_is_scaled_up_to_production_and_rolled_back_to_its_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, desired=4, target_min=1, target_desired=1, target_max=8)
    scaling(world).resume_processes(**GROUP)
    run = world.start()

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SKIPPED
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert sizes(world, TARGET) == (1, 4, 4)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert (sizes(world, TARGET), suspended(world, TARGET)) == ((1, 8, 1), [])
    assert lives(world, TARGET) == ["InService"]


def test_protected_instances_are_released_or_they_would_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, protected=True)
    run = world.start()

    ended = run.all()

    assert ended[Phase.CLEANUP].outcome is Outcome.SUCCEEDED
    assert "SetInstanceProtection" in run.made(Phase.CLEANUP)
    assert lives(world, SOURCE) == []


def test_a_suspended_terminate_is_resumed_or_nothing_would_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    scaling(world, SOURCE).suspend_processes(**GROUP, ScalingProcesses=["Terminate"])

    ended = world.start().all()

    assert ended[Phase.CLEANUP].outcome is Outcome.SUCCEEDED, ended
    assert (lives(world, SOURCE), suspended(world, SOURCE)) == ([], HELD)


def test_what_production_had_suspended_on_purpose_stays_suspended_but_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    scaling(world, SOURCE).suspend_processes(**GROUP, ScalingProcesses=["AZRebalance", "Launch"])
    scaling(world, TARGET).suspend_processes(**GROUP, ScalingProcesses=["AZRebalance", "Launch"])
    run = world.start()
    assert "Launch is suspended" in run.findings["suspended"]

    run.all()

    assert suspended(world, TARGET) == ["AZRebalance"]
    assert lives(world, TARGET) == SERVING


def test_the_manifest_may_ask_for_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)

    run = world.start(**manifest(world, desiredCapacity=3))
    run.phase(Phase.ACTIVATE)

    assert (sizes(world, TARGET), len(lives(world, TARGET))) == ((1, 4, 3), 3)


def test_two_sleeping_groups_wake_to_the_saved_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, tags={"dr:saved-capacity": "1/3/2"})
    resize(world, SOURCE, 0, 4, 0)

    run = world.start()
    run.phase(Phase.ACTIVATE)

    assert sizes(world, TARGET) == (1, 3, 2)


def test_an_instance_that_goes_into_standby_is_named_instead_of_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    run.phase(Phase.ACTIVATE)
    idle = group(world, SOURCE)["Instances"][0]["InstanceId"]
    scaling(world, SOURCE).update_auto_scaling_group(**GROUP, MinSize=0)
    scaling(world, SOURCE).enter_standby(**GROUP, InstanceIds=[idle], ShouldDecrementDesiredCapacity=True)

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert f"{idle} is in Standby" in action.detail
    assert "terminate-instances" in action.remedy


def test_a_group_that_is_deleted_on_the_target_side_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    scaling(world).delete_auto_scaling_group(**GROUP, ForceDelete=True)
    world.wait(5)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"there is no group {NAME}" in action.detail
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert lives(world, SOURCE) == SERVING


def test_a_group_that_is_being_deleted_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, target_min=1, target_desired=1)
    run = world.start()
    scaling(world).delete_auto_scaling_group(**GROUP, ForceDelete=True)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "Delete in progress" in action.detail


def test_decommission_deletes_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start(Decommission=True)

    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert "standby" in ended[Phase.DECOMMISSION].detail
    assert sizes(world, SOURCE) == (0, 4, 0)
