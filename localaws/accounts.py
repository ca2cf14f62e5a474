"""Accounts, their administrators' access keys, and the sessions that roles hand out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend

from localaws.service import AwsError, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMIN_KEY = re.compile(r"^(?:LOCALADMIN)?(?P<account>\d{12})$")
ADMIN_SECRET = "local"  # noqa: S105 - signatures are not verified


def admin_key(account: str) -> str:
    """Return the access key of an account's administrator; any secret goes with it."""
    return f"LOCALADMIN{account}"


class Accounts:
    """Who a request comes from: access key -> `Principal`."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        """Take account ids (12 digits) and their names."""
        self.names: dict[str, str] = {}
        self._sessions: dict[str, tuple[Principal, datetime | None]] = {}
        for account, name in accounts.items():
            self.add(account, name)

    def add(self, account: str, name: str) -> None:
        """Add an account, or rename one. Raises `ValueError` unless the id has 12 digits."""
        if not re.fullmatch(r"\d{12}", account):
            raise ValueError(f"account id {account!r}: expected 12 digits (quote it in YAML)")
        self.names[account] = name

    def register_session(self, access_key: str, principal: Principal, expires_at: datetime | None = None) -> None:
        """Make `access_key` act as `principal` until `expires_at` (aware UTC; None: for ever)."""
        self._sessions[access_key] = (principal, expires_at)

    def resolve(self, access_key: str | None, now: datetime | None = None) -> Principal:
        """Return who signs with `access_key`; None is the anonymous principal of the first account.

        Raises `AwsError` `ExpiredToken` or `InvalidClientTokenId` (403), as AWS does.
        """
        if access_key is None:
            return Principal(account=next(iter(self.names), "000000000000"), arn="anonymous")
        admin = ADMIN_KEY.match(access_key)
        if admin and admin["account"] in self.names:
            return self.administrator(admin["account"])
        session = self._sessions.get(access_key)
        if session is not None:
            principal, expires_at = session
            if expires_at is not None and expires_at <= (now or datetime.now(UTC)):
                raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
            return principal
        principal_of_moto = self._from_moto(access_key)
        if principal_of_moto is not None:
            return principal_of_moto
        keys = ", ".join(admin_key(account) for account in self.names)
        message = f"The security token included in the request is invalid: {access_key}. Administrators here: {keys}"
        raise AwsError("InvalidClientTokenId", message, 403)

    def administrator(self, account: str) -> Principal:
        """Return the administrator of an account."""
        return Principal(account=account, arn=f"arn:aws:iam::{account}:user/local-administrator")

    def root(self, account: str) -> Principal:
        """Return the root of an account, as which AWS services act for themselves."""
        return Principal(account=account, arn=f"arn:aws:iam::{account}:root")

    def _from_moto(self, access_key: str) -> Principal | None:
        """Find an IAM user's key or a role session that moto handed out."""
        for account in self.names:
            iam: Any = get_backend("iam")[account]["aws"]
            for user in iam.users.values():
                if any(key.access_key_id == access_key for key in user.access_keys):
                    return Principal(account=account, arn=str(user.arn))
            sts: Any = get_backend("sts")[account]["aws"]
            for session in sts.assumed_roles:
                if session.access_key_id == access_key:
                    role = str(session.role_arn).rsplit("/", 1)[-1]
                    return Principal(account, str(session.arn), role_name=role, session_name=session.session_name)
        return None
