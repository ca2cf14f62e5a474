"""The fence around a replication group, on either side, and the group's own security groups back on.

The fence is the security group `dr-fence`, without ingress rules, put on the group alone; its own groups are remembered in
its tag `dr:fenced`. Connections that are open outlive it (EC2 user guide, "Security group connection tracking"), and a
cache loses its content by a reboot; so the application must have let go before, and the drain only believes minutes that
began behind the fence. In a global datastore the promotion ends the rest: the old primary then declines writes.
"""

from __future__ import annotations

from adapters.elasticache.spec import FAILED_STATUSES, PASSING_STATUSES
from adapters.elasticache.view import Cache, ElastiCacheView
from adapters.fencing import FENCE_GROUP, FENCED_TAG, group_call
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Side


def fence(view: ElastiCacheView, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the source side's group."""
    old, group = view.source, view.fence
    if old is None:
        return [done("fence", f"there is no {view.base} to be fenced", effect=Effect.REVERSIBLE)]
    if group is not None and group.IpPermissions:
        why = f"security group {FENCE_GROUP} ({group.GroupId}) has ingress rules, expected none"
        return [blocked("fence-group", why, f"aws ec2 revoke-security-group-ingress --group-id {group.GroupId} ...")]
    make = group_call(
        FENCE_GROUP, "No ingress: fences data stores in disaster recovery", view.source_vpc, run, Side.SOURCE
    )
    made = (
        done("fence-group", f"{group.GroupId} lets nobody in", effect=Effect.REVERSIBLE)
        if group
        else todo("fence-group", make, Effect.REVERSIBLE, f"{view.source_vpc} has no group {FENCE_GROUP}")
    )
    return [made, _remember(view, old), _fenced(old, group.GroupId if group else None)]


def _remember(view: ElastiCacheView, old: Cache) -> Step:
    name, own = "remember-security-groups", " ".join(old.own_groups)
    params: dict[str, Param] = {"ResourceName": old.group.ARN, "Tags": tag_list({FENCED_TAG: own})}
    if old.fenced:
        return done(name, f"{FENCED_TAG} says {own}", effect=Effect.REVERSIBLE)
    if view.fence is not None and old.security_groups == (view.fence.GroupId,):
        why = f"{old.id} is fenced, but {FENCED_TAG} does not tell its own security groups"
        tag = f"Key={FENCED_TAG},Value='sg-... sg-...'"
        return blocked(name, why, f"aws elasticache add-tags-to-resource --resource-name {old.group.ARN} --tags {tag}")
    call = Call("elasticache", "AddTagsToResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"its own security groups are {own}")


def _fenced(old: Cache, group_id: str | None) -> Step:
    call = _modify(old, [group_id or Later(f"id of {FENCE_GROUP}")], Side.SOURCE)
    return _worn("fence", old, (group_id or "",), call, f"{old.id} is open through {' '.join(old.security_groups)}")


def opened(name: str, cache: Cache | None, side: Side) -> list[Step]:
    """Return the steps that give a fenced group its own security groups back; none when it is not fenced."""
    if cache is None or not cache.fenced:
        return []
    own = cache.own_groups
    why = f"only {' '.join(cache.security_groups)} is on {cache.id}, its own are {' '.join(own)}"
    worn = _worn(name, cache, own, _modify(cache, list(own), side), why)
    params: dict[str, Param] = {"ResourceName": cache.group.ARN, "TagKeys": [FENCED_TAG]}
    forget = Call("elasticache", "RemoveTagsFromResource", params, side)
    return [worn, todo(f"forget-{name}", forget, Effect.REVERSIBLE, f"{FENCED_TAG} is still on {cache.id}")]


def _worn(name: str, cache: Cache, wanted: tuple[str, ...], call: Call, why: str) -> Step:
    """Judge a change of security groups."""
    if cache.security_groups == wanted and cache.settled_groups and cache.status == "available":
        return done(name, f"{' '.join(wanted)} is on {cache.id}", effect=Effect.REVERSIBLE)
    if cache.security_groups == wanted:
        return when_available(name, cache, call, f"{' '.join(wanted)} is being put on {cache.id}", to_do=False)
    return when_available(name, cache, call, why)


def when_available(
    name: str, cache: Cache, call: Call, why: str, *, effect: Effect = Effect.REVERSIBLE, to_do: bool = True
) -> Step:
    """Return the step as one to do (or to wait for) as soon as the group is available."""
    status = cache.status
    if status in FAILED_STATUSES:
        return failed(
            name, f"{cache.id} is {status}, expected available", "repair the group in the console, then retry."
        )
    if status == "available" and to_do:
        return todo(name, call, effect, why)
    if status != "available" and status not in PASSING_STATUSES:
        raise unknown(cache.id, status)
    return busy(name, f"{why}; {cache.id} is {status}", effect=effect, call=call)


def unknown(what: str, status: str) -> UpstreamError:
    """Return the error for a status that AWS documents nowhere."""
    return UpstreamError(
        f"{what} is {status!r}, which this adapter does not know.",
        "look at it in the console; retry when it is available.",
    )


def _modify(cache: Cache, groups: list[Param], side: Side) -> Call:
    params: dict[str, Param] = {
        "ReplicationGroupId": cache.id,
        "ApplyImmediately": True,
        "SecurityGroupIds": groups,
    }
    return Call("elasticache", "ModifyReplicationGroup", params, side)
