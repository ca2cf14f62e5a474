"""What a side of a function must become, and what a missing one is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from adapters.lambda_.models import Configuration
from adapters.lambda_.view import LambdaSide, artifacts, s3_place
from adapters.lambda_.view_recipe import Recipe
from orchestrator.contract import Member, Param
from orchestrator.words import Side


@dataclass(frozen=True)
class Deployment:
    """A side and what it must become. `may_create`: whether a missing function is made."""

    member: Member
    side: LambdaSide
    where: Side
    model: Recipe
    may_create: bool

    @property
    def artifact(self) -> str:
        """Return where the code lies in this side's Region; empty when the tag does not tell."""
        return artifacts(self.member.tags).get(self.side.place.region, "")

    def config(self) -> Mapping[str, JsonValue]:
        """Return the manifest's config for this side's Region."""
        found = self.member.settings.get(self.side.place.region)
        return found if isinstance(found, dict) else {}


def obstacles(job: Deployment) -> list[str]:
    """Return why the function cannot be made in this side's Region, as sentences."""
    if not job.may_create:
        return ["the strategy alias-shift makes no functions: deploy it, or use deploy-from-source"]
    if not job.artifact:
        return [f"dr:artifact names no place for the code in {job.side.place.region}"]
    if job.model.definition is None:
        return ["the inventory holds no definition to make it from: dr plan"]
    definition, config = Configuration.model_validate(job.model.definition), job.config()
    regional = {
        "layers": definition.Layers,
        "subnetIds": definition.VpcConfig.SubnetIds,
        "securityGroupIds": definition.VpcConfig.SecurityGroupIds,
        "kmsKeyArn": definition.KMSKeyArn,
        "deadLetterTargetArn": definition.DeadLetterConfig.TargetArn,
    }
    found = [
        f"config.{job.side.place.region}.{key} is missing in the manifest"
        for key in regional
        if regional[key] and key not in config
    ]
    unsupported = {
        "file systems": definition.FileSystemConfigs,
        "SnapStart": definition.SnapStart.ApplyOn != "None",
        "a capacity provider": definition.CapacityProviderConfig,
        "durable executions": definition.DurableConfig,
        "tenant isolation": definition.TenancyConfig,
    }
    found += [f"it has {what}, which is not made anew" for what, has in unsupported.items() if has]
    if definition.Environment.Error:
        found.append("its environment cannot be read (KMS)")
    if job.member.source.account != job.member.target.account and "roleArn" not in config:
        found.append(f"config.{job.side.place.region}.roleArn is missing: the sides are in different accounts")
    return found


def code_of(where: str) -> dict[str, Param]:
    """Return an artifact as CreateFunction and UpdateFunctionCode take it."""
    place = s3_place(where)
    return {"S3Bucket": place[0], "S3Key": place[1]} if place else {"ImageUri": where}


def definition_params(definition: Configuration, config: Mapping[str, JsonValue]) -> dict[str, Param]:
    """Return what CreateFunction takes of a definition; the manifest's config gives what is regional."""
    subnets: JsonValue = config.get("subnetIds", list(definition.VpcConfig.SubnetIds))
    groups: JsonValue = config.get("securityGroupIds", list(definition.VpcConfig.SecurityGroupIds))
    environment = config.get("environment")
    variables = {**definition.Environment.Variables, **(environment if isinstance(environment, dict) else {})}
    dead_letters = config.get("deadLetterTargetArn")
    wanted: dict[str, Param] = {
        "PackageType": definition.PackageType,
        "Role": config.get("roleArn", definition.Role),
        "Runtime": definition.Runtime,
        "Handler": definition.Handler,
        "Timeout": definition.Timeout,
        "MemorySize": definition.MemorySize,
        "Description": definition.Description,
        "Architectures": list(definition.Architectures),
        "EphemeralStorage": {"Size": definition.EphemeralStorage.Size},
        "TracingConfig": {"Mode": definition.TracingConfig.Mode},
        "Environment": {"Variables": variables} if variables else None,
        "VpcConfig": {"SubnetIds": subnets, "SecurityGroupIds": groups} if subnets else None,
        "Layers": config.get("layers", [layer.Arn for layer in definition.Layers]),
        "KMSKeyArn": config.get("kmsKeyArn", definition.KMSKeyArn),
        "DeadLetterConfig": {"TargetArn": dead_letters} if dead_letters else None,
        "ImageConfig": definition.ImageConfigResponse.ImageConfig if definition.ImageConfigResponse else None,
    }
    return {name: value for name, value in wanted.items() if value}
