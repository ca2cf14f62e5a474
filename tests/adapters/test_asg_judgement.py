"""What Auto Scaling groups rarely show, judged from made-up looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.asg.adapter import AsgAdapter
from adapters.asg.models import Activity, Group, Refresh
from adapters.asg.view import AsgSide, AsgView
from adapters.asg.view_checks import Checked
from adapters.asg.view_parts import Image, TemplateVersion
from adapters.quotas import Room
from orchestrator.contract import Member, Place, RunContext, Step
from orchestrator.errors import UpstreamError
from orchestrator.words import Mode, Operation, Phase, Severity, StepState

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ASG = AsgAdapter()
TEMPLATE = {"LaunchTemplateId": "lt-1", "Version": "$Default"}
VERSION = TemplateVersion.model_validate(
    {"VersionNumber": 1, "DefaultVersion": True, "LaunchTemplateData": {"ImageId": "ami-b", "InstanceType": "m5.large"}}
)


def instance(name: str = "i-1", **told: Any) -> dict[str, Any]:
    return {"InstanceId": name, "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "1"}, **told}


def side(region: str, account: str = "222222222222", **told: Any) -> AsgSide:
    running = [instance(f"i-{n}") for n in range(told.get("DesiredCapacity", 0))]
    group = {"AutoScalingGroupName": "orders", "MaxSize": 4, "LaunchTemplate": TEMPLATE, "Instances": running, **told}
    facts: Mapping[str, Any] = {
        "min": group.get("MinSize", 0),
        "max": group["MaxSize"],
        "desired": group.get("DesiredCapacity", 0),
    }
    place = Place(account, region, "orders", f"arn:{region}", facts)
    image = Image(ImageId=f"ami-{region}", Name="orders-1.0")
    return AsgSide(place, Group.model_validate(group), versions=(VERSION,), image=image)


def view(strategy: str = "scale-up", **changes: Any) -> AsgView:
    source, target = side("east", MinSize=1, DesiredCapacity=2), side("west")
    source, target = changes.pop("source", source), changes.pop("target", target)
    drill = AsgSide(replace(target.place, id="drill-orders"))
    member = Member("asg/orders", "orders", source.place, target.place)
    return replace(AsgView(strategy, member, source, target, drill), **changes)


def run(phase: Phase, mode: Mode = Mode.PLANNED, **told: Any) -> RunContext:
    begun = NOW - timedelta(minutes=5)
    return RunContext("run-1", Operation.FAILOVER, mode, phase, "east", "west", NOW, begun, **told)


def steps(seen: AsgView, phase: Phase, **told: Any) -> dict[str, Step]:
    return {step.name: step for step in ASG.steps(phase, seen, run(phase, **told))}


def findings(seen: AsgView, mode: Mode = Mode.PLANNED) -> dict[str, str]:
    found = ASG.readiness(replace(seen, checked=seen.checked or CHECKED), run(Phase.INSTANTIATE, mode))
    return {each.code: f"{each.severity}: {each.message}" for each in found}


CHECKED = Checked(zones=("west-a", "west-b"), vcpus=2, room=Room(640), addresses=100)


def test_images_between_accounts_are_refused() -> None:
    apart = view("image-refresh", target=side("west", account="333333333333"))

    assert "different accounts" in findings(apart)["image-refresh"]
    assert steps(apart, Phase.INSTANTIATE)["copy-image"].state is StepState.BLOCKED


def test_sides_in_different_accounts_are_fine_where_no_image_travels() -> None:
    apart = view(target=side("west", account="333333333333", AvailabilityZones=["west-a"]))

    assert set(findings(apart)) == {"ready"}


@pytest.mark.parametrize("state", ["Pending:Rebooting", "Somewhere"])
def test_a_lifecycle_state_nobody_knows_is_an_error_not_a_wait(state: str) -> None:
    odd = view(target=side("west", MinSize=1, DesiredCapacity=2, Instances=[instance(LifecycleState=state)]))

    with pytest.raises(UpstreamError, match=state):
        ASG.activate(odd, run(Phase.ACTIVATE))


def test_image_and_refresh_states_nobody_knows_are_errors() -> None:
    copy = Image(ImageId="ami-copy", State="resting", SourceImageId="ami-east")
    with pytest.raises(UpstreamError, match="resting"):
        steps(view("image-refresh", target=replace(side("west"), copies=(copy,))), Phase.INSTANTIATE)

    old = side(
        "west", DesiredCapacity=1, Instances=[instance(LaunchTemplate={"LaunchTemplateId": "x", "Version": "0"})]
    )
    same = replace(old, image=Image(ImageId="ami-w", SourceImageId="ami-east"), refreshes=(Refresh(Status="Resting"),))
    with pytest.raises(UpstreamError, match="Resting"):
        steps(view("image-refresh", target=same), Phase.INSTANTIATE)


@pytest.mark.parametrize("state", ["invalid", "deregistered", "error", "disabled", "failed"])
def test_every_way_an_image_copy_can_end_badly_fails_the_step(state: str) -> None:
    copy = Image(ImageId="ami-copy", State=state, SourceImageId="ami-east", CreationDate=NOW)

    step = steps(view("image-refresh", target=replace(side("west"), copies=(copy,))), Phase.INSTANTIATE)["copy-image"]

    assert (step.state, state in step.reason, bool(step.remedy)) == (StepState.FAILED, True, True)


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"])
def test_every_way_a_refresh_can_end_badly_fails_the_step(status: str) -> None:
    old = side(
        "west", DesiredCapacity=1, Instances=[instance(LaunchTemplate={"LaunchTemplateId": "x", "Version": "0"})]
    )
    ended = (Refresh(Status=status, StartTime=NOW),)
    same = replace(old, image=Image(ImageId="ami-w", SourceImageId="ami-east"), refreshes=ended)

    step = steps(view("image-refresh", target=same), Phase.INSTANTIATE)["instance-refresh"]

    assert (step.state, status in step.reason, bool(step.remedy)) == (StepState.FAILED, True, True)


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"])
def test_a_refresh_under_way_is_waited_for(status: str) -> None:
    same = replace(
        side("west", DesiredCapacity=1),
        image=Image(ImageId="ami-w", SourceImageId="ami-east"),
        refreshes=(Refresh(Status=status),),
    )

    assert steps(view("image-refresh", target=same), Phase.INSTANTIATE)["instance-refresh"].state is StepState.BUSY


@pytest.mark.parametrize("state", ["Standby", "Quarantined", "Terminating:Retained"])
def test_instances_that_only_a_person_can_end_fail_the_clean_up(state: str) -> None:
    stuck = side("east", Instances=[instance(LifecycleState=state)])
    ready = side("west", MinSize=1, DesiredCapacity=2)
    seen = view(target=ready, source=stuck)

    step = steps(seen, Phase.CLEANUP)["instances-gone"]

    assert (step.state, "i-1" in step.reason) == (StepState.FAILED, True)


def test_an_instance_that_waits_for_a_lifecycle_hook_is_told_and_waited_for() -> None:
    waiting = side("east", Instances=[instance(LifecycleState="Terminating:Wait")])

    step = steps(view(target=side("west", MinSize=1, DesiredCapacity=2), source=waiting), Phase.CLEANUP)[
        "instances-gone"
    ]

    assert (step.state, "lifecycle hook" in step.reason) == (StepState.BUSY, True)


def test_more_than_fifty_protected_instances_are_released_in_several_calls() -> None:
    many = [instance(f"i-{n}", ProtectedFromScaleIn=True) for n in range(120)]
    source = side("east", MinSize=1, MaxSize=200, DesiredCapacity=120, Instances=many)
    target = side("west", MinSize=1, MaxSize=200, DesiredCapacity=120)

    found = steps(view(source=source, target=target), Phase.CLEANUP)

    calls = [found[name].call for name in ("release-protection", "release-protection-2", "release-protection-3")]
    sizes = [len(call.params["InstanceIds"]) for call in calls if call]  # type: ignore[arg-type]
    assert sizes == [50, 50, 20]


def test_weighted_instances_count_by_their_weight() -> None:
    heavy = [instance("i-1", WeightedCapacity="4"), instance("i-2", WeightedCapacity="4")]
    seen = view(
        source=side("east", MinSize=2, MaxSize=8, DesiredCapacity=8),
        target=side("west", MinSize=2, MaxSize=8, DesiredCapacity=8, Instances=heavy),
    )

    assert steps(seen, Phase.ACTIVATE)["instances-in-service"].state is StepState.DONE


def activity(message: str, minutes_ago: float, code: str = "Failed") -> Activity:
    return Activity(StartTime=NOW - timedelta(minutes=minutes_ago), StatusCode=code, StatusMessage=message)


@pytest.mark.parametrize(
    ("activities", "state"),
    [
        ([activity("no sufficient capacity", 1), activity("no sufficient capacity", 1)], StepState.BUSY),
        ([activity("no sufficient capacity", 1), activity("no sufficient capacity", 4)], StepState.FAILED),
        ([activity("", 1, "Successful"), activity("no sufficient capacity", 4)], StepState.BUSY),
        ([activity("The image id does not exist", 1)], StepState.FAILED),
        ([activity("no sufficient capacity", 8), activity("no sufficient capacity", 12)], StepState.BUSY),
    ],
    ids=["one zone is full", "it goes on", "another zone helped", "hopeless at once", "before this attempt"],
)
def test_launches_that_fail_are_given_the_time_in_which_aws_tries_other_zones(
    activities: list[Activity], state: StepState
) -> None:
    starting = side("west", MinSize=1, DesiredCapacity=2, Instances=[])

    found = steps(view(target=replace(starting, activities=tuple(activities))), Phase.ACTIVATE)

    assert found["instances-in-service"].state is state


def test_a_pool_that_is_being_deleted_is_waited_for() -> None:
    leaving = side("west", WarmPoolConfiguration={"Status": "PendingDelete"})

    assert steps(view("warm-pool", target=leaving), Phase.INSTANTIATE)["warm-pool"].state is StepState.BUSY


def test_warm_instances_that_only_a_person_can_end_fail_the_step() -> None:
    pool = {"MaxGroupPreparedCapacity": 2, "MinSize": 0}
    stuck = Group.model_validate(
        {"AutoScalingGroupName": "x", "Instances": [instance(LifecycleState="Warmed:Pending:Retained")]}
    )
    target = replace(side("west", WarmPoolConfiguration=pool), warm=tuple(stuck.Instances))

    step = steps(view("warm-pool", target=target), Phase.INSTANTIATE)["warmed"]

    assert (step.state, "retained" in step.reason) == (StepState.FAILED, True)


@pytest.mark.parametrize("phase", [Phase.INSTANTIATE, Phase.REPLICATE])
@pytest.mark.parametrize("strategy", ["scale-up", "warm-pool", "image-refresh"])
def test_a_group_that_is_not_there_stops_the_standby(strategy: str, phase: Phase) -> None:
    seen = view(strategy)
    seen = replace(seen, target=replace(seen.target, group=None), source=replace(seen.source, group=None))

    (step,) = steps(seen, phase).values()

    assert (step.state, bool(step.remedy)) == (StepState.BLOCKED, True)


def test_a_drill_needs_a_group_with_a_launch_template() -> None:
    bare = side("west", LaunchTemplate=None, LaunchConfigurationName="old")
    seen = view(target=bare)

    assert steps(seen, Phase.INSTANTIATE, mode=Mode.DRILL)["drill-group"].state is StepState.BLOCKED
    gone = replace(seen, target=replace(bare, group=None))
    assert steps(gone, Phase.INSTANTIATE, mode=Mode.DRILL)["drill-group"].state is StepState.BLOCKED


def test_readiness_tells_what_the_region_lacks() -> None:
    target = side("west", AvailabilityZones=["west-a", "west-c"], VPCZoneIdentifier="subnet-1")
    few = replace(CHECKED, addresses=1)

    found = findings(view(target=target, checked=few))

    assert (
        found["instance-type"]
        == f"{Severity.WARNING}: m5.large is offered in west-a only, orders spans west-a, west-c."
    )
    assert found["addresses"].startswith(f"{Severity.RED}: the subnets of orders have 1 free addresses")


def test_processes_that_aws_itself_suspended_are_told() -> None:
    by_aws = {"ProcessName": "Launch", "SuspensionReason": "Suspended by AWS: repeated failures"}

    assert (
        "AWS itself suspended Launch" in findings(view(target=side("west", SuspendedProcesses=[by_aws])))["suspended"]
    )


def test_a_template_version_that_is_not_there_is_red() -> None:
    lost = replace(side("west"), versions=(), image=None)

    assert findings(view(target=lost))["template"].startswith(Severity.RED)
    assert steps(view("image-refresh", target=lost), Phase.INSTANTIATE)["template-version"].state is StepState.BLOCKED


def test_a_group_that_is_being_deleted_is_red() -> None:
    leaving = side("west", Status="Delete in progress")

    assert findings(view(target=leaving))["status"].startswith(Severity.RED)


def test_health_of_a_group_that_is_not_there_is_bad() -> None:
    seen = view()
    without = replace(seen, target=replace(seen.target, group=None))

    assert [check.state for check in ASG.health(without, run(Phase.ACTIVATE))] == ["unhealthy"]
    no_standby = replace(seen, source=replace(seen.source, group=None))
    assert "unhealthy" in {check.state for check in ASG.health(no_standby, run(Phase.REPLICATE))}
