"""EFS replication refuses, fails early, says what to type, and goes on when the cause is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from localaws.services.efs.models import ReplicationStatus
from orchestrator.words import LIFECYCLE, Outcome, Phase, StepState
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World
from tests.support.efs import (
    file_system,
    id_in,
    observed,
    protection,
    replicated_world,
    replication,
    statements,
    tags_of,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return replicated_world(monkeypatch, access_point="/data")


def moto(world: World, region: str) -> Any:
    return world.local.backend("efs", APPS, region).file_systems_by_id[id_in(world, region)]


def held(world: World) -> Any:
    return world.local.service("efs").replication_of(APPS, SOURCE, id_in(world, SOURCE))  # type: ignore[attr-defined]


def up_to(run: Journey, phase: Phase) -> None:
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def test_nothing_is_ended_before_the_commit_gate(world: World) -> None:
    run = world.start(commit=False)
    run.phase(Phase.INSTANTIATE)

    refused = run.phase(Phase.ACTIVATE)

    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert replication(world, TARGET) == (id_in(world, SOURCE), id_in(world, TARGET), "ENABLED")


def test_an_ended_replication_cannot_be_rolled_back(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)

    refused = run.rollback(Phase.ACTIVATE)

    assert refused.outcome is Outcome.FAILED
    assert "cannot be undone" in refused.detail
    assert "failback" in refused.remedy


def test_a_rollback_of_later_phases_keeps_the_fence(world: World) -> None:
    run = world.start()
    up_to(run, Phase.CLEANUP)

    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert statements(world, SOURCE), "two sides that take writes would part for ever"


def test_a_rollback_of_an_emergency_that_ended_nothing_changes_nothing(world: World) -> None:
    world.inventory()
    run = world.start(emergency=True, AcceptDataLoss=True)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert world.operations() == []


@pytest.mark.parametrize("phase", ["CLEANUP", "REPLICATE"])
def test_a_source_that_still_serves_is_left_alone(world: World, phase: str) -> None:
    refused = world.start(Phases=[phase]).phase(Phase(phase))

    assert refused.outcome is Outcome.FAILED
    assert "does not take writes" in refused.detail
    assert world.operations() == []


def test_the_old_side_is_not_overwritten_before_it_is_fenced(world: World) -> None:
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    run.end()
    world.aws("efs", SOURCE).delete_file_system_policy(FileSystemId=id_in(world, SOURCE))

    refused = world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert refused.outcome is Outcome.FAILED
    assert "clients may still write" in refused.detail
    assert "CLEANUP,REPLICATE" in refused.remedy
    assert protection(world, SOURCE) == "ENABLED"


def test_a_target_of_which_nothing_tells_what_it_holds_is_taken_over_only_when_somebody_vouches_for_it(
    world: World,
) -> None:
    # Given a pair whose replication somebody ended by hand
    world.aws("efs", TARGET).delete_replication_configuration(SourceFileSystemId=id_in(world, SOURCE))
    world.wait(5)
    run = world.start()
    assert not run.ready
    assert "what it holds is unknown" in run.findings["not-a-replica"]
    run.phase(Phase.INSTANTIATE)
    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "aws efs tag-resource" in refused.remedy

    # When a person says that it is the current one
    world.aws("efs", TARGET).tag_resource(
        ResourceId=id_in(world, TARGET), Tags=[{"Key": "dr:execution-id", "Value": "by-hand"}]
    )

    # Then the run goes on from there
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_cleanup_closes_no_source_on_a_guess(world: World) -> None:
    world.aws("efs", TARGET).delete_replication_configuration(SourceFileSystemId=id_in(world, SOURCE))
    world.wait(5)

    refused = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert refused.outcome is Outcome.FAILED
    assert "nothing tells that" in refused.detail
    assert statements(world, SOURCE) == []


def test_an_emergency_takes_such_a_target_over_with_a_warning(world: World) -> None:
    world.inventory()
    world.aws("efs", TARGET).delete_replication_configuration(SourceFileSystemId=id_in(world, SOURCE))
    world.wait(5)
    world.darken(SOURCE)

    action = world.start(emergency=True, AcceptDataLoss=True).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "what it holds is unknown" in action.detail


@pytest.mark.parametrize("status", [ReplicationStatus.ERROR, ReplicationStatus.PAUSED, ReplicationStatus.PAUSING])
def test_a_replication_that_does_not_go_on_fails_the_drain_and_a_retry_goes_on_when_it_does(
    world: World, status: ReplicationStatus
) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "note-fence")
    replicating = held(world)
    replicating.status, replicating.message = status, "the source cannot be read"

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert f"{status} (the source cannot be read)" in stopped.detail
    assert "answer rollback" in stopped.remedy

    replicating.status, replicating.message = ReplicationStatus.ENABLED, None
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_a_sync_that_never_covers_the_fence_asks_a_person(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "note-fence")
    world.fault(effect="stuck", kind="efs.sync")

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "must be covered" in stopped.detail
    assert "TimeSinceLastSync" in stopped.remedy


def test_a_deletion_that_fails_on_the_other_side_says_how_to_end_it_here(world: World) -> None:
    world.fault(effect="fail", kind="efs.delete-replication")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "could not be deleted on the other side" in stopped.detail
    assert "LOCAL_CONFIGURATION_ONLY" in stopped.remedy


def test_in_an_emergency_such_a_deletion_is_followed_by_the_local_one_at_once(world: World) -> None:
    world.inventory()
    world.fault(effect="fail", kind="efs.delete-replication")

    run = world.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["DeleteReplicationConfiguration", "DeleteReplicationConfiguration", "TagResource"]


def test_a_local_deletion_without_effect_ends_with_a_support_case(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.fault(effect="stuck", kind="efs.delete-replication-local")

    action = world.start(emergency=True, AcceptDataLoss=True).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert action.remedy


def test_a_lost_answer_to_the_deletion_is_not_followed_by_a_second_one(world: World) -> None:
    world.fault(effect="lost-answer", service="efs", operation="DeleteReplicationConfiguration")
    run = world.start()

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}
    assert len([call for call in world.calls() if call.operation == "DeleteReplicationConfiguration"]) == 1


@pytest.mark.parametrize(
    ("kind", "step"), [("efs.create-mount-target", "mount-targets"), ("efs.create-access-point", "access-point-1")]
)
def test_what_cannot_be_made_on_the_target_side_fails_with_what_to_delete(
    monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    world = replicated_world(monkeypatch, target_zones=0, access_point="/data", target_access_point=False)
    world.fault(effect="fail", kind=kind)

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert action.detail.startswith(step)
    assert "error" in action.detail
    assert "aws efs" in action.remedy


def test_without_mount_targets_and_a_word_where_to_make_them_a_run_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = replicated_world(monkeypatch, target_zones=0, landing=False).start()

    assert not run.ready
    assert "has no mount target" in run.findings["mount-targets"]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "dr:restore-subnets" in action.remedy


def test_subnets_that_are_told_and_do_not_exist_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replicated_world(monkeypatch, target_zones=1)
    tags = [{"Key": "dr:restore-subnets", "Value": "subnet-0123456789abcdef0"}]
    world.aws("efs", SOURCE).tag_resource(ResourceId=id_in(world, SOURCE), Tags=tags)

    run = world.start()

    assert not run.ready
    assert "subnet-0123456789abcdef0 does not exist" in run.findings["subnets"]
    assert "in 1 zone(s), its source in 2" in run.findings["zones"]


def test_a_policy_that_names_its_region_is_left_to_people(world: World) -> None:
    other = f"arn:aws:elasticfilesystem:{SOURCE}:{APPS}:access-point/fsap-1"
    own = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "elasticfilesystem:ClientMount",
        "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": other}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    world.aws("efs", SOURCE).put_file_system_policy(FileSystemId=id_in(world, SOURCE), Policy=policy)

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "write that of" in action.detail
    assert statements(world, TARGET) == []


def test_a_policy_without_room_for_the_fence_stops_before_anything_is_changed(world: World) -> None:
    own = {"Sid": "A" * 19_800, "Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:ClientMount"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    world.aws("efs", SOURCE).put_file_system_policy(FileSystemId=id_in(world, SOURCE), Policy=policy)

    action = world.start(Phases=["ACTIVATE"]).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "at most 20000 are allowed" in action.detail


def test_a_first_sync_back_that_fails_says_so_and_a_file_system_that_is_lost_too(world: World) -> None:
    run = world.start()
    up_to(run, Phase.CLEANUP)
    world.fault(effect="fail", kind="efs.create-replication")

    stopped = run.phase(Phase.REPLICATE)

    assert stopped.outcome is Outcome.FAILED
    assert "The initial sync failed" in stopped.detail
    assert "delete the replication and retry" in stopped.remedy


@pytest.mark.parametrize(("region", "code"), [(SOURCE, "source"), (TARGET, "target")])
def test_a_broken_file_system_is_red_and_stops_the_steps_on_it(world: World, region: str, code: str) -> None:
    run = world.start()
    moto(world, region).life_cycle_state = "error"

    stopped = run.phase(Phase.INSTANTIATE) if region == TARGET else run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "is error, expected available" in stopped.detail
    assert stopped.remedy
    run.end()
    moto(world, region).life_cycle_state = "updating"
    again = world.start()
    assert "is updating" in again.findings[code]
    assert again.ready


def ends_elsewhere(world: World) -> None:
    """Let the target be the replica of another file system."""
    efs = world.aws("efs", SOURCE)
    efs.delete_replication_configuration(SourceFileSystemId=id_in(world, SOURCE))
    world.wait(5)
    world.aws("efs", TARGET).update_file_system_protection(
        FileSystemId=id_in(world, TARGET), ReplicationOverwriteProtection="DISABLED"
    )
    other = efs.create_file_system(CreationToken="other", Encrypted=True)["FileSystemId"]
    world.wait(1)
    to = {"FileSystemId": id_in(world, TARGET), "Region": TARGET}
    efs.create_replication_configuration(SourceFileSystemId=other, Destinations=[to])
    tags = [tag for tag in file_system(world, SOURCE)["Tags"] if tag["Key"] != "dr:enabled"]
    efs.tag_resource(ResourceId=other, Tags=tags)
    world.wait(20)


def is_paused(world: World) -> None:
    held(world).status = ReplicationStatus.PAUSED


def never_synced(world: World) -> None:
    held(world).synced_at = None


@pytest.mark.parametrize(
    ("trouble", "code", "text"),
    [
        (is_paused, "replication", "is PAUSED, expected ENABLED"),
        (never_synced, "lag", "no sync"),
        (ends_elsewhere, "other-source", "expected from"),
    ],
)
def test_a_replication_that_cannot_be_trusted_is_red(world: World, trouble: Any, code: str, text: str) -> None:
    trouble(world)

    run = world.start()

    assert not run.ready
    assert text in run.findings[code]


def test_a_late_sync_a_tight_rto_and_a_disabled_key_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replicated_world(monkeypatch, tags={"dr:rpo-target": "5", "dr:rto-target": "10"})
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]
    moto(world, TARGET).kms_key_id = key["Arn"]
    world.aws("kms", TARGET).disable_key(KeyId=key["KeyId"])
    world.wait(12)

    run = world.start()

    assert not run.ready
    assert "dr:rpo-target is 5 min" in run.findings["lag"]
    assert "dr:rto-target is 10 min" in run.findings["rto"]
    assert "is Disabled, expected Enabled" in run.findings["kms-key"]


def test_an_unencrypted_source_is_a_one_way_road(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replicated_world(monkeypatch, encrypted=False)
    moto(world, TARGET).encrypted = True

    run = world.start()

    assert "will not replicate back" in run.findings["encryption"]


def test_a_target_that_is_gone_is_named(world: World) -> None:
    run = world.start()
    world.aws("efs", TARGET).delete_replication_configuration(SourceFileSystemId=id_in(world, SOURCE))
    world.wait(5)
    target = id_in(world, TARGET)
    for mount in world.aws("efs", TARGET).describe_mount_targets(FileSystemId=target)["MountTargets"]:
        world.aws("efs", TARGET).delete_mount_target(MountTargetId=mount["MountTargetId"])
    world.wait(2)
    world.aws("efs", TARGET).delete_file_system(FileSystemId=target)
    world.wait(2)

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert f"{target} is not there" in action.detail
    run.end()


def test_a_protection_that_was_taken_off_by_hand_is_named(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "end-replication")
    world.wait(5)
    world.aws("efs", TARGET).update_file_system_protection(
        FileSystemId=id_in(world, TARGET), ReplicationOverwriteProtection="DISABLED"
    )

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "is DISABLED, expected ENABLED" in action.detail
    assert "--replication-overwrite-protection ENABLED" in action.remedy
    assert "dr:fenced" in tags_of(file_system(world, SOURCE))


def test_two_accounts_need_a_role_to_replicate_back_with(world: World) -> None:
    run = world.start()
    up_to(run, Phase.CLEANUP)
    adapter, view, context = observed(run, Phase.REPLICATE)
    far = replace(view.member.source, account="333333333333", arn=view.member.source.arn.replace(APPS, "333333333333"))
    across = replace(view, member=replace(view.member, source=far), source=replace(view.source, place=far))

    assert "role" in {finding.code for finding in adapter.readiness(across, context)}
    (refused,) = (step for step in adapter.replicate(across, context) if step.name == "replicate-back")
    assert refused.state is StepState.BLOCKED
    assert "replicationRoleArn" in refused.remedy

    # When the manifest names one, the other account's file system is called by its ARN
    named = replace(across, member=replace(across.member, settings={"replicationRoleArn": "arn:aws:iam::1:role/efs"}))
    (step,) = (step for step in adapter.replicate(named, context) if step.name == "replicate-back")
    assert step.call is not None
    assert step.call.params["Destinations"] == [
        {"FileSystemId": far.arn, "Region": SOURCE, "RoleArn": "arn:aws:iam::1:role/efs"}
    ]


def test_clients_of_the_replica_are_told_to_the_probe_by_address(world: World) -> None:
    run = world.start()
    adapter, view, context = observed(run, Phase.ACTIVATE)

    shown = world.aws("efs", TARGET).describe_mount_targets(FileSystemId=id_in(world, TARGET))["MountTargets"]
    assert {each.host for each in adapter.endpoints(view, context)} == {mount["IpAddress"] for mount in shown}


def test_an_emergency_goes_on_with_an_end_that_somebody_has_begun(world: World) -> None:
    world.inventory()
    source = id_in(world, SOURCE)
    world.darken(SOURCE)
    world.aws("efs", TARGET).delete_replication_configuration(SourceFileSystemId=source)

    run = world.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert "is being ended already" in run.findings["ending"]
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert [call.params.get("DeletionMode") for call in world.calls() if call.operation.startswith("DeleteRep")] == [
        "LOCAL_CONFIGURATION_ONLY"
    ]


def test_a_source_that_is_gone_has_nothing_to_be_replicated_back_to(world: World) -> None:
    run = world.start()
    up_to(run, Phase.CLEANUP)
    efs, source = world.aws("efs", SOURCE), id_in(world, SOURCE)
    for mount in efs.describe_mount_targets(FileSystemId=source)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=mount["MountTargetId"])
    world.wait(2)
    efs.delete_file_system(FileSystemId=source)
    world.wait(2)

    refused = run.phase(Phase.REPLICATE)

    assert refused.outcome is Outcome.FAILED
    assert f"there is no file system {source} to replicate back to" in refused.detail
