"""Lambda's asynchronous events: accepted at once, tried three times, their end sent to a destination."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from localaws.delivery import Target, deliver
from localaws.lambda_runtime.spec import FunctionSpec, Outcome
from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.lambda")

# Waits before the first and the second retry, in AWS seconds.
RETRY_AFTER_SECONDS = (60, 120)


class Functions(Protocol):
    """Who describes and runs functions."""

    def describe(self, account: str, region: str, name: str, qualifier: str | None) -> tuple[FunctionSpec, int | None]:
        """Return what to run and the reserved concurrency."""

    def run(
        self, spec: FunctionSpec, payload: bytes, *, reserved: int | None = None, client_context: str | None = None
    ) -> Outcome:
        """Run it and wait."""

    def event_settings(self, account: str, region: str, name: str) -> Mapping[str, Any]:
        """Return the function's EventInvokeConfig."""


@dataclass(frozen=True)
class Event:
    """An event on its way to a function."""

    account: str
    region: str
    name: str
    qualifier: str | None
    payload: bytes
    client_context: str | None = None
    attempt: int = 0


class AsynchronousEvents:
    """Runs events in the background."""

    def __init__(self, world: World, functions: Functions) -> None:
        self._world = world
        self._functions = functions

    def accept(self, event: Event) -> None:
        """Run the function with the event, now or, after failures, later."""
        self._world.background(lambda: self._attempt(event))

    def _attempt(self, event: Event) -> None:
        spec, reserved = self._functions.describe(event.account, event.region, event.name, event.qualifier)
        outcome = self._outcome(spec, reserved, event)
        settings = self._functions.event_settings(event.account, event.region, event.name)
        if outcome.error is None:
            self._finish(spec, event, outcome, settings, "OnSuccess")
        elif event.attempt < int(settings.get("MaximumRetryAttempts", len(RETRY_AFTER_SECONDS))):
            later = replace(event, attempt=event.attempt + 1)
            wait_seconds = RETRY_AFTER_SECONDS[min(event.attempt, 1)]
            self._world.clock.after(wait_seconds, lambda: self.accept(later))
        else:
            log.warning("%s failed: %s", spec.arn, outcome.payload.decode("utf-8", "replace"))
            self._finish(spec, event, outcome, settings, "OnFailure")

    def _outcome(self, spec: FunctionSpec, reserved: int | None, event: Event) -> Outcome:
        """Run the function; being throttled is a failure like any other."""
        try:
            return self._functions.run(spec, event.payload, reserved=reserved, client_context=event.client_context)
        except AwsError as error:
            answer = json.dumps({"errorType": error.code, "errorMessage": error.message}).encode()
            return Outcome(str(uuid.uuid4()), answer, "Unhandled")

    def _finish(
        self, spec: FunctionSpec, event: Event, outcome: Outcome, settings: Mapping[str, Any], which: str
    ) -> None:
        destination = settings.get("DestinationConfig", {}).get(which, {}).get("Destination")
        if not destination:
            return
        record = {
            "version": "1.0",
            "timestamp": self._world.clock.now().isoformat(),
            "requestContext": {
                "requestId": outcome.request_id,
                "functionArn": f"{spec.arn}:{spec.version}",
                "condition": "Success" if which == "OnSuccess" else "RetriesExhausted",
                "approximateInvokeCount": event.attempt + 1,
            },
            "requestPayload": json.loads(event.payload),
            "responseContext": {"statusCode": 200, "executedVersion": spec.version, "functionError": outcome.error},
            "responsePayload": json.loads(outcome.payload or b"null"),
        }
        target = Target(destination, role_arn=spec.role_arn)
        deliver(self._world, target, json.dumps(record), spec.name)  # type: ignore[arg-type]
