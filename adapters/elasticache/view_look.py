"""How a cache is read: replication groups of both sides, their global datastore, exports in S3, and a drill's copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import JsonValue

from adapters.elasticache.models import (
    Anything,
    Datastore,
    Datastores,
    Node,
    Nodes,
    ReplicationGroup,
    ReplicationGroups,
    Snapshots,
    StoredObjects,
    SubnetGroups,
    Tags,
)
from adapters.elasticache.spec import (
    BACKUP_RESTORE,
    DATASTORE_MISSING,
    GLOBAL_DATASTORE,
    GROUP_MISSING,
    NAME_LIMIT,
    NODE_MISSING,
    NODES_ASKED,
    PARAMETER_GROUP_MISSING,
    REBUILD,
    SNAPSHOT_MISSING,
    SUBNET_GROUP_MISSING,
    USER_GROUP_MISSING,
)
from adapters.elasticache.view import (
    Cache,
    DrillCopy,
    ElastiCacheView,
    Export,
    base_name,
    complete_exports,
    is_group,
    made_name,
    snapshot_name,
)
from adapters.fencing import FENCE_GROUP, find_group
from adapters.needed import key_states
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points, tag_map
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


def look(target: Target, aws: Clients, run: RunContext) -> ElastiCacheView:
    """Read the target side; the source side unless this is a drill or it is lost; surroundings when they matter."""
    member, here = target.only, aws.at(Side.TARGET)
    there = aws.at(Side.SOURCE) if aws.reaches(Side.SOURCE) and run.mode is not Mode.DRILL else None
    ours = caches(here, _names(member, member.target, run))
    theirs = caches(there, _names(member, member.source, run)) if there else ()
    view = _chosen(member, target.strategy, ours, theirs)
    if target.strategy == GLOBAL_DATASTORE:
        view = _with_datastore(view, here, there, theirs, run)
    if target.strategy == BACKUP_RESTORE or (target.strategy == GLOBAL_DATASTORE and run.mode is Mode.DRILL):
        view = _with_exports(view, here, there, run)
    if there is not None and view.source is not None:
        vpc = _vpc_of(there, view.source.subnet_group)
        view = replace(view, source_vpc=vpc or "", fence=find_group(there, FENCE_GROUP, vpc or ""))
    if run.phase is Phase.INSTANTIATE or run.mode is Mode.EMERGENCY:
        view = _with_surroundings(view, here)
    return replace(view, copy=_copy(here, view, run)) if run.mode is Mode.DRILL else view


def caches(reader: Reader, names: Iterable[str]) -> tuple[Cache, ...]:
    """Return the groups of these names that there are, youngest first (elasticache:DescribeReplicationGroups)."""
    found = []
    for name in sorted(set(names)):
        reply = reader.find(
            "elasticache", "DescribeReplicationGroups", ReplicationGroups, GROUP_MISSING, ReplicationGroupId=name
        )
        found += reply.ReplicationGroups if reply else []
    made = [Cache(each, _nodes(reader, each), tags_of(reader, each.ARN)) for each in found]
    return tuple(sorted(made, key=lambda each: each.created, reverse=True))


def _nodes(reader: Reader, group: ReplicationGroup) -> tuple[Node, ...]:
    """Return a group's nodes, asked one by one, for AWS cannot list those of one group; of a large group the first."""
    names = [node.CacheClusterId for shard in group.NodeGroups for node in shard.NodeGroupMembers][:NODES_ASKED]
    found: list[Node] = []
    for name in names:
        reply = reader.find(
            "elasticache", "DescribeCacheClusters", Nodes, NODE_MISSING, CacheClusterId=name, ShowCacheNodeInfo=True
        )
        found += reply.CacheClusters if reply else []
    return tuple(found)


def nodes_of(reader: Reader) -> dict[str, list[Node]]:
    """Return the nodes of every replication group of a Region (elasticache:DescribeCacheClusters)."""
    found: dict[str, list[Node]] = {}
    for page in reader.pages("elasticache", "DescribeCacheClusters", Nodes, ShowCacheNodeInfo=True):
        for node in page.CacheClusters:
            found.setdefault(node.ReplicationGroupId or "", []).append(node)
    return found


def tags_of(reader: Reader, arn: str) -> dict[str, str]:
    """Return the tags of a group, subnet group or snapshot (elasticache:ListTagsForResource)."""
    return tag_map(reader.read("elasticache", "ListTagsForResource", Tags, ResourceName=arn).TagList)


def _names(member: Member, place: Place, run: RunContext) -> tuple[str, ...]:
    """Return what the group of a side may be called: as the inventory knows it, plainly, or as this run makes it."""
    base = base_name(member.name)
    return (place.id, base, made_name(base, run))


def _chosen(member: Member, strategy: str, ours: Sequence[Cache], theirs: Sequence[Cache]) -> ElastiCacheView:
    source = _source(member, strategy, ours, theirs)
    chosen = _target(member, strategy, ours, source)
    return ElastiCacheView(
        member,
        strategy,
        target=chosen,
        source=source,
        stale=tuple(each for each in ours if each is not chosen),
        retired=tuple(each for each in theirs if each is not source),
    )


def _source(member: Member, strategy: str, ours: Sequence[Cache], theirs: Sequence[Cache]) -> Cache | None:
    if strategy == GLOBAL_DATASTORE:
        shared = {each.datastore_id for each in ours if each.datastore_id}
        for each in theirs:
            if each.datastore_id in shared:
                return each
        for each in theirs:
            if each.id == member.source.id:
                return each
    return theirs[0] if theirs else None


def _target(member: Member, strategy: str, ours: Sequence[Cache], source: Cache | None) -> Cache | None:
    """Return the group that serves or is to serve.

    A restored one must be younger than what it was restored from, and made by a run: any other holds old data or none.
    """
    if strategy == GLOBAL_DATASTORE:
        named = [each for each in ours if each.id == member.target.id and is_group(member.target)]
        return next(iter([*named, *ours]), None)
    if strategy == REBUILD:
        return next((each for each in ours if not each.fenced), None)
    since = source.created if source else _remembered(member.source)
    restored = (each for each in ours if each.created > since and not each.fenced and "dr:execution-id" in each.tags)
    return next(restored, None)


def _remembered(place: Place) -> datetime:
    at = place.facts.get("created")
    return datetime.fromisoformat(str(at)) if at else datetime.min.replace(tzinfo=UTC)


def _with_datastore(
    view: ElastiCacheView, here: Reader, there: Reader | None, theirs: Sequence[Cache], run: RunContext
) -> ElastiCacheView:
    found: Datastore | None = None
    if view.target is not None and view.target.datastore_id:
        found = _datastore(here, view.target.datastore_id)
    elif there is not None and view.source is not None and view.source.datastore_id:
        found = _datastore(there, view.source.datastore_id)
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    behind = _behind(view, here, there, found, rolling_back=run.rolling_back) if measured else None
    return replace(view, datastore=found, lag_points=_lag(*behind, run) if behind else ())


def _datastore(reader: Reader, identifier: str) -> Datastore | None:
    reply = reader.find(
        "elasticache",
        "DescribeGlobalReplicationGroups",
        Datastores,
        DATASTORE_MISSING,
        GlobalReplicationGroupId=identifier,
        ShowMemberInfo=True,
    )
    return reply.GlobalReplicationGroups[0] if reply and reply.GlobalReplicationGroups else None


def _behind(
    view: ElastiCacheView, here: Reader, there: Reader | None, found: Datastore | None, *, rolling_back: bool
) -> tuple[Reader, Cache] | None:
    """Return the secondary whose lag counts: the target, or the old primary when it is to be promoted again."""
    if rolling_back and there is not None and view.source is not None:
        return there, view.source
    return (here, view.target) if view.target is not None and found is not None else None


def _lag(reader: Reader, cache: Cache, run: RunContext) -> tuple[Datapoint, ...]:
    """Return the lag; it is published for a shard's primary node, and tells the slowest shard's.

    With cluster mode nobody tells which node that is, so they are asked one by one.
    """
    shard = cache.group.NodeGroups[0].NodeGroupMembers if cache.group.NodeGroups else []
    primaries = [each for each in shard if each.CurrentRole == "primary"] or shard
    for node in primaries:
        dimensions = {"CacheClusterId": node.CacheClusterId}
        points = recent_points(reader, run.now, "AWS/ElastiCache", "GlobalDatastoreReplicationLag", dimensions)
        if points:
            return tuple(points)
    return ()


def _with_exports(view: ElastiCacheView, here: Reader, there: Reader | None, run: RunContext) -> ElastiCacheView:
    """Read the buckets, and the snapshot of this run: taken of the source, in REPLICATE of the target."""
    exporter = here if run.phase is Phase.REPLICATE else there
    if exporter is not None and run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE, Phase.REPLICATE}:
        name = snapshot_name(view, run)
        reply = exporter.find("elasticache", "DescribeSnapshots", Snapshots, SNAPSHOT_MISSING, SnapshotName=name)
        view = replace(view, snapshot=reply.Snapshots[0].SnapshotStatus if reply and reply.Snapshots else "")
    return replace(
        view,
        exports=_exports(here, view, view.member.target),
        source_exports=_exports(there, view, view.member.source) if there else (),
    )


def _exports(reader: Reader, view: ElastiCacheView, place: Place) -> tuple[Export, ...]:
    bucket = str(place.facts.get("bucket") or "")
    if not bucket:
        return ()
    pages = reader.pages("s3", "ListObjectsV2", StoredObjects, Bucket=bucket, Prefix=f"{view.base}.")
    stored = [each for page in pages for each in page.Contents]
    return complete_exports(stored, bucket, view.shards, place.arn.split(":")[1])


def _vpc_of(reader: Reader, subnet_group: str | None) -> str | None:
    if not subnet_group:
        return None
    reply = reader.find(
        "elasticache",
        "DescribeCacheSubnetGroups",
        SubnetGroups,
        SUBNET_GROUP_MISSING,
        CacheSubnetGroupName=subnet_group,
    )
    return reply.CacheSubnetGroups[0].VpcId if reply and reply.CacheSubnetGroups else None


def _with_surroundings(view: ElastiCacheView, here: Reader) -> ElastiCacheView:
    """Read what a new group on the target side would be made with."""
    facts, like = view.member.target.facts, view.member.source.facts
    subnet_group = str(facts.get("subnet_group") or (view.target.subnet_group if view.target else "") or "")
    vpc = _vpc_of(here, subnet_group)
    missing = [] if vpc is not None else [f"subnet group {subnet_group or '(none is named)'}"]
    parameters = str(like.get("parameter_group") or "")
    if parameters and not parameters.startswith("default.") and view.target is None:
        asked: dict[str, JsonValue] = {"CacheParameterGroupName": parameters}
        if here.find("elasticache", "DescribeCacheParameterGroups", Anything, PARAMETER_GROUP_MISSING, **asked) is None:
            missing.append(f"parameter group {parameters}")
    users = like.get("user_groups")
    for name in users if isinstance(users, list) and view.target is None else []:
        if here.find("elasticache", "DescribeUserGroups", Anything, USER_GROUP_MISSING, UserGroupId=name) is None:
            missing.append(f"user group {name}")
    key = str((view.target.group.KmsKeyId if view.target else None) or facts.get("kms_key") or "")
    return replace(view, target_vpc=vpc, missing=tuple(missing), key_states=key_states(here, key))


def _copy(reader: Reader, view: ElastiCacheView, run: RunContext) -> DrillCopy:
    name = drill_name(run, view.base, NAME_LIMIT)
    facts = view.member.target.facts
    subnet_group = (view.target.subnet_group if view.target else None) or str(facts.get("subnet_group") or "")
    isolating = find_group(reader, name, view.target_vpc or _vpc_of(reader, subnet_group) or "")
    snaps = reader.find("elasticache", "DescribeSnapshots", Snapshots, SNAPSHOT_MISSING, SnapshotName=name)
    snapshot = snaps.Snapshots[0] if snaps and snaps.Snapshots else None
    groups = reader.find(
        "elasticache", "DescribeReplicationGroups", ReplicationGroups, GROUP_MISSING, ReplicationGroupId=name
    )
    group = groups.ReplicationGroups[0] if groups and groups.ReplicationGroups else None
    tags = [tags_of(reader, each.ARN) for each in (snapshot, group) if each is not None]
    tags += [tag_map(isolating.Tags)] if isolating else []
    return DrillCopy(
        security_group=isolating.GroupId if isolating else "",
        snapshot=snapshot.SnapshotStatus if snapshot else "",
        group=group.Status if group else "",
        ours=all(is_of_this_drill(each, run) for each in tags),
    )
