"""What is told of a MemoryDB cluster before anything is called, and every status that must end a run rather than be waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters import registry
from orchestrator.context import run_context
from orchestrator.contract import RunContext
from orchestrator.targets import load_target
from orchestrator.words import Operation, Outcome, Phase, Severity, StepState
from tests.adapters.memorydb_scene import SHARED, bucket, cluster, groups, members_world, single_world, up_to
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World

Trouble = Callable[[World], Any]


def stored(world: World, region: str, name: str = "orders") -> Any:
    """Return a cluster as the embedded AWS keeps it."""
    return world.local.backend("memorydb", APPS, region).clusters[name]


def snapshot(world: World) -> None:
    world.aws("memorydb", TARGET).create_snapshot(ClusterName="orders", SnapshotName="nightly")


def break_member(world: World) -> None:
    stored(world, TARGET).status = "create-failed"


def update_whole(world: World) -> None:
    world.aws("memorydb", SOURCE).update_multi_region_cluster(MultiRegionClusterName=SHARED, NodeType="db.r7g.2xlarge")


def trail_behind(world: World) -> None:
    stored(world, TARGET).lag_milliseconds = 400_000.0


def join_a_third(world: World) -> None:
    memorydb = world.aws("memorydb", "eu-west-1")
    ec2 = world.aws("ec2", "eu-west-1")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
    memorydb.create_subnet_group(SubnetGroupName="orders-subnets", SubnetIds=subnets)
    memorydb.create_cluster(
        ClusterName="orders",
        NodeType="db.r7g.xlarge",
        ACLName="open-access",
        MultiRegionClusterName=SHARED,
        SubnetGroupName="orders-subnets",
    )
    world.wait(minutes=15)


def disable_key(world: World) -> None:
    world.aws("kms", TARGET).disable_key(KeyId=cluster(world, TARGET)["KmsKeyId"].rpartition("/")[2])


def lose_acl(world: World) -> None:
    stored(world, TARGET).acl_name = "team"


@pytest.mark.parametrize(
    ("trouble", "code", "text", "ready"),
    [
        (snapshot, "busy", f"orders in {TARGET} is snapshotting, expected available. The run waits for it.", True),
        (break_member, "status", f"orders in {TARGET} is create-failed, expected available", False),
        (update_whole, "multi-region-status", f"{SHARED} is updating, expected available", False),
        (trail_behind, "lag", "lag is 400 s, dr:rpo-target is 5 min", False),
        (join_a_third, "more-members", f"{SHARED} has members in eu-west-1 too", True),
        (disable_key, "kms-key", "is Disabled, expected Enabled", False),
        (lose_acl, "acl", f"ACL team is not there in {TARGET}, expected active", False),
    ],
)
def test_what_readiness_finds_of_members(
    monkeypatch: pytest.MonkeyPatch, trouble: Trouble, code: str, text: str, ready: bool
) -> None:
    world = members_world(monkeypatch)
    trouble(world)
    world.wait(minutes=1)
    run = world.start()
    assert text in run.findings[code]
    assert run.ready is ready
    assert world.operations() == []


def test_a_strategy_that_is_slower_than_the_rto_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = single_world(monkeypatch, tags={"dr:rto-target": "30"})
    assert "snapshot-restore usually takes 35 minutes" in world.start().findings["rto"]


def untag(world: World, *keys: str) -> None:
    memorydb = world.aws("memorydb", TARGET)
    arn = memorydb.describe_subnet_groups(SubnetGroupName="orders-subnets")["SubnetGroups"][0]["ARN"]
    memorydb.untag_resource(ResourceArn=arn, TagKeys=list(keys))


@pytest.mark.parametrize(
    ("trouble", "code", "text", "ready"),
    [
        (lambda w: untag(w, "dr:export-bucket"), "bucket", f"no bucket for exports is named in {TARGET}", False),
        (lambda w: untag(w, "dr:security-groups"), "security-groups", "clients would not get in", False),
        (lambda w: untag(w, "dr:kms-key"), "no-key", "encrypted with a key AWS owns", True),
        (
            lambda w: w.aws("s3", TARGET).delete_bucket_replication(Bucket=bucket(TARGET)),
            "way-back",
            f"bucket {bucket(TARGET)} has no enabled replication rule to {bucket(SOURCE)}",
            True,
        ),
        (lambda w: w.wait(minutes=60), "export-age", "min old, dr:rpo-target is 5 min", True),
        (
            lambda w: w.aws("s3", TARGET).delete_object(Bucket=bucket(TARGET), Key="orders.nightly-0001.rdb"),
            "export",
            "an emergency could restore nothing",
            True,
        ),
    ],
)
def test_what_readiness_finds_of_exports(
    monkeypatch: pytest.MonkeyPatch, trouble: Trouble, code: str, text: str, ready: bool
) -> None:
    world = single_world(monkeypatch)
    trouble(world)
    run = world.start()
    assert text in run.findings[code]
    assert run.ready is ready


def test_data_tiering_and_a_long_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = single_world(monkeypatch, name="orders-of-the-whole-wide-world")
    show = world.local.service("memorydb").show_cluster  # type: ignore[attr-defined]
    tiered = lambda one, **how: {**show(one, **how), "DataTiering": "true"}  # noqa: E731
    monkeypatch.setattr(world.local.service("memorydb"), "show_cluster", tiered)
    run = world.start()
    assert "uses data tiering: MemoryDB cannot export it" in run.findings["data-tiering"]
    assert "is too long for a restored cluster" in run.findings["name"]
    assert not run.ready


def test_without_buckets_nothing_is_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    world = single_world(monkeypatch)
    untag(world, "dr:export-bucket")
    run = world.start()
    blocked = run.phase(Phase.INSTANTIATE)
    assert blocked.outcome is Outcome.FAILED
    assert f"no bucket for exports is named in {TARGET}" in blocked.detail
    assert "dr:export-bucket" in blocked.remedy


# --- statuses ---------------------------------------------------------------------------------------------------------


ADAPTER = registry.adapter("memorydb")


def seen(world: World, run: Journey, phase: Phase) -> tuple[Any, RunContext]:
    """Return what the adapter sees now, and for what."""
    (planned,) = run.plan.targets
    target = load_target(run.platform.blobs, run.run_id, planned.target_id)
    context = run_context(run.run, phase, target, world.clock.now())
    return ADAPTER.observe(target, run.platform.open_session(run.run, ADAPTER, context, target), context), context


def judge(world: World, run: Journey, phase: Phase) -> list[Any]:
    """Return the steps of a phase as they would be judged now."""
    return ADAPTER.steps(phase, *seen(world, run, phase))


@pytest.mark.parametrize(
    ("status", "state", "text"),
    [
        ("create-failed", StepState.FAILED, "is create-failed, expected available"),
        ("restore-failed", StepState.FAILED, "is restore-failed, expected available"),
        ("deleting", StepState.FAILED, "is deleting, expected available"),
        ("on-holiday", StepState.FAILED, "is on-holiday: no status that MemoryDB documents"),
        ("updating", StepState.BUSY, "is updating, expected available"),
        ("snapshotting", StepState.BUSY, "is snapshotting, expected available"),
        ("creating", StepState.BUSY, "is creating, expected available"),
        ("Available", StepState.DONE, "is available"),
    ],
)
def test_every_status_of_a_member_ends_or_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, status: str, state: StepState, text: str
) -> None:
    world = members_world(monkeypatch)
    run = world.start()
    stored(world, TARGET).status = status
    (member, *_) = judge(world, run, Phase.INSTANTIATE)
    assert (member.name, member.state) == ("member", state)
    assert text in member.reason
    assert member.remedy or state is not StepState.FAILED


@pytest.mark.parametrize("status", ["updating", "snapshotting"])
def test_a_source_that_is_busy_is_fenced_when_it_is_available_again(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    world = members_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    stored(world, SOURCE).status = status
    run.until(Phase.ACTIVATE, "fence-group")
    run.tick(Phase.ACTIVATE)
    steps = {step.name: step for step in judge(world, run, Phase.ACTIVATE)}
    assert {steps["remember-security-groups"].state, steps["fence"].state} == {StepState.BUSY}
    stored(world, SOURCE).status = "available"
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_nothing_is_concluded_from_tags_that_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a fenced source whose tags MemoryDB does not list just now
    world = members_world(monkeypatch)
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    fault = {"effect": "error", "service": "memorydb", "operation": "ListTags", "code": "InvalidClusterStateFault"}
    world.fault(**fault, status=400, message="not now", region=SOURCE)
    # Then it is neither fenced a second time nor taken for open
    (fence,) = judge(world, run, Phase.CLEANUP)
    assert (fence.name, fence.state) == ("fence", StepState.BUSY)
    assert "the tags of orders cannot be listed" in fence.reason


def test_a_fence_that_somebody_opened_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    ec2 = world.aws("ec2", SOURCE)
    vpc = ec2.describe_security_groups(GroupIds=groups(cluster(world, SOURCE)))["SecurityGroups"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="dr-fence", Description="x", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    stopped = run.phase(Phase.ACTIVATE)
    assert stopped.outcome is Outcome.FAILED
    assert f"security group dr-fence ({made}) has ingress rules, expected none" in stopped.detail


def test_a_cluster_that_forgot_its_own_groups_or_has_none_is_not_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    stored(world, SOURCE).security_group_ids = ()
    none = run.phase(Phase.ACTIVATE)
    assert "orders shows no security groups" in none.detail
    run.end()

    again = world.start()
    again.phase(Phase.INSTANTIATE)
    ec2 = world.aws("ec2", SOURCE)
    vpc = world.aws("memorydb", SOURCE).describe_subnet_groups()["SubnetGroups"][0]["VpcId"]
    fence = ec2.create_security_group(GroupName="dr-fence", Description="x", VpcId=vpc)["GroupId"]
    stored(world, SOURCE).security_group_ids = (fence,)
    forgotten = again.phase(Phase.ACTIVATE)
    assert forgotten.outcome is Outcome.FAILED
    assert "is fenced, but dr:fenced does not tell its own security groups" in forgotten.detail
    assert "aws memorydb tag-resource" in forgotten.remedy


def test_a_target_that_is_no_member_or_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    run = world.start(Phases=["ACTIVATE"])
    shared = world.local.service("memorydb").multi_regions[APPS][SHARED]  # type: ignore[attr-defined]
    here = stored(world, TARGET)
    shared.members.remove(here)
    assert "belongs to no multi-Region cluster" in judge(world, run, Phase.ACTIVATE)[-1].reason
    del world.local.backend("memorydb", APPS, TARGET).clusters["orders"]
    last = judge(world, run, Phase.ACTIVATE)[-1]
    assert (last.state, "there is no member orders" in last.reason) == (StepState.BLOCKED, True)


def test_sides_in_two_accounts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    run = world.start()
    view, context = seen(world, run, Phase.INSTANTIATE)
    there = replace(view.member.source, account="333333333333")
    found = ADAPTER.readiness(replace(view, member=replace(view.member, source=there)), context)
    assert [each.severity for each in found if each.code == "account"] == [Severity.RED]


def test_the_probe_connects_to_what_serves_and_to_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    run = world.start()
    up_to(run, Phase.ACTIVATE)
    view, context = seen(world, run, Phase.ACTIVATE)
    (endpoint,) = ADAPTER.endpoints(view, context)
    shown = cluster(world, TARGET)["ClusterEndpoint"]
    assert (endpoint.host, endpoint.port) == (shown["Address"], shown["Port"])
    assert ADAPTER.endpoints(replace(view, target=view.source), context) == []


def test_health_tells_a_fenced_target_from_one_that_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = members_world(monkeypatch)
    first = world.start()
    first.all()
    first.end()
    run = world.start(Operation.FAILBACK)
    view, context = seen(world, run, Phase.ACTIVATE)
    checks = {check.name: (check.state, check.detail) for check in ADAPTER.health(view, context)}
    assert checks["open"] == ("unhealthy", "orders is fenced")
    gone = ADAPTER.health(replace(view, target=replace(view.target, cluster=None)), context)
    assert [(each.name, each.state) for each in gone] == [("cluster", "unhealthy")]
