"""What must exist in a Region before anything of the other Region can name it: the key, and the bucket for copies."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from infra.config import Hub
from infra.constructs.buckets import PrivateBucket
from infra.constructs.keys import HubKey
from orchestrator import names


class KeysStack(Stack):
    """`DrHubKeys-<region>`."""

    def __init__(self, scope: Construct, construct_id: str, *, hub: Hub, region: str, **settings: Any) -> None:
        super().__init__(scope, construct_id, **settings)
        self.hub_key = HubKey(self, "HubKey", retain=hub.retain_data)
        self.copies = PrivateBucket(
            self,
            "Copies",
            name=names.replica_bucket(hub.account, region),
            key=self.hub_key.key,
            retain=hub.retain_data,
        )
