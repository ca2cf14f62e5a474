"""The Principal element: whom a resource-based or trust policy names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_IAM_ARN = re.compile(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(user|role|assumed-role|federated-user)/.+")
_UNIQUE_ID = re.compile(r"A(ROA|IDA)[A-Z0-9]+")
_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}


class BadPrincipalError(Exception):
    """A Principal element is malformed."""


class Match(IntEnum):
    """How closely a policy names the caller; decides what else must allow the request."""

    NONE = 0
    ACCOUNT = 1  # the account as a whole: the caller's own policies must allow too
    ROLE = 2  # the role or user: session policy and boundary still limit it
    SESSION = 3  # the very session, or a service: nothing else limits it


@dataclass(frozen=True)
class Caller:
    """Who asks. `arn` is the session's (or user's, or root's) ARN, `role_arn` the role's own, with its path."""

    account: str
    arn: str
    role_arn: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class PrincipalSet:
    """The principals a statement names; `negated` for NotPrincipal."""

    anyone: bool
    aws: frozenset[str]
    services: frozenset[str]
    negated: bool = False

    def match(self, caller: Caller) -> Match:
        """Return how closely the statement names `caller`."""
        found = self._closest(caller)
        if not self.negated:
            return found
        return Match.NONE if found else Match.ROLE

    def _closest(self, caller: Caller) -> Match:
        if caller.service is not None:
            return Match.SESSION if self.anyone or caller.service in self.services else Match.NONE
        if caller.arn in self.aws:
            return Match.SESSION if caller.role_arn else Match.ROLE
        if self.anyone or (caller.role_arn is not None and caller.role_arn in self.aws):
            return Match.ROLE
        return Match.ACCOUNT if caller.account in self.aws else Match.NONE


def parse_principals(raw: object, *, negated: bool = False) -> PrincipalSet:
    """Return the parsed element; raise `BadPrincipalError`."""
    if raw == "*":
        return PrincipalSet(anyone=True, aws=frozenset(), services=frozenset(), negated=negated)
    if not isinstance(raw, Mapping) or not raw:
        raise BadPrincipalError('Principal must be "*" or an object')
    unknown = sorted(set(raw) - _KINDS)
    if unknown:
        raise BadPrincipalError(f"unknown principal type {unknown[0]}")
    names = {kind: _names(raw.get(kind, [])) for kind in _KINDS}
    aws = [_aws(name) for name in names["AWS"] if name != "*"]
    return PrincipalSet("*" in names["AWS"], frozenset(aws), frozenset(names["Service"]), negated)


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadPrincipalError("a principal must be a string or a list of strings")
    return names


def _aws(name: str) -> str:
    """Return an account number for a whole account, else the ARN; refuse wildcards as IAM does."""
    root = _ROOT.fullmatch(name)
    if root:
        return root.group(1)
    if _ACCOUNT.fullmatch(name) or _UNIQUE_ID.fullmatch(name):
        return name
    if not _IAM_ARN.fullmatch(name) or "*" in name:
        raise BadPrincipalError(f"Invalid principal in policy: {name}")
    return name
