"""Read from moto's backends what Resource Explorer would list, under the names it uses.

Left out on purpose, because the real service does not list it: DRS source servers, record sets, ECS tasks,
Lambda aliases, FSx volumes. DocumentDB and Neptune appear as `rds:db` and `rds:cluster`, as they do in AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import moto.backends
from moto.awslambda_simple.models import lambda_simple_backends

from localaws.services.elasticache import ElastiCacheService
from localaws.services.events import EventsService
from localaws.services.rds import RdsService
from localaws.world import World

GLOBAL = "global"
# Global resources are reported from this Region, whatever their own Region is called.
HOME_OF_GLOBAL = "us-east-1"
# Types whose tags the service cannot search.
UNTAGGED_TYPES = frozenset({"rds:global-cluster", "elasticache:globalreplicationgroup"})
# moto's name of a taggable type -> Resource Explorer's.
TYPES: Mapping[str, str] = {
    "rds:db": "rds:db",
    "rds:cluster": "rds:cluster",
    "rds:snapshot": "rds:snapshot",
    "rds:cluster-snapshot": "rds:cluster-snapshot",
    "ecs:service": "ecs:service",
    "ecs:cluster": "ecs:cluster",
    "ecs:task-definition": "ecs:task-definition",
    "lambda:function": "lambda:function",
    "elasticache:cache_clusters": "elasticache:cluster",
    "elasticache:cache_subnet_groups": "elasticache:subnetgroup",
    "elasticache:snapshots": "elasticache:snapshot",
    "elasticache:replication-group": "elasticache:replicationgroup",
    "events:event-bus": "events:event-bus",
    "elasticfilesystem:file-system": "elasticfilesystem:file-system",
    "fsx:file-system": "fsx:file-system",
    "fsx:backup": "fsx:backup",
    "s3:bucket": "s3:bucket",
}
TAGGABLE = ("rds", "ecs", "lambda", "elasticache", "events", "efs", "fsx")


@dataclass(frozen=True)
class Record:
    """One indexed resource."""

    arn: str
    account: str
    region: str
    type: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """Return the service part of the type."""
        return self.type.split(":")[0]


Found = Iterator[tuple[str, str, Mapping[str, str]]]


def collect(world: World, account: str, region: str) -> list[Record]:
    """Return every resource of an account and Region; `us-east-1` reports the global ones too."""
    found = [(region, *one) for one in (*_regional(account, region), *_endpoints(world, account, region))]
    if region == HOME_OF_GLOBAL:
        found += [(GLOBAL, *one) for one in _global(world, account)]
    return [
        Record(arn, account, where, kind, {} if kind in UNTAGGED_TYPES else dict(tags))
        for where, arn, kind, tags in found
    ]


def existing_backend(service: str, account: str, region: str) -> Any | None:
    """Return moto's backend when something has used it already; looking must not create one."""
    # moto has two Lambda backends; functions are in the one that needs no Docker.
    accounts = lambda_simple_backends if service == "lambda" else moto.backends.get_backend(service)
    regions = dict.get(accounts, account)
    return None if regions is None else dict.get(regions, region)


def _regional(account: str, region: str) -> Found:
    for service in TAGGABLE:
        backend = existing_backend(service, account, region)
        if backend is not None:
            yield from _taggable(backend)
    for service, lister in LISTERS.items():
        backend = existing_backend(service, account, region)
        if backend is not None:
            yield from lister(backend)


def _global(world: World, account: str) -> Found:
    zones = existing_backend("route53", account, "aws")
    if zones is not None:
        yield from _route53(zones)
    buckets = existing_backend("s3", account, "aws")
    if buckets is not None:
        yield from _taggable(buckets)
    rds = world.service("rds")
    assert isinstance(rds, RdsService)
    for cluster in rds.global_clusters(account).values():
        yield cluster.arn, "rds:global-cluster", cluster.tags
    elasticache = world.service("elasticache")
    assert isinstance(elasticache, ElastiCacheService)
    for group in elasticache.global_groups(account).values():
        yield group.arn, "elasticache:globalreplicationgroup", group.tags


def _endpoints(world: World, account: str, region: str) -> Found:
    events = world.service("events")
    assert isinstance(events, EventsService)
    for endpoint in events.endpoints(account, region):
        # EventBridge takes no tags for endpoints.
        yield endpoint.arn, "events:endpoint", {}


def _taggable(backend: Any) -> Found:
    for found in backend.iter_tagged_resources():
        if found.resource_type in TYPES:
            yield found.arn, TYPES[found.resource_type], found.tags


def _ec2(backend: Any) -> Found:
    for instance in backend.all_instances():
        if instance.state != "terminated":
            arn = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:instance/{instance.id}"
            yield arn, "ec2:instance", backend.tags.get(instance.id, {})


def _opensearch(backend: Any) -> Found:
    for domain in backend.domains.values():
        yield domain.arn, "es:domain", _pairs(backend.tagger.list_tags_for_resource(domain.arn)["Tags"])


def _autoscaling(backend: Any) -> Found:
    for group in backend.autoscaling_groups.values():
        yield group.arn, "autoscaling:autoScalingGroup", _pairs(group.tags)


def _memorydb(backend: Any) -> Found:
    for cluster in backend.clusters.values():
        yield cluster.arn, "memorydb:cluster", _pairs(backend.tagger.list_tags_for_resource(cluster.arn)["Tags"])
    for group in backend.subnet_groups.values():
        yield group.arn, "memorydb:subnetgroup", _pairs(backend.tagger.list_tags_for_resource(group.arn)["Tags"])
    for snapshot in backend.snapshots.values():
        yield snapshot.arn, "memorydb:snapshot", _pairs(backend.tagger.list_tags_for_resource(snapshot.arn)["Tags"])


def _rds(backend: Any) -> Found:
    for group in backend.subnet_groups.values():
        yield group.arn, "rds:subgrp", _pairs(group.tags)


def _rules(backend: Any) -> Found:
    for bus in backend.event_buses.values():
        for rule in bus.rules.values():
            yield rule.arn, "events:rule", backend.tagger.get_tag_dict_for_resource(rule.arn)


def _codepipeline(backend: Any) -> Found:
    for pipeline in backend.pipelines.values():
        yield pipeline._arn, "codepipeline:pipeline", pipeline.tags


def _schedule_groups(backend: Any) -> Found:
    for group in backend.schedule_groups.values():
        yield group.arn, "scheduler:schedule-group", backend.tagger.get_tag_dict_for_resource(group.arn)


def _route53(backend: Any) -> Found:
    for zone in backend.zones.values():
        zone_id = zone.id.removeprefix("/hostedzone/")
        yield f"arn:aws:route53:::hostedzone/{zone_id}", "route53:hostedzone", backend.resource_tags.get(zone_id, {})
    for check in backend.health_checks.values():
        yield (
            f"arn:aws:route53:::healthcheck/{check.id}",
            "route53:healthcheck",
            backend.resource_tags.get(check.id, {}),
        )


def _pairs(tags: list[Mapping[str, str]]) -> dict[str, str]:
    return {tag.get("Key") or tag["key"]: tag.get("Value") or tag.get("value", "") for tag in tags}


LISTERS: Mapping[str, Callable[[Any], Found]] = {
    "ec2": _ec2,
    "opensearch": _opensearch,
    "autoscaling": _autoscaling,
    "memorydb": _memorydb,
    "rds": _rds,
    "events": _rules,
    "codepipeline": _codepipeline,
    "scheduler": _schedule_groups,
}
