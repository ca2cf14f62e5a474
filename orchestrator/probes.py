"""Checks that ask no AWS API about a resource: its health URL, and a connection from inside its VPC."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from orchestrator.aws_errors import translate
from orchestrator.contract import Check, Endpoint
from orchestrator.errors import DrError
from orchestrator.ledger.records import Run
from orchestrator.names import PROBE
from orchestrator.sessions import Hub, caller_of
from orchestrator.words import CheckState

TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 3
REACHABLE = "reachable"
_POOL = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)

Connect = Callable[[Run, str, str, Sequence[Endpoint]], list[Check]]
"""(run, account, Region, endpoints) -> a check per endpoint."""


def probe_url(resource_id: str, url: str) -> Check:
    """GET the URL of `dr:health-check-url`; any 2xx answer within five seconds is healthy."""
    try:
        status = _POOL.request("GET", url, redirect=False).status
    except urllib3.exceptions.HTTPError as err:
        return Check(resource_id, "health-check-url", CheckState.UNHEALTHY, f"{url}: no answer ({type(err).__name__})")
    state = CheckState.HEALTHY if 200 <= status < 300 else CheckState.UNHEALTHY
    return Check(resource_id, "health-check-url", state, f"{url}: HTTP {status}")


class _Line(BaseModel):
    Host: str
    Port: int
    Reachable: bool
    Detail: str


class _Answer(BaseModel):
    Endpoints: list[_Line]


def probe_from_vpc(hub: Hub) -> Connect:
    """Return the way to the probe functions (lambda:InvokeFunction on `dr-probe` in the workload's account and Region)."""

    def connect(run: Run, account: str, region: str, endpoints: Sequence[Endpoint]) -> list[Check]:
        where = f"function {PROBE} in {account}/{region}"
        try:
            answer = _ask(hub, run, account, region, endpoints)
        except DrError as err:
            return [Check(each.resource_id, REACHABLE, CheckState.UNHEALTHY, str(err)) for each in endpoints]
        if answer is None:
            detail = f"not looked at: there is no {where}. To have it: stacksets/README.md"
            return [Check(each.resource_id, REACHABLE, CheckState.HEALTHY, detail) for each in endpoints]
        lines = {(line.Host, line.Port): line for line in answer.Endpoints}
        return [_check(each, lines.get((each.host, each.port)), where) for each in endpoints]

    return connect


def _check(endpoint: Endpoint, line: _Line | None, where: str) -> Check:
    name = f"{endpoint.host}:{endpoint.port}"
    if line is None:
        return Check(endpoint.resource_id, REACHABLE, CheckState.UNHEALTHY, f"{where} did not answer for {name}")
    state = CheckState.HEALTHY if line.Reachable else CheckState.SETTLING
    return Check(endpoint.resource_id, REACHABLE, state, f"{name}: {line.Detail}")


def _ask(hub: Hub, run: Run, account: str, region: str, endpoints: Sequence[Endpoint]) -> _Answer | None:
    """Return the function's answer, or None when it is not deployed there; raise `DrError` when it could not be asked."""
    asked = [{"Host": each.host, "Port": each.port} for each in endpoints]
    reader = hub.spoke(account, region, "probe", caller_of(run), None)
    what = f"lambda.Invoke of {PROBE} in {account}/{region}"
    try:
        reply: dict[str, Any] = reader.client("lambda", changes=True).invoke(
            FunctionName=PROBE, Payload=json.dumps({"Endpoints": asked, "TimeoutSeconds": CONNECT_SECONDS})
        )
    except ClientError as err:
        if err.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            return None
        raise translate(err, what) from err
    except BotoCoreError as err:
        raise translate(err, what) from err
    body = reply["Payload"].read()
    if reply.get("FunctionError"):
        raise DrError(f"{what} broke: {body[:300].decode(errors='replace')}", f"look at /aws/lambda/{PROBE} there.")
    return _Answer.model_validate_json(body)
