"""Condition keys that come from a request's parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localaws.iam.resources import Where, cluster_name, values

Params = Mapping[str, Any]
Keys = dict[str, "str | list[str]"]

_TAG_MEMBERS = ("Tags", "tags", "TagList", "TagSpecifications", "tagSpecifications", "AddTags", "Tagging")


def request_tags(params: Params) -> dict[str, str]:
    """Return the tags a request carries, whatever the service calls them."""
    found: dict[str, str] = {}
    for member in _TAG_MEMBERS:
        value = params.get(member)
        if isinstance(value, Mapping):
            value = value.get("TagSet", value)
        if isinstance(value, Mapping):
            found |= {str(key): str(text) for key, text in value.items()}
        elif isinstance(value, list):
            found |= _from_list(value)
    return found


def _from_list(items: Iterable[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        if not isinstance(item, Mapping):
            continue
        if "Tags" in item:
            found |= _from_list(item["Tags"])
        key = item.get("Key", item.get("key", item.get("TagKey")))
        if key is not None:
            found[str(key)] = str(item.get("Value", item.get("value", item.get("TagValue", ""))) or "")
    return found


def removed_tag_keys(params: Params) -> list[str]:
    """Return the keys an untag request names."""
    return values(params, ("TagKeys[]", "tagKeys[]", "TagKeyList[]", "RemoveTagKeys[]"))


def service_keys(service: str, operation: str, params: Params, where: Where) -> Keys:
    """Return the tag keys and the service's own keys of a request."""
    tags = request_tags(params)
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    named = list(tags) or removed_tag_keys(params)
    if named:
        keys["aws:TagKeys"] = named
    own = _OWN.get(service)
    return {**keys, **(own(operation, params, where) if own else {})}


def _ecs(_operation: str, params: Params, where: Where) -> Keys:
    cluster = params.get("cluster") or "default"
    arn = cluster if cluster.startswith("arn:") else _ecs_arn("cluster", cluster_name(params), where)
    keys: Keys = {"ecs:cluster": arn}
    if params.get("service"):
        service = str(params["service"])
        path = f"{cluster_name(params)}/{service}"
        keys["ecs:service"] = service if service.startswith("arn:") else _ecs_arn("service", path, where)
    if params.get("taskDefinition"):
        definition = str(params["taskDefinition"])
        is_arn = definition.startswith("arn:")
        keys["ecs:task-definition"] = definition if is_arn else _ecs_arn("task-definition", definition, where)
    return keys


def _ecs_arn(kind: str, name: str, where: Where) -> str:
    return f"arn:aws:ecs:{where.region}:{where.account}:{kind}/{name}"


def _route53(operation: str, params: Params, _where: Where) -> Keys:
    if operation != "ChangeResourceRecordSets":
        return {}
    changes = (params.get("ChangeBatch") or {}).get("Changes") or []
    sets = [change.get("ResourceRecordSet") or {} for change in changes]
    prefix = "route53:ChangeResourceRecordSets"
    return {
        f"{prefix}Actions": _unique(str(change.get("Action", "")) for change in changes),
        f"{prefix}RecordTypes": _unique(str(record.get("Type", "")) for record in sets),
        f"{prefix}NormalizedRecordNames": _unique(normalized_name(str(record.get("Name", ""))) for record in sets),
    }


def normalized_name(name: str) -> str:
    """Return a record name as Route 53 compares it: lower case, no trailing dot, unusual bytes as `\\ooo`."""
    lowered = name.lower().rstrip(".")
    plain = "abcdefghijklmnopqrstuvwxyz0123456789-_.\\"
    return "".join(c if c in plain else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in lowered)


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _scaling(_operation: str, params: Params, _where: Where) -> Keys:
    keys = {"ServiceNamespace": "service-namespace", "ScalableDimension": "scalable-dimension"}
    return {f"application-autoscaling:{key}": str(params[name]) for name, key in keys.items() if params.get(name)}


def _autoscaling(operation: str, params: Params, _where: Where) -> Keys:
    keys: Keys = {f"autoscaling:{name}": str(params[name]) for name in ("MaxSize", "MinSize") if name in params}
    if operation == "DeleteAutoScalingGroup":
        keys["autoscaling:ForceDelete"] = _flag(params.get("ForceDelete"))
    return keys


def _kms(operation: str, params: Params, where: Where) -> Keys:
    context = params.get("EncryptionContext") or {}
    keys: Keys = {f"kms:EncryptionContext:{key}": str(value) for key, value in context.items()}
    if context:
        keys["kms:EncryptionContextKeys"] = list(context)
    if operation == "CreateGrant":
        keys["kms:GrantIsForAWSResource"] = "false"
    alias = str(params.get("KeyId", "")).split(":", 5)[-1]
    if alias.startswith("alias/"):
        keys["kms:RequestAlias"] = alias
    return {**keys, "kms:CallerAccount": where.account}


def _s3(_operation: str, params: Params, _where: Where) -> Keys:
    names = {
        "Prefix": "s3:prefix",
        "Delimiter": "s3:delimiter",
        "MaxKeys": "s3:max-keys",
        "VersionId": "s3:VersionId",
        "ACL": "s3:x-amz-acl",
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
    keys: Keys = {key: str(params[name]) for name, key in names.items() if params.get(name) is not None}
    return keys


def _cloudwatch(operation: str, params: Params, _where: Where) -> Keys:
    if operation == "PutMetricData" and params.get("Namespace"):
        return {"cloudwatch:namespace": str(params["Namespace"])}
    return {}


def _arc(operation: str, params: Params, _where: Where) -> Keys:
    if not operation.startswith("UpdateRoutingControlState"):
        return {}
    overridden = bool(params.get("SafetyRulesToOverride"))
    return {"route53-recovery-cluster:AllowSafetyRulesOverrides": _flag(overridden)}


def _sns(operation: str, params: Params, _where: Where) -> Keys:
    if operation != "Subscribe":
        return {}
    names = {"Protocol": "sns:Protocol", "Endpoint": "sns:Endpoint"}
    return {key: str(params[name]) for name, key in names.items() if params.get(name)}


def _secrets(_operation: str, params: Params, _where: Where) -> Keys:
    return {"secretsmanager:SecretId": str(params["SecretId"])} if params.get("SecretId") else {}


def _iam(_operation: str, params: Params, _where: Where) -> Keys:
    names = {
        "PolicyArn": "iam:PolicyARN",
        "PermissionsBoundary": "iam:PermissionsBoundary",
        "AWSServiceName": "iam:AWSServiceName",
    }
    return {key: str(params[name]) for name, key in names.items() if params.get(name)}


def _ssm(_operation: str, params: Params, _where: Where) -> Keys:
    return {"ssm:Overwrite": _flag(params["Overwrite"])} if "Overwrite" in params else {}


def _flag(value: object) -> str:
    return "true" if value else "false"


_OWN: dict[str, Callable[[str, Params, Where], Keys]] = {
    "application-autoscaling": _scaling,
    "autoscaling": _autoscaling,
    "cloudwatch": _cloudwatch,
    "ecs": _ecs,
    "iam": _iam,
    "kms": _kms,
    "route53": _route53,
    "route53-recovery-cluster": _arc,
    "s3": _s3,
    "secretsmanager": _secrets,
    "sns": _sns,
    "ssm": _ssm,
}
