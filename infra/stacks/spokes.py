"""The roles in the workload accounts, rolled out from the home Region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import Stack
from constructs import Construct

from infra.config import Config
from infra.constructs.spokes import SpokeStackSet


class SpokesStack(Stack):
    """`DrSpokes`."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config, template: Path, **settings: Any) -> None:
        super().__init__(scope, construct_id, **settings)
        self.spokes = SpokeStackSet(self, "Spokes", config=config, template=template)
