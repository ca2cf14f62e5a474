"""The parameters of AssumeRole, checked as STS checks them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.iam import PolicyError, parse_policy
from localaws.role_policies import default_document
from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.world import World

POLICY_LIMIT_CHARACTERS = 2048
SHORTEST_SECONDS, LONGEST_SECONDS = 900, 43200
DEFAULT_SECONDS = 3600

_ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/.+")
_SESSION_NAME = (re.compile(r"[\w+=,.@-]*", re.ASCII), 2, 64)
_EXTERNAL_ID = (re.compile(r"[\w+=,.@:/-]*", re.ASCII), 2, 1224)
_TAG = re.compile(r"[\w\s.:/=+@-]*")


@dataclass(frozen=True)
class AssumeRoleRequest:
    """A well-formed AssumeRole request."""

    role_arn: str
    session_name: str
    duration_seconds: int
    external_id: str | None
    source_identity: str | None
    policy: str | None
    policy_arns: tuple[str, ...]
    tags: Mapping[str, str]
    transitive_keys: tuple[str, ...]

    @property
    def packed_percent(self) -> int:
        """How much of the space for policy and tags is used, in percent, as STS reports it."""
        size = len(self.policy or "") + sum(map(len, self.policy_arns))
        size += sum(len(key) + len(value) for key, value in self.tags.items())
        return math.ceil(100 * size / POLICY_LIMIT_CHARACTERS)


def read_request(params: Mapping[str, Any]) -> AssumeRoleRequest:
    """Return the request; raise `AwsError` ValidationError, MalformedPolicyDocument or PackedPolicyTooLarge."""
    role_arn = str(params.get("RoleArn") or "")
    if not _ROLE_ARN.fullmatch(role_arn):
        raise AwsError("ValidationError", f"{role_arn} is invalid")
    session_name = _checked("roleSessionName", str(params.get("RoleSessionName") or ""), *_SESSION_NAME)
    external_id, source_identity = params.get("ExternalId"), params.get("SourceIdentity")
    if external_id is not None:
        _checked("externalId", external_id, *_EXTERNAL_ID)
    if source_identity is not None:
        _checked("sourceIdentity", source_identity, *_SESSION_NAME)
    tags = _tags(params.get("Tags") or [])
    request = AssumeRoleRequest(
        role_arn,
        session_name,
        _duration(params.get("DurationSeconds")),
        external_id,
        source_identity,
        _policy(params.get("Policy")),
        tuple(item["arn"] for item in params.get("PolicyArns") or []),
        tags,
        _transitive(params.get("TransitiveTagKeys") or [], tags),
    )
    if request.packed_percent > 100:
        message = f"Packed policy consumes {request.packed_percent}% of allotted space, please use smaller policy."
        raise AwsError("PackedPolicyTooLarge", message)
    return request


def session_policy(world: World, account: str, request: AssumeRoleRequest) -> dict[str, Any] | None:
    """Return what limits the session: the passed policy and managed policies as one document; None for no limit.

    Session policies of one request are alternatives: an action is within the limit when any of them allows it.
    """
    if request.policy is None and not request.policy_arns:
        return None
    documents = [json.loads(request.policy)] if request.policy else []
    for arn in request.policy_arns:
        managed = world.backend("iam", account, "us-east-1").managed_policies.get(arn)
        if managed is None:
            raise AwsError("ValidationError", f"The managed policy {arn} does not exist")
        documents.append(json.loads(default_document(managed)))
    statements = [statement for document in documents for statement in _list(document["Statement"])]
    if len(documents) > 1:
        statements = [{key: value for key, value in s.items() if key != "Sid"} for s in statements]
    return {"Version": documents[0].get("Version", "2008-10-17"), "Statement": statements}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _duration(value: int | None) -> int:
    seconds = DEFAULT_SECONDS if value is None else int(value)
    if seconds < SHORTEST_SECONDS:
        raise _constraint("durationSeconds", seconds, f"value greater than or equal to {SHORTEST_SECONDS}")
    if seconds > LONGEST_SECONDS:
        raise _constraint("durationSeconds", seconds, f"value less than or equal to {LONGEST_SECONDS}")
    return seconds


def _policy(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > POLICY_LIMIT_CHARACTERS:
        percent = math.ceil(100 * len(text) / POLICY_LIMIT_CHARACTERS)
        message = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        raise AwsError("PackedPolicyTooLarge", message)
    try:
        parse_policy(text)
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocument", str(error)) from error
    return text


def _tags(items: list[Mapping[str, str]]) -> dict[str, str]:
    if len(items) > 50:
        raise _constraint("tags", len(items), "length less than or equal to 50")
    tags: dict[str, str] = {}
    for item in items:
        key, value = item["Key"], item.get("Value", "")
        if not 1 <= len(key) <= 128 or len(value) > 256 or not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise AwsError("ValidationError", f"The session tag {key!r} or its value is invalid")
        if key.lower().startswith("aws:"):
            raise AwsError("ValidationError", f"The session tag key {key!r} must not start with aws:")
        if key.lower() in {known.lower() for known in tags}:
            raise AwsError(
                "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        tags[key] = value
    return tags


def _transitive(keys: list[str], tags: Mapping[str, str]) -> tuple[str, ...]:
    missing = [key for key in keys if key not in tags]
    if missing:
        message = f"The transitive tag key {missing[0]} must also be passed in the session tags"
        raise AwsError("InvalidParameterValue", message)
    return tuple(keys)


def _checked(name: str, value: str, pattern: re.Pattern[str], shortest: int, longest: int) -> str:
    if len(value) < shortest:
        raise _constraint(name, value, f"length greater than or equal to {shortest}")
    if len(value) > longest:
        raise _constraint(name, value, f"length less than or equal to {longest}")
    if not pattern.fullmatch(value):
        raise _constraint(name, value, f"satisfy regular expression pattern: {pattern.pattern}", "Member must")
    return value


def _constraint(name: str, value: object, rule: str, start: str = "Member must have") -> AwsError:
    message = f"Value '{value}' at '{name}' failed to satisfy constraint: {start} {rule}"
    return AwsError("ValidationError", f"1 validation error detected: {message}")
