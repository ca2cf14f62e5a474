"""STS: sessions of roles, handed out only when the role's trust policy and the caller's policies allow it.

API reference: AssumeRole; IAM User Guide, "Pass session tags in AWS STS", "Monitor and control actions taken
with assumed roles" (source identity), "Roles terms and concepts" (role chaining: one hour).
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localaws import authorization
from localaws.iam import Caller, Context, Effect, Policies, PolicyError, PolicyKind, Request, decide, parse_policy
from localaws.role_policies import ANONYMOUS, find_role, identity_of, role_tags
from localaws.service import AwsError, Service, operation
from localaws.services.sts_request import AssumeRoleRequest, read_request, session_policy
from localaws.sessions import Credentials, SessionTags, issue, role_session

if TYPE_CHECKING:
    from localaws.authorization import Authorizer
    from localaws.role_policies import Identity
    from localaws.service import Call, Principal, Reply

log = logging.getLogger("localaws.sts")

CHAINED_LIMIT_SECONDS = 3600
DEFAULT_MAX_SESSION_SECONDS = 3600


class StsService(Service):
    """AWS Security Token Service."""

    name = "sts"

    @operation("AssumeRole")
    def assume_role(self, call: Call) -> Reply:
        """Return credentials of a session of a role, or refuse as AWS does."""
        if call.principal.arn == ANONYMOUS:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        if call.principal.arn.endswith(":root"):
            raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
        request = read_request(call.params)
        role = self._role(call.principal, request)
        tags = _session_tags(call.principal, request)
        source_identity = _source_identity(call.principal, request)
        self._must_be_allowed(call, request, role, tags, source_identity)
        _check_duration(call.principal, request, role)
        principal = role_session(
            role,
            request.session_name,
            session_tags=tags,
            session_policy=session_policy(self.world, role.account_id, request),
            source_identity=source_identity,
        )
        return self._reply(request, role, issue(self.world, principal, request.duration_seconds))

    @operation("GetCallerIdentity")
    def get_caller_identity(self, call: Call) -> Reply:
        """Return who signed the request; needs no permission."""
        identity = identity_of(self.world, call.principal)
        return {"UserId": identity.user_id, "Account": call.principal.account, "Arn": call.principal.arn}

    @operation("GetSessionToken")
    def get_session_token(self, call: Call) -> Reply:
        """Return temporary credentials of the caller itself."""
        if call.principal.role_name is not None:
            raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        seconds = int(call.params.get("DurationSeconds") or 43200)
        return {"Credentials": issue(self.world, call.principal, seconds).as_reply()}

    def session_for_role(
        self,
        role_arn: str,
        session_name: str,
        service: str,
        *,
        source_arn: str | None = None,
        duration_seconds: int = 3600,
    ) -> Credentials:
        """Return credentials for an AWS service that assumes a role (`lambda.amazonaws.com`).

        Raises `AwsError` AccessDenied when the role does not exist or its trust policy does not name the service.
        """
        account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
        role = find_role(self.world, account, name)
        problem = AwsError("AccessDenied", f"{service} is unable to assume the role {role_arn}", 403)
        if role is None:
            raise problem
        keys = {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": service, "aws:SourceAccount": account}
        if source_arn is not None:
            keys["aws:SourceArn"] = source_arn
        context = Context({**keys, "aws:SecureTransport": "true"}, {"aws:ResourceTag/": lambda: role_tags(role)})
        request = Request(Caller(account, service, service=service), "sts:AssumeRole", str(role.arn), context)
        try:
            decision = decide(request, Policies(resource=_trust(role)))
        except PolicyError as error:
            log.exception("the trust policy of %s cannot be evaluated", role_arn)
            raise problem from error
        if not decision.allowed:
            raise problem
        return issue(self.world, role_session(role, session_name[:64]), duration_seconds)

    def _role(self, principal: Principal, request: AssumeRoleRequest) -> Any:
        """Return the role; a role that does not exist is refused as a forbidden one, so as not to tell."""
        account, name = request.role_arn.split(":")[4], request.role_arn.rsplit("/", 1)[-1]
        role = find_role(self.world, account, name) if account in self.world.accounts.names else None
        if role is None or str(role.arn) != request.role_arn:
            raise _refused(principal, "sts:AssumeRole", request.role_arn)
        return role

    def _must_be_allowed(
        self, call: Call, request: AssumeRoleRequest, role: Any, tags: SessionTags, source_identity: str | None
    ) -> None:
        """Judge AssumeRole, TagSession and SetSourceIdentity by the caller's policies and the role's trust policy."""
        authorizer = authorization.of(self.world)
        try:
            identity = identity_of(self.world, call.principal)
            context = _context(authorizer, identity, call, request, role)
            actions = ["sts:AssumeRole"] + (["sts:TagSession"] if tags else [])
            for action in actions + (["sts:SetSourceIdentity"] if source_identity else []):
                _judge(identity, call.principal, action, role, context)
        except PolicyError as error:
            log.exception("AssumeRole on %s by %s: denied", request.role_arn, call.principal.arn)
            raise _refused(call.principal, "sts:AssumeRole", request.role_arn) from error

    def _reply(self, request: AssumeRoleRequest, role: Any, credentials: Credentials) -> Reply:
        reply: dict[str, Any] = {
            "Credentials": credentials.as_reply(),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{request.session_name}",
                "Arn": credentials.principal.arn,
            },
        }
        if credentials.principal.source_identity:
            reply["SourceIdentity"] = credentials.principal.source_identity
        if request.policy or request.policy_arns or request.tags:
            reply["PackedPolicySize"] = request.packed_percent
        return reply


def _trust(role: Any) -> Any:
    document = role.assume_role_policy_document
    text = document if isinstance(document, str) else json.dumps(document)
    return parse_policy(text, PolicyKind.TRUST, f"trust policy of {role.arn}")


def _judge(identity: Identity, principal: Principal, action: str, role: Any, context: Context) -> None:
    # A role is assumed only when its trust policy names the caller or its account; IAM alone never suffices.
    account = str(role.account_id)
    policies = replace(identity.policies, resource=_trust(role), resource_account=account, resource_required=True)
    decision = decide(Request(identity.caller, action, str(role.arn), context), policies)
    if decision.allowed:
        return
    if decision.effect is Effect.IMPLICIT_DENY and principal.account != role.account_id:
        raise _refused(principal, action, str(role.arn))  # across accounts AWS does not tell which side refused
    raise _refused(principal, action, str(role.arn), authorization.reason_of(decision, action))


def _context(authorizer: Authorizer, identity: Identity, call: Call, request: AssumeRoleRequest, role: Any) -> Context:
    values: dict[str, str | list[str]] = {
        "sts:RoleSessionName": request.session_name,
        "aws:ResourceAccount": str(role.account_id),
        **{f"aws:RequestTag/{key}": value for key, value in request.tags.items()},
    }
    if request.tags:
        values["aws:TagKeys"] = list(request.tags)
    if request.transitive_keys:
        values["sts:TransitiveTagKeys"] = list(request.transitive_keys)
    if request.external_id is not None:
        values["sts:ExternalId"] = request.external_id
    if request.source_identity is not None:
        values["sts:SourceIdentity"] = request.source_identity

    def tags() -> dict[str, str]:
        return role_tags(role)

    base = authorizer.context(identity, call.principal, call.region)
    return base.with_values(values, {"aws:ResourceTag/": tags, "iam:ResourceTag/": tags})


def _session_tags(principal: Principal, request: AssumeRoleRequest) -> SessionTags:
    """Return the new session's tags: the transitive ones of the caller's session, and those asked for."""
    old = principal.session_tags
    passed_on = old.transitive if isinstance(old, SessionTags) else frozenset()
    clash = sorted({key.lower() for key in request.tags} & {key.lower() for key in passed_on})
    if clash:
        message = (
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            f"from the calling session: {clash[0]}"
        )
        raise AwsError("InvalidParameterValue", message)
    inherited = {key: value for key, value in old.items() if key in passed_on}
    return SessionTags({**inherited, **request.tags}, passed_on | frozenset(request.transitive_keys))


def _source_identity(principal: Principal, request: AssumeRoleRequest) -> str | None:
    """A source identity, once set, stays for all sessions of the chain."""
    if principal.source_identity is None:
        return request.source_identity
    if request.source_identity not in (None, principal.source_identity):
        raise _refused(principal, "sts:SetSourceIdentity", request.role_arn)
    return principal.source_identity


def _check_duration(principal: Principal, request: AssumeRoleRequest, role: Any) -> None:
    longest = int(role.max_session_duration or DEFAULT_MAX_SESSION_SECONDS)
    if request.duration_seconds > longest:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise AwsError("ValidationError", message)
    if principal.role_name is not None and request.duration_seconds > CHAINED_LIMIT_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise AwsError("ValidationError", message)


def _refused(principal: Principal, action: str, role_arn: str, reason: str = "") -> AwsError:
    message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {role_arn} {reason}"
    return AwsError("AccessDenied", message.strip(), 403)
