"""Find caches: tagged replication groups, and tagged cache subnet groups that stand for a group still to be made.

Of several groups of one name in a Region the youngest that is not fenced counts: the others were retired by earlier runs.
Members of a global datastore belong together by it; groups that stand alone by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.elasticache.models import Datastores, ReplicationGroups, SubnetGroup, SubnetGroups
from adapters.elasticache.spec import BUCKET_TAG, GLOBAL_DATASTORE, GROUPS_TAG, KEY_TAG, STANDBY_FOR_TAG
from adapters.elasticache.view import Cache, base_name
from adapters.elasticache.view_look import nodes_of, tags_of
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ValidationError


def find(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return what lies in a Region, one per cache; raise `ValidationError` for a subnet group that names no cache."""
    anchors = _anchors(aws, arns)
    groups = _groups(aws, arns)
    names = _pair_names(aws, groups)
    found: list[Found] = []
    for name in sorted({*names.values(), *anchors}):
        mine = [each for each in groups if names[each.id] == name]
        open_ones = [each for each in mine if not each.fenced or _in_use(each, mine)]
        place, tags = anchors.get(name, (None, {}))
        regional: Mapping[str, JsonValue] = place.facts if place else {}
        for each in open_ones[:1] or mine[:1]:
            facts = {**regional, **_facts(each)}
            strategy = GLOBAL_DATASTORE if each.datastore_id else None
            where = Place(aws.account, aws.region, each.id, each.group.ARN, facts)
            found.append(Found(f"{aws.account}/{name}", name, where, _without_own(each.tags), strategy))
        if not mine and place is not None:
            found.append(Found(f"{aws.account}/{name}", name, place, tags, None, counterpart=True))
    return found


def _in_use(cache: Cache, others: Sequence[Cache]) -> bool:
    """Say whether a fenced group still is a member of a datastore while no other of its name is open."""
    return bool(cache.datastore_id) and all(each is cache or each.fenced for each in others)


def _groups(aws: Reader, arns: Sequence[str]) -> list[Cache]:
    if not any(":replicationgroup:" in arn for arn in arns):
        return []
    pages = aws.pages("elasticache", "DescribeReplicationGroups", ReplicationGroups)
    tagged = [group for page in pages for group in page.ReplicationGroups if group.ARN in arns]
    nodes = nodes_of(aws) if tagged else {}
    made = [Cache(g, tuple(nodes.get(g.ReplicationGroupId, ())), tags_of(aws, g.ARN)) for g in tagged]
    # A drill's copy of a drill that never ended carries no dr:enabled; one that does is nobody's production either.
    return sorted((c for c in made if "dr:drill-id" not in c.tags), key=lambda each: each.created, reverse=True)


def _pair_names(aws: Reader, groups: Sequence[Cache]) -> dict[str, str]:
    """Return for each group the name both sides go by: the first of its datastore's members', or its own."""
    names = {each.id: base_name(each.id) for each in groups}
    if not any(each.datastore_id for each in groups):
        return names
    pages = aws.pages("elasticache", "DescribeGlobalReplicationGroups", Datastores, ShowMemberInfo=True)
    firsts = {
        one.GlobalReplicationGroupId: min(base_name(m.ReplicationGroupId) for m in one.Members)
        for page in pages
        for one in page.GlobalReplicationGroups
        if one.Members
    }
    return {each.id: firsts.get(each.datastore_id or "", names[each.id]) for each in groups}


def _anchors(aws: Reader, arns: Sequence[str]) -> dict[str, tuple[Place, Mapping[str, str]]]:
    if not any(":subnetgroup:" in arn for arn in arns):
        return {}
    pages = aws.pages("elasticache", "DescribeCacheSubnetGroups", SubnetGroups)
    found: dict[str, tuple[Place, Mapping[str, str]]] = {}
    for subnets in (each for page in pages for each in page.CacheSubnetGroups if each.ARN in arns):
        tags = tags_of(aws, subnets.ARN)
        names = tags.get(STANDBY_FOR_TAG, "").split()
        if not names:
            raise ValidationError(
                f"{subnets.ARN} carries dr:enabled, but {STANDBY_FOR_TAG} names no replication group.",
                f"set {STANDBY_FOR_TAG} to the caches it is kept for, or take dr:enabled off.",
                code="NoCounterpart",
            )
        for name in names:
            place = Place(aws.account, aws.region, name, subnets.ARN, _regional(subnets, tags))
            found[name] = (place, _without_own(tags))
    return found


def _without_own(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags without those that tell of one side only: both sides' tags are read as one."""
    return {k: v for k, v in tags.items() if k not in {STANDBY_FOR_TAG, GROUPS_TAG, BUCKET_TAG, KEY_TAG}}


def _regional(subnets: SubnetGroup, tags: Mapping[str, str]) -> dict[str, JsonValue]:
    return {
        "anchor": subnets.ARN,
        "subnet_group": subnets.CacheSubnetGroupName,
        "security_groups": list(tags.get(GROUPS_TAG, "").split()),
        "bucket": tags.get(BUCKET_TAG),
        "kms_key": tags.get(KEY_TAG),
    }


def _facts(cache: Cache) -> dict[str, JsonValue]:
    """Return what a successor of the group is made of, as it is when it is not fenced."""
    group, node = cache.group, cache.nodes[0] if cache.nodes else None
    endpoint = group.ConfigurationEndpoint or (group.NodeGroups[0].PrimaryEndpoint if group.NodeGroups else None)
    return {
        "datastore": cache.datastore_id,
        "node_type": group.CacheNodeType,
        "engine": group.Engine,
        "version": node.EngineVersion if node else None,
        "parameter_group": node.CacheParameterGroup.CacheParameterGroupName if node else None,
        "shards": len(group.NodeGroups),
        "replicas": cache.replicas,
        "cluster": group.ClusterEnabled,
        "automatic_failover": group.AutomaticFailover in {"enabled", "enabling"},
        "multi_az": group.MultiAZ == "enabled",
        "transit_encryption": group.TransitEncryptionEnabled,
        "at_rest_encryption": group.AtRestEncryptionEnabled,
        "auth_token": group.AuthTokenEnabled,
        "user_groups": list(group.UserGroupIds),
        "snapshot_days": group.SnapshotRetentionLimit,
        "description": group.Description,
        "port": endpoint.Port if endpoint else None,
        "created": cache.created.isoformat(),
        "subnet_group": cache.subnet_group,
        "security_groups": list(cache.own_groups),
        "kms_key": group.KmsKeyId,
    }
