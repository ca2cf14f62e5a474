"""What is judged of EventBridge's rules and endpoints before a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.eventbridge.endpoint import trouble
from adapters.eventbridge.models import EndpointState, RuleState, facts_of
from adapters.eventbridge.rules import differs, held_back, scheduled, synchronised
from adapters.eventbridge.spec import GLOBAL_ENDPOINT, REPLICATION_MINUTES, RULE_TOGGLE, RULES_LIMIT, SPEC
from adapters.eventbridge.view import EventBridgeView, RuleSide, is_bus
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import findings as findings_of
from orchestrator.contract import Finding, RunContext
from orchestrator.words import Mode


def findings(view: EventBridgeView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, here = view.member.resource_id, view.target
    if not here.present:
        text = f"there is no event bus {here.bus} in {here.place.region}."
        return [red(me, "no-bus", text, "create it with the same dr:* tags, then: dr plan")]
    found = [
        *_rules(me, view, run),
        *_targets(me, view),
        *findings_of(me, view.lacks),
        *too_slow(view.member, SPEC.strategy(view.strategy)),
    ]
    if view.source is not None:
        found += _both(me, view, view.source)
    if view.strategy == GLOBAL_ENDPOINT:
        found += _endpoint(me, view, run)
    elif view.endpoint is not None:
        text = f"bus {here.bus} belongs to endpoint {view.endpoint.facts.name}, which {RULE_TOGGLE} does not turn."
        found.append(warning(me, "endpoint-stays", text, f"set dr:recovery-strategy to {GLOBAL_ENDPOINT}."))
    return found or [ready(me, f"{len(view.on)} rule(s) of bus {here.bus} can be enabled in {here.place.region}.")]


def _rules(me: str, view: EventBridgeView, run: RunContext) -> list[Finding]:
    here = view.target
    if not view.names:
        return [
            red(me, "no-rules", f"no rule of bus {here.bus} carries the bus's tags.", "tag its rules, then: dr plan")
        ]
    found = []
    off = [name for name in view.names if name not in view.on and _said(view, name) != "off"]
    if off:
        text = f"{_list(off)}: disabled on both sides; an interrupted move looks the same."
        found.append(red(me, "off", text, "enable it on the side that serves, or tag it dr:rule-state=off (or on)."))
    gone = [name for name in view.names if name in view.on and name not in here.rules]
    if gone and (view.source is None or run.mode is Mode.DRILL):
        text = f"{_list(gone)}: not there in {here.place.region}."
        found.append(red(me, "missing", text, "run INSTANTIATE in a planned run, or make it by hand, DISABLED."))
    elif gone:
        found.append(warning(me, "missing", f"{_list(gone)}: not there in {here.place.region}; INSTANTIATE makes it."))
        if len(here.rules) + len(gone) > RULES_LIMIT and is_bus(here.place):
            text = f"bus {here.bus} would have {len(here.rules) + len(gone)} rules, the default quota is {RULES_LIMIT}."
            found.append(warning(me, "quota", text, "ask for more by Service Quotas (Amazon EventBridge, rules)."))
    trail = [
        name
        for side in (view.source, here)
        for name, rule in (side.rules.items() if side else ())
        if name in view.names and rule.State is RuleState.ENABLED_WITH_TRAIL
    ]
    if trail:
        text = f"{_list(trail)}: {RuleState.ENABLED_WITH_TRAIL}, which EnableRule cannot bring back."
        found.append(red(me, "state", text, "move it by hand, and take dr:enabled off it."))
    left = sorted({name for place in (view.member.source, view.member.target) for name in facts_of(place).left})
    if left:
        text = f"{_list(left)} on bus {here.bus}: without the bus's tags, and left alone."
        found.append(warning(me, "untagged", text, "tag what is to be moved with Customer, Environment, dr:enabled."))
    return found


def _said(view: EventBridgeView, name: str) -> str:
    said = (facts_of(place).said.get(name) for place in (view.member.source, view.member.target))
    return next((each for each in said if each), "")


def _targets(me: str, view: EventBridgeView) -> list[Finding]:
    here = view.target
    found = [red(me, "target", f"{each}.", "create it there, or correct the rule's target.") for each in view.missing]
    bare = [name for name in view.names if name in here.rules and not here.targets.get(name)]
    made = [name for name in bare if view.source is not None and view.source.targets.get(name)]
    rest = [name for name in bare if name not in made]
    if made:
        text = f"{_list(made)}: without a target in {here.place.region}; INSTANTIATE puts what the serving side has."
        found.append(warning(me, "no-target", text))
    if rest:
        text = f"{_list(rest)}: without a target in {here.place.region}."
        found.append(red(me, "no-target", text, "put its targets, then: dr plan"))
    away = [
        f"rule {name} in {here.place.region} sends to {target.Arn}"
        for name in view.names
        for target in here.targets.get(name, ())
        if target.Arn.split(":")[3] == view.member.source.region != here.place.region
    ]
    found += [red(me, "target-region", f"{each}, in the Region being left.", "point it there.") for each in away]
    return found


def _both(me: str, view: EventBridgeView, there: RuleSide) -> list[Finding]:
    """Compare both sides, which only a run that reaches both can."""
    here, found = view.target, []
    twice = sorted(name for name in scheduled(view) if here.enabled(name) and there.enabled(name))
    if twice:
        text = f"{_list(twice)}: scheduled and enabled in both Regions; its work is done twice."
        found.append(warning(me, "twice", text, "disable it where it should not run."))
    for name in view.names:
        rule, like = here.rules.get(name), there.rules.get(name)
        if like is not None and rule is None:
            held = held_back(like, there.targets.get(name, ()))
            text = f"rule {name} names {held}, which exists in {there.place.region} only: it cannot be made by itself."
            found += [red(me, "not-mirrored", text, f"make it in {here.place.region} by hand.")] if held else []
        elif like is not None and rule is not None and differs(rule, like, there, here) and not synchronised(view):
            text = f"rule {name} in {here.place.region} differs from the one in {there.place.region}."
            remedy = 'correct it, or set "definitions": "sync" in the manifest to have it overwritten.'
            found.append(warning(me, "differs", text, remedy))
    return found


def _endpoint(me: str, view: EventBridgeView, run: RunContext) -> list[Finding]:
    endpoint = view.endpoint
    if endpoint is None:
        remedy = f"make one for both buses, or set dr:recovery-strategy to {RULE_TOGGLE}; then: dr plan"
        return [red(me, "no-endpoint", f"bus {view.target.bus} belongs to no global endpoint.", remedy)]
    facts, found = endpoint.facts, []
    wrong = trouble(endpoint)
    if wrong:
        found.append(red(me, "endpoint", f"{wrong[0]}.", wrong[1]))
    elif endpoint.described is not None and endpoint.described.State is not EndpointState.ACTIVE:
        text = f"endpoint {facts.name} is {endpoint.described.State}, expected ACTIVE."
        found.append(warning(me, "endpoint", text, "wait until it is ACTIVE."))
    if view.member.source.account != view.member.target.account:
        text = "a global endpoint works within one account; the sides lie in two."
        found.append(red(me, "accounts", text, f"set dr:recovery-strategy to {RULE_TOGGLE}."))
    regions = {facts.home, facts.secondary}
    if regions != {run.source_region, run.target_region}:
        text = f"endpoint {facts.name} serves {' and '.join(sorted(regions))}, not the Regions of this run."
        found.append(red(me, "regions", text))
    if endpoint.controlled and endpoint.check is None:
        text = f"health check {facts.check} of endpoint {facts.name} does not exist."
        found.append(red(me, "no-health-check", text, "give the endpoint another one, then: dr plan"))
    if not facts.replicated:
        found += _unreplicated(me, view, run)
    return found


def _unreplicated(me: str, view: EventBridgeView, run: RunContext) -> list[Finding]:
    text = f"events are not replicated: up to {REPLICATION_MINUTES} minutes of them stay in a Region that is lost"
    rpo = run.rpo_minutes.get(me)
    if rpo is not None and rpo < REPLICATION_MINUTES:
        text += f", dr:rpo-target is {rpo}"
    return [warning(me, "not-replicated", f"{text}.", "enable ReplicationConfig on the endpoint.")]


def _list(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"rule {', '.join(shown[:5])}{more}"
