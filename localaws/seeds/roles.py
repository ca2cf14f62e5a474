"""Roles that services assume; an account's resources share them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.world import World


def service_role(world: World, account: str, region: str, name: str, principal: str) -> str:
    """Create a role that a service may assume, unless it is there; return its ARN."""
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    try:
        world.call("iam", "CreateRole", account, region, RoleName=name, AssumeRolePolicyDocument=trust)
    except AwsError as error:
        if error.code != "EntityAlreadyExists":
            raise
    return f"arn:aws:iam::{account}:role/{name}"
