"""The ledger, made once in the home Region; its replicas appear in the peer Region under the same names."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from infra.config import Hub
from infra.constructs.tables import LedgerTables


class DataStack(Stack):
    """`DrHubData`."""

    def __init__(self, scope: Construct, construct_id: str, *, hub: Hub, **settings: Any) -> None:
        super().__init__(scope, construct_id, **settings)
        self.ledger = LedgerTables(self, "Ledger", peer_region=hub.peer_region, retain=hub.retain_data)
