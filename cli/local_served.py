"""Is everything really served from a Region? Looked up in the embedded AWS itself, past the platform's own ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import dns.resolver

from cli.local_hub import LocalHub
from orchestrator.plan import Plan
from orchestrator.targets import PlannedMember

Look = Callable[[LocalHub, PlannedMember, str], str | None]


def not_served(local: LocalHub, plan: Plan) -> list[str]:
    """Return the plan's resources that are not served from its target Region, with what was observed instead."""
    adapters = {action.target_id: action.adapter for action in plan.actions}
    missing = []
    for target in plan.targets:
        for member in target.members:
            observed = LOOKS[adapters[target.target_id]](local, member, plan.target_region)
            if observed:
                missing.append(f"{member.resource_id}: {observed}")
    return missing


def _client(local: LocalHub, service: str, member: PlannedMember) -> Any:
    environment = local.environment(member.target.region, member.target.account)
    return boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=member.target.region,
    ).client(service, endpoint_url=local.endpoint_url)


def _aurora(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    groups = _client(local, "rds", member).describe_global_clusters()["GlobalClusters"]
    writers = [m["DBClusterArn"] for g in groups for m in g["GlobalClusterMembers"] if m["IsWriter"]]
    return None if member.target.arn in writers else "its cluster is not the writer"


def _rds(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    (found,) = _client(local, "rds", member).describe_db_instances(DBInstanceIdentifier=member.target.id)["DBInstances"]
    if found.get("ReadReplicaSourceDBInstanceIdentifier"):
        return "it is still a replica"
    return None if found["DBInstanceStatus"] == "available" else f"it is {found['DBInstanceStatus']}"


def _ecs(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    cluster, _, name = member.target.id.partition("/")
    (found,) = _client(local, "ecs", member).describe_services(cluster=cluster, services=[name])["services"]
    running, desired = found["runningCount"], found["desiredCount"]
    return None if running == desired > 0 else f"{running} of {desired} tasks run"


def _drs(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    states = [
        instance["ec2InstanceState"]
        for instance in _client(local, "drs", member).describe_recovery_instances()["items"]
        if instance.get("sourceServerID") == member.target.id and not instance.get("isDrill")
    ]
    return None if "RUNNING" in states else f"its recovery instances are {states or 'not there'}"


def _route53(local: LocalHub, member: PlannedMember, region: str) -> str | None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], local.dns_port
    name, record_type = str(member.target.facts["name"]), str(member.target.facts["type"])
    answers = [str(answer).rstrip(".") for answer in resolver.resolve(name, record_type, lifetime=5, search=False)]
    return None if answers and all(region in answer for answer in answers) else f"DNS answers {answers}"


LOOKS: dict[str, Look] = {"aurora": _aurora, "drs": _drs, "ecs": _ecs, "rds": _rds, "route53": _route53}
