"""Aurora clusters without a standby are restored in the other Region from copied snapshots; what is retired is deleted if asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.aurora.adapter import AuroraAdapter
from adapters.aurora.view_restore import Copies, RestoreView
from adapters.reading import KeyValue
from orchestrator.context import run_context
from orchestrator.contract import RunContext, Step
from orchestrator.errors import DrError, UpstreamError
from orchestrator.targets import load_target
from orchestrator.words import LIFECYCLE, CheckState, Mode, Operation, Outcome, Phase, StepState
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

STRATEGY = {"dr:recovery-strategy": "snapshot-copy"}
ORDERS: dict[str, Any] = {"kind": "aurora-single", "name": "orders", "copied": True, "tags": STRATEGY}
REPLICA: dict[str, Any] = {
    "kind": "aurora-replica",
    "name": "orders",
    "tags": {"dr:recovery-strategy": "cross-region-replica"},
}
FENCE = ["CreateSecurityGroup", "AddTagsToResource", "ModifyDBCluster", "RebootDBInstance"]
CARRY = ["CreateDBClusterSnapshot", "CopyDBClusterSnapshot"]
RESTORE = ["RestoreDBClusterFromSnapshot", "CreateDBInstance", "CreateDBInstance"]
WAY = AuroraAdapter.ways["snapshot-copy"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def clusters(world: World, region: str) -> dict[str, dict[str, Any]]:
    return {each["DBClusterIdentifier"]: each for each in world.aws("rds", region).describe_db_clusters()["DBClusters"]}


def groups(shown: dict[str, Any]) -> list[str]:
    return [group["VpcSecurityGroupId"] for group in shown["VpcSecurityGroups"]]


def tags(shown: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in shown["TagList"]}


def retired(world: World, region: str = SOURCE) -> list[str]:
    return [name for name in clusters(world, region) if "-retired-" in name]


def up_to(run: Journey, phase: Phase) -> None:
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def test_a_restored_cluster_serves_from_the_target_and_the_way_back_is_prepared(world: World) -> None:
    # Given a cluster that stands on the source side alone, and a copy of last night on the target side
    own = clusters(world, SOURCE)["orders"]
    run = world.start()
    assert run.findings == {"ready": "orders can be restored."}
    foreseen = run.previewed_calls()

    # When it is moved
    run.all()

    # Then it made the calls it showed, and what it restored was taken behind the fence
    assert run.made() == foreseen
    assert run.made(Phase.ACTIVATE) == [*FENCE, *CARRY, *RESTORE]
    served = clusters(world, TARGET)["orders"]
    assert served["Status"] == "available"
    assert [each["IsClusterWriter"] for each in served["DBClusterMembers"]] == [True, False]
    same = ("EngineVersion", "BackupRetentionPeriod", "DBClusterParameterGroup")
    assert [served[k] for k in same] == [own[k] for k in same]
    assert tags(served)["dr:enabled"] == "true"
    (open_group,) = groups(served)
    described = world.aws("ec2", TARGET).describe_security_groups(GroupIds=[open_group])["SecurityGroups"][0]
    assert described["IpPermissions"], "its own clients get in"

    # And the old one is fenced, renamed and out of the scope; a copy back protects the new one
    (old,) = retired(world)
    assert groups(clusters(world, SOURCE)[old]) != groups(own)
    assert "dr:enabled" not in tags(clusters(world, SOURCE)[old])
    assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
    run.end()

    # And the way back ends where everything began
    world.wait(minutes=10)
    back = world.start(Operation.FAILBACK)
    assert back.ready
    back.all()
    home = clusters(world, SOURCE)["orders"]
    assert (home["Status"], groups(home), home["KmsKeyId"]) == ("available", groups(own), own["KmsKeyId"])
    assert list(clusters(world, TARGET)) == retired(world, TARGET)
    assert world.refusals() == []


def test_a_first_copy_is_made_before_anybody_is_shut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "copied": False})
    run = world.start()
    assert "no copied snapshot" in run.findings["no-copy"]
    assert run.ready
    run.phase(Phase.INSTANTIATE)
    assert run.made(Phase.INSTANTIATE) == CARRY
    run.until(Phase.ACTIVATE, "restore")
    (restart,) = (
        event["Date"]
        for event in world.aws("rds", SOURCE).describe_events(SourceType="db-instance", SourceIdentifier="orders-1")[
            "Events"
        ]
        if "restarted" in event["Message"]
    )
    found = world.aws("rds", TARGET).describe_db_cluster_snapshots()["DBClusterSnapshots"]
    (last,) = (one for one in found if one["DBClusterSnapshotIdentifier"].startswith("orders-last-"))
    assert tags(last)["dr:taken-at"] > restart.isoformat()


def test_an_emergency_restores_the_newest_copy_and_asks_nobody_on_the_lost_side(world: World) -> None:
    world.wait(minutes=10)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert loss.seconds is not None
    assert 600 < loss.seconds < 1800
    assert loss.detail == "age of orders-nightly, its age by AWS is that of the copy"
    run.all()

    assert run.made() == RESTORE
    assert clusters(world, TARGET)["orders"]["Status"] == "available"
    assert {call.region for call in world.calls()} == {TARGET}
    assert "may hold newer writes" in run.rollback(Phase.ACTIVATE).detail
    run.end()

    # When the Region returns with the old cluster open, a new switch is refused until the old one is retired
    world.repair()
    refused = world.start()
    assert "nobody knows which is current" in refused.findings["two-clusters"]
    assert not refused.ready
    refused.end()
    rest = world.start(Phases=["CLEANUP", "REPLICATE"])
    rest.all()
    assert rest.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert "orders" not in clusters(world, SOURCE)
    assert world.refusals() == []


def test_an_emergency_without_any_copy_says_so_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "copied": False})
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "everything would be lost" in run.plan.losses[0].detail
    ended = run.phase(Phase.ACTIVATE)
    assert ended.outcome is Outcome.FAILED
    assert "no copied snapshot of orders can be restored in us-west-2" in ended.detail
    assert world.operations() == []


def test_a_rollback_opens_the_source_until_the_restore_is_called_and_gives_it_its_name(world: World) -> None:
    own = groups(clusters(world, SOURCE)["orders"])
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "last-copy")
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert groups(clusters(world, SOURCE)["orders"]) == own
    run.end()

    again = world.start()
    up_to(again, Phase.CLEANUP)
    assert again.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert list(clusters(world, SOURCE)) == ["orders"]
    refused = again.rollback(Phase.ACTIVATE)
    assert "may hold newer writes" in refused.detail
    assert "failback" in refused.remedy


def test_a_failed_restore_says_what_to_delete_and_the_retry_goes_on(world: World) -> None:
    world.fault(effect="fail", kind="rds.restore-db-cluster")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    failed = run.phase(Phase.ACTIVATE)
    assert "orders is failed" in failed.detail
    assert "aws rds delete-db-cluster --db-cluster-identifier orders" in failed.remedy
    assert "roll back again" in run.rollback(Phase.ACTIVATE).remedy

    world.repair()
    world.aws("rds", TARGET).delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)
    world.wait(minutes=10)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_a_drill_restores_the_newest_copy_behind_a_group_of_its_own_and_leaves_no_trace(world: World) -> None:
    before = clusters(world, TARGET)
    run = world.start(Operation.TEST)
    assert run.ready
    run.phase(Phase.INSTANTIATE)
    (copy,) = clusters(world, TARGET).values()
    (group,) = world.aws("ec2", TARGET).describe_security_groups(GroupIds=groups(copy))["SecurityGroups"]
    assert (group["IpPermissions"], tags(copy)["dr:drill-id"]) == ([], run.run_id)
    run.phase(Phase.ACTIVATE)
    run.phase(Phase.CLEANUP)

    assert clusters(world, TARGET) == before
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_each_thing_that_a_restore_lacks_is_red(world: World) -> None:
    rds = world.aws("rds", TARGET)
    rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="orders-params")
    key = world.aws("kms", TARGET).describe_key(KeyId="alias/orders")["KeyMetadata"]["KeyId"]
    world.aws("kms", TARGET).disable_key(KeyId=key)
    run = world.start()
    assert run.findings["surroundings"] == "not there in us-west-2: cluster parameter group orders-params."
    assert "Disabled, expected Enabled" in run.findings["kms-key"]
    assert not run.ready


@pytest.mark.parametrize(
    ("extra", "code", "text"),
    [
        ({"dr:rto-target": "30"}, "rto", "snapshot-copy usually takes 90 minutes to activate, dr:rto-target is 30."),
        ({"dr:rpo-target": "5"}, "age", "the newest content in us-west-2 is 21 min old, dr:rpo-target is 5 min."),
    ],
)
def test_a_strategy_too_slow_or_too_old_for_the_tags_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], code: str, text: str
) -> None:
    world = open_world(monkeypatch, {**ORDERS, "tags": {**STRATEGY, **extra}})
    world.wait(minutes=20)
    run = world.start()
    assert run.findings[code] == text
    assert run.ready


def test_a_cluster_without_any_place_on_the_target_side_is_refused_with_the_command(world: World) -> None:
    rds = world.aws("rds", TARGET)
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="orders-subnets")["DBSubnetGroups"]
    rds.remove_tags_from_resource(ResourceName=group["DBSubnetGroupArn"], TagKeys=["dr:standby-for"])
    with pytest.raises(DrError, match=r"add-tags-to-resource --region us-west-2 .*dr:standby-for,Value=cluster:orders"):
        world.start()


# --- decommission ---------------------------------------------------------------------------------------------------------


def decommissioning(world: World) -> Journey:
    """Return a planned run that has come as far as REPLICATE, with its deletion approved."""
    run = world.start(Decommission=True)
    up_to(run, Phase.REPLICATE)
    stage = run.stage(Phase.DECOMMISSION)
    run.platform.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
    return run


@pytest.mark.parametrize("entry", [ORDERS, REPLICA], ids=["snapshots", "replica"])
def test_decommission_deletes_the_retired_cluster_and_keeps_its_final_snapshot(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, {**entry, "deletion_protection": True})
    run = decommissioning(world)
    (name,) = retired(world)

    ended = run.phase(Phase.DECOMMISSION)

    assert ended.outcome is Outcome.SUCCEEDED, ended.detail
    assert run.made(Phase.DECOMMISSION) == [
        "ModifyDBCluster",
        "DeleteDBInstance",
        "DeleteDBInstance",
        "DeleteDBCluster",
    ]
    assert retired(world) == []
    rds = world.aws("rds", SOURCE)
    (final,) = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=f"{name}-final")["DBClusterSnapshots"]
    assert final["Status"] == "available"
    assert clusters(world, TARGET)["orders"]["Status"] == "available"
    assert world.refusals() == []


def test_decommission_keeps_a_cluster_that_was_opened(world: World) -> None:
    own = groups(clusters(world, SOURCE)["orders"])
    run = decommissioning(world)
    (name,) = retired(world)
    rds = world.aws("rds", SOURCE)
    rds.modify_db_cluster(DBClusterIdentifier=name, VpcSecurityGroupIds=own, ApplyImmediately=True)
    world.wait(minutes=5)

    opened = run.phase(Phase.DECOMMISSION)

    assert opened.outcome is Outcome.FAILED
    assert "not behind the fence" in opened.detail
    assert (retired(world), run.made(Phase.DECOMMISSION)) == ([name], [])


# --- what a view alone decides ----------------------------------------------------------------------------------------


def looked_at(world: World, phase: Phase) -> tuple[RestoreView, RunContext]:
    """Return what a planned run sees before anything is changed."""
    run = world.start()
    target = load_target(run.platform.blobs, run.run_id, run.action(phase).target_id)
    context = run_context(run.run, phase, target, world.clock.now())
    adapter = run.platform.adapter("aurora")
    return adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context), context


def by_name(steps: list[Step]) -> dict[str, Step]:
    return {step.name: step for step in steps}


@pytest.mark.parametrize("status", ["failed", "incompatible-restore", "inaccessible-encryption-credentials"])
def test_every_failure_status_ends_a_step_with_a_remedy(world: World, status: str) -> None:
    view, run = looked_at(world, Phase.ACTIVATE)
    assert view.old is not None
    mine = [KeyValue(Key="dr:execution-id", Value=run.run_id)]
    broken = replace(view, target=view.target.model_copy(update={"Status": status, "TagList": mine}))
    shut = replace(view, source=view.old.model_copy(update={"Status": status}))

    ended = [
        by_name(WAY.activate(broken, run))["restore"],
        by_name(WAY.activate(broken, run))["target-serves"],
        by_name(WAY.activate(shut, run))["fence"],
        *WAY.cleanup(broken, run),
    ]

    assert {each.state for each in ended} == {StepState.FAILED, StepState.BLOCKED}
    assert all(each.remedy and status in each.reason for each in ended)


@pytest.mark.parametrize("status", ["failed", "incompatible-restore", "error"])
def test_a_copy_that_failed_says_what_to_delete(world: World, status: str) -> None:
    view, run = looked_at(world, Phase.ACTIVATE)
    named = f"orders-last-{run.short_id}-{run.now:%Y%m%d%H%M%S}"
    one = view.here.every[0].model_copy(update={"DBClusterSnapshotIdentifier": named, "Status": status})

    step = by_name(WAY.activate(replace(view, here=Copies((one,)), restarted_at=run.now), run))["last-copy"]

    assert step.state is StepState.FAILED
    assert step.remedy.startswith(f"aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier {named}")


def test_a_status_that_aws_documents_nowhere_is_an_error_and_no_wait(world: World) -> None:
    view, run = looked_at(world, Phase.ACTIVATE)
    assert view.old is not None
    strange = replace(view, source=view.old.model_copy(update={"Status": "dreaming"}))
    with pytest.raises(UpstreamError, match="'dreaming'"):
        WAY.activate(strange, run)


def test_a_copy_waits_until_one_of_five_that_are_under_way_has_ended(world: World) -> None:
    view, run = looked_at(world, Phase.ACTIVATE)
    one = view.here.every[0]
    under_way = [one.model_copy(update={"Status": "copying"}) for _ in range(5)]

    step = by_name(WAY.activate(replace(view, here=Copies((one, *under_way))), run))["last-copy"]

    assert step.state is StepState.BUSY
    assert "AWS allows 5 at a time" in step.reason


def test_nothing_is_retired_copied_back_or_deleted_before_the_restore(world: World) -> None:
    view, run = looked_at(world, Phase.CLEANUP)
    for steps in (WAY.cleanup(view, run), WAY.replicate(view, run)):
        assert [(step.state, step.remedy) for step in steps] == [(StepState.BLOCKED, "run ACTIVATE first")]
    assert [step.call for step in WAY.decommission(view, run)] == [None]
    drilled = replace(run, mode=Mode.DRILL)
    assert [step.call for step in WAY.replicate(view, drilled)] == [None]
    assert timedelta(0) <= timedelta(seconds=WAY.loss(view, run)[0].seconds or 0)
