"""Find EventBridge's resources: a tagged bus stands for its tagged rules, a tagged rule elsewhere for itself. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.eventbridge.models import Endpoint, EndpointFacts, Endpoints, EventBus, PlaceFacts, Rule, bus_of
from adapters.eventbridge.spec import GLOBAL_ENDPOINT, MISSING, RULE_TOGGLE
from adapters.eventbridge.view import list_rules, tags_of
from adapters.route53.models import GotHealthCheck
from adapters.route53.spec import CHECK_MISSING
from orchestrator.contract import Found, Place, Reader
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT

RULE_STATE = "dr:rule-state"
SCOPE = (CUSTOMER, ENVIRONMENT, ENABLED)


def find(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged buses with their rules, and the tagged rules of other buses; the sides have the same names."""
    endpoints = [e for page in aws.pages("events", "ListEndpoints", Endpoints) for e in page.Endpoints]
    found, covered = [], set[str]()
    for arn in sorted(each for each in arns if _is_tagged_bus(each)):
        if aws.find("events", "DescribeEventBus", EventBus, missing=MISSING, Name=bus_of(arn)) is not None:
            bus, its = _bus(aws, arn, endpoints)
            found.append(bus)
            covered |= its
    by_bus: dict[str, list[str]] = {}
    for arn in arns:
        if ":rule/" in arn and arn not in covered:
            by_bus.setdefault(bus_of(arn), []).append(arn)
    for bus_name, mine in sorted(by_bus.items()):
        rules = {rule.Arn: rule for rule in (list_rules(aws, bus_name) or {}).values()}
        found += [_rule(aws, bus_name, rules[arn]) for arn in sorted(mine) if arn in rules]
    return found


def _is_tagged_bus(arn: str) -> bool:
    """AWS's own events share the default bus: a tag there would speak for everybody's rules."""
    return ":event-bus/" in arn and bus_of(arn) != "default"


def _bus(aws: Reader, arn: str, endpoints: Sequence[Endpoint]) -> tuple[Found, set[str]]:
    name, tags = bus_of(arn), tags_of(aws, arn)
    rules = list_rules(aws, name) or {}
    tagged = {rule: tags_of(aws, each.Arn) for rule, each in rules.items()}
    mine = {rule: each for rule, each in sorted(rules.items()) if _same_scope(tagged[rule], tags)}
    endpoint = next((each for each in endpoints if arn in each.buses), None)
    facts = PlaceFacts(
        rules={rule: each.State for rule, each in mine.items()},
        said={rule: tagged[rule][RULE_STATE] for rule in mine if RULE_STATE in tagged[rule]},
        left=tuple(sorted(rule for rule in rules if rule not in mine)),
        endpoint=_endpoint(aws, endpoint) if endpoint else None,
    )
    place = Place(aws.account, aws.region, f"{name}/*", arn, _kept(facts))
    found = Found(f"bus {name}", f"{name}-bus", place, tags, GLOBAL_ENDPOINT if endpoint else None)
    return found, {rule.Arn for rule in mine.values()}


def _rule(aws: Reader, bus: str, rule: Rule) -> Found:
    tags = tags_of(aws, rule.Arn)
    said = {rule.Name: tags[RULE_STATE]} if RULE_STATE in tags else {}
    name = rule.Arn.partition(":rule/")[2]
    place = Place(aws.account, aws.region, name, rule.Arn, _kept(PlaceFacts(rules={rule.Name: rule.State}, said=said)))
    return Found(f"rule {bus}/{rule.Name}", f"{bus}/{rule.Name}", place, tags, RULE_TOGGLE)


def _kept(facts: PlaceFacts) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = facts.model_dump(mode="json", exclude_none=True)
    return kept


def _same_scope(mine: Mapping[str, str], of_bus: Mapping[str, str]) -> bool:
    return all(key in mine and mine[key] == of_bus.get(key) for key in SCOPE)


def _endpoint(aws: Reader, endpoint: Endpoint) -> EndpointFacts:
    """Return what an emergency needs; the Region that lists an endpoint is its home, its primary Region."""
    found = aws.find(
        "route53", "GetHealthCheck", GotHealthCheck, missing=CHECK_MISSING, HealthCheckId=endpoint.check_id
    )
    return EndpointFacts(
        name=endpoint.Name,
        home=aws.region,
        secondary=endpoint.RoutingConfig.FailoverConfig.Secondary.Route,
        check=endpoint.check_id,
        replicated=endpoint.ReplicationConfig.State == "ENABLED",
        forced=found is not None and found.HealthCheck.forced,
    )
