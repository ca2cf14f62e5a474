"""Routing controls through the endpoints of their cluster, in the shape of a botocore client.

A cluster of Application Recovery Controller has an endpoint in each of five Regions; a request must name the endpoint and be
signed for its Region, and whoever asks tries one after another, because some are always under maintenance (ARC developer
guide, "Getting and updating routing control states using the ARC API"). Setting a state is absolute, so setting it again
through another endpoint after a lost answer does no harm; a refusal (a safety rule, IAM) is final and is not taken elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from orchestrator.errors import RefusedError

SERVICE = "route53-recovery-cluster"
"""Its operations take one parameter more: Endpoints, the cluster's as DescribeCluster tells them."""
_TRY_ANOTHER = {"EndpointTemporarilyUnavailableException", "InternalServerException", "ThrottlingException"}
_SERVER_ERROR = 500


class ClusterClient:
    """Asks the endpoint of its own Region first, then the others; never one in a lost Region."""

    SERVICE = SERVICE

    def __init__(self, make: Callable[[str, str], Any], region: str, lost: frozenset[str]) -> None:
        """`make` returns a botocore client for a Region and an endpoint URL."""
        self._make = make
        self._region = region
        self._lost = lost
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def can_paginate(self, _operation: str) -> bool:
        """Say that nothing has pages."""
        return False

    def get_routing_control_state(
        self, *, Endpoints: Sequence[Mapping[str, str]], RoutingControlArn: str
    ) -> Mapping[str, Any]:
        """Return the state of one control."""
        return self._ask(Endpoints, "get_routing_control_state", RoutingControlArn=RoutingControlArn)

    def update_routing_control_states(
        self, *, Endpoints: Sequence[Mapping[str, str]], UpdateRoutingControlStateEntries: Sequence[Mapping[str, str]]
    ) -> Mapping[str, Any]:
        """Set all states or none. Safety rules cannot be overridden: there is no parameter for it."""
        entries = [dict(entry) for entry in UpdateRoutingControlStateEntries]
        return self._ask(Endpoints, "update_routing_control_states", UpdateRoutingControlStateEntries=entries)

    def _ask(self, endpoints: Sequence[Mapping[str, str]], method: str, **params: Any) -> Mapping[str, Any]:
        open_ones = [(each["Region"], each["Endpoint"]) for each in endpoints if each["Region"] not in self._lost]
        last: Exception = RefusedError(
            f"the cluster of the routing controls has no known endpoint outside {', '.join(sorted(self._lost)) or 'any Region'}.",
            "take an inventory while the cluster can be described: dr plan; nothing was sent.",
        )
        for region, url in sorted(open_ones, key=lambda each: each[0] != self._region):
            try:
                return dict(getattr(self._client(region, url), method)(**params))
            except (BotoConnectionError, HTTPClientError) as err:
                last = err
            except ClientError as err:
                if not _passing(err):
                    raise
                last = err
        raise last

    def _client(self, region: str, url: str) -> Any:
        with self._making:  # clients are safe to share between threads, making them is not
            if (region, url) not in self._clients:
                self._clients[region, url] = self._make(region, url)
            return self._clients[region, url]


def _passing(err: ClientError) -> bool:
    status = int(err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return err.response.get("Error", {}).get("Code") in _TRY_ANOTHER or status >= _SERVER_ERROR
