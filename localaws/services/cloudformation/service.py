"""The CloudFormation service: stacks and stack sets, without moto's engine.

moto's engine ignores unknown types and properties, never rolls back and does not follow changed
references; this one makes resources through the same APIs that a user would call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.service import Service
from localaws.services.cloudformation.change_sets import ChangeSetOperations
from localaws.services.cloudformation.stacksets import StackSetOperations

if TYPE_CHECKING:
    from localaws.world import World


class CloudFormation(ChangeSetOperations, StackSetOperations, Service):
    """All of CloudFormation that the product and the CDK call."""

    name = "cloudformation"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget all stacks and stack sets."""
        self.start()
        self.start_stack_sets()

    def connected(self) -> None:
        """Listen for accounts that move between organisational units."""
        organizations = self.world.service("organizations")
        organizations.on_move.append(self.account_moved)  # type: ignore[attr-defined]
