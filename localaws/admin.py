"""The embedded AWS's own pages under `/_localaws/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from localaws import calllog, tls
from localaws.wire import HttpReply

if TYPE_CHECKING:
    from localaws.dispatcher import LocalAws

# Takes the embedded AWS, the method, the query and the JSON body; returns a JSON value or a JSON text.
Route = Callable[["LocalAws", str, Mapping[str, str], Any], Any]


class AdminError(Exception):
    """A request to an admin page that cannot be honoured."""


def respond(local: LocalAws, environ: Mapping[str, Any]) -> HttpReply:
    """Answer a request under `/_localaws/` with JSON."""
    name = environ["PATH_INFO"].removeprefix("/_localaws/").strip("/")
    route = local.admin_routes.get(name)
    if route is None:
        return _json(404, {"error": f"no page {name!r}", "pages": sorted(local.admin_routes)})
    query = {key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    length = int(environ.get("CONTENT_LENGTH") or 0)
    try:
        body = json.loads(environ["wsgi.input"].read(length)) if length else None
        return _json(200, route(local, environ["REQUEST_METHOD"], query, body))
    except (AdminError, ValueError) as error:
        return _json(400, {"error": str(error)})


def health(local: LocalAws, _method: str, _query: Mapping[str, str], _body: Any) -> Any:
    """Say that the server answers, whom it serves, and which authorities its clients have to trust."""
    return {
        "status": "ok",
        "accounts": local.accounts.names,
        "speed": local.clock.speed,
        "rate": local.clock.rate,
        "calls": len(local.call_log),
        "ca_bundle": str(tls.ca_bundle()),
    }


def calls(local: LocalAws, _method: str, query: Mapping[str, str], _body: Any) -> Any:
    """Return the call log from number `since` on."""
    return calllog.as_json(local.call_log, int(query.get("since", "0")))


def clock(local: LocalAws, method: str, _query: Mapping[str, str], body: Any) -> Any:
    """Return the clock; POST {"speed": N} changes how many AWS seconds pass per second of the wall."""
    if method == "POST":
        speed = body.get("speed") if isinstance(body, dict) else None
        if not isinstance(speed, int | float) or speed <= 0:
            raise AdminError('expected {"speed": N} with N > 0')
        local.clock.speed = float(speed)
    return {"now": local.clock.now().isoformat(), "speed": local.clock.speed, "rate": local.clock.rate}


def reset(local: LocalAws, method: str, _query: Mapping[str, str], _body: Any) -> Any:
    """POST forgets all resources."""
    if method != "POST":
        raise AdminError("reset takes POST")
    local.reset()
    return {"status": "reset"}


def faults(_local: LocalAws, _method: str, _query: Mapping[str, str], _body: Any) -> Any:
    """Stand in until a scenario is loaded, which replaces this page."""
    raise AdminError("no fault control is loaded; start with --scenario FILE")


def _json(status: int, value: Any) -> HttpReply:
    text = value if isinstance(value, str) else json.dumps(value)
    return HttpReply(status, {"Content-Type": "application/json"}, text.encode())


ROUTES: dict[str, Route] = {"health": health, "calls": calls, "clock": clock, "reset": reset, "faults": faults}
