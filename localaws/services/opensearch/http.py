"""A domain's own HTTP interface: which request means what, who may ask, and the JSON answers.

Every request needs a signature and the IAM action `es:ESHttp<Method>` on `<domain ARN>/<path>`, from the caller's
policies or the domain's access policy. In the call log it is the operation `ESHttp<Method>` of `opensearch`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from localaws import authorization
from localaws.service import AwsError, Call, ConnectionLost, Principal, Reply
from localaws.services.opensearch.errors import Refusal, illegal
from localaws.services.opensearch.replication import ACKNOWLEDGED
from localaws.services.opensearch.snapshots import OpenSearchSnapshots
from localaws.services.opensearch.state import Index, Place, Processing
from localaws.wire import HttpReply, credentials

Answer = Any
FROM_VPC = "HTTP_X_LOCALAWS_VPC"
"""Which VPC a request comes from: a function's network, which here is no network."""
JSON = {"Content-Type": "application/json; charset=UTF-8"}
_NAME = r"[^/_.+-][^/]*|\.[^/]+"


class OpenSearchHttp(OpenSearchSnapshots):
    """The data plane; the dispatcher calls `read`, `answer` and `refuse`."""

    def own_interface(self) -> OpenSearchHttp:
        """Return what answers the requests that go to a domain."""
        return self

    def read(self, environ: Mapping[str, Any]) -> tuple[Call, str | None] | None:
        """Return a request to a domain as a call, and the access key that signed it; None when it is for AWS."""
        found = self.place_at(environ.get("HTTP_HOST", ""), environ.get("PATH_INFO", "/"))
        if found is None:
            return None
        place, path = found
        method = str(environ["REQUEST_METHOD"])
        params = {
            "domain": place.domain,
            "account": place.account,
            "path": path,
            "query": dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            "body": _read_body(environ),
            "from_vpc": str(environ.get(FROM_VPC, "")),
        }
        nobody = Principal(account="", arn="")
        _service, _region, access_key, _token = credentials(environ)
        call = Call(self.name, f"ESHttp{method.capitalize()}", params, "", place.region, nobody)
        return call, access_key

    def answer(self, call: Call) -> HttpReply:
        """Answer a request to a domain; raise `AwsError` when the caller may not ask."""
        place = Place(call.params["account"], call.region, call.params["domain"])
        path = str(call.params["path"])
        if call.principal.arn == "anonymous":
            raise AwsError(
                "AccessDeniedException", f"User: anonymous is not authorized to perform: es:{call.operation}", 403
            )
        authorization.of(self.world).check(
            call.principal, "opensearch", f"es:{call.operation}", f"{place.arn}{path}", place.region
        )
        try:
            if (vpc := self.vpc_of(place)) is not None and vpc != call.params["from_vpc"]:
                raise ConnectionLost(f"{place.arn} answers inside its VPC only")
            if self.state(place).status == Processing.CREATING:
                raise Refusal(503, "service_unavailable", "the domain is being created")
            self.settle_peers(place)
            content = self._dispatch(Request(call, place))
        except Refusal as refusal:
            return HttpReply(refusal.status, JSON, refusal.body())
        return HttpReply(200, JSON, json.dumps(content).encode())

    def refuse(self, error: AwsError) -> HttpReply:
        """Build the answer of the service in front of the domain."""
        return HttpReply(error.status, JSON, json.dumps({"Message": error.message}).encode())

    def reply(self, answer: HttpReply) -> Reply:
        """Return a domain's JSON answer; a list under `items`."""
        content = json.loads(answer.body)
        return content if isinstance(content, dict) else {"items": content}

    def _dispatch(self, request: Request) -> Answer:
        for method, pattern, handler in ROUTES:
            match = pattern.match(request.path)
            if match and method == request.method:
                return handler(self, request, *match.groups())
        raise illegal(f"no handler found for uri [{request.path}] and method [{request.method}]")

    # --- cluster and cat

    def health(self, request: Request) -> Answer:
        """GET /_cluster/health."""
        config = self.domain(request.place).cluster_config
        shards = sum(index.shards for index in self.indices(request.place))
        return {
            "cluster_name": f"{request.place.account}:{request.place.domain}",
            "status": self.cluster_health(request.place),
            "timed_out": False,
            "number_of_nodes": config["InstanceCount"],
            "number_of_data_nodes": config["InstanceCount"],
            "discovered_cluster_manager": True,
            "active_primary_shards": shards,
            "active_shards": shards,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": 0,
            "active_shards_percent_as_number": 100.0,
        }

    def cat_indices(self, request: Request, pattern: str | None = None) -> Answer:
        """GET /_cat/indices, always as JSON."""
        return [
            {
                "health": "yellow" if index.recovering_from else "green",
                "status": "open",
                "index": index.name,
                "uuid": index.name,
                "pri": str(index.shards),
                "rep": "1",
                "docs.count": str(int(index.checkpoint)),
                "docs.deleted": "0",
            }
            for index in self._matching(request.place, pattern or "*")
        ]

    def cat_recovery(self, request: Request, pattern: str | None = None) -> Answer:
        """GET /_cat/recovery, always as JSON: stage `done` once an index has been restored."""
        return [
            {
                "index": index.name,
                "shard": str(shard),
                "type": "snapshot" if _snapshot_of(index) else "empty_store",
                "stage": "index" if index.recovering_from else "done",
                "snapshot": _snapshot_of(index) or "n/a",
                "bytes_percent": "40.0%" if index.recovering_from else "100.0%",
                "files_percent": "40.0%" if index.recovering_from else "100.0%",
            }
            for index in self._matching(request.place, pattern or "*")
            for shard in range(index.shards)
        ]

    def _matching(self, place: Place, pattern: str) -> Iterator[Index]:
        patterns = pattern.split(",")
        return (index for index in self.indices(place) if any(fnmatchcase(index.name, one) for one in patterns))

    # --- one index

    def put_index(self, request: Request, name: str) -> Answer:
        """PUT /{index}."""
        if self.is_read_only(request.place) or self._is_secondary(request.place):
            raise Refusal(403, "cluster_block_exception", "the domain is read-only")
        index = self.add_index(request.place, name)
        index.settings.update(_flat(request.body.get("settings") or {}))
        return {**ACKNOWLEDGED, "shards_acknowledged": True, "index": name}

    def get_index(self, request: Request, name: str) -> Answer:
        """GET /{index}."""
        self.index(request.place, name)
        return {name: {"aliases": {}, "mappings": {}, **self.get_settings(request, name)[name]}}

    def delete_index(self, request: Request, name: str) -> Answer:
        """DELETE /{index}; a follower must be stopped first."""
        self.require_writable(request.place, self.index(request.place, name))
        self.drop_index(request.place, name)
        return ACKNOWLEDGED

    def put_settings(self, request: Request, names: str) -> Answer:
        """PUT /{index}/_settings, for one index or several with commas between: `index.blocks.write` stops writes."""
        found = [self.index(request.place, name) for name in names.split(",")]
        for index in found:
            self.require_writable(request.place, index)
        for index in found:
            for key, value in _flat(request.body).items():
                short = key.removeprefix("index.")
                index.settings[short] = value
                if short == "blocks.write":
                    index.write_blocked = str(value).lower() == "true"
            self.settle(request.place, index)
        return ACKNOWLEDGED

    def get_write_blocks(self, request: Request) -> Answer:
        """GET /_all/_settings/index.blocks.write?flat_settings=true; an index without the setting is left out."""
        return {
            index.name: {"settings": {"index.blocks.write": str(index.settings["blocks.write"]).lower()}}
            for index in self.indices(request.place)
            if index.settings.get("blocks.write") is not None
        }

    def get_settings(self, request: Request, name: str) -> Answer:
        """GET /{index}/_settings."""
        index = self.index(request.place, name)
        shown = {"number_of_shards": str(index.shards), "provided_name": name}
        shown |= {key: str(value).lower() for key, value in index.settings.items() if key != "restored_from"}
        return {name: {"settings": {"index": shown}}}

    def count(self, request: Request, name: str) -> Answer:
        """GET /{index}/_count."""
        index = self.index(request.place, name)
        return {"count": int(index.checkpoint), "_shards": {"total": index.shards, "successful": index.shards}}

    def _is_secondary(self, place: Place) -> bool:
        one = self.peering(place)
        return one is not None and one.secondary == place


class Request:
    """A request to a domain, taken apart."""

    def __init__(self, call: Call, place: Place) -> None:
        self.place = place
        self.principal = call.principal
        self.method = call.operation.removeprefix("ESHttp").upper()
        self.path = str(call.params["path"])
        self.query: Mapping[str, str] = call.params["query"]
        body = call.params["body"]
        if not isinstance(body, dict):
            raise Refusal(400, "parse_exception", "request body is not a JSON object")
        self.body: Mapping[str, Any] = body


def _read_body(environ: Mapping[str, Any]) -> Any:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    raw = environ["wsgi.input"].read(length) if length else b""
    try:
        return json.loads(raw) if raw.strip() else {}
    except ValueError:
        return None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _snapshot_of(index: Index) -> str | None:
    found = index.recovering_from or index.settings.get("restored_from")
    return str(found) if found else None


Handler = Callable[..., Answer]
_Http = OpenSearchHttp


def _route(method: str, path: str, handler: Handler) -> tuple[str, re.Pattern[str], Handler]:
    return method, re.compile(f"^{path.replace('{index}', f'({_NAME})').replace('{name}', '([^/]+)')}/?$"), handler


ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
    _route("GET", "/_cluster/health", _Http.health),
    _route("GET", "/_cat/indices", _Http.cat_indices),
    _route("GET", "/_cat/indices/{name}", _Http.cat_indices),
    _route("GET", "/_cat/recovery", _Http.cat_recovery),
    _route("GET", "/_cat/recovery/{name}", _Http.cat_recovery),
    _route("POST", "/_plugins/_replication/_autofollow", lambda s, r: s.add_rule(r.place, r.body)),
    _route("DELETE", "/_plugins/_replication/_autofollow", lambda s, r: s.remove_rule(r.place, r.body)),
    _route("GET", "/_all/_settings/index.blocks.write", _Http.get_write_blocks),
    _route("GET", "/_plugins/_replication/autofollow_stats", lambda s, r: s.rules(r.place)),
    _route("PUT", "/_plugins/_replication/{index}/_start", lambda s, r, i: s.start_replication(r.place, i, r.body)),
    _route("POST", "/_plugins/_replication/{index}/_stop", lambda s, r, i: s.stop_replication(r.place, i)),
    _route("POST", "/_plugins/_replication/{index}/_pause", lambda s, r, i: s.pause_replication(r.place, i)),
    _route("POST", "/_plugins/_replication/{index}/_resume", lambda s, r, i: s.resume_replication(r.place, i)),
    _route("GET", "/_plugins/_replication/{index}/_status", lambda s, r, i: s.replication_status(r.place, i)),
    _route("GET", "/_snapshot", lambda s, r: s.repositories(r.place)),
    _route("GET", "/_snapshot/{name}", lambda s, r, n: s.repositories(r.place, n)),
    _route("PUT", "/_snapshot/{name}", lambda s, r, n: s.add_repository(r.place, n, r.body, r.principal)),
    _route("GET", "/_snapshot/{name}/{name}", lambda s, r, n, x: s.snapshots(r.place, n, x)),
    _route("PUT", "/_snapshot/{name}/{name}", lambda s, r, n, x: s.create_snapshot(r.place, n, x, r.body)),
    _route("DELETE", "/_snapshot/{name}/{name}", lambda s, r, n, x: s.delete_snapshot(r.place, n, x)),
    _route("POST", "/_snapshot/{name}/{name}/_restore", lambda s, r, n, x: s.restore_snapshot(r.place, n, x, r.body)),
    _route("PUT", "/{index}", _Http.put_index),
    _route("GET", "/{index}", _Http.get_index),
    _route("HEAD", "/{index}", _Http.get_index),
    _route("DELETE", "/{index}", _Http.delete_index),
    _route("PUT", "/{index}/_settings", _Http.put_settings),
    _route("GET", "/{index}/_settings", _Http.get_settings),
    _route("GET", "/{index}/_count", _Http.count),
)
