"""What is rehearsed: every adapter, strategy, mode and direction of the registry; `tests.contract.facts` tells of each."""

from __future__ import annotations

import gc
import keyword
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import pytest

from adapters import registry
from orchestrator.words import Mode
from tests.contract.facts import Entry, Facts
from tests.contract.forks import Copies, Failure
from tests.contract.rehearsal import TWIN, Change, Record, Rehearsal, Stageplay
from tests.support.driver import SCOPE, open_world
from tests.support.shortcut import only_directly


def facts(key: str) -> Facts:
    """Return what the contract tests are told of a technology; fail when nobody told them."""
    name = f"tests.contract.facts.{key}_" if keyword.iskeyword(key) else f"tests.contract.facts.{key}"
    try:
        found = import_module(name).FACTS
    except ModuleNotFoundError:
        pytest.fail(f"there is no {name} for the adapter {key}: add one", pytrace=False)
    assert isinstance(found, Facts)
    return found


SAMPLE = ("ecs", "scale-service")
"""The strategy that is rehearsed in the fast gate too: it stands for all, and dies at the ledger's records besides."""


@dataclass(frozen=True)
class Case:
    """One run. `back`: from the target Region to the source Region, after a failover."""

    adapter: str
    strategy: str
    mode: Mode
    back: bool
    decommission: bool = False
    """Whether the old side is deleted at the end."""

    def __str__(self) -> str:
        """Return the name pytest shows."""
        return f"{self.adapter}-{self.strategy}-{self.mode}-{self._direction}"

    @property
    def _direction(self) -> str:
        there = "failback" if self.back else "failover"
        return f"{there}-decommission" if self.decommission else there

    @property
    def exhaustive(self) -> bool:
        """Say whether it is too much for the fast gate."""
        return (self.adapter, self.strategy) != SAMPLE

    @property
    def dies_at_saves(self) -> bool:
        """Say whether it also dies at the ledger's records and loses answers: the engine's part, whatever the adapter."""
        return self.adapter == "ecs" and self.mode is Mode.PLANNED and not self.back and not self.decommission

    @property
    def promised(self) -> bool:
        """Say whether the run is meant to succeed."""
        lost_control_plane = self.mode is Mode.EMERGENCY and not self.back
        return not (lost_control_plane and self.strategy in facts(self.adapter).no_emergency)


def pairs() -> list[tuple[str, str]]:
    """Return every (adapter, strategy) of the registry."""
    return [(each.spec.key, strategy.name) for each in registry.adapters() for strategy in each.spec.strategies]


def cases(*modes: Mode) -> list[Case]:
    """Return every case of the registry, or those of some modes."""
    return [Case(*pair, mode, back) for pair in pairs() for mode in modes or tuple(Mode) for back in (False, True)]


def decommissions() -> list[Case]:
    """Return a failover of each strategy that deletes the old side at its end."""
    return [Case(*pair, Mode.PLANNED, back=False, decommission=True) for pair in pairs()]


def record(case: Case) -> Record:
    """Return what was seen of a case; fail the test when the run itself broke."""
    found = _records(case.adapter, case.strategy)[case]
    if isinstance(found, Failure):
        pytest.fail(f"{case} broke:\n{found.trace}", pytrace=False)
    assert isinstance(found, Record)
    return found


def certain(case: Case, changes: Iterable[Change]) -> list[Change]:
    """Return the changes that only the run makes."""
    return [change for change in changes if change.operation not in facts(case.adapter).overtaken]


@cache
def _records(key: str, strategy: str) -> dict[Case, Record | Failure]:
    """Rehearse one strategy in all modes and directions; where two runs start from the same state, one is a copy."""

    def case(mode: Mode, back: bool) -> Case:
        return Case(key, strategy, mode, back)

    with pytest.MonkeyPatch.context() as patch:
        gc.collect()
        gc.freeze()
        world = open_world(patch, *entries(key, strategy), images=facts(key).images)
        play, me = Stageplay(world, registry.adapter(key)), os.getpid()
        try:
            copies = Copies(begin=partial(only_directly, world.local))
            found: dict[str, Any] = {}
            last = Case(key, strategy, Mode.PLANNED, back=False, decommission=True)
            for one in (case(Mode.EMERGENCY, False), case(Mode.DRILL, False), last):
                copies.run(str(one), Rehearsal(play, one).run)
            there = case(Mode.PLANNED, False)
            found[str(there)] = Rehearsal(play, there).run()
            world.wait(minutes=60)
            for one in (case(Mode.EMERGENCY, True), case(Mode.DRILL, True)):
                copies.run(str(one), Rehearsal(play, one).run)
            back = case(Mode.PLANNED, True)
            found[str(back)] = Rehearsal(play, back).run()
            found |= copies.gather()
        finally:
            if os.getpid() != me:
                os._exit(1)  # a copy that fell out of its story must not become a second test runner
            play.close()
    return {one: found[str(one)] for one in (last, *(case(mode, back) for mode in Mode for back in (False, True)))}


def entries(key: str, strategy: str) -> list[Entry]:
    """Return the estate a strategy is rehearsed in: both customers' resources."""
    estates = facts(key).estates
    if strategy not in estates:
        pytest.fail(f"tests/contract/facts knows no estate for {key} {strategy}: add one", pytrace=False)
    ours = [tagged(entry, strategy, SCOPE.customer) for entry in estates[strategy]]
    theirs = [
        {**tagged(entry, strategy, TWIN.customer), "name": entry["name"].replace("orders", "ledger")}
        for entry in estates[strategy]
    ]
    return ours + theirs


def tagged(entry: Entry, strategy: str, customer: str) -> Entry:
    """Return a resource of a facts module as a customer's, with its strategy."""
    return {**entry, "tags": {"Customer": customer, "dr:recovery-strategy": strategy, **entry.get("tags", {})}}
