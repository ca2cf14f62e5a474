"""A drill of MemoryDB: a stand-alone copy on the target side behind a group that lets nobody in.

Of a multi-Region cluster the target side's own member is snapshotted and the snapshot restored; of a single-Region cluster
the newest export is, exactly as an emergency would. Members, fences and exports stay as they are.
"""

from __future__ import annotations

from adapters.fencing import group_call
from adapters.judging import gone, not_ours
from adapters.memorydb.fence import built, judged
from adapters.memorydb.spec import MULTI_REGION, NAME_LIMIT
from adapters.memorydb.view import DrillCopy, MemoryDbView
from adapters.memorydb.view_exports import Export, bucket_of, objects
from adapters.memorydb.view_stand import regional
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Call, Check, Later, Param, RunContext, Step, blocked, busy, done, todo
from orchestrator.words import CheckState, Effect, Side

_UNDER_WAY = ("deleting", "creating", "updating", "snapshotting", "copying", "restoring")
"""Statuses in which MemoryDB refuses a deletion, or is at it."""


def make(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy = drill_name(run, view.member.name, NAME_LIMIT), view.copy
    if not copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    steps = [_group(view, name, run)]
    if view.strategy == MULTI_REGION:
        steps.append(_snapshot(view, name, run))
        return [*steps, _restored(view, name, {"SnapshotName": name}, run)]
    newest = next(iter(view.complete(Side.TARGET)), None)
    if newest is None and not copy.cluster:
        bucket = bucket_of(view.member.target) or "(none named)"
        why = f"bucket {bucket} in {view.member.target.region} holds no whole export {view.member.name}.*"
        return [
            blocked("drill-cluster", why, "export a snapshot first: aws memorydb copy-snapshot --target-bucket ...")
        ]
    return [*steps, _restored(view, name, {"SnapshotArns": _objects(view, newest)}, run)]


def _objects(view: MemoryDbView, newest: Export | None) -> list[Param]:
    return list(objects(view.member.target, newest)) if newest else []


def _group(view: MemoryDbView, name: str, run: RunContext) -> Step:
    if view.copy.group:
        return done("drill-security-group", view.copy.group, effect=Effect.REVERSIBLE)
    call = group_call(name, "Isolates the copy of a drill", view.vpc_id, run, Side.TARGET)
    return todo("drill-security-group", call, Effect.REVERSIBLE, "not there")


def _snapshot(view: MemoryDbView, name: str, run: RunContext) -> Step:
    there = view.target.cluster
    if there is None:
        why = f"there is no member {view.member.target.id} in {view.member.target.region}"
        return blocked("drill-snapshot", why, "a planned run makes it; then repeat the drill.")
    params: dict[str, Param] = {"ClusterName": there.Name, "SnapshotName": name, "Tags": tag_list(run.tags)}
    call = Call("memorydb", "CreateSnapshot", params, Side.TARGET)
    if view.copy.snapshot == "restoring":
        return done("drill-snapshot", f"{name} is being restored", effect=Effect.REVERSIBLE)
    if not view.copy.snapshot and there.status != "available":
        return judged("drill-snapshot", there.Name, there.status, effect=Effect.REVERSIBLE, call=call)
    return built("drill-snapshot", f"snapshot {name}", view.copy.snapshot, call)


def _restored(view: MemoryDbView, name: str, of: dict[str, Param], run: RunContext) -> Step:
    facts, there = view.member.source.facts, view.target.cluster
    params: dict[str, Param] = {
        "ClusterName": name,
        "Description": f"Copy of a drill of {view.member.name}, dr:drill-id={run.run_id}",
        **of,
        "NodeType": there.NodeType if there else facts.get("node_type"),
        "ACLName": there.ACLName if there else facts.get("acl"),
        "Engine": there.Engine if there else facts.get("engine"),
        "NumReplicasPerShard": 0,
        "TLSEnabled": there.TLSEnabled if there else bool(facts.get("tls", True)),
        **regional(view.member.target),
        "SecurityGroupIds": [view.copy.group or Later("id of the drill's security group")],
        "Tags": tag_list(run.tags),
    }
    call = Call("memorydb", "CreateCluster", params, Side.TARGET)
    return built("drill-cluster", f"cluster {name}", view.copy.cluster, call)


def delete(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag."""
    name, copy = drill_name(run, view.member.name, NAME_LIMIT), view.copy
    if not copy.ours:
        return not_ours("drill-cluster", name, run.run_id)
    cluster = Call("memorydb", "DeleteCluster", {"ClusterName": name}, Side.TARGET)
    snapshot = Call("memorydb", "DeleteSnapshot", {"SnapshotName": name}, Side.TARGET)
    group = Call("ec2", "DeleteSecurityGroup", {"GroupId": copy.group}, Side.TARGET)
    return [
        gone("drill-cluster", copy.cluster, cluster, leaving=_UNDER_WAY),
        gone("drill-snapshot", copy.snapshot, snapshot, leaving=_UNDER_WAY),
        gone("drill-security-group", copy.group, group),
        _production_settled(view),
    ]


def _production_settled(view: MemoryDbView) -> Step:
    """Wait until the member that was snapshotted is itself again."""
    there = view.target.cluster
    if there is not None and there.status == "snapshotting":
        return busy("snapshot-ended", f"{there.Name} is snapshotting, expected available")
    return done("snapshot-ended", "nothing is being snapshotted")


def health(view: MemoryDbView) -> list[Check]:
    """Check the copy."""
    serving = view.copy.cluster == "available"
    state = CheckState.HEALTHY if serving else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"cluster is {view.copy.cluster or 'not there'}")]


def foreseen(view: MemoryDbView) -> DrillCopy:
    """Return the copy that INSTANTIATE leaves behind."""
    return DrillCopy("the drill's group", "available" if view.strategy == MULTI_REGION else "", "available")
