"""The steps that put rules on and off, and bring a standby's missing rules into being. Both Regions never run one schedule.

EnableRule and DisableRule are absolute: repeated, they change nothing. PutRule replaces every field it is not given, so
it only makes rules, or (asked for by the manifest) replaces all that a standby's rule says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.eventbridge.models import Rule, RuleState, RuleTarget
from adapters.eventbridge.spec import ONE_REGION_ONLY, REST_SECONDS
from adapters.eventbridge.view import EventBridgeView, RuleSide
from adapters.reading import mirrored, tag_list
from orchestrator.contract import Call, Place, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side, StepState


def switch_on(view: EventBridgeView, side: RuleSide, where: Side, names: Iterable[str]) -> list[Step]:
    """Return the steps that enable rules."""
    return [_switch(side, where, name, step, on=True) for name, step in _steps(view, "enable", names)]


def switch_off(view: EventBridgeView, side: RuleSide, where: Side, names: Iterable[str]) -> list[Step]:
    """Return the steps that disable rules; what is not there needs no silencing."""
    return [_switch(side, where, name, step, on=False) for name, step in _steps(view, "disable", names)]


def _steps(view: EventBridgeView, verb: str, names: Iterable[str]) -> list[tuple[str, str]]:
    steps, wanted = view.steps_of(verb), set(names)
    return [(name, steps[name]) for name in view.names if name in wanted]


def _switch(side: RuleSide, where: Side, name: str, step: str, *, on: bool) -> Step:
    rule = side.rules.get(name)
    if rule is None:
        if on:
            return blocked(step, f"rule {name} is not there in {side.place.region}, expected ENABLED", _MAKE_IT)
        return done(step, f"rule {name} is not there")
    if rule.enabled is on:
        return done(step, f"rule {name} is {rule.State}", effect=Effect.REVERSIBLE)
    params: dict[str, JsonValue] = {"Name": name, "EventBusName": side.bus}
    call = Call("events", "EnableRule" if on else "DisableRule", params, where)
    expected = RuleState.ENABLED if on else RuleState.DISABLED
    return todo(step, call, Effect.REVERSIBLE, f"rule {name} is {rule.State}, expected {expected}")


_MAKE_IT = "make the rule there with its targets, DISABLED and with the same dr:* tags, then retry."


def all_there(view: EventBridgeView) -> list[Step]:
    """Return one BLOCKED step when a rule to be enabled is missing on the target side: silence nothing before that."""
    gone = [name for name in view.names if name in view.on and name not in view.target.rules]
    if not gone:
        return []
    return [blocked("rules-there", f"{', '.join(gone)} missing in {view.target.place.region}", _MAKE_IT)]


def at_rest(silenced: Sequence[Step], run: RunContext) -> Step:
    """Wait until rules that were just disabled have stopped matching: DisableRule takes effect a short period later."""
    name = "rules-at-rest"
    waited = [seconds for step in silenced if (seconds := run.seconds_since(step.name)) is not None]
    if any(step.state is not StepState.DONE for step in silenced):
        return busy(name, "waits for rules to be disabled")
    if waited and min(waited) < REST_SECONDS:
        return busy(name, f"{min(waited):.0f} s since the last rule was disabled, expected {REST_SECONDS:.0f} s")
    return done(name, "what was disabled matches no more events")


def scheduled(view: EventBridgeView) -> frozenset[str]:
    """Return the rules that fire by a schedule on either side."""
    sides = [side for side in (view.source, view.target) if side is not None]
    return frozenset(
        n for side in sides for n, rule in side.rules.items() if n in view.names and rule.ScheduleExpression
    )


# --- a standby that is not complete ---------------------------------------------------------------------------------


def make_missing(view: EventBridgeView, standby: RuleSide, model: RuleSide, where: Side, run: RunContext) -> list[Step]:
    """Return the steps that make what the standby lacks, DISABLED, with the model's definition for its Region."""
    steps: list[Step] = []
    puts, targets = view.steps_of("make"), view.steps_of("target")
    for name in view.names:
        made = _made(view, standby, model, name, puts[name], where, run)
        steps.append(made)
        if made.state is not StepState.BLOCKED:
            steps.append(_targeted(standby, model, name, targets[name], where, run))
    return steps


def _made(
    view: EventBridgeView, standby: RuleSide, model: RuleSide, name: str, step: str, where: Side, run: RunContext
) -> Step:
    rule, like = standby.rules.get(name), model.rules.get(name)
    if like is None:
        return done(step, f"rule {name} is not there in {model.place.region}: nothing to be like")
    if rule is not None and (not synchronised(view) or rule.enabled or not differs(rule, like, model, standby)):
        return done(step, f"rule {name} is there in {standby.place.region}, {rule.State}", effect=Effect.REVERSIBLE)
    held = held_back(like, model.targets.get(name, ()))
    if held:
        remedy = f"make rule {name} in {standby.place.region} by hand, DISABLED, with the same dr:* tags, then retry."
        return blocked(step, f"rule {name} names {held}, which exists in {model.place.region} only", remedy)
    tags = {key: value for key, value in view.tags.get(name, {}).items() if not key.startswith("aws:")}
    params: dict[str, JsonValue] = {
        "Name": name,
        "EventBusName": standby.bus,
        "State": RuleState.DISABLED,
        **definition(like, model.place, standby.place),
        # EventBridge ignores tags when it replaces a rule; IAM still looks at them.
        "Tags": tag_list({"dr:enabled": "true", **tags, **run.tags}),
    }
    call = Call("events", "PutRule", params, where)
    if rule is None:
        reason = f"not there in {standby.place.region}, is {like.State} in {model.place.region}"
        return todo(step, call, Effect.REVERSIBLE, reason)
    before = json.dumps(definition(rule, standby.place, standby.place), sort_keys=True)
    return todo(step, call, Effect.COMPENSABLE, f"differs from the serving side; it was {before}")


def _targeted(standby: RuleSide, model: RuleSide, name: str, step: str, where: Side, run: RunContext) -> Step:
    there, wanted = standby.targets.get(name, ()), model.targets.get(name, ())
    if there or not wanted:
        return done(step, f"rule {name} has {len(there)} target(s)", effect=Effect.REVERSIBLE)
    params: dict[str, JsonValue] = {
        "Rule": name,
        "EventBusName": standby.bus,
        "Targets": [mirrored_target(target, model.place, standby.place) for target in wanted],
    }
    keep = {"failed": "FailedEntryCount", "why": "FailedEntries[0].ErrorMessage"}
    call = Call("events", "PutTargets", params, where, keep=keep)
    return judged_targets(name, step, call, run)


def judged_targets(rule: str, step: str, call: Call, run: RunContext) -> Step:
    """Judge targets that are not there: PutTargets answers 200 also when it took none, and says so in the reply."""
    answer = run.kept.get(step, {})
    if answer.get("failed") and run.seconds_since(step) is not None:
        why = answer.get("why") or "no reason given"
        return failed(step, f"EventBridge took no target of rule {rule}: {why}", "correct the target, then retry.")
    return todo(step, call, Effect.REVERSIBLE, f"rule {rule} has no target")


def synchronised(view: EventBridgeView) -> bool:
    """Say whether the manifest wants a standby's rules to be overwritten by those of the side that serves."""
    return view.member.settings.get("definitions") == "sync"


def held_back(rule: Rule, targets: Sequence[RuleTarget]) -> str:
    """Return what a rule or its targets name that exists in one Region only; empty when all can be mirrored."""
    text = json.dumps([rule.EventPattern or "", *(target.raw() for target in targets)])
    found = ONE_REGION_ONLY.search(text)
    return found.group(0).strip(":/") if found else ""


def differs(rule: Rule, like: Rule, model: RuleSide, standby: RuleSide) -> bool:
    """Say whether a standby's rule is not what the model's rule would be in its Region."""
    mine, wanted = definition(rule, standby.place, standby.place), definition(like, model.place, standby.place)
    compared = ("EventPattern", "ScheduleExpression", "RoleArn")
    return any(_plain(mine.get(name)) != _plain(wanted.get(name)) for name in compared)


def _plain(value: JsonValue) -> JsonValue:
    """Return an event pattern as what it means: how it is written does not matter."""
    try:
        plain: JsonValue = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return plain


def definition(rule: Rule, here: Place, there: Place) -> dict[str, JsonValue]:
    """Return what a rule says, for another place."""
    fields = {
        "EventPattern": rule.EventPattern,
        "ScheduleExpression": rule.ScheduleExpression,
        "Description": rule.Description,
        "RoleArn": rule.RoleArn,
    }
    return {name: mirrored(value, here, there) for name, value in fields.items() if value}


def mirrored_target(target: RuleTarget, here: Place, there: Place) -> dict[str, JsonValue]:
    """Return a target for another place."""
    return {name: mirrored(value, here, there) for name, value in target.raw().items()}


# --- what the phases leave behind -----------------------------------------------------------------------------------


def switched(side: RuleSide, names: Iterable[str], state: RuleState) -> RuleSide:
    """Return a side whose rules are foreseen in a state; one that is enabled in another way stays so."""
    rules = dict(side.rules)
    for name in names:
        if name in rules and rules[name].enabled is not (state is RuleState.ENABLED):
            rules[name] = rules[name].model_copy(update={"State": state})
    return replace(side, rules=rules)


def completed(side: RuleSide, model: RuleSide, names: Iterable[str]) -> RuleSide:
    """Return a side that is foreseen to have what it lacks, disabled, with the model's targets."""
    rules, targets = dict(side.rules), dict(side.targets)
    for name in names:
        if name in model.rules and name not in rules:
            rules[name] = model.rules[name].model_copy(update={"State": RuleState.DISABLED})
        targets[name] = targets.get(name) or model.targets.get(name, ())
    return replace(side, rules=rules, targets=targets)
