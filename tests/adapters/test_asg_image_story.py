"""image-refresh: the standby starts from a copy of the image that production starts from."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.asg import (
    GROUP,
    SERVING,
    asg_world,
    dark_source,
    group,
    image_of,
    images_in_use,
    lives,
    manifest,
    scaling,
    template_names,
    with_a_mixed_policy,
)
from tests.support.driver import APPS, SOURCE, TARGET, World

REFRESH = "image-refresh"


def new_image(world: World, region: str) -> str:
    """Let production start from a new image; return its id."""
    made = world.aws("ec2", region).register_image(Name="orders-2.0", RootDeviceName="/dev/xvda")["ImageId"]
    template_names(world, region, ImageId=made)
    return str(made)


def copies(world: World, region: str) -> int:
    """Return how many images of a Region were copied from elsewhere."""
    found = world.aws("ec2", region).describe_images(Owners=["self"])["Images"]
    return sum("SourceImageId" in each for each in found)


def test_the_image_travels_with_production_and_comes_back_without_a_second_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch, REFRESH)
    original = image_of(world, SOURCE)["ImageId"]
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert (lives(world, here), lives(world, there)) == (SERVING, [])
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert image_of(world, SOURCE)["ImageId"] == original
    assert image_of(world, TARGET)["SourceImageId"] == original
    assert (copies(world, SOURCE), copies(world, TARGET)) == (0, 1)
    assert world.refusals() == []


def test_a_copy_carries_the_tags_of_the_image_and_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    origin = image_of(world, SOURCE)["ImageId"]
    kept = [{"Key": "team", "Value": "shop"}, {"Key": "dr:execution-id", "Value": "an-earlier-run"}]
    world.aws("ec2", SOURCE).create_tags(Resources=[origin], Tags=kept)

    run = world.start()
    run.phase(Phase.INSTANTIATE)

    image = image_of(world, TARGET)
    assert {each["Key"]: each["Value"] for each in image["Tags"]} == {"team": "shop", "dr:execution-id": run.run_id}
    assert image["Name"].startswith(f"orders-{origin}-")


def test_a_new_image_that_production_got_meanwhile_travels_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    there = world.start()
    there.all()
    there.end()
    newer = new_image(world, TARGET)

    back = world.start(Operation.FAILBACK)
    ended = back.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert image_of(world, SOURCE)["SourceImageId"] == newer
    assert images_in_use(world, SOURCE) == {image_of(world, SOURCE)["ImageId"]}


def test_an_image_made_on_the_target_side_during_the_run_is_replicated_to_the_old_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch, REFRESH)
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        assert run.phase(phase).outcome is Outcome.SUCCEEDED
    newer = new_image(world, TARGET)

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert image_of(world, SOURCE)["SourceImageId"] == newer


def test_instances_that_run_already_are_replaced_warm_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, target_min=1, target_desired=1, warm_pool=2)

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    copied = image_of(world, TARGET)["ImageId"]
    assert (images_in_use(world, TARGET), lives(world, TARGET)) == ({copied}, ["InService"])
    warm = scaling(world).describe_warm_pool(**GROUP)["Instances"]
    assert {each["LaunchTemplate"]["Version"] for each in warm} == {"2"}


@pytest.mark.parametrize(
    ("version", "last"), [("1", "UpdateAutoScalingGroup"), ("$Latest", "CreateLaunchTemplateVersion")]
)
def test_each_way_to_follow_a_template_gets_the_new_version(
    monkeypatch: pytest.MonkeyPatch, version: str, last: str
) -> None:
    world = asg_world(monkeypatch, REFRESH, template_version=version)
    run = world.start()
    foreseen = run.previewed_calls(Phase.INSTANTIATE)

    run.phase(Phase.INSTANTIATE)

    assert run.made(Phase.INSTANTIATE) == foreseen
    assert run.made(Phase.INSTANTIATE)[-1] == last
    assert image_of(world, TARGET)["SourceImageId"] == image_of(world, SOURCE)["ImageId"]
    assert world.refusals() == []


@pytest.mark.parametrize("version", ["1", "$Default"])
def test_rollback_of_instantiate_goes_back_to_the_version_before(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    world = asg_world(monkeypatch, REFRESH, template_version=version, target_min=1, target_desired=1)
    before = image_of(world, TARGET)["ImageId"]
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    action = run.rollback(Phase.INSTANTIATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert image_of(world, TARGET)["ImageId"] == before
    assert images_in_use(world, TARGET) == {before}
    assert world.refusals() == []


def test_rollback_of_a_group_on_latest_says_why_its_version_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, template_version="$Latest")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    action = run.rollback(Phase.INSTANTIATE)

    assert action.outcome in {Outcome.ROLLED_BACK, Outcome.SKIPPED}
    assert "version 2 stays" in " ".join(step.reason for step in action.steps)


def test_a_failed_copy_fails_the_action_and_a_retry_makes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    run = world.start()
    world.fault(effect="fail", kind="ec2.copy-image")
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "is failed" in action.detail
    assert action.remedy
    world.repair()
    world.wait(1)

    action = run.retry(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    found = world.aws("ec2", TARGET).describe_images(Owners=["self"])["Images"]
    names = sorted(str(each["Name"]) for each in found if "SourceImageId" in each)
    assert len(set(names)) == 2, "a second copy has a name of its own"


def test_a_failed_refresh_fails_the_action_and_a_retry_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, target_min=1, target_desired=1)
    run = world.start()
    world.fault(effect="fail", kind="autoscaling.instance-refresh")
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "instance-refresh: is Failed: The instance refresh failed for an internal reason" in action.detail
    world.repair()
    world.wait(1)

    action = run.retry(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert images_in_use(world, TARGET) == {image_of(world, TARGET)["ImageId"]}


def test_a_cancelled_refresh_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, target_min=1, target_desired=1)
    run = world.start()
    run.until(Phase.INSTANTIATE, "instance-refresh")
    scaling(world).cancel_instance_refresh(**GROUP)

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "Cancelled" in action.detail


def test_a_copy_that_is_under_way_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    origin = image_of(world, SOURCE)["ImageId"]
    by_hand = world.aws("ec2", TARGET).copy_image(SourceImageId=origin, SourceRegion=SOURCE, Name="by-hand")["ImageId"]

    run = world.start()
    run.phase(Phase.INSTANTIATE)

    assert "CopyImage" not in run.made()
    assert image_of(world, TARGET)["ImageId"] == by_hand


def test_an_encrypted_image_is_copied_under_the_key_that_the_manifest_names(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, encrypted_image=True)
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]["Arn"]

    run = world.start(**manifest(world, imageKeys={TARGET: key}))
    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    (copied,) = (call for call in world.calls() if call.operation == "CopyImage" and not call.error)
    assert (copied.params["Encrypted"], copied.params["KmsKeyId"]) == (True, key)
    assert image_of(world, TARGET)["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    assert world.refusals() == []


def test_a_key_that_is_disabled_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH, encrypted_image=True)
    kms = world.aws("kms", TARGET)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=key.rpartition("/")[2])

    run = world.start(**manifest(world, imageKeys={TARGET: key}))

    assert not run.ready
    assert "is Disabled, expected Enabled" in run.findings["kms-key"]


def test_emergency_copies_nothing_and_says_that_the_image_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    production = image_of(world, SOURCE)["ImageId"]
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert f"no copy of {production}" in run.findings["older-image"]
    assert {action.outcome for action in run.all().values()} == {Outcome.SUCCEEDED}
    assert run.made() == ["ResumeProcesses", "UpdateAutoScalingGroup"]
    assert lives(world, TARGET) == SERVING


def test_emergency_with_the_copied_image_finds_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    steady = world.start(Phases=["INSTANTIATE"])
    steady.all()
    steady.end()
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "older-image" not in run.findings


def test_an_image_missing_on_the_target_side_is_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    template_names(world, TARGET, ImageId="ami-0123456789abcdef0")

    run = world.start()

    assert run.ready, run.findings
    assert "INSTANTIATE brings one" in run.findings["image"]
    assert {action.outcome for action in run.all().values()} == {Outcome.SUCCEEDED}
    assert lives(world, TARGET) == SERVING


def from_a_parameter(world: World) -> None:
    template_names(world, TARGET, ImageId="resolve:ssm:/golden/orders")


def numbered_mix(world: World) -> None:
    with_a_mixed_policy(world, TARGET, version="1")


def mixed_templates(world: World) -> None:
    spec: dict[str, Any] = {"LaunchTemplateId": group(world)["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"}
    with_a_mixed_policy(world, TARGET, LaunchTemplateSpecification=spec)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (from_a_parameter, "takes its image from an SSM parameter"),
        (numbered_mix, "names a version number"),
        (mixed_templates, "names templates per instance type"),
    ],
)
def test_groups_whose_image_is_somebody_elses_affair_are_red(
    monkeypatch: pytest.MonkeyPatch, spoil: Any, told: str
) -> None:
    world = asg_world(monkeypatch, REFRESH)
    spoil(world)

    run = world.start()

    assert not run.ready
    assert told in run.findings["image-refresh"]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert told in action.detail
    assert copies(world, TARGET) == 0


def test_a_source_image_that_cannot_be_read_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    template_names(world, SOURCE, ImageId="ami-0123456789abcdef0")

    run = world.start()

    assert not run.ready
    assert "cannot be read" in run.findings["source-image"]
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.FAILED


def test_a_mixed_policy_on_the_default_version_works(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, REFRESH)
    with_a_mixed_policy(world, TARGET)

    run = world.start()
    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made(Phase.INSTANTIATE)[-1] == "ModifyLaunchTemplate"
    assert APPS in group(world)["AutoScalingGroupARN"]
