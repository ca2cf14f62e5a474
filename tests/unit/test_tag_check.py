"""The tags of a whole scope, judged together: on the hub's inventory, or on a file in CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.registry import adapter
from cli.main import dr
from orchestrator import planner
from orchestrator.errors import ValidationError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.request import parse
from orchestrator.tag_check import TagFinding, check
from orchestrator.tags import KNOWN
from orchestrator.words import Severity
from tests.unit.scripted_platform import REQUEST, SOURCE, START, TARGET

SCOPE = Scope(customer="CustomerX", environment="production")
GOOD = {"dr:enabled": "true", "dr:wave": "1", "Customer": "CustomerX", "Environment": "production"}


def resource(
    name: str, east: dict[str, str] | None = None, west: dict[str, str] | None = None, **both: str
) -> Resource:
    tags = {key.replace("dr_", "dr:").replace("_", "-"): value for key, value in both.items()}

    def side(region: str, own: dict[str, str]) -> SideRecord:
        return SideRecord(
            account="222222222222", region=region, id=name, arn=f"arn:aws:ecs:{region}:2:service/{name}", tags=own
        )

    sides = {
        SOURCE: side(SOURCE, {**GOOD, **tags, **(east or {})}),
        TARGET: side(TARGET, {**GOOD, **tags, **(west or {})}),
    }
    return Resource(resource_id=f"ecs/{name}", adapter="ecs", name=name, strategy="scale-service", sides=sides)


def found(*resources: Resource) -> list[TagFinding]:
    return check(Snapshot(scope=SCOPE, taken_at=START, resources=resources), adapter, (SOURCE, TARGET))


def told(*resources: Resource) -> list[str]:
    return [f"{each.severity} {each.resource_id}: {each.message}" for each in found(*resources)]


def test_good_tags_have_nothing_to_tell() -> None:
    assert told(resource("api"), resource("web", dr_dependencies="api", dr_wave="2")) == []


def test_wrong_value_is_told_with_the_side_that_carries_it() -> None:
    (line,) = told(resource("api", west={"dr:priority": "urgent"}))
    assert line.startswith("red ecs/api: arn:aws:ecs:us-west-2:2:service/api: dr:priority is")


def test_two_waves_for_the_two_sides_of_one_resource_are_a_conflict() -> None:
    (line,) = told(resource("orders-db", west={"dr:wave": "2"}))
    assert line == 'red ecs/orders-db: dr:wave is "1" in us-east-1, "2" in us-west-2; both sides must agree'


def test_dependency_on_nothing_and_on_a_later_wave_are_told_of_the_resource_that_has_them() -> None:
    lines = told(
        resource("api", dr_dependencies="cache"), resource("web", dr_dependencies="late"), resource("late", dr_wave="3")
    )
    assert lines == [
        'red ecs/api: ecs/api: dr:dependencies names "cache", which is not in the scope',
        "red ecs/web: ecs/web (wave 1) depends on ecs/late, which comes later (wave 3)",
    ]


def test_circle_is_told_once_of_the_scope() -> None:
    (line,) = told(resource("a", dr_dependencies="b"), resource("b", dr_dependencies="a"))
    assert line.startswith("red scope: dependencies form a cycle")


def test_urgent_resource_that_waits_for_one_that_is_not_is_a_warning() -> None:
    (finding,) = found(
        resource("api", dr_priority="critical", dr_dependencies="cache"), resource("cache", dr_priority="low")
    )
    assert finding.severity is Severity.WARNING
    assert "is moved as critical too" in finding.message
    assert finding.remedy == "give ecs/cache dr:priority=critical"


def test_resource_without_a_counterpart_is_told() -> None:
    lonely = resource("api")
    lonely = lonely.model_copy(update={"sides": {SOURCE: lonely.sides[SOURCE]}})
    assert told(lonely) == ["red ecs/api: was found only in us-east-1, not in us-west-2"]


WORDS = ["true", "false", "1", "2", "0", "-1", "critical", "a", "b,c", "x", "", "production", "https://x"]
values = st.sampled_from(WORDS) | st.text(max_size=6)
tag_sets = st.dictionaries(st.sampled_from([*KNOWN, "dr:wav", "dr:other", "Name"]), values, max_size=8)


@pytest.mark.exhaustive
@settings(max_examples=3000, deadline=None)
@given(st.lists(st.tuples(tag_sets, tag_sets), min_size=1, max_size=3))
def test_any_tags_are_good_or_told_and_never_a_crash(drawn: list[tuple[dict[str, str], dict[str, str]]]) -> None:
    resources = [resource(name, east, west) for name, (east, west) in zip("abc", drawn, strict=False)]
    for finding in found(*resources):
        assert finding.message
        assert finding.remedy
        assert finding.resource_id in {"scope", *(each.resource_id for each in resources)}


@pytest.mark.exhaustive
@settings(max_examples=2000, deadline=None)
@given(st.lists(st.tuples(tag_sets, tag_sets), min_size=1, max_size=3), st.sampled_from([None, [1], [2, 3]]))
def test_any_tags_give_a_whole_plan_or_a_list_of_problems(
    drawn: list[tuple[dict[str, str], dict[str, str]]], waves: list[int] | None
) -> None:
    resources = [resource(name, east, west) for name, (east, west) in zip("abc", drawn, strict=False)]
    request = parse({**REQUEST, **({"Waves": waves} if waves else {})})
    try:
        plan = planner.build(request, Snapshot(scope=SCOPE, taken_at=START, resources=tuple(resources)), adapter)
    except ValidationError as refused:
        assert refused.code in {"BadScope", "EmptyScope"}  # noqa: PT017
        assert refused.remedy  # noqa: PT017
        return
    moved = {resource_id for action in plan.actions for resource_id in action.resource_ids}
    assert moved | plan.excluded.keys() == {each.resource_id for each in resources}
    assert not moved & plan.excluded.keys()


def run(tmp_path: Path, *resources: Resource, output: str = "table") -> Any:
    file = tmp_path / "inventory.json"
    file.write_text(Snapshot(scope=SCOPE, taken_at=START, resources=resources).model_dump_json())
    return CliRunner().invoke(dr, ["tags", "check", "--inventory", str(file), "--output", output])


def test_command_checks_a_file_without_aws_and_fails_ci_when_something_is_wrong(tmp_path: Path) -> None:
    assert run(tmp_path, resource("api")).exit_code == 0
    bad = run(tmp_path, resource("api", dr_wave="first"), output="json")
    assert bad.exit_code == 2
    assert {each["severity"] for each in json.loads(bad.stdout)} == {"red"}
    warned = run(tmp_path, resource("api", dr_priority="high", dr_dependencies="c"), resource("c", dr_priority="low"))
    assert warned.exit_code == 0
    assert "warning: ecs/api" in warned.stdout


def test_command_without_a_scope_says_what_is_missing() -> None:
    result = CliRunner().invoke(
        dr, ["tags", "check"], env={"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "DR_REGION": ""}
    )
    assert result.exit_code == 2
    assert "--inventory" in result.stderr
