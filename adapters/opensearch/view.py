"""What is read of two OpenSearch domains: the domains, their indices, who follows whom, their snapshots.

Control-plane reads go to the Region's endpoint, everything about indices to the domain's own. Indices whose name begins
with a dot belong to OpenSearch, those that begin with `drill-` to drills: neither is ever moved. A domain in a VPC is reached
through the functions dr-opensearch-* there (`orchestrator.signed_http`); without it, its indices are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from adapters.needed import Lack, certificate_lacks, key_lacks, key_states
from adapters.opensearch.models import (
    CatIndices,
    CatRecoveries,
    ClusterHealth,
    Connection,
    Connections,
    Domain,
    DomainReply,
    Follow,
    Health,
    Peer,
    Replication,
    Repositories,
    Rule,
    Rules,
    Snapshot,
    Snapshots,
    WriteBlocks,
)
from adapters.opensearch.spec import (
    CCR,
    DOMAIN_MISSING,
    DRILL_PREFIX,
    FUNCTION_MISSING,
    HTTP,
    INSTANCES,
    MANAGED,
    NO_REPLICATION,
    SNAPSHOTS,
)
from adapters.opensearch.view_states import Link, Peering, Sync
from adapters.quotas import Room, room
from orchestrator.contract import Clients, M, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class Index:
    """An index of a domain."""

    name: str
    health: str = "green"
    is_open: bool = True
    blocked: bool = False
    follow: Follow | None = None
    """How it follows a leader; None when it follows nobody."""
    restored_from: str = ""
    """The snapshot it was restored from, as long as the cluster remembers."""
    recovered: bool = True

    @property
    def writable(self) -> bool:
        """Say whether clients can write to it."""
        return self.follow is None and not self.blocked and self.is_open and self.recovered


@dataclass(frozen=True)
class DomainSide:
    """One side. `domain` is None when it is not there; `indices` is None when they cannot be read from here."""

    place: Place
    domain: Domain | None = None
    health: Health = field(default_factory=Health)
    indices: Mapping[str, Index] | None = None
    copies: Mapping[str, Index] = field(default_factory=dict)
    """Indices that drills restored."""
    rules: tuple[Rule, ...] = ()
    outbound: tuple[Connection, ...] = ()
    """The connections by which this side follows the other one."""
    leaders: int = 0
    """How many domains it is connected to as a follower."""
    inbound: tuple[Connection, ...] = ()
    """The connections by which the other side follows this one."""
    role: str = ""
    peer: Peer | None = None
    repositories: Mapping[str, bool] = field(default_factory=dict)
    """Repository -> whether this side may write to it."""
    snapshots: Mapping[str, tuple[Snapshot, ...]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """Return the domain's own endpoint, as it is or as the inventory remembers it."""
        return (self.domain.host if self.domain else None) or str(self.place.facts.get("endpoint") or "")

    @property
    def user_indices(self) -> Mapping[str, Index]:
        """Return the indices to be moved; none where they cannot be read."""
        return self.indices or {}

    @property
    def followers(self) -> dict[str, Index]:
        """Return the indices that follow somebody."""
        return {name: each for name, each in self.user_indices.items() if each.follow is not None}

    @property
    def link(self) -> Connection | None:
        """Return the connection to the other side that is, or is about to be, in use."""
        ended = {Link.DELETED, Link.REJECTED, Link.VALIDATION_FAILED}
        alive = [each for each in self.outbound if each.status not in ended]
        return min(alive, key=lambda each: each.status is not Link.ACTIVE, default=None)

    def with_indices(self, indices: Mapping[str, Index]) -> DomainSide:
        """Return the side with other indices."""
        return replace(self, indices=dict(sorted(indices.items())))


@dataclass(frozen=True)
class OpenSearchView:
    """Both domains. `source` is None when it may not be reached."""

    member: Member
    strategy: str
    target: DomainSide
    source: DomainSide | None = None
    room: Room = Room()
    """How many instances the target side's domain may have; read when the run is planned."""
    lacks: tuple[Lack, ...] = ()
    """What the target side's domain needs and is not as it must be; read when the run is planned."""


def look(target: Target, aws: Clients, run: RunContext) -> OpenSearchView:
    """Read both sides as far as the run reaches them."""
    member = target.only
    here = _side(aws.at(Side.TARGET), member.target, member.source, target.strategy, run)
    there = (
        _side(aws.at(Side.SOURCE), member.source, member.target, target.strategy, run)
        if aws.reaches(Side.SOURCE)
        else None
    )
    if not run.planning or here.domain is None:
        return OpenSearchView(member, target.strategy, here, there)
    reader = aws.at(Side.TARGET)
    lacks = tuple(_lacks(reader, here.domain, run))
    return OpenSearchView(member, target.strategy, here, there, room(reader, *INSTANCES, run.now), lacks)


def _lacks(reader: Reader, domain: Domain, run: RunContext) -> list[Lack]:
    """Judge the key of a domain, and the certificate of the name that clients know it by."""
    states, told = key_states(reader, domain.EncryptionAtRestOptions.KmsKeyId), domain.DomainEndpointOptions
    found = key_lacks(reader.region, states, f"domain {domain.DomainName}")
    if told.CustomEndpointEnabled and told.CustomEndpointCertificateArn:
        shown = f"custom endpoint {told.CustomEndpoint} of {domain.DomainName}"
        found += certificate_lacks(reader, told.CustomEndpointCertificateArn, shown, run.now)
    return found


def _side(reader: Reader, place: Place, other: Place, strategy: str, run: RunContext) -> DomainSide:
    found = reader.find("opensearch", "DescribeDomain", DomainReply, DOMAIN_MISSING, DomainName=place.id)
    if found is None:
        return DomainSide(place)
    domain = found.DomainStatus
    side = DomainSide(place, domain, reader.read("opensearch", "DescribeDomainHealth", Health, DomainName=place.id))
    if strategy == MANAGED:
        shown = replication_of(reader, place.id)
        peer = next((each for each in shown.Peers if each.PeerDomainArn == other.arn), None)
        peer = peer or next(iter(shown.Peers), None)
        side = replace(side, role=shown.Role or "", peer=peer)
    if strategy == CCR:
        side = _with_links(side, reader, other)
    drill = run.mode is Mode.DRILL
    wanted = strategy != MANAGED or drill or side.peer is None or side.peer.Status is Peering.EJECTED
    if not wanted or domain.host is None or not _reached(reader, domain):
        return side
    ask = _Asker(reader, domain.host)
    if strategy != MANAGED:
        side = _with_indices(side, ask, strategy, recoveries=strategy == SNAPSHOTS or drill)
        if strategy == SNAPSHOTS or drill or run.phase is Phase.REPLICATE:
            side = _with_snapshots(side, ask, domain, other, strategy)
    else:
        side = _with_indices(side, ask, strategy)
        side = _with_snapshots(side, ask, domain, other, strategy)
    return side


def _reached(reader: Reader, domain: Domain) -> bool:
    """Say whether a domain can be asked: a public one always, one in a VPC through the functions there."""
    if not domain.in_vpc or domain.host is None:
        return True
    asked: Mapping[str, JsonValue] = {"Endpoint": domain.host, "Path": "/_cluster/health"}
    return reader.find(HTTP, "Get", ClusterHealth, FUNCTION_MISSING, **asked) is not None


def replication_of(reader: Reader, name: str) -> Replication:
    """Return the managed replication of a domain; empty where the service does not know it."""
    found = reader.find("opensearch", "DescribeDomainReplication", Replication, NO_REPLICATION, DomainName=name)
    return found or Replication()


def _with_links(side: DomainSide, reader: Reader, other: Place) -> DomainSide:
    out = [
        c for page in reader.pages("opensearch", "DescribeOutboundConnections", Connections) for c in page.Connections
    ]
    into = [
        c for page in reader.pages("opensearch", "DescribeInboundConnections", Connections) for c in page.Connections
    ]
    mine = [c for c in out if side.place.arn.endswith(c.LocalDomainInfo.arn_tail) and c.status is Link.ACTIVE]
    return replace(
        side,
        outbound=tuple(c for c in out if c.joins(side.place.arn, other.arn)),
        inbound=tuple(c for c in into if c.joins(other.arn, side.place.arn)),
        leaders=len(mine),
    )


class _Asker:
    """GET requests to one domain."""

    def __init__(self, reader: Reader, endpoint: str) -> None:
        self._reader = reader
        self._endpoint = endpoint

    def get(self, model: type[M], path: str) -> M:
        """Return what the domain answers."""
        return self._reader.read(HTTP, "Get", model, Endpoint=self._endpoint, Path=path)


def _with_indices(side: DomainSide, ask: _Asker, strategy: str, *, recoveries: bool = False) -> DomainSide:
    lines = [each for each in ask.get(CatIndices, "/_cat/indices?format=json").items if not each.index.startswith(".")]
    blocked = ask.get(WriteBlocks, "/_all/_settings/index.blocks.write?flat_settings=true").blocked
    shards = ask.get(CatRecoveries, "/_cat/recovery?format=json").items if recoveries else []
    came_from = {each.index: each.snapshot for each in shards if each.type == "snapshot"}
    recovering = {each.index for each in shards if each.stage != "done"}
    found = {
        line.index: Index(
            name=line.index,
            health=line.health,
            is_open=line.status == "open",
            blocked=line.index in blocked,
            follow=_follow(ask, line.index) if strategy == CCR and not line.index.startswith(DRILL_PREFIX) else None,
            restored_from=came_from.get(line.index, ""),
            recovered=line.index not in recovering,
        )
        for line in lines
    }
    copies = {name: each for name, each in found.items() if name.startswith(DRILL_PREFIX)}
    rules = ask.get(Rules, "/_plugins/_replication/autofollow_stats").autofollow_stats if strategy == CCR else []
    side = replace(side, copies=copies, rules=tuple(rules))
    return side.with_indices({name: each for name, each in found.items() if name not in copies})


def _follow(ask: _Asker, name: str) -> Follow | None:
    shown = ask.get(Follow, f"/_plugins/_replication/{name}/_status")
    return None if shown.status is Sync.NONE else shown


def _with_snapshots(side: DomainSide, ask: _Asker, domain: Domain, other: Place, strategy: str) -> DomainSide:
    known = ask.get(Repositories, "/_snapshot").root
    wanted = [domain.automated, repository_of(side.place), repository_of(other)]
    chosen = [name for name in wanted if name in known] if strategy == SNAPSHOTS else [domain.automated]
    return replace(
        side,
        repositories={name: each.writable for name, each in known.items()},
        snapshots={
            name: tuple(ask.get(Snapshots, f"/_snapshot/{name}/_all").snapshots) for name in chosen if name in known
        },
    )


def repository_of(writer: Place) -> str:
    """Return the repository that only the domain in `writer`'s Region writes to; the other side reads its copy."""
    return f"dr-{writer.region}"
