"""Which tagged Aurora clusters and subnet groups are the two sides of one resource, and what an emergency must know of them.

A global cluster joins its members; a binlog replica names its source; others belong together by name (without the suffix of
a retired one). Where no cluster stands yet a DB subnet group is the side, see `adapters.standing_in`. Retired clusters are out of
the scope by their tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.aurora.spec import AURORA_ENGINES, CROSS_REGION_REPLICA, GLOBAL_DATABASE
from adapters.aurora.view import Cluster, Clusters, Instances
from adapters.aurora.view_global_database import GlobalClusters
from adapters.databases.needs import SECRET_FACT
from adapters.databases.shared import base_name
from adapters.reading import tag_map
from adapters.standing_in import CLUSTERS, stand_ins
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ValidationError


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged clusters, and the subnet groups that stand in for missing ones."""
    groups = [g for page in aws.pages("rds", "DescribeGlobalClusters", GlobalClusters) for g in page.GlobalClusters]
    joined = {m.DBClusterArn: g.GlobalClusterIdentifier for g in groups for m in g.GlobalClusterMembers}
    clusters = [c for page in aws.pages("rds", "DescribeDBClusters", Clusters) for c in page.DBClusters]
    tagged = [c for c in clusters if c.DBClusterArn in arns and c.Status != "deleting"]
    classes = _classes(aws, tagged)
    found = [_found(aws, each, joined.get(each.DBClusterArn), classes) for each in tagged]
    taken = {each.pair_key for each in found}
    elsewhere = {arn.rpartition(":")[2]: group for arn, group in joined.items() if arn.split(":")[3] != aws.region}
    for cluster, there in sorted(stand_ins(aws, arns, CLUSTERS).items()):
        name = elsewhere.get(cluster, cluster)
        if (key := f"{aws.account}/{name}") not in taken:
            found.append(Found(key, name, there.place, there.tags, None, counterpart=True))
    return found


def _classes(aws: Reader, clusters: Sequence[Cluster]) -> dict[str, str]:
    """Return the class of every instance of the clusters."""
    if not clusters:
        return {}
    filters: JsonValue = [{"Name": "db-cluster-id", "Values": [each.DBClusterIdentifier for each in clusters]}]
    pages = aws.pages("rds", "DescribeDBInstances", Instances, Filters=filters)
    return {each.DBInstanceIdentifier: each.DBInstanceClass for page in pages for each in page.DBInstances}


def _found(aws: Reader, cluster: Cluster, group: str | None, classes: Mapping[str, str]) -> Found:
    if cluster.Engine not in AURORA_ENGINES:
        raise ValidationError(
            f"{cluster.DBClusterArn} runs {cluster.Engine}; expected one of {', '.join(AURORA_ENGINES)}.",
            "remove dr:enabled from it: this engine is not supported.",
            code="UnsupportedEngine",
        )
    source = cluster.ReplicationSourceIdentifier
    name = base_name(source.rpartition(":")[2] if source else cluster.DBClusterIdentifier)
    facts = _facts(cluster, group, classes)
    place = Place(aws.account, aws.region, cluster.DBClusterIdentifier, cluster.DBClusterArn, facts)
    replicates = source or any(each.startswith("arn:") for each in cluster.ReadReplicaIdentifiers)
    strategy = GLOBAL_DATABASE if group else CROSS_REGION_REPLICA if replicates else None
    return Found(f"{aws.account}/{group or name}", group or name, place, tag_map(cluster.TagList), strategy)


def _facts(cluster: Cluster, group: str | None, classes: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return what a successor of the cluster is made of, as it is when it is not fenced."""
    members = sorted(cluster.DBClusterMembers, key=lambda each: not each.IsClusterWriter)
    known = [classes[each.DBInstanceIdentifier] for each in members if each.DBInstanceIdentifier in classes]
    scaling = cluster.ServerlessV2ScalingConfiguration
    return {
        "global_cluster": group,
        "engine": cluster.Engine,
        "version": cluster.EngineVersion,
        "class": known[0] if known else None,
        "instances": len(members),
        "scaling": {key: scaling[key] for key in ("MinCapacity", "MaxCapacity") if key in scaling} if scaling else None,
        "iam_auth": cluster.IAMDatabaseAuthenticationEnabled,
        "backup_days": cluster.BackupRetentionPeriod,
        "kms_key": cluster.KmsKeyId if cluster.StorageEncrypted else None,
        "subnet_group": cluster.DBSubnetGroup,
        "parameter_group": cluster.DBClusterParameterGroup,
        "security_groups": list(cluster.own_groups),
        "deletion_protection": cluster.DeletionProtection,
        SECRET_FACT: cluster.MasterUserSecret.SecretArn if cluster.MasterUserSecret else None,
    }
