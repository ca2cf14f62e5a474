"""What time does to replication: initial sync, lag, silence, recovery points.

The initial sync passes through documented states by transitions. Everything that follows is computed when
somebody looks: an agent whose machine stopped or whose Region is dark is silent, so lag grows, replication
turns STALLED and, a day later, DISCONNECTED. Recovery points exist every ten minutes of working replication.
AWS documents the states, not the time-outs; the figures below are ours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from localaws.service import AwsError
from localaws.services.drs.models import ReplicationState, SourceServer, Window
from localaws.services.ec2 import Ec2Service
from localaws.world import World

INITIATING_SECONDS = 60.0
INITIAL_SYNC_SECONDS = 300.0
FIRST_SNAPSHOT_SECONDS = 60.0
STALLED_AFTER_SECONDS = 300.0
DISCONNECTED_AFTER_SECONDS = 86_400.0
RESCAN_SECONDS = 60.0
HEARTBEAT_SECONDS = 60.0
DRAIN_BYTES_PER_SECOND = 4 * 1024**2
CATCH_UP_BYTES = 256 * 1024**2

SNAPSHOT_SECONDS = 600.0
HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0
DAYS_KEPT = 7


@dataclass(frozen=True)
class Progress:
    """How replication of one server stands now. `lag` is None when there is none."""

    state: ReplicationState
    lag: timedelta | None = None
    backlog_bytes: int = 0
    error: str | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True)
class RecoveryPoint:
    """A point-in-time snapshot."""

    id: str
    at: datetime


class Replication:
    """Moves source servers through replication on the world's clock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._watched: dict[str, SourceServer] = {}
        self._epoch = 0

    def reset(self) -> None:
        """Forget the servers that are watched."""
        self._watched = {}
        self._epoch += 1

    def begin(self, server: SourceServer) -> None:
        """Start (or restart) replication from the first byte."""
        server.generation += 1
        server.silent_since = server.resumed_at = None
        server.windows.clear()
        self._enter(server, ReplicationState.INITIATING)
        self._watch(server)
        self._next(server, "drs.initiate", INITIATING_SECONDS, ReplicationState.INITIAL_SYNC)

    def mark_continuous(self, server: SourceServer, since: datetime) -> None:
        """Declare that the server has replicated without a break since `since`."""
        server.state, server.state_since = ReplicationState.CONTINUOUS, since
        server.windows = [Window(since)]
        self._watch(server)

    def stop(self, server: SourceServer, state: ReplicationState) -> None:
        """End replication and delete every recovery point, as StopReplication and Disconnect do."""
        server.generation += 1
        server.windows.clear()
        server.backlog_bytes = 0
        server.silent_since = server.resumed_at = server.backlog_since = None
        self._enter(server, state)

    def refresh(self, server: SourceServer) -> None:
        """Notice that the agent fell silent or came back."""
        since = self._silent_since(server)
        if since is not None and server.silent_since is None:
            server.silent_since = since
            if server.windows and server.windows[-1].end is None:
                server.windows[-1].end = since
        elif since is None and server.silent_since is not None:
            now = self.world.clock.now()
            server.silent_since, server.resumed_at = None, now
            server.backlog_bytes, server.backlog_since = CATCH_UP_BYTES, now + self._lasting(RESCAN_SECONDS)
            if server.windows:
                server.windows.append(Window(now))

    def progress(self, server: SourceServer) -> Progress:
        """Return where replication stands, as DescribeSourceServers shows it."""
        self.refresh(server)
        now = self.world.clock.now()
        if server.state in {ReplicationState.STOPPED, ReplicationState.DISCONNECTED}:
            return Progress(server.state, last_seen=server.state_since)
        if server.silent_since is not None:
            return self._silent_progress(server, now)
        if server.state is not ReplicationState.CONTINUOUS:
            return Progress(server.state, last_seen=now)
        backlog = self._backlog(server, now)
        if not backlog:
            return Progress(ReplicationState.CONTINUOUS, last_seen=now)
        rescanning = server.backlog_since is not None and now < server.backlog_since
        state = ReplicationState.RESCAN if rescanning else ReplicationState.BACKLOG
        return Progress(state, self._lasting(backlog / DRAIN_BYTES_PER_SECOND), backlog, last_seen=now)

    def recovery_points(self, server: SourceServer) -> list[RecoveryPoint]:
        """Return the recovery points that exist, oldest first: 10 minutes, hourly, daily."""
        self.refresh(server)
        now = self.world.clock.now()
        step = self._lasting(SNAPSHOT_SECONDS)
        points: list[RecoveryPoint] = []
        for window in server.windows:
            end = min(window.end or now, now)
            points += [_point(server, at) for at in self._kept_ticks(window.start, end, step)]
        return points

    def reachable(self, server: SourceServer) -> bool:
        """Say whether an on-demand snapshot can be taken: the agent is alive and the first sync is over."""
        self.refresh(server)
        synced = server.state in {ReplicationState.CONTINUOUS, ReplicationState.CREATING_SNAPSHOT}
        return synced and server.silent_since is None

    def is_dark(self, region: str) -> bool:
        """Say whether a fault keeps the Region from answering anybody."""
        faults = getattr(self.world, "faults", None)
        return faults is not None and bool(faults.region_is_down(region))

    def _watch(self, server: SourceServer) -> None:
        """Listen for the agent's heartbeat, so that the moment it falls silent is known although nobody looks."""
        if not self._watched:
            self.world.clock.after(HEARTBEAT_SECONDS, partial(self._beat, self._epoch))
        self._watched[server.arn] = server

    def _beat(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        ended = {ReplicationState.STOPPED, ReplicationState.DISCONNECTED}
        self._watched = {arn: server for arn, server in self._watched.items() if server.state not in ended}
        for server in self._watched.values():
            self.refresh(server)
        if self._watched:
            self.world.clock.after(HEARTBEAT_SECONDS, partial(self._beat, epoch))

    def _kept_ticks(self, start: datetime, end: datetime, step: timedelta) -> list[datetime]:
        """Apply the default retention: an hour of 10-minute points, a day of hourly ones, a week of daily ones."""
        if end < start:
            return []
        newest = int((end - start) / step)
        per_hour, per_day = int(HOUR_SECONDS / SNAPSHOT_SECONDS), int(DAY_SECONDS / SNAPSHOT_SECONDS)
        kept = set(range(max(0, newest - per_hour + 1), newest + 1))
        kept |= set(range(newest - newest % per_hour, max(-1, newest - per_day), -per_hour))
        kept |= set(range(newest - newest % per_day, max(-1, newest - DAYS_KEPT * per_day), -per_day))
        return [start + step * tick for tick in sorted(kept)]

    def _silent_progress(self, server: SourceServer, now: datetime) -> Progress:
        since = server.silent_since
        assert since is not None
        silent = self._aws_seconds(since)
        base = Progress(server.state, now - since, server.backlog_bytes, last_seen=since)
        if silent < STALLED_AFTER_SECONDS:
            return base
        late = silent >= DISCONNECTED_AFTER_SECONDS
        state = ReplicationState.DISCONNECTED if late else ReplicationState.STALLED
        return Progress(state, base.lag, base.backlog_bytes, "AGENT_NOT_SEEN", since)

    def _backlog(self, server: SourceServer, now: datetime) -> int:
        if server.backlog_since is None or not server.backlog_bytes:
            return 0
        drained = max(0.0, self._aws_seconds(server.backlog_since)) * DRAIN_BYTES_PER_SECOND
        server_backlog = max(0, int(server.backlog_bytes - drained))
        if not server_backlog:
            server.backlog_bytes, server.backlog_since = 0, None
        return server_backlog

    def _silent_since(self, server: SourceServer) -> datetime | None:
        if self.is_dark(server.origin_region):
            return server.silent_since or self.world.clock.now()
        if server.on_premises:
            return None
        ec2 = self.world.service("ec2")
        assert isinstance(ec2, Ec2Service)
        return ec2.silent_since(server.origin_account, server.origin_region, server.instance_id)

    def _next(self, server: SourceServer, kind: str, aws_seconds: float, state: ReplicationState) -> None:
        generation = server.generation

        def effect() -> None:
            if server.generation != generation:
                return
            self.refresh(server)
            if server.silent_since is not None:
                self._next(server, kind, aws_seconds, state)
                return
            self._enter(server, state)
            if state is ReplicationState.INITIAL_SYNC:
                self._next(server, "drs.initial-sync", INITIAL_SYNC_SECONDS, ReplicationState.CREATING_SNAPSHOT)
            elif state is ReplicationState.CREATING_SNAPSHOT:
                self._next(server, "drs.first-snapshot", FIRST_SNAPSHOT_SECONDS, ReplicationState.CONTINUOUS)
            else:
                server.windows.append(Window(self.world.clock.now()))

        self.world.transition(kind, server.arn, aws_seconds, effect)

    def _enter(self, server: SourceServer, state: ReplicationState) -> None:
        server.state, server.state_since = state, self.world.clock.now()

    def _lasting(self, aws_seconds: float) -> timedelta:
        return timedelta(seconds=self.world.clock.clock_seconds(aws_seconds))

    def _aws_seconds(self, since: datetime | None) -> float:
        return 0.0 if since is None else self.world.clock.aws_seconds((self.world.clock.now() - since).total_seconds())


def _point(server: SourceServer, at: datetime) -> RecoveryPoint:
    digest = hashlib.sha256(f"{server.id}/{at.isoformat()}".encode()).hexdigest()
    return RecoveryPoint("pit-" + digest[:17], at)


def find_point(points: list[RecoveryPoint], snapshot_id: str) -> RecoveryPoint:
    """Return the recovery point with this id; raise ValidationException when it does not exist (any more)."""
    for point in points:
        if point.id == snapshot_id:
            return point
    raise AwsError("ValidationException", f"Recovery snapshot {snapshot_id} was not found.", reason="other")
