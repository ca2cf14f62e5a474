"""The REST interface at the management endpoint of an ONTAP file system: what SnapMirror and its preparation need of it.

Requests carry the password of `fsxadmin`. In the call log they are `GetOntap`, `PatchOntap`, `PostOntap`, `DeleteOntap` of
`fsx`. Whether the caller's network reaches the endpoint is not asked: only functions in the VPC know the password.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from localaws.service import AwsError, Call, Principal, Reply
from localaws.services.fsx.mirrors import Declined, Mirror
from localaws.services.fsx.models import ONTAP_PATH, Life, Shelf, Thing, new_id
from localaws.wire import HttpReply

if TYPE_CHECKING:
    from localaws.services.fsx.service import FsxService

JSON = {"Content-Type": "application/hal+json"}
_HOST = re.compile(r"^management\.(?P<id>fs-[0-9a-f]+)\.fsx\.(?P<region>[a-z0-9-]+)\.amazonaws\.com$")
_LOCAL = re.compile(r"^(?P<id>fs-[0-9a-f]+)\.(?P<region>[a-z0-9-]+)$")
Records = list[dict[str, Any]]


class OntapRest:
    """The data plane; the dispatcher calls `read`, `answer`, `refuse` and `reply`."""

    def __init__(self, fsx: FsxService) -> None:
        self._fsx = fsx

    def read(self, environ: Mapping[str, Any]) -> tuple[Call, str | None] | None:
        """Return a request to a file system as a call; None when it is for something else."""
        path = str(environ.get("PATH_INFO", "/"))
        match = _HOST.match(str(environ.get("HTTP_HOST", "")).partition(":")[0])
        if path.startswith(ONTAP_PATH):
            label, _, rest = path.removeprefix(ONTAP_PATH).partition("/")
            match, path = _LOCAL.match(label), f"/{rest}"
        if match is None:
            return None
        method = str(environ["REQUEST_METHOD"])
        length = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(length) if length else b""
        params = {
            "file_system": match["id"],
            "path": path.removeprefix("/api"),
            "query": dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)),
            "body": json.loads(raw) if raw.strip() else {},
            "authorized": self._is_admin(match["id"], match["region"], str(environ.get("HTTP_AUTHORIZATION", ""))),
        }
        nobody = Principal(account="", arn="")
        return Call("fsx", f"{method.capitalize()}Ontap", params, "", match["region"], nobody), None

    def answer(self, call: Call) -> HttpReply:
        """Answer a request; raise `AwsError` when it is refused."""
        if not call.params["authorized"]:
            raise Declined("User is not authorized.", 401, "6691623")
        home = self._home(str(call.params["file_system"]), call.region)
        assert home is not None
        method = call.operation.removesuffix("Ontap").upper()
        for wanted, pattern, handler in ROUTES:
            found = pattern.match(str(call.params["path"]))
            if found and wanted == method:
                content = handler(self, home, call.params["body"], *found.groups())
                status = 200 if method == "GET" else 202
                return HttpReply(status, JSON, json.dumps(content).encode())
        raise Declined(f"API not found: {method} {call.params['path']}", 404, "3")

    def refuse(self, error: AwsError) -> HttpReply:
        """Build ONTAP's error answer."""
        return HttpReply(
            error.status, JSON, json.dumps({"error": {"message": error.message, "code": error.code}}).encode()
        )

    def reply(self, answer: HttpReply) -> Reply:
        """Return an answer as hooks see it."""
        content: dict[str, Any] = json.loads(answer.body)
        return content

    # --- who asks whom

    def _home(self, file_system_id: str, region: str) -> Thing | None:
        for account in self._fsx.world.accounts.names:
            found = self._fsx.shelf(account, region, Shelf.FILE_SYSTEMS).get(file_system_id)
            if found is not None:
                return found
        return None

    def _is_admin(self, file_system_id: str, region: str, header: str) -> bool:
        home = self._home(file_system_id, region)
        try:
            user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        except (binascii.Error, ValueError):
            return False
        return home is not None and user == "fsxadmin" and password == home.notes.get("password", "")

    # --- reading

    def relationships(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /snapmirror/relationships, of the destinations here."""
        return _listed([self._relationship(each) for each in self._fsx.mirrors_of(home)])

    def relationship(self, home: Thing, _body: Any, wanted: str) -> dict[str, Any]:
        """GET /snapmirror/relationships/{uuid}."""
        return self._relationship(self._mirror(home, wanted))

    def _relationship(self, each: Mirror) -> dict[str, Any]:
        now = self._fsx.world.clock.now()
        shown: dict[str, Any] = {
            "uuid": each.uuid,
            "state": each.state,
            "healthy": not each.trouble,
            "source": self._end(each.source),
            "destination": self._end(each.destination),
            "policy": {"name": each.policy, "type": "sync" if each.policy in {"Sync", "StrictSync"} else "async"},
        }
        if each.schedule:
            shown["transfer_schedule"] = {"name": each.schedule}
        if each.trouble:
            shown["unhealthy_reason"] = [{"code": "6622073", "message": each.trouble}]
        if each.transfer:
            shown["transfer"] = dict(each.transfer)
        if each.snapshot_at is not None:
            shown["exported_snapshot"] = f"snapmirror.{each.uuid}_{each.snapshot_at:%Y-%m-%d_%H%M%S}"
            if each.state != "broken_off":
                shown["lag_time"] = _duration((now - each.snapshot_at).total_seconds())
        return shown

    def _end(self, volume: Thing) -> dict[str, Any]:
        machine = self._fsx.machine(volume)
        name = f"{machine.shape['Name']}:{volume.shape['Name']}"
        return {"path": name, "svm": {"name": machine.shape["Name"], "uuid": machine.shape["UUID"]}}

    def volumes(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /storage/volumes."""
        return _listed([self._volume(each) for each in self._mine(home)])

    def volume(self, home: Thing, _body: Any, wanted: str) -> dict[str, Any]:
        """GET /storage/volumes/{uuid}."""
        return self._volume(self._find(home, wanted))

    def _volume(self, each: Thing) -> dict[str, Any]:
        truth, machine = self._fsx.truth(each), self._fsx.machine(each)
        return {
            "uuid": truth["UUID"],
            "name": each.shape["Name"],
            "svm": {"name": machine.shape["Name"], "uuid": machine.shape["UUID"]},
            "type": str(truth["OntapVolumeType"]).lower(),
            "state": each.notes.get("state", "online"),
            "nas": {"path": truth["JunctionPath"]} if truth.get("JunctionPath") else {},
            "comment": each.notes.get("comment", ""),
            "size": truth.get("SizeInBytes", 0),
            "clone": {"is_flexclone": "clone_of" in each.notes},
        }

    def _mine(self, home: Thing) -> list[Thing]:
        kept = self._fsx.shelf(home.account, home.region, Shelf.VOLUMES).values()
        mine = [each for each in kept if each.shape["FileSystemId"] == home.id]
        return [each for each in mine if each.life not in {Life.CREATING, Life.FAILED}]

    def svm_peers(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /svm/peers."""
        return _listed(
            [
                {
                    "state": home.notes.get("svm_peering", "peered"),
                    "svm": {"name": mine.shape["Name"]},
                    "peer": {"svm": {"name": theirs.shape["Name"]}, "cluster": {"name": _cluster(theirs)}},
                }
                for mine, theirs in self._fsx.peers_of(home)
            ]
        )

    def cluster_peers(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /cluster/peers."""
        down = self._fsx.world.faults.region_is_down
        found = {_cluster(theirs): theirs for _, theirs in self._fsx.peers_of(home)}
        usual = home.notes.get("cluster_peering", "available")
        return _listed(
            [
                {"name": name, "status": {"state": "unavailable" if down(each.region) else usual}}
                for name, each in sorted(found.items())
            ]
        )

    def luns(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /storage/luns."""
        return self._blocks(home, "luns")

    def namespaces(self, home: Thing, _body: Any) -> dict[str, Any]:
        """GET /storage/namespaces."""
        return self._blocks(home, "namespaces")

    def _blocks(self, home: Thing, kind: str) -> dict[str, Any]:
        return _listed(
            [
                {
                    "name": f"/vol/{each.shape['Name']}/{name}",
                    "svm": {"name": self._fsx.machine(each).shape["Name"]},
                    "location": {"volume": {"name": each.shape["Name"]}},
                }
                for each in self._mine(home)
                for name in each.notes.get(kind, [])
            ]
        )

    # --- changing

    def patch_relationship(self, home: Thing, body: Mapping[str, Any], wanted: str) -> dict[str, Any]:
        """PATCH /snapmirror/relationships/{uuid}."""
        self._fsx.turn(self._mirror(home, wanted), body["state"])
        return _job()

    def create_relationship(self, home: Thing, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /snapmirror/relationships, on the destination."""
        destination = self._by_path(home, body["destination"]["path"])
        source = next(
            (
                found
                for other in self._peers(home)
                if (found := self._by_path(other, body["source"]["path"], must=False))
            ),
            None,
        )
        if destination is None or source is None:
            raise Declined(f"{body['source']['path']} is no volume of a peered virtual machine.", 400, "13303992")
        schedule = (body.get("transfer_schedule") or {}).get("name")
        minutes = int(schedule.removesuffix("min")) if schedule else None
        policy = (body.get("policy") or {}).get("name", "MirrorAndVault")
        self._fsx.add_mirror(source, destination, policy, schedule, minutes)
        return _job()

    def _peers(self, home: Thing) -> list[Thing]:
        found = [self._home(theirs.shape["FileSystemId"], theirs.region) for _, theirs in self._fsx.peers_of(home)]
        return [each for each in found if each is not None]

    def _by_path(self, home: Thing, path: str, *, must: bool = True) -> Thing | None:
        machine, _, name = path.partition(":")
        for each in self._mine(home):
            if each.shape["Name"] == name and self._fsx.machine(each).shape["Name"] == machine:
                return each
        if must:
            raise Declined(f"{path} is no volume of this file system.", 404, "13303992")
        return None

    def transfer(self, home: Thing, _body: Any, wanted: str) -> dict[str, Any]:
        """POST /snapmirror/relationships/{uuid}/transfers."""
        self._fsx.update(self._mirror(home, wanted))
        return {}

    def patch_transfer(self, home: Thing, body: Mapping[str, Any], wanted: str, transfer: str) -> dict[str, Any]:
        """PATCH /snapmirror/relationships/{uuid}/transfers/{uuid}."""
        each = self._mirror(home, wanted)
        if each.transfer.get("uuid") != transfer or body.get("state") != "aborted":
            raise Declined("There is no such transfer.", 404, "13303822")
        self._fsx.abort(each)
        return {}

    def patch_volume(self, home: Thing, body: Mapping[str, Any], wanted: str) -> dict[str, Any]:
        """PATCH /storage/volumes/{uuid}: mount or, with an empty path, unmount."""
        self._fsx.set_volume(self._find(home, wanted), JunctionPath=body["nas"]["path"] or None)
        return _job()

    def create_volume(self, home: Thing, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /storage/volumes, of a FlexClone; FSx shows it like any other volume."""
        clone, name = body["clone"], body["name"]
        parent = self._by_path(home, f"{body['svm']['name']}:{clone['parent_volume']['name']}")
        assert parent is not None
        if any(each.shape["Name"] == name for each in self._mine(home)):
            raise Declined(f"A volume {name} exists already.", 409, "917927")
        volume_id = new_id("fsvol")
        arn = f"arn:aws:fsx:{home.region}:{home.account}:volume/{home.id}/{volume_id}"
        kept = dict(self._fsx.truth(parent))
        kept |= {
            "UUID": str(uuid.uuid4()),
            "OntapVolumeType": "RW",
            "JunctionPath": (body.get("nas") or {}).get("path"),
        }
        shape = {
            "CreationTime": self._fsx.world.clock.now(),
            "FileSystemId": home.id,
            "Lifecycle": str(Life.CREATED),
            "Name": name,
            "ResourceARN": arn,
            "VolumeId": volume_id,
            "VolumeType": "ONTAP",
            "OntapConfiguration": kept,
        }
        made = Thing(volume_id, home.account, home.region, arn, shape)
        made.notes |= {"comment": body.get("comment", ""), "clone_of": parent.id, "ontap": dict(kept)}
        made.notes["files"] = dict(parent.notes.get("files", {}))
        self._fsx.put(Shelf.VOLUMES, made)
        return _job()

    def delete_volume(self, home: Thing, _body: Any, wanted: str) -> dict[str, Any]:
        """DELETE /storage/volumes/{uuid}; a mounted volume must be unmounted before."""
        each = self._find(home, wanted)
        if self._fsx.truth(each).get("JunctionPath"):
            raise Declined(f"Volume {each.shape['Name']} is mounted: unmount it first.", 409, "917536")
        self._fsx.drop(Shelf.VOLUMES, each)
        return _job()

    def _mirror(self, home: Thing, wanted: str) -> Mirror:
        for each in self._fsx.mirrors_of(home):
            if each.uuid == wanted:
                return each
        raise Declined(f"There is no relationship {wanted}.", 404, "4")

    def _find(self, home: Thing, wanted: str) -> Thing:
        for each in self._mine(home):
            if self._fsx.truth(each)["UUID"] == wanted:
                return each
        raise Declined(f"There is no volume {wanted}.", 404, "4")


def _listed(records: Records) -> dict[str, Any]:
    return {"records": records, "num_records": len(records)}


def _job() -> dict[str, Any]:
    return {"job": {"uuid": str(uuid.uuid4())}}


def _cluster(machine: Thing) -> str:
    return f"FsxId{machine.shape['FileSystemId'].removeprefix('fs-')}"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"PT{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}{whole % 60}S"


def _route(method: str, path: str, handler: Callable[..., dict[str, Any]]) -> tuple[str, re.Pattern[str], Any]:
    return method, re.compile(f"^{path.replace('{uuid}', '([0-9a-f-]{36})')}$"), handler


_Rest = OntapRest
ROUTES = (
    _route("GET", "/snapmirror/relationships", _Rest.relationships),
    _route("POST", "/snapmirror/relationships", _Rest.create_relationship),
    _route("GET", "/snapmirror/relationships/{uuid}", _Rest.relationship),
    _route("PATCH", "/snapmirror/relationships/{uuid}", _Rest.patch_relationship),
    _route("POST", "/snapmirror/relationships/{uuid}/transfers", _Rest.transfer),
    _route("PATCH", "/snapmirror/relationships/{uuid}/transfers/{uuid}", _Rest.patch_transfer),
    _route("GET", "/storage/volumes", _Rest.volumes),
    _route("POST", "/storage/volumes", _Rest.create_volume),
    _route("GET", "/storage/volumes/{uuid}", _Rest.volume),
    _route("PATCH", "/storage/volumes/{uuid}", _Rest.patch_volume),
    _route("DELETE", "/storage/volumes/{uuid}", _Rest.delete_volume),
    _route("GET", "/storage/luns", _Rest.luns),
    _route("GET", "/storage/namespaces", _Rest.namespaces),
    _route("GET", "/svm/peers", _Rest.svm_peers),
    _route("GET", "/cluster/peers", _Rest.cluster_peers),
)
