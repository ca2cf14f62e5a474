"""What the tasks of a definition need of their Region: cluster, secrets, parameters, log groups, file systems, role, vCPUs.

Environment files in S3 and secrets that the application itself fetches cannot be seen in a definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

from adapters.balancers import balancer_lacks
from adapters.ecs.models import Container, Definition, Secret, Service
from adapters.ecs.spec import FARGATE_VCPUS
from adapters.needed import Lack, has_parameter, role_lacks, secret_lacks
from adapters.quotas import Room, room
from orchestrator.contract import Reader, RunContext
from orchestrator.words import Mode

FILE_SYSTEM_MISSING = ("FileSystemNotFound",)
CPU_UNITS = 1024
"""CPU units of a vCPU (ECS developer guide, task definition parameters)."""


class _Groups(BaseModel):
    class _Group(BaseModel):
        logGroupName: str

    logGroups: list[_Group] = []


class _FileSystems(BaseModel):
    class _FileSystem(BaseModel):
        LifeCycleState: str = ""

    FileSystems: list[_FileSystem] = []


class _Clusters(BaseModel):
    class _Cluster(BaseModel):
        status: str = ""

    clusters: list[_Cluster] = []


@dataclass(frozen=True)
class Needs:
    """What the target side's definition needs there."""

    lacks: tuple[Lack, ...] = ()
    """What is not there, or not as it must be."""
    vcpus: float = 0.0
    """What one task takes of Fargate; 0 where that is not told, or nothing runs on Fargate."""
    room: Room = Room()
    """How many vCPUs the account may run on Fargate in that Region, and runs."""


def needs(
    reader: Reader,
    cluster: str,
    service: Service | None,
    definition: Definition,
    groups: Sequence[str],
    run: RunContext,
) -> Needs:
    """Read what a service's tasks need; without a service, it is to be made as the definition says.

    `groups` are the target groups that tasks are put into.
    """
    vcpus = _vcpus(service, definition)
    lacks = [*_needed(reader, definition), *balancer_lacks(reader, groups, run.now)]
    if service is None:
        lacks += _cluster_lacks(reader, cluster)
    if run.mode is not Mode.EMERGENCY:  # IAM's control plane lives elsewhere, and may be what is lost
        role = definition.content.get("executionRoleArn")
        lacks += role_lacks(reader, role, "ecs-tasks.amazonaws.com") if isinstance(role, str) else []
    return Needs(tuple(lacks), vcpus, room(reader, *FARGATE_VCPUS, run.now) if vcpus else Room())


def _vcpus(service: Service | None, definition: Definition) -> float:
    """Return what one task takes of on-demand Fargate."""
    providers = [str(each.get("capacityProvider")) for each in service.capacityProviderStrategy] if service else []
    launched = service.launchType if service else None
    fargate = launched == "FARGATE" or "FARGATE" in providers or (service is None and _for_fargate(definition))
    cpu = str(definition.content.get("cpu") or "")
    return int(cpu) / CPU_UNITS if fargate and cpu.isdigit() else 0.0


def _for_fargate(definition: Definition) -> bool:
    kinds = definition.content.get("requiresCompatibilities")
    return isinstance(kinds, list) and "FARGATE" in kinds


def _needed(reader: Reader, definition: Definition) -> Iterator[Lack]:
    for container in definition.containerDefinitions:
        log = container.logConfiguration
        group = log.options.get("awslogs-group") if log else None
        if log and group and log.options.get("awslogs-create-group") != "true" and not _has_group(reader, group):
            remedy = f"aws logs create-log-group --region {reader.region} --log-group-name {group}"
            yield Lack("needs", f"log group {group} does not exist in {reader.region}", remedy)
        for value in _values(container):
            yield from _value_lacks(reader, value)
    for volume in definition.volumes:
        file_system = volume.efsVolumeConfiguration.fileSystemId if volume.efsVolumeConfiguration else ""
        if file_system and not _is_up(reader, file_system):
            remedy = f"name its replica in {reader.region} in the task definition"
            yield Lack("needs", f"file system {file_system} is not available in {reader.region}", remedy)


def _values(container: Container) -> Iterator[Secret]:
    """Return what a container gets from Secrets Manager and Parameter Store, for itself, its log and its image."""
    yield from container.secrets
    if container.logConfiguration is not None:
        yield from container.logConfiguration.secretOptions
    if container.repositoryCredentials is not None:
        yield Secret(name="repositoryCredentials", valueFrom=container.repositoryCredentials.credentialsParameter)


def _value_lacks(reader: Reader, value: Secret) -> list[Lack]:
    reference = value.valueFrom
    if ":secretsmanager:" in reference:
        return secret_lacks(reader, reference, value.name)
    if reference.startswith("arn:") and reference.split(":")[3] != reader.region:
        text = f"parameter {reference} ({value.name}) lies in {reference.split(':')[3]}, expected {reader.region}"
        return [Lack("needs", text, f"put it into {reader.region} and name that one in the task definition")]
    if has_parameter(reader, reference):
        return []
    remedy = f"aws ssm put-parameter --region {reader.region} --name {reference.rpartition(':parameter')[2]} ..."
    return [Lack("needs", f"{reference} ({value.name}) does not exist in {reader.region}", remedy)]


def _has_group(reader: Reader, name: str) -> bool:
    found = reader.read("logs", "DescribeLogGroups", _Groups, logGroupNamePrefix=name)
    return any(group.logGroupName == name for group in found.logGroups)


def _is_up(reader: Reader, file_system: str) -> bool:
    found = reader.find("efs", "DescribeFileSystems", _FileSystems, FILE_SYSTEM_MISSING, FileSystemId=file_system)
    return found is not None and any(each.LifeCycleState in {"available", "updating"} for each in found.FileSystems)


def _cluster_lacks(reader: Reader, cluster: str) -> list[Lack]:
    asked: list[JsonValue] = [cluster]
    found = reader.read("ecs", "DescribeClusters", _Clusters, clusters=asked).clusters
    status = found[0].status if found else "not there"
    if status == "ACTIVE":
        return []
    remedy = f"aws ecs create-cluster --region {reader.region} --cluster-name {cluster}"
    return [Lack("cluster", f"cluster {cluster} in {reader.region} is {status}, expected ACTIVE", remedy)]
