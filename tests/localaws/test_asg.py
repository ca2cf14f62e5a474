"""Auto Scaling groups in the embedded AWS: instances come and go over time, and say why not."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.resource_explorer_2.collect import collect
from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Workbench, open_workbench, refused

NAME = "orders"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def group(bench: Workbench, region: str = TARGET) -> dict[str, Any]:
    found = bench.client("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])
    return dict(found["AutoScalingGroups"][0])


def lives(bench: Workbench, region: str = TARGET) -> list[str]:
    return sorted(str(instance["LifecycleState"]) for instance in group(bench, region)["Instances"])


def activities(bench: Workbench, region: str = TARGET) -> list[dict[str, Any]]:
    reply = bench.client("autoscaling", region).describe_scaling_activities(AutoScalingGroupName=NAME)
    return list(reply["Activities"])


def resize(bench: Workbench, region: str, least: int, most: int, desired: int) -> None:
    bench.client("autoscaling", region).update_auto_scaling_group(
        AutoScalingGroupName=NAME, MinSize=least, MaxSize=most, DesiredCapacity=desired
    )


def health(bench: Workbench, region: str = TARGET) -> list[str]:
    arn = group(bench, region)["TargetGroupARNs"][0]
    reply = bench.client("elbv2", region).describe_target_health(TargetGroupArn=arn)
    return sorted(str(one["TargetHealth"]["State"]) for one in reply["TargetHealthDescriptions"])


def warm(bench: Workbench) -> list[str]:
    reply = bench.client("autoscaling", TARGET).describe_warm_pool(AutoScalingGroupName=NAME)
    return [str(instance["LifecycleState"]) for instance in reply["Instances"]]


def test_the_standby_group_grows_over_time_into_both_zones_and_its_load_balancer(bench: Workbench) -> None:
    bench.seed("asg")
    assert (lives(bench, SOURCE), health(bench, SOURCE)) == (["InService"] * 2, ["initial"] * 2)

    resize(bench, TARGET, 2, 4, 3)

    assert bench.watch(lambda: lives(bench), minutes=3) == [["Pending"] * 3, ["InService"] * 3]
    assert health(bench) == ["healthy"] * 3
    assert len({instance["AvailabilityZone"] for instance in group(bench)["Instances"]}) == 2
    launched = activities(bench)
    assert [a["StatusCode"] for a in launched] == ["Successful"] * 3
    assert "Launching a new EC2 instance: i-" in launched[0]["Description"]


def test_the_quiesced_group_drains_and_ends_all_but_protected_instances(bench: Workbench) -> None:
    bench.seed("asg", protected=True)
    ids = [instance["InstanceId"] for instance in group(bench, SOURCE)["Instances"]]
    autoscaling = bench.client("autoscaling", SOURCE)
    autoscaling.set_instance_protection(AutoScalingGroupName=NAME, InstanceIds=ids[:1], ProtectedFromScaleIn=False)

    resize(bench, SOURCE, 0, 4, 0)
    assert bench.watch(lambda: lives(bench, SOURCE), minutes=3) == [["InService", "Terminating"], ["InService"]]

    autoscaling.set_instance_protection(AutoScalingGroupName=NAME, InstanceIds=ids[1:], ProtectedFromScaleIn=False)
    bench.wait(2)
    assert lives(bench, SOURCE) == []
    reply = bench.client("ec2", SOURCE).describe_instances(InstanceIds=ids)
    states = [i["State"]["Name"] for r in reply["Reservations"] for i in r["Instances"]]
    assert states == ["terminated"] * 2


def test_a_region_without_capacity_fails_activities_until_there_is_some(bench: Workbench) -> None:
    bench.seed("asg")
    bench.make("fail", "autoscaling.launch-instance")
    resize(bench, TARGET, 1, 4, 1)
    bench.wait(2)
    newest = activities(bench)[0]
    assert (newest["StatusCode"], lives(bench)) == ("Failed", [])
    assert "sufficient t3.medium capacity" in newest["StatusMessage"]

    bench.repair()
    bench.wait(6)
    assert lives(bench) == ["InService"]
    assert activities(bench)[0]["StatusCode"] == "Successful"


def test_an_image_that_does_not_exist_fails_at_once(bench: Workbench) -> None:
    bench.seed("asg")
    ec2 = bench.client("ec2", TARGET)
    ec2.create_launch_template_version(
        LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-0123456789abcdef0"}
    )
    ec2.modify_launch_template(LaunchTemplateName=NAME, DefaultVersion="2")
    resize(bench, TARGET, 1, 4, 1)
    bench.wait(0.1)
    assert "does not exist" in activities(bench)[0]["StatusMessage"]


@pytest.mark.parametrize(("process", "region", "stays"), [("Launch", TARGET, 0), ("Terminate", SOURCE, 2)])
def test_a_suspended_process_does_nothing_until_it_is_resumed(
    bench: Workbench, process: str, region: str, stays: int
) -> None:
    bench.seed("asg")
    autoscaling = bench.client("autoscaling", region)
    autoscaling.suspend_processes(AutoScalingGroupName=NAME, ScalingProcesses=[process])
    wanted = 2 if region == TARGET else 0
    resize(bench, region, wanted, 4, wanted)
    bench.wait(5)
    assert lives(bench, region) == ["InService"] * stays

    autoscaling.resume_processes(AutoScalingGroupName=NAME)
    bench.wait(3)
    assert lives(bench, region) == ["InService"] * wanted


def test_warm_instances_start_first_and_the_pool_fills_again(bench: Workbench) -> None:
    bench.seed("asg", warm_pool=2)
    assert warm(bench) == ["Warmed:Stopped"] * 2
    assert group(bench)["WarmPoolSize"] == 2

    resize(bench, TARGET, 0, 4, 1)
    bench.wait(0.75)

    assert lives(bench) == ["InService"]
    assert "from warm pool" in next(a["Description"] for a in activities(bench) if "into" not in a["Description"])
    bench.wait(5)
    assert warm(bench) == ["Warmed:Stopped"] * 2


def test_a_new_warm_pool_is_warmed_over_time_and_deleted_with_its_instances(bench: Workbench) -> None:
    bench.seed("asg")
    autoscaling = bench.client("autoscaling", TARGET)
    autoscaling.put_warm_pool(AutoScalingGroupName=NAME, MinSize=1, MaxGroupPreparedCapacity=1, PoolState="Stopped")
    assert bench.watch(lambda: warm(bench), minutes=4) == [["Warmed:Pending"], ["Warmed:Stopped"]]
    autoscaling.delete_warm_pool(AutoScalingGroupName=NAME)
    bench.wait(1)
    assert warm(bench) == []


def test_an_image_copied_from_the_other_region_reaches_the_instances_by_a_refresh(bench: Workbench) -> None:
    bench.seed("asg", target_desired=2, target_min=2)
    images = bench.client("ec2", SOURCE).describe_images(Filters=[{"Name": "name", "Values": ["orders-1.0"]}])
    ec2 = bench.client("ec2", TARGET)
    asked = {
        "SourceImageId": images["Images"][0]["ImageId"],
        "SourceRegion": SOURCE,
        "Name": "orders-1.0-run",
        "ClientToken": "run-1",
    }
    image = ec2.copy_image(**asked)["ImageId"]
    assert ec2.copy_image(**asked)["ImageId"] == image

    def state() -> str:
        return str(ec2.describe_images(ImageIds=[image])["Images"][0]["State"])

    assert bench.watch(state, minutes=11, step_seconds=30) == ["pending", "available"]
    ec2.create_launch_template_version(
        LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData={"ImageId": image}
    )
    autoscaling = bench.client("autoscaling", TARGET)
    template = {"LaunchTemplateName": NAME, "Version": "2"}
    autoscaling.start_instance_refresh(
        AutoScalingGroupName=NAME, DesiredConfiguration={"LaunchTemplate": template}, Preferences={"SkipMatching": True}
    )
    with refused("InstanceRefreshInProgress"):
        autoscaling.start_instance_refresh(AutoScalingGroupName=NAME)
    with refused("InstanceRefreshInProgress"):
        autoscaling.put_warm_pool(AutoScalingGroupName=NAME, MinSize=1)

    def status() -> str:
        refreshes = autoscaling.describe_instance_refreshes(AutoScalingGroupName=NAME)["InstanceRefreshes"]
        return str(refreshes[0]["Status"])

    assert bench.watch(status, minutes=10) == ["Pending", "InProgress", "Successful"]
    versions = [instance["LaunchTemplate"]["Version"] for instance in group(bench)["Instances"]]
    assert versions == ["2", "2"]
    used = ec2.describe_instances(InstanceIds=[i["InstanceId"] for i in group(bench)["Instances"]])
    assert {i["ImageId"] for r in used["Reservations"] for i in r["Instances"]} == {image}


def test_a_copied_image_tells_what_it_was_copied_from_and_is_found_by_it(bench: Workbench) -> None:
    bench.seed("asg", encrypted_image=True)
    origin = bench.client("ec2", SOURCE).describe_images(Owners=["self"])["Images"][0]
    ec2 = bench.client("ec2", TARGET)
    copy = ec2.copy_image(SourceImageId=origin["ImageId"], SourceRegion=SOURCE, Name="copy")["ImageId"]

    def found(**wanted: str) -> list[str]:
        filters = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in wanted.items()]
        return [str(each["ImageId"]) for each in ec2.describe_images(Filters=filters)["Images"]]

    assert found(source_image_id=origin["ImageId"], name="copy") == [copy]
    assert found(source_image_region=TARGET) == []
    image = ec2.describe_images(ImageIds=[copy])["Images"][0]
    assert (image["SourceImageId"], image["SourceImageRegion"]) == (origin["ImageId"], SOURCE)
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], "no copy of an encrypted image is plain"
    assert "SourceImageId" not in origin


def test_a_key_for_a_copy_needs_encryption_to_be_asked_for(bench: Workbench) -> None:
    bench.seed("asg")
    origin = bench.client("ec2", SOURCE).describe_images(Owners=["self"])["Images"][0]["ImageId"]
    asked = {"SourceImageId": origin, "SourceRegion": SOURCE, "Name": "copy", "KmsKeyId": "alias/mine"}
    with refused("InvalidParameterCombination"):
        bench.client("ec2", TARGET).copy_image(**asked)


def test_a_refresh_replaces_the_instances_of_the_warm_pool_too(bench: Workbench) -> None:
    bench.seed("asg", warm_pool=2)
    bench.client("ec2", TARGET).create_launch_template_version(
        LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.large"}
    )
    bench.client("ec2", TARGET).modify_launch_template(LaunchTemplateName=NAME, DefaultVersion="2")
    autoscaling = bench.client("autoscaling", TARGET)

    def versions() -> list[str]:
        reply = autoscaling.describe_warm_pool(AutoScalingGroupName=NAME)
        return [str(instance["LaunchTemplate"]["Version"]) for instance in reply["Instances"]]

    assert versions() == ["1", "1"]
    autoscaling.start_instance_refresh(AutoScalingGroupName=NAME, Preferences={"SkipMatching": True})
    bench.wait(10)
    assert (versions(), warm(bench)) == (["2", "2"], ["Warmed:Stopped"] * 2)
    found = autoscaling.describe_instance_refreshes(AutoScalingGroupName=NAME, MaxRecords=1)["InstanceRefreshes"]
    assert [each["Status"] for each in found] == ["Successful"]


def test_the_group_stands_behind_a_load_balancer_that_listens(bench: Workbench) -> None:
    bench.seed("asg", port=8080)
    elbv2 = bench.client("elbv2", TARGET)
    (target_group,) = elbv2.describe_target_groups(TargetGroupArns=group(bench)["TargetGroupARNs"])["TargetGroups"]
    (balancer,) = target_group["LoadBalancerArns"]
    assert [each["Port"] for each in elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]] == [8080]


def test_no_image_is_copied_out_of_a_dark_region(bench: Workbench) -> None:
    bench.seed("asg")
    image = bench.client("ec2", SOURCE).describe_images(Owners=["self"])["Images"][0]["ImageId"]
    bench.darken(SOURCE)
    with refused("Unavailable"):
        bench.client("ec2", TARGET).copy_image(SourceImageId=image, SourceRegion=SOURCE, Name="late")


def test_sizes_names_and_deletion_are_checked_as_aws_checks_them(bench: Workbench) -> None:
    bench.seed("asg", deletion_protection="prevent-all-deletion")
    autoscaling = bench.client("autoscaling", TARGET)
    with refused("ValidationError"):
        resize(bench, TARGET, 5, 4, 4)
    with refused("ValidationError"):
        resize(bench, TARGET, 0, 4, 5)
    with refused("ValidationError"):
        autoscaling.resume_processes(AutoScalingGroupName="unknown")
    assert group(bench)["DeletionProtection"] == "prevent-all-deletion"
    with refused("ValidationError"):
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=NAME, DeletionProtection="none", MinSize=1)
    assert group(bench)["DesiredCapacity"] == 1
    with refused("ResourceInUse"):
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
    bench.wait(3)
    assert autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    limits = autoscaling.describe_account_limits()
    assert (limits["MaxNumberOfAutoScalingGroups"], limits["NumberOfAutoScalingGroups"]) == (500, 0)


def test_an_instance_that_ends_by_itself_is_replaced(bench: Workbench) -> None:
    bench.seed("asg", desired=1)
    lost = group(bench, SOURCE)["Instances"][0]["InstanceId"]
    bench.client("ec2", SOURCE).terminate_instances(InstanceIds=[lost])
    bench.wait(2)
    found = group(bench, SOURCE)["Instances"]
    assert [i["LifecycleState"] for i in found] == ["InService"]
    assert found[0]["InstanceId"] != lost


def test_search_finds_the_groups_with_their_tags(bench: Workbench) -> None:
    bench.seed("asg")
    for region in (SOURCE, TARGET):
        found = [r for r in collect(bench.local, ACCOUNT, region) if r.type == "autoscaling:autoScalingGroup"]
        assert [(r.arn.rpartition("/")[2], r.tags["Customer"]) for r in found] == [(NAME, "CustomerX")]
