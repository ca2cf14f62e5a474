"""Is everything really served from a Region? Looked up in the embedded AWS itself, past the platform's own ledger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import botocore.session
import dns.resolver
from botocore.config import Config

from cli.local_hub import LocalHub
from orchestrator.plan import Plan
from orchestrator.signed_http import SignedHttpClient
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


def _elasticache(local: LocalHub, member: PlannedMember, region: str) -> str | None:
    found = _client(local, "elasticache", member).describe_global_replication_groups(ShowMemberInfo=True)
    roles = {
        each["ReplicationGroupRegion"]: each["Role"]
        for group in found["GlobalReplicationGroups"]
        for each in group["Members"]
        if each["ReplicationGroupId"] in {member.source.id, member.target.id}
    }
    return None if roles.get(region) == "PRIMARY" else f"the roles of its members are {roles}"


def _memorydb(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    (found,) = _client(local, "memorydb", member).describe_clusters(ClusterName=member.target.id)["Clusters"]
    return None if found["Status"] == "available" else f"it is {found['Status']}"


def _opensearch(local: LocalHub, member: PlannedMember, region: str) -> str | None:
    domain = _client(local, "opensearch", member).describe_domain(DomainName=member.target.id)["DomainStatus"]
    endpoint = domain.get("Endpoint") or domain["Endpoints"]["vpc"]
    environment = local.environment(region, member.target.account)
    core = botocore.session.Session()
    core.set_credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    core.set_config_variable("ca_bundle", local.ca_bundle)
    functions = partial(_client, local, "lambda", member)
    http = SignedHttpClient(core, region, Config(connect_timeout=5, read_timeout=10), functions)
    lines = http.get(Endpoint=endpoint, Path="/_cat/indices?format=json")["items"]
    names = [each["index"] for each in lines if not each["index"].startswith(".")]
    states = {
        name: http.get(Endpoint=endpoint, Path=f"/_plugins/_replication/{name}/_status")["status"] for name in names
    }
    following = sorted(name for name, state in states.items() if state != "REPLICATION NOT IN PROGRESS")
    return None if names and not following else f"these of its indices still follow: {following or 'none are there'}"


def _asg(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    asked = {"AutoScalingGroupNames": [member.target.id]}
    (found,) = _client(local, "autoscaling", member).describe_auto_scaling_groups(**asked)["AutoScalingGroups"]
    up = sum(each["LifecycleState"] == "InService" for each in found["Instances"])
    return None if up >= found["DesiredCapacity"] > 0 else f"{up} of {found['DesiredCapacity']} instances are InService"


def _lambda(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    functions = _client(local, "lambda", member)
    if functions.get_function_concurrency(FunctionName=member.target.id).get("ReservedConcurrentExecutions") == 0:
        return "no concurrency is reserved for it"
    mappings = functions.list_event_source_mappings(FunctionName=member.target.id)["EventSourceMappings"]
    states = {each["State"] for each in mappings}
    return None if states <= {"Enabled"} else f"its event source mappings are {sorted(states)}"


def _eventbridge(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    bus = member.target.id.partition("/")[0]
    rules = _client(local, "events", member).list_rules(EventBusName=bus)["Rules"]
    states = {each["Name"]: each["State"] for each in rules if not each.get("ManagedBy")}
    return None if states and set(states.values()) == {"ENABLED"} else f"its rules are {states}"


def _efs(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    (found,) = _client(local, "efs", member).describe_file_systems(FileSystemId=member.target.id)["FileSystems"]
    protection = found.get("FileSystemProtection", {}).get("ReplicationOverwriteProtection")
    return None if protection in {"ENABLED", "DISABLED"} else f"it is still a replica ({protection})"


def _fsx(local: LocalHub, member: PlannedMember, _region: str) -> str | None:
    fsx = _client(local, "fsx", member)
    asked = [{"Name": "file-system-id", "Values": [member.target.id]}]
    volumes = [each for each in fsx.describe_volumes(Filters=asked)["Volumes"] if each["Name"] != "fsx"]
    locked = [each["Name"] for each in volumes if not _takes_writes(each)]
    return None if volumes and not locked else f"its read-only volumes are {locked or 'all that would be there'}"


def _takes_writes(volume: dict[str, Any]) -> bool:
    if volume["VolumeType"] == "OPENZFS":
        return not volume["OpenZFSConfiguration"].get("ReadOnly")
    told = volume["OntapConfiguration"]
    root = told.get("StorageVirtualMachineRoot", False)
    return root or (told["OntapVolumeType"] == "RW" and bool(told.get("JunctionPath")))


LOOKS: dict[str, Look] = {
    "asg": _asg,
    "aurora": _aurora,
    "drs": _drs,
    "ecs": _ecs,
    "efs": _efs,
    "elasticache": _elasticache,
    "eventbridge": _eventbridge,
    "fsx": _fsx,
    "lambda": _lambda,
    "memorydb": _memorydb,
    "opensearch": _opensearch,
    "rds": _rds,
    "route53": _route53,
}
