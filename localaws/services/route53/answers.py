"""Route 53's routing policies: which record sets answer a question, given the health of everything."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.services.route53.changes import Changes
from localaws.services.route53.health import HealthChecks
from localaws.services.route53.records import Key, Records, normal_name, shape

if TYPE_CHECKING:
    from localaws.world import World

MAX_HOPS = 8
ALIAS_TTL_SECONDS = 60
MULTIVALUE_LIMIT = 8
Shape = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One record set of an answer, as it goes on the wire."""

    name: str
    type: str
    ttl_seconds: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The whole answer. `zone` is None when nobody here hosts the name; `exists` is False for NXDOMAIN."""

    zone: str | None
    exists: bool
    records: tuple[Answer, ...]
    soa: Answer | None = None


class DataPlane:
    """Answers questions from the zones of all accounts, the live records and the live health."""

    def __init__(self, world: World, changes: Changes, health: HealthChecks) -> None:
        self.world = world
        self.changes = changes
        self.health = health
        self._dice = random.Random(53)  # noqa: S311 - weights, not secrets

    def answer(self, name: str, rtype: str, zone: Any | None = None) -> Answers:
        """Answer a question as the zone's own name servers would, following CNAMEs within our zones."""
        zone = zone or self._zone_of(normal_name(name))
        if zone is None:
            return self._endpoint_answer(normal_name(name), rtype)
        records = self.changes.served(zone)
        found: list[Answer] = []
        asked = normal_name(name)
        exists = True
        for _ in range(MAX_HOPS):
            here = self._zone_of(asked)
            if here is None:
                break
            records_here = self.changes.served(here)
            chosen = self._answer_one(records_here, asked, rtype)
            if not chosen:
                exists = bool(found) or _name_exists(records_here, asked)
                break
            found += chosen
            if rtype == "CNAME" or chosen[-1].type != "CNAME":
                break
            asked = normal_name(chosen[-1].values[0])
        return Answers(zone.name, exists, tuple(found), _soa(records, zone))

    def _endpoint_answer(self, name: str, rtype: str) -> Answers:
        """Answer for a load balancer's own name, which AWS hosts: it has an address whether or not it serves."""
        if not self.health.is_endpoint(name):
            return Answers(None, False, ())
        digits = zlib.crc32(name.encode())
        address = f"198.18.{digits >> 8 & 255}.{digits & 255}"  # RFC 2544: never routed
        found = (Answer(name, "A", ALIAS_TTL_SECONDS, (address,)),) if rtype == "A" else ()
        return Answers(name.partition(".")[2], True, found)

    def healthy_record(self, described: Shape, records: Records, depth: int = 0) -> bool:
        """Say whether a record set may be answered: its health check, and its alias target when asked to look."""
        check = described.get("HealthCheckId")
        if check and not self.health.is_healthy_by_id(check):
            return False
        alias = described.get("AliasTarget")
        if not alias or not alias["EvaluateTargetHealth"] or depth >= MAX_HOPS:
            return True
        target = normal_name(alias["DNSName"])
        targets = _sets(records, target, described["Type"])
        if targets:
            return any(self.healthy_record(each, records, depth + 1) for each in targets)
        return self.health.endpoint_serves(target) if self.health.is_endpoint(target) else True

    def _answer_one(self, records: Records, name: str, rtype: str, depth: int = 0) -> list[Answer]:
        owner = _owner(records, name)
        if owner is None or depth >= MAX_HOPS:
            return []
        for kind in dict.fromkeys((rtype, "CNAME")):
            sets = _sets(records, owner, kind)
            if sets:
                chosen = self._choose(sets, lambda each: self.healthy_record(each, records))
                return self._rendered(records, name, kind, chosen, depth)
        return []

    def _rendered(self, records: Records, name: str, kind: str, chosen: Sequence[Shape], depth: int) -> list[Answer]:
        values: list[str] = []
        ttl = ALIAS_TTL_SECONDS
        for described in chosen:
            alias = described.get("AliasTarget")
            if alias is None:
                values += [each["Value"] for each in described["ResourceRecords"]]
                ttl = described["TTL"]
                continue
            target = normal_name(alias["DNSName"])
            resolved = self._answer_one(records, target, kind, depth + 1)
            # An alias to something of AWS's that has no address here answers with its name, so that one sees where.
            values += [value for each in resolved for value in each.values] or [target]
        return [Answer(name, kind, ttl, tuple(values))]

    def _choose(self, sets: Sequence[Shape], healthy: Callable[[Shape], bool]) -> Sequence[Shape]:
        first = sets[0]
        if "Failover" in first:
            return [_failover(sets, healthy)]
        if "Weight" in first:
            return [self._weighted(sets, healthy)]
        alive = [each for each in sets if healthy(each)] or list(sets)
        return alive[:MULTIVALUE_LIMIT] if "MultiValueAnswer" in first else alive[:1]

    def _weighted(self, sets: Sequence[Shape], healthy: Callable[[Shape], bool]) -> Shape:
        # Records of weight 0 are considered only when no other record is healthy; all 0 means equal shares.
        heavy = [each for each in sets if each["Weight"] > 0]
        for group in (heavy, [each for each in sets if each["Weight"] == 0], heavy):
            alive = [each for each in group if healthy(each)]
            if alive:
                return self._by_weight(alive)
        return self._by_weight(heavy or sets)

    def _by_weight(self, sets: Sequence[Shape]) -> Shape:
        weights = [each["Weight"] for each in sets]
        return self._dice.choices(sets, weights if any(weights) else None)[0]

    def _zone_of(self, name: str) -> Any | None:
        best: Any | None = None
        for account in list(self.world.accounts.names):
            for zone in list(self.world.backend("route53", account, "us-east-1").zones.values()):
                suffix = normal_name(zone.name)
                if (name == suffix or name.endswith(f".{suffix}")) and (
                    best is None or len(suffix) > len(normal_name(best.name))
                ):
                    best = zone
        return best


def _failover(sets: Sequence[Shape], healthy: Callable[[Shape], bool]) -> Shape:
    primary = next((each for each in sets if each["Failover"] == "PRIMARY"), sets[0])
    secondary = next((each for each in sets if each["Failover"] == "SECONDARY"), primary)
    return secondary if not healthy(primary) and healthy(secondary) else primary


def _sets(records: Records, name: str, kind: str) -> list[Shape]:
    return [
        shape(record) for key, record in sorted(records.items(), key=_order) if (key.name, key.type) == (name, kind)
    ]


def _order(item: tuple[Key, Any]) -> tuple[str, str, str]:
    return item[0].name, item[0].type, item[0].set_identifier or ""


def _owner(records: Records, name: str) -> str | None:
    """Return the name whose records answer for `name`: itself, or the wildcard above it."""
    names = {key.name for key in records}
    if name in names:
        return name
    labels = name.split(".")
    return next((w for n in range(1, len(labels)) if (w := ".".join(["*", *labels[n:]])) in names), None)


def _name_exists(records: Records, name: str) -> bool:
    return _owner(records, name) is not None or any(key.name.endswith(f".{name}") for key in records)


def _soa(records: Records, zone: Any) -> Answer | None:
    apex = normal_name(zone.name)
    found = _sets(records, apex, "SOA")
    if not found:
        return None
    return Answer(apex, "SOA", found[0]["TTL"], tuple(each["Value"] for each in found[0]["ResourceRecords"]))
