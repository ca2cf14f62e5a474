"""Checks that need no AWS API: the application's own health URL."""

from __future__ import annotations

import urllib3

from orchestrator.contract import Check
from orchestrator.words import CheckState

TIMEOUT_SECONDS = 5.0
_POOL = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)


def probe_url(resource_id: str, url: str) -> Check:
    """GET the URL of `dr:health-check-url`; any 2xx answer within five seconds is healthy."""
    try:
        status = _POOL.request("GET", url, redirect=False).status
    except urllib3.exceptions.HTTPError as err:
        return Check(resource_id, "health-check-url", CheckState.UNHEALTHY, f"{url}: no answer ({type(err).__name__})")
    state = CheckState.HEALTHY if 200 <= status < 300 else CheckState.UNHEALTHY
    return Check(resource_id, "health-check-url", state, f"{url}: HTTP {status}")
