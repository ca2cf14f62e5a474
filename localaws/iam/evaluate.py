"""The decision: explicit deny, then what each kind of policy must allow.

IAM User Guide, "Policy evaluation logic". Within one account the request is allowed when the identity-based
policies allow it and neither a permissions boundary nor a session policy withholds it, or when a
resource-based policy names the caller itself. Across accounts both sides must allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from localaws.iam.conditions import BadConditionError
from localaws.iam.context import Context, UnknownKeyError
from localaws.iam.document import Policy, PolicyError, Statement, StatementEffect
from localaws.iam.patterns import BadVariableError, Unresolved, arn_glob, has_variables, resolve
from localaws.iam.principals import Caller, Match

if TYPE_CHECKING:
    from collections.abc import Iterable


class Effect(StrEnum):
    """What came out."""

    ALLOW = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class PolicyType(StrEnum):
    """Which policies decided; the words AWS uses in its messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    SESSION = "session policy"
    BOUNDARY = "permissions boundary"


@dataclass(frozen=True)
class Request:
    """One action on one resource (`*` when the action has no resource types)."""

    caller: Caller
    action: str
    resource: str
    context: Context


@dataclass(frozen=True)
class Policies:
    """Everything that has a say. None for `session` or `boundary` means there is none, which limits nothing.

    `resource_required`: the resource's own policy must name the caller or its account too (KMS keys).
    """

    identity: tuple[Policy, ...] = ()
    session: tuple[Policy, ...] | None = None
    boundary: Policy | None = None
    resource: Policy | None = None
    resource_account: str | None = None
    resource_required: bool = False


@dataclass(frozen=True)
class Decision:
    """The outcome, with the kind of policy that decided and the statement id when a statement did."""

    effect: Effect
    policy_type: PolicyType | None = None
    sid: str = ""

    @property
    def allowed(self) -> bool:
        """True when the request may proceed."""
        return self.effect is Effect.ALLOW


def decide(request: Request, policies: Policies) -> Decision:
    """Return the decision; raise `PolicyError` when a policy that applies cannot be understood."""
    try:
        return _decide(request, policies)
    except UnknownKeyError as error:
        raise PolicyError(f"condition key {error} is not known to the embedded AWS") from error
    except BadVariableError as error:
        raise PolicyError(f"policy variable {error} is malformed") from error
    except BadConditionError as error:
        raise PolicyError(str(error)) from error


def _decide(request: Request, policies: Policies) -> Decision:
    denied = _explicit_deny(request, policies)
    if denied is not None:
        return denied
    named = _named_by_resource(request, policies.resource)
    if named is Match.SESSION and _same_account(request, policies):
        return Decision(Effect.ALLOW, PolicyType.RESOURCE)
    needs_naming = policies.resource_required or not _same_account(request, policies)
    if needs_naming and named is Match.NONE:
        return Decision(Effect.IMPLICIT_DENY, PolicyType.RESOURCE)
    return _own_policies(
        request, policies, identity_needed=not (named is Match.ROLE and _same_account(request, policies))
    )


def _own_policies(request: Request, policies: Policies, *, identity_needed: bool) -> Decision:
    if identity_needed and not _allows(request, policies.identity):
        return Decision(Effect.IMPLICIT_DENY, PolicyType.IDENTITY)
    if policies.boundary is not None and not _allows(request, (policies.boundary,)):
        return Decision(Effect.IMPLICIT_DENY, PolicyType.BOUNDARY)
    if policies.session is not None and not _allows(request, policies.session):
        return Decision(Effect.IMPLICIT_DENY, PolicyType.SESSION)
    return Decision(Effect.ALLOW, PolicyType.IDENTITY if identity_needed else PolicyType.RESOURCE)


def _same_account(request: Request, policies: Policies) -> bool:
    return policies.resource_account in (None, request.caller.account)


def _explicit_deny(request: Request, policies: Policies) -> Decision | None:
    by_type: list[tuple[PolicyType, tuple[Policy, ...]]] = [
        (PolicyType.RESOURCE, (policies.resource,) if policies.resource else ()),
        (PolicyType.BOUNDARY, (policies.boundary,) if policies.boundary else ()),
        (PolicyType.SESSION, policies.session or ()),
        (PolicyType.IDENTITY, policies.identity),
    ]
    for policy_type, documents in by_type:
        hit = _first(request, documents, StatementEffect.DENY)
        if hit is not None:
            return Decision(Effect.EXPLICIT_DENY, policy_type, hit.sid)
    return None


def _allows(request: Request, documents: Iterable[Policy]) -> bool:
    return _first(request, documents, StatementEffect.ALLOW) is not None


def _first(request: Request, documents: Iterable[Policy], effect: StatementEffect) -> Statement | None:
    for policy in documents:
        for statement in policy.statements:
            if statement.effect is effect and _applies(request, statement, policy):
                return statement
    return None


def _named_by_resource(request: Request, policy: Policy | None) -> Match:
    """Return the closest match among the Allow statements of the resource's own policy."""
    closest = Match.NONE
    for statement in policy.statements if policy else ():
        if statement.effect is StatementEffect.ALLOW and policy is not None and _applies(request, statement, policy):
            closest = max(closest, statement.principals.match(request.caller) if statement.principals else Match.NONE)
    return closest


def _applies(request: Request, statement: Statement, policy: Policy) -> bool:
    if statement.principals is not None and not statement.principals.match(request.caller):
        return False
    return (
        statement.covers_action(request.action)
        and _covers_resource(request, statement, policy)
        and all(condition.holds(request.context) for condition in statement.conditions)
    )


def _covers_resource(request: Request, statement: Statement, policy: Policy) -> bool:
    patterns = statement.resources or statement.not_resources
    hit = any(_resource_matches(request, pattern, variables=policy.variables) for pattern in patterns)
    return hit if statement.resources else not hit


def _resource_matches(request: Request, pattern: str, *, variables: bool) -> bool:
    if variables and has_variables(pattern):
        try:
            pattern = resolve(pattern, request.context, keep_wildcards=True)
        except Unresolved:
            return False
    return arn_glob(pattern).match(request.resource) is not None
