"""What readiness says of Auto Scaling groups, asked of real replies."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.service_quotas import ServiceQuotasService
from orchestrator.words import Operation, Outcome, Phase
from tests.support.asg import (
    GROUP,
    NAME,
    asg_world,
    dark_source,
    group,
    lives,
    resize,
    scaling,
    template_names,
    with_a_mixed_policy,
)
from tests.support.driver import APPS, SOURCE, TARGET, World


def quota(world: World, value: float) -> None:
    service = world.local.service("service-quotas")
    assert isinstance(service, ServiceQuotasService)
    service.override(APPS, TARGET, "ec2", "L-1216C47A", value)


def test_a_sound_group_has_nothing_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = asg_world(monkeypatch).start()

    assert run.ready
    assert run.findings == {"ready": "orders can be scaled to 2."}


def test_a_group_with_a_launch_configuration_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = asg_world(monkeypatch, launch_configuration=True).start()

    assert not run.ready
    assert "expected a launch template" in run.findings["launch-configuration"]


def test_a_group_with_a_launch_configuration_still_moves_in_an_emergency(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, launch_configuration=True)
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "launch-configuration" in run.findings
    assert {action.outcome for action in run.all().values()} == {Outcome.SUCCEEDED}


def test_a_production_size_of_zero_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    resize(world, SOURCE, 0, 4, 0)

    run = world.start()

    assert not run.ready
    assert "nothing would run" in run.findings["size"]


def test_an_instance_in_standby_is_red_in_a_planned_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    idle = group(world, SOURCE)["Instances"][0]["InstanceId"]
    scaling(world, SOURCE).enter_standby(**GROUP, InstanceIds=[idle], ShouldDecrementDesiredCapacity=True)

    run = world.start()

    assert not run.ready
    assert idle in run.findings["standby"]


def test_an_image_that_is_not_there_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    template_names(world, TARGET, ImageId="ami-0123456789abcdef0")

    run = world.start()

    assert not run.ready
    assert "ami-0123456789abcdef0 does not exist in us-west-2" in run.findings["image"]


def test_an_image_that_is_still_copied_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    mine = world.aws("ec2", SOURCE).describe_images(Owners=["self"])["Images"][0]["ImageId"]
    made = world.aws("ec2", TARGET).copy_image(SourceImageId=mine, SourceRegion=SOURCE, Name="late")["ImageId"]
    template_names(world, TARGET, ImageId=made)

    run = world.start()

    assert "is pending, expected available" in run.findings["image"]


def test_an_image_from_a_parameter_is_looked_for_by_what_the_parameter_says(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    (image,) = world.aws("ec2", TARGET).describe_images(Owners=["self"])["Images"]
    golden(world, image["ImageId"])

    run = world.start()

    assert run.ready
    assert set(run.findings) == {"ready"}
    assert world.refusals() == []


def golden(world: World, image: str | None) -> None:
    """Let the target side's template take its image from a parameter, which says `image`, or is not there."""
    if image is not None:
        world.aws("ssm", TARGET).put_parameter(Name="/golden/orders", Value=image, Type="String")
    template_names(world, TARGET, ImageId="resolve:ssm:/golden/orders")


def a_profile_that_is_not_there(world: World) -> None:
    template_names(world, TARGET, IamInstanceProfile={"Name": "gone"})


def a_profile_without_a_role(world: World) -> None:
    arn = world.aws("iam", TARGET).create_instance_profile(InstanceProfileName="bare")["InstanceProfile"]["Arn"]
    template_names(world, TARGET, IamInstanceProfile={"Arn": arn})


def a_volume_key_that_is_disabled(world: World) -> None:
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]["Arn"]
    world.aws("kms", TARGET).disable_key(KeyId=key)
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "Encrypted": True, "KmsKeyId": key}}
    template_names(world, TARGET, BlockDeviceMappings=[disk])


def reserve(world: World, count: int, kind: str = "t3.medium") -> str:
    ec2 = world.aws("ec2", TARGET)
    asked = {"InstanceType": kind, "InstancePlatform": "Linux/UNIX", "AvailabilityZone": f"{TARGET}a"}
    made = ec2.create_capacity_reservation(**asked, InstanceCount=count)["CapacityReservation"]
    target = {"CapacityReservationId": made["CapacityReservationId"]}
    template_names(world, TARGET, CapacityReservationSpecification={"CapacityReservationTarget": target})
    return str(target["CapacityReservationId"])


def a_reservation_that_was_cancelled(world: World) -> None:
    world.aws("ec2", TARGET).cancel_capacity_reservation(CapacityReservationId=reserve(world, 4))


def a_target_group_that_is_gone(world: World) -> None:
    elb = world.aws("elbv2", TARGET)
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    (group,) = elb.describe_target_groups()["TargetGroups"]
    elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def https_with_a_certificate_that_is_not_issued(world: World) -> None:
    elb = world.aws("elbv2", TARGET)
    (balancer,), (group,) = elb.describe_load_balancers()["LoadBalancers"], elb.describe_target_groups()["TargetGroups"]
    arn = world.aws("acm", TARGET).request_certificate(DomainName="orders.example.com")["CertificateArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )


@pytest.mark.parametrize(
    ("deed", "code", "words", "remedy"),
    [
        (lambda w: golden(w, None), "image", "/golden/orders does not exist in us-west-2", "put-parameter"),
        (lambda w: golden(w, "ami-0123456789abcdef0"), "image", "is not there, expected available", "copy the image"),
        (a_profile_that_is_not_there, "profile", "instance profile gone does not exist", "create-instance-profile"),
        (a_profile_without_a_role, "profile", "instance profile bare has no role", "add-role-to-instance-profile"),
        (a_volume_key_that_is_disabled, "kms-key", "of the template's volumes is Disabled", "aws kms enable-key"),
        (a_reservation_that_was_cancelled, "reservation", "is cancelled, expected active", "describe-capacity"),
        (lambda w: reserve(w, 1), "reservation", "has 1 t3.medium left, 2 t3.medium are", "describe-capacity"),
        (lambda w: reserve(w, 9, "m5.large"), "reservation", "has 9 m5.large left", "name one that fits"),
        (a_target_group_that_is_gone, "target-group", "does not exist in us-west-2", "make it"),
        (https_with_a_certificate_that_is_not_issued, "certificate", "is PENDING_VALIDATION", "request-certificate"),
    ],
)
def test_whatever_instances_would_miss_in_the_target_region_is_red_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, deed: Any, code: str, words: str, remedy: str
) -> None:
    world = asg_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    (found,) = (each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert world.refusals() == []


def test_an_emergency_asks_for_no_instance_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a profile that is gone, of which only IAM could tell, whose control plane may be what is lost
    world = asg_world(monkeypatch)
    a_profile_that_is_not_there(world)
    a_volume_key_that_is_disabled(world)
    dark_source(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "kms-key" in run.findings
    assert "profile" not in run.findings


def test_a_quota_too_small_for_production_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    quota(world, 2)

    run = world.start()

    assert not run.ready
    assert (
        "2 x t3.medium need 4 vCPUs of standard instances, the quota of us-west-2 is 2, 0 of it in use"
        in run.findings["quota"]
    )


def test_quotas_of_other_families_are_not_mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    quota(world, 2)
    template_names(world, TARGET, InstanceType="p3.2xlarge")

    assert "quota" not in world.start().findings


def without_the_key_pair(world: World) -> None:
    world.aws("ec2", TARGET).delete_key_pair(KeyName=NAME)


def without_the_security_group(world: World) -> None:
    template_names(world, TARGET, SecurityGroupIds=["sg-0123456789abcdef0"])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(without_the_key_pair, "the key pair orders"), (without_the_security_group, "sg-0123456789abcdef0")],
)
def test_what_the_template_names_and_the_region_lacks_is_red(
    monkeypatch: pytest.MonkeyPatch, spoil: Any, told: str
) -> None:
    world = asg_world(monkeypatch, key_pair=True)
    spoil(world)

    run = world.start()

    assert not run.ready
    assert told in run.findings["not-there"]


def test_an_instance_type_that_is_offered_nowhere_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    template_names(world, TARGET, InstanceType="t9.huge")

    run = world.start()

    assert not run.ready
    assert "offered in no zone" in run.findings["instance-type"]


def test_a_mixed_policy_is_not_judged_by_the_templates_own_type(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    template_names(world, TARGET, InstanceType="t9.huge")
    with_a_mixed_policy(world, TARGET)

    assert "instance-type" not in world.start().findings


def test_a_scheduled_action_that_will_undo_the_size_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    scaling(world).put_scheduled_update_group_action(
        **GROUP, ScheduledActionName="nightly", Recurrence="0 20 * * *", MinSize=0, DesiredCapacity=0
    )

    run = world.start()

    assert run.ready
    assert "nightly" in run.findings["scheduled-actions"]


def test_a_target_of_recovery_time_that_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    run = asg_world(monkeypatch, tags={"dr:rto-target": "2"}).start()

    assert run.ready
    assert "dr:rto-target is 2" in run.findings["rto"]


def test_no_room_for_a_drills_group_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    monkeypatch.setattr("localaws.services.autoscaling.responses.GROUPS_PER_REGION", 1)

    run = world.start(Operation.TEST)

    assert not run.ready
    assert "quota of Auto Scaling groups" in run.findings["groups"]


def test_a_refresh_under_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch, "image-refresh", target_min=1, target_desired=1)
    template_names(world, TARGET, InstanceType="t3.large")
    scaling(world).start_instance_refresh(**GROUP)

    assert "is under way" in world.start().findings["refreshing"]


def test_a_group_that_was_deleted_after_the_inventory_is_red_in_an_emergency(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    dark_source(world)
    scaling(world).delete_auto_scaling_group(**GROUP, ForceDelete=True)
    world.wait(5)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "there is no group orders in us-west-2" in run.findings["missing"]
    assert run.all()[Phase.ACTIVATE].outcome is Outcome.FAILED


def test_health_asks_instances_and_load_balancer_and_tells_where_clients_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    asked: list[tuple[str, int]] = []
    object.__setattr__(run.platform, "connect", lambda *args: asked.extend((e.host, e.port) for e in args[-1]) or [])

    run.phase(Phase.ACTIVATE)

    checks = {check.name: check.detail for check in run.stage(Phase.ACTIVATE).checks}
    assert checks == {"instances": "2 of 2 instances serve", "targets": "orders: healthy, healthy"}
    (balancer,) = world.aws("elbv2", TARGET).describe_load_balancers()["LoadBalancers"]
    assert set(asked) == {(balancer["DNSName"], 80)}
    assert len(lives(world, TARGET)) == 2


def test_sick_targets_hold_health_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    run = world.start()
    balancer = world.aws("elbv2", TARGET)
    arn = group(world)["TargetGroupARNs"][0]
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "scale-group")
    world.wait(3)
    for each in group(world)["Instances"]:
        balancer.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": each["InstanceId"]}])

    run.phase(Phase.ACTIVATE)

    (targets,) = (check for check in run.stage(Phase.ACTIVATE).checks if check.name == "targets")
    assert targets.state != "healthy"
