"""The last look at whose a resource is: its tags as they are now, not as the inventory has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.contract import Adapter, Found, Place, Target
from orchestrator.discovery import OpenReader
from orchestrator.errors import RefusedError
from orchestrator.ledger.records import Run
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT

ConfirmScope = Callable[[Run, Adapter[Any], Target], None]
"""(run, adapter, target): raise `RefusedError` when something of the target is not the run's to touch."""


def confirm_scope(open_reader: OpenReader, technology: str) -> ConfirmScope:
    """Return the check; it reads through the spoke role of `technology`, which may look and change nothing."""

    def confirm(run: Run, adapter: Adapter[Any], target: Target) -> None:
        sides = {
            (place.account, _region(run, place)) for each in target.members for place in (each.source, each.target)
        }
        arns = {place.arn for each in target.members for place in (each.source, each.target)}
        for account, region in sorted(sides):
            mine = tuple(sorted(arn for arn in arns if _lies_in(arn, region)))
            if mine:
                found = adapter.discover(open_reader(account, region, technology), mine)
                strangers = foreign(run, (each for each in found if each.place.arn in arns))
                if strangers:
                    raise RefusedError(
                        f"{'; '.join(strangers)}: nothing was changed.",
                        "find out who changed the tags; correct them, then retry, or skip the resource.",
                        code="ForeignResource",
                    )

    return confirm


def foreign(run: Run, found: Iterable[Found]) -> list[str]:
    """Return what does not belong to the run's scope any more, with what was seen. Pure."""
    wanted = {CUSTOMER: run.scope.customer, ENVIRONMENT: run.scope.environment, ENABLED: "true"}
    return [
        f'{each.place.arn} carries {tag}="{each.tags.get(tag, "")}", expected "{value}"'
        for each in found
        if not each.counterpart
        for tag, value in wanted.items()
        if each.tags.get(tag) != value
    ]


def _region(run: Run, place: Place) -> str:
    return run.target_region if place.region == "global" else place.region


def _lies_in(arn: str, region: str) -> bool:
    return arn.split(":")[3] in {region, ""}
