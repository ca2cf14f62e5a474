"""What IAM says about a principal: its role or user, policies, boundary, tags. Read from moto on each request.

Parsed documents are cached by their text, so nothing has to be invalidated when IAM changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.iam import Caller, Policies, Policy, PolicyKind, parse_policy

if TYPE_CHECKING:
    from localaws.service import Principal
    from localaws.world import World

ANONYMOUS = "anonymous"
ADMINISTRATOR = parse_policy(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, name="administrator"
)


@dataclass(frozen=True)
class Identity:
    """A principal as IAM knows it. `unlimited`: an account's root or administrator."""

    caller: Caller
    user_id: str
    tags: Mapping[str, str]
    policies: Policies
    unlimited: bool = False


def identity_of(world: World, principal: Principal) -> Identity:
    """Return what IAM knows about `principal`; raise `PolicyError` when one of its policies is malformed."""
    if principal.arn == ANONYMOUS:
        return Identity(Caller(ANONYMOUS, ANONYMOUS), ANONYMOUS, {}, Policies())
    if principal.role_name is not None:
        return _session(world, principal)
    user = _user(world, principal)
    if user is not None:
        return user
    everything = Policies(identity=(ADMINISTRATOR,))
    user_id = principal.account if principal.arn.endswith(":root") else "AIDALOCALADMINISTRATR"
    return Identity(Caller(principal.account, principal.arn), user_id, {}, everything, unlimited=True)


def find_role(world: World, account: str, name: str) -> Any | None:
    """Return moto's role called `name`, or None."""
    iam = world.backend("iam", account, "us-east-1")
    return next((role for role in iam.roles.values() if role.name == name), None)


def _session(world: World, principal: Principal) -> Identity:
    role = find_role(world, principal.account, str(principal.role_name))
    session = None
    if principal.session_policy is not None:
        session = (parse_policy(principal.session_policy, name="session policy"),)
    if role is None:
        return Identity(Caller(principal.account, principal.arn), "AROA", principal.session_tags, Policies((), session))
    iam = world.backend("iam", principal.account, "us-east-1")
    boundary = _boundary(iam, role.permissions_boundary_arn)
    policies = Policies(_documents(role.policies, role.managed_policies.values()), session, boundary)
    caller = Caller(principal.account, principal.arn, str(role.arn))
    tags = {**role_tags(role), **principal.session_tags}
    return Identity(caller, f"{role.id}:{principal.session_name}", tags, policies)


def role_tags(role: Any) -> dict[str, str]:
    """Return the tags of moto's role."""
    return {tag["Key"]: tag["Value"] for tag in role.tags or []}


def _user(world: World, principal: Principal) -> Identity | None:
    kind, _, name = principal.arn.partition(":user/")
    if not kind or not name:
        return None
    iam = world.backend("iam", principal.account, "us-east-1")
    user = next((user for user in iam.users.values() if str(user.arn) == principal.arn), None)
    if user is None:
        return None
    documents = _documents(user.policies, user.managed_policies.values())
    for group in iam.get_groups_for_user(user.name):
        documents += _documents(group.policies, group.managed_policies.values())
    return Identity(Caller(principal.account, principal.arn), str(user.id), {}, Policies(documents))


def _documents(inline: Mapping[str, Any], managed: Iterable[Any]) -> tuple[Policy, ...]:
    texts = [(name, document) for name, document in inline.items()]
    texts += [(policy.arn, default_document(policy)) for policy in managed]
    return tuple(parse_policy(_text(document), PolicyKind.IDENTITY, str(name)) for name, document in texts)


def default_document(policy: Any) -> Any:
    """Return the text of the default version of moto's managed policy."""
    return next(version.document for version in policy.versions if version.version_id == policy.default_version_id)


def _boundary(iam: Any, arn: str | None) -> Policy | None:
    if arn is None:
        return None
    policy = iam.managed_policies.get(arn)
    document = default_document(policy) if policy else {"Version": "2012-10-17", "Statement": _NOTHING}
    return parse_policy(_text(document), PolicyKind.IDENTITY, arn)


_NOTHING = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
