"""An adapter whose strategies are adapters of their own: it only hands on to the one that a target or a view names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Loss,
    RunContext,
    Step,
    Target,
)
from orchestrator.words import Phase


class StrategyView(Protocol):
    """What every strategy's view tells."""

    @property
    def strategy(self) -> str:
        """Return the strategy's name."""


class ByStrategy(Adapter[StrategyView]):
    """Hands everything but discovery on; `ways` maps a strategy's name to its adapter."""

    ways: ClassVar[Mapping[str, Adapter[Any]]]

    def observe(self, target: Target, aws: Clients, run: RunContext) -> StrategyView:
        """Read what the strategy needs."""
        found: StrategyView = self.ways[target.strategy].observe(target, aws, run)
        return found

    def readiness(self, view: StrategyView, run: RunContext) -> list[Finding]:
        """See the strategy."""
        return self.ways[view.strategy].readiness(view, run)

    def claims(self, view: StrategyView, run: RunContext) -> list[Claim]:
        """See the strategy."""
        return self.ways[view.strategy].claims(view, run)

    def loss(self, view: StrategyView, run: RunContext) -> list[Loss]:
        """See the strategy."""
        return self.ways[view.strategy].loss(view, run)

    def instantiate(self, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].instantiate(view, run)

    def activate(self, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].activate(view, run)

    def cleanup(self, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].cleanup(view, run)

    def replicate(self, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].replicate(view, run)

    def decommission(self, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].decommission(view, run)

    def rollback(self, phase: Phase, view: StrategyView, run: RunContext) -> list[Step]:
        """See the strategy."""
        return self.ways[view.strategy].rollback(phase, view, run)

    def health(self, view: StrategyView, run: RunContext) -> list[Check]:
        """See the strategy."""
        return self.ways[view.strategy].health(view, run)

    def endpoints(self, view: StrategyView, run: RunContext) -> list[Endpoint]:
        """See the strategy."""
        return self.ways[view.strategy].endpoints(view, run)

    def after(self, phase: Phase, view: StrategyView, run: RunContext) -> StrategyView:
        """See the strategy."""
        found: StrategyView = self.ways[view.strategy].after(phase, view, run)
        return found
