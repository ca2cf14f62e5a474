"""The tags a resource carries now, read by its ARN as `aws:ResourceTag` needs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.authorization")


@dataclass(frozen=True)
class Arn:
    """An ARN taken apart."""

    text: str
    prefix: str
    region: str
    account: str
    tail: str

    @property
    def last(self) -> str:
        """The last piece of the resource part: its name or id."""
        return self.tail.replace(":", "/").rpartition("/")[2]


def parse_arn(text: str) -> Arn:
    """Take an ARN apart; missing parts are empty."""
    parts = (text.split(":", 5) + [""] * 6)[:6]
    return Arn(text, parts[2], parts[3], parts[4], parts[5])


@dataclass(frozen=True)
class _Reader:
    service: str
    operation: str
    params: Callable[[Arn], Mapping[str, Any]]
    member: str


def _by(name: str) -> Callable[[Arn], Mapping[str, Any]]:
    return lambda arn: {name: arn.text}


def _unqualified(arn: Arn) -> Mapping[str, Any]:
    return {"Resource": ":".join(arn.text.split(":")[:7])}


def _log_group(arn: Arn) -> Mapping[str, Any]:
    return {"resourceArn": arn.text.partition(":log-stream:")[0].removesuffix(":*")}


def _ssm(arn: Arn) -> Mapping[str, Any]:
    kinds = {"document": "Document", "parameter": "Parameter", "automation-definition": "Document"}
    kind, _, name = arn.tail.partition("/")
    return {"ResourceType": kinds.get(kind, kind), "ResourceId": name.partition(":")[0]}


def _ec2(arn: Arn) -> Mapping[str, Any]:
    return {"Filters": [{"Name": "resource-id", "Values": [arn.last]}]}


def _group(arn: Arn) -> Mapping[str, Any]:
    return {"Filters": [{"Name": "auto-scaling-group", "Values": [arn.last]}]}


def _table(arn: Arn) -> Mapping[str, Any]:
    return {"ResourceArn": arn.text.partition("/index/")[0].partition("/stream/")[0]}


def _domain(arn: Arn) -> Mapping[str, Any]:
    """Requests to a domain's own interface name a path below the domain, and carry the domain's tags."""
    return {"ARN": "/".join(arn.text.split("/")[:2])}


_READERS: dict[str, _Reader] = {
    "autoscaling": _Reader("autoscaling", "DescribeTags", _group, "Tags"),
    "backup": _Reader("backup", "ListTags", _by("ResourceArn"), "Tags"),
    "cloudwatch": _Reader("cloudwatch", "ListTagsForResource", _by("ResourceARN"), "Tags"),
    "drs": _Reader("drs", "ListTagsForResource", _by("resourceArn"), "tags"),
    "dynamodb": _Reader("dynamodb", "ListTagsOfResource", _table, "Tags"),
    "ec2": _Reader("ec2", "DescribeTags", _ec2, "Tags"),
    "ecr": _Reader("ecr", "ListTagsForResource", _by("resourceArn"), "tags"),
    "ecs": _Reader("ecs", "ListTagsForResource", _by("resourceArn"), "tags"),
    "elasticache": _Reader("elasticache", "ListTagsForResource", _by("ResourceName"), "TagList"),
    "elasticfilesystem": _Reader("efs", "ListTagsForResource", lambda arn: {"ResourceId": arn.last}, "Tags"),
    "elasticloadbalancing": _Reader("elbv2", "DescribeTags", lambda arn: {"ResourceArns": [arn.text]}, "Tags"),
    "es": _Reader("opensearch", "ListTags", _domain, "TagList"),
    "events": _Reader("events", "ListTagsForResource", _by("ResourceARN"), "Tags"),
    "fsx": _Reader("fsx", "ListTagsForResource", _by("ResourceARN"), "Tags"),
    "iam": _Reader("iam", "ListRoleTags", lambda arn: {"RoleName": arn.last}, "Tags"),
    "kms": _Reader("kms", "ListResourceTags", _by("KeyId"), "Tags"),
    "lambda": _Reader("lambda", "ListTags", _unqualified, "Tags"),
    "logs": _Reader("logs", "ListTagsForResource", _log_group, "tags"),
    "memorydb": _Reader("memorydb", "ListTags", _by("ResourceArn"), "TagList"),
    "rds": _Reader("rds", "ListTagsForResource", _by("ResourceName"), "TagList"),
    "resource-explorer-2": _Reader("resource-explorer-2", "ListTagsForResource", _by("resourceArn"), "Tags"),
    "s3": _Reader("s3", "GetBucketTagging", lambda arn: {"Bucket": arn.tail.partition("/")[0]}, "TagSet"),
    "scheduler": _Reader("scheduler", "ListTagsForResource", _by("ResourceArn"), "Tags"),
    "secretsmanager": _Reader("secretsmanager", "DescribeSecret", _by("SecretId"), "Tags"),
    "sns": _Reader("sns", "ListTagsForResource", _by("ResourceArn"), "Tags"),
    "sqs": _Reader("sqs", "ListQueueTags", lambda arn: {"QueueUrl": f"https://queue/{arn.account}/{arn.last}"}, "Tags"),
    "ssm": _Reader("ssm", "ListTagsForResource", _ssm, "TagList"),
    "states": _Reader("stepfunctions", "ListTagsForResource", _by("resourceArn"), "tags"),
}


def tags_of(world: World, arn_text: str, account: str, region: str) -> dict[str, str]:
    """Return the tags of a resource; empty when it does not exist or has none.

    `account` and `region` complete an ARN that carries none. A module of ours that offers
    `tags_of(arn) -> Mapping | None` is asked first.
    """
    arn = parse_arn(arn_text)
    reader = _READERS.get(arn.prefix)
    if reader is None:
        log.warning("no tag reader for %s: aws:ResourceTag is absent", arn_text)
        return {}
    own = _own_reader(world, reader.service)
    if own is not None:
        found = own(arn_text)
        if found is not None:
            return dict(found)
    try:
        where = (arn.account or account, arn.region or region)
        reply = world.call(reader.service, reader.operation, *where, **reader.params(arn))
    except AwsError as error:
        log.debug("%s has no tags: %s", arn_text, error)
        return {}
    return _as_mapping(reply, reader.member)


def _own_reader(world: World, service: str) -> Callable[[str], Mapping[str, str] | None] | None:
    try:
        module = world.service(service)
    except KeyError:
        return None
    return getattr(module, "tags_of", None)


def _as_mapping(reply: Mapping[str, Any], member: str) -> dict[str, str]:
    descriptions = reply.get("TagDescriptions")
    value = descriptions[0].get("Tags", []) if descriptions else reply.get(member) or {}
    if isinstance(value, dict):
        return {str(key): str(text) for key, text in value.items()}
    pairs = [(item.get("Key", item.get("key", item.get("TagKey"))), item) for item in value]
    return {str(key): str(item.get("Value", item.get("value", item.get("TagValue"))) or "") for key, item in pairs}
