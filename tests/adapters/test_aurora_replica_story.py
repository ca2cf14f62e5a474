"""Aurora MySQL binlog replicas move between Regions: each story is one run an operator starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.aurora.adapter import AuroraAdapter
from adapters.aurora.view_replica import ReplicaView
from adapters.reading import Datapoint
from orchestrator.context import run_context
from orchestrator.contract import RunContext, Step
from orchestrator.targets import load_target
from orchestrator.words import CheckState, Mode, Operation, Outcome, Phase, StepState
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{APPS}:cluster:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{APPS}:cluster:orders"
STRATEGY = {"dr:recovery-strategy": "cross-region-replica"}
ORDERS = {"kind": "aurora-replica", "name": "orders", "tags": {"dr:rpo-target": "1", **STRATEGY}}
FENCE = ["CreateSecurityGroup", "AddTagsToResource", "ModifyDBCluster", "RebootDBInstance"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, ORDERS)


def clusters(world: World, region: str) -> dict[str, dict[str, Any]]:
    return {each["DBClusterIdentifier"]: each for each in world.aws("rds", region).describe_db_clusters()["DBClusters"]}


def cluster(world: World, region: str, name: str = "orders") -> dict[str, Any]:
    return clusters(world, region)[name]


def follows(world: World, region: str) -> str | None:
    return cluster(world, region).get("ReplicationSourceIdentifier")


def groups_of(world: World, found: dict[str, Any]) -> list[str]:
    ids = [each["VpcSecurityGroupId"] for each in found["VpcSecurityGroups"]]
    region = found["DBClusterArn"].split(":")[3]
    described = world.aws("ec2", region).describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return [each["GroupName"] for each in described]


def retired(world: World, region: str) -> dict[str, Any]:
    (found,) = (each for name, each in clusters(world, region).items() if "-retired-" in name)
    return found


def refusal(run: Journey, phase: Phase) -> str:
    ended = run.phase(phase)
    assert ended.outcome is Outcome.FAILED
    return ended.detail


def test_planned_failover_and_failback_promote_behind_a_fence_and_leave_a_replica_behind(world: World) -> None:
    # Given a replica that follows
    there = world.start()
    assert there.findings == {"ready": "orders can take over, lag 1 s."}
    foreseen = there.previewed_calls()

    # When the run goes through
    there.all()

    # Then it made the calls it showed; the target stands alone, the source side follows it
    assert there.made() == foreseen
    assert there.made(Phase.ACTIVATE) == [*FENCE, "PromoteReadReplicaDBCluster"]
    assert (follows(world, TARGET), follows(world, SOURCE)) == (None, TARGET_ARN)
    assert {check.state for check in there.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}

    # And the old primary is kept, fenced and out of the scope, while its successor has its own groups and tags
    old = retired(world, SOURCE)
    assert groups_of(world, old) == ["dr-fence"]
    assert "dr:enabled" not in {tag["Key"] for tag in old["TagList"]}
    new = cluster(world, SOURCE)
    assert groups_of(world, new) == ["orders-db"]
    assert {"Key": "dr:enabled", "Value": "true"} in new["TagList"]

    # And the way back is the same
    there.end()
    world.wait(minutes=10)
    back = world.start(Operation.FAILBACK)
    assert back.ready
    back.all()
    assert (follows(world, SOURCE), follows(world, TARGET)) == (None, SOURCE_ARN)
    assert world.refusals() == []


def test_an_emergency_promotes_while_the_source_region_is_dark_and_retires_the_old_primary_later(world: World) -> None:
    # Given a lost source Region
    world.inventory()
    world.darken(SOURCE)
    world.wait(minutes=2)
    world.local.call_log.clear()

    # When the run is forced
    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert (loss.seconds, loss.detail) == (1.0, "last known AuroraBinlogReplicaLag")
    run.all()

    # Then the target was promoted, and the lost Region was never called
    assert run.made() == ["PromoteReadReplicaDBCluster"]
    assert follows(world, TARGET) is None
    assert {call.region for call in world.calls()} == {TARGET}
    assert "cannot be undone" in run.rollback(Phase.ACTIVATE).detail
    run.end()

    # And when the Region is back, a planned run is refused while both sides take writes
    world.repair()
    world.wait(minutes=5)
    refused = world.start()
    assert not refused.ready
    assert "both take writes" in refused.findings["two-writers"]
    assert "both take writes" in refusal(refused, Phase.INSTANTIATE)
    refused.end()

    # Until the old one is retired and a new replica follows
    rest = world.start(Phases=["CLEANUP", "REPLICATE"])
    rest.all()
    assert groups_of(world, retired(world, SOURCE)) == ["dr-fence"]
    assert follows(world, SOURCE) == TARGET_ARN
    assert world.refusals() == []


def test_an_emergency_with_a_replica_without_instance_makes_one_first(world: World) -> None:
    rds = world.aws("rds", TARGET)
    for name in ("orders-2", "orders-1"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.wait(minutes=5)
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "headless" in run.findings
    run.all()

    assert run.made() == ["CreateDBInstance", "PromoteReadReplicaDBCluster"]
    assert [each["IsClusterWriter"] for each in cluster(world, TARGET)["DBClusterMembers"]] == [True]


def test_rolling_back_before_the_promotion_opens_the_source_again(world: World) -> None:
    # Given a run that has fenced the source and waits for the lag
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "cut-connections")
    assert groups_of(world, cluster(world, SOURCE)) == ["dr-fence"]

    undone = run.rollback(Phase.ACTIVATE)

    assert undone.outcome is Outcome.ROLLED_BACK
    assert groups_of(world, cluster(world, SOURCE)) == ["orders-db"]
    assert "dr:fenced" not in {tag["Key"] for tag in cluster(world, SOURCE)["TagList"]}
    assert follows(world, TARGET) == SOURCE_ARN


def test_rolling_back_the_cleanup_gives_the_old_primary_its_name_and_the_promotion_stays(world: World) -> None:
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        run.phase(phase)
    assert set(clusters(world, SOURCE)) == {retired(world, SOURCE)["DBClusterIdentifier"]}

    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert set(clusters(world, SOURCE)) == {"orders"}
    assert "cannot be undone" in run.rollback(Phase.ACTIVATE).detail


def test_a_fence_that_somebody_has_opened_stops_the_run_before_the_promotion(world: World) -> None:
    # Given a fence group that lets clients in
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "fence-group")
    ec2 = world.aws("ec2", SOURCE)
    (fence,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["dr-fence"]}])["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=fence["GroupId"], IpPermissions=[rule])

    assert "has ingress rules, expected none" in refusal(run, Phase.ACTIVATE)
    assert follows(world, TARGET) == SOURCE_ARN


def test_a_replica_that_lags_more_than_its_rpo_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**ORDERS, "lag_milliseconds": 90_000})

    run = world.start()

    assert not run.ready
    assert run.findings["lag"] == "binlog lag is 90 s, dr:rpo-target is 1 min."


def test_a_promotion_that_fails_is_reported_and_can_be_tried_again(world: World) -> None:
    world.fault(effect="fail", kind="rds.promote-read-replica-db-cluster")
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    detail = refusal(run, Phase.ACTIVATE)
    assert detail.startswith("promote: the call was made 3 times and its effect never showed")

    world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert follows(world, TARGET) is None


def test_a_drill_restores_a_copy_beside_the_replica_and_leaves_no_trace(world: World) -> None:
    run = world.start(Operation.TEST)
    foreseen = run.previewed_calls()

    run.all()

    assert run.made() == foreseen
    assert follows(world, TARGET) == SOURCE_ARN
    assert set(clusters(world, TARGET)) == {"orders"}
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


# --- what a view alone decides ----------------------------------------------------------------------------------------

WAY = AuroraAdapter.ways["cross-region-replica"]


def looked_at(world: World, phase: Phase = Phase.ACTIVATE) -> tuple[ReplicaView, RunContext]:
    """Return what a planned run sees before anything is changed."""
    run = world.start()
    target = load_target(run.platform.blobs, run.run_id, run.action(phase).target_id)
    context = run_context(run.run, phase, target, world.clock.now())
    adapter = run.platform.adapter("aurora")
    return adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context), context


def by_name(steps: list[Step]) -> Mapping[str, Step]:
    return {step.name: step for step in steps}


def with_target(view: ReplicaView, **update: object) -> ReplicaView:
    return replace(view, target=view.target.model_copy(update=update))


@pytest.mark.parametrize(
    "status", ["failed", "inaccessible-encryption-credentials", "cloning-failed", "migration-failed"]
)
def test_every_failure_status_ends_a_step_with_a_remedy_and_is_never_waited_for(world: World, status: str) -> None:
    view, run = looked_at(world)
    assert view.source is not None
    broken = [each.model_copy(update={"DBInstanceStatus": status}) for each in view.instances]

    alone = with_target(view, Status=status, ReplicationSourceIdentifier=None)
    shut = replace(view, source=view.source.model_copy(update={"Status": status}))

    ended = [
        by_name(WAY.instantiate(replace(view, instances=tuple(broken)), run))["instance"],
        by_name(WAY.activate(shut, run))["fence"],
        by_name(WAY.activate(replace(view, source_instances=tuple(broken)), run))["cut-connections"],
        by_name(WAY.activate(with_target(view, Status=status), run))["promote"],
        by_name(WAY.activate(alone, replace(run, mode=Mode.EMERGENCY)))["target-serves"],
    ]

    assert [(each.name, each.state) for each in ended if each.state is not StepState.FAILED] == []
    assert all(each.remedy and status in each.reason for each in ended)


@pytest.mark.parametrize("status", ["failed", "inaccessible-encryption-credentials"])
def test_a_follower_that_cannot_be_made_is_a_failure_with_a_remedy(world: World, status: str) -> None:
    # Given a target that stands alone, and a replica on the source side that is broken
    view, run = looked_at(world, Phase.REPLICATE)
    assert view.source is not None
    alone = with_target(view, ReplicationSourceIdentifier=None)
    follower = view.source.model_copy(update={"Status": status, "ReplicationSourceIdentifier": TARGET_ARN})
    broken = tuple(each.model_copy(update={"DBInstanceStatus": status}) for each in view.source_instances)

    steps = by_name(WAY.replicate(replace(alone, source=follower, source_instances=broken), run))

    assert (steps["replica"].state, steps["replica-instance"].state) == (StepState.FAILED, StepState.FAILED)
    assert steps["replica"].remedy == "delete it, then retry."


@pytest.mark.parametrize(
    ("lag", "minutes", "state", "why"),
    [
        (0.0, 5, StepState.DONE, "lag was zero at 3 datapoints in a row"),
        (4.0, 5, StepState.BUSY, "lag 4 s, 4 s, 4 s, expected 3 datapoints at zero"),
        (4.0, 31, StepState.BLOCKED, "lag 4 s, 4 s, 4 s, not zero 31 min after the source was fenced"),
        (-1.0, 5, StepState.BLOCKED, "lag -1 s, -1 s, -1 s means that replication is broken"),
    ],
)
def test_only_a_lag_of_zero_behind_the_fence_lets_the_promotion_go_on(
    world: World, lag: float, minutes: int, state: StepState, why: str
) -> None:
    view, run = looked_at(world)
    restarted = run.now - timedelta(minutes=minutes)
    points = tuple(Datapoint(run.now - timedelta(minutes=each), lag) for each in (1, 2, 3))

    step = by_name(WAY.activate(replace(view, restarted_at=restarted, lag_points=points), run))["drain"]

    assert (step.state, step.reason) == (state, why)
    # And what was measured before the restart proves nothing
    early = replace(view, restarted_at=run.now, lag_points=points)
    assert by_name(WAY.activate(early, run))["drain"].state is StepState.BUSY


def test_each_thing_that_forbids_a_promotion_is_a_finding(world: World) -> None:
    view, run = looked_at(world, Phase.INSTANTIATE)

    def codes(seen: ReplicaView) -> set[str]:
        return {finding.code for finding in WAY.readiness(seen, run)}

    elsewhere = replace(view.member, target=replace(view.member.target, account="333333333333"))
    assert codes(view) == {"ready"}
    assert codes(with_target(view, Engine="aurora-postgresql")) == {"engine"}
    assert codes(with_target(view, Status="modifying")) == {"status"}
    assert codes(with_target(view, ReplicationSourceIdentifier=f"{SOURCE_ARN}-other")) == {"other-source"}
    assert codes(replace(view, member=elsewhere)) == {"accounts"}
    assert codes(replace(view, instances=())) == {"headless"}
    assert codes(replace(view, lag_points=())) == {"lag"}
    assert codes(with_target(replace(view, source=None), ReplicationSourceIdentifier=None)) == {"promoted"}


def test_nothing_is_retired_followed_or_deleted_before_the_promotion(world: World) -> None:
    view, run = looked_at(world, Phase.CLEANUP)

    for steps in (WAY.cleanup(view, run), WAY.replicate(view, run)):
        assert [(step.state, step.remedy) for step in steps] == [(StepState.BLOCKED, "run ACTIVATE first")]
    assert [step.call for step in WAY.decommission(view, run)] == [None]
