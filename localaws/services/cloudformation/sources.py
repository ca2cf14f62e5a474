"""Where a request takes its template, parameters and tags from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from localaws.service import AwsError, Call
from localaws.services.cloudformation import template as templates
from localaws.services.cloudformation.stack import Inputs
from localaws.services.cloudformation.template import validation_error

if TYPE_CHECKING:
    from localaws.world import World

PATH_STYLE_HOST = re.compile(
    r"^(?:s3[.-][a-z0-9-.]*amazonaws\.com|s3\.amazonaws\.com|localhost|127\.0\.0\.1)(?::\d+)?$"
)
BUCKET_HOST = re.compile(r"^(?P<bucket>.+?)\.(?:s3[.-].*|s3|localhost(?::\d+)?)$")
NAMED = ("RoleName", "PolicyName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName")


def body(world: World, call: Call, previous: str | None = None) -> str:
    """Return the template's text. Raises `AwsError` when the request names none or S3 has none."""
    params = call.params
    if params.get("TemplateBody"):
        return str(params["TemplateBody"])
    if params.get("TemplateURL"):
        return fetch(world, call.account, call.region, str(params["TemplateURL"]))
    if previous:
        return previous
    raise validation_error("Either Template URL or Template Body must be specified.")


def fetch(world: World, account: str, region: str, url: str) -> str:
    """Read a template from an S3 URL, path-style or virtual-hosted."""
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    host = BUCKET_HOST.match(parts.netloc)
    if PATH_STYLE_HOST.match(parts.netloc):
        bucket, _, key = path.partition("/")
    elif host:
        bucket, key = host["bucket"], path
    else:
        raise validation_error("TemplateURL must be a supported URL.")
    try:
        reply = world.call("s3", "GetObject", account, region, Bucket=bucket, Key=key)
    except AwsError as error:
        raise validation_error(f"S3 error: {error.message} ({url})") from error
    body_bytes: bytes = reply["Body"]
    return body_bytes.decode()


def parameters(given: list[Mapping[str, Any]] | None, previous: Mapping[str, str]) -> dict[str, str]:
    """Return parameter values; `UsePreviousValue` takes the one the stack has."""
    values: dict[str, str] = {}
    for parameter in given or []:
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            if key in previous:
                values[key] = previous[key]
        else:
            values[key] = str(parameter.get("ParameterValue", ""))
    return values


def inputs(world: World, call: Call, previous: Inputs | None = None) -> Inputs:
    """Return what the request wants the stack to be made from. Raises for missing capabilities."""
    before = previous or Inputs("", {}, {})
    params = call.params
    text = body(world, call, before.body if params.get("UsePreviousTemplate") else None)
    tags = before.tags if params.get("Tags") is None else {tag["Key"]: tag["Value"] for tag in params["Tags"]}
    wanted = Inputs(
        body=text,
        parameters=parameters(params.get("Parameters"), before.parameters),
        tags=tags,
        capabilities=tuple(params.get("Capabilities") or ()),
        role_arn=params.get("RoleARN"),
        token=params.get("ClientRequestToken"),
    )
    require_capabilities(templates.parse(text), wanted.capabilities)
    return wanted


def capabilities_needed(template: Mapping[str, Any]) -> list[str]:
    """Return the capabilities that the template's IAM resources need."""
    needed: list[str] = []
    for resource in template["Resources"].values():
        if not resource["Type"].startswith("AWS::IAM::"):
            continue
        named = any(name in (resource.get("Properties") or {}) for name in NAMED)
        inline = resource["Type"] in {"AWS::IAM::Policy", "AWS::IAM::RolePolicy"}
        if named and not inline:
            return ["CAPABILITY_NAMED_IAM"]
        needed = ["CAPABILITY_IAM"]
    return needed


def require_capabilities(template: Mapping[str, Any], given: tuple[str, ...]) -> None:
    """Raise `InsufficientCapabilitiesException` when the request lacks what the template needs."""
    missing = [name for name in capabilities_needed(template) if name not in given]
    if missing == ["CAPABILITY_IAM"] and "CAPABILITY_NAMED_IAM" in given:
        return
    if missing:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")
