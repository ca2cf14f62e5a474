"""Calls without the wire: botocore's clients ask the embedded AWS directly, through the same hooks, IAM and faults.

Only copies (see `forks`) go this way, all calls but signed HTTP, which no service model describes. What they ask is held against
the service's model as ever; that signing, writing and reading work is shown by the planned runs there and back, and by the
adapters' stories. Time jumps so far there that sessions keep expiring, and making clients anew would cost more than all calls.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError, ParamValidationError
from botocore.validate import ParamValidator

from localaws import acting
from localaws.dispatcher import LocalAws
from localaws.service import AwsError, ConnectionLost
from orchestrator import sessions


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
            key = self._request_signer._credentials.access_key
            service = self.meta.service_model.service_name
            _check(self.meta.service_model.operation_model(operation).input_shape, params)
            try:
                principal = local.accounts.resolve(key, local.clock.now())
                return acting.act(local, principal, service, operation, self.meta.region_name, **params)
            except AwsError as error:
                raise acting.client_error(error, operation) from error
            except ConnectionLost as error:
                raise ConnectionClosedError(endpoint_url=self.meta.endpoint_url) from error

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


def _check(shape: Any, params: dict[str, Any]) -> None:
    """Refuse what no client would send."""
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
