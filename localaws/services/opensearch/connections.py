"""Connections between domains: requested at the follower, accepted at the leader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.opensearch.base import PAGES, exists, invalid, not_found
from localaws.services.opensearch.domains import OpenSearchDomains
from localaws.services.opensearch.state import ENDED_LINKS, Connection, Link, Place, Seconds
from localaws.services.timed import Change

LIMIT = 20


class OpenSearchConnections(OpenSearchDomains):
    """Operations on connections; both sides see one state, the leader's side from PENDING_ACCEPTANCE on."""

    @operation("CreateOutboundConnection")
    def create_outbound_connection(self, call: Call) -> Reply:
        """Ask for a connection: `VALIDATING`, then `PENDING_ACCEPTANCE`, or `VALIDATION_FAILED`."""
        params = call.params
        local, remote = _place(call, params["LocalDomainInfo"]), _place(call, params["RemoteDomainInfo"])
        if (local.account, local.region) != (call.account, call.region):
            raise invalid(f"The local domain must lie in {call.region}, not in {local.region}.")
        self.domain(local)
        mine = [one for one in self.connections.values() if one.local == local and one.status not in ENDED_LINKS]
        if any(one.alias == params["ConnectionAlias"] or one.remote == remote for one in mine):
            raise exists(f"Domain {local.domain} is connected to {remote.domain} or uses the alias already.")
        if len(mine) >= LIMIT:
            raise AwsError("LimitExceededException", f"Domain {local.domain} has {LIMIT} connections.", 409)
        one = Connection(
            status=Link.VALIDATING,
            id=mock_random.get_random_hex(32),
            alias=params["ConnectionAlias"],
            local=local,
            remote=remote,
            mode=params.get("ConnectionMode", "DIRECT"),
        )
        self.connections[one.id] = one
        self._lead_link(one, "validate-connection", Seconds.VALIDATE_LINK, Link.VALIDATING, self._validated(one))
        return self._show_outbound(one)

    def _validated(self, one: Connection) -> Callable[[], None]:
        def effect() -> None:
            if self.region_is_down(one.remote.region) or not self.exists_domain(one.remote):
                one.status, one.message = Link.VALIDATION_FAILED, f"Domain {one.remote.arn} cannot be reached."
                return
            one.status = Link.PENDING_ACCEPTANCE

        return effect

    @operation("AcceptInboundConnection")
    def accept_inbound_connection(self, call: Call) -> Reply:
        """Accept a connection: `APPROVED`, `PROVISIONING`, then `ACTIVE`."""
        one = self._inbound(call)
        if one.status != Link.PENDING_ACCEPTANCE:
            raise not_found(f"Connection {one.id} is {one.status}, expected {Link.PENDING_ACCEPTANCE}.")

        def approved() -> None:
            self._lead_link(one, "provision-connection", Seconds.PROVISION_LINK, Link.PROVISIONING, end=Link.ACTIVE)

        self._lead_link(one, "approve-connection", Seconds.APPROVE_LINK, Link.APPROVED, approved)
        return {"Connection": self._show_inbound(one)}

    @operation("RejectInboundConnection")
    def reject_inbound_connection(self, call: Call) -> Reply:
        """Reject a connection: `REJECTING`, then `REJECTED`."""
        one = self._inbound(call)
        if one.status != Link.PENDING_ACCEPTANCE:
            raise not_found(f"Connection {one.id} is {one.status}, expected {Link.PENDING_ACCEPTANCE}.")
        self._lead_link(one, "reject-connection", Seconds.END_LINK, Link.REJECTING, end=Link.REJECTED)
        return {"Connection": self._show_inbound(one)}

    @operation("DeleteInboundConnection")
    def delete_inbound_connection(self, call: Call) -> Reply:
        """Delete a connection at the leader's side."""
        one = self._inbound(call)
        self._delete(one)
        return {"Connection": self._show_inbound(one)}

    @operation("DeleteOutboundConnection")
    def delete_outbound_connection(self, call: Call) -> Reply:
        """Delete a connection at the follower's side; works without the leader's Region."""
        one = self.connections.get(call.params["ConnectionId"])
        if one is None or not _is_at(call, one.local):
            raise not_found(f"Connection {call.params['ConnectionId']} was not found.")
        self._delete(one)
        return {"Connection": self._show_outbound(one)}

    def _delete(self, one: Connection) -> None:
        if one.status in (Link.DELETING, Link.DELETED):
            raise not_found(f"Connection {one.id} is {one.status}.")
        self._lead_link(one, "delete-connection", Seconds.END_LINK, Link.DELETING, end=Link.DELETED)

    @operation("DescribeOutboundConnections")
    def describe_outbound_connections(self, call: Call) -> Reply:
        """List the connections asked for by domains of this Region."""
        found = [self._show_outbound(one) for one in self.connections.values() if _is_at(call, one.local)]
        return PAGES.page(call, _filtered(call, found), "Connections")

    @operation("DescribeInboundConnections")
    def describe_inbound_connections(self, call: Call) -> Reply:
        """List the connections offered to domains of this Region."""
        found = [
            self._show_inbound(one)
            for one in self.connections.values()
            if _is_at(call, one.remote) and one.status not in (Link.VALIDATING, Link.VALIDATION_FAILED)
        ]
        return PAGES.page(call, _filtered(call, found), "Connections")

    def connection(self, local: Place, alias: str) -> Connection | None:
        """Return the connection in use that a domain knows by an alias."""
        for one in self.connections.values():
            if one.local == local and one.alias == alias and one.status == Link.ACTIVE:
                return one
        return None

    def _inbound(self, call: Call) -> Connection:
        one = self.connections.get(call.params["ConnectionId"])
        if one is None or not _is_at(call, one.remote) or one.status in (Link.VALIDATING, Link.VALIDATION_FAILED):
            raise not_found(f"Connection {call.params['ConnectionId']} was not found.")
        return one

    def _lead_link(
        self,
        one: Connection,
        what: str,
        seconds: float,
        during: Link,
        done: Callable[[], None] | None = None,
        end: Link | None = None,
    ) -> None:
        failed = Link.VALIDATION_FAILED if during is Link.VALIDATING else during
        change = Change(f"opensearch.{what}", one.id, seconds, during, end or during, failed)
        self.lead(one, change, done)

    def _show_inbound(self, one: Connection) -> dict[str, Any]:
        return {
            "LocalDomainInfo": one.local.information,
            "RemoteDomainInfo": one.remote.information,
            "ConnectionId": one.id,
            "ConnectionStatus": {"StatusCode": str(one.status), "Message": one.message},
            "ConnectionMode": one.mode,
        }

    def _show_outbound(self, one: Connection) -> dict[str, Any]:
        return {**self._show_inbound(one), "ConnectionAlias": one.alias}


def _place(call: Call, info: Any) -> Place:
    given = info["AWSDomainInformation"]
    return Place(given.get("OwnerId", call.account), given.get("Region", call.region), given["DomainName"])


def _is_at(call: Call, place: Place) -> bool:
    return (place.account, place.region) == (call.account, call.region)


def _filtered(call: Call, shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for wanted in call.params.get("Filters", []):
        reader = _FILTERS.get(wanted["Name"])
        if reader is None:
            raise invalid(f"Unknown filter {wanted['Name']}, known: {', '.join(sorted(_FILTERS))}.")
        shown = [one for one in shown if reader(one) in wanted["Values"]]
    return shown


def _domain_filter(side: str, key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda shown: shown[side]["AWSDomainInformation"][key]


_FILTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "connection-id": lambda shown: shown["ConnectionId"],
    "connection-alias": lambda shown: shown.get("ConnectionAlias"),
    "connection-status": lambda shown: shown["ConnectionStatus"]["StatusCode"],
    "local-domain-info.domain-name": _domain_filter("LocalDomainInfo", "DomainName"),
    "local-domain-info.owner-id": _domain_filter("LocalDomainInfo", "OwnerId"),
    "local-domain-info.region": _domain_filter("LocalDomainInfo", "Region"),
    "remote-domain-info.domain-name": _domain_filter("RemoteDomainInfo", "DomainName"),
    "remote-domain-info.owner-id": _domain_filter("RemoteDomainInfo", "OwnerId"),
    "remote-domain-info.region": _domain_filter("RemoteDomainInfo", "Region"),
}
