"""Which tagged MemoryDB clusters and subnet groups are the two sides of one resource, and what an emergency must know.

Members of a multi-Region cluster belong together by its name, others by their own (without the suffix of a restored
cluster). Of several that a row of restores has left in one Region the one that serves counts, else the one fenced last.
Where nothing stands yet a subnet group is the side: its tag `dr:standby-for` names clusters (or multi-Region clusters).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.memorydb.models import Cluster, Clusters, SubnetGroup, SubnetGroups
from adapters.memorydb.spec import BUCKET_TAG, GROUPS_TAG, KEY_TAG, MULTI_REGION, SNAPSHOT_RESTORE, STANDBY_FOR_TAG
from adapters.memorydb.view_stand import Stand, base_name, latest, tags_of
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ConflictError


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return one tagged cluster of each name, and the subnet groups that stand in for missing ones."""
    wanted = set(arns)
    pages = aws.pages("memorydb", "DescribeClusters", Clusters, ShowShardDetails=True)
    families: dict[str, list[Stand]] = {}
    for cluster in (each for page in pages for each in page.Clusters):
        if cluster.ARN in wanted and cluster.status != "deleting":
            place = Place(aws.account, aws.region, cluster.Name, cluster.ARN)
            name = cluster.MultiRegionClusterName or base_name(cluster.Name)
            families.setdefault(name, []).append(_tagged(aws, place, cluster))
    found = [_cluster(aws, name, each) for name, stands in sorted(families.items()) if (each := latest(stands))]
    if any(":subnetgroup/" in arn for arn in arns):
        groups = aws.pages("memorydb", "DescribeSubnetGroups", SubnetGroups)
        for group in (each for page in groups for each in page.SubnetGroups if each.ARN in wanted):
            found += _standbys(aws, group)
    return found


def _tagged(aws: Reader, place: Place, cluster: Cluster) -> Stand:
    """Return a cluster with its tags; without them nobody could tell whose it is."""
    tags = tags_of(aws, cluster.ARN)
    if tags is None:
        what = f"the tags of {cluster.ARN} cannot be listed while it is {cluster.status}"
        raise ConflictError(f"{what}.", "wait until it is available, then: dr plan", code="InvalidClusterStateFault")
    return Stand(place, cluster, tags)


def _cluster(aws: Reader, name: str, each: Stand) -> Found:
    cluster = each.cluster
    assert cluster is not None
    facts: dict[str, JsonValue] = {
        "multi_region": cluster.MultiRegionClusterName,
        "node_type": cluster.NodeType,
        "engine": cluster.Engine,
        "version": cluster.EngineVersion,
        "shards": cluster.NumberOfShards,
        "replicas": cluster.replicas,
        "acl": cluster.ACLName,
        "parameter_group": cluster.ParameterGroupName,
        "subnet_group": cluster.SubnetGroupName,
        "security_groups": list(each.own_groups),
        "kms_key": cluster.KmsKeyId,
        "tls": cluster.TLSEnabled,
        "tiered": cluster.DataTiering.lower() == "true",
        "port": cluster.ClusterEndpoint.Port if cluster.ClusterEndpoint else None,
        "snapshot_days": cluster.SnapshotRetentionLimit,
        "bucket": each.tags.get(BUCKET_TAG),
    }
    strategy = MULTI_REGION if cluster.MultiRegionClusterName else SNAPSHOT_RESTORE
    place = Place(aws.account, aws.region, cluster.Name, cluster.ARN, facts)
    shown = base_name(cluster.Name)
    return Found(f"{aws.account}/{name}", shown, place, each.tags, strategy)


def _standbys(aws: Reader, group: SubnetGroup) -> list[Found]:
    tags = tags_of(aws, group.ARN) or {}
    facts: dict[str, JsonValue] = {
        "standby": True,
        "subnet_group": group.Name,
        "security_groups": list(tags.get(GROUPS_TAG, "").split()),
        "kms_key": tags.get(KEY_TAG),
        "bucket": tags.get(BUCKET_TAG),
    }
    names = tags.get(STANDBY_FOR_TAG, "").split()
    places = {name: Place(aws.account, aws.region, name, group.ARN, facts) for name in names}
    return [Found(f"{aws.account}/{name}", name, place, tags, None, counterpart=True) for name, place in places.items()]
