"""Which tagged Aurora clusters are the two sides of one resource, and what an emergency must know of them.

A global cluster joins its members; a binlog replica names its source; others belong together by name (without the suffix of
a retired one). Retired clusters are out of the scope by their tags.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.reading import tag_map
from adapters.specs.aurora import AURORA_ENGINES, CROSS_REGION_REPLICA, GLOBAL_DATABASE
from adapters.views.aurora import Cluster, Clusters, GlobalClusters
from adapters.views.aurora_replica import base_name, own_groups
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ValidationError


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged clusters."""
    groups = [g for page in aws.pages("rds", "DescribeGlobalClusters", GlobalClusters) for g in page.GlobalClusters]
    joined = {m.DBClusterArn: g.GlobalClusterIdentifier for g in groups for m in g.GlobalClusterMembers}
    clusters = [c for page in aws.pages("rds", "DescribeDBClusters", Clusters) for c in page.DBClusters]
    tagged = [c for c in clusters if c.DBClusterArn in arns and c.Status != "deleting"]
    return [_found(aws, each, joined.get(each.DBClusterArn)) for each in tagged]


def _found(aws: Reader, cluster: Cluster, group: str | None) -> Found:
    if cluster.Engine not in AURORA_ENGINES:
        raise ValidationError(
            f"{cluster.DBClusterArn} runs {cluster.Engine}; expected one of {', '.join(AURORA_ENGINES)}.",
            "remove dr:enabled from it: this engine is not supported.",
            code="UnsupportedEngine",
        )
    source = cluster.ReplicationSourceIdentifier
    name = base_name(source.rpartition(":")[2] if source else cluster.DBClusterIdentifier)
    place = Place(aws.account, aws.region, cluster.DBClusterIdentifier, cluster.DBClusterArn, _facts(cluster, group))
    replicates = source or any(each.startswith("arn:") for each in cluster.ReadReplicaIdentifiers)
    strategy = GLOBAL_DATABASE if group else CROSS_REGION_REPLICA if replicates else None
    return Found(f"{aws.account}/{group or name}", group or name, place, tag_map(cluster.TagList), strategy)


def _facts(cluster: Cluster, group: str | None) -> dict[str, JsonValue]:
    """Return what a successor of the cluster is made of, as it is when it is not fenced."""
    return {
        "global_cluster": group,
        "version": cluster.EngineVersion,
        "kms_key": cluster.KmsKeyId if cluster.StorageEncrypted else None,
        "subnet_group": cluster.DBSubnetGroup,
        "parameter_group": cluster.DBClusterParameterGroup,
        "security_groups": list(own_groups(cluster)),
        "deletion_protection": cluster.DeletionProtection,
        "instances": len(cluster.DBClusterMembers),
    }
