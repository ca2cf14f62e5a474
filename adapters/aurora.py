"""Amazon Aurora: a cluster in the target Region becomes the writer, as a member of a global database or as a binlog replica.

The steps are told in `adapters.aurora_global` and `adapters.aurora_replica`, the pairing in `adapters.aurora_discovery`.
DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer also lists as rds:cluster, are refused by engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from adapters.aurora_discovery import discover
from adapters.aurora_global import GlobalDatabase
from adapters.aurora_replica import CrossRegionReplica
from adapters.specs.aurora import CROSS_REGION_REPLICA, GLOBAL_DATABASE, SPEC
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
)
from orchestrator.words import Phase


class View(Protocol):
    """What every strategy's view tells."""

    @property
    def strategy(self) -> str:
        """Return the strategy's name."""


WAYS: dict[str, Adapter[Any]] = {GLOBAL_DATABASE: GlobalDatabase(), CROSS_REGION_REPLICA: CrossRegionReplica()}


class AuroraAdapter(Adapter[View]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.aurora_discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> View:
        """Read what the strategy needs."""
        found: View = WAYS[target.strategy].observe(target, aws, run)
        return found

    def readiness(self, view: View, run: RunContext) -> list[Finding]:
        """See the strategy."""
        return WAYS[view.strategy].readiness(view, run)

    def loss(self, view: View, run: RunContext) -> list[Loss]:
        """See the strategy."""
        return WAYS[view.strategy].loss(view, run)

    def instantiate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].instantiate(view, run)

    def activate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].activate(view, run)

    def cleanup(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].cleanup(view, run)

    def replicate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].replicate(view, run)

    def decommission(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].decommission(view, run)

    def rollback(self, phase: Phase, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].rollback(phase, view, run)

    def health(self, view: View, run: RunContext) -> list[Check]:
        """See the strategy."""
        return WAYS[view.strategy].health(view, run)

    def endpoints(self, view: View, run: RunContext) -> list[Endpoint]:
        """See the strategy."""
        return WAYS[view.strategy].endpoints(view, run)

    def after(self, phase: Phase, view: View, run: RunContext) -> View:
        """See the strategy."""
        found: View = WAYS[view.strategy].after(phase, view, run)
        return found
