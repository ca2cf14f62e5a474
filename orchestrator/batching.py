"""How many actions a stage may begin at once: a group is split where AWS allows fewer operations than it would make. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.spec import Quota, Spec
from orchestrator.targets import PlannedTarget
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class Demand:
    """What one action takes of one quota while it runs."""

    quota: Quota
    account: str
    region: str
    amount: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what shares the quota: one kind of operation, account and Region, whatever the technology."""
        return self.quota.operation, self.account, self.region


def demands_of(spec: Spec, target: PlannedTarget, phase: Phase, mode: Mode) -> tuple[Demand, ...]:
    """Return what an action takes of the quotas its technology declares; nothing where its strategy does without."""
    found = []
    for quota in spec.quotas:
        side = quota.where.get(phase)
        if side is None or mode not in quota.modes or (quota.strategies and target.strategy not in quota.strategies):
            continue
        asking = [m for m in target.members if not quota.setting or m.settings.get(quota.setting)]
        if asking:
            place = asking[0].source if side is Side.SOURCE else asking[0].target
            amount = len(asking) if quota.counts_resources else 1
            found.append(Demand(quota, place.account, place.region, amount))
    return tuple(found)


def split(demands: Mapping[str, tuple[Demand, ...]]) -> list[list[str]]:
    """Return names in so many groups that none exceeds a quota; each goes into the first that has room for its demands."""
    groups: list[list[str]] = []
    used: list[Counter[tuple[str, str, str]]] = []
    first: dict[tuple[object, ...], int] = {}  # groups only fill up: what had no room for one has none for the next
    for name, asked in demands.items():
        alike = tuple((demand.key, demand.amount) for demand in asked)
        index = first.get(alike, 0)
        while index < len(groups) and not _fits(asked, used[index]):
            index += 1
        first[alike] = index
        if index == len(groups):
            groups.append([])
            used.append(Counter())
        groups[index].append(name)
        used[index].update({demand.key: demand.amount for demand in asked})
    return groups


def _fits(asked: Iterable[Demand], used: Counter[tuple[str, str, str]]) -> bool:
    return all(used[demand.key] + demand.amount <= demand.quota.at_once for demand in asked)


def reasons(demands: Iterable[Demand]) -> list[str]:
    """Return a sentence for each quota that a group of these demands would exceed."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    quotas: dict[tuple[str, str, str], Quota] = {}
    for demand in demands:
        wanted[demand.key] += demand.amount
        quotas[demand.key] = demand.quota
    return [
        f"{wanted[key]} {quota.operation} in account {key[1]}, {key[2]}: "
        f"AWS allows {quota.at_once} at once ({quota.source})"
        for key, quota in sorted(quotas.items(), key=lambda each: each[0])
        if wanted[key] > quota.at_once
    ]
