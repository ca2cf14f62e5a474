"""What stories and copies ask without the wire is answered as over the wire: see `tests.support.shortcut`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from localaws.calllog import is_mutating
from tests.contract.matrix import SAMPLE, entries, facts, pairs
from tests.support import shortcut
from tests.support.driver import open_world

CASES = [pytest.param(*pair, marks=() if pair == SAMPLE else pytest.mark.exhaustive) for pair in pairs()]


def outcome(ask: Callable[[], Any]) -> Any:
    """Return what a call says, or of a refusal its code and message, without what differs from one call to the next."""
    try:
        reply = dict(ask())
    except ClientError as refused:
        return type(refused).__name__, refused.response["Error"]["Code"], refused.response["Error"]["Message"]
    reply.pop("ResponseMetadata")
    return steady(reply)


def steady(said: Any) -> Any:
    """Return what was said without the moment it was said: time stands still but for what moto reads off the wall."""
    if isinstance(said, dict):
        return {name: steady(each) for name, each in said.items()}
    if isinstance(said, list):
        return [steady(each) for each in said]
    if isinstance(said, datetime) and abs(datetime.now(UTC) - said) < timedelta(hours=1):
        return "now"
    return said


@pytest.mark.parametrize(("key", "strategy"), CASES)
def test_everything_that_a_plan_reads_is_answered_alike_with_and_without_the_wire(
    key: str, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world(monkeypatch, *entries(key, strategy), images=facts(key).images)
    asked: set[str] = set()
    unlike: list[str] = []

    def both_ways(self: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        model = self.meta.service_model.operation_model(operation)
        service = model.service_model.service_name
        # Of credentials no two are alike.
        if service != "sts" and not is_mutating(service, operation) and not shortcut.is_more_than_parameters(model):
            asked.add(f"{service}.{operation}")
            short = outcome(lambda: shortcut.directly(world.local, self, model, params))
            long = outcome(lambda: shortcut.over_the_wire(self, operation, params))
            if short != long:
                unlike.append(f"{service}.{operation} {params}\n  short: {short}\n  wire:  {long}")
        return shortcut.over_the_wire(self, operation, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", both_ways)
    world.start(commit=False)
    assert asked
    assert not unlike, "\n".join(unlike)
