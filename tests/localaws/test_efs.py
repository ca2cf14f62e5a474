"""EFS replication in the embedded AWS: steady copies, failover with and without the source Region, the way back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from localaws.iam.calls import needs
from localaws.iam.resources import Where
from localaws.names import MotoNames
from localaws.resource_tags import tags_of
from localaws.services.resource_explorer_2.collect import collect
from tests.localaws.workbench import ACCOUNT, MINUTE, SOURCE, TARGET, Workbench, open_workbench, refused


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


@pytest.fixture
def pair(bench: Workbench) -> tuple[str, str]:
    """A file system on each side, replicating."""
    bench.seed("efs-replication", target_zones=0, access_point="/data")
    return file_system(bench, SOURCE), file_system(bench, TARGET)


def file_system(bench: Workbench, region: str) -> str:
    found = bench.client("efs", region).describe_file_systems()["FileSystems"]
    return str(found[0]["FileSystemId"])


def destination(bench: Workbench, region: str, file_system_id: str) -> dict[str, Any]:
    reply = bench.client("efs", region).describe_replication_configurations(FileSystemId=file_system_id)
    return dict(reply["Replications"][0]["Destinations"][0])


def protection(bench: Workbench, region: str, file_system_id: str) -> str:
    found = bench.client("efs", region).describe_file_systems(FileSystemId=file_system_id)["FileSystems"][0]
    return str(found["FileSystemProtection"]["ReplicationOverwriteProtection"])


def last_sync(bench: Workbench, pair: tuple[str, str]) -> datetime:
    synced: datetime = destination(bench, TARGET, pair[1])["LastReplicatedTimestamp"]
    return synced


def test_replication_is_seen_from_both_sides_and_catches_up_every_quarter_of_an_hour(
    bench: Workbench, pair: tuple[str, str]
) -> None:
    source, target = pair
    assert destination(bench, SOURCE, source)["Status"] == destination(bench, TARGET, target)["Status"] == "ENABLED"
    assert (protection(bench, SOURCE, source), protection(bench, TARGET, target)) == ("ENABLED", "REPLICATING")

    bench.wait(14)
    fenced_at = bench.clock.now()
    assert bench.metric(SOURCE, "AWS/EFS", "TimeSinceLastSync", FileSystemId=source) == 14 * MINUTE
    assert bench.metric(TARGET, "AWS/EFS", "TimeSinceLastSync", FileSystemId=source) is None
    bench.wait(2.5)
    assert last_sync(bench, pair) > fenced_at


def test_planned_failover_makes_the_replica_writable_on_its_side(bench: Workbench, pair: tuple[str, str]) -> None:
    source, target = pair
    efs = bench.client("efs", TARGET)

    efs.delete_replication_configuration(SourceFileSystemId=source)

    assert bench.watch(lambda: protection(bench, TARGET, target), minutes=3) == ["REPLICATING", "ENABLED"]
    for region, file_system_id in ((SOURCE, source), (TARGET, target)):
        with refused("ReplicationNotFound"):
            bench.client("efs", region).describe_replication_configurations(FileSystemId=file_system_id)
    with refused("ReplicationNotFound"):
        efs.delete_replication_configuration(SourceFileSystemId=source)


def test_with_the_source_region_dark_only_the_local_deletion_ends(bench: Workbench, pair: tuple[str, str]) -> None:
    source, target = pair
    efs = bench.client("efs", TARGET)
    bench.wait(20)
    before = last_sync(bench, pair)
    bench.darken(SOURCE)
    bench.wait(40)
    assert last_sync(bench, pair) == before

    efs.delete_replication_configuration(SourceFileSystemId=source)
    bench.wait(10)
    assert destination(bench, TARGET, target)["Status"] == "DELETING"
    assert protection(bench, TARGET, target) == "REPLICATING"

    efs.delete_replication_configuration(SourceFileSystemId=source, DeletionMode="LOCAL_CONFIGURATION_ONLY")
    bench.wait(2)
    assert protection(bench, TARGET, target) == "ENABLED"
    with refused("ReplicationNotFound"):
        efs.describe_replication_configurations(FileSystemId=target)

    bench.repair()
    assert destination(bench, SOURCE, source)["Status"] == "ERROR"
    bench.client("efs", SOURCE).delete_replication_configuration(
        SourceFileSystemId=source, DeletionMode="LOCAL_CONFIGURATION_ONLY"
    )
    bench.wait(2)
    assert bench.client("efs", SOURCE).describe_replication_configurations()["Replications"] == []


def test_the_way_back_needs_an_unprotected_source_file_system(bench: Workbench, pair: tuple[str, str]) -> None:
    source, target = pair
    back = {"SourceFileSystemId": target, "Destinations": [{"FileSystemId": source, "Region": SOURCE}]}
    bench.client("efs", TARGET).delete_replication_configuration(SourceFileSystemId=source)
    bench.wait(3)
    with refused("BadRequest"):
        bench.client("efs", TARGET).create_replication_configuration(**back)

    reply = bench.client("efs", SOURCE).update_file_system_protection(
        FileSystemId=source, ReplicationOverwriteProtection="DISABLED"
    )
    assert reply["ReplicationOverwriteProtection"] == "DISABLED"
    made = bench.client("efs", TARGET).create_replication_configuration(**back)

    assert made["Destinations"][0]["Status"] == "ENABLING"
    assert "LastReplicatedTimestamp" not in made["Destinations"][0]
    assert protection(bench, SOURCE, source) == "REPLICATING"
    bench.wait(11)
    assert destination(bench, TARGET, target)["Status"] == "ENABLED"
    with refused("ReplicationAlreadyExists"):
        bench.client("efs", TARGET).create_replication_configuration(**back)


def test_a_failing_copy_shows_an_error_until_it_works_again(bench: Workbench, pair: tuple[str, str]) -> None:
    bench.make("fail", "efs.sync")
    bench.wait(17)
    shown = destination(bench, TARGET, pair[1])
    assert shown["Status"] == "ERROR"
    assert shown["StatusMessage"]

    bench.repair()
    bench.wait(16)
    assert destination(bench, TARGET, pair[1])["Status"] == "ENABLED"


def test_what_replicates_can_neither_be_deleted_nor_lose_its_protection(
    bench: Workbench, pair: tuple[str, str]
) -> None:
    _, target = pair
    efs = bench.client("efs", TARGET)
    with refused("ReplicationAlreadyExists"):
        efs.update_file_system_protection(FileSystemId=target, ReplicationOverwriteProtection="DISABLED")
    with refused("BadRequest"):
        efs.update_file_system_protection(FileSystemId=target, ReplicationOverwriteProtection="REPLICATING")
    with refused("FileSystemInUse"):
        efs.delete_file_system(FileSystemId=target)
    with refused("FileSystemNotFound"):
        efs.describe_replication_configurations(FileSystemId="fs-0123456789abcdef0")


def test_replication_to_a_new_file_system_creates_it_encrypted_and_without_tags(bench: Workbench) -> None:
    efs = bench.client("efs", SOURCE)
    source = efs.create_file_system(CreationToken="one", Encrypted=True)["FileSystemId"]
    with refused("IncorrectFileSystemLifeCycleState"):
        efs.create_replication_configuration(SourceFileSystemId=source, Destinations=[{"Region": TARGET}])
    bench.wait(1)

    made = efs.create_replication_configuration(SourceFileSystemId=source, Destinations=[{"Region": TARGET}])

    replica = bench.client("efs", TARGET).describe_file_systems()["FileSystems"][0]
    assert replica["FileSystemId"] == made["Destinations"][0]["FileSystemId"]
    assert (replica["Encrypted"], replica["Tags"]) == (True, [])


def test_mount_targets_take_their_time_one_per_zone(bench: Workbench, pair: tuple[str, str]) -> None:
    _, target = pair
    efs = bench.client("efs", TARGET)
    subnet = bench.subnets(TARGET)[0]
    made = efs.create_mount_target(FileSystemId=target, SubnetId=subnet)

    def states() -> list[str]:
        found = efs.describe_mount_targets(FileSystemId=target)["MountTargets"]
        return [str(one["LifeCycleState"]) for one in found]

    assert bench.watch(states, minutes=2) == [["creating"], ["available"]]
    with refused("MountTargetConflict"):
        efs.create_mount_target(FileSystemId=target, SubnetId=subnet)
    efs.delete_mount_target(MountTargetId=made["MountTargetId"])
    assert bench.watch(states, minutes=1) == [["deleting"], []]


def test_an_access_point_is_made_once_per_token(bench: Workbench, pair: tuple[str, str]) -> None:
    _, target = pair
    efs = bench.client("efs", TARGET)
    made = efs.create_access_point(ClientToken="mine", FileSystemId=target, RootDirectory={"Path": "/data"})
    assert made["LifeCycleState"] == "creating"
    with refused("AccessPointAlreadyExists") as failure:
        efs.create_access_point(ClientToken="mine", FileSystemId=target)
    assert failure.value.response["AccessPointId"] == made["AccessPointId"]
    bench.wait(1)
    found = efs.describe_access_points(AccessPointId=made["AccessPointId"])["AccessPoints"][0]
    assert found["LifeCycleState"] == "available"


def test_throughput_changes_by_way_of_updating(bench: Workbench, pair: tuple[str, str]) -> None:
    _, target = pair
    efs = bench.client("efs", TARGET)
    changed = efs.update_file_system(FileSystemId=target, ThroughputMode="bursting")
    assert (changed["ThroughputMode"], changed["LifeCycleState"]) == ("bursting", "updating")
    with refused("IncorrectFileSystemLifeCycleState"):
        efs.update_file_system(FileSystemId=target, ThroughputMode="elastic")
    bench.wait(1)
    with refused("BadRequest"):
        efs.update_file_system(FileSystemId=target, ThroughputMode="provisioned")


def test_a_role_bound_to_tags_may_end_a_replication_on_the_target_side(bench: Workbench, pair: tuple[str, str]) -> None:
    source, target = pair
    arns = [f"arn:aws:elasticfilesystem:{TARGET}:{ACCOUNT}:file-system/{each}" for each in (source, target)]
    assert [tags_of(bench.local, arn, ACCOUNT, TARGET)["Customer"] for arn in arns] == ["CustomerX"] * 2
    bench.client("efs", TARGET).delete_replication_configuration(SourceFileSystemId=source)
    bench.wait(3)
    assert tags_of(bench.local, arns[0], ACCOUNT, TARGET) == {}


def test_search_finds_both_file_systems_with_their_tags(bench: Workbench, pair: tuple[str, str]) -> None:
    for region, file_system_id in zip((SOURCE, TARGET), pair, strict=True):
        found = [r for r in collect(bench.local, ACCOUNT, region) if r.type == "elasticfilesystem:file-system"]
        assert [(r.arn.rpartition("/")[2], r.tags["Customer"]) for r in found] == [(file_system_id, "CustomerX")]


DENY = {
    "Sid": "Closed",
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
}


def put_policy(bench: Workbench, file_system_id: str, *statements: dict[str, Any]) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    bench.client("efs", SOURCE).put_file_system_policy(FileSystemId=file_system_id, Policy=policy)


def test_a_policy_replaces_the_default_one_until_it_is_deleted(bench: Workbench, pair: tuple[str, str]) -> None:
    source, _ = pair
    efs = bench.client("efs", SOURCE)
    with refused("PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=source)
    for wrong in ("{", json.dumps({"Statement": [{"Effect": "Deny"}]}), json.dumps({"Version": "2012-10-17"})):
        with refused("InvalidPolicyException"):
            efs.put_file_system_policy(FileSystemId=source, Policy=wrong)
    with refused("FileSystemNotFound"):
        efs.describe_file_system_policy(FileSystemId="fs-0123456789abcdef0")

    put_policy(bench, source, DENY)
    assert json.loads(efs.describe_file_system_policy(FileSystemId=source)["Policy"])["Statement"] == [DENY]
    efs.delete_file_system_policy(FileSystemId=source)

    with refused("PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=source)


def written(bench: Workbench, region: str, file_system_id: str) -> float | None:
    return bench.metric(region, "AWS/EFS", "DataWriteIOBytes", FileSystemId=file_system_id)


def test_clients_write_until_a_policy_that_denies_everybody_is_in_force(
    bench: Workbench, pair: tuple[str, str]
) -> None:
    source, target = pair
    assert (written(bench, SOURCE, source), written(bench, TARGET, target)) == (600_000, None)

    put_policy(bench, source, DENY)
    bench.wait(1)
    assert written(bench, SOURCE, source) == 600_000, "a policy takes minutes to take effect"
    bench.wait(2)
    assert written(bench, SOURCE, source) is None

    bench.client("efs", SOURCE).delete_file_system_policy(FileSystemId=source)
    assert written(bench, SOURCE, source) == 600_000


def test_a_policy_for_some_clients_or_with_a_condition_closes_nothing(bench: Workbench, pair: tuple[str, str]) -> None:
    source, _ = pair
    put_policy(bench, source, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    bench.wait(3)
    assert written(bench, SOURCE, source) == 600_000


def test_a_mount_target_is_judged_by_its_file_system(bench: Workbench, pair: tuple[str, str]) -> None:
    source, _ = pair
    mount = bench.client("efs", SOURCE).describe_mount_targets(FileSystemId=source)["MountTargets"][0]
    names = MotoNames(bench.local, ACCOUNT, SOURCE)
    where = Where(ACCOUNT, SOURCE, names)

    (need,) = needs("efs", "DeleteMountTarget", {"MountTargetId": mount["MountTargetId"]}, where)

    assert [target.arn for target in need.targets] == [
        f"arn:aws:elasticfilesystem:{SOURCE}:{ACCOUNT}:file-system/{source}"
    ]


def test_tags_of_a_new_access_point_are_judged_on_the_access_point(bench: Workbench, pair: tuple[str, str]) -> None:
    source, _ = pair
    where = Where(ACCOUNT, SOURCE, MotoNames(bench.local, ACCOUNT, SOURCE))
    asked = {"FileSystemId": source, "ClientToken": "one", "Tags": [{"Key": "Name", "Value": "data"}]}

    tagging = next(n for n in needs("efs", "CreateAccessPoint", asked, where) if n.action.endswith(":TagResource"))

    assert [target.arn for target in tagging.targets] == [
        f"arn:aws:elasticfilesystem:{SOURCE}:{ACCOUNT}:access-point/*"
    ]


def test_a_file_system_can_be_without_a_replica_and_told_where_one_belongs(bench: Workbench) -> None:
    bench.seed("efs-backup", access_point="/data")
    assert bench.client("efs", TARGET).describe_file_systems()["FileSystems"] == []
    (found,) = bench.client("efs", SOURCE).describe_file_systems()["FileSystems"]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["dr:restore-subnets"].split() == bench.subnets(TARGET)[:2]
