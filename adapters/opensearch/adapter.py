"""OpenSearch Service: a domain in each Region; the target domain stops following, is switched over, or gets what a snapshot holds.

cross-cluster-replication
  instantiate  opensearch.UpdateDomainConfig to the source side's size; CreateOutboundConnection and AcceptInboundConnection;
               PUT /_plugins/_replication/INDEX/_start for what is not followed yet
  activate     planned: PUT /INDEX,.../_settings on the source side (index.blocks.write), wait for equal checkpoints; both:
               DELETE /_plugins/_replication/_autofollow, POST /_plugins/_replication/INDEX/_stop
  cleanup      keep the write block; opensearch.DeleteOutboundConnection
  replicate    wait for an automated snapshot of the stale indices, connect the other way, DELETE /INDEX, _start, _autofollow
managed-replication
  instantiate  UpdateDomainConfig; AddReplicationPeer when the target is empty
  activate     planned: SwitchoverReplication; emergency: FailoverReplication with AllowDataLoss; both sent to the target
  cleanup      nothing: the old primary is the copy, or ejected and read-only
  replicate    verify; an ejected primary is paired again (AddReplicationPeer) after an automated snapshot of its data
snapshot-restore
  instantiate  UpdateDomainConfig
  activate     planned: write block, PUT /_snapshot/dr-REGION/dr-RUN, wait until it has arrived; POST .../_restore
  cleanup      keep the write block
  replicate    DELETE /INDEX of what that snapshot holds; a snapshot of the target, until the source side sees it
drill          POST /_snapshot/REPOSITORY/SNAPSHOT/_restore under names of the drill, DELETE them; managed: only looks

It never deletes a domain, registers no repository, and changes no size during a switch. Both domains should bear one name: once
they are connected no more, only the name tells that they belong together. Indices are reached at the domain's own endpoint with
the spoke role's signature, of a domain in a VPC through the functions dr-opensearch-* there, which carry what was signed. Under
fine-grained access control that role must be mapped to one that may manage indices, replication and snapshots.
`_stop` goes through without a leader (cross-cluster-replication pull request 69).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import JsonValue

from adapters.opensearch import ccr, drill, managed, snapshots
from adapters.opensearch.models import Connection, Connections, Domain, DomainReply, Rules, Tags
from adapters.opensearch.readiness import claims, findings
from adapters.opensearch.spec import CCR, DOMAIN_MISSING, HTTP, MANAGED, SNAPSHOTS, SPEC
from adapters.opensearch.view import OpenSearchView, look, replication_of, repository_of
from adapters.opensearch.view_states import Link, Taken
from adapters.reading import tag_map
from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    skip,
)
from orchestrator.errors import DrError
from orchestrator.words import CheckState, Mode, Phase


class _Strategy(Protocol):
    """What the module of each strategy offers."""

    def instantiate(self, view: OpenSearchView, run: RunContext) -> list[Step]: ...
    def activate(self, view: OpenSearchView, run: RunContext) -> list[Step]: ...
    def cleanup(self, view: OpenSearchView, run: RunContext) -> list[Step]: ...
    def replicate(self, view: OpenSearchView, run: RunContext) -> list[Step]: ...
    def rollback(self, phase: Phase, view: OpenSearchView, run: RunContext) -> list[Step]: ...
    def after(self, phase: Phase, view: OpenSearchView, run: RunContext) -> OpenSearchView: ...


_BY_STRATEGY: Mapping[str, _Strategy] = {CCR: ccr, MANAGED: managed, SNAPSHOTS: snapshots}
_ENDED = (Link.DELETED, Link.REJECTED, Link.VALIDATION_FAILED)
HTTPS = 443


class OpenSearchAdapter(Adapter[OpenSearchView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged domains; a connection or a peer tells what belongs together, else the name."""
        if not arns:
            return []
        out = [
            c for page in aws.pages("opensearch", "DescribeOutboundConnections", Connections) for c in page.Connections
        ]
        into = [
            c for page in aws.pages("opensearch", "DescribeInboundConnections", Connections) for c in page.Connections
        ]
        links = [each for each in [*out, *into] if each.status not in _ENDED]
        found = [_found(aws, arn, links) for arn in arns]
        return [each for each in found if each is not None]

    def observe(self, target: Target, aws: Clients, run: RunContext) -> OpenSearchView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: OpenSearchView, run: RunContext) -> list[Finding]:
        """Judge domains, versions, followers, peers and snapshots; see `adapters.opensearch.readiness`."""
        return findings(view, run)

    def claims(self, view: OpenSearchView, run: RunContext) -> list[Claim]:
        """Count the instances of a domain to be made larger."""
        return claims(view, run)

    def loss(self, view: OpenSearchView, run: RunContext) -> list[Loss]:
        """Report what has not arrived: in operations where AWS tells no time."""
        me = view.member.resource_id
        if view.strategy == MANAGED:
            return [Loss(me, None, "AWS shows no lag of managed replication")]
        if view.strategy == SNAPSHOTS:
            newest = snapshots.arrived(view, run)
            age = (run.now - newest.start_time).total_seconds() if newest else None
            return [Loss(me, age, f"snapshot {newest.snapshot}" if newest else "no snapshot has arrived")]
        behind = [each.follow.behind for each in view.target.followers.values() if each.follow]
        if not behind or None in behind:
            return [Loss(me, None, "not every index is followed, or tells how far")]
        lacking = sum(each or 0 for each in behind)
        return [Loss(me, None if lacking else 0.0, f"{lacking} operation(s) had not arrived")]

    def instantiate(self, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Make the target side ready; in a drill, make the copies."""
        if run.mode is not Mode.DRILL:
            return _BY_STRATEGY[view.strategy].instantiate(view, run)
        if view.strategy == MANAGED:
            return skip("a secondary domain is read-only: the drill looks at it and makes nothing")
        return drill.make(view, run, _repository(view))

    def activate(self, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Make the target side the one that is written to."""
        if run.mode is Mode.DRILL:
            return skip("a drill ends no replication; its copies are writable from birth")
        return _BY_STRATEGY[view.strategy].activate(view, run)

    def cleanup(self, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Quiesce the source side; in a drill, delete the copies."""
        if run.mode is not Mode.DRILL:
            return _BY_STRATEGY[view.strategy].cleanup(view, run)
        return skip("the drill made nothing") if view.strategy == MANAGED else drill.delete(view, run)

    def replicate(self, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Protect again, in the other direction."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        return _BY_STRATEGY[view.strategy].replicate(view, run)

    def rollback(self, phase: Phase, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Undo ACTIVATE as far as that is possible."""
        if run.mode is Mode.DRILL:
            return skip("the drill made nothing") if view.strategy == MANAGED else drill.delete(view, run)
        return _BY_STRATEGY[view.strategy].rollback(phase, view, run)

    def decommission(self, view: OpenSearchView, run: RunContext) -> list[Step]:
        """Delete nothing: the old domain is the new standby."""
        return skip("the old domain is the new standby, and stale indices went in REPLICATE; domains are never deleted")

    def health(self, view: OpenSearchView, run: RunContext) -> list[Check]:
        """Check that the target leads and that its cluster serves, and after REPLICATE that it is protected."""
        me, side = view.member.resource_id, view.target
        if run.mode is Mode.DRILL:
            return [_standby(view)] if view.strategy == MANAGED else drill.health(view, run)
        status = side.domain.status if side.domain else "not there"
        up = side.domain is not None and side.domain.host is not None and status == "Active"
        colour = side.health.ClusterHealth
        serving = CheckState.HEALTHY if colour in {"Green", "Yellow"} else CheckState.SETTLING
        checks = [
            _role(view),
            Check(me, "domain", CheckState.HEALTHY if up else CheckState.SETTLING, f"{side.place.id} is {status}"),
            Check(me, "cluster", serving, f"cluster health is {colour}"),
        ]
        return [*checks, _protection(view)] if run.phase is Phase.REPLICATE else checks

    def endpoints(self, view: OpenSearchView, run: RunContext) -> list[Endpoint]:
        """Return where clients connect."""
        host = view.target.domain.host if view.target.domain else None
        return [Endpoint(view.member.resource_id, host, HTTPS)] if host else []

    def after(self, phase: Phase, view: OpenSearchView, run: RunContext) -> OpenSearchView:
        """Foresee what a phase leaves behind."""
        return _BY_STRATEGY[view.strategy].after(phase, view, run)


def _found(aws: Reader, arn: str, links: Sequence[Connection]) -> Found | None:
    name = arn.rpartition("/")[2]
    described = aws.find("opensearch", "DescribeDomain", DomainReply, DOMAIN_MISSING, DomainName=name)
    if described is None:
        return None
    domain = described.DomainStatus
    tags = tag_map(aws.read("opensearch", "ListTags", Tags, ARN=arn).TagList)
    peers = replication_of(aws, name)
    mine = [each for each in links if arn.endswith((each.LocalDomainInfo.arn_tail, each.RemoteDomainInfo.arn_tail))]
    ends = {(each.LocalDomainInfo.arn_tail, each.RemoteDomainInfo.arn_tail) for each in mine}
    ends |= {(arn.partition(":es:")[2], each.PeerDomainArn.partition(":es:")[2]) for each in peers.Peers}
    others = sorted(ends, key=lambda pair: len({tail.rpartition("/")[2] for tail in pair}))  # one name first
    joined = {tail.partition(":")[2] for tail in others[0]} if others else {f"{aws.account}:domain/{name}"}
    strategy = MANAGED if peers.Role else CCR if mine else None
    place = Place(aws.account, aws.region, name, arn, _facts(aws, domain, followed=bool(mine)))
    return Found("|".join(sorted(joined)), name, place, tags, strategy)


def _facts(aws: Reader, domain: Domain, *, followed: bool) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {
        "endpoint": domain.host,
        "version": domain.EngineVersion,
        "instances": domain.ClusterConfig.InstanceCount,
        "instance_type": domain.ClusterConfig.InstanceType,
    }
    if not followed or domain.Endpoint is None:
        return facts  # discovery only reads: it invokes no function, so that a domain in a VPC is not asked
    try:
        path = "/_plugins/_replication/autofollow_stats"
        rules = aws.read(HTTP, "Get", Rules, Endpoint=domain.Endpoint, Path=path).autofollow_stats
    except DrError:
        return facts  # one domain that does not answer must not hide all others; readiness looks again
    return {**facts, "rules": [{"name": rule.name, "pattern": rule.pattern} for rule in rules]}


def _repository(view: OpenSearchView) -> str:
    if view.strategy == SNAPSHOTS:
        return repository_of(view.member.source)
    return view.target.domain.automated if view.target.domain else "cs-automated"


def _role(view: OpenSearchView) -> Check:
    me, side = view.member.resource_id, view.target
    if view.strategy == MANAGED:
        return Check(me, "role", _healthy(managed.leads(view)), managed.shown(side))
    opened = [each for each in side.user_indices.values() if each.is_open]
    free = [each for each in opened if each.writable]
    detail = f"{len(free)} of {len(opened)} indices can be written to"
    return Check(me, "role", _healthy(bool(free) and len(free) == len(opened)), detail)


def _standby(view: OpenSearchView) -> Check:
    fit = managed.in_step(view) and not managed.leads(view)
    return Check(view.member.resource_id, "standby", _healthy(fit), managed.shown(view.target))


def _protection(view: OpenSearchView) -> Check:
    me, source = view.member.resource_id, view.source
    if view.strategy == MANAGED:
        fit, detail = managed.in_step(view), managed.shown(view.target)
    elif view.strategy == CCR:
        following = source.followers if source else {}
        fit = set(view.target.user_indices) <= set(following)
        detail = f"{len(following)} of {len(view.target.user_indices)} indices are followed by the source side"
    else:
        seen = source.snapshots.get(repository_of(view.target.place), ()) if source else ()
        fit = any(each.state is Taken.SUCCESS for each in seen)
        detail = f"the source side sees {len(seen)} snapshot(s) of the target"
    return Check(me, "protection", CheckState.HEALTHY if fit else CheckState.SETTLING, detail)


def _healthy(fit: bool) -> CheckState:
    return CheckState.HEALTHY if fit else CheckState.UNHEALTHY
