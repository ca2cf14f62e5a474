"""Indices: how many operations each holds, given who writes, who follows whom and what is dark.

Time is accounted for when somebody looks. An outage freezes what lies in the dark Region; a follower keeps what it
had fetched, `lag_seconds` behind its leader, and catches up within that time once the leader is quiet.
"""

from __future__ import annotations

from collections.abc import Iterator

from localaws.services.opensearch.connections import OpenSearchConnections
from localaws.services.opensearch.errors import Refusal, already_there, index_missing
from localaws.services.opensearch.state import Follow, Index, Place, Sync, place_of


class OpenSearchIndices(OpenSearchConnections):
    """Reading and changing the indices of a domain."""

    def add_index(self, place: Place, name: str, checkpoint: float = 0.0, writes_per_second: float = 0.0) -> Index:
        """Create an index that clients write to; raise `Refusal` when there is one of that name."""
        indices = self.state(place).indices
        if name in indices:
            raise already_there(name)
        index = Index(name, self.world.clock.now(), checkpoint, writes_per_second)
        indices[name] = index
        return index

    def index(self, place: Place, name: str) -> Index:
        """Return an index as it is now; raise `Refusal` (404) when there is none."""
        found = self.state(place).indices.get(name)
        if found is None:
            raise index_missing(name)
        self.settle(place, found)
        return found

    def indices(self, place: Place) -> Iterator[Index]:
        """Return all indices of a domain as they are now; a managed secondary has those of its primary."""
        for name in sorted(self.state(place).indices):
            yield self.index(place, name)

    def drop_index(self, place: Place, name: str) -> None:
        """Delete an index."""
        self.index(place, name)
        state = self.state(place)
        state.dropped.append((state.indices.pop(name), self.world.clock.now()))

    def settle(self, place: Place, index: Index) -> None:
        """Bring an index up to date."""
        now = self.world.clock.now()
        dark = self.dark_since(place.region)
        end = now if dark is None else max(min(now, dark), index.counted_at)
        if self.accepts_writes(place, index):
            index.checkpoint += index.writes_per_second * self.aws_seconds_between(index.counted_at, end)
            index.quiet_since = None
        elif index.quiet_since is None:
            index.quiet_since = end
        index.counted_at = now
        if index.follow is not None and index.follow.status is Sync.SYNCING and dark is None:
            self._fetch(place, index, index.follow)

    def accepts_writes(self, place: Place, index: Index) -> bool:
        """Tell whether clients can write: no follower, no block, and somebody reaches the domain."""
        if index.follow is not None or index.write_blocked or index.recovering_from is not None:
            return False
        return not self.is_read_only(place) and not self.is_closed(place)

    def is_read_only(self, place: Place) -> bool:
        """Tell whether the domain was ejected by a failover and refuses writes until the peer is removed."""
        return any(one.ejected == place for one in self.peerings)

    def lag_of(self, place: Place, leader: Index) -> float:
        """Return how many operations a follower in `place` is behind its leader."""
        seconds = self.state(place).lag_seconds
        if leader.quiet_since is not None:
            seconds -= self.aws_seconds_between(leader.quiet_since, self.world.clock.now())
        return max(0.0, leader.writes_per_second * seconds)

    def _fetch(self, place: Place, index: Index, follow: Follow) -> None:
        leader_place = place_of(follow.leader_arn)
        leader = self.leader_of(follow)
        if leader is None:
            self.pause(index, f"AutoPaused: [{follow.leader_index}] no such index")
        elif not follow.managed and self.connection(place, follow.alias) is None:
            self.pause(index, f"AutoPaused: no such remote cluster: [{follow.alias}]")
        elif self.dark_since(leader_place.region) is None:
            behind = self.lag_of(place, leader)
            follow.leader_checkpoint = leader.checkpoint
            index.checkpoint = max(index.checkpoint, leader.checkpoint - behind)
        else:
            # The leader is frozen; what it wrote within the usual lag before the outage never arrived.
            behind = leader.writes_per_second * self.state(place).lag_seconds
            follow.leader_checkpoint = leader.checkpoint
            index.checkpoint = max(index.checkpoint, leader.checkpoint - behind)

    def leader_of(self, follow: Follow) -> Index | None:
        """Return the index that is followed, as it is now; None when it is gone."""
        place = place_of(follow.leader_arn)
        if not self.exists_domain(place):
            return None
        leader = self.state(place).indices.get(follow.leader_index)
        if leader is not None:
            self.settle(place, leader)
        return leader

    def pause(self, index: Index, reason: str) -> None:
        """Stop fetching for the time being."""
        assert index.follow is not None
        index.follow.status, index.follow.reason = Sync.PAUSED, reason
        index.follow.paused_at = self.world.clock.now()

    def stop_following(self, place: Place, index: Index) -> None:
        """Make a follower a writable index of its own, with what it has fetched."""
        self.settle(place, index)
        index.follow = None
        index.quiet_since = None

    def require_writable(self, place: Place, index: Index) -> None:
        """Refuse changes of an index that follows another, or that an ejected domain holds."""
        if index.follow is not None or self.is_read_only(place):
            reason = f"index [{index.name}] blocked by: [FORBIDDEN/1000/index read-only(cross-cluster-replication)];"
            raise Refusal(403, "cluster_block_exception", reason)
