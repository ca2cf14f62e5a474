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


TROUBLES = [
    (without_its_template, "launch-template", "is not there in us-west-2", "get-launch-configuration"),
    (into_a_subnet_that_is_gone, "launch-template", "subnet subnet-0123456789abcdef0 of the launch", "correct its"),
    (behind_a_group_that_is_gone, "launch-template", "security group sg-0123456789abcdef0 of", "correct its"),
    (with_a_key_that_leaves, "kms-key", "is PendingDeletion, expected Enabled", "cancel-key-deletion"),
    (with_a_small_quota, "quota", "2 servers need 4 vCPUs, the quota of us-west-2 is 3", "L-1216C47A"),
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


def test_an_emergency_tells_the_same_of_the_target_region_and_asks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    into_a_subnet_that_is_gone(world)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "launch-template" in run.findings
    assert {call.region for call in world.calls()} == {TARGET}
