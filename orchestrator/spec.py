"""What an adapter declares of its technology: strategies, permissions, limits. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.words import Mode, Phase, Side, Use

ALL_MODES = frozenset(Mode)


@dataclass(frozen=True)
class Permission:
    """IAM actions a spoke role needs, and for what.

    `resources` are ARN patterns with the placeholders {partition} {region} {account} {name}; {name} becomes `*` in the
    role and the resource's own identifier in the session policy of a run. `conditions` is an IAM Condition block; ARN
    patterns in it may hold the same placeholders.
    `session_actions`, when given, stands for `actions` in the session policy (2,048 characters at most), for instance
    `ec2:*` where the role already holds the exact list.
    """

    actions: tuple[str, ...]
    uses: frozenset[Use]
    resources: tuple[str, ...] = ("*",)
    conditions: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)
    modes: frozenset[Mode] = ALL_MODES
    session_actions: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    """The strategies that need it, when not all do: sessions of the others go without."""


@dataclass(frozen=True)
class Strategy:
    """One way a technology is recovered (a value of the tag `dr:recovery-strategy`)."""

    name: str
    title: str
    planned_loss: str
    emergency_loss: str
    typical_minutes: Mapping[Phase, float]
    rollback_until: str


@dataclass(frozen=True)
class Quota:
    """How many operations of one kind AWS allows at once in an account and Region; plans keep to it (`orchestrator.batching`).

    Only what AWS documents, as it is without a raised quota. `where` names the phases in which an action makes the
    operation, and the side whose account and Region it counts in.
    """

    operation: str
    """In the plural, as a plan names it. Technologies that say the same share one quota."""
    at_once: int
    where: Mapping[Phase, Side]
    source: str
    modes: frozenset[Mode] = ALL_MODES
    strategies: tuple[str, ...] = ()
    """The strategies that make the operation, when not all do."""
    setting: str = ""
    """The setting of a resource without which it makes no such operation, if there is one."""
    counts_resources: bool = False
    """True when every resource of a batch counts, not only the batch."""


@dataclass(frozen=True)
class Spec:
    """The declaration of an adapter. Data only."""

    key: str
    title: str
    resource_types: tuple[str, ...]
    manifest_actions: tuple[str, ...]
    strategies: tuple[Strategy, ...]
    permissions: tuple[Permission, ...]
    documentation: str
    companion_types: tuple[str, ...] = ()
    """Resource Explorer types that may carry the same tags and move along with the resource (ecs:task-definition)."""
    stand_in_types: tuple[str, ...] = ()
    """Types that stand in for a side that is not there yet (rds:subgrp); several technologies may share one."""
    stand_in_command: str = ""
    """What to type so that a missing side is known, with {name} and {region}; empty where every side must be there."""
    default_strategy: str | None = None
    """The strategy of a resource when neither its tag nor what is live tells one; only where no two sides can disagree."""
    batch_size: int = 1
    poll_seconds: int = 15
    deadline_minutes: int = 60
    native_listing: bool = False
    """True when a source of tags cannot see the resources (Resource Explorer no DRS server, the Tagging API no Auto Scaling
    group): `discover` is asked in every account of the scope.
    """
    found_apart: bool = False
    """True when `discover` describes each object by itself: many of them in one account and Region are shared out."""
    together_setting: str = ""
    """The setting of a manifest by which resources go together (as by the fact TOGETHER): the same value, one action."""
    global_service: bool = False
    """True when the resource lives in no Region (Route 53): both sides are the same object."""
    refuses: tuple[str, ...] = ()
    """What the adapter declines to do and why, a sentence each; for the behaviour card."""
    limits: tuple[str, ...] = ()
    """AWS quotas and constraints an operator must know, a sentence each, with their source."""
    quotas: tuple[Quota, ...] = ()
    """What AWS allows at once of what this technology does; a plan splits its groups accordingly."""
    unconfirmed: tuple[str, ...] = ()
    """What AWS documents nowhere, and how the adapter avoids relying on it (refuses, or asks), a sentence each."""

    def strategy(self, name: str) -> Strategy:
        """Return the strategy called `name`; raise KeyError when the adapter has none of that name."""
        return {strategy.name: strategy for strategy in self.strategies}[name]
