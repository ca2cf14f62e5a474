"""What is judged of a pair of OpenSearch domains before a run. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.judging import ready, red, warning
from adapters.needed import findings as findings_of
from adapters.opensearch import ccr, managed, snapshots
from adapters.opensearch.domains import wanted_size
from adapters.opensearch.models import Domain
from adapters.opensearch.spec import (
    CCR,
    FAILED_FOLLOWS,
    INSTANCES,
    MANAGED,
    MANY_BEHIND,
    SNAPSHOTS,
    SPEC,
    UNFIT_INSTANCES,
)
from adapters.opensearch.view import DomainSide, Index, OpenSearchView, repository_of
from adapters.opensearch.view_states import Peering
from adapters.quotas import ask
from orchestrator.contract import Claim, Finding, Member, Place, RunContext
from orchestrator.tags import RTO, STRATEGY
from orchestrator.words import Mode, Phase


def findings(view: OpenSearchView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    if target.domain is None:
        return [red(me, "no-target", f"there is no domain {target.place.id} in {target.place.region}.")]
    found = _domain(view.member, target, target.domain, view.strategy, run) + _rto(view)
    found += findings_of(me, view.lacks)
    if view.source is not None:
        found += _pair_of_domains(me, view, view.source, target.domain, run)
    if target.indices is not None or view.strategy == MANAGED:
        by_strategy = {CCR: _ccr, MANAGED: _managed, SNAPSHOTS: _snapshots}
        found += by_strategy[view.strategy](me, view, run)
    return found or [ready(me, f"{target.place.id} in {target.place.region} can take over.")]


def claims(view: OpenSearchView, run: RunContext) -> list[Claim]:
    """Return how many instances the target side's domain is to have, where the run makes it larger."""
    wanted, place = wanted_size(view).get("InstanceCount"), view.target.place
    if not isinstance(wanted, int) or run.mode is not Mode.PLANNED:
        return []
    where, mine, of = (place.account, place.region), (view.member.resource_id,), f"instances in the domain {place.id}"
    remedy = ask(*INSTANCES, place.region)
    return [view.room.counted(0).claim(mine, where, of, "what the source side has", wanted, remedy)]


def _domain(member: Member, side: DomainSide, domain: Domain, strategy: str, run: RunContext) -> list[Finding]:
    me = member.resource_id
    name, found = f"{side.place.id} in {side.place.region}", []
    if domain.status != "Active" or domain.UpgradeProcessing:
        text = f"{name} is {domain.status}, expected Active."
        serves = run.mode is Mode.EMERGENCY and domain.host is not None
        found.append(warning(me, "domain-status", text) if serves else red(me, "domain-status", text))
    if strategy != MANAGED and domain.in_vpc and side.indices is None:
        text = f"{name} is in a VPC: its indices cannot be reached from the hub, and dr-opensearch-read is not there."
        found.append(red(me, "vpc", text, _into_the_vpc(member, side.place, domain)))
    if side.health.ClusterHealth not in {"Green", "Yellow"}:
        found.append(red(me, "cluster-health", f"{name} is {side.health.ClusterHealth}, expected Green."))
    elif side.health.ClusterHealth == "Yellow":
        found.append(warning(me, "cluster-health", f"{name} is Yellow: replicas are missing."))
    if side.health.MasterNode != "Available":
        found.append(red(me, "master-node", f"the master node of {name} is {side.health.MasterNode}."))
    if strategy == CCR:
        if not domain.NodeToNodeEncryptionOptions.Enabled:
            found.append(red(me, "node-encryption", f"{name} has no node-to-node encryption, which replication needs."))
        if not domain.AdvancedSecurityOptions.Enabled:
            found.append(
                red(me, "access-control", f"{name} has no fine-grained access control, which replication needs.")
            )
        if domain.ClusterConfig.InstanceType.startswith(UNFIT_INSTANCES):
            kind = domain.ClusterConfig.InstanceType
            found.append(red(me, "instance-type", f"{name} runs {kind}: M3, T2 and T3 nodes do not replicate."))
    return found


def _into_the_vpc(member: Member, place: Place, domain: Domain) -> str:
    """Return what to type for a domain that the hub cannot reach; managed replication needs no endpoint."""
    pattern = f"vpc-{domain.DomainName}-*.{place.region}.es.amazonaws.com"
    deployed = (
        f"put it there (stacksets/README.md): aws cloudformation deploy --region {place.region} --stack-name dr-probe "
        f"--template-file stacksets/probe.template.json --capabilities CAPABILITY_NAMED_IAM --parameter-overrides "
        f"SubnetIds=SUBNETS SecurityGroupIds=GROUPS 'OpenSearchEndpoints={pattern}' in account {place.account}; then: dr plan"
    )
    if member.source.account != member.target.account:
        return deployed
    tag = f"--tag-list Key={STRATEGY},Value={MANAGED}"
    sides = (member.source, member.target)
    tags = "; ".join(f"aws opensearch add-tags --region {p.region} --arn {p.arn} {tag}" for p in sides)
    pair = managed.pairing_command(member.source, member.target)
    return f"{deployed}. Or: {tags}; if they are no such pair yet, empty {member.target.id} and: {pair}; then: dr plan"


def _rto(view: OpenSearchView) -> list[Finding]:
    told, usual = view.member.tags.get(RTO, ""), SPEC.strategy(view.strategy).typical_minutes[Phase.ACTIVATE]
    if not told.isdigit() or int(told) >= usual:
        return []
    text = f"{view.strategy} usually takes {usual:.0f} min, {RTO} is {told} min."
    return [warning(view.member.resource_id, "rto", text)]


def _pair_of_domains(
    me: str, view: OpenSearchView, source: DomainSide, target: Domain, run: RunContext
) -> list[Finding]:
    if source.domain is None:
        return [red(me, "no-source", f"there is no domain {source.place.id} in {source.place.region}.")]
    found = [] if run.mode is Mode.DRILL else _domain(view.member, source, source.domain, view.strategy, run)
    if source.domain.EngineVersion != target.EngineVersion:
        text = f"{source.place.region} runs {source.domain.EngineVersion}, {view.target.place.region} {target.EngineVersion}."
        found.append(
            red(me, "version", f"{text} Only equal versions can change roles.", "upgrade the older, then: dr plan")
        )
    lacking = wanted_size(view)
    if lacking:
        shown = ", ".join(f"{key} {value}" for key, value in lacking.items())
        found.append(
            warning(me, "size", f"{view.target.place.id} lacks {shown}: INSTANTIATE changes it, 20 min to hours.")
        )
    if target.EBSOptions.VolumeSize < source.domain.EBSOptions.VolumeSize:
        sizes = f"{target.EBSOptions.VolumeSize} GiB, the source side {source.domain.EBSOptions.VolumeSize} GiB"
        found.append(warning(me, "volume", f"each node of {view.target.place.id} has {sizes}."))
    if view.strategy != CCR and view.member.source.account != view.member.target.account:
        found.append(red(me, "accounts", f"{view.strategy} works inside one account only."))
    return found


def _ccr(me: str, view: OpenSearchView, run: RunContext) -> list[Finding]:
    side = view.target
    if ccr.switched(view) and view.source is not None:
        if ccr.is_reversed(view):
            return []  # it was moved before: nothing is left to be done
        return [warning(me, "promoted", f"{side.place.id} follows nobody: protected by nothing until REPLICATE.")]
    found = _followers(me, view.target.followers)
    if not side.user_indices and run.mode is not Mode.PLANNED:
        found.append(red(me, "no-index", f"{side.place.id} holds no index: nothing is replicated to it."))
    if side.rules and side.leaders > 1:
        text = f"{side.place.id} follows {side.leaders} domains: whose indices a rule follows cannot be told."
        found.append(red(me, "leaders", text))
    if side.rules and (run.mode is Mode.EMERGENCY or (side.domain is not None and side.domain.in_vpc)):
        shown = ", ".join(f"{rule.name} ({rule.pattern})" for rule in side.rules)
        text = f"autofollow rules are deleted and not remembered: {shown}."
        found.append(warning(me, "autofollow", text, "make them anew in the other direction after REPLICATE"))
    return found + (_leader(me, view, view.source, run) if view.source is not None else [])


def _followers(me: str, followers: Mapping[str, Index]) -> list[Finding]:
    found: list[Finding] = []
    for name, each in followers.items():
        assert each.follow is not None
        if each.follow.status in FAILED_FOLLOWS:
            text = f"{name} is {each.follow.status}: {each.follow.reason}; expected SYNCING."
            found.append(red(me, "follower", text, "POST /_plugins/_replication/INDEX/_resume, then: dr plan"))
        elif each.follow.behind is None:
            found.append(warning(me, "follower", f"{name} is {each.follow.status}, expected SYNCING."))
        elif each.follow.behind > MANY_BEHIND:
            found.append(warning(me, "lag", f"{name} is {each.follow.behind} operations behind."))
        if each.follow.leader_index and each.follow.leader_index != name:
            text = f"{name} follows {each.follow.leader_index}: clients would look for the leader's name."
            found.append(red(me, "renamed", text, "let it follow under the leader's name, then: dr plan"))
    return found


def _leader(me: str, view: OpenSearchView, source: DomainSide, run: RunContext) -> list[Finding]:
    here, found = view.target.user_indices, []
    for name, each in source.user_indices.items():
        mine = here.get(name)
        if mine is not None and mine.follow is None:
            text = f"{name} is in {view.target.place.id} and follows nobody."
            found.append(red(me, "not-following", text, f"DELETE /{name} there when it is of no use, then: dr plan"))
        elif mine is None and each.is_open:
            text = f"{name} is not followed yet"
            planned = run.mode is Mode.PLANNED
            found.append(warning(me, "new-index", f"{text}: INSTANTIATE sees to it." if planned else f"{text}."))
        elif each.blocked and mine is not None:
            text = f"{name} is blocked for writing already; after the move, or after a rollback, it is not."
            found.append(warning(me, "own-block", text, "block it again afterwards where that was meant"))
        elif not each.is_open:
            found.append(warning(me, "closed", f"{name} is closed in {source.place.region}: it does not replicate."))
    if view.target.link is None and run.mode is Mode.DRILL:
        found.append(red(me, "connection", f"{view.target.place.id} is not connected to {source.place.id}."))
    return found


def _managed(me: str, view: OpenSearchView, run: RunContext) -> list[Finding]:
    seen, peer = managed.shown(view.target), view.target.peer
    if managed.leads(view):
        return (
            [] if managed.in_step(view) else [warning(me, "promoted", f"{seen}: protected by nothing until REPLICATE.")]
        )
    if peer is None and run.mode is Mode.PLANNED:
        return [warning(me, "not-paired", f"{seen}: INSTANTIATE pairs it, when it is empty.")]
    if peer is None or peer.Status is not Peering.ACTIVE or peer.PeerDomainArn != view.member.source.arn:
        text = f"{seen}, expected SECONDARY, ACTIVE, of {view.member.source.arn}."
        return [red(me, "replication", text, "aws opensearch describe-domain-replication tells more")]
    return []


def _snapshots(me: str, view: OpenSearchView, run: RunContext) -> list[Finding]:
    target, source, found = view.target, view.source, []
    if source is not None and snapshots.switched(view):
        return []  # it was moved before
    theirs, ours = repository_of(view.member.source), repository_of(view.member.target)
    wanted = [(target, theirs, False), (target, ours, True)]
    wanted += [(source, theirs, True), (source, ours, False)] if source is not None else []
    for side, repository, writes in wanted:
        known = side.repositories.get(repository)
        if known is None:
            text = f"{side.place.id} in {side.place.region} has no snapshot repository {repository}."
            found.append(
                red(me, "repository", text, f"PUT /_snapshot/{repository} there, with its bucket and a role to pass")
            )
        elif known is not writes:
            expected = "one it may write to" if writes else 'readonly ("readonly": "true")'
            text = f"repository {repository} in {side.place.region} is not {expected}: two writers destroy it."
            found.append(
                red(me, "repository-writers", text, f"PUT /_snapshot/{repository} there with the right setting")
            )
    found += _age(me, view, run)
    if source is not None:
        there = sorted(set(source.user_indices) & set(target.user_indices))
        if there:
            text = f"{', '.join(there)} is in {target.place.id} already, and in the way of a restore."
            found.append(red(me, "in-the-way", text, "DELETE it there when it is of no use, then: dr plan"))
    return found


def _age(me: str, view: OpenSearchView, run: RunContext) -> list[Finding]:
    newest, limit = snapshots.arrived(view, run), run.rpo_minutes.get(me)
    if newest is None:
        text = f"no complete snapshot of the source side has arrived in {view.target.place.region}."
        return [warning(me, "no-snapshot", text) if run.mode is Mode.PLANNED else red(me, "no-snapshot", text)]
    minutes = (run.now - newest.start_time).total_seconds() / 60
    if limit is None or minutes <= limit:
        return []
    return [red(me, "lag", f"the newest snapshot is {minutes:.0f} min old, dr:rpo-target is {limit} min.")]
