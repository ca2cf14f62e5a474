"""What the stories about FSx share: a world with one file system, and questions to the embedded AWS."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.fsx import FsxService
from localaws.services.fsx.models import Shelf, Thing
from orchestrator.words import Phase
from tests.support.driver import APPS, SOURCE, Journey, World, open_world


def fsx_world(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> World:
    return open_world(monkeypatch, {"kind": "fsx-backup", "name": "files", **settings})


def file_systems(world: World, region: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.aws("fsx", region).describe_file_systems()["FileSystems"]
    return found


def source_of(world: World) -> str:
    """Return the id of the first file system of the source side."""
    return str(file_systems(world, SOURCE)[0]["FileSystemId"])


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def in_scope(world: World, region: str) -> list[dict[str, Any]]:
    return [each for each in file_systems(world, region) if "dr:enabled" in tags_of(each)]


def read_only(world: World, region: str, file_system_id: str) -> list[bool]:
    filters = [{"Name": "file-system-id", "Values": [file_system_id]}]
    found = world.aws("fsx", region).describe_volumes(Filters=filters)["Volumes"]
    return [volume["OpenZFSConfiguration"]["ReadOnly"] for volume in found]


def backups(world: World, region: str, of: str) -> list[dict[str, Any]]:
    """Return the backups of a file system of whatever Region, oldest first."""
    found = world.aws("fsx", region).describe_backups()["Backups"]
    mine = [each for each in found if each["FileSystem"]["FileSystemId"] == of]
    return sorted(mine, key=lambda each: str(each["CreationTime"]))


def write(world: World, region: str, file_system_id: str, bytes_per_minute: float) -> None:
    """Let clients write at this rate from now on."""
    fsx = world.local.service("fsx")
    assert isinstance(fsx, FsxService)
    fsx.write(fsx.shelf(APPS, region, Shelf.FILE_SYSTEMS)[file_system_id], bytes_per_minute)


def approve(run: Journey, phase: Phase) -> None:
    """Answer the gate of a phase."""
    run.platform.ledger.change_stage(
        run.run_id, run.stage(phase).stage_id, lambda stage: stage.but(approved_by="operator@example.com")
    )


def thing(world: World, region: str, kind: Shelf, thing_id: str) -> Thing:
    """Return what the embedded AWS keeps of a thing, to bring it into a state by hand."""
    fsx = world.local.service("fsx")
    assert isinstance(fsx, FsxService)
    return fsx.shelf(APPS, region, kind)[thing_id]
