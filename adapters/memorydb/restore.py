"""The steps that carry a single-Region MemoryDB cluster over: snapshot, export, restore under a name of its own. Pure."""

from __future__ import annotations

from adapters.memorydb.fence import built, fence, judged, named_or_gone, reopen
from adapters.memorydb.spec import (
    ARRIVAL_BOUND_SECONDS,
    BUCKET_TAG,
    GROUPS_TAG,
    KEY_TAG,
    PLATFORM_TAGS,
    STANDBY_FOR_TAG,
)
from adapters.memorydb.tags import tags_for
from adapters.memorydb.view import MemoryDbView, export_name, restored_name, snapshot_name
from adapters.memorydb.view_exports import Export, bucket_of, objects
from adapters.memorydb.view_stand import regional
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Param, Place, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import Effect, Mode, Phase, Side, StepState

_KEPT = ("node_type", "acl", "parameter_group", "engine", "version", "shards", "replicas", "snapshot_days")


def other(side: Side) -> Side:
    """Return the side an export travels to."""
    return Side.SOURCE if side is Side.TARGET else Side.TARGET


def rehearse(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of INSTANTIATE: a first export proves the way before anybody is locked out."""
    if view.moved:
        return skip(f"{named_or_gone(view.target)} serves on the target side already")
    return carry(view, run, Side.SOURCE)


def carry(view: MemoryDbView, run: RunContext, side: Side) -> list[Step]:
    """Return the steps that snapshot a side's cluster, export that, and wait until S3 has carried it over."""
    bucket, there = bucket_of(_place(view, side)), bucket_of(_place(view, other(side)))
    if not bucket or not there:
        region = _place(view, side if not bucket else other(side)).region
        why = f"no bucket for exports is named in {region}"
        return [blocked("export", why, "tag the cluster and the subnet groups with dr:export-bucket; then: dr plan")]
    name, export = snapshot_name(view.member, run), export_name(view.member, run)
    arrived = view.export(other(side), export)
    exported = arrived or view.export(side, export)
    return [
        _snapshot(view, run, side, name, exported),
        _export(view, side, name, export, exported),
        _arrival(run, there, export, arrived),
    ]


def _place(view: MemoryDbView, side: Side) -> Place:
    return view.member.source if side is Side.SOURCE else view.member.target


def _snapshot(view: MemoryDbView, run: RunContext, side: Side, name: str, exported: Export | None) -> Step:
    each = view.source if side is Side.SOURCE else view.target
    if exported is not None:
        return done("snapshot", f"{exported.name} is exported", effect=Effect.REVERSIBLE)
    if each is None or each.cluster is None:
        return failed("snapshot", f"there is no cluster {_place(view, side).id}", "dr plan")
    params = {"ClusterName": each.cluster.Name, "SnapshotName": name, "Tags": tag_list(run.tags)}
    call = Call("memorydb", "CreateSnapshot", params, side)
    if view.snapshot in {"copying", "restoring"}:
        return done("snapshot", f"{name} is {view.snapshot}", effect=Effect.REVERSIBLE)
    if not view.snapshot and each.status != "available":
        return judged("snapshot", each.cluster.Name, each.status, effect=Effect.REVERSIBLE, call=call)
    return built("snapshot", f"snapshot {name}", view.snapshot, call)


def _export(view: MemoryDbView, side: Side, name: str, export: str, exported: Export | None) -> Step:
    bucket = bucket_of(_place(view, side))
    params: dict[str, Param] = {
        "SourceSnapshotName": name,
        "TargetSnapshotName": export,
        "TargetBucket": bucket,
    }
    call = Call("memorydb", "CopySnapshot", params, side)
    if exported is not None:
        return done("export", f"{len(exported.keys)} object(s) of {export}", effect=Effect.REVERSIBLE)
    partial = next((each for each in view.exports.get(side, ()) if each.name == export), None)
    if view.snapshot == "copying" or partial is not None:
        shown = f"{len(partial.keys) if partial else 0} of {view.shards} object(s) of {export} in {bucket}"
        return busy("export", shown, effect=Effect.REVERSIBLE, call=call)
    return todo("export", call, Effect.REVERSIBLE, f"{bucket} holds no {export}")


def _arrival(run: RunContext, bucket: str, export: str, arrived: Export | None) -> Step:
    if arrived is not None:
        return done("arrive", f"{export} is in {bucket}")
    waited = run.seconds_since("export")
    if waited is not None and waited > ARRIVAL_BOUND_SECONDS:
        why = f"{export} is not in {bucket}, {waited / 60:.0f} min after it was exported"
        return failed("arrive", why, "look at the replication rule and its role (s3api get-bucket-replication), retry.")
    return busy("arrive", f"{export} is not in {bucket} yet")


def take_over(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of ACTIVATE: planned behind the fence, in an emergency from the newest export that is there."""
    restored = view.target.cluster is not None and view.target.cluster.Name == restored_name(view.member, run)
    if run.mode is Mode.EMERGENCY:
        if view.moved and not restored:
            return [_adopted(view)]
        newest = next(iter(view.complete(Side.TARGET)), None)
        return [_restore(view, run, newest)]
    if view.source is None:
        return [blocked("fence", "the source side was not looked at", "start the run again.")]
    if view.moved and not restored:
        return [*fence(view.source, run), judged("restore", named_or_gone(view.target), view.target.status)]
    if view.target.cluster is not None and not view.target.fenced and not restored:
        why = f"{named_or_gone(view.target)} lets clients in on the target side, and so does the source side"
        remedy = "find out which of them has the data; take dr:enabled off the other, then: dr plan"
        return [blocked("restore", why, remedy)]
    before = [] if restored else carry(view, run, Side.SOURCE)
    return [
        *fence(view.source, run),
        *before,
        _restore(view, run, view.export(Side.TARGET, export_name(view.member, run))),
    ]


def _adopted(view: MemoryDbView) -> Step:
    step = judged("restore", named_or_gone(view.target), view.target.status)
    warning = (
        f"{named_or_gone(view.target)} let clients in already: it goes on with the data it has, nothing was restored"
    )
    return done("restore", step.reason, warning=warning) if step.state is StepState.DONE else step


def _restore(view: MemoryDbView, run: RunContext, export: Export | None) -> Step:
    name, cluster = "restore", restored_name(view.member, run)
    there = view.target.cluster is not None and view.target.cluster.Name == cluster
    call = Call("memorydb", "CreateCluster", _restore_params(view, run, cluster, export), Side.TARGET)
    if not there and export is None and run.mode is Mode.EMERGENCY:
        bucket = bucket_of(view.member.target) or "(none named)"
        why = f"bucket {bucket} in {view.member.target.region} holds no whole export {view.member.name}.*"
        return blocked(name, why, "find a .rdb file, restore it by hand: aws memorydb create-cluster --snapshot-arns")
    step = built(name, f"cluster {cluster}", view.target.status if there else "", call, Effect.IRREVERSIBLE)
    if step.state is StepState.TODO and export is not None:
        return todo(
            name, call, Effect.IRREVERSIBLE, f"{export.name} of {export.at:%Y-%m-%d %H:%M:%S} UTC is not restored"
        )
    return step


def _restore_params(view: MemoryDbView, run: RunContext, name: str, export: Export | None) -> dict[str, Param]:
    """Return the parameters of the restored cluster: its size is the source side's, its surroundings the target's."""
    member, facts = view.member, view.member.source.facts
    size = {key: facts.get(key) for key in _KEPT}
    told: dict[str, Param] = {
        "NodeType": size["node_type"],
        "ACLName": member.target.facts.get("acl") or size["acl"],
        "ParameterGroupName": size["parameter_group"],
        "Engine": size["engine"],
        "EngineVersion": size["version"],
        "NumShards": size["shards"],
        "NumReplicasPerShard": size["replicas"],
        "SnapshotRetentionLimit": size["snapshot_days"],
        "Port": facts.get("port"),
    }
    return {
        "ClusterName": name,
        "SnapshotArns": list(objects(member.target, export)) if export else Later("objects of the export"),
        **{key: value for key, value in told.items() if value is not None},
        "TLSEnabled": bool(facts.get("tls", True)),
        **regional(member.target),
        "Tags": tags_for(member, member.target, run),
    }


def quiet(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of CLEANUP: keep clients out of the old cluster."""
    if view.source is None or view.target.cluster is None or view.target.fenced:
        why = f"no cluster of {view.member.name} lets clients in on the target side: the source stays open"
        return [blocked("fence", why, "run ACTIVATE first.")]
    return fence(view.source, run)


def protect(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of REPLICATE: an export of the new cluster arrives on the other side."""
    since = view.source.fenced_at if view.source else None
    newest = next((each for each in view.complete(Side.SOURCE) if each.name.endswith("-rep")), None)
    if newest is not None and since is not None and newest.at >= since:
        return [
            done("arrive", f"{newest.name} of {newest.at:%Y-%m-%d %H:%M} UTC is in {bucket_of(view.member.source)}")
        ]
    return carry(view, run, Side.TARGET)


def undo(phase: Phase, view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps that let clients into the source side again, while nothing was restored."""
    if view.source is None:
        return skip("nothing was fenced") if not view.moved else [_no_way_back()]
    if phase is Phase.CLEANUP and "fence" in run.called_at:
        return reopen(view.source, Side.SOURCE)
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    if view.target.cluster is not None and not view.target.fenced:
        return [_no_way_back()]
    return reopen(view.source, Side.SOURCE)


def _no_way_back() -> Step:
    why = "the restored cluster accepts writes that the old one does not have"
    return blocked("open", why, "later: dr start --operation failback")


def discard(view: MemoryDbView, run: RunContext) -> list[Step]:
    """Return the steps of DECOMMISSION: delete the old cluster, after a final snapshot of it."""
    return [_stand_in(view), _delete_old(view, run)]


def _stand_in(view: MemoryDbView) -> Step:
    """Let the subnet group stand in for the old cluster: the way back needs a counterpart, and what belongs to it there."""
    name, place, group = "stand-in", view.member.source, view.stand_in
    if group is None:
        return done(
            name, f"there is no subnet group {place.facts.get('subnet_group')}", warning="no way back is prepared"
        )
    named = group.tags.get(STANDBY_FOR_TAG, "").split()
    if view.member.name in named:
        return done(name, f"{group.name} stands in for {view.member.name}")
    groups = place.facts.get("security_groups")
    told = {
        GROUPS_TAG: " ".join(str(each) for each in groups) if isinstance(groups, list) else "",
        KEY_TAG: str(place.facts.get("kms_key") or ""),
        BUCKET_TAG: bucket_of(place),
        STANDBY_FOR_TAG: " ".join([*named, view.member.name]),
    }
    own = {k: v for k, v in view.member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}
    new = {
        key: value
        for key, value in {**own, **told}.items()
        if value and (key not in group.tags or key == STANDBY_FOR_TAG)
    }
    call = Call("memorydb", "TagResource", {"ResourceArn": group.arn, "Tags": tag_list(new)}, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{group.name} does not stand in for {view.member.name} yet")


def _delete_old(view: MemoryDbView, run: RunContext) -> Step:
    source = view.source
    if source is None or source.cluster is None:
        return done("delete-old-cluster", f"there is no {view.member.source.id}", effect=Effect.IRREVERSIBLE)
    name = source.cluster.Name
    params = {"ClusterName": name, "FinalSnapshotName": f"{name}-final-{run.short_id}"}
    call = Call("memorydb", "DeleteCluster", params, Side.SOURCE)
    if source.status == "deleting":
        return busy("delete-old-cluster", f"{name} is deleting", effect=Effect.IRREVERSIBLE, call=call)
    if not source.fenced or not view.moved or view.target.status != "available":
        why = f"{name} is {'fenced' if source.fenced else 'open'}, {named_or_gone(view.target)} {view.target.status}"
        return blocked("delete-old-cluster", f"{why}; expected fenced and available", "run ACTIVATE and CLEANUP first.")
    if source.status == "snapshotting":
        return busy("delete-old-cluster", f"{name} is snapshotting", effect=Effect.IRREVERSIBLE, call=call)
    if source.status != "available":
        return judged("delete-old-cluster", name, source.status, effect=Effect.IRREVERSIBLE, call=call)
    return todo("delete-old-cluster", call, Effect.IRREVERSIBLE, f"{name} is fenced and replaced")
