"""The hook that lets a call through or refuses it as IAM would.

An account's root and administrator may do everything. A role session or an IAM user may do what its
policies allow for the call's actions on its resources, in the call's context. Messages follow IAM's form.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from localaws import acting
from localaws.iam import Context, Decision, Effect, PolicyError, PolicyType, Request, decide
from localaws.iam.calls import Need, needs
from localaws.iam.resources import Target, Where
from localaws.names import MotoNames
from localaws.refusals import denied
from localaws.regions import serving_region
from localaws.resource_policies import resource_policy
from localaws.resource_tags import tags_of
from localaws.role_policies import ANONYMOUS, Identity, identity_of

if TYPE_CHECKING:
    from localaws.dispatcher import LocalAws
    from localaws.iam.context import TagSource
    from localaws.service import Call, Principal, Reply
    from localaws.world import World

log = logging.getLogger("localaws.authorization")

# The organization every account belongs to, unless one was created through AWS Organizations.
ORGANIZATION_ID = "o-localaws01"

# Services that act for a caller, outermost first (`aws:CalledVia`).
_VIA: ContextVar[tuple[str, ...]] = ContextVar("localaws_called_via", default=())

_TAG_PREFIXES = {
    "autoscaling": "autoscaling:ResourceTag/",
    "ec2": "ec2:ResourceTag/",
    "ecs": "ecs:ResourceTag/",
    "elasticloadbalancing": "elasticloadbalancing:ResourceTag/",
    "iam": "iam:ResourceTag/",
    "secretsmanager": "secretsmanager:ResourceTag/",
    "ssm": "ssm:ResourceTag/",
}


class Authorizer:
    """Decides about calls. `gaps` lists actions whose resources could not be named, judged on `*` instead."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gaps: set[str] = set()

    def __call__(self, call: Call) -> None:
        """Refuse `call` with the service's access-denied error unless it is allowed."""
        identity = self._identity(call.service, call.principal)
        if identity.unlimited:
            return
        where = Where(call.account, call.region, MotoNames(self.world, call.account, call.region))
        for need in needs(call.service, call.operation, call.params, where):
            if not need.known:
                self._note(need.action)
            self._require(identity, call.service, call.principal, need, serving_region(call.service, call.region))

    def check(
        self,
        principal: Principal,
        service: str,
        action: str,
        resource: str,
        region: str,
        keys: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        """Refuse `principal` unless it may do `action` on `resource`; for what is no API call (es:ESHttpGet)."""
        identity = self._identity(service, principal)
        if not identity.unlimited:
            need = Need(action, (Target(resource, tagged=True),), keys or {})
            self._require(identity, service, principal, need, region)

    def decide(
        self, identity: Identity, principal: Principal, action: str, target: Target, context: Context
    ) -> Decision:
        """Return the decision on one action and resource; raise `PolicyError`."""
        own = resource_policy(self.world, target.arn)
        policies = replace(
            identity.policies, resource=own.policy, resource_account=own.account, resource_required=own.required
        )
        return decide(Request(identity.caller, action, target.arn, context), policies)

    def context(self, identity: Identity, principal: Principal, region: str) -> Context:
        """Return the condition keys that describe the caller and the moment."""
        now = self.world.clock.now()
        via = _VIA.get()
        values: dict[str, str | list[str]] = {
            "aws:PrincipalArn": identity.caller.role_arn or identity.caller.arn,
            "aws:PrincipalAccount": principal.account,
            "aws:PrincipalType": _principal_type(principal),
            "aws:PrincipalIsAWSService": "false",
            "aws:userid": identity.user_id,
            "aws:RequestedRegion": region,
            "aws:SecureTransport": "true",
            "aws:SourceIp": "127.0.0.1",
            "aws:CurrentTime": now.isoformat(),
            "aws:EpochTime": str(int(now.timestamp())),
            "aws:ViaAWSService": "true" if via else "false",
            "ec2:Region": region,
        }
        if principal.source_identity:
            values["aws:SourceIdentity"] = principal.source_identity
        if via:
            values |= {"aws:CalledVia": list(via), "aws:CalledViaFirst": via[0], "aws:CalledViaLast": via[-1]}
        sources: dict[str, TagSource] = {
            "aws:PrincipalTag/": lambda: identity.tags,
            "aws:PrincipalOrgID": lambda: self._organization(principal.account),
        }
        return Context(values, sources)

    def organization_id(self, account: str) -> str | None:
        """Return the id of the organization `account` belongs to; None for an account outside it."""
        found = False
        for name in self.world.accounts.names:
            backend = self.world.backend("organizations", name, "us-east-1")
            if backend.org is not None:
                found = True
                if any(str(member.id) == account for member in backend.accounts):
                    return str(backend.org.id)
        return None if found else ORGANIZATION_ID

    def _organization(self, account: str) -> Mapping[str, str]:
        found = self.organization_id(account)
        return {"": found} if found else {}

    def _identity(self, service: str, principal: Principal) -> Identity:
        try:
            return identity_of(self.world, principal)
        except PolicyError as error:
            log.exception("a policy of %s cannot be evaluated", principal.arn)
            raise denied(service, f"User: {principal.arn} has a policy that cannot be evaluated: {error}") from error

    def _require(self, identity: Identity, service: str, principal: Principal, need: Need, region: str) -> None:
        base = self.context(identity, principal, region).with_values(need.keys)
        for target in need.targets:
            context = base.with_values(*self._about(target, principal, region))
            try:
                decision = self.decide(identity, principal, need.action, target, context)
            except PolicyError as error:
                log.exception("%s on %s by %s: denied", need.action, target.arn, principal.arn)
                reason = f"because a policy cannot be evaluated: {error}"
                raise denied(service, _sentence(principal, need.action, target.arn, reason)) from error
            if not decision.allowed:
                reason = reason_of(decision, need.action)
                raise denied(service, _sentence(principal, need.action, target.arn, reason))

    def _about(self, target: Target, principal: Principal, region: str) -> tuple[dict[str, str], dict[str, TagSource]]:
        """Return what the context says of a resource: its account, and its tags when somebody asks."""
        account = target.arn.split(":")[4] if target.arn.startswith("arn:") else ""
        values = {"aws:ResourceAccount": account or principal.account}
        if target.arn.startswith("arn:aws:s3:"):
            owner = resource_policy(self.world, target.arn).account or principal.account
            values = {"aws:ResourceAccount": owner, "s3:ResourceAccount": owner}
        if not target.tagged:
            return values, {}

        def read() -> Mapping[str, str]:
            return tags_of(self.world, target.arn, principal.account, region)

        return values, dict.fromkeys(_tag_prefixes(target.arn), read)

    def _note(self, action: str) -> None:
        if action not in self.gaps:
            self.gaps.add(action)
            log.warning("%s: its resources cannot be named; judged on *", action)


_INSTALLED: WeakKeyDictionary[World, Authorizer] = WeakKeyDictionary()


def install(local: LocalAws) -> Authorizer:
    """Make `local` enforce IAM; return the authorizer."""
    authorizer = Authorizer(local)
    _INSTALLED[local] = authorizer
    local.before.append(authorizer)
    return authorizer


def of(world: World) -> Authorizer:
    """Return the authorizer of an embedded AWS."""
    return _INSTALLED[world]


@contextmanager
def called_via(service_principal: str) -> Iterator[None]:
    """Mark the calls made inside as made by `service_principal` (`drs.amazonaws.com`) for its caller."""
    token = _VIA.set((*_VIA.get(), service_principal))
    try:
        yield
    finally:
        _VIA.reset(token)


def call_as(
    local: LocalAws, principal: Principal, via: str, service: str, operation: str, region: str, **params: Any
) -> Reply:
    """Make a call with the caller's rights, as a service does that acts for it; raise `AwsError`.

    `via` is the acting service's principal (`drs.amazonaws.com`); policies see it in `aws:CalledVia`.
    """
    with called_via(via):
        return acting.act(local, principal, service, operation, region, **params)


def reason_of(decision: Decision, action: str) -> str:
    """Return the second half of AWS's sentence: why."""
    kind = decision.policy_type or PolicyType.IDENTITY
    if decision.effect is Effect.EXPLICIT_DENY:
        return f"with an explicit deny in {_article(kind)} {kind}"
    return f"because no {kind} allows the {action} action"


def _article(kind: PolicyType) -> str:
    return "an" if kind is PolicyType.IDENTITY else "a"


def _sentence(principal: Principal, action: str, resource: str, reason: str) -> str:
    who = "Anonymous" if principal.arn == ANONYMOUS else principal.arn
    return f"User: {who} is not authorized to perform: {action} on resource: {resource} {reason}"


def _principal_type(principal: Principal) -> str:
    if principal.role_name is not None:
        return "AssumedRole"
    return "Account" if principal.arn.endswith(":root") else "User"


def _tag_prefixes(arn: str) -> list[str]:
    service, tail = arn.split(":")[2], arn.split(":", 5)[-1]
    prefixes = ["aws:ResourceTag/"]
    if service == "rds" and tail.startswith(("db:", "cluster:")):
        prefixes.append(f"rds:{tail.partition(':')[0]}-tag/")
    if service in _TAG_PREFIXES:
        prefixes.append(_TAG_PREFIXES[service])
    return prefixes
