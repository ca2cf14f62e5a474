"""Who follows whom: the connection between two OpenSearch domains, followers, autofollow rules. Pure.

A connection is asked for by the follower and accepted by the leader. A follower index can be made only where there is no
index of its name. Of an autofollow rule the plugin tells name and pattern, not the connection.
"""

from __future__ import annotations

from adapters.opensearch.domains import per_index, request
from adapters.opensearch.models import Connection, Rule
from adapters.opensearch.spec import FAILED_FOLLOWS, FAILED_LINKS, FOLLOWER_ROLE, LEADER_ROLE
from adapters.opensearch.view import DomainSide, Index
from adapters.opensearch.view_states import Link, Sync
from orchestrator.contract import Call, Later, Param, Place, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

PLUGIN = "/_plugins/_replication"


def alias_of(follower: DomainSide, leader: DomainSide) -> str:
    """Return the name by which a follower knows its leader: as it is, or as this adapter gives it."""
    if follower.link is not None and follower.link.ConnectionAlias:
        return follower.link.ConnectionAlias
    return f"{leader.place.id}-{leader.place.region}"


def connect(follower: DomainSide, leader: DomainSide, where: Side, run: RunContext) -> list[Step]:
    """Return the steps that connect a follower to its leader, and wait until the connection is in use."""
    link, other = follower.link, Side.SOURCE if where is Side.TARGET else Side.TARGET
    ask = _ask(follower, leader, where)
    waiting = [each for each in leader.inbound if each.status is Link.PENDING_ACCEPTANCE]
    number: Param = waiting[0].ConnectionId if waiting else Later("id of the requested connection")
    accept = Call("opensearch", "AcceptInboundConnection", {"ConnectionId": number}, other)
    if link is None:
        broken = _broken(follower, run)
        first = broken or todo("connect", ask, Effect.REVERSIBLE, f"{follower.place.id} is not connected to its leader")
        return [first, busy("accept", "waits for the request", effect=Effect.REVERSIBLE, call=accept)]
    if link.status is Link.ACTIVE:
        shown = f"{link.ConnectionAlias or link.ConnectionId} is ACTIVE"
        return [done("connect", shown, effect=Effect.REVERSIBLE), done("accept", shown, effect=Effect.REVERSIBLE)]
    if link.status in {Link.DELETING, Link.REJECTING}:
        return [busy("connect", f"an old connection is {link.status}", effect=Effect.REVERSIBLE, call=ask)]
    asked = done("connect", f"asked for, is {link.status}", effect=Effect.REVERSIBLE)
    if waiting and link.status is Link.PENDING_ACCEPTANCE:
        return [asked, todo("accept", accept, Effect.REVERSIBLE, f"{leader.place.id} has not accepted it")]
    return [
        asked,
        busy("accept", f"the connection is {link.status}, expected ACTIVE", effect=Effect.REVERSIBLE, call=accept),
    ]


def _broken(follower: DomainSide, run: RunContext) -> Step | None:
    mine = run.kept.get("connect", {}).get("id")
    ended = [each for each in follower.outbound if each.ConnectionId == mine and each.status in FAILED_LINKS]
    if not ended or run.seconds_since("connect") is None:
        return None
    why = f"the connection is {ended[0].status}: {ended[0].ConnectionStatus.Message or 'no reason given'}"
    return failed("connect", why, "correct the cause (both domains reachable, versions, 20 connections), then retry.")


def _ask(follower: DomainSide, leader: DomainSide, where: Side) -> Call:
    params: dict[str, Param] = {
        "LocalDomainInfo": _information(follower.place),
        "RemoteDomainInfo": _information(leader.place),
        "ConnectionAlias": alias_of(follower, leader),
        "ConnectionMode": "DIRECT",
    }
    return Call("opensearch", "CreateOutboundConnection", params, where, keep={"id": "ConnectionId"})


def _information(place: Place) -> dict[str, Param]:
    return {"AWSDomainInformation": {"OwnerId": place.account, "DomainName": place.id, "Region": place.region}}


def disconnect(follower: DomainSide, where: Side) -> Step:
    """Return the step that ends a follower's connection."""
    name, link = "disconnect", follower.link
    if link is None:
        return done(name, f"{follower.place.id} is connected to no leader", effect=Effect.COMPENSABLE)
    call = Call("opensearch", "DeleteOutboundConnection", {"ConnectionId": link.ConnectionId}, where)
    if link.status is Link.DELETING:
        return busy(name, "is DELETING", effect=Effect.COMPENSABLE, call=call)
    return todo(name, call, Effect.COMPENSABLE, f"{link.ConnectionAlias} is {link.status}")


def follow(follower: DomainSide, leader: DomainSide, where: Side) -> list[Step]:
    """Return the steps that make every index of the leader followed, and wait until all are in step."""
    steps: list[Step] = []
    wanted = [each for each in leader.user_indices.values() if each.is_open]
    names = per_index("follow", (each.name for each in wanted))
    for each in sorted(wanted, key=lambda index: index.name):
        steps.append(_follow(names[each.name], follower, leader, each, where))
    return [*steps, _in_step(follower, [each.name for each in wanted])]


def _follow(name: str, follower: DomainSide, leader: DomainSide, index: Index, where: Side) -> Step:
    body: dict[str, Param] = {
        "leader_alias": alias_of(follower, leader),
        "leader_index": index.name,
        **_roles(follower),
    }
    call = request("Put", follower, f"{PLUGIN}/{index.name}/_start", where, body)
    found = follower.user_indices.get(index.name)
    if found is None:
        return todo(name, call, Effect.REVERSIBLE, f"there is no {index.name} in {follower.place.region}")
    if found.follow is None:
        why = f"{index.name} in {follower.place.region} follows nobody; a follower cannot be made over it"
        return blocked(name, why, f"DELETE /{index.name} on {follower.endpoint} when it is of no use, then retry.")
    return done(name, f"{index.name} is {found.follow.status}", effect=Effect.REVERSIBLE)


def _roles(side: DomainSide) -> dict[str, Param]:
    """Return the roles that fine-grained access control wants named."""
    if side.domain is None or not side.domain.AdvancedSecurityOptions.Enabled:
        return {}
    return {"use_roles": {"leader_cluster_role": LEADER_ROLE, "follower_cluster_role": FOLLOWER_ROLE}}


def _in_step(follower: DomainSide, names: list[str]) -> Step:
    found = {name: follower.followers[name].follow for name in names if name in follower.followers}
    stuck = [
        f"{name} is {each.status}: {each.reason}"
        for name, each in found.items()
        if each and each.status in FAILED_FOLLOWS
    ]
    if stuck:
        remedy = f"POST {PLUGIN}/INDEX/_resume on {follower.endpoint}; after 12 hours _stop and DELETE it instead; then retry."
        return failed("in-step", "; ".join(stuck), remedy)
    late = [name for name in names if (each := found.get(name)) is None or each.status is not Sync.SYNCING]
    if late:
        return busy("in-step", f"{', '.join(sorted(late))} not SYNCING yet")
    return done("in-step", f"{len(names)} indices are SYNCING")


def start_rules(follower: DomainSide, leader: DomainSide, rules: tuple[Rule, ...], where: Side) -> list[Step]:
    """Return the steps that make autofollow rules."""
    there = {each.name for each in follower.rules}
    steps: list[Step] = []
    for name, rule in zip(per_index("autofollow", (r.name for r in rules)).values(), _sorted(rules), strict=True):
        told: dict[str, Param] = {
            "leader_alias": alias_of(follower, leader),
            "name": rule.name,
            "pattern": rule.pattern,
        }
        call = request("Post", follower, f"{PLUGIN}/_autofollow", where, {**told, **_roles(follower)})
        if rule.name in there:
            steps.append(done(name, f"new indices like {rule.pattern} are followed", effect=Effect.REVERSIBLE))
        else:
            steps.append(todo(name, call, Effect.REVERSIBLE, f"new indices like {rule.pattern} are not followed"))
    return steps


def stop_rules(follower: DomainSide, leader: DomainSide, where: Side) -> list[Step]:
    """Return the steps that delete the autofollow rules."""
    names = per_index("stop-autofollow", (rule.name for rule in follower.rules))
    steps: list[Step] = []
    for rule in _sorted(follower.rules):
        body: dict[str, Param] = {"leader_alias": _alias_in_use(follower, leader), "name": rule.name}
        call = request("Delete", follower, f"{PLUGIN}/_autofollow", where, body)
        if follower.leaders > 1:
            why = f"{follower.place.id} follows {follower.leaders} domains, and the rule does not tell which it is for"
            steps.append(
                blocked(names[rule.name], why, f"DELETE {PLUGIN}/_autofollow by hand for the right one, then retry.")
            )
        else:
            steps.append(
                todo(names[rule.name], call, Effect.REVERSIBLE, f"new indices like {rule.pattern} are followed")
            )
    return steps


def _alias_in_use(follower: DomainSide, leader: DomainSide) -> str:
    used = sorted({each.follow.leader_alias for each in follower.followers.values() if each.follow})
    return used[0] if used and used[0] else alias_of(follower, leader)


def _sorted(rules: tuple[Rule, ...]) -> list[Rule]:
    return sorted(rules, key=lambda rule: rule.name)


def foreseen_link(follower: DomainSide, leader: DomainSide) -> tuple[Connection, ...]:
    """Return the connection as a preview expects it to be."""
    if follower.link is not None:
        return follower.outbound
    ends = {"LocalDomainInfo": _information(follower.place), "RemoteDomainInfo": _information(leader.place)}
    told = {"ConnectionId": "foreseen", "ConnectionAlias": alias_of(follower, leader)}
    return (Connection.model_validate({**told, **ends, "ConnectionStatus": {"StatusCode": "ACTIVE"}}),)
