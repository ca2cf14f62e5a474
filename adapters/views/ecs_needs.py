"""What the tasks of a definition need of their Region: log groups, secrets, parameters, and vCPUs on Fargate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

from adapters.specs.ecs import FARGATE_VCPUS, QUOTA_MISSING
from adapters.views.ecs_models import Definition, Service
from orchestrator.contract import Reader

SECRET_MISSING = ("ResourceNotFoundException",)
CPU_UNITS = 1024
"""CPU units of a vCPU (ECS developer guide, task definition parameters)."""


class _Groups(BaseModel):
    class _Group(BaseModel):
        logGroupName: str

    logGroups: list[_Group] = []


class _Parameters(BaseModel):
    class _Parameter(BaseModel):
        Name: str

    Parameters: list[_Parameter] = []


class _Secret(BaseModel):
    ARN: str = ""


class _Quota(BaseModel):
    Value: float = 0.0


class _ServiceQuota(BaseModel):
    Quota: _Quota = _Quota()


@dataclass(frozen=True)
class Needs:
    """What the target side's definition needs there."""

    missing: tuple[str, ...] = ()
    """What it names that does not exist, as sentences."""
    vcpus: float = 0.0
    """What one task takes of Fargate; 0 where that is not told, or nothing runs on Fargate."""
    quota: float | None = None
    """How many vCPUs the account may run on Fargate in that Region; None when AWS does not tell."""


def needs(reader: Reader, service: Service | None, definition: Definition) -> Needs:
    """Read what the definition's tasks need; without a service, it is to be made as the definition says."""
    vcpus = _vcpus(service, definition)
    code, which = FARGATE_VCPUS
    found = (
        reader.find(
            "service-quotas", "GetServiceQuota", _ServiceQuota, missing=QUOTA_MISSING, ServiceCode=code, QuotaCode=which
        )
        if vcpus
        else None
    )
    return Needs(tuple(missing_needs(reader, definition)), vcpus, found.Quota.Value if found else None)


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


def missing_needs(reader: Reader, definition: Definition) -> Iterator[str]:
    """Look for the log groups, secrets and parameters that the containers need to start."""
    for container in definition.containerDefinitions:
        options = container.logConfiguration.options if container.logConfiguration else {}
        group = options.get("awslogs-group")
        if group and options.get("awslogs-create-group") != "true" and not _has_group(reader, group):
            yield f"log group {group} does not exist in {reader.region}"
        for secret in container.secrets:
            if not _has_secret(reader, secret.valueFrom):
                yield f"{secret.valueFrom} ({secret.name}) does not exist in {reader.region}"


def _has_group(reader: Reader, name: str) -> bool:
    found = reader.read("logs", "DescribeLogGroups", _Groups, logGroupNamePrefix=name)
    return any(group.logGroupName == name for group in found.logGroups)


def _has_secret(reader: Reader, reference: str) -> bool:
    """Ask for a secret or parameter, never for its value; another account's may not be asked for."""
    parts = reference.split(":")
    if reference.startswith("arn:") and (parts[3], parts[4]) != (reader.region, reader.account):
        return True
    if ":secretsmanager:" in reference:
        arn = ":".join(parts[:7])
        found = reader.find("secretsmanager", "DescribeSecret", _Secret, missing=SECRET_MISSING, SecretId=arn)
        return found is not None
    name = reference.partition(":parameter")[2] or reference
    options: Sequence[str] = (name, name.removeprefix("/"))
    filters: JsonValue = [{"Key": "Name", "Option": "Equals", "Values": [*dict.fromkeys(options)]}]
    return bool(reader.read("ssm", "DescribeParameters", _Parameters, ParameterFilters=filters).Parameters)
