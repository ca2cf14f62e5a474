"""The policies that hang on resources (buckets, keys, topics, queues, secrets, search domains), and their owners."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend

from localaws.iam import Policy, PolicyKind, parse_policy
from localaws.resource_tags import Arn, parse_arn

if TYPE_CHECKING:
    from localaws.world import World


@dataclass(frozen=True)
class ResourcePolicy:
    """A resource's policy and owner. `required`: identity-based policies alone never suffice (KMS keys)."""

    policy: Policy | None
    account: str | None
    required: bool = False


NONE = ResourcePolicy(None, None)


def resource_policy(world: World, arn_text: str) -> ResourcePolicy:
    """Return what the resource itself says; raise `PolicyError` when it cannot be understood."""
    arn = parse_arn(arn_text)
    reader = _READERS.get(arn.prefix)
    if reader is None or "*" in arn_text:
        return NONE
    account = _bucket_owner(arn) if arn.prefix == "s3" else arn.account
    if not account:
        return NONE
    document = reader(world, arn, account)
    policy = parse_policy(_text(document), PolicyKind.RESOURCE, arn_text) if document else None
    return ResourcePolicy(policy, account, required=arn.prefix == "kms" and policy is not None)


def _text(document: Any) -> str:
    if isinstance(document, bytes):
        return document.decode()
    return document if isinstance(document, str) else json.dumps(document)


def _bucket_owner(arn: Arn) -> str | None:
    owner = get_backend("s3").bucket_accounts.get(arn.tail.partition("/")[0])
    return str(owner[1]) if owner else None


def _bucket(world: World, arn: Arn, account: str) -> Any:
    buckets = world.backend("s3", account, "us-east-1").buckets
    bucket = buckets.get(arn.tail.partition("/")[0])
    return bucket.policy if bucket else None


def _key(world: World, arn: Arn, account: str) -> Any:
    key = world.backend("kms", account, arn.region).keys.get(arn.last)
    return key.policy if key else None


def _topic(world: World, arn: Arn, account: str) -> Any:
    topic = world.backend("sns", account, arn.region).topics.get(arn.text)
    return topic.policy if topic else None


def _queue(world: World, arn: Arn, account: str) -> Any:
    queue = world.backend("sqs", account, arn.region).queues.get(arn.last)
    return queue.policy if queue else None


def _secret(world: World, arn: Arn, account: str) -> Any:
    secrets = world.backend("secretsmanager", account, arn.region).secrets
    return next((secret.policy for secret in secrets.values() if secret.arn == arn.text), None)


def _domain(world: World, arn: Arn, account: str) -> Any:
    domains = world.backend("opensearch", account, arn.region).domains
    domain = domains.get(arn.tail.removeprefix("domain/").partition("/")[0])
    return domain.access_policies if domain else None


_READERS: dict[str, Callable[[World, Arn, str], Any]] = {
    "es": _domain,
    "kms": _key,
    "s3": _bucket,
    "secretsmanager": _secret,
    "sns": _topic,
    "sqs": _queue,
}
