"""Which resources a phase may go on with, judged from how the phase before it ended for them."""

from __future__ import annotations

from orchestrator.errors import NotFoundError
from orchestrator.judgement import action_id_of
from orchestrator.ledger.records import Action
from orchestrator.ledger.store import Ledger
from orchestrator.reducer import GOOD
from orchestrator.words import CheckState, Outcome, Phase

FOLLOWS = {
    Phase.CLEANUP: Phase.ACTIVATE,
    Phase.REPLICATE: Phase.ACTIVATE,
    Phase.DECOMMISSION: Phase.REPLICATE,
}
"""Phase -> the one that must have succeeded for a resource before."""
WELL = {
    Phase.ACTIVATE: GOOD - {Outcome.FAILED_IGNORED},
    Phase.REPLICATE: {Outcome.SUCCEEDED, Outcome.SKIPPED},
}
"""Deleting asks for more than going on: a standby with warnings is no reason to give up the old side."""


def lost_before(ledger: Ledger, action: Action) -> set[str]:
    """Return the resources of an action that its phase must leave alone."""
    needed = FOLLOWS.get(action.phase)
    if needed is None:
        return set()
    try:
        before = ledger.action(action.run_id, action_id_of(needed, action.target_id))
    except NotFoundError:
        # The run was limited to other phases; deleting is never asked for without REPLICATE.
        return set(action.resource_ids) if action.phase is Phase.DECOMMISSION else set()
    lost = {resource for resource in action.resource_ids if before.member_outcomes.get(resource) not in WELL[needed]}
    return lost | (_unwell(ledger, before) if action.phase is Phase.DECOMMISSION else set())


def _unwell(ledger: Ledger, before: Action) -> set[str]:
    checks = ledger.stage(before.run_id, before.stage_id).checks
    return {check.resource_id for check in checks if check.state is not CheckState.HEALTHY} & set(before.resource_ids)
