"""Two accounts, a hub and a spoke, and short words for what the stories about IAM, STS and faults do."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.session
import pytest

from localaws import acting, inprocess
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.service import AwsError, Principal, Reply

HUB, SPOKE = "111111111111", "222222222222"
EAST, WEST = "us-east-1", "us-west-2"


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    """Return an Allow statement; `condition` maps operators to blocks."""
    return {"Effect": "Allow", "Action": action, "Resource": resource} | _condition(condition)


def deny(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    """Return a Deny statement."""
    return {"Effect": "Deny", "Action": action, "Resource": resource} | _condition(condition)


def trust(principal: Any, *actions: str, **condition: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    named = list(actions) or ["sts:AssumeRole"]
    return {"Effect": "Allow", "Principal": principal, "Action": named} | _condition(condition)


def _condition(blocks: dict[str, Any]) -> dict[str, Any]:
    return {"Condition": {name.replace("__", ":"): block for name, block in blocks.items()}} if blocks else {}


class Cloud:
    """An embedded AWS with a hub and a spoke account, on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.local = LocalAws({HUB: "hub", SPOKE: "spoke"}, clock=self.clock)

    def admin(self, account: str) -> Principal:
        return self.local.accounts.administrator(account)

    def call(self, who: Principal, service: str, operation: str, region: str = WEST, **params: Any) -> Reply:
        """Make a call as somebody, through hooks and log."""
        return acting.act(self.local, who, service, operation, region, **params)

    def refused(self, who: Principal, service: str, operation: str, region: str = WEST, **params: Any) -> AwsError:
        """Make a call that must fail, and return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(who, service, operation, region, **params)
        return caught.value

    def role(self, account: str, name: str, trusts: dict[str, Any], *may: dict[str, Any], **more: Any) -> str:
        """Create a role with a trust statement and identity statements; return its ARN."""
        admin = self.admin(account)
        document = policy(trusts)
        made = self.call(admin, "iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=document, **more)
        if may:
            self.call(admin, "iam", "PutRolePolicy", RoleName=name, PolicyName="may", PolicyDocument=policy(*may))
        return str(made["Role"]["Arn"])

    def function(self, name: str, *may: dict[str, Any], account: str = HUB) -> Principal:
        """Return the session of a Lambda function whose role allows `may`."""
        arn = self.role(account, name, trust({"Service": "lambda.amazonaws.com"}), *may)
        return self.local.service("sts").session_for_role(arn, name, "lambda.amazonaws.com").principal

    def assume(self, who: Principal, role_arn: str, **params: Any) -> Principal:
        """Return the principal of a session of a role, obtained through AssumeRole."""
        reply = self.call(who, "sts", "AssumeRole", RoleArn=role_arn, **{"RoleSessionName": "run-1", **params})
        return self.local.accounts.resolve(reply["Credentials"]["AccessKeyId"], self.clock.now())

    def operator(self, *may: dict[str, Any]) -> Principal:
        """Return a session in the spoke that may do exactly `may`."""
        return self.function("operator", *may, account=SPOKE)

    def client(self, service: str, region: str, key: str, secret: str = "x", token: str | None = None) -> Any:  # noqa: S107
        """Return a boto3 client that signs with these keys."""
        core = botocore.session.Session()
        core.set_credentials(key, secret, token)
        core.set_config_variable("region", region)
        inprocess.connect(self.local, core)
        return boto3.Session(botocore_session=core).client(service)

    def database(self, name: str, **tags: str) -> str:
        """Create a database in the spoke, wait for it, and return its ARN."""
        made = self.call(
            self.admin(SPOKE),
            "rds",
            "CreateDBInstance",
            DBInstanceIdentifier=name,
            Engine="mysql",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="admin",
            MasterUserPassword="not-a-secret",
            Tags=[{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()],
        )
        self.clock.advance(3600)
        return str(made["DBInstance"]["DBInstanceArn"])
