"""What a function needs of its Region: key, network, layers, image, role, dead-letter queue. Read when a run is planned.

What its code fetches by itself (secrets through the extension or the API, tables, queues, endpoints) cannot be seen; the names of
variables whose values name the Region being left are told, never their values.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, JsonValue

from adapters.lambda_.models import Configuration, Function
from adapters.lambda_.spec import NOT_FOUND
from adapters.needed import Lack, key_lacks, key_states, role_lacks, unless_denied
from adapters.reading import wrong_image
from orchestrator.contract import Reader, RunContext
from orchestrator.words import Mode

SUBNET_MISSING = ("InvalidSubnetID.NotFound",)
GROUP_MISSING = ("InvalidGroup.NotFound", "InvalidGroupId.Malformed")


class _Subnets(BaseModel):
    class _Subnet(BaseModel):
        AvailableIpAddressCount: int = 0

    Subnets: list[_Subnet] = []


class _Anything(BaseModel):
    """A reply of which only matters that it came."""


def lacks(
    reader: Reader,
    function: Function | None,
    definition: Mapping[str, JsonValue] | None,
    config: Mapping[str, JsonValue],
    left: str,
    run: RunContext,
) -> list[Lack]:
    """Judge what a function of the target side needs; without one, what `definition` with a manifest's `config` asks for.

    `left` is the Region that the run leaves.
    """
    found = function.Configuration if function else _to_be_made(definition, config)
    if found is None:
        return []
    key = key_lacks(reader.region, key_states(reader, found.KMSKeyArn), f"function {found.FunctionName}")
    told = [*key, *_network(reader, found), *_dead_letters(reader, found)]
    if function is None:
        told += [each for layer in found.Layers for each in _layer(reader, layer.Arn)]
    else:
        told += [*_image(reader, function), *_variables(found, left)]
    if run.mode is not Mode.EMERGENCY and found.Role:  # IAM's control plane lives elsewhere, and may be what is lost
        told += role_lacks(reader, found.Role, "lambda.amazonaws.com")
    return told


def _to_be_made(definition: Mapping[str, JsonValue] | None, config: Mapping[str, JsonValue]) -> Configuration | None:
    """Return a definition as far as the manifest says what is Regional; what it does not say is told elsewhere."""
    if definition is None:
        return None
    layers, subnets, groups = (config.get(name) for name in ("layers", "subnetIds", "securityGroupIds"))
    return Configuration.model_validate(
        {
            "FunctionName": definition.get("FunctionName"),
            "Role": config.get("roleArn", definition.get("Role")),
            "KMSKeyArn": config.get("kmsKeyArn"),
            "Layers": [{"Arn": each} for each in layers] if isinstance(layers, list) else [],
            "VpcConfig": {"SubnetIds": subnets or [], "SecurityGroupIds": groups or []},
            "DeadLetterConfig": {"TargetArn": config.get("deadLetterTargetArn")},
        }
    )


def _network(reader: Reader, function: Configuration) -> list[Lack]:
    told: list[Lack] = []
    remedy = f"aws lambda update-function-configuration --region {reader.region} --vpc-config ..."
    for subnet in function.VpcConfig.SubnetIds:
        one: list[JsonValue] = [subnet]
        seen = reader.find("ec2", "DescribeSubnets", _Subnets, SUBNET_MISSING, SubnetIds=one)
        if seen is None or not seen.Subnets:
            told.append(Lack("network", f"subnet {subnet} does not exist in {reader.region}", remedy))
        elif seen.Subnets[0].AvailableIpAddressCount < 1:
            told.append(Lack("network", f"subnet {subnet} has no free address", remedy))
    for group in function.VpcConfig.SecurityGroupIds:
        one = [group]
        if reader.find("ec2", "DescribeSecurityGroups", _Anything, GROUP_MISSING, GroupIds=one) is None:
            told.append(Lack("network", f"security group {group} does not exist in {reader.region}", remedy))
    return told


def _layer(reader: Reader, arn: str) -> list[Lack]:
    """Judge a layer that a function is to be made with; functions that are there keep a layer that is deleted."""
    _, _, _, region, account, _, name, version = arn.split(":")
    remedy = f"name a layer of {reader.region} in the manifest (config.{reader.region}.layers)"
    if region != reader.region:
        return [Lack("layer", f"layer {arn} lies in {region}, expected {reader.region}", remedy)]
    if account != reader.account:
        return []

    def look() -> list[Lack]:
        number = int(version)
        seen = reader.find("lambda", "GetLayerVersion", _Anything, NOT_FOUND, LayerName=name, VersionNumber=number)
        return [] if seen else [Lack("layer", f"layer {arn} does not exist", remedy)]

    return unless_denied(f"layer {arn}", look)


def _image(reader: Reader, function: Function) -> list[Lack]:
    if function.Configuration.PackageType != "Image" or not function.Code.ImageUri:
        return []
    wrong = wrong_image(reader, function.Code.ImageUri)
    remedy = f"push or replicate the image to {reader.region}, or aws lambda update-function-code --image-uri ..."
    return [Lack("image", wrong, remedy)] if wrong else []


def _dead_letters(reader: Reader, function: Configuration) -> list[Lack]:
    arn = function.DeadLetterConfig.TargetArn or ""
    if not arn or arn.split(":")[3] == reader.region:
        return []
    text = f"dead letters of {function.FunctionName} go to {arn}, expected a queue or topic in {reader.region}"
    return [Lack("dead-letters", text, "aws lambda update-function-configuration --dead-letter-config ...")]


def _variables(function: Configuration, left: str) -> list[Lack]:
    """Tell the variables of a standing function that name the Region being left."""
    naming = sorted(name for name, value in function.Environment.Variables.items() if left in value)
    if not naming:
        return []
    text = f"the variables {', '.join(naming)} of {function.FunctionName} name {left}, the Region being left"
    remedy = "aws lambda update-function-configuration --environment ... where it calls something there"
    return [Lack("environment-region", text, remedy, grave=False)]
