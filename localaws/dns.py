"""Route 53's data plane on a socket: a small authoritative DNS server over UDP and TCP.

It answers from the live records and the live health, for as long as the process lives: neither an outage
of Route 53's control plane nor a dark Region stops it.
"""

from __future__ import annotations

import logging
import socketserver
import struct
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from localaws.services.route53.answers import Answer, Answers, DataPlane
    from localaws.world import World

log = logging.getLogger("localaws.dns")
UDP_LIMIT_BYTES = 1232


def resolve(world: World, name: str, rtype: str = "A") -> list[str]:
    """Return what the name servers answer now for `name`: the data of the last record set reached.

    A CNAME is followed as long as its target is in one of our zones; else its target is the answer.
    Empty when the name does not exist, has no such type, or nobody here hosts it.
    """
    answers = _ask(world, name, rtype)
    return [value.rstrip(".") for value in answers.records[-1].values] if answers.records else []


def page(world: Any, _method: str, query: Mapping[str, str], _body: Any) -> dict[str, Any]:
    """Answer `/_localaws/dns?name=&type=`. Raises `ValueError` without a name."""
    name, rtype = query.get("name", ""), query.get("type", "A").upper()
    if not name:
        raise ValueError("expected ?name=NAME&type=TYPE")
    answers = _ask(world, name, rtype)
    records = [
        {"name": r.name, "type": r.type, "ttl": r.ttl_seconds, "values": list(r.values)} for r in answers.records
    ]
    return {"name": name, "type": rtype, "zone": answers.zone, "exists": answers.exists, "records": records}


class DnsServer:
    """The server on 127.0.0.1. Port 0 chooses a free one, the same for UDP and TCP; `port` tells which."""

    def __init__(self, world: World, port: int = 0, host: str = "127.0.0.1") -> None:
        self._tcp = _TcpServer((host, port), _TcpHandler)
        self.port = int(self._tcp.server_address[1])
        try:
            self._udp = _UdpServer((host, self.port), _UdpHandler)
        except OSError:
            self._tcp.server_close()
            raise
        for server in (self._tcp, self._udp):
            server.world = world
        self._threads: list[threading.Thread] = []

    def start(self) -> DnsServer:
        """Serve on threads of this process and return."""
        for server in (self._tcp, self._udp):
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="localaws-dns")
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Stop answering and close the port."""
        for server in (self._tcp, self._udp):
            if self._threads:
                server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads.clear()


class _UdpServer(socketserver.ThreadingUDPServer):
    allow_reuse_address = True
    daemon_threads = True
    world: World


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    world: World


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, socket = self.request
        answer = respond(cast("_UdpServer", self.server).world, wire, UDP_LIMIT_BYTES)
        if answer:
            socket.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self) -> None:
        while len(length := self.rfile.read(2)) == 2:
            wire = self.rfile.read(struct.unpack("!H", length)[0])
            answer = respond(cast("_TcpServer", self.server).world, wire, 65_535)
            if not answer:
                return
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


def respond(world: World, wire: bytes, limit_bytes: int = 65_535) -> bytes | None:
    """Answer one DNS message; None for what is none."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, struct.error):
        log.debug("not a DNS message")
        return None
    response = dns.message.make_response(query)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP)
        return response.to_wire()
    question = query.question[0]
    try:
        answers = _ask(world, question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
        _fill(response, answers)
    except Exception:
        log.exception("no answer for %s", question)
        response.set_rcode(dns.rcode.SERVFAIL)
    try:
        return response.to_wire(max_size=limit_bytes)
    except dns.exception.TooBig:
        cut = dns.message.make_response(query)
        cut.flags |= dns.flags.TC | dns.flags.AA
        return cut.to_wire()


def _fill(response: dns.message.Message, answers: Answers) -> None:
    if answers.zone is None:
        response.set_rcode(dns.rcode.REFUSED)
        return
    response.flags |= dns.flags.AA
    response.answer = [_rrset(each) for each in answers.records]
    if not answers.exists:
        response.set_rcode(dns.rcode.NXDOMAIN)
    if not answers.records and answers.soa is not None:
        response.authority = [_rrset(answers.soa)]


def _rrset(answer: Answer) -> dns.rrset.RRset:
    values = [value if answer.type not in {"CNAME", "NS"} else value.rstrip(".") + "." for value in answer.values]
    return dns.rrset.from_text_list(dns.name.from_text(answer.name), answer.ttl_seconds, "IN", answer.type, values)


def _ask(world: World, name: str, rtype: str) -> Answers:
    with world.lock:
        world.clock.run_due()
        plane: DataPlane = world.service("route53").data_plane  # type: ignore[attr-defined]
        return plane.answer(name, rtype)
