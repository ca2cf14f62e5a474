"""What time does to replications: the first sync, one sync every 15 minutes, deletion on one side or both.

Timings in AWS seconds. A fault of the scenario acts on `efs.create-replication`, `efs.sync`,
`efs.delete-replication` and `efs.delete-replication-local` (resource: the source file system's ARN).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from localaws.services.efs.models import Protection, Replication, ReplicationStatus, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localaws.world import World

INITIAL_SYNC_SECONDS = 600.0
SYNC_EVERY_SECONDS = 900.0
SYNC_SECONDS = 60.0
DELETE_SECONDS = 120.0
DELETE_LOCAL_SECONDS = 60.0
RETRY_SECONDS = 60.0


class Replications:
    """All replications of all accounts and Regions."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._all: list[Replication] = []

    def reset(self) -> None:
        """Forget every replication."""
        self._all = []

    def of(self, side: Side) -> Replication | None:
        """Return the replication whose configuration a file system still holds."""
        return next((r for r in self._all if side in r.held_by), None)

    def held_in(self, account: str, region: str) -> Iterator[Replication]:
        """Yield the replications an account sees in a Region."""
        return (r for r in self._all if r.held_in(account, region) is not None)

    def start(self, replication: Replication, *, at_once: bool = False) -> None:
        """Begin to copy: the first full sync, then one every 15 minutes. `at_once`: an estate starts in sync."""
        replication.held_by = {replication.source, replication.target}
        self._all.append(replication)
        self._protect(replication.target, Protection.REPLICATING)
        if at_once:
            self._enabled(replication)
            return
        self.world.transition(
            "efs.create-replication",
            replication.source.arn,
            INITIAL_SYNC_SECONDS,
            lambda: self._enabled(replication),
            lambda: _fail(replication, "The initial sync failed: delete the replication and create it again."),
        )

    def sync(self, replication: Replication) -> None:
        """Copy what changed; what was written before this moment is on the target side a minute later."""
        if not self._can_copy(replication):
            return
        began = self.world.clock.now()

        def done() -> None:
            if self._can_copy(replication):
                replication.synced_at, replication.message = began, None
                replication.status = ReplicationStatus.ENABLED

        failed = partial(_fail, replication, "Replication failed: the file system could not be read or written.")
        self.world.transition("efs.sync", replication.source.arn, SYNC_SECONDS, done, failed)

    def delete(self, replication: Replication) -> None:
        """Delete the configuration on both sides; nothing ends while the other side does not answer."""
        if replication.status is ReplicationStatus.DELETING:
            return
        replication.status, replication.message = ReplicationStatus.DELETING, None
        self.world.transition(
            "efs.delete-replication",
            replication.source.arn,
            DELETE_SECONDS,
            lambda: self._delete_everywhere(replication),
            lambda: _fail(replication, "The replication could not be deleted on the other side."),
        )

    def delete_on(self, side: Side, replication: Replication) -> None:
        """Delete the configuration on one side; the other keeps an orphan."""
        self.world.transition(
            "efs.delete-replication-local",
            replication.source.arn,
            DELETE_LOCAL_SECONDS,
            lambda: self._orphan(replication, side),
        )

    def _enabled(self, replication: Replication) -> None:
        if replication.status is not ReplicationStatus.ENABLING or not replication.whole:
            return
        if self._dark(replication):
            self.world.clock.after(RETRY_SECONDS, lambda: self._enabled(replication))
            return
        replication.status = ReplicationStatus.ENABLED
        replication.synced_at = self.world.clock.now()
        self.world.clock.after(SYNC_EVERY_SECONDS, lambda: self._cycle(replication))

    def _cycle(self, replication: Replication) -> None:
        if not replication.whole:
            return
        self.world.clock.after(SYNC_EVERY_SECONDS, lambda: self._cycle(replication))
        self.sync(replication)

    def _can_copy(self, replication: Replication) -> bool:
        alive = replication.status in {ReplicationStatus.ENABLED, ReplicationStatus.ERROR}
        return alive and replication.whole and replication.synced_at is not None and not self._dark(replication)

    def _dark(self, replication: Replication) -> bool:
        return any(self.world.faults.region_is_down(s.region) for s in (replication.source, replication.target))

    def _delete_everywhere(self, replication: Replication) -> None:
        if replication.status is not ReplicationStatus.DELETING:
            return
        if self._dark(replication):
            self.world.clock.after(RETRY_SECONDS, lambda: self._delete_everywhere(replication))
            return
        for side in list(replication.held_by):
            self._release(replication, side)

    def _orphan(self, replication: Replication, side: Side) -> None:
        self._release(replication, side)
        replication.status = ReplicationStatus.ERROR

    def _release(self, replication: Replication, side: Side) -> None:
        if side not in replication.held_by:
            return
        replication.held_by.discard(side)
        if side == replication.target:
            self._protect(side, Protection.ENABLED)
        if not replication.held_by:
            self._all.remove(replication)

    def _protect(self, side: Side, protection: Protection) -> None:
        file_system: Any = self.world.backend("efs", side.account, side.region).file_systems_by_id.get(
            side.file_system_id
        )
        if file_system is not None:
            file_system._protection = protection


def _fail(replication: Replication, message: str) -> None:
    replication.status, replication.message = ReplicationStatus.ERROR, message
