"""AWS managed policies: moto holds the texts, and would load all of them for each account or none."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localaws.world import World

PREFIX = "arn:aws:iam::aws:policy/"


def load_managed_policy(world: World, account: str, arn: str) -> None:
    """Make the AWS managed policy `arn` known to the account's IAM; other ARNs are left alone."""
    backend = world.backend("iam", account, "us-east-1")
    name = arn.rsplit("/", 1)[-1]
    if not arn.startswith(PREFIX) or arn in backend.managed_policies or name not in _texts():
        return
    from moto.iam.models import AWSManagedPolicy

    policy = AWSManagedPolicy.from_data(name, account, "us-east-1", _texts()[name])
    backend.managed_policies[policy.arn] = policy


@lru_cache
def _texts() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return dict(json.loads(aws_managed_policies_data))
