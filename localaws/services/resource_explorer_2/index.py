"""What each account and Region last reported to Resource Explorer.

A healthy Region is read live, with an optional delay before news become visible. A dark Region reports
nothing: what it said last stays visible in the other Regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from localaws.services.resource_explorer_2.collect import Record, collect
from localaws.world import World


@dataclass
class _Seen:
    visible: Record | None
    newest: Record
    changed_at: datetime


class Reports:
    """Reports of every account and Region. `delay_seconds` is AWS time before a change becomes visible."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delay_seconds = 0.0
        self._seen: dict[tuple[str, str], dict[str, _Seen]] = {}
        self._dark: set[tuple[str, str]] = set()

    def of(self, account: str, region: str) -> list[Record]:
        """Return what is visible of an account and Region now."""
        key = (account, region)
        if not self._is_dark(region):
            self._dark.discard(key)
            self._take(key)
        elif key not in self._dark:
            # Nothing can change inside a dark Region, so its first sight is its last report.
            self._dark.add(key)
            self._take(key)
        return [seen.visible for seen in self._seen.get(key, {}).values() if seen.visible is not None]

    def _take(self, key: tuple[str, str]) -> None:
        now = self.world.clock.now()
        delay = timedelta(seconds=self.world.clock.clock_seconds(self.delay_seconds))
        before = self._seen.get(key, {})
        after: dict[str, _Seen] = {}
        for record in collect(self.world, *key):
            seen = before.get(record.arn) or _Seen(None, record, now)
            if seen.newest != record:
                seen.newest, seen.changed_at = record, now
            if now >= seen.changed_at + delay:
                seen.visible = seen.newest
            after[record.arn] = seen
        self._seen[key] = after

    def _is_dark(self, region: str) -> bool:
        faults = getattr(self.world, "faults", None)
        return faults is not None and bool(faults.region_is_down(region))
