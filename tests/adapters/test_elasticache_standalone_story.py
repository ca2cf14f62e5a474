"""Caches that stand alone in each Region: carried over as exports, or rebuilt cold. Each story is one run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.elasticache.making import alone, wait
from adapters.elasticache.models import ReplicationGroup
from adapters.elasticache.restore import exporting
from adapters.elasticache.view import Cache, ElastiCacheView
from orchestrator.context import run_context
from orchestrator.contract import Call
from orchestrator.errors import UpstreamError
from orchestrator.targets import load_target
from orchestrator.words import CheckState, Effect, Operation, Outcome, Phase, Side, StepState
from tests.adapters.test_elasticache_story import FENCING, admits, approve, group, groups, tags
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

EXPORTING = ["CreateSnapshot", "CopySnapshot"]


def cache_world(monkeypatch: pytest.MonkeyPatch, strategy: str, dr: dict[str, str] | None = None, **more: Any) -> World:
    tagged = {"dr:recovery-strategy": strategy, **(dr or {})}
    return open_world(monkeypatch, {"kind": "elasticache-standalone", "name": "orders", "tags": tagged, **more})


@pytest.fixture
def backup(monkeypatch: pytest.MonkeyPatch) -> World:
    return cache_world(monkeypatch, "backup-restore")


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> World:
    return cache_world(monkeypatch, "rebuild", exports=False)


def objects(world: World, region: str) -> list[str]:
    listed = world.aws("s3", region).list_objects_v2(Bucket=f"orders-exports-{region}").get("Contents", [])
    return sorted(each["Key"] for each in listed)


def seeds(world: World, region: str) -> list[str]:
    made = [c for c in world.calls() if c.operation == "CreateReplicationGroup" and c.region == region]
    return list(made[-1].params.get("SnapshotArns") or [])


def sides(world: World) -> dict[str, str]:
    (resource,) = world.inventory().resources
    return {region: side.id for region, side in resource.sides.items()}


def subnet_tags(world: World, region: str, **changed: str) -> None:
    found = world.aws("elasticache", region).describe_cache_subnet_groups(CacheSubnetGroupName="orders-subnets")
    arn = found["CacheSubnetGroups"][0]["ARN"]
    new = [{"Key": f"dr:{key.replace('_', '-')}", "Value": value} for key, value in changed.items()]
    world.aws("elasticache", region).add_tags_to_resource(ResourceName=arn, Tags=new)


def forget(world: World, region: str, *keys: str) -> None:
    found = world.aws("elasticache", region).describe_cache_subnet_groups(CacheSubnetGroupName="orders-subnets")
    arn = found["CacheSubnetGroups"][0]["ARN"]
    world.aws("elasticache", region).remove_tags_from_resource(ResourceName=arn, TagKeys=list(keys))


# --- backup-restore


def test_a_planned_move_restores_what_was_written_last_and_exports_it_back(backup: World) -> None:
    run = backup.start()
    assert run.ready
    assert run.previewed_calls() == [*EXPORTING, *FENCING, *EXPORTING, "CreateReplicationGroup", *EXPORTING]
    assert [stage.phase for stage in run.plan.stages if stage.irreversible] == [Phase.ACTIVATE]

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}
    assert run.made() == run.previewed_calls()
    # The restore is seeded from the export that was taken behind the fence
    (seed,) = seeds(backup, TARGET)
    assert seed.startswith("arn:aws:s3:::orders-exports-us-west-2/orders.")
    assert seed.endswith("-activate-0001.rdb")
    made, old = group(backup, TARGET), group(backup, SOURCE)
    kept = ("CacheNodeType", "Engine", "AutomaticFailover", "TransitEncryptionEnabled", "AtRestEncryptionEnabled")
    assert {key: made[key] for key in kept} == {key: old[key] for key in kept}
    assert made["KmsKeyId"] != old["KmsKeyId"], "the key is the Region's own"
    assert (admits(backup, TARGET), admits(backup, SOURCE)) == (True, False)
    assert any(key.endswith("-replicate-0001.rdb") for key in objects(backup, SOURCE)), "it is protected the other way"
    checks = {check.name: check.state for check in run.stage(Phase.REPLICATE).checks if check.name != "reachable"}
    assert checks == dict.fromkeys(("role", "group", "nodes", "protection"), CheckState.HEALTHY)
    assert backup.refusals() == []


def test_the_way_back_leads_into_a_new_group_beside_the_old_one(backup: World) -> None:
    there = backup.start()
    there.all()
    there.end()
    assert sides(backup) == {SOURCE: "orders", TARGET: "orders"}

    back = backup.start(Operation.FAILBACK)
    assert "the new group is called orders-<run>" in back.findings["name"]
    back.all()
    back.end()

    (new,) = (name for name in groups(backup, SOURCE) if name != "orders")
    assert group(backup, SOURCE, new)["Status"] == "available"
    assert "-activate-" in seeds(backup, SOURCE)[0]
    assert (admits(backup, SOURCE, new), admits(backup, SOURCE), admits(backup, TARGET)) == (True, False, False)
    assert sides(backup) == {SOURCE: new, TARGET: "orders"}
    assert "dr:fenced" not in tags(backup, SOURCE, new)
    assert backup.refusals() == []


def test_an_emergency_restores_the_newest_whole_export_and_tells_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    backup = cache_world(monkeypatch, "backup-restore", shards=2)
    s3 = backup.aws("s3", TARGET)
    backup.wait(minutes=30)
    s3.put_object(Bucket="orders-exports-us-west-2", Key="orders.later-0001.rdb", Body=b"half of it")
    s3.put_object(Bucket="orders-exports-us-west-2", Key="orders-eu.other-0001.rdb", Body=b"another cache's")
    backup.wait(minutes=10)
    backup.inventory()
    backup.darken(SOURCE)

    run = backup.start(emergency=True)
    (loss,) = run.plan.losses
    assert loss.seconds == pytest.approx(41 * 60, abs=90)
    assert run.all()[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED

    assert [arn.rpartition("/")[2] for arn in seeds(backup, TARGET)] == [
        "orders.nightly-0001.rdb",
        "orders.nightly-0002.rdb",
    ]
    assert {call.region for call in backup.calls() if call.mutating and call.service == "elasticache"} == {TARGET}
    assert len(group(backup, TARGET)["NodeGroups"]) == 2

    # When the Region returns, its old group is shut, and the new one is exported there
    run.end()
    backup.repair()
    later = backup.start(Phases=["CLEANUP", "REPLICATE"])
    later.all()
    assert later.made() == [*FENCING, *EXPORTING]
    assert not admits(backup, SOURCE)


def test_after_an_emergency_the_old_group_is_not_taken_for_the_restored_one(backup: World) -> None:
    backup.inventory()
    backup.darken(SOURCE)
    emergency = backup.start(emergency=True)
    emergency.all()
    emergency.end()
    backup.repair()

    back = backup.start(Operation.FAILBACK)
    back.all()

    (new,) = (name for name in groups(backup, SOURCE) if name != "orders")
    assert "-activate-" in seeds(backup, SOURCE)[0], "what was written during the outage comes home"
    assert admits(backup, SOURCE, new)


def test_an_emergency_without_an_export_stops_and_names_a_way(backup: World) -> None:
    for region in (SOURCE, TARGET):
        backup.aws("s3", region).delete_object(Bucket=f"orders-exports-{region}", Key="orders.nightly-0001.rdb")
    backup.inventory()
    backup.darken(SOURCE)
    run = backup.start(emergency=True)
    assert "export" in run.findings

    stopped = run.phase(Phase.ACTIVATE)

    assert stopped.outcome is Outcome.FAILED
    assert "no complete export of orders" in stopped.detail
    assert "rebuild" in stopped.remedy
    assert groups(backup, TARGET) == []


def test_a_snapshot_that_fails_says_what_to_do_and_the_rollback_opens_the_source(backup: World) -> None:
    run = backup.start()
    run.phase(Phase.INSTANTIATE)
    backup.fault(effect="fail", kind="elasticache.create-snapshot")
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "the snapshot is failed, expected available" in failed.detail
    assert "aws elasticache delete-snapshot --snapshot-name orders-" in failed.remedy
    assert not admits(backup, SOURCE)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert admits(backup, SOURCE)
    assert "dr:fenced" not in tags(backup, SOURCE)


def test_a_restored_group_is_not_rolled_back(backup: World) -> None:
    run = backup.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)

    blocked = run.rollback(Phase.ACTIVATE)

    assert blocked.outcome is Outcome.FAILED
    assert "may hold newer writes" in blocked.detail
    assert "failback" in blocked.remedy
    assert not admits(backup, SOURCE)


def test_an_export_that_s3_does_not_carry_over_asks_a_person(backup: World) -> None:
    backup.aws("s3", SOURCE).delete_bucket_replication(Bucket="orders-exports-us-east-1")
    run = backup.start()
    stopped = run.phase(Phase.INSTANTIATE)

    assert stopped.outcome is Outcome.FAILED
    assert "the export is not in orders-exports-us-west-2 yet" in stopped.detail
    assert "S3 replication" in stopped.remedy
    assert admits(backup, SOURCE), "the first export proves the way before anybody is shut out"


@pytest.mark.parametrize("strategy", ["backup-restore", "rebuild"])
def test_decommission_deletes_the_fenced_group_with_a_last_snapshot(
    monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    world = cache_world(monkeypatch, strategy)
    run = world.start(Decommission=True)
    approve(run)
    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SUCCEEDED, ended[Phase.DECOMMISSION].detail
    assert groups(world, SOURCE) == []
    names = [one["SnapshotName"] for one in world.aws("elasticache", SOURCE).describe_snapshots()["Snapshots"]]
    assert any(name.startswith("orders-final-") for name in names)
    run.end()
    back = world.start(Operation.FAILBACK)
    back.all()
    assert groups(world, SOURCE) == ["orders"], "the name was free again"
    assert world.refusals() == []


def test_decommission_keeps_the_old_group_while_nothing_else_tells_of_its_place(cold: World) -> None:
    forget(cold, SOURCE, "dr:enabled", "dr:standby-for")
    run = cold.start(Decommission=True)
    approve(run)
    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.FAILED
    assert "nothing but this group tells where orders belongs" in ended[Phase.DECOMMISSION].detail
    assert "dr:standby-for=orders" in ended[Phase.DECOMMISSION].remedy
    assert groups(cold, SOURCE) == ["orders"]


def test_decommission_keeps_the_old_group_without_an_export_of_the_new_one(backup: World) -> None:
    run = backup.start(Decommission=True)
    approve(run)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE):
        run.phase(phase)
    for key in objects(backup, SOURCE):
        backup.aws("s3", SOURCE).delete_object(Bucket="orders-exports-us-east-1", Key=key)

    kept = run.phase(Phase.DECOMMISSION)

    assert kept.outcome is Outcome.FAILED
    assert "no export of the new group" in kept.detail
    assert groups(backup, SOURCE) == ["orders"]


# --- what is red


def test_a_side_without_a_bucket_is_red(backup: World) -> None:
    forget(backup, SOURCE, "dr:export-bucket")
    run = backup.start()
    assert not run.ready
    assert run.findings["bucket"] == "no export bucket is known in us-east-1."


def test_an_auth_token_that_nobody_can_read_is_red_and_never_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    world = cache_world(monkeypatch, "rebuild", auth_token=True)
    run = world.start()
    assert not run.ready
    assert "has an AUTH token" in run.findings["auth-token"]
    stopped = run.phase(Phase.INSTANTIATE)
    assert (stopped.outcome, groups(world, TARGET)) == (Outcome.FAILED, [])


def test_an_old_export_is_red_for_a_drill_and_a_warning_for_a_planned_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = cache_world(monkeypatch, "backup-restore", {"dr:rpo-target": "60", "dr:rto-target": "30"})
    world.wait(minutes=120)
    planned = world.start()
    assert planned.ready
    assert planned.findings["export-age"] == "the newest export is 121 min old, dr:rpo-target is 60 min."
    assert planned.findings["rto"] == "backup-restore typically takes 35 min to activate, dr:rto-target is 30 min."
    planned.end()
    drill = world.start(Operation.TEST)
    assert not drill.ready


def test_a_group_that_changes_or_a_key_that_is_disabled_is_red(cold: World) -> None:
    kms = cold.aws("kms", TARGET)
    kms.disable_key(KeyId=kms.describe_key(KeyId="alias/orders")["KeyMetadata"]["KeyId"])
    cold.aws("elasticache", SOURCE).increase_replica_count(
        ReplicationGroupId="orders", NewReplicaCount=2, ApplyImmediately=True
    )
    run = cold.start()
    assert not run.ready
    assert run.findings["status"] == "orders is modifying, expected available."
    assert "is Disabled, expected Enabled" in run.findings["kms-key"]


def test_parameter_and_user_groups_are_needed_on_the_target_side_too(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"parameter_group": "orders-params", "user_group": "orders-users"}
    cold = cache_world(monkeypatch, "rebuild", exports=False, **named)
    run = cold.start()
    assert not run.ready
    messages = [finding.message for finding in run.run.findings if finding.code == "surroundings"]
    assert messages == [
        "not there in us-west-2: parameter group orders-params.",
        "not there in us-west-2: user group orders-users.",
    ]

    # When they have been made there, the new group gets them
    run.end()
    client = cold.aws("elasticache", TARGET)
    client.create_cache_parameter_group(
        CacheParameterGroupName="orders-params", CacheParameterGroupFamily="valkey8", Description="of orders"
    )
    client.create_user_group(UserGroupId="orders-users", Engine="valkey")
    again = cold.start()
    assert again.ready
    again.all()
    assert group(cold, TARGET)["UserGroupIds"] == ["orders-users"]
    assert cold.refusals() == []


def test_a_subnet_group_in_the_scope_that_names_no_cache_stops_the_inventory(cold: World) -> None:
    forget(cold, TARGET, "dr:standby-for")
    snapshot = cold.inventory()
    (reason,) = snapshot.missing_accounts.values()
    assert "dr:standby-for names no replication group" in reason


# --- rebuild


def test_a_rebuilt_cache_starts_empty_and_the_old_one_is_shut_afterwards(cold: World) -> None:
    run = cold.start()
    assert run.previewed_calls() == ["CreateReplicationGroup", *FENCING]
    run.all()

    assert run.made() == run.previewed_calls()
    assert seeds(cold, TARGET) == []
    assert (admits(cold, TARGET), admits(cold, SOURCE)) == (True, False)
    assert tags(cold, TARGET)["dr:execution-id"] == run.run_id
    assert tags(cold, TARGET)["dr:enabled"] == "true"
    assert run.plan.losses[0].detail.startswith("the whole content")

    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert admits(cold, SOURCE)
    assert cold.refusals() == []


def test_an_emergency_rebuild_needs_only_the_target_side(cold: World) -> None:
    cold.inventory()
    cold.darken(SOURCE)
    run = cold.start(emergency=True)
    assert run.all()[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED
    assert run.made() == ["CreateReplicationGroup"]
    assert group(cold, TARGET)["Status"] == "available"


def test_a_standing_group_is_used_as_it_is_and_said_not_to_be_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    world = cache_world(monkeypatch, "rebuild", standby=True)
    run = world.start()
    assert "what it holds may be old" in run.findings["not-cold"]
    run.all()
    assert groups(world, TARGET) == ["orders"]
    assert run.made(Phase.INSTANTIATE) == []


# --- drills


@pytest.mark.parametrize(
    ("kind", "strategy", "made"),
    [
        ("elasticache-global", "global-datastore", ["CreateSecurityGroup", "CreateSnapshot", "CreateReplicationGroup"]),
        ("elasticache-standalone", "backup-restore", ["CreateSecurityGroup", "CreateReplicationGroup"]),
        ("elasticache-standalone", "rebuild", ["CreateSecurityGroup", "CreateReplicationGroup"]),
    ],
)
def test_a_drill_makes_an_isolated_copy_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, kind: str, strategy: str, made: list[str]
) -> None:
    world = open_world(monkeypatch, {"kind": kind, "name": "orders", "tags": {"dr:recovery-strategy": strategy}})
    before = groups(world, TARGET)
    run = world.start(Operation.TEST)
    assert run.ready
    run.phase(Phase.INSTANTIATE)

    assert run.made() == made
    (copy,) = (name for name in groups(world, TARGET) if name.startswith("drill-"))
    assert not admits(world, TARGET, copy)
    assert tags(world, TARGET, copy) == {"dr:drill-id": run.run_id}
    assert {check.state for check in run.stage(Phase.INSTANTIATE).checks} <= {CheckState.HEALTHY}

    run.phase(Phase.ACTIVATE)
    run.phase(Phase.CLEANUP)
    assert groups(world, TARGET) == before
    assert world.aws("elasticache", TARGET).describe_snapshots()["Snapshots"] == []
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_deletes_nothing_that_it_did_not_make(cold: World) -> None:
    run = cold.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)
    (copy,) = (name for name in groups(cold, TARGET) if name.startswith("drill-"))
    client = cold.aws("elasticache", TARGET)
    arn = group(cold, TARGET, copy)["ARN"]
    client.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "dr:drill-id", "Value": "somebody-else"}])

    stopped = run.phase(Phase.CLEANUP)

    assert stopped.outcome is Outcome.FAILED
    assert "does not carry dr:drill-id=run-1" in stopped.detail
    assert copy in groups(cold, TARGET)


# --- single judgements


@pytest.mark.parametrize("status", ["create-failed", "incompatible-network", "restore-failed"])
def test_every_failure_status_ends_with_a_remedy(status: str) -> None:
    cache = Cache(ReplicationGroup(ReplicationGroupId="orders", ARN="arn", Status=status))
    step = wait("group", cache, Call("elasticache", "X", {}, Side.TARGET), "", effect=Effect.REVERSIBLE)
    assert step.state is StepState.FAILED
    assert "then retry" in step.remedy


def test_a_status_that_aws_documents_nowhere_is_an_error_and_no_wait() -> None:
    cache = Cache(ReplicationGroup(ReplicationGroupId="orders", ARN="arn", Status="pondering"))
    with pytest.raises(UpstreamError, match="pondering"):
        wait("group", cache, None, "", effect=Effect.NONE)


def view_of(run: Journey) -> tuple[ElastiCacheView, Any]:
    action = run.action(Phase.INSTANTIATE)
    target = load_target(run.platform.blobs, run.run_id, action.target_id)
    context = run_context(run.run, Phase.INSTANTIATE, target, run.world.clock.now())
    return ElastiCacheView(target.only, target.strategy), context


def test_the_manifests_size_overrides_what_is_copied_from_the_source(backup: World) -> None:
    view, context = view_of(backup.start())
    grown = replace(view, member=replace(view.member, settings={"nodeType": "cache.r7g.4xlarge", "replicas": 3}))

    params = alone("orders", grown, context, {}).params

    assert (params["CacheNodeType"], params["ReplicasPerNodeGroup"], params["EngineVersion"]) == (
        "cache.r7g.4xlarge",
        3,
        "8.0",
    )


def test_an_export_needs_a_bucket_on_either_side(backup: World) -> None:
    view, context = view_of(backup.start())
    bare = replace(view, member=replace(view.member, source=replace(view.member.source, facts={})))
    cache = Cache(ReplicationGroup(ReplicationGroupId="orders", ARN="arn", Status="available"))
    (step,) = exporting(bare, context, cache, Side.SOURCE)
    assert (step.state, "dr:export-bucket" in step.remedy) == (StepState.BLOCKED, True)
