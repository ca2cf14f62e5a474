"""Everything AWS tells of a shop's resources, except times: two such pictures are equal when nothing was touched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
MOVING = {"ResponseMetadata", "lagDuration", "etaDateTime", "RequestCharged"}
"""What changes by itself, besides times."""

Clients = Callable[[str, str], Any]


def attributes(client: Clients, slug: str, regions: Sequence[str]) -> dict[str, Any]:
    """Return the shop's resources by service, kind and Region; `client` gives a botocore client."""
    found: dict[str, Any] = {}
    for region in regions:
        for kind, resources in _regional(client, slug, region):
            found[f"{region} {kind}"] = [_still(resource) for resource in resources if slug in _text(resource)]
    found["route53"] = _route53(client("route53", regions[0]), slug)
    return found


def _regional(client: Clients, slug: str, region: str) -> list[tuple[str, list[Any]]]:
    rds, drs, ecs = client("rds", region), client("drs", region), client("ecs", region)
    services = [
        arn for page in ecs.get_paginator("list_services").paginate(cluster="apps") for arn in page["serviceArns"]
    ]
    mine = [arn for arn in services if slug in arn]
    return [
        ("global clusters", rds.describe_global_clusters()["GlobalClusters"]),
        ("clusters", rds.describe_db_clusters()["DBClusters"]),
        ("instances", rds.describe_db_instances()["DBInstances"]),
        ("snapshots", rds.describe_db_snapshots()["DBSnapshots"]),
        ("cluster snapshots", rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]),
        (
            "services",
            ecs.describe_services(cluster="apps", services=mine, include=["TAGS"])["services"] if mine else [],
        ),
        ("source servers", drs.describe_source_servers()["items"]),
        ("recovery instances", drs.describe_recovery_instances()["items"]),
        *_stores(client, region),
        *_computing(client, slug, region),
    ]


def _stores(client: Clients, region: str) -> list[tuple[str, list[Any]]]:
    caches, memory, efs, fsx = (client(each, region) for each in ("elasticache", "memorydb", "efs", "fsx"))
    domains = client("opensearch", region)
    names = [each["DomainName"] for each in domains.list_domain_names()["DomainNames"]]
    return [
        ("global caches", caches.describe_global_replication_groups(ShowMemberInfo=True)["GlobalReplicationGroups"]),
        ("caches", caches.describe_replication_groups()["ReplicationGroups"]),
        ("cache snapshots", caches.describe_snapshots()["Snapshots"]),
        ("memory clusters", memory.describe_clusters(ShowShardDetails=True)["Clusters"]),
        ("memory snapshots", memory.describe_snapshots()["Snapshots"]),
        ("domains", [domains.describe_domain(DomainName=each)["DomainStatus"] for each in names]),
        ("file systems", efs.describe_file_systems()["FileSystems"]),
        ("other file systems", fsx.describe_file_systems()["FileSystems"]),
        ("volumes", fsx.describe_volumes()["Volumes"]),
        ("backups", fsx.describe_backups()["Backups"]),
    ]


def _computing(client: Clients, slug: str, region: str) -> list[tuple[str, list[Any]]]:
    groups, functions, events = (client(each, region) for each in ("autoscaling", "lambda", "events"))
    mine = [each["FunctionName"] for each in functions.list_functions()["Functions"] if slug in each["FunctionName"]]
    buses = [each["Name"] for each in events.list_event_buses()["EventBuses"] if slug in each["Name"]]
    return [
        ("groups", groups.describe_auto_scaling_groups()["AutoScalingGroups"]),
        ("functions", [functions.get_function(FunctionName=each)["Configuration"] for each in mine]),
        ("aliases", [a for each in mine for a in functions.list_aliases(FunctionName=each)["Aliases"]]),
        ("concurrency", [functions.get_function_concurrency(FunctionName=each) | {"for": each} for each in mine]),
        ("mappings", functions.list_event_source_mappings()["EventSourceMappings"]),
        ("rules", [rule for bus in buses for rule in events.list_rules(EventBusName=bus)["Rules"]]),
    ]


def _route53(route53: Any, slug: str) -> list[Any]:
    zones = [z for z in route53.list_hosted_zones()["HostedZones"] if slug in z["Name"]]
    records = [r for z in zones for r in route53.list_resource_record_sets(HostedZoneId=z["Id"])["ResourceRecordSets"]]
    ids = {record.get("HealthCheckId") for record in records}
    checks = [c for c in route53.list_health_checks()["HealthChecks"] if c["Id"] in ids]
    return [_still(each) for each in [*zones, *records, *checks]]


def _still(value: Any) -> Any:
    """Drop what moves by itself."""
    if isinstance(value, dict):
        kept = {key: _still(item) for key, item in value.items() if key not in MOVING}
        return {key: item for key, item in kept.items() if item is not None}
    if isinstance(value, list):
        return [_still(item) for item in value]
    if isinstance(value, datetime) or (isinstance(value, str) and TIME.fullmatch(value)):
        return None
    return value


def _text(value: Any) -> str:
    return json.dumps(value, default=str)
