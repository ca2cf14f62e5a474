"""What the stories about EFS share: worlds with one file system, and questions to the embedded AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.services.backup import BackupService
from localaws.services.efs import EfsService
from orchestrator.context import run_context
from orchestrator.contract import Adapter, RunContext
from orchestrator.targets import load_target
from orchestrator.words import Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

ROLE = f"arn:aws:iam::{APPS}:role/service-role/AWSBackupDefaultServiceRole"


def replicated_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return open_world(monkeypatch, {"kind": "efs-replication", "name": "files", **settings})


def backed_up_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return open_world(monkeypatch, {"kind": "efs-backup", "name": "files", **settings})


def file_systems(world: World, region: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.aws("efs", region).describe_file_systems()["FileSystems"]
    return found


def file_system(world: World, region: str) -> dict[str, Any]:
    """Return the one file system of a Region that is in the scope."""
    (found,) = (each for each in file_systems(world, region) if "dr:enabled" in tags_of(each))
    return found


def id_in(world: World, region: str) -> str:
    return str(file_system(world, region)["FileSystemId"])


def tags_of(shown: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in shown["Tags"]}


def protection(world: World, region: str) -> str:
    return str(file_system(world, region)["FileSystemProtection"]["ReplicationOverwriteProtection"])


def replication(world: World, region: str) -> tuple[str, str, str] | None:
    """Return source, destination and status of what a Region holds."""
    held = world.aws("efs", region).describe_replication_configurations()["Replications"]
    if not held:
        return None
    (to,) = held[0]["Destinations"]
    return held[0]["SourceFileSystemId"], to["FileSystemId"], to["Status"]


def statements(world: World, region: str, file_system_id: str | None = None) -> list[dict[str, Any]]:
    """Return the statements of a file system's policy; none stands for the default one."""
    efs = world.aws("efs", region)
    try:
        reply = efs.describe_file_system_policy(FileSystemId=file_system_id or id_in(world, region))
    except efs.exceptions.PolicyNotFound:
        return []
    found: list[dict[str, Any]] = json.loads(reply["Policy"])["Statement"]
    return found


def is_closed(world: World, region: str, file_system_id: str | None = None) -> bool:
    return "DrFence" in [each.get("Sid") for each in statements(world, region, file_system_id)]


def mounts(world: World, region: str, file_system_id: str | None = None) -> list[str]:
    wanted = file_system_id or id_in(world, region)
    found = world.aws("efs", region).describe_mount_targets(FileSystemId=wanted)["MountTargets"]
    return [each["LifeCycleState"] for each in found]


def write(world: World, region: str, bytes_per_minute: float, *, despite_policy: bool = False) -> None:
    """Let clients write to the file system of a Region at this rate from now on."""
    efs = world.local.service("efs")
    assert isinstance(efs, EfsService)
    efs.write(APPS, region, id_in(world, region), bytes_per_minute, despite_policy=despite_policy)


def add_points(world: World, region: str, arn: str, hours_ago: float = 1) -> None:
    """Put a recovery point of a file system into a Region's vault."""
    backup = world.local.service("backup")
    assert isinstance(backup, BackupService)
    backup.add_recovery_point(APPS, region, arn, hours_ago=hours_ago)


def back_up(world: World, region: str) -> None:
    """Back the file system of a Region up by hand, and wait for it."""
    backup = world.local.service("backup")
    assert isinstance(backup, BackupService)
    backup.ensure_vault(APPS, region, "Default")
    arn = file_system(world, region)["FileSystemArn"]
    world.aws("backup", region).start_backup_job(BackupVaultName="Default", ResourceArn=arn, IamRoleArn=ROLE)
    world.wait(10)


def recovery_points(world: World, region: str, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.aws("backup", region).list_recovery_points_by_resource(ResourceArn=arn)[
        "RecoveryPoints"
    ]
    return found


def approve(run: Journey, phase: Phase) -> None:
    """Answer the gate of a phase."""
    run.platform.ledger.change_stage(
        run.run_id, run.stage(phase).stage_id, lambda stage: stage.but(approved_by="operator@example.com")
    )


def observed(run: Journey, phase: Phase) -> tuple[Adapter[Any], Any, RunContext]:
    """Return the adapter, and what it sees in a phase of a run."""
    adapter = run.platform.adapter("efs")
    target = load_target(run.platform.blobs, run.run_id, run.action(phase).target_id)
    context = run_context(run.run, phase, target, run.world.clock.now())
    return (
        adapter,
        adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context),
        context,
    )


def after_emergency(world: World) -> None:
    """Lose the source Region, let the target side take over, and get the Region back."""
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()


__all__ = ["SOURCE", "TARGET"]
