"""What a list of judged steps means for their action, and the last guard before a call. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from orchestrator.contract import NOTHING_TO_DO, Call, Step
from orchestrator.errors import RefusedError
from orchestrator.ledger.records import Action, Run, Stage
from orchestrator.policies import DRILL_DENIED
from orchestrator.words import ActionStatus, Effect, Mode, Outcome, Phase, Side, StepState

IAM_PREFIXES = {"efs": "elasticfilesystem", "opensearch": "es"}
"""Client name -> how IAM calls the service, where that differs."""
NOT_COMMITTED = "NotCommitted"
NOT_APPROVED = "NotApproved"


@dataclass(frozen=True)
class Verdict:
    """What a list of steps means: an end, the step to be waited for or performed, or (neither) another look.

    `detail` and `remedy` tell of members that failed at this look, whether or not the action goes on.
    """

    end: Outcome | None
    step: Step | None
    members: Mapping[str, Outcome]
    detail: str = ""
    remedy: str = ""


def judge(steps: list[Step], members: Mapping[str, Outcome], resource_ids: tuple[str, ...]) -> Verdict:
    """Decide from the steps: a failure that names members ends only those, one that names none the action. Pure."""
    lost = dict(members)
    reasons: list[str] = []
    remedy = ""
    for step in steps:
        if step.state is StepState.DONE:
            continue
        if step.members and all(member in lost for member in step.members):
            continue
        if step.state not in {StepState.FAILED, StepState.BLOCKED}:
            return Verdict(None, step, lost, "; ".join(reasons), remedy)
        detail = f"{step.name}: {step.reason}"
        if not step.members:
            return Verdict(Outcome.FAILED, step, lost, "; ".join([*reasons, detail]), step.remedy or remedy)
        lost |= {member: Outcome.FAILED for member in step.members if member not in lost}
        reasons.append(detail)
        remedy = remedy or step.remedy
        if all(resource in lost for resource in resource_ids):
            break  # nobody is left for the steps that follow
    if lost != members and not all(resource in lost for resource in resource_ids):
        return Verdict(None, None, lost, "; ".join(reasons), remedy)  # how the others are, the next look tells
    if any(outcome is Outcome.FAILED for outcome in lost.values()):
        every = lost | {r: Outcome.SUCCEEDED for r in resource_ids if r not in lost}
        return Verdict(Outcome.FAILED, None, every, "; ".join(reasons), remedy)
    if [step.name for step in steps] == [NOTHING_TO_DO]:
        return Verdict(Outcome.SKIPPED, None, lost, steps[0].reason)
    warnings = "; ".join(step.warning for step in steps if step.warning)
    return Verdict(Outcome.SUCCEEDED_WITH_WARNINGS if warnings else Outcome.SUCCEEDED, None, lost, warnings)


def refuse(run: Run, stage: Stage, step: Step) -> RefusedError | None:
    """Return why a step may not be performed now, or None. The last guard before every call. Pure."""
    if run.mode is Mode.DRILL:
        return _refuse_in_drill(run, step)
    if stage.phase is Phase.DECOMMISSION and not (run.decommission and stage.approved_by):
        return RefusedError(
            f"{step.name} deletes a part of the old side, and nobody approved {stage.stage_id} of run {run.run_id}.",
            f"dr status {run.run_id} shows its gate; a run without Decommission: true deletes nothing.",
            code=NOT_APPROVED,
        )
    irreversible = step.effect is Effect.IRREVERSIBLE
    if not run.committed and (irreversible or held(run, stage)):
        why = "is irreversible" if irreversible else f"belongs to {stage.stage_id}, which cannot be taken back whole,"
        return RefusedError(
            f"{step.name} {why} and the commit gate of run {run.run_id} was not passed.",
            f"dr approve the commit gate shown by: dr status {run.run_id}",
            code=NOT_COMMITTED,
        )
    return None


def held(run: Run, stage: Stage) -> bool:
    """Say whether a stage may not change anything yet; its sessions get no more than reading permissions. Pure.

    `refuse` judges irreversible and deleting steps without it too, so that either holds when the other is broken.
    """
    if stage.rolling_back or run.mode is Mode.DRILL:
        return False
    if stage.phase is Phase.DECOMMISSION:
        return not (run.decommission and stage.approved_by)
    return stage.irreversible and not run.committed


def _refuse_in_drill(run: Run, step: Step) -> RefusedError | None:
    """Drills work on copies beside the target side, and need no commitment there; nowhere else may they change anything."""
    if step.call is None:
        return None
    if step.call.side is not Side.TARGET:
        why = f"changes the {step.call.side} side; drill {run.run_id} may only change copies on the target side."
    elif switches_roles(step.call):
        why = f"switches roles ({describe(step.call)}); drill {run.run_id} may not, wherever it is."
    else:
        return None
    return RefusedError(f"{step.name} {why}", "this is a defect of the adapter: report it; nothing was changed.")


def switches_roles(call: Call) -> bool:
    """Say whether a call is of the kind that no drill may make; the session policies of drills deny the same."""
    action = f"{IAM_PREFIXES.get(call.service, call.service)}:{call.operation}"
    return any(fnmatchcase(action, pattern) for pattern in DRILL_DENIED)


def end_unfinished(action: Action, now: datetime, detail: str, remedy: str) -> Action:
    """Return an action that nobody advances any more as failed; one that ended meanwhile stays as it is."""
    if action.status is ActionStatus.ENDED:
        return action
    return action.but(
        status=ActionStatus.ENDED,
        outcome=Outcome.FAILED,
        member_outcomes={**dict.fromkeys(action.resource_ids, Outcome.FAILED), **action.member_outcomes},
        detail=detail,
        remedy=remedy,
        ended_at=now,
    )


def interrupt(ended: Action, before: Action) -> Action:
    """Return an action ended by an interruption, with the resources that it was under way for."""
    under_way = tuple(r for r in ended.resource_ids if r not in before.member_outcomes)
    return ended.but(interrupted=before.interrupted or under_way)


def action_id_of(phase: Phase, target_id: str) -> str:
    """Return the id of the action of one phase on one batch."""
    return f"{phase}.{target_id}"


def token_of(action: Action, step: Step) -> str:
    """Return the idempotency token: the same however often a step is repeated, until a person asks for a new attempt.

    A new attempt needs a new token: AWS would answer the old one with the old, failed result.
    """
    attempt = f"/{action.attempt}" if action.attempt else ""
    return hashlib.sha256(f"{action.run_id}/{action.action_id}/{step.name}{attempt}".encode()).hexdigest()[:32]


def describe(call: Call) -> str:
    """Return a call as people read it: rds.SwitchoverGlobalCluster on the source side; of a request over HTTP also the path."""
    path = f" {call.params['Path']}" if "Path" in call.params else ""
    return f"{call.service}.{call.operation}{path} on the {call.side} side"
