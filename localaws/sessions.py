"""Role sessions: keys handed out, and the principal that signs with them."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from localaws.world import World

_ALPHABET = string.ascii_uppercase + "234567"


class SessionTags(dict[str, str]):
    """Session tags; those in `transitive` pass on to sessions assumed with this one."""

    def __init__(self, tags: Mapping[str, str] | None = None, transitive: frozenset[str] = frozenset()) -> None:
        super().__init__(tags or {})
        self.transitive = transitive


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials and who they stand for."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime
    principal: Principal

    def as_reply(self) -> dict[str, Any]:
        """Return the `Credentials` member of an STS reply."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": self.expiration,
        }


def issue(world: World, principal: Principal, duration_seconds: int) -> Credentials:
    """Register a session of `principal` and return its credentials; it expires on the wall clock, unscaled."""
    key = "ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
    expiration = (world.clock.now() + timedelta(seconds=duration_seconds)).replace(microsecond=0)
    world.accounts.register_session(key, principal, expiration)
    return Credentials(key, secrets.token_urlsafe(30), secrets.token_urlsafe(180), expiration, principal)


def role_session(role: Any, session_name: str, **details: Any) -> Principal:
    """Return the principal of a session of moto's `role`."""
    arn = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session_name}"
    return Principal(role.account_id, arn, role_name=role.name, session_name=session_name, **details)
