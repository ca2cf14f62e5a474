"""The verbs of a running plan: what comes next, start a stage, check its health, close it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.context import run_context
from orchestrator.contract import Check, Target
from orchestrator.decisions import leave_alone, lost_in
from orchestrator.errors import DrError
from orchestrator.fencing import check_may_act
from orchestrator.following import FOLLOWS, lost_before
from orchestrator.judgement import end_unfinished
from orchestrator.ledger.records import Action, CheckRecord, Run, Stage
from orchestrator.notify import Notice, message
from orchestrator.plan import altered_since_frozen
from orchestrator.platform import Platform
from orchestrator.probes import probe_url
from orchestrator.reducer import GOOD, outcome_counts, stage_status
from orchestrator.success import ALL, Members, rule_of, tolerates
from orchestrator.tags import HEALTH_URL, OPTIONAL, PRIORITY
from orchestrator.targets import load_target
from orchestrator.words import ActionStatus, CheckState, Mode, Outcome, Phase, Priority, StageStatus

HEALTH_POLL_SECONDS = 15
HEALTH_SETTLE_SECONDS = 900
PARALLEL = 8
CHECKS_KEPT = 500
DETAIL_CHARACTERS = 400
PLAN_AGAIN = "find out who wrote to the hub's documents bucket, abort this run, then: dr plan"
CLOSED = {StageStatus.PASSED, StageStatus.FAILED}
CHECKED_PHASES = {Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE, Phase.DECOMMISSION}


@dataclass(frozen=True)
class Group:
    """Where the items of one Distributed Map lie."""

    bucket: str
    key: str
    actions: int


@dataclass(frozen=True)
class Health:
    """Whether a stage's health has settled, or when to look again."""

    settled: bool
    wait_seconds: int = 0


def start_stage(platform: Platform, run_id: str, stage_id: str) -> list[Group]:
    """Start a stage and write the items of its groups; actions that must not run are ended first. Repeatable."""
    run, now = platform.ledger.run(run_id), platform.clock.now()
    check_may_act(platform.ledger, run)
    stage = platform.ledger.change_stage(
        run_id,
        stage_id,
        lambda s: (
            s.but(status=StageStatus.RUNNING, started_at=s.started_at or now)
            if s.status in {StageStatus.PENDING, StageStatus.RUNNING}
            else s
        ),
    )
    if stage.status is not StageStatus.RUNNING:
        return []
    actions = platform.ledger.actions(run_id, stage_id)
    altered = altered_since_frozen(platform.blobs, run_id, run.plan_hash, {action.target_id for action in actions})
    if altered:
        for action in actions:
            platform.ledger.save_action(end_unfinished(action, now, f"not started: {altered}", PLAN_AGAIN))
        return []
    drill, by_id = run.mode is Mode.DRILL, {action.action_id: action for action in actions}
    groups: list[Group] = []
    for number, action_ids in enumerate(stage.groups):
        items = [
            {"RunId": run_id, "StageId": stage_id, "ActionId": action_id}
            for action_id in action_ids
            if _startable(platform, by_id[action_id], drill=drill)
        ]
        if items:
            key = f"runs/{run_id}/stages/{stage_id}/{stage.attempt}-{number}.json"
            platform.blobs.put(key, json.dumps(items).encode())
            groups.append(Group(platform.blobs.bucket, key, len(items)))
    return groups


def _startable(platform: Platform, action: Action, *, drill: bool) -> bool:
    """Leave alone what is ended, and what the phase before did not leave fit to go on; a drill always cleans up."""
    if action.status is ActionStatus.ENDED:
        return False
    if drill or action.phase not in FOLLOWS:
        return True
    lost = dict.fromkeys(lost_before(platform.ledger, action), Outcome.SKIPPED)
    if not lost:
        return True
    ended = len(lost) == len(action.resource_ids)
    if lost.keys() <= action.member_outcomes.keys() and not ended:
        return True  # said so already: this start is a repetition
    why = f"left alone: {FOLLOWS[action.phase]} did not succeed for {', '.join(sorted(lost))}"
    changes: dict[str, object] = {"member_outcomes": {**lost, **action.member_outcomes}, "detail": why}
    if ended:
        changes |= {"status": ActionStatus.ENDED, "outcome": Outcome.SKIPPED, "ended_at": platform.clock.now()}
    platform.ledger.save_action(action.but(**changes))
    platform.note(action.run_id, "outcome", f"{action.action_id}: {why}", stage_id=action.stage_id)
    return not ended


def check_health(platform: Platform, run_id: str, stage_id: str) -> Health:
    """Look once at the health of a stage's resources and keep what was seen; settled when nothing is left to wait for."""
    run, stage = platform.ledger.run(run_id), platform.ledger.stage(run_id, stage_id)
    actions = [
        a for a in platform.ledger.actions(run_id, stage_id) if a.status is ActionStatus.ENDED and a.outcome in GOOD
    ]
    if not _is_checked(run, stage) or stage.status in CLOSED:
        return Health(settled=True)
    if run.escalation is not None:
        return Health(settled=True)  # the emergency that goes on with it looks
    check_may_act(platform.ledger, run)
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        checks = [
            check for found in pool.map(lambda action: _checks(platform, run, action), actions) for check in found
        ]
    now = platform.clock.now()
    stage = platform.ledger.change_stage(
        run_id,
        stage_id,
        lambda s: s.but(
            status=StageStatus.CHECKING if s.status is StageStatus.RUNNING else s.status,
            checks=_kept(checks),
            health_since=s.health_since or now,
        ),
    )
    since = stage.verify_since if stage.verifying else stage.health_since
    unsettled = [check for check in checks if check.state is not CheckState.HEALTHY]
    waited_seconds = (now - (since or now)).total_seconds()
    if unsettled and waited_seconds < HEALTH_SETTLE_SECONDS and not (run.cancelled_by or run.lease_over):
        return Health(settled=False, wait_seconds=HEALTH_POLL_SECONDS)
    return Health(settled=True)


def _is_checked(run: Run, stage: Stage) -> bool:
    """Say whether a stage leaves something to be healthy; after a drill's CLEANUP its copies are gone."""
    drill_over = run.mode is Mode.DRILL and stage.phase is Phase.CLEANUP
    return stage.phase in CHECKED_PHASES and not stage.rolling_back and not drill_over


def _kept(checks: list[Check]) -> tuple[CheckRecord, ...]:
    """Return the checks a stage's record has room for (DynamoDB ends at 400 KB), the unhealthy ones first."""
    graded = sorted(checks, key=lambda c: c.state is CheckState.HEALTHY)
    return tuple(
        CheckRecord(resource_id=c.resource_id, name=c.name, state=c.state, detail=c.detail[:DETAIL_CHARACTERS])
        for c in graded[:CHECKS_KEPT]
    )


def _checks(platform: Platform, run: Run, action: Action) -> list[Check]:
    adapter = platform.adapter(action.adapter)
    target = load_target(platform.blobs, run.run_id, action.target_id)
    left_alone = lost_before(platform.ledger, action) if run.mode is not Mode.DRILL else set()
    excluded = frozenset(left_alone | {r for r, o in action.member_outcomes.items() if o not in GOOD})
    if excluded.issuperset(action.resource_ids):
        return []
    context = run_context(
        run, action.phase, target, platform.clock.now(), action.started_at, action.kept, action.called_at, excluded
    )
    try:
        session = platform.open_session(run, adapter, context, target)
        view = adapter.observe(target, session, context)
        checks = adapter.health(view, context)
        endpoints = [each for each in adapter.endpoints(view, context) if each.resource_id not in excluded]
        if platform.connect and endpoints:
            place = target.members[0].target
            checks = [*checks, *platform.connect(run, place.account, place.region, endpoints)]
    except DrError as err:
        checks = [Check(resource, "observe", CheckState.UNHEALTHY, str(err)) for resource in action.resource_ids]
    urls = [(m.resource_id, m.tags[HEALTH_URL]) for m in target.members if m.tags.get(HEALTH_URL)]
    if run.mode is not Mode.DRILL:
        checks = [*checks, *(probe_url(resource, url) for resource, url in urls if resource not in excluded)]
    return [check for check in checks if check.resource_id not in excluded]


def close_stage(platform: Platform, run_id: str, stage_id: str) -> StageStatus:
    """Close a stage: its status from its actions and checks; lost actions are named. Repeatable."""
    run, stage = platform.ledger.run(run_id), platform.ledger.stage(run_id, stage_id)
    if stage.ended_at is not None and not stage.verifying:
        return stage.status
    actions = [_found_lost(platform, action) for action in platform.ledger.actions(run_id, stage_id)]
    if _is_checked(run, stage) and stage.health_since is None:
        stage = platform.ledger.change_stage(run_id, stage_id, lambda s: s.but(checks=_kept(_unseen(actions))))
    status = stage_status(actions, stage.checks, ignored=stage.ignored, rolling_back=stage.rolling_back)
    if status is StageStatus.FAILED and _tolerated(platform, run, stage, actions):
        status, actions = StageStatus.PASSED, platform.ledger.actions(run_id, stage_id)
        stage = platform.ledger.change_stage(run_id, stage_id, lambda s: s.but(ignored=True))
    if status is StageStatus.ROLLED_BACK and not run.rolled_back_by:
        platform.ledger.change_run(run_id, lambda r: r.but(failure=r.failure or f"{stage_id} was rolled back"))
    now = platform.clock.now()
    platform.ledger.change_stage(
        run_id,
        stage_id,
        lambda s: s.but(status=status, ended_at=s.ended_at or now, verified_at=now if s.verifying else s.verified_at),
    )
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcome_counts(actions).items())
    again = "looked at again: " if stage.verifying else ""
    platform.note(run_id, "stage", f"{stage_id} {again}{status}: {counts}", stage_id=stage_id)
    if stage.verifying and status is StageStatus.PASSED:
        return status  # nothing new to tell
    failed = status is StageStatus.FAILED
    subject = f"{stage.phase} wave {stage.wave} {status}"
    body = "\n".join([counts, *_failures(actions), *_unhealthy(stage)])
    platform.tell(message(Notice.FAILURE if failed else Notice.STAGE_DONE, run, subject, body))
    return status


def _tolerated(platform: Platform, run: Run, stage: Stage, actions: list[Action]) -> bool:
    """Let go what a wave's rule, or its own tag, allows to be lost; say whether the stage may pass with the rest."""
    if stage.rolling_back or stage.phase is Phase.DECOMMISSION:
        return False
    lost = lost_in(stage, actions)
    if not lost:
        return False
    targets = {action.target_id: load_target(platform.blobs, run.run_id, action.target_id) for action in actions}
    rule = rule_of(run.success_rules, stage.wave)
    if not tolerates(rule, lost, _members(targets.values())):
        return False
    who = f'the rule "{rule}" of wave {stage.wave}' if rule != ALL else "their tag dr:optional"
    leave_alone(platform.ledger, run.run_id, stage, lost, who)
    told = f"{stage.stage_id} passes without {', '.join(sorted(lost))}: allowed by {who}"
    platform.note(run.run_id, "outcome", told, stage_id=stage.stage_id)
    platform.tell(message(Notice.WARNING, run, f"{stage.phase} wave {stage.wave} passes with losses", told))
    return True


def _members(targets: Iterable[Target]) -> Members:
    members = [member for target in targets for member in target.members]
    return Members(
        everyone=frozenset(m.resource_id for m in members),
        critical=frozenset(m.resource_id for m in members if m.tags.get(PRIORITY) == Priority.CRITICAL),
        optional=frozenset(m.resource_id for m in members if m.tags.get(OPTIONAL) == "true"),
    )


def _unseen(actions: list[Action]) -> list[Check]:
    """Return what stands for health that nobody could look at: it must not pass for good."""
    detail = "health was never looked at: check_health did not answer"
    return [
        Check(resource, "health", CheckState.UNHEALTHY, detail)
        for action in actions
        if action.outcome in GOOD
        for resource in action.resource_ids
    ]


def _found_lost(platform: Platform, action: Action) -> Action:
    """End an action that nobody advances any more."""
    if action.status is ActionStatus.ENDED:
        return action
    return platform.ledger.change_action(
        action.run_id,
        action.action_id,
        lambda a: end_unfinished(
            a,
            platform.clock.now(),
            f"the platform lost this action while it was {a.status}; the resource itself may have gone on",
            "answer the failure gate with retry: what was done already is recognised.",
        ),
    )


def _failures(actions: list[Action]) -> list[str]:
    return [f"{a.action_id}: {a.outcome}: {a.detail} {a.remedy}".rstrip() for a in actions if a.outcome not in GOOD]


def _unhealthy(stage: Stage) -> list[str]:
    return [
        f"{c.resource_id}: {c.name} {c.state}: {c.detail}" for c in stage.checks if c.state is not CheckState.HEALTHY
    ]
