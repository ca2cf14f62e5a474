"""What ONTAP file systems of a world show, asked of the embedded AWS."""

from __future__ import annotations

import hashlib
from typing import Any

from localaws.services.fsx import FsxService
from localaws.services.fsx.mirrors import Mirror
from localaws.services.fsx.models import Shelf, Thing
from localaws.services.fsx.ontap import OntapRest

APPS = "222222222222"


def _fsx(world: Any) -> FsxService:
    fsx = world.local.service("fsx")
    assert isinstance(fsx, FsxService)
    return fsx


def volume(world: Any, region: str, name: str) -> Thing:
    """Return what the embedded AWS keeps of a volume."""
    (found,) = (v for v in _fsx(world).shelf(APPS, region, Shelf.VOLUMES).values() if v.shape["Name"] == name)
    return found


def home(world: Any, region: str) -> Thing:
    """Return what the embedded AWS keeps of the file system of a Region."""
    (found,) = _fsx(world).shelf(APPS, region, Shelf.FILE_SYSTEMS).values()
    return found


def shown(world: Any, region: str, name: str) -> dict[str, Any]:
    """Return a volume as FSx shows it."""
    (found,) = (v for v in world.aws("fsx", region).describe_volumes()["Volumes"] if v["Name"] == name)
    return dict(found)


def ontap_volume(world: Any, region: str, name: str) -> dict[str, Any]:
    """Return a volume as ONTAP shows it."""
    return OntapRest(_fsx(world))._volume(volume(world, region, name))


def mirrors(world: Any, region: str) -> list[dict[str, Any]]:
    """Return the relationships to the file system of a Region, as ONTAP shows them."""
    found: list[dict[str, Any]] = OntapRest(_fsx(world)).relationships(home(world, region), None)["records"]
    return found


def put_file(world: Any, region: str, name: str, file: str) -> None:
    """Let a client write a file; raise ValueError where it cannot."""
    _fsx(world).write_file(volume(world, region, name), file)


def files(world: Any, region: str, name: str) -> set[str]:
    """Return what a client reads."""
    return _fsx(world).files(volume(world, region, name))


def mirror(world: Any, region: str) -> Mirror:
    """Return what the embedded AWS keeps of the one relationship to a Region."""
    (found,) = _fsx(world).mirrors_of(home(world, region))
    return found


def write(world: Any, written: Thing, bytes_per_minute: float) -> None:
    """Let clients write to a volume at this rate from now on; only CloudWatch tells."""
    _fsx(world).write(written, bytes_per_minute)


def start_transfer(world: Any, region: str) -> None:
    """Begin an update, as a person may."""
    _fsx(world).update(mirror(world, region))


def run_short(run: Any) -> str:
    """Return the eight characters that stand for a run in names."""
    return hashlib.sha256(run.run_id.encode()).hexdigest()[:8]
