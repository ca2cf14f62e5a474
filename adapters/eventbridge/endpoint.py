"""A global endpoint: its Route 53 health check decides which Region gets the events; a planned move overrides the check.

Disabled counts as healthy, and Inverted turns that: a check with both is unhealthy for good (Route 53 API reference,
UpdateHealthCheck). No API tells which Region an endpoint serves from; what is judged is the check.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import JsonValue

from adapters.eventbridge.models import EndpointState
from adapters.eventbridge.spec import ENDPOINT_SECONDS, FAILED_ENDPOINTS
from adapters.eventbridge.view import EndpointView, EventBridgeView
from orchestrator.contract import Call, Check, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import CheckState, Effect, Side, StepState

HOLD, RELEASE, FOLLOWS = "hold-secondary", "release-primary", "endpoint-follows"


def point(view: EventBridgeView, run: RunContext, region: str) -> list[Step]:
    """Return the steps after which the endpoint sends events to a Region."""
    endpoint = view.endpoint
    if endpoint is None:
        remedy = "make a global endpoint for both buses, or set dr:recovery-strategy to rule-toggle; then: dr plan"
        return [blocked(HOLD, f"bus {view.target.bus} belongs to no global endpoint", remedy)]
    wrong = trouble(endpoint)
    if wrong:
        return [failed("endpoint-active", *wrong)]
    step = _check(endpoint, region)
    return [step, _follows(step, run)]


def trouble(endpoint: EndpointView) -> tuple[str, str] | None:
    """Return what is wrong with the endpoint and what to do; None when nothing is, or its home may not be asked."""
    name = endpoint.facts.name
    if not endpoint.readable:
        return None
    if endpoint.described is None:
        return f"endpoint {name} is not there in {endpoint.facts.home}", "create it again, then: dr plan"
    state, why = endpoint.described.State, endpoint.described.StateReason
    if state in FAILED_ENDPOINTS:
        return (
            f"endpoint {name} is {state} ({why or 'no reason given'}), expected ACTIVE",
            f"{FAILED_ENDPOINTS[state]}.",
        )
    return None


def _check(endpoint: EndpointView, region: str) -> Step:
    facts = endpoint.facts
    away = region != facts.home
    name = HOLD if away else RELEASE
    if not endpoint.controlled:
        if not away and facts.forced:
            reason = f"health check {facts.check} is overridden, and Route 53's control plane may not be called now"
            remedy = (
                f"let publishers put events straight onto the bus in {region}, or restore the check once it answers."
            )
            return blocked(name, reason, remedy)
        return done(name, f"health check {facts.check} moves the endpoint by itself; its control plane is not called")
    check = endpoint.check
    if check is None:
        return failed(name, f"health check {facts.check} does not exist", "give the endpoint another one, then retry.")
    config = check.HealthCheckConfig
    seen = f"health check {check.Id}: Disabled {config.Disabled}, Inverted {config.Inverted}"
    if check.forced if away else check.natural:
        return done(name, seen, effect=Effect.REVERSIBLE)
    params: dict[str, JsonValue] = {
        "HealthCheckId": check.Id,
        "HealthCheckVersion": check.HealthCheckVersion,
        "Disabled": away,
        "Inverted": away,
    }
    call = Call("route53", "UpdateHealthCheck", params, Side.GLOBAL)
    return todo(name, call, Effect.REVERSIBLE, f"{seen}, expected {away} and {away}")


def _follows(step: Step, run: RunContext) -> Step:
    waited = run.seconds_since(step.name)
    if step.state is not StepState.DONE:
        return busy(FOLLOWS, "follows the health check")
    if waited is not None and waited < ENDPOINT_SECONDS:
        return busy(FOLLOWS, f"{waited:.0f} s since the health check was changed, expected {ENDPOINT_SECONDS:.0f} s")
    return done(FOLLOWS, "the endpoint follows its health check")


def checks(view: EventBridgeView, region: str) -> list[Check]:
    """Judge the endpoint: there, ACTIVE, and its health check set for a Region."""
    me, endpoint = view.member.resource_id, view.endpoint
    if endpoint is None:
        return [Check(me, "endpoint", CheckState.UNHEALTHY, f"bus {view.target.bus} belongs to no global endpoint")]
    wrong = trouble(endpoint)
    if wrong:
        return [Check(me, "endpoint", CheckState.UNHEALTHY, wrong[0])]
    state = endpoint.described.State if endpoint.described else "not asked: its home Region is lost"
    settled = endpoint.described is None or endpoint.described.State is EndpointState.ACTIVE
    found = [Check(me, "endpoint", CheckState.HEALTHY if settled else CheckState.SETTLING, f"{state}")]
    step = _check(endpoint, region)
    right = step.state is StepState.DONE
    return [*found, Check(me, "endpoint-route", CheckState.HEALTHY if right else CheckState.SETTLING, step.reason)]


def foreseen(view: EventBridgeView, region: str) -> EventBridgeView:
    """Return the view with the health check as it is foreseen once the endpoint sends to a Region."""
    endpoint = view.endpoint
    if endpoint is None or endpoint.check is None:
        return view
    away = region != endpoint.facts.home
    config = endpoint.check.HealthCheckConfig.model_copy(update={"Disabled": away, "Inverted": away})
    check = endpoint.check.model_copy(update={"HealthCheckConfig": config})
    return replace(view, endpoint=replace(endpoint, check=check))
