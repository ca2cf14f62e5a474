"""What is rehearsed: every adapter, strategy, mode and direction of the registry. A new adapter adds its estate here."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from adapters import registry
from orchestrator.words import Mode
from tests.contract.forks import Copies, Failure
from tests.contract.rehearsal import TWIN, Change, Record, Rehearsal, Stageplay
from tests.support.driver import SCOPE, open_world

Entry = Mapping[str, Any]

OVERTAKEN: Mapping[tuple[str, str], str] = {
    (
        "ecs",
        "ecs.UpdateService",
    ): "Application Auto Scaling raises the count by itself as soon as the bounds ask for it",
    ("drs", "drs.TagResource"): "going back, DRS takes up the source server of the first direction, which has its tags",
}
"""(adapter, operation) -> why AWS may have done it before the run gets there; at most once holds for it, exactly not."""

ESTATES: Mapping[tuple[str, str], tuple[Entry, ...]] = {
    ("aurora", "global-database"): ({"kind": "aurora-global", "name": "orders"},),
    ("rds", "read-replica"): ({"kind": "rds-replica", "name": "orders"},),
    ("drs", "drs-recovery"): ({"kind": "drs-server", "name": "orders-1"}, {"kind": "drs-server", "name": "orders-2"}),
    ("ecs", "scale-service"): ({"kind": "ecs-service", "name": "orders"},),
    ("route53", "failover-routing"): ({"kind": "dns-failover", "name": "orders-dns", "zone": "shop.example.com"},),
    ("route53", "weighted"): ({"kind": "dns-weighted", "name": "orders-dns", "zone": "shop.example.com"},),
    ("route53", "alarm-health-check"): ({"kind": "dns-alarm", "name": "orders-dns", "zone": "shop.example.com"},),
}
"""(adapter, strategy) -> the resources of CustomerX; CustomerY gets the same, called otherwise."""

NO_EMERGENCY: Mapping[tuple[str, str], str] = {
    ("route53", "weighted"): "weights are changed through Route 53's control plane",
}
"""Strategies that promise nothing while a control plane elsewhere is lost; they must say so, not try."""


@dataclass(frozen=True)
class Case:
    """One run. `back`: from the target Region to the source Region, after a failover."""

    adapter: str
    strategy: str
    mode: Mode
    back: bool

    def __str__(self) -> str:
        """Return the name pytest shows."""
        return f"{self.adapter}-{self.strategy}-{self.mode}-{'failback' if self.back else 'failover'}"

    @property
    def dies_at_saves(self) -> bool:
        """Say whether it also dies at the ledger's records and loses answers: the engine's part, whatever the adapter."""
        return self.adapter == "ecs" and self.mode is Mode.PLANNED and not self.back

    @property
    def promised(self) -> bool:
        """Say whether the run is meant to succeed."""
        lost_control_plane = self.mode is Mode.EMERGENCY and not self.back
        return not (lost_control_plane and (self.adapter, self.strategy) in NO_EMERGENCY)


def pairs() -> list[tuple[str, str]]:
    """Return every (adapter, strategy) of the registry."""
    return [(each.spec.key, strategy.name) for each in registry.adapters() for strategy in each.spec.strategies]


def cases(*modes: Mode) -> list[Case]:
    """Return every case of the registry, or those of some modes."""
    return [Case(*pair, mode, back) for pair in pairs() for mode in modes or tuple(Mode) for back in (False, True)]


def record(case: Case) -> Record:
    """Return what was seen of a case; fail the test when the run itself broke."""
    found = _records(case.adapter, case.strategy)[case]
    if isinstance(found, Failure):
        pytest.fail(f"{case} broke:\n{found.trace}", pytrace=False)
    assert isinstance(found, Record)
    return found


def certain(case: Case, changes: Iterable[Change]) -> list[Change]:
    """Return the changes that only the run makes."""
    return [change for change in changes if (case.adapter, change.operation) not in OVERTAKEN]


@cache
def _records(key: str, strategy: str) -> dict[Case, Record | Failure]:
    """Rehearse one strategy in all modes and directions; where two runs start from the same state, one is a copy."""

    def case(mode: Mode, back: bool) -> Case:
        return Case(key, strategy, mode, back)

    with pytest.MonkeyPatch.context() as patch:
        gc.collect()
        gc.freeze()
        world = open_world(patch, *_entries(key, strategy), images=key == "drs")
        play, me = Stageplay(world, registry.adapter(key)), os.getpid()
        try:
            copies = Copies()
            found: dict[str, Any] = {}
            for one in (case(Mode.EMERGENCY, False), case(Mode.DRILL, False)):
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
    return {one: found[str(one)] for one in (case(mode, back) for mode in Mode for back in (False, True))}


def _entries(key: str, strategy: str) -> list[Entry]:
    if (key, strategy) not in ESTATES:
        pytest.fail(f"tests/contract/matrix.py knows no estate for {key} {strategy}: add one", pytrace=False)
    ours = [_tagged(entry, strategy, SCOPE.customer) for entry in ESTATES[key, strategy]]
    theirs = [
        {**_tagged(entry, strategy, TWIN.customer), "name": entry["name"].replace("orders", "ledger")}
        for entry in ESTATES[key, strategy]
    ]
    return ours + theirs


def _tagged(entry: Entry, strategy: str, customer: str) -> Entry:
    return {**entry, "tags": {"Customer": customer, "dr:recovery-strategy": strategy, **entry.get("tags", {})}}
