"""What readiness finds of the things DRS launches with in the target Region: templates, subnets, keys, vCPUs."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.service_quotas import ServiceQuotasService
from tests.adapters.test_drs_story import drs_state, servers
from tests.support.driver import APPS, SOURCE, TARGET, World


def template_of(world: World, number: int = 0) -> str:
    """Return the launch template of a source server."""
    found = world.aws("drs", TARGET).describe_source_servers(filters={})["items"][number]["sourceServerID"]
    return str(world.aws("drs", TARGET).get_launch_configuration(sourceServerID=found)["ec2LaunchTemplateID"])


def launches_with(world: World, **data: Any) -> None:
    """Give the first server's launch template another default version."""
    ec2, template = world.aws("ec2", TARGET), template_of(world)
    made = ec2.create_launch_template_version(LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData=data)
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=version)


def into(**interface: Any) -> dict[str, Any]:
    return {"NetworkInterfaces": [{"DeviceIndex": 0, **interface}]}


def without_its_template(world: World) -> None:
    world.aws("ec2", TARGET).delete_launch_template(LaunchTemplateId=template_of(world))


def into_a_subnet_that_is_gone(world: World) -> None:
    launches_with(world, **into(SubnetId="subnet-0123456789abcdef0"))


def behind_a_group_that_is_gone(world: World) -> None:
    launches_with(world, **into(Groups=["sg-0123456789abcdef0"]))


def with_a_key_that_leaves(world: World) -> None:
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]["Arn"]
    for server in drs_state(world, TARGET).servers.values():
        server.replication["ebsEncryptionKeyArn"] = key
    world.aws("kms", TARGET).schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def with_a_small_quota(world: World) -> None:
    quotas = world.local.service("service-quotas")
    assert isinstance(quotas, ServiceQuotasService)
    quotas.override(APPS, TARGET, "ec2", "L-1216C47A", 3)


def staged_in(world: World, subnet: str) -> None:
    for server in drs_state(world, TARGET).servers.values():
        server.replication["stagingAreaSubnetId"] = subnet


def staged_in_a_subnet_that_is_gone(world: World) -> None:
    staged_in(world, "subnet-0fedcba9876543210")


def staged_in_a_subnet_of_the_other_region(world: World) -> None:
    staged_in(world, world.aws("ec2", SOURCE).describe_subnets()["Subnets"][0]["SubnetId"])


def a_small_subnet(world: World, left: int) -> str:
    """Make a subnet in which so many addresses are free."""
    ec2 = world.aws("ec2", TARGET)
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.99.1.0/28")["Subnet"]
    for _ in range(subnet["AvailableIpAddressCount"] - left):
        ec2.create_network_interface(SubnetId=subnet["SubnetId"])
    return str(subnet["SubnetId"])


def staged_in_a_full_subnet(world: World) -> None:
    staged_in(world, a_small_subnet(world, 0))


TROUBLES = [
    (staged_in_a_subnet_that_is_gone, "staging-subnet", "subnet-0fedcba9876543210 of s-", "--staging-area-subnet-id"),
    (staged_in_a_subnet_of_the_other_region, "staging-subnet", "is not there in us-west-2", "update-replication"),
    (staged_in_a_full_subnet, "staging-addresses", "has 0 free addresses, 2 servers use it", "free some"),
    (without_its_template, "launch-template", "is not there in us-west-2", "get-launch-configuration"),
    (into_a_subnet_that_is_gone, "launch-template", "subnet subnet-0123456789abcdef0 of the launch", "correct its"),
    (behind_a_group_that_is_gone, "launch-template", "security group sg-0123456789abcdef0 of", "correct its"),
    (with_a_key_that_leaves, "kms-key", "is PendingDeletion, expected Enabled", "cancel-key-deletion"),
    (
        with_a_small_quota,
        "quota",
        "2 servers need 4 vCPUs of standard instances, the quota of us-west-2 is 3",
        "L-1216C47A",
    ),
]


@pytest.mark.parametrize(("deed", "code", "words", "remedy"), TROUBLES)
def test_whatever_a_launch_would_miss_is_red_before_anything_moves(
    monkeypatch: pytest.MonkeyPatch, deed: Any, code: str, words: str, remedy: str
) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    deed(world)

    run = world.start()

    assert not run.ready
    found = next(each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert world.refusals() == []


def test_a_staging_area_with_few_addresses_is_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    staged_in(world, a_small_subnet(world, 1))

    run = world.start()

    assert run.ready, run.findings
    assert "has 1 free addresses, 2 servers use it" in run.findings["staging-addresses"]


def test_servers_that_are_launched_take_what_running_instances_leave_of_the_quota(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a quota of six vCPUs, and two instances of two vCPUs each that run there
    world = servers(monkeypatch, "web-1", "web-2")
    quotas = world.local.service("service-quotas")
    assert isinstance(quotas, ServiceQuotasService)
    quotas.override(APPS, TARGET, "ec2", "L-1216C47A", 6)
    world.aws("ec2", TARGET).run_instances(ImageId="ami-12c6146b", InstanceType="t3.medium", MinCount=2, MaxCount=2)

    run = world.start()

    assert not run.ready
    assert (
        "2 servers need 4 vCPUs of standard instances, the quota of us-west-2 is 6, 4 of it in use"
        in run.findings["quota"]
    )


def test_an_emergency_tells_the_same_of_the_target_region_and_asks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    into_a_subnet_that_is_gone(world)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "launch-template" in run.findings
    assert {call.region for call in world.calls()} == {TARGET}
