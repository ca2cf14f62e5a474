"""ONTAP in the embedded AWS: what its own interface tells and takes, and what FSx hears of it."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from localaws import inprocess
from localaws.seeds.fsx_ontap import PASSWORD
from localaws.services.fsx import FsxService
from localaws.services.fsx.models import Shelf, Thing
from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Workbench, open_workbench, refused

MIRRORS = "/api/snapmirror/relationships"


def service(bench: Workbench) -> FsxService:
    found = bench.local.service("fsx")
    assert isinstance(found, FsxService)
    return found


def ask(
    bench: Workbench, region: str, method: str, path: str, body: Any = None, password: str = PASSWORD
) -> tuple[int, dict[str, Any]]:
    """Ask the one file system of a Region, as something in its VPC does."""
    (found,) = bench.client("fsx", region).describe_file_systems()["FileSystems"]
    token = base64.b64encode(f"fsxadmin:{password}".encode()).decode()
    request = SimpleNamespace(
        url=f"https://{found['OntapConfiguration']['Endpoints']['Management']['DNSName']}{path}",
        method=method,
        body=None if body is None else json.dumps(body),
        headers={"Authorization": f"Basic {token}"},
    )
    answer = bench.local.answer(inprocess.to_environ(request))  # type: ignore[arg-type]
    return answer.status, json.loads(answer.body)


def mirror(bench: Workbench, region: str = TARGET) -> dict[str, Any]:
    (found,) = ask(bench, region, "GET", MIRRORS)[1]["records"]
    return dict(found)


def turn(bench: Workbench, state: str, region: str = TARGET) -> int:
    return ask(bench, region, "PATCH", f"{MIRRORS}/{mirror(bench, region)['uuid']}", {"state": state})[0]


def data(bench: Workbench, region: str) -> Thing:
    kept = service(bench).shelf(ACCOUNT, region, Shelf.VOLUMES).values()
    (found,) = (each for each in kept if each.shape["Name"] == "data")
    return found


def shown(bench: Workbench, region: str) -> dict[str, Any]:
    (found,) = (v for v in bench.client("fsx", region).describe_volumes()["Volumes"] if v["Name"] == "data")
    return dict(found["OntapConfiguration"])


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    bench = open_workbench(monkeypatch)
    bench.seed("fsx-ontap", name="files")
    return bench


def test_relationship_is_updated_by_its_schedule_and_tells_its_lag(files: Workbench) -> None:
    service(files).write_file(data(files, SOURCE), "early")
    files.wait(7)
    service(files).write_file(data(files, SOURCE), "late")
    assert service(files).files(data(files, TARGET)) == {"early"}
    found = mirror(files)
    assert (found["state"], found["healthy"], found["lag_time"]) == ("snapmirrored", True, "PT2M0S")
    assert found["source"]["svm"]["uuid"] != found["destination"]["svm"]["uuid"]
    with pytest.raises(ValueError, match="read-only"):
        service(files).write_file(data(files, TARGET), "never")


def test_break_takes_a_paused_relationship_and_fsx_hears_of_it_later(files: Workbench) -> None:
    assert turn(files, "paused") == 202
    assert turn(files, "broken_off") == 202
    files.wait(0.2)
    assert ask(files, TARGET, "GET", "/api/storage/volumes")[1]["records"][1]["type"] == "rw"
    assert shown(files, TARGET)["OntapVolumeType"] == "DP"
    files.wait(3)
    assert shown(files, TARGET)["OntapVolumeType"] == "RW"
    assert "lag_time" not in mirror(files)


def test_what_does_not_follow_from_the_state_is_declined(files: Workbench) -> None:
    uuid = mirror(files)["uuid"]
    assert ask(files, TARGET, "POST", f"{MIRRORS}/{uuid}/transfers", {})[0] == 202
    assert turn(files, "broken_off") == 409, "a transfer is under way"
    assert ask(files, TARGET, "POST", f"{MIRRORS}/{uuid}/transfers", {})[0] == 409
    transfer = mirror(files)["transfer"]["uuid"]
    assert ask(files, TARGET, "PATCH", f"{MIRRORS}/{uuid}/transfers/{transfer}", {"state": "aborted"})[0] == 202
    assert mirror(files)["transfer"]["state"] == "aborted"
    wanted = {"source": {"path": "files:data"}, "destination": {"path": "files:data"}}
    assert ask(files, TARGET, "POST", MIRRORS, wanted)[0] == 409, "it follows already"
    assert ask(files, TARGET, "GET", "/api/storage/aggregates")[0] == 404
    status, told = ask(files, TARGET, "GET", MIRRORS, password="guess")
    assert (status, told["error"]["message"]) == (401, "User is not authorized.")


def test_direction_is_turned_and_what_parted_is_thrown_away(files: Workbench) -> None:
    turn(files, "paused")
    turn(files, "broken_off")
    files.wait(1)
    service(files).write_file(data(files, SOURCE), "parted")
    files.client("fsx", TARGET).update_volume(
        VolumeId=data(files, TARGET).id, OntapConfiguration={"JunctionPath": "/data"}
    )
    files.wait(1)
    service(files).write_file(data(files, TARGET), "current")
    wanted = {"source": {"path": "files:data"}, "destination": {"path": "files:data"}}
    schedule = {"policy": {"name": "MirrorAllSnapshots"}, "transfer_schedule": {"name": "5min"}}
    assert ask(files, SOURCE, "POST", MIRRORS, {**wanted, **schedule})[0] == 202
    assert mirror(files, SOURCE)["state"] == "broken_off"
    assert turn(files, "snapmirrored", SOURCE) == 202
    files.wait(3)
    assert mirror(files, SOURCE)["state"] == "snapmirrored"
    assert service(files).files(data(files, SOURCE)) == {"current"}


def test_update_while_the_source_is_dark_is_missed_and_said(files: Workbench) -> None:
    files.wait(6)
    files.darken(SOURCE)
    files.wait(30)
    found = mirror(files)
    assert not found["healthy"]
    assert "contact the source" in found["unhealthy_reason"][0]["message"]
    assert found["lag_time"].startswith("PT31M")


def test_clone_is_of_a_snapshot_and_goes_only_unmounted(files: Workbench) -> None:
    clone = {"is_flexclone": True, "parent_volume": {"name": "data"}, "parent_snapshot": {"name": "s"}}
    wanted = {"name": "copy", "svm": {"name": "files"}, "clone": clone, "nas": {"path": "/copy"}}
    assert ask(files, TARGET, "POST", "/api/storage/volumes", wanted)[0] == 202
    assert ask(files, TARGET, "POST", "/api/storage/volumes", wanted)[0] == 409
    every = ask(files, TARGET, "GET", "/api/storage/volumes")[1]["records"]
    (copy,) = (each for each in every if each["name"] == "copy")
    assert copy["clone"] == {"is_flexclone": True}
    where = f"/api/storage/volumes/{copy['uuid']}"
    assert ask(files, TARGET, "DELETE", where)[0] == 409
    assert ask(files, TARGET, "PATCH", where, {"nas": {"path": ""}})[0] == 202
    assert ask(files, TARGET, "DELETE", where)[0] == 202
    assert ask(files, TARGET, "GET", where)[0] == 404


def test_password_is_changed_and_never_shown_and_volumes_are_checked(files: Workbench) -> None:
    fsx = files.client("fsx", TARGET)
    (found,) = fsx.describe_file_systems()["FileSystems"]
    changes = {"FsxAdminPassword": "another-1"}
    fsx.update_file_system(FileSystemId=found["FileSystemId"], OntapConfiguration=changes)
    files.wait(6)
    assert ask(files, TARGET, "GET", MIRRORS)[0] == 401
    assert ask(files, TARGET, "GET", MIRRORS, password="another-1")[0] == 200
    assert "another-1" not in str(fsx.describe_file_systems())
    (machine,) = fsx.describe_storage_virtual_machines()["StorageVirtualMachines"]
    settings = {"StorageVirtualMachineId": machine["StorageVirtualMachineId"]}
    for wrong in ({"SizeInBytes": 2**30, "JunctionPath": "no-slash"}, {"JunctionPath": "/x"}):
        with refused("BadRequest"):
            fsx.create_volume(VolumeType="ONTAP", Name="x", OntapConfiguration={**settings, **wrong})
