"""Lustre file systems linked to replicated buckets, through the real engine: exported, replicated by S3, imported, turned round."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.fsx.models import Shelf
from localaws.services.s3 import S3Service
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World
from tests.support.fsx import file_systems, fsx_world, source_of, tags_of, thing, write


def lustre_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return fsx_world(monkeypatch, type="LUSTRE", standby=True, **settings)


def tasks(world: World, region: str) -> list[tuple[str, str]]:
    found = world.aws("fsx", region).describe_data_repository_tasks()["DataRepositoryTasks"]
    return [(each["Type"].partition("_")[0], each["Lifecycle"]) for each in found]


def left(world: World, region: str) -> str | None:
    """Return the note that the file system of a Region was left, or None while it serves."""
    return tags_of(file_systems(world, region)[0]).get("dr:fenced")


def let_wait(world: World, bucket: str, objects: float) -> None:
    s3 = world.local.service("s3")
    assert isinstance(s3, S3Service)
    s3.let_wait(bucket, objects)


def test_files_move_through_the_buckets_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        assert "must have stopped writing" in run.findings["writers"]
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
        assert run.made() == foreseen
        assert left(world, here) is None
        assert str(left(world, there)).endswith("moved")
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        assert tasks(world, here)[-2:] == [("IMPORT", "SUCCEEDED"), ("EXPORT", "SUCCEEDED")]
        assert tasks(world, there)[-2:] == [("EXPORT", "SUCCEEDED"), ("IMPORT", "SUCCEEDED")]
        run.end()
    assert world.refusals() == []


def test_emergency_imports_what_s3_has_and_reports_the_age_of_the_last_export(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an export two hours ago
    world = lustre_world(monkeypatch)
    world.aws("fsx", SOURCE).create_data_repository_task(
        Type="EXPORT_TO_REPOSITORY", FileSystemId=source_of(world), Report={"Enabled": False}
    )
    world.wait(120)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    (loss,) = run.plan.losses
    assert loss.seconds is not None
    assert 119 * 60 < loss.seconds < 130 * 60
    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert world.operations() == ["CreateDataRepositoryTask"]
    assert {call.region for call in world.calls()} == {TARGET}
    run.end()
    # And when the Region is back, its file system becomes the standby
    world.repair()
    ended = world.start(Phases=["CLEANUP", "REPLICATE"]).all()
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert str(left(world, SOURCE)).endswith("moved")
    assert tasks(world, SOURCE)[-1] == ("IMPORT", "SUCCEEDED")
    assert world.refusals() == []


def test_a_drill_looks_and_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    run = world.start(Operation.TEST)

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SKIPPED}
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert world.operations() == []


def test_nothing_is_exported_while_clients_write(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    write(world, SOURCE, source_of(world), 1024)
    run = world.start()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "quiet" in action.detail
    assert tasks(world, SOURCE) == []
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert left(world, SOURCE) is None


def test_a_write_after_the_export_began_stops_the_move(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    run = world.start()
    run.until(Phase.ACTIVATE, "export")
    write(world, SOURCE, source_of(world), 10)
    world.wait(2)
    write(world, SOURCE, source_of(world), 0)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "still-quiet" in action.detail
    assert tasks(world, TARGET) == []


def test_the_import_waits_for_s3_and_asks_when_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    run = world.start()
    let_wait(world, f"files-{SOURCE}", 7)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "wait to be replicated (newest first): 7, 7, 7" in action.detail
    assert tasks(world, TARGET) == []
    let_wait(world, f"files-{SOURCE}", 0)
    world.wait(5)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_rollback_returns_to_the_source_until_clients_write_to_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    run = world.start()
    run.phase(Phase.ACTIVATE)
    write(world, TARGET, file_systems(world, TARGET)[0]["FileSystemId"], 99)
    world.wait(5)

    refused = run.rollback(Phase.ACTIVATE)

    assert refused.outcome is Outcome.FAILED
    assert "wrote" in refused.detail
    assert "failback" in refused.remedy


def test_a_task_that_fails_stops_the_run_and_a_retry_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    world.fault(effect="fail", kind="fsx.data-repository-task")
    run = world.start()
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "is FAILED" in action.detail
    world.repair()
    world.wait(5)

    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_files_that_could_not_be_exported_are_not_lost_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    run = world.start()
    run.until(Phase.ACTIVATE, "export")
    world.wait(4)
    found = world.aws("fsx", SOURCE).describe_data_repository_tasks()["DataRepositoryTasks"][0]["TaskId"]
    thing(world, SOURCE, Shelf.TASKS, found).shape["Status"] = {"SucceededCount": 5, "FailedCount": 2}

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "2 file(s) failed" in action.detail


def rules(world: World, bucket: str, **changes: Any) -> None:
    """Change the replication rule of a bucket."""
    s3 = world.aws("s3", SOURCE)
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    found["Rules"][0].update(changes)
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=found)


def test_buckets_that_are_not_replicated_or_not_measured_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    destination = {"Bucket": f"arn:aws:s3:::files-{TARGET}"}
    rules(world, f"files-{SOURCE}", Destination=destination)
    run = world.start()
    assert not run.ready
    assert "has no metrics" in run.findings["no-metrics"]
    run.end()

    rules(world, f"files-{SOURCE}", Status="Disabled")
    run = world.start()

    assert not run.ready
    assert "does not replicate" in run.findings["no-replication"]


def test_a_missing_way_back_is_told_before_and_stops_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)
    world.aws("s3", TARGET).delete_bucket_replication(Bucket=f"files-{TARGET}")
    run = world.start()
    assert run.ready
    assert "REPLICATE will stop" in run.findings["no-way-back"]

    action = run.all()[Phase.REPLICATE]

    assert action.outcome is Outcome.FAILED
    assert "add the replication rule" in action.remedy


def test_automatic_export_broken_links_and_stale_exports_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch, tags={"dr:rpo-target": "15", "dr:rto-target": "5"})
    for region, changes in (
        (SOURCE, {"S3": {"AutoExportPolicy": {"Events": ["NEW", "CHANGED"]}}}),
        (TARGET, {"Lifecycle": "MISCONFIGURED", "FailureDetails": {"Message": "the bucket is gone"}}),
    ):
        found = world.aws("fsx", region).describe_data_repository_associations()["Associations"][0]["AssociationId"]
        thing(world, region, Shelf.ASSOCIATIONS, found).shape.update(changes)

    run = world.start()

    assert not run.ready
    assert "exported automatically" in run.findings["automatic-export"]
    assert "the bucket is gone" in run.findings["link"]
    assert "never was exported" in run.findings["rpo"]
    assert "dr:rto-target is 5 min" in run.findings["rto"]


@pytest.mark.parametrize("life", ["FAILED", "MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE"])
def test_a_standby_in_trouble_stops_the_run_before_anything_is_exported(
    monkeypatch: pytest.MonkeyPatch, life: str
) -> None:
    world = lustre_world(monkeypatch)
    thing(world, TARGET, Shelf.FILE_SYSTEMS, file_systems(world, TARGET)[0]["FileSystemId"]).shape["Lifecycle"] = life
    run = world.start()

    assert not run.ready
    assert life in run.findings["status"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert world.operations() == []


def test_the_source_is_not_noted_as_left_before_the_target_took_over(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lustre_world(monkeypatch)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "stays in service" in action.detail
    assert left(world, SOURCE) is None
