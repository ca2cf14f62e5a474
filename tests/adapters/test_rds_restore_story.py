"""RDS databases without a replica are restored in the other Region; what runs retire is deleted only when it may be."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import DrError
from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

BACKUPS: dict[str, Any] = {
    "kind": "rds-single",
    "name": "orders",
    "backups": True,
    "tags": {"dr:recovery-strategy": "automated-backup-replication"},
}
SNAPSHOTS: dict[str, Any] = {
    "kind": "rds-single",
    "name": "orders",
    "copied": True,
    "tags": {"dr:recovery-strategy": "snapshot-copy"},
}
REPLICA: dict[str, Any] = {"kind": "rds-replica", "name": "orders", "deletion_protection": True}
both = pytest.mark.parametrize("entry", [BACKUPS, SNAPSHOTS], ids=["backups", "snapshots"])


def instances(world: World, region: str) -> dict[str, dict[str, Any]]:
    found = world.aws("rds", region).describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"]: one for one in found}


def groups(shown: dict[str, Any]) -> list[str]:
    return [group["VpcSecurityGroupId"] for group in shown["VpcSecurityGroups"]]


def retired(world: World, region: str = SOURCE) -> list[str]:
    return [name for name in instances(world, region) if "-retired-" in name]


def up_to(run: Journey, phase: Phase) -> None:
    for each in LIFECYCLE:
        run.phase(each)
        if each is phase:
            return


def decommissioning(world: World) -> Journey:
    """Return a planned run that has come as far as REPLICATE, with its deletion approved."""
    run = world.start(Decommission=True)
    up_to(run, Phase.REPLICATE)
    stage = run.stage(Phase.DECOMMISSION)
    run.platform.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
    return run


@both
def test_a_restored_database_serves_from_the_target_and_the_way_back_is_prepared(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    # Given a database that stands on the source side alone
    world = open_world(monkeypatch, entry)
    own, (fenced_before,) = instances(world, SOURCE)["orders"], groups(instances(world, SOURCE)["orders"])

    # When it is moved
    run = world.start()
    assert run.ready
    run.all()

    # Then the restored one is as large, open to its own clients, and the old one is fenced, renamed and out of the scope
    served = instances(world, TARGET)["orders"]
    assert served["DBInstanceStatus"] == "available"
    assert [served[k] for k in ("DBInstanceClass", "MultiAZ", "BackupRetentionPeriod")] == [
        own[k] for k in ("DBInstanceClass", "MultiAZ", "BackupRetentionPeriod")
    ]
    (open_group,) = groups(served)
    assert world.aws("ec2", TARGET).describe_security_groups(GroupIds=[open_group])["SecurityGroups"][0][
        "IpPermissions"
    ]
    (old,) = retired(world)
    assert groups(instances(world, SOURCE)[old]) != [fenced_before]
    assert "dr:enabled" not in {tag["Key"] for tag in instances(world, SOURCE)[old]["TagList"]}
    checks = {check.name: check.state for check in run.stage(Phase.REPLICATE).checks}
    assert checks == dict.fromkeys(("role", "instance", "protection"), CheckState.HEALTHY)
    run.end()

    # And the way back ends where everything began
    back = world.start(Operation.FAILBACK)
    assert back.ready
    back.all()
    assert [back.action(phase).outcome for phase in LIFECYCLE][1:] == [Outcome.SUCCEEDED] * 3
    home = instances(world, SOURCE)["orders"]
    assert (home["DBInstanceStatus"], groups(home)) == ("available", [fenced_before])
    assert home["KmsKeyId"] == own["KmsKeyId"]
    assert world.refusals() == []


@both
def test_an_emergency_restores_the_newest_content_and_asks_nobody_on_the_lost_side(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, entry)
    world.wait(minutes=10)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    (loss,) = run.plan.losses
    assert loss.seconds is not None and 240 < loss.seconds < 1800
    run.all()

    assert run.action(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert instances(world, TARGET)["orders"]["DBInstanceStatus"] == "available"
    assert {call.region for call in world.calls()} == {TARGET}
    run.end()

    # When the Region returns with the old database open, a new switch is refused until the old one is retired
    world.repair()
    refused = world.start()
    assert "nobody knows which is current" in refused.findings["two-instances"]
    assert not refused.ready
    refused.end()
    deferred = world.start(Phases=["CLEANUP", "REPLICATE"])
    deferred.all()
    assert deferred.action(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert "orders" not in instances(world, SOURCE)
    assert world.refusals() == []


@pytest.mark.parametrize("entry", [{**BACKUPS, "backups": False}, {**SNAPSHOTS, "copied": False}], ids=["b", "s"])
def test_an_emergency_without_any_content_says_so_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, entry)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "everything would be lost" in run.plan.losses[0].detail
    ended = run.phase(Phase.ACTIVATE)
    assert ended.outcome is Outcome.FAILED
    assert "can be restored in us-west-2" in ended.detail
    assert world.operations() == []


@both
def test_a_rollback_opens_the_source_until_the_restore_is_called_and_not_later(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, entry)
    own = groups(instances(world, SOURCE)["orders"])
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "cut-connections")
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert groups(instances(world, SOURCE)["orders"]) == own
    run.end()

    again = world.start()
    up_to(again, Phase.ACTIVATE)
    refused = again.rollback(Phase.ACTIVATE)
    assert refused.outcome is Outcome.FAILED
    assert "may hold newer writes" in refused.detail
    assert "failback" in refused.remedy


def test_what_is_restored_was_taken_behind_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SNAPSHOTS)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "restore")
    (restart,) = (
        event["Date"]
        for event in world.aws("rds", SOURCE).describe_events(SourceType="db-instance", SourceIdentifier="orders")[
            "Events"
        ]
        if "restarted" in event["Message"]
    )
    copies = world.aws("rds", TARGET).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    (last,) = (one for one in copies if one["DBSnapshotIdentifier"].startswith("orders-last-"))
    assert last["OriginalSnapshotCreateTime"] > restart


def test_a_failed_restore_says_what_to_delete_and_the_retry_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, BACKUPS)
    world.fault(effect="fail", kind="rds.restore-db-instance")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    failed = run.phase(Phase.ACTIVATE)
    assert failed.outcome is Outcome.FAILED
    assert "orders is failed" in failed.detail
    assert "aws rds delete-db-instance --db-instance-identifier orders" in failed.remedy

    world.repair()
    rds = world.aws("rds", TARGET)
    rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    world.wait(minutes=10)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_a_stranger_of_the_same_name_is_never_taken_for_the_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SNAPSHOTS)
    world.aws("rds", TARGET).create_db_instance(
        DBInstanceIdentifier="orders",
        Engine="mysql",
        DBInstanceClass="db.r6g.large",
        AllocatedStorage=20,
        MasterUsername="u",
        MasterUserPassword="not-a-secret",  # noqa: S106
    )
    world.wait(minutes=10)
    run = world.start()
    assert "does not belong to CustomerX" in run.findings["two-instances"]
    run.phase(Phase.INSTANTIATE)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert world.operations() == []


@pytest.mark.parametrize(
    ("engine", "named"),
    [("docdb", "Amazon DocumentDB"), ("neptune", "Amazon Neptune"), ("custom-oracle-ee", "RDS Custom")],
)
def test_what_only_looks_like_rds_is_named_and_refused(
    monkeypatch: pytest.MonkeyPatch, engine: str, named: str
) -> None:
    world = open_world(monkeypatch, REPLICA)
    for region in (SOURCE, TARGET):
        world.local.backend("rds", APPS, region).databases["orders"].engine = engine
    with pytest.raises(DrError, match=f"belongs to {named}, which only looks like RDS"):
        world.start()


def test_a_strategy_too_slow_for_the_tag_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**SNAPSHOTS, "tags": {**SNAPSHOTS["tags"], "dr:rto-target": "30"}})
    run = world.start()
    assert run.findings["rto"] == "snapshot-copy usually takes 90 minutes to activate, dr:rto-target is 30."
    assert run.ready


def test_missing_surroundings_of_the_restore_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SNAPSHOTS)
    world.aws("rds", TARGET).delete_db_parameter_group(DBParameterGroupName="orders-params")
    run = world.start()
    assert run.findings["surroundings"] == "not there in us-west-2: parameter group orders-params."
    assert not run.ready


@pytest.mark.parametrize("entry", [REPLICA, BACKUPS, SNAPSHOTS], ids=["replica", "backups", "snapshots"])
def test_decommission_deletes_the_retired_instance_and_keeps_its_final_snapshot(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, {**entry, "deletion_protection": True})
    run = decommissioning(world)
    (name,) = retired(world)

    ended = run.phase(Phase.DECOMMISSION)

    assert ended.outcome is Outcome.SUCCEEDED, ended.detail
    assert run.made(Phase.DECOMMISSION) == ["ModifyDBInstance", "DeleteDBInstance"]
    assert retired(world) == []
    (final,) = world.aws("rds", SOURCE).describe_db_snapshots(DBSnapshotIdentifier=f"{name}-final")["DBSnapshots"]
    assert final["Status"] == "available"
    assert instances(world, TARGET)["orders"]["DBInstanceStatus"] == "available"
    assert world.refusals() == []


def test_decommission_keeps_an_instance_that_was_opened_or_is_replicated_from(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**REPLICA, "deletion_protection": False})
    run = decommissioning(world)
    (name,) = retired(world)
    own = groups(instances(world, SOURCE)["orders"])
    rds = world.aws("rds", SOURCE)

    rds.modify_db_instance(DBInstanceIdentifier=name, VpcSecurityGroupIds=own, ApplyImmediately=True)
    world.wait(minutes=5)
    opened = run.phase(Phase.DECOMMISSION)
    assert opened.outcome is Outcome.FAILED
    assert "not behind the fence" in opened.detail
    assert retired(world) == [name]
    assert run.made(Phase.DECOMMISSION) == []
