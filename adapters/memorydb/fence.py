"""The steps that fence a MemoryDB cluster and open it again, and how any status of one is judged. Pure.

The fence is a security group without ingress rules, put on the cluster alone; its own groups are remembered in the tag
`dr:fenced`, the moment it was first seen fenced in `dr:fenced-at`. Replication between Regions, snapshots and exports do not
pass through these groups. MemoryDB cannot cut connections that are open, so nothing is believed that was measured before.
"""

from __future__ import annotations

from adapters.fencing import FENCE_GROUP, FENCED_TAG, group_call
from adapters.memorydb.spec import FAILED_STATUSES, FENCED_AT_TAG, PASSING_STATUSES
from adapters.memorydb.view_stand import Stand
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

_EVENTS = "aws memorydb describe-events --source-type cluster"


def judged(name: str, what: str, status: str, *, effect: Effect = Effect.NONE, call: Call | None = None) -> Step:
    """Judge something that is there from its status: available, on its way, failed, or nothing that AWS documents."""
    observed = f"{what} is {status}"
    if status == "available":
        return done(name, observed, effect=effect)
    if status in FAILED_STATUSES:
        return failed(name, f"{observed}, expected available", f"see why: {_EVENTS}; delete it, then retry.")
    if status == "deleting":
        return failed(name, f"{observed}, expected available", "somebody deletes it: find out who; then: dr plan")
    if status in PASSING_STATUSES:
        return busy(name, f"{observed}, expected available", effect=effect, call=call)
    return failed(name, f"{observed}: no status that MemoryDB documents", "look at it in the console, then retry.")


def built(name: str, what: str, status: str, call: Call, effect: Effect = Effect.REVERSIBLE) -> Step:
    """Judge something to be made from its status (empty: not there)."""
    if not status:
        return todo(name, call, effect, f"there is no {what}")
    return judged(name, what, status, effect=effect, call=call)


def named_or_gone(each: Stand) -> str:
    """Return how people call what stands there."""
    return each.cluster.Name if each.cluster else str(each.place.id)


def fence(each: Stand, run: RunContext) -> list[Step]:
    """Return the steps that let nobody new into the source side's cluster."""
    if each.cluster is None:
        return [done("fence", f"there is no {named_or_gone(each)} to be fenced", effect=Effect.REVERSIBLE)]
    if not each.tags_known:
        return [_untold("fence", each)]
    if each.fence is not None and each.fence.IpPermissions:
        why = f"security group {FENCE_GROUP} ({each.fence.GroupId}) has ingress rules, expected none"
        remedy = f"aws ec2 revoke-security-group-ingress --group-id {each.fence.GroupId} ..."
        return [blocked("fence-group", why, remedy)]
    if not each.own_groups:
        why = f"{each.cluster.Name} shows no security groups: it cannot be fenced without losing the way back"
        remedy = f"aws memorydb update-cluster --cluster-name {each.cluster.Name} --security-group-ids sg-..."
        return [blocked("fence", why, remedy)]
    return [_fence_group(each, run), _remember(each), _fenced(each), _mark(each, run)]


def _fence_group(each: Stand, run: RunContext) -> Step:
    name = "fence-group"
    what = "No ingress: fences databases during disaster recovery"
    call = group_call(FENCE_GROUP, what, each.vpc_id, run, Side.SOURCE)
    if each.fence is not None:
        return done(name, f"{each.fence.GroupId} lets nobody in", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"{each.vpc_id} has no group {FENCE_GROUP}")


def _remember(each: Stand) -> Step:
    name, own = "remember-security-groups", " ".join(each.own_groups)
    arn = each.cluster.ARN if each.cluster else each.place.arn
    if each.tags.get(FENCED_TAG):
        return done(name, f"{FENCED_TAG} says {own}", effect=Effect.REVERSIBLE)
    if each.fence is not None and each.own_groups == (each.fence.GroupId,):
        why = f"{named_or_gone(each)} is fenced, but {FENCED_TAG} does not tell its own security groups"
        remedy = f"aws memorydb tag-resource --resource-arn {arn} --tags Key={FENCED_TAG},Value='sg-... sg-...'"
        return blocked(name, why, remedy)
    params = {"ResourceArn": arn, "Tags": tag_list({FENCED_TAG: own})}
    call = Call("memorydb", "TagResource", params, Side.SOURCE)
    return _when_available(name, each, call, f"its own security groups are {own}")


def _fenced(each: Stand) -> Step:
    name, fence_id, cluster = "fence", each.fence.GroupId if each.fence else None, each.cluster
    assert cluster is not None
    call = _regroup(each, [fence_id or Later(f"id of {FENCE_GROUP}")], Side.SOURCE)
    if fence_id is not None and cluster.groups == (fence_id,):
        if not cluster.settled_groups or cluster.status == "updating":
            return busy(name, f"{fence_id} is being put on", effect=Effect.REVERSIBLE, call=call)
        return done(name, f"only {fence_id} is on {cluster.Name}", effect=Effect.REVERSIBLE)
    return _when_available(name, each, call, f"{cluster.Name} is open through {' '.join(cluster.groups)}")


def _mark(each: Stand, run: RunContext) -> Step:
    """Write down since when nobody new gets in: what was measured before does not count."""
    name = "mark-fenced"
    called = run.called_at.get("fence")
    told_before = called is not None and each.fenced_at is not None and each.fenced_at < called
    if each.fenced and each.fenced_at is not None and not told_before:
        return done(name, f"fenced since {each.fenced_at:%H:%M:%S} UTC or longer", effect=Effect.REVERSIBLE)
    assert each.cluster is not None
    at = run.now.isoformat(timespec="seconds") if each.fenced else Later("when it is first seen fenced")
    tags = [{"Key": FENCED_AT_TAG, "Value": at}]
    call = Call("memorydb", "TagResource", {"ResourceArn": each.cluster.ARN, "Tags": tags}, Side.SOURCE)
    return _when_available(name, each, call, f"{FENCED_AT_TAG} is not set")


def reopen(each: Stand, side: Side) -> list[Step]:
    """Return the steps that give a fenced cluster its own security groups back."""
    cluster = each.cluster
    if not each.tags_known:
        return [_untold("open", each)]
    if cluster is None or not ({FENCED_TAG, FENCED_AT_TAG} & set(each.tags)):
        return [done("open", f"{named_or_gone(each)} is not fenced", effect=Effect.REVERSIBLE)]
    call = _regroup(each, list(each.own_groups), side)
    if cluster.groups == each.own_groups:
        opened = done("open", f"its own groups {' '.join(each.own_groups)} are on {cluster.Name}")
        if not cluster.settled_groups or cluster.status == "updating":
            opened = busy("open", "its own groups are being put on", effect=Effect.REVERSIBLE, call=call)
    else:
        opened = _when_available("open", each, call, f"{cluster.Name} is fenced by {' '.join(cluster.groups)}")
    params = {"ResourceArn": cluster.ARN, "TagKeys": [key for key in (FENCED_TAG, FENCED_AT_TAG) if key in each.tags]}
    forget = Call("memorydb", "UntagResource", params, side)
    return [opened, _when_available("forget-security-groups", each, forget, f"{FENCED_TAG} is still there")]


def _regroup(each: Stand, groups: list[str | Later], side: Side) -> Call:
    return Call("memorydb", "UpdateCluster", {"ClusterName": named_or_gone(each), "SecurityGroupIds": groups}, side)


def _untold(name: str, each: Stand) -> Step:
    """Judge a cluster whose tags cannot be listed: it is on its way, or has failed."""
    if each.status == "available":
        return busy(name, f"the tags of {named_or_gone(each)} cannot be listed")
    return judged(name, named_or_gone(each), each.status)


def _when_available(name: str, each: Stand, call: Call, why: str) -> Step:
    if each.status == "available":
        return todo(name, call, Effect.REVERSIBLE, why)
    return judged(name, named_or_gone(each), each.status, effect=Effect.REVERSIBLE, call=call)
