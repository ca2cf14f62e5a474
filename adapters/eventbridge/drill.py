"""A drill of EventBridge: copies of the rules on the target side's bus, enabled, whose only target is a queue of the drill.

They show that patterns, schedules and the bus work there; no target of production hears of it. What the copies match while
the drill lasts stays in the drill's queue and goes with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from adapters.eventbridge.models import Rule, RuleState
from adapters.eventbridge.rules import definition, judged_targets
from adapters.eventbridge.spec import DRILL_RULES
from adapters.eventbridge.view import DrillView, EventBridgeView, copy_name
from adapters.judging import gone, not_ours
from adapters.reading import is_of_this_drill, tag_list
from orchestrator.contract import Call, Check, Later, RunContext, Step, blocked, done, todo
from orchestrator.words import CheckState, Effect, Side

QUEUE = "drill-queue"
TARGET_ID = "drill"


def _copied(view: EventBridgeView) -> list[str]:
    """Return the rules a drill copies: those that belong on, as far as the quota of a bus allows."""
    return [name for name in view.names if name in view.on][:DRILL_RULES]


def _queue_arn(view: EventBridgeView, queue: str) -> str:
    place = view.target.place
    return f"arn:{place.arn.split(':')[1]}:sqs:{place.region}:{place.account}:{queue}"


def make(view: EventBridgeView, run: RunContext) -> list[Step]:
    """Return the steps that make the queue, the copies and their one target."""
    drill = view.drill
    assert drill is not None
    if drill.queue_url and not is_of_this_drill(drill.queue_tags, run):
        return not_ours(QUEUE, f"queue {drill.queue}", run.run_id)
    steps = [_queue(view, drill, run)]
    copies, targets = view.steps_of("drill"), view.steps_of("drill-target")
    for name in _copied(view):
        rule = view.target.rules.get(name)
        if rule is None:
            reason = f"rule {name} is not there in {view.target.place.region}"
            return [blocked(copies[name], reason, "run a planned INSTANTIATE, or make the rule, then drill again.")]
        copy = copy_name(run, name)
        if copy in drill.rules and not is_of_this_drill(drill.tags.get(copy, {}), run):
            return not_ours(copies[name], f"rule {copy}", run.run_id)
        steps += [_rule(view, drill, rule, copies[name], run), _target(view, drill, name, targets[name], run)]
    return steps


def _queue(view: EventBridgeView, drill: DrillView, run: RunContext) -> Step:
    if drill.queue_url:
        return done(QUEUE, f"queue {drill.queue} is there", effect=Effect.REVERSIBLE)
    arn = _queue_arn(view, drill.queue)
    prefix = "" if view.target.bus == "default" else f"{view.target.bus}/"
    place = view.target.place
    rules = f"arn:{place.arn.split(':')[1]}:events:{place.region}:{place.account}:rule/{prefix}drill-{run.short_id}-*"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnLike": {"aws:SourceArn": rules}},
            }
        ],
    }
    params: dict[str, JsonValue] = {
        "QueueName": drill.queue,
        "Attributes": {"Policy": json.dumps(policy)},
        "tags": {**run.tags},
    }
    return todo(QUEUE, Call("sqs", "CreateQueue", params, Side.TARGET), Effect.REVERSIBLE, f"no queue {drill.queue}")


def _rule(view: EventBridgeView, drill: DrillView, rule: Rule, step: str, run: RunContext) -> Step:
    copy = copy_name(run, rule.Name)
    if copy in drill.rules:
        return done(step, f"rule {copy} is {drill.rules[copy].State}", effect=Effect.REVERSIBLE)
    place = view.target.place
    params: dict[str, JsonValue] = {
        **definition(rule, place, place),
        "Name": copy,
        "EventBusName": view.target.bus,
        "State": RuleState.ENABLED,
        "Description": f"dr:drill-id {run.run_id}: a drill's copy of {rule.Name}; it is removed at the drill's end",
        "Tags": tag_list(run.tags),
    }
    params.pop("RoleArn", None)  # only targets in other accounts and services need one; a queue does not
    return todo(step, Call("events", "PutRule", params, Side.TARGET), Effect.REVERSIBLE, f"no rule {copy}")


def _target(view: EventBridgeView, drill: DrillView, name: str, step: str, run: RunContext) -> Step:
    copy = copy_name(run, name)
    if drill.targets.get(copy):
        return done(step, f"rule {copy} sends to queue {drill.queue}", effect=Effect.REVERSIBLE)
    target: JsonValue = {"Id": TARGET_ID, "Arn": _queue_arn(view, drill.queue)}
    params: dict[str, JsonValue] = {"Rule": copy, "EventBusName": view.target.bus, "Targets": [target]}
    keep = {"failed": "FailedEntryCount", "why": "FailedEntries[0].ErrorMessage"}
    return judged_targets(copy, step, Call("events", "PutTargets", params, Side.TARGET, keep=keep), run)


def delete(view: EventBridgeView, run: RunContext) -> list[Step]:
    """Return the steps that remove what this drill made, each thing only when it carries the drill's tag."""
    drill = view.drill
    assert drill is not None
    steps: list[Step] = []
    copies, targets = view.steps_of("drill"), view.steps_of("drill-target")
    for name in _copied(view):
        copy = copy_name(run, name)
        if copy not in drill.rules:
            steps.append(done(copies[name], "gone"))
            continue
        if not is_of_this_drill(drill.tags.get(copy, {}), run):
            return not_ours(copies[name], f"rule {copy}", run.run_id)
        where: dict[str, JsonValue] = {"EventBusName": view.target.bus}
        ids: list[JsonValue] = [*drill.targets.get(copy, ())]
        remove = Call("events", "RemoveTargets", {"Rule": copy, **where, "Ids": ids}, Side.TARGET)
        steps.append(gone(targets[name], f"target {', '.join(map(str, ids))}" if ids else "", remove))
        steps.append(gone(copies[name], "there", Call("events", "DeleteRule", {"Name": copy, **where}, Side.TARGET)))
    if drill.queue_url and not is_of_this_drill(drill.queue_tags, run):
        return not_ours(QUEUE, f"queue {drill.queue}", run.run_id)
    call = Call("sqs", "DeleteQueue", {"QueueUrl": drill.queue_url or Later("URL of the drill's queue")}, Side.TARGET)
    return [*steps, gone(QUEUE, "there" if drill.queue_url else "", call)]


def foreseen(view: EventBridgeView, run: RunContext, *, made: bool) -> EventBridgeView:
    """Return the view as the preview of a drill's later phases expects it."""
    drill = view.drill
    assert drill is not None
    if not made:
        return replace(view, drill=replace(drill, rules={}, targets={}, tags={}, queue_url=None, queue_tags={}))
    copies = {
        copy_name(run, name): rule.model_copy(update={"State": RuleState.ENABLED})
        for name in _copied(view)
        if (rule := view.target.rules.get(name)) is not None
    }
    tags: Mapping[str, str] = run.tags
    url = f"https://sqs.{view.target.place.region}.amazonaws.com/{view.target.place.account}/{drill.queue}"
    made_now = replace(
        drill,
        rules=copies,
        targets=dict.fromkeys(copies, (TARGET_ID,)),
        tags=dict.fromkeys(copies, tags),
        queue_url=url,
        queue_tags=tags,
    )
    return replace(view, drill=made_now)


def health(view: EventBridgeView, run: RunContext) -> list[Check]:
    """Check that every copy is enabled and sends to the drill's queue."""
    drill = view.drill
    assert drill is not None
    copies = [copy_name(run, name) for name in _copied(view)]
    well = [c for c in copies if c in drill.rules and drill.rules[c].enabled and drill.targets.get(c)]
    state = CheckState.HEALTHY if copies == well and drill.queue_url else CheckState.SETTLING
    return [
        Check(view.member.resource_id, "drill-rules", state, f"{len(well)} of {len(copies)} copies send to the queue")
    ]
