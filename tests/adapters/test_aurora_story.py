"""Aurora global databases move between Regions: each story is one run an operator starts."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.context import run_context
from orchestrator.targets import load_target
from orchestrator.words import CheckState, Operation, Outcome, Phase, StepState
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{APPS}:cluster:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{APPS}:cluster:orders"
ORDERS = {"kind": "aurora-global", "name": "orders", "tags": {"dr:rpo-target": "1"}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def group(world: World) -> dict[str, Any]:
    found = world.aws("rds", TARGET).describe_global_clusters(GlobalClusterIdentifier="orders")
    return dict(found["GlobalClusters"][0])


def writer(world: World) -> str:
    return next(str(one["DBClusterArn"]) for one in group(world)["GlobalClusterMembers"] if one["IsWriter"])


def instance_writers(world: World, region: str) -> list[str]:
    members = world.aws("rds", region).describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"][0]
    return [one["DBInstanceIdentifier"] for one in members["DBClusterMembers"] if one["IsClusterWriter"]]


def make_headless(world: World) -> None:
    rds = world.aws("rds", TARGET)
    for name in ("orders-1", "orders-2"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.wait(minutes=5)


def test_planned_failover_and_failback_switch_over_and_make_only_the_calls_they_showed(world: World) -> None:
    there = world.start()
    assert there.ready
    assert there.findings == {"ready": "orders can take over, lag 0.1 s."}
    assert there.previewed_calls() == ["SwitchoverGlobalCluster"]
    assert not any(stage.irreversible for stage in there.plan.stages), "a switchover can be switched back"

    ended = there.all()

    assert [action.outcome for action in ended.values()] == [
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
        Outcome.SKIPPED,
        Outcome.SUCCEEDED,
    ]
    assert writer(world) == TARGET_ARN
    assert {check.state for check in there.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
    assert (world.operations(SOURCE), world.operations(TARGET)) == (["SwitchoverGlobalCluster"], [])

    there.end()
    back = world.start(Operation.FAILBACK)
    back.all()

    assert writer(world) == SOURCE_ARN
    assert {member["SynchronizationStatus"] for member in group(world)["GlobalClusterMembers"]} == {"connected"}
    assert (world.operations(SOURCE), world.operations(TARGET)) == (
        ["SwitchoverGlobalCluster"],
        ["SwitchoverGlobalCluster"],
    )
    assert world.refusals() == []


def test_a_run_started_again_after_it_is_done_calls_nothing(world: World) -> None:
    first = world.start()
    first.all()
    first.end()
    world.local.call_log.clear()

    again = world.start()
    again.all()

    assert again.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert world.operations() == []


def test_a_headless_target_gets_an_instance_before_the_switch(world: World) -> None:
    make_headless(world)
    run = world.start()
    assert "headless" in run.findings
    assert run.previewed_calls() == ["CreateDBInstance", "SwitchoverGlobalCluster"]

    run.all()

    assert writer(world) == TARGET_ARN
    assert run.made() == ["CreateDBInstance", "SwitchoverGlobalCluster"]
    (made,) = instance_writers(world, TARGET)
    tags = world.aws("rds", TARGET).describe_db_instances(DBInstanceIdentifier=made)["DBInstances"][0]["TagList"]
    assert {"Key": "dr:execution-id", "Value": run.run_id} in tags


def test_a_target_that_lags_more_than_its_rpo_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "lag_milliseconds": 90_000})

    run = world.start()

    assert not run.ready
    assert run.findings["lag"] == "replication lag is 90.0 s, dr:rpo-target is 1 min."


def test_different_engine_versions_are_refused_before_anything_is_called(world: World) -> None:
    rds = world.aws("rds", TARGET)
    rds.modify_db_cluster(DBClusterIdentifier="orders", EngineVersion="16.6", ApplyImmediately=True)
    world.wait(minutes=2)

    run = world.start()

    assert not run.ready
    assert run.findings["version"] == "the engine versions differ: 16.4 on the source side, 16.6 here."


def test_a_switchover_that_aws_cancels_is_tried_again_and_then_reported(world: World) -> None:
    world.fault(effect="fail", kind="rds.switchover-global-cluster")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    ended = run.phase(Phase.ACTIVATE)

    assert ended.outcome is Outcome.FAILED
    assert ended.detail.startswith("switch-over-global-cluster: the call was made 3 times and its effect never showed")
    assert writer(world) == SOURCE_ARN

    world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert writer(world) == TARGET_ARN


def test_a_lost_answer_is_followed_by_a_look_and_not_by_a_second_call(world: World) -> None:
    world.fault(effect="lost-answer", service="rds", operation="SwitchoverGlobalCluster")
    run = world.start()

    run.all()

    assert writer(world) == TARGET_ARN
    tried = [call for call in world.calls() if call.operation == "SwitchoverGlobalCluster"]
    assert len(tried) == 1


def test_a_switchover_that_is_refused_for_a_while_outlasts_the_refusals(world: World) -> None:
    world.fault(
        effect="error", code="InvalidGlobalClusterStateFault", message="busy", service="rds", first=5,
        operation="SwitchoverGlobalCluster",
    )  # fmt: skip
    run = world.start()

    run.all()

    assert writer(world) == TARGET_ARN


def test_rolling_back_an_activation_switches_over_again(world: World) -> None:
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    assert writer(world) == TARGET_ARN

    undone = run.rollback(Phase.ACTIVATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    assert writer(world) == SOURCE_ARN
    assert world.refusals() == []


def test_an_emergency_forces_the_target_while_the_source_region_is_dark(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.wait(minutes=2)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert loss.seconds is not None
    assert 60 < loss.seconds < 300
    assert run.plan.deferred == (Phase.CLEANUP, Phase.REPLICATE)
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert (writer(world), instance_writers(world, TARGET)) == (TARGET_ARN, ["orders-1"])
    assert run.made() == ["FailoverGlobalCluster"]
    assert {call.region for call in world.calls()} == {TARGET}, "an emergency never calls the lost Region"

    # The lost Region returns, is rebuilt by Aurora, and the shop moves home without loss.
    run.end()
    world.repair()
    world.wait(minutes=15)
    world.start(Operation.FAILBACK).all()
    assert writer(world) == SOURCE_ARN


def test_a_forced_failover_waits_for_the_commit_gate_and_cannot_be_undone(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True, commit=False)
    assert [stage.irreversible for stage in run.plan.stages] == [True]

    refused = run.phase(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "commit gate" in refused.detail
    assert world.operations() == []

    run.commit()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    blocked = run.rollback(Phase.ACTIVATE)
    assert (blocked.outcome, writer(world)) == (Outcome.FAILED, TARGET_ARN)
    assert "cannot be undone" in blocked.detail


@pytest.mark.parametrize("trouble", ["stuck", "hung-switchover", "versions"])
def test_an_emergency_detaches_the_target_when_a_failover_cannot_work(world: World, trouble: str) -> None:
    if trouble == "versions":
        rds = world.aws("rds", TARGET)
        rds.modify_db_cluster(DBClusterIdentifier="orders", EngineVersion="16.6", ApplyImmediately=True)
        world.wait(minutes=2)
    world.inventory()
    if trouble == "hung-switchover":
        world.aws("rds", SOURCE).switchover_global_cluster(
            GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=TARGET_ARN
        )
        world.wait(minutes=0.5)
    world.darken(SOURCE)
    if trouble == "stuck":
        world.fault(effect="stuck", kind="rds.failover-global-cluster")

    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()

    ended = run.action(Phase.ACTIVATE)
    assert (ended.outcome, ended.detail) == (Outcome.SUCCEEDED, "")
    assert run.made()[-1] == "RemoveFromGlobalCluster"
    assert instance_writers(world, TARGET) == ["orders-1"]
    assert [one["DBClusterArn"] for one in group(world)["GlobalClusterMembers"]] == [SOURCE_ARN]


def test_an_emergency_with_a_headless_target_makes_an_instance_first(world: World) -> None:
    make_headless(world)
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)
    assert run.previewed_calls() == ["CreateDBInstance", "FailoverGlobalCluster"]
    run.all()

    assert writer(world) == TARGET_ARN
    assert run.made() == ["CreateDBInstance", "FailoverGlobalCluster"]
    assert world.refusals() == []


def test_a_drill_restores_a_copy_checks_it_and_leaves_no_trace(world: World) -> None:
    before = group(world)
    run = world.start(Operation.TEST, commit=False)
    foreseen = run.previewed_calls()

    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    (check,) = run.stage(Phase.ACTIVATE).checks
    assert (check.name, check.state) == ("drill-copy", CheckState.HEALTHY)
    run.phase(Phase.CLEANUP)

    assert [run.action(phase).outcome for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP)] == [
        Outcome.SUCCEEDED,
        Outcome.SKIPPED,
        Outcome.SUCCEEDED,
    ]
    assert run.made() == foreseen
    assert group(world) == before
    rds = world.aws("rds", TARGET)
    assert [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]] == ["orders"]
    assert rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"] == []
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_is_rolled_back_while_its_copy_is_still_being_made(world: World) -> None:
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "drill-instance")

    undone = run.rollback(Phase.INSTANTIATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    rds = world.aws("rds", TARGET)
    assert [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]] == ["orders"]
    assert rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"] == []


def test_a_drill_never_deletes_a_namesake_it_did_not_make(world: World) -> None:
    run = world.start(Operation.TEST)
    step = next(each for each in run.preview(Phase.INSTANTIATE) if each.name == "drill-snapshot")
    assert step.state is StepState.TODO
    assert step.call is not None
    name = str(step.call.params["DBClusterSnapshotIdentifier"])
    rds = world.aws("rds", TARGET)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="orders", DBClusterSnapshotIdentifier=name)
    world.wait(minutes=3)

    for phase in (Phase.INSTANTIATE, Phase.CLEANUP):
        ended = run.phase(phase)
        assert ended.outcome is Outcome.FAILED
        assert "does not carry dr:drill-id" in ended.detail
    assert len(rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]) == 1


def endpoints(run: Journey) -> list[tuple[str, int]]:
    """Return where a probe in the VPC would connect to."""
    adapter = run.platform.adapter("aurora")
    target = load_target(run.platform.blobs, run.run_id, run.action(Phase.ACTIVATE).target_id)
    context = run_context(run.run, Phase.ACTIVATE, target, run.world.clock.now())
    view = adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context)
    return [(each.host, each.port) for each in adapter.endpoints(view, context)]


def test_clients_are_probed_at_the_cluster_that_takes_over_and_in_a_drill_at_its_copy(world: World) -> None:
    # Given a drill whose copy is there
    drill = world.start(Operation.TEST)
    drill.phase(Phase.INSTANTIATE)
    clusters = {
        each["DBClusterIdentifier"]: each for each in world.aws("rds", TARGET).describe_db_clusters()["DBClusters"]
    }
    own = clusters.pop("orders")
    (copy,) = clusters.values()

    # Then the copy is what a probe connects to
    assert endpoints(drill) == [(copy["Endpoint"], 5432)]

    # And when the drill is over and the roles are switched, it is the cluster of the target side
    drill.all()
    drill.end()
    assert endpoints(drill) == []
    run = world.start()
    run.all()
    assert endpoints(run) == [(own["Endpoint"], 5432)]


def test_a_strategy_slower_than_the_recovery_time_asked_for_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "tags": {"dr:rto-target": "2"}})

    run = world.start()

    assert run.ready
    assert run.findings["rto"] == "global-database usually takes 4 minutes to activate, dr:rto-target is 2."


def test_an_engine_that_is_no_aurora_stops_the_run_by_name(world: World) -> None:
    tags = [
        {"Key": k, "Value": v}
        for k, v in (("Customer", "CustomerX"), ("Environment", "production"), ("dr:enabled", "true"))
    ]
    world.aws("rds", SOURCE).create_db_cluster(
        DBClusterIdentifier="graph", Engine="neptune", MasterUsername="a", MasterUserPassword="long-enough", Tags=tags
    )
    with pytest.raises(Exception, match="graph runs neptune; expected one of aurora-mysql, aurora-postgresql"):
        world.start()
