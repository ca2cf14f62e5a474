"""What DNS answers: the data plane that works in every outage."""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception
import dns.resolver


def answers(name: str, record_type: str, name_servers: Sequence[str], dns_servers: Sequence[str]) -> tuple[str, ...]:
    """Return the answers, sorted, empty for none. `dns_servers` ("host:port"), if any, stand before the zone's own."""
    resolver = dns.resolver.Resolver(configure=not dns_servers)
    servers = [server.rsplit(":", 1) for server in dns_servers]
    if servers:
        resolver.nameservers = [host for host, _ in servers]
        resolver.port = int(servers[0][1])
    try:
        if name_servers and not servers:
            resolver.nameservers = [str(a) for server in name_servers for a in dns.resolver.resolve(server, "A")]
        answer = resolver.resolve(name, record_type, lifetime=5, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers, dns.exception.Timeout):
        return ()
    return tuple(sorted(str(record).rstrip(".") for record in answer))
