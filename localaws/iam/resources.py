"""From a request's parameters to the ARNs it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import jmespath

from localaws.iam.arn_rules import ANY_ARN, ARN_RULES
from localaws.iam.table import ResourceType, resource_types

Params = Mapping[str, Any]


class Names(Protocol):
    """Finds what a name alone does not tell."""

    def arn(self, kind: str, name: str) -> str | None:
        """Return the ARN of the resource of `kind` (`prefix:type`) called `name`, None when there is none."""

    def task_roles(self, definition: str) -> tuple[str, ...]:
        """Return the ARNs of the roles that an ECS task definition (name or ARN) hands to its tasks."""

    def mapped_function(self, mapping_id: str) -> str | None:
        """Return the ARN of the function, alias or version that a Lambda event source mapping calls."""


@dataclass(frozen=True)
class Where:
    """Account and Region a call goes to, and a way to look names up."""

    account: str
    region: str
    names: Names


@dataclass(frozen=True)
class Target:
    """One resource of a request. `tagged`: its type carries `aws:ResourceTag`."""

    arn: str
    tagged: bool = False


@dataclass(frozen=True)
class Found:
    """The resources of a request. `known` is False when nobody taught us how to name them."""

    targets: tuple[Target, ...]
    known: bool = True


EVERYTHING = Target("*")


def find_targets(action: str, params: Params, where: Where) -> Found:
    """Return the resources of `action` in a request.

    `*` when the action has no resource types; a wildcard ARN when the request names none (a listing); `*`
    and `known` False when the types cannot be built from the parameters.
    """
    types = resource_types(action)
    if types is None:
        return Found((EVERYTHING,), known=False)
    if not types:
        return Found((EVERYTHING,))
    prefix = action.partition(":")[0]
    taught = [kind for kind in types if _is_taught(prefix, kind)]
    found = [Target(arn, _tagged(arn, types)) for arn in _plain_arns(prefix, params)]
    for kind in taught:
        found += [Target(arn, kind.tagged) for arn in _arns(prefix, kind, params, where)]
    if found:
        return Found(tuple(dict.fromkeys(found)))
    if not taught:
        return Found((EVERYTHING,), known=False)
    return Found((Target(taught[0].arn("*", where.account, where.region), tagged=False),))


def _is_taught(prefix: str, kind: ResourceType) -> bool:
    return (prefix, kind.name) in BUILDERS or kind.name in ARN_RULES.get(prefix, {})


def _tagged(arn: str, types: Iterable[ResourceType]) -> bool:
    """Tell whether the type whose template fits `arn` carries tags."""
    tail = arn.split(":", 5)[-1]
    fitting = [kind for kind in types if _fits(kind.template.split(":", 5)[-1], tail)]
    return any(kind.tagged for kind in fitting)


@lru_cache(maxsize=1024)
def _shape(template_tail: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(template_tail)) + r"\Z")


def _fits(template_tail: str, tail: str) -> bool:
    return _shape(template_tail).match(tail) is not None


def _plain_arns(prefix: str, params: Params) -> list[str]:
    return [value for value in values(params, ANY_ARN) if value.startswith("arn:") and value.split(":")[2] == prefix]


def _arns(prefix: str, kind: ResourceType, params: Params, where: Where) -> list[str]:
    builder = BUILDERS.get((prefix, kind.name))
    if builder is not None:
        return builder(kind, params, where)
    names = values(params, ARN_RULES[prefix][kind.name])
    return [_one(prefix, kind, name, where) for name in names]


def _one(prefix: str, kind: ResourceType, name: str, where: Where) -> str:
    if name.startswith("arn:"):
        return name
    name = name.removeprefix(f"/{kind.name}/").lstrip("/")  # Route 53 ids and SSM names
    looked_up = where.names.arn(f"{prefix}:{kind.name}", name) if (prefix, kind.name) in LOOKED_UP else None
    return looked_up or kind.arn(name, where.account, where.region)


def values(params: Params, expressions: Iterable[str]) -> list[str]:
    """Return the strings that JMESPath `expressions` find in the parameters, flattened, in order."""
    found: list[str] = []
    for expression in expressions:
        if expression.split(".")[0].split("[")[0].split(" ")[0] not in params:
            continue
        value = _compiled(expression).search(params)
        items = value if isinstance(value, list) else [value]
        found += [item for item in items if isinstance(item, str) and item]
    return list(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


# Types whose ARN holds more than the name in the request (a path, a unique id).
LOOKED_UP = {
    ("iam", "role"),
    ("iam", "policy"),
    ("iam", "user"),
    ("iam", "instance-profile"),
    ("cloudformation", "stack"),
    ("resource-explorer-2", "view"),
    ("elasticfilesystem", "file-system"),
    ("fsx", "volume"),
    ("fsx", "snapshot"),
    ("fsx", "storage-virtual-machine"),
}


def _buckets(kind: ResourceType, params: Params, where: Where) -> list[str]:
    return [kind.arn(name, where.account, where.region) for name in values(params, ("Bucket",))]


def _objects(kind: ResourceType, params: Params, _where: Where) -> list[str]:
    bucket = params.get("Bucket")
    keys = values(params, ("Key", "Delete.Objects[].Key"))
    return [f"arn:aws:s3:::{bucket}/{key}" for key in keys] if bucket else []


def _functions(kind: ResourceType, params: Params, where: Where) -> list[str]:
    qualifier = params.get("Qualifier")
    if kind.name != "function" and not qualifier:
        return []
    return [function_arn(name, qualifier, where) for name in values(params, ("FunctionName",))]


def function_arn(name: str, qualifier: str | None, where: Where) -> str:
    """Return the ARN of a Lambda function given by name, `name:qualifier`, partial or full ARN."""
    tail = name.rsplit(":function:", maxsplit=1)[-1] if ":function:" in name else name
    account, region = where.account, where.region
    if name.startswith("arn:"):
        region, account = name.split(":")[3:5]
    elif ":function:" in name:
        account = name.split(":", maxsplit=1)[0]
    base, _, own_qualifier = tail.partition(":")
    chosen = qualifier or own_qualifier
    return f"arn:aws:lambda:{region}:{account}:function:{base}" + (f":{chosen}" if chosen else "")


def cluster_name(params: Params) -> str:
    """Return the short name of the ECS cluster of a request; `default` when it names none."""
    named: str = params.get("cluster") or "default"
    return named.rpartition("/")[2]


def _ecs_members(kind: ResourceType, params: Params, where: Where) -> list[str]:
    """Services, tasks, container instances: `type/cluster/name`."""
    expressions = {
        "service": ("service", "services[]", "serviceName"),
        "task": ("task", "tasks[]"),
        "container-instance": ("containerInstance", "containerInstances[]"),
        "task-set": ("taskSet",),
    }[kind.name]
    base = f"arn:aws:ecs:{where.region}:{where.account}:{kind.name}/{cluster_name(params)}"
    names = values(params, expressions)
    if not names and kind.name == "container-instance":
        return [f"{base}/*"]  # what ListTasks is judged on
    return [name if name.startswith("arn:") else f"{base}/{name.rpartition('/')[2]}" for name in names]


def _task_definitions(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("taskDefinition", "taskDefinitions[]"))
    names += [f"{family}:*" for family in values(params, ("family",))]
    base = f"arn:aws:ecs:{where.region}:{where.account}:task-definition/"
    return [name if name.startswith("arn:") else base + (name if ":" in name else f"{name}:*") for name in names]


def _rules(kind: ResourceType, params: Params, where: Where) -> list[str]:
    """EventBridge rules: `rule/NAME` on the default bus, `rule/BUS/NAME` on another."""
    bus = str(params.get("EventBusName") or "default").rpartition("/")[2]
    on_default = kind.name == "rule-on-default-event-bus"
    if on_default != (bus == "default"):
        return []
    base = f"arn:aws:events:{where.region}:{where.account}:rule/" + ("" if on_default else f"{bus}/")
    return [name if name.startswith("arn:") else base + name for name in values(params, ("Name", "Rule"))]


def _event_buses(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("EventBusName", "Entries[].EventBusName", "EventBuses[].EventBusArn", "Destination.Arn"))
    entries = params.get("Entries") or []
    if any(not entry.get("EventBusName") for entry in entries):
        names.append("default")
    names = names or values(params, ("Name",))
    return [n if n.startswith("arn:") else kind.arn(n, where.account, where.region) for n in names]


def _log_groups(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("logGroupName", "logGroupNames[]", "logGroupIdentifier", "logGroupIdentifiers[]"))
    names = [name.split(":log-group:")[-1].removesuffix(":*") for name in names]
    return [kind.arn(name, where.account, where.region) + ":*" for name in names]


def _log_streams(kind: ResourceType, params: Params, where: Where) -> list[str]:
    group, stream = params.get("logGroupName"), params.get("logStreamName", "")
    base = f"arn:aws:logs:{where.region}:{where.account}:log-group"
    return [f"{base}:{group}:log-stream:{stream}"] if group else []


def _keys(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"))
    return [key_arn(name, where) for name in names]


def key_arn(name: str, where: Where) -> str:
    """Return the ARN of a KMS key given by id, alias or ARN."""
    alias = name.split(":", 5)[-1] if name.startswith("arn:") else name
    if alias.startswith("alias/"):
        return where.names.arn("kms:key", alias) or f"arn:aws:kms:{where.region}:{where.account}:key/*"
    return name if name.startswith("arn:") else f"arn:aws:kms:{where.region}:{where.account}:key/{name}"


def _queues(kind: ResourceType, params: Params, where: Where) -> list[str]:
    urls = values(params, ("QueueUrl",))
    named = [kind.arn(name, where.account, where.region) for name in values(params, ("QueueName",))]
    from_urls = [url.rstrip("/").rsplit("/", 2) for url in urls]
    return named + [
        kind.arn(parts[-1], parts[-2] if parts[-2].isdigit() else where.account, where.region) for parts in from_urls
    ]


def _groups_of_instances(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("AutoScalingGroupName", "AutoScalingGroupNames[]", "Tags[].ResourceId"))
    arns = [where.names.arn("autoscaling:autoScalingGroup", name) for name in names]
    return [a or kind.arn(n, where.account, where.region) for a, n in zip(arns, names, strict=True)]


def _schedules(kind: ResourceType, params: Params, where: Where) -> list[str]:
    group = params.get("GroupName") or "default"
    base = f"arn:aws:scheduler:{where.region}:{where.account}:schedule/{group}/"
    return [base + name for name in values(params, ("Name",))]


def _secrets(kind: ResourceType, params: Params, where: Where) -> list[str]:
    """Secrets: AWS appends a dash and six characters to the name in the ARN."""
    names = values(params, ("SecretId", "Name", "SecretIdList[]"))
    base = f"arn:aws:secretsmanager:{where.region}:{where.account}:secret:"
    return [
        name if name.startswith("arn:") else where.names.arn("secretsmanager:Secret", name) or f"{base}{name}-??????"
        for name in names
    ]


def _quotas(kind: ResourceType, params: Params, where: Where) -> list[str]:
    service, quota = params.get("ServiceCode"), params.get("QuotaCode")
    base = f"arn:aws:servicequotas:{where.region}:{where.account}"
    return [f"{base}:{service}/{quota}"] if service and quota else []


def _runs(kind: ResourceType, params: Params, where: Where) -> list[str]:
    """SSM Automation runbooks: `automation-definition/NAME:VERSION`."""
    name, version = params.get("DocumentName"), params.get("DocumentVersion") or "$DEFAULT"
    if not name:
        return []
    name = str(name).rpartition("/")[2]
    account = "" if name.startswith(("AWS-", "AWSEC2-")) else where.account
    return [f"arn:aws:ssm:{where.region}:{account}:automation-definition/{name}:{version}"]


def _parameters(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("Name", "Names[]", "Path"))
    base = f"arn:aws:ssm:{where.region}:{where.account}:parameter/"
    return [name if name.startswith("arn:") else base + name.strip("/") for name in names]


def _tagged_in_route53(kind: ResourceType, params: Params, where: Where) -> list[str]:
    if "ResourceType" in params:
        ids = values(params, ("ResourceId", "ResourceIds[]")) if params["ResourceType"] == kind.name else []
    else:
        ids = values(params, ARN_RULES["route53"][kind.name])
    return [kind.arn(i.rpartition("/")[2], where.account, where.region) for i in ids]


def _tables(kind: ResourceType, params: Params, where: Where) -> list[str]:
    if params.get("IndexName"):
        return []  # a query of an index is judged on the index alone
    names = values(params, ARN_RULES["dynamodb"]["table"])
    return [n if n.startswith("arn:") else kind.arn(n, where.account, where.region) for n in names]


def _indexes(kind: ResourceType, params: Params, where: Where) -> list[str]:
    table, index = params.get("TableName"), params.get("IndexName")
    if not table or not index:
        return []
    base = table if table.startswith("arn:") else f"arn:aws:dynamodb:{where.region}:{where.account}:table/{table}"
    return [f"{base}/index/{index}"]


def _target_groups(kind: ResourceType, params: Params, where: Where) -> list[str]:
    names = values(params, ("Name",)) if "TargetGroupArn" not in params else []
    base = f"arn:aws:elasticloadbalancing:{where.region}:{where.account}:targetgroup/"
    return values(params, ARN_RULES["elasticloadbalancing"]["targetgroup"]) + [f"{base}{name}/*" for name in names]


Builder = Callable[[ResourceType, Params, Where], list[str]]

BUILDERS: dict[tuple[str, str], Builder] = {
    ("autoscaling", "autoScalingGroup"): _groups_of_instances,
    ("dynamodb", "index"): _indexes,
    ("dynamodb", "table"): _tables,
    ("ecs", "container-instance"): _ecs_members,
    ("ecs", "service"): _ecs_members,
    ("ecs", "task"): _ecs_members,
    ("ecs", "task-definition"): _task_definitions,
    ("ecs", "task-set"): _ecs_members,
    ("elasticloadbalancing", "targetgroup"): _target_groups,
    ("events", "event-bus"): _event_buses,
    ("events", "rule-on-custom-event-bus"): _rules,
    ("events", "rule-on-default-event-bus"): _rules,
    ("kms", "key"): _keys,
    ("lambda", "function"): _functions,
    ("lambda", "function alias"): _functions,
    ("lambda", "function version"): _functions,
    ("logs", "log-group"): _log_groups,
    ("logs", "log-stream"): _log_streams,
    ("route53", "healthcheck"): _tagged_in_route53,
    ("route53", "hostedzone"): _tagged_in_route53,
    ("s3", "bucket"): _buckets,
    ("s3", "object"): _objects,
    ("scheduler", "schedule"): _schedules,
    ("secretsmanager", "Secret"): _secrets,
    ("servicequotas", "quota"): _quotas,
    ("sqs", "queue"): _queues,
    ("ssm", "automation-definition"): _runs,
    ("ssm", "parameter"): _parameters,
}
