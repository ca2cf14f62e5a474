"""How copies of a process (see `forks`) get their clients: all go the short way (`tests.support.shortcut`) but signed HTTP.

Time jumps so far there that sessions keep expiring, and making clients anew would cost more than all calls.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient
from botocore.credentials import Credentials

from localaws.dispatcher import LocalAws
from orchestrator import sessions
from tests.support.shortcut import directly


class Shortcut:
    """The way of one embedded AWS's copies; `prepare` what they will need before they are made."""

    def __init__(self, local: LocalAws) -> None:
        self._local = local
        self._patterns: dict[tuple[str, str], Any] = {}
        self._core = local.session(next(iter(local.accounts.names)), "us-east-1")._session

    def prepare(self, service: str, region: str) -> None:
        """Make the client that those of a service and Region are copied from, unless it is there."""
        if service.endswith("-http"):
            return  # signed HTTP has no clients that are costly to make
        if (service, region) not in self._patterns:
            account = next(iter(self._local.accounts.names))
            self._patterns[service, region] = self._local.session(account, region).client(service)

    def client(self, key: str, service: str, region: str) -> Any:
        """Return a client that signs with `key`."""
        self.prepare(service, region)
        pattern = self._patterns[service, region]
        own = object.__new__(type(pattern))  # copy.copy would ask it for attributes before it has any
        own.__dict__.update(pattern.__dict__)
        own._request_signer = SimpleNamespace(_credentials=SimpleNamespace(access_key=key))
        return own

    def take(self) -> None:
        """Let every client of this process ask directly from now on; new sessions share the clients made so far."""
        local = self._local

        def call(self: BaseClient, operation: str, params: dict[str, Any]) -> Any:
            return directly(local, self, self.meta.service_model.operation_model(operation), params)

        BaseClient._make_api_call = call  # type: ignore[method-assign]
        sessions._shared_core = lambda: None
        sessions.boto3 = SimpleNamespace(Session=self._session)  # type: ignore[assignment]

    def _session(self, *, aws_access_key_id: str, **_: Any) -> Any:
        def client(service: str, region_name: str, config: Any, endpoint_url: str | None = None) -> Any:
            return self.client(aws_access_key_id, service, region_name)

        return SimpleNamespace(client=client, _session=self._signing_with(aws_access_key_id))

    def _signing_with(self, key: str) -> Any:
        """Return what signed HTTP needs of a botocore session; its requests go the same way, signature and all."""
        return SimpleNamespace(
            get_credentials=lambda: Credentials(key, "secret"),
            get_component=self._core.get_component,
            get_config_variable=self._core.get_config_variable,
        )
