"""Manifests: every problem is told with its place, and what is good becomes waves."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.registry import adapters
from orchestrator.errors import ValidationError
from orchestrator.manifest import Manifest, actions_of, check, parse, schema
from orchestrator.manifest_diff import differences
from orchestrator.words import Phase

ACTIONS = {"AuroraMySQL": "aurora", "ECSService": "ecs", "Route53": "route53"}
GOOD: dict[str, Any] = {
    "manifestVersion": "1.0",
    "customer": "CustomerX",
    "environment": "production",
    "layers": [
        {
            "layerId": "data",
            "priority": 1,
            "resources": [
                {"resourceId": "orders-db", "action": "AuroraMySQL", "priority": "critical"},
                {"resourceId": "catalog-db", "action": "AuroraMySQL", "dependsOn": ["orders-db"]},
            ],
        },
        {
            "layerId": "services",
            "priority": 2,
            "dependsOn": ["data"],
            "resources": [
                {"resourceId": "api", "action": "ECSService", "config": {"desiredCount": "{{ssm:/orders/count}}"}}
            ],
        },
        {
            "layerId": "names",
            "priority": 2,
            "dependsOn": ["services"],
            "resources": [{"resourceId": "dns", "action": "Route53"}],
        },
    ],
}


def changed(**at: Any) -> str:
    """Return the good manifest with values put at places: layers__0__layerId="x"; `...` takes a value away."""
    document = deepcopy(GOOD)
    for path, value in at.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        place: Any = document
        for step in way:
            place = place[step]
        if value is ...:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return json.dumps(document)


def problems(text: str) -> list[str]:
    return [str(problem) for problem in check(text, ACTIONS)[1]]


def test_layers_become_waves_in_the_order_of_priority_and_dependency() -> None:
    manifest = parse(json.dumps(GOOD), ACTIONS)
    # Layers of one priority that depend on each other move one after the other
    assert manifest.waves == {"data": 1, "services": 2, "names": 3}
    assert manifest.run_phases == (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE)


def test_layers_of_one_priority_move_together() -> None:
    manifest = parse(changed(layers__2__dependsOn=["data"]), ACTIONS)
    assert manifest.waves == {"data": 1, "services": 2, "names": 2}


def test_a_layer_moves_after_what_it_needs_though_its_priority_says_otherwise() -> None:
    manifest = parse(changed(layers__1__priority=9, layers__2__priority=1), ACTIONS)
    assert manifest.waves["names"] > manifest.waves["services"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("{", "line 1 column 2", "not JSON"),
        ('{"layers": [}', "line 1 column 13", "not JSON"),
        ('{"customer": "a", "customer": "b"}', "$", '"customer" stands twice'),
        ("[]", "$", "is a list, expected an object"),
        ("null", "$", "is null, expected an object"),
        (changed(manifestVersion="2.0"), "manifestVersion", 'is "2.0", expected 1.0'),
        (changed(manifestVersion=...), "manifestVersion", "is missing"),
        (changed(customer=...), "customer", "is missing"),
        (changed(customer=3), "customer", "valid string"),
        (changed(customer=' "quoted" '), "customer", "cannot be the value of a tag"),
        (changed(environment="prod"), "environment", "'production', 'staging' or 'development'"),
        (changed(phases=["ACTIVATE", "DELETE"]), "phases[1]", "'INSTANTIATE'"),
        (changed(phases=[]), "phases", "at least 1"),
        (changed(layers=[]), "layers", "at least 1"),
        (changed(layers={}), "layers", "valid tuple"),
        (changed(layer=1), "layer", 'did you mean "layers"?'),
        (changed(layers__0__layerId=...), "layers[0].layerId", "is missing"),
        (changed(layers__0__priority=0), "layers[0].priority", "greater than or equal to 1"),
        (changed(layers__0__priority="first"), "layers[0].priority", "valid integer"),
        (changed(layers__0__resources=[]), "layers[0].resources", "at least 1"),
        (changed(layers__1__layerId="data"), "layers", 'layerId "data" stands 2 times'),
        (changed(layers__1__dependsOn=["dta"]), "layers[1].dependsOn", 'did you mean "data"?'),
        (changed(layers__0__dependsOn=["names"]), "layers", "in a circle"),
        (
            changed(layers__0__resources__0__action="AuroraMySq"),
            "layers[0].resources[0].action",
            'did you mean "AuroraMySQL"?',
        ),
        (changed(layers__0__resources__0__resourceId=""), "layers[0].resources[0].resourceId", "at least 1 character"),
        (changed(layers__0__resources__0__size=3), "layers[0].resources[0].size", "unknown field"),
        (changed(layers__0__resources__0__priority="urgent"), "layers[0].resources[0].priority", "'critical'"),
        (changed(layers__0__resources__0__arns=["orders"]), "layers[0].resources[0].arns[0]", "pattern"),
        (changed(layers__0__resources__0__config=[]), "layers[0].resources[0].config", "dictionary"),
        (changed(layers__2__resources__0__resourceId="api"), "layers[2].resources[0]", 'resourceId "api" stands at'),
        (
            changed(layers__0__resources__1__dependsOn=["orders"]),
            "layers[0].resources[1].dependsOn",
            'did you mean "orders-db"?',
        ),
        (
            changed(layers__0__resources__1__dependsOn=["api"]),
            "layers[0].resources[1].dependsOn",
            "moves in a later layer",
        ),
        (changed(layers__0__resources__0__dependsOn=["catalog-db"]), "resources", "in a circle"),
        (
            changed(layers__1__resources__0__config={"a": [{"b": "x {{smm:/y}}"}]}),
            "layers[1].resources[0].config.a[0].b",
            "{{smm:/y}} is not a reference",
        ),
        (
            changed(layers__1__resources__0__config={"a": "{{cfn:Stack}}"}),
            "layers[1].resources[0].config.a",
            "not a reference",
        ),
        (
            changed(layers__1__resources__0__config={"a": "{{ssm:/open"}),
            "layers[1].resources[0].config.a",
            "not a reference",
        ),
    ],
)
def test_problem_is_told_with_its_place(text: str, where: str, what: str) -> None:
    lines = problems(text)
    assert any(line.startswith(f"{where}: ") and what in line for line in lines), lines


def test_all_problems_are_told_at_once_and_nothing_is_half_made() -> None:
    text = changed(
        layers__0__resources__0__action="Nope", layers__1__dependsOn=["gone"], layers__2__resources__0__resourceId="api"
    )
    with pytest.raises(ValidationError) as told:
        parse(text, ACTIONS)
    assert "3 problem(s)" in told.value.message
    assert "dr manifest check" in told.value.remedy


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2000)
    | st.text(max_size=8)
    | st.sampled_from(["{{ssm:/a}}", "{{", "}}", "1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["a", "b", "c", "data", ""])
resources = st.fixed_dictionaries(
    {"resourceId": names | json_values, "action": st.sampled_from([*ACTIONS, "Nope"])},
    optional={
        "config": st.dictionaries(st.text(max_size=4), json_values, max_size=2) | json_values,
        "dependsOn": st.lists(names, max_size=2),
        "arns": json_values,
    },
)
layers = st.fixed_dictionaries(
    {"layerId": names, "priority": st.integers(0, 3) | json_values, "resources": st.lists(resources, max_size=3)},
    optional={"dependsOn": st.lists(names, max_size=2), "more": json_values},
)
manifests = st.fixed_dictionaries(
    {
        "manifestVersion": st.sampled_from(["1.0", "1.0", "1.0", "0", 1]),
        "customer": st.sampled_from(["X", "", 3]),
        "environment": st.sampled_from(["production", "prod"]),
    },
    optional={"layers": st.lists(layers, max_size=3) | json_values, "phases": json_values},
)


@pytest.mark.exhaustive
@settings(max_examples=4000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifests | json_values)
def test_whatever_is_read_is_either_good_or_told_problem_by_problem(document: Any) -> None:
    manifest, found = check(json.dumps(document), ACTIONS)
    assert manifest is not None or found
    for problem in found:
        assert problem.where
        assert problem.what
        assert problem.remedy
    if manifest is not None and not found:
        waves = manifest.waves
        assert set(waves.values()) == set(range(1, max(waves.values()) + 1))
        assert all(waves[needed] < waves[layer.layerId] for layer in manifest.layers for needed in layer.dependsOn)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_rubbish_is_told_and_never_a_crash(content: bytes | str) -> None:
    manifest, found = check(content, ACTIONS)
    assert manifest is None
    assert found


def test_schema_that_is_published_is_the_one_that_is_read() -> None:
    published = Path(__file__).resolve().parents[2] / "docs" / "manifest.schema.json"
    assert json.loads(published.read_text()) == schema(), "Try: make generate"
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    assert list(validator.iter_errors(GOOD)) == []
    for wrong in (changed(layers=[]), changed(customer=...), changed(manifestVersion="2.0"), changed(typo=1)):
        assert list(validator.iter_errors(json.loads(wrong))), wrong


def test_every_action_that_adapters_know_can_be_written() -> None:
    actions = actions_of(adapters())
    assert {"AuroraMySQL", "AuroraPostgreSQL"} <= set(actions)
    for action in actions:
        assert check(changed(layers__0__resources__0__action=action), {**ACTIONS, **actions})[1] == []


def test_reviewer_is_told_what_a_change_of_the_manifest_changes() -> None:
    def read(text: str) -> Manifest:
        return parse(text, ACTIONS)

    old = read(json.dumps(GOOD))
    assert differences(old, old) == []
    new = read(
        changed(
            layers__0__resources__1__dependsOn=[],
            layers__1__resources__0__config={"desiredCount": 4},
            layers__2__resources__1={"resourceId": "cdn", "action": "Route53"},
            layers__2__dependsOn=[],
        )
    )
    assert differences(old, new) == [
        "layer names: wave 3 -> 2",
        'api: config.desiredCount: "{{ssm:/orders/count}}" -> 4',
        'catalog-db: dependsOn: ["orders-db"] -> nothing',
        "cdn: new, Route53 in layer names",
    ]
