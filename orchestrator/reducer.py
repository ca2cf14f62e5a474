"""The one place where actions become stage status and stages become run status. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.ledger.records import Action, CheckRecord, Run, Stage
from orchestrator.words import ActionStatus, CheckState, Outcome, RunStatus, StageStatus

GOOD = {
    Outcome.SUCCEEDED,
    Outcome.SUCCEEDED_WITH_WARNINGS,
    Outcome.SKIPPED,
    Outcome.DEFERRED,
    Outcome.FAILED_IGNORED,
}
WARNING = {Outcome.SUCCEEDED_WITH_WARNINGS, Outcome.FAILED_IGNORED, Outcome.DEFERRED}


def stage_status(
    actions: Sequence[Action], checks: Iterable[CheckRecord], *, ignored: bool, rolling_back: bool = False
) -> StageStatus:
    """Return a closed stage's status: passed only when every action ended well and every check is healthy."""
    if any(action.status is not ActionStatus.ENDED for action in actions):
        return StageStatus.FAILED
    if rolling_back:
        undone = all(action.outcome in {Outcome.ROLLED_BACK, Outcome.SKIPPED} for action in actions)
        return StageStatus.ROLLED_BACK if undone else StageStatus.FAILED
    if any(action.outcome not in GOOD for action in actions):
        return StageStatus.FAILED
    if not ignored and any(check.state is not CheckState.HEALTHY for check in checks):
        return StageStatus.FAILED
    if actions and all(action.outcome is Outcome.SKIPPED for action in actions):
        return StageStatus.SKIPPED
    return StageStatus.PASSED


def run_status(run: Run, stages: Sequence[Stage], actions: Sequence[Action]) -> RunStatus:
    """Return how a run ended, from what its stages and actions show."""
    if run.status.ended:
        return run.status
    if run.cancelled_by:
        return RunStatus.CANCELLED
    if run.rejected_by:
        return RunStatus.REJECTED
    if run.dry_run and not run.failure:
        return RunStatus.PREVIEWED
    if run.failure or run.rolled_back_by or not stages:
        return RunStatus.FAILED
    if any(stage.status not in {StageStatus.PASSED, StageStatus.SKIPPED} for stage in stages):
        return RunStatus.FAILED
    unwell = any(stage.ignored for stage in stages) or any(action.outcome in WARNING for action in actions)
    return RunStatus.SUCCEEDED_WITH_WARNINGS if unwell else RunStatus.SUCCEEDED


def outcome_counts(actions: Iterable[Action]) -> dict[str, int]:
    """Return how many resources' actions ended how; those not ended count under their status."""
    counts: Counter[str] = Counter()
    for action in actions:
        if action.status is ActionStatus.ENDED:
            counts.update(str(outcome) for outcome in action.member_outcomes.values())
        else:
            counts[str(action.status)] += len(action.resource_ids)
    return dict(sorted(counts.items()))
