"""Managed replication: a primary and a secondary domain in two Regions of one account.

The secondary holds a read-only copy of every index of the primary. After a failover the former primary is
EJECTED and read-only until the relationship is removed, or the new primary pairs with it again and discards its data;
the new primary shows the ended relationship as DETACHED.
"""

from __future__ import annotations

from localaws.service import Call, Reply, operation
from localaws.services.opensearch.base import exists, invalid, not_found
from localaws.services.opensearch.replication import OpenSearchReplication
from localaws.services.opensearch.state import Follow, Index, Peer, Peering, Place, Seconds, Sync, place_of
from localaws.services.timed import Change, Effect

OVER = (Peer.EJECTED, Peer.DETACHED)


class OpenSearchPeers(OpenSearchReplication):
    """Operations on managed replication."""

    def peering(self, place: Place) -> Peering | None:
        """Return the relationship a domain takes part in."""
        return next((one for one in self.peerings if place in (one.primary, one.secondary)), None)

    @operation("AddReplicationPeer")
    def add_replication_peer(self, call: Call) -> Reply:
        """Replicate to a domain of another Region, which becomes the secondary: `PENDING_SETUP`, then `ACTIVE`.

        A dry run checks everything and changes nothing.
        """
        place, peer = self.addressed(call), place_of(call.params["PeerDomainArn"])
        self._check_pair(place, peer)
        if call.params.get("DryRun"):
            return {"DomainArn": place.arn}
        self.peerings = [one for one in self.peerings if place not in (one.primary, one.secondary)]
        one = Peering(status=Peer.PENDING_SETUP, primary=place, secondary=peer)
        self.peerings.append(one)

        def set_up() -> None:
            self.state(peer).indices.clear()
            self.mirror(one)

        def failed() -> None:
            one.message = "Replication could not be set up."

        self._lead_peers(one, "add-replication-peer", Seconds.SET_UP_PEER, Peer.PENDING_SETUP, set_up, failed)
        return {"DomainArn": place.arn, "Status": str(one.status)}

    def _check_pair(self, place: Place, peer: Place) -> None:
        if peer.account != place.account or peer.region == place.region:
            raise invalid(f"{peer.arn} must lie in another Region of the same account as {place.arn}.")
        if self.region_is_down(peer.region):
            raise invalid(f"{peer.arn} cannot be reached.")
        versions = [self.domain(one).engine_version.options for one in (place, peer)]
        if versions[0] != versions[1]:
            raise invalid(f"Engine versions differ: {versions[0]} on {place.arn}, {versions[1]} on {peer.arn}.")
        for one in (place, peer):
            self.require_active(one)
            known = self.peering(one)
            ended = known is not None and known.ejected == peer and known.status in OVER
            if known is not None and not ended:
                raise exists(f"{one.arn} has a replication peer already.")

    @operation("RemoveReplicationPeer")
    def remove_replication_peer(self, call: Call) -> Reply:
        """End the relationship: `PENDING_REMOVAL`, then gone. Both domains keep what they hold and are writable."""
        place, one = self._relationship(call)
        if one.status in (Peer.SWITCHING_OVER, Peer.FAILING_OVER, Peer.PENDING_REMOVAL):
            raise invalid(f"The relationship of {place.arn} is {one.status}.")

        def removed() -> None:
            if one in self.peerings:
                self.peerings.remove(one)
            self._release(one.secondary)

        def failed() -> None:
            one.message = "Replication could not be removed."

        self._lead_peers(one, "remove-replication-peer", Seconds.REMOVE_PEER, Peer.PENDING_REMOVAL, removed, failed)
        return {"DomainArn": place.arn, "Status": str(one.status)}

    @operation("SwitchoverReplication")
    def switchover_replication(self, call: Call) -> Reply:
        """Exchange roles without loss; sent to the secondary. A failed switchover leaves the roles as they were."""
        place, one = self._to_promote(call)
        if self.region_is_down(one.primary.region):
            raise invalid(f"The primary {one.primary.arn} cannot be reached: use FailoverReplication.")

        def switched() -> None:
            self._release(one.secondary)
            one.primary, one.secondary = one.secondary, one.primary
            self.mirror(one)

        def failed() -> None:
            one.status, one.message = Peer.ACTIVE, "The switchover failed; roles are unchanged."

        self._lead_peers(one, "switchover-replication", Seconds.SWITCH_OVER, Peer.SWITCHING_OVER, switched, failed)
        return {"DomainArn": place.arn, "Status": str(one.status)}

    @operation("FailoverReplication")
    def failover_replication(self, call: Call) -> Reply:
        """Promote the secondary without its primary, which is ejected; needs AllowDataLoss."""
        if not call.params["AllowDataLoss"]:
            raise invalid("AllowDataLoss must be true: writes that had not been replicated are lost.")
        place, one = self._to_promote(call)

        def failed_over() -> None:
            self._release(one.secondary)
            one.ejected = one.primary
            one.primary, one.secondary = one.secondary, one.primary
            one.status = Peer.EJECTED

        def failed() -> None:
            one.status, one.message = Peer.ACTIVE, "The failover failed; roles are unchanged."

        self._lead_peers(one, "failover-replication", Seconds.FAIL_OVER, Peer.FAILING_OVER, failed_over, failed)
        return {"DomainArn": place.arn, "Status": str(one.status)}

    @operation("DescribeDomainReplication")
    def describe_domain_replication(self, call: Call) -> Reply:
        """Describe the relationship of a domain; one that does not replicate has no role and no peers."""
        place = self.addressed(call)
        one = self.peering(place)
        if one is None:
            return {"DomainArn": place.arn, "Peers": []}
        other = one.other(place)
        status = Peer.DETACHED if one.status == Peer.EJECTED and place == one.primary else one.status
        peer = {"PeerDomainArn": other.arn, "PeerRole": one.role_of(other), "Status": str(status)}
        if one.message:
            peer["StatusMessage"] = one.message
        return {"DomainArn": place.arn, "Role": one.role_of(place), "Peers": [peer]}

    def _relationship(self, call: Call) -> tuple[Place, Peering]:
        place, peer = self.addressed(call), place_of(call.params["PeerDomainArn"])
        one = self.peering(place)
        if one is None or one.other(place) != peer:
            raise not_found(f"{peer.arn} is not the replication peer of {place.arn}.")
        return place, one

    def _to_promote(self, call: Call) -> tuple[Place, Peering]:
        place, one = self._relationship(call)
        if one.primary == place:
            raise invalid(f"{place.arn} is the primary already.")
        if one.status != Peer.ACTIVE:
            raise invalid(f"The relationship of {place.arn} is {one.status}, expected {Peer.ACTIVE}.")
        return place, one

    # --- content

    def settle_peers(self, place: Place) -> None:
        """Let a secondary have the indices its primary has, while the primary can be reached."""
        one = self.peering(place)
        if one is not None and one.secondary == place and one.status == Peer.ACTIVE:
            self.mirror(one)

    def mirror(self, one: Peering) -> None:
        """Make the secondary's indices follow the primary's."""
        if self.region_is_down(one.primary.region) or self.region_is_down(one.secondary.region):
            return
        mine = self.state(one.secondary).indices
        theirs = self.state(one.primary).indices
        for name in set(mine) - set(theirs):
            del mine[name]
        for name, leader in theirs.items():
            follower = mine.setdefault(name, Index(name, self.world.clock.now()))
            if follower.follow is None:
                follower.follow = Follow(one.primary.arn, name, "", Sync.SYNCING, managed=True)
                follower.writes_per_second = leader.writes_per_second
            self.settle(one.secondary, follower)

    def _release(self, place: Place) -> None:
        for index in self.state(place).indices.values():
            if index.follow is not None and index.follow.managed:
                self.stop_following(place, index)

    def _lead_peers(
        self, one: Peering, what: str, seconds: float, during: Peer, done: Effect, on_failure: Effect
    ) -> None:
        one.message = ""
        kind, resource = f"opensearch.{what}", one.secondary.arn
        self.lead(one, Change(kind, resource, seconds, during, Peer.ACTIVE, Peer.FAILED), done, on_failure)
