"""What would undo a run while it goes on, or soon after: told before anybody lets it begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.targets import PlannedTarget
from orchestrator.words import Mode

STACK_NAME, STACK_ID = "aws:cloudformation:stack-name", "aws:cloudformation:stack-id"
"""Tags that CloudFormation puts on what it makes; no call is needed to know whose a resource is."""
NAMED = 3


def stacks(targets: Iterable[PlannedTarget]) -> dict[str, list[str]]:
    """Return CloudFormation stack (with its Region) -> the resources of the plan that it owns on either side."""
    owned: dict[str, list[str]] = {}
    for target in targets:
        for member in target.members:
            for side in (member.source, member.target):
                name = side.tags.get(STACK_NAME)
                if name is None:
                    continue
                parts = side.tags.get(STACK_ID, "").split(":")
                where = parts[3] if len(parts) > 4 else side.region
                names = owned.setdefault(f"{name} in {where}", [])
                if member.resource_id not in names:
                    names.append(member.resource_id)
    return {stack: sorted(names) for stack, names in sorted(owned.items())}


def warnings(targets: Sequence[PlannedTarget], mode: Mode) -> list[str]:
    """Return a line per stack whose deployment would put sizes, roles and records back to what its template says.

    A drill changes nothing that a stack owns.
    """
    if mode is Mode.DRILL:
        return []
    return [
        f"a deployment of stack {stack} may undo this ({_some(names)}): hold its pipeline until the run has ended, and let its "
        "template say the new state before the next one"
        for stack, names in stacks(targets).items()
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
