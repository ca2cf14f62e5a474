"""What the contract tests must be told of a technology, a module each: `tests/contract/facts/KEY.py` with `FACTS`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.words import Phase

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Statuses:
    """What AWS may say of one kind of thing that an adapter waits for; every value stands in one of the three places."""

    read: str
    """The read and where its reply tells the status: "fsx.DescribeBackups Backups[].Lifecycle"."""
    good: Collection[str]
    """What a wait may end with, or what is only looked at."""
    passing: Collection[str]
    """What ends by itself."""
    failed: Collection[str] = ()
    """What does not end well by itself: an action that waits for the thing must fail, with a remedy."""
    survived: Mapping[tuple[Phase, str], str] = field(default_factory=dict)
    """Phase and failed value -> why what waits there may succeed nevertheless."""


@dataclass(frozen=True)
class Facts:
    """Everything here that excuses something carries its reason."""

    estates: Mapping[str, tuple[Entry, ...]]
    """Strategy -> the resources of CustomerX (named orders...); CustomerY gets the same, called otherwise."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """IAM action -> why the contract's runs never use it."""
    overtaken: Mapping[str, str] = field(default_factory=dict)
    """Operation -> why AWS may have done it before the run gets there; at most once holds for it, exactly not."""
    no_emergency: Mapping[str, str] = field(default_factory=dict)
    """Strategy -> why it promises nothing while a control plane elsewhere is lost; it must say so, not try."""
    asks_to_overwrite: Mapping[str, str] = field(default_factory=dict)
    """Strategy -> why, after an emergency, a person must say first that the returned side may be overwritten."""
    drill_makes_nothing: str = ""
    """Why a drill of it only looks: there is nothing of its own to be found afterwards."""
    looks_only: Mapping[str, str] = field(default_factory=dict)
    """Strategy -> why its drill makes nothing, where drills of the other strategies do."""
    left_out: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(IAM action, resource type) -> why the role does not reach a type that the policy linter misses."""
    too_recent: Mapping[str, str] = field(default_factory=dict)
    """IAM action that the service authorization data lacks -> the operation it is taken to be named after, and where AWS
    documents that; whatever is listed here belongs to `Spec.unconfirmed`, and to the list no longer once the data has it."""
    statuses: tuple[Statuses, ...] = ()
    """Every status that the adapter waits for."""
    judged: Mapping[str, str] = field(default_factory=dict)
    """Every other status it reads, as in `Statuses.read` -> why nothing waits for it."""
    images: bool = False
    """Whether machine images must be there, which cost seconds."""
