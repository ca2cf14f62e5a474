"""Where moto's own Lambda meets ours: every invocation inside moto comes here, and functions keep what moto drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from moto.awslambda import models
from moto.awslambda_simple.models import LambdaSimpleBackend


class Invoker(Protocol):
    """Who runs functions for moto's event sources, subscriptions and notifications."""

    def invoke_event(self, account: str, region: str, name: str, payload: bytes) -> None:
        """Run a function without waiting for it."""

    def close(self) -> None:
        """End what runs."""


_invoker: Invoker | None = None


def install(invoker: Invoker) -> None:
    """Send moto's invocations to `invoker`; the latest wins and the one before ends, as moto's state is one."""
    global _invoker  # noqa: PLW0603 - moto's classes are module globals, so is what they call
    before, _invoker = _invoker, invoker
    if before is not None:
        before.close()
    models.LambdaFunction.invoke = _invoke
    models.LambdaFunction.__init__ = _init
    models.LambdaFunction.get_configuration = _get_configuration
    models.LambdaFunction.update_configuration = _update_configuration
    LambdaSimpleBackend.invoke = models.LambdaBackend.invoke


def backend(account: str, region: str) -> Any:
    """Return the backend moto uses for the functions of an account and Region."""
    return models.get_backend(account, region)


def _invoke(self: Any, body: str, _request_headers: Any, _response_headers: Any) -> bytes:
    if _invoker is None:
        raise RuntimeError("no Lambda runtime is installed")
    _invoker.invoke_event(self.account_id, self.region, self.function_name, (body or "{}").encode())
    return b""


def _init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
    _ORIGINAL_INIT(self, account_id, spec, region, version)
    self.logging_config = _logging_config(self.function_name, spec.get("LoggingConfig"))
    # What the configuration shows beyond moto's: RevisionId, reasons, a pending update.
    self.control = {}


def _get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - moto's signature
    configuration: dict[str, Any] = _ORIGINAL_CONFIGURATION(self, on_create)
    return {**configuration, "LoggingConfig": self.logging_config, **self.control}


def _update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
    if "LoggingConfig" in config_updates:
        self.logging_config = _logging_config(self.function_name, config_updates["LoggingConfig"])
    if "TracingConfig" in config_updates:
        self.tracing_config = config_updates["TracingConfig"]
    if "Environment" in config_updates and "Variables" not in config_updates["Environment"]:
        config_updates = {**config_updates, "Environment": {"Variables": {}}}
    _ORIGINAL_UPDATE(self, config_updates)
    return dict(self.get_configuration())


def _logging_config(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}", **(given or {})}


_ORIGINAL_INIT = models.LambdaFunction.__init__
_ORIGINAL_CONFIGURATION = models.LambdaFunction.get_configuration
_ORIGINAL_UPDATE = models.LambdaFunction.update_configuration
