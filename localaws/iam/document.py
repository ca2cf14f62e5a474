"""Policy documents, parsed strictly into frozen statements."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from localaws.iam.conditions import BadConditionError, Condition, parse_conditions
from localaws.iam.patterns import BadVariableError, check_variables, glob, has_variables
from localaws.iam.principals import BadPrincipalError, PrincipalSet, parse_principals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class PolicyError(Exception):
    """A policy says something this evaluator does not know, or says it wrongly; the request is denied."""


class PolicyKind(StrEnum):
    """What a document is used for; decides which elements it must and must not have."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


class StatementEffect(StrEnum):
    """The Effect element."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True)
class Statement:
    """One statement. Exactly one of action and not_action, and so on, is set."""

    sid: str
    effect: StatementEffect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: PrincipalSet | None
    conditions: tuple[Condition, ...]

    def covers_action(self, action: str) -> bool:
        """Tell whether Action or NotAction selects `action` (`service:Name`, not case-sensitive)."""
        patterns = self.actions or self.not_actions
        hit = any(glob(pattern, ignore_case=True).match(action) for pattern in patterns)
        return hit if self.actions else not hit


@dataclass(frozen=True)
class Policy:
    """A parsed document. `variables` is False for Version 2008-10-17, where `${...}` is plain text."""

    statements: tuple[Statement, ...]
    variables: bool = True
    name: str = field(default="", compare=False)


_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP = {"Version", "Id", "Statement"}
_ELEMENTS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
}


def parse_policy(document: str | Mapping[str, Any], kind: PolicyKind = PolicyKind.IDENTITY, name: str = "") -> Policy:
    """Return the parsed policy; raise `PolicyError` for anything unknown or malformed."""
    text = document if isinstance(document, str) else json.dumps(document)
    return _parse(text, kind, name)


@lru_cache(maxsize=4096)
def _parse(text: str, kind: PolicyKind, name: str) -> Policy:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"the document is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PolicyError("the document is not a JSON object")
    _refuse_unknown(document, _TOP, "document")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise PolicyError(f"Version {version!r} is unknown; expected one of {', '.join(_VERSIONS)}")
    statements = _statements(document.get("Statement"))
    variables = version == "2012-10-17"
    parsed = tuple(_statement(statement, kind, variables=variables) for statement in statements)
    _refuse_repeated_sids(parsed)
    return Policy(parsed, variables, name)


def _statements(raw: Any) -> list[dict[str, Any]]:
    statements: list[Any] = raw if isinstance(raw, list) else [raw]
    if not statements or not all(isinstance(statement, dict) for statement in statements):
        raise PolicyError("Statement must be an object or a list of objects, and not empty")
    return statements


def _statement(raw: Mapping[str, Any], kind: PolicyKind, *, variables: bool) -> Statement:
    _refuse_unknown(raw, _ELEMENTS, "statement")
    sid = raw.get("Sid", "")
    if not isinstance(sid, str):
        raise PolicyError("Sid must be a string")
    if raw.get("Effect") not in tuple(StatementEffect):
        raise PolicyError(f"Effect {raw.get('Effect')!r} is unknown; expected Allow or Deny")
    actions, not_actions = _either(raw, "Action", "NotAction")
    _check_actions((*actions, *not_actions))
    resources, not_resources = _resources(raw, kind)
    try:
        if variables:
            for text in (*resources, *not_resources):
                check_variables(text)
        principals = _principals(raw, kind)
        conditions = parse_conditions(raw.get("Condition", {}), variables=variables)
    except BadVariableError as error:
        raise PolicyError(f"policy variable {error} is malformed") from error
    except (BadConditionError, BadPrincipalError) as error:
        raise PolicyError(str(error)) from error
    return Statement(
        sid, StatementEffect(raw["Effect"]), actions, not_actions, resources, not_resources, principals, conditions
    )


def _resources(raw: Mapping[str, Any], kind: PolicyKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if kind is PolicyKind.TRUST:
        if "Resource" in raw or "NotResource" in raw:
            raise PolicyError("a trust policy must not have a Resource element")
        return ("*",), ()
    resources, not_resources = _either(raw, "Resource", "NotResource")
    for text in (*resources, *not_resources):
        if text != "*" and not text.startswith("arn:") and not (kind is PolicyKind.RESOURCE and has_variables(text)):
            raise PolicyError(f'Resource {text} must be in ARN format or "*".')
    return resources, not_resources


def _principals(raw: Mapping[str, Any], kind: PolicyKind) -> PrincipalSet | None:
    present = [element for element in ("Principal", "NotPrincipal") if element in raw]
    if kind is PolicyKind.IDENTITY:
        if present:
            raise PolicyError(f"an identity-based policy must not have a {present[0]} element")
        return None
    if len(present) != 1:
        raise PolicyError("a resource-based policy needs exactly one of Principal and NotPrincipal")
    return parse_principals(raw[present[0]], negated=present[0] == "NotPrincipal")


def _either(raw: Mapping[str, Any], positive: str, negative: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if (positive in raw) == (negative in raw):
        raise PolicyError(f"a statement needs exactly one of {positive} and {negative}")
    present = positive if positive in raw else negative
    texts = _strings(raw[present], present)
    return (texts, ()) if present == positive else ((), texts)


def _strings(value: object, element: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if value and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise PolicyError(f"{element} must be a string or a list of strings, and not empty")


def _check_actions(actions: Iterable[str]) -> None:
    for action in actions:
        prefix, colon, name = action.partition(":")
        if action != "*" and not (prefix and colon and name):
            raise PolicyError(f'Action {action} must be "service:Action" or "*"')


def _refuse_unknown(raw: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(raw) - known)
    if unknown:
        raise PolicyError(f"unknown {what} element {unknown[0]}")


def _refuse_repeated_sids(statements: Iterable[Statement]) -> None:
    sids = [statement.sid for statement in statements if statement.sid]
    repeated = {sid for sid in sids if sids.count(sid) > 1}
    if repeated:
        raise PolicyError(f"statement id {sorted(repeated)[0]} is used more than once")
