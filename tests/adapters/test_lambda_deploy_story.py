"""Lambda functions that exist in one Region only: made from source when they are needed; and drills, which make copies."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.seeds.lambda_function import archive
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.lambda_scene import NAME, bucket, client, deployed_world, function_world, state, written
from tests.support.driver import SOURCE, TARGET, World


def names(world: World, region: str) -> list[str]:
    return sorted(each["FunctionName"] for each in client(world, region).list_functions()["Functions"])


def test_the_function_is_made_closed_then_opened_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch, reserved=20)
    serving = state(world, SOURCE)
    run = world.start()
    assert run.ready, run.findings
    assert "it will be made" in run.findings["made-anew"]
    foreseen = run.previewed_calls()

    # When it is made, it takes no calls yet, and carries the tags and settings of the other side
    run.phase(Phase.INSTANTIATE)
    assert state(world, TARGET).reserved == 0
    there = client(world, SOURCE).get_function(FunctionName=NAME)
    here = client(world, TARGET).get_function(FunctionName=NAME)
    assert here["Tags"] == {**there["Tags"], "dr:execution-id": run.run_id}
    for each in ("CodeSha256", "Handler", "Runtime", "Timeout", "MemorySize", "Role", "Environment"):
        assert here["Configuration"][each] == there["Configuration"][each]

    # Then the run opens it and closes the old side
    ended = run.all()
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert state(world, TARGET) == serving
    assert state(world, SOURCE).reserved == 0
    run.end()

    back = world.start(Operation.FAILBACK).all()
    assert {action.outcome for action in back.values()} == {Outcome.SUCCEEDED}, back
    assert (state(world, SOURCE).reserved, state(world, TARGET).reserved) == (20, 0)
    assert world.refusals() == []


def test_an_emergency_makes_the_function_from_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch, reserved=20)
    serving = state(world, SOURCE)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert state(world, TARGET) == serving
    assert {call.region for call in world.calls()} == {TARGET}
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert state(world, TARGET).reserved == 0, "a function that was made stays, closed"


def test_what_is_regional_comes_from_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch, vpc=True, environment={"QUEUE": "https://sqs.us-east-1.amazonaws.com/1/q"})
    run = world.start()
    assert not run.ready
    assert "config.us-west-2.subnetIds is missing in the manifest" in run.findings["missing"]
    run.end()
    subnets = [each["SubnetId"] for each in world.aws("ec2", TARGET).describe_subnets()["Subnets"][:2]]
    groups = [each["GroupId"] for each in world.aws("ec2", TARGET).describe_security_groups()["SecurityGroups"][:1]]

    told = written(world, TARGET, subnetIds=subnets, securityGroupIds=groups, environment={"QUEUE": "of the west"})
    run = world.start(**told)

    assert run.ready, run.findings
    assert "name us-east-1" in run.findings["environment"]
    assert {action.outcome for action in run.all().values()} == {Outcome.SUCCEEDED}
    made = client(world, TARGET).get_function(FunctionName=NAME)["Configuration"]
    assert sorted(made["VpcConfig"]["SubnetIds"]) == sorted(subnets)
    assert made["Environment"]["Variables"] == {"STAGE": "prod", "QUEUE": "of the west"}


def test_without_the_tag_nobody_knows_where_the_other_side_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch, artifact=False)

    with pytest.raises(Exception, match="has no counterpart in us-west-2"):
        world.start()


# --- drills -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_a_drill_makes_a_copy_beside_the_function_and_removes_it(monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    world = function_world(monkeypatch, reserved=50) if exists else deployed_world(monkeypatch)
    before = state(world, TARGET) if exists else None
    run = world.start(Operation.TEST)

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    (copy,) = [name for name in names(world, TARGET) if name != NAME]
    made = client(world, TARGET).get_function(FunctionName=copy)
    assert made["Tags"] == {"dr:drill-id": run.run_id}
    assert client(world, TARGET).list_event_source_mappings(FunctionName=copy)["EventSourceMappings"] == []
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert names(world, TARGET) == ([NAME] if exists else [])
    assert world.operations() == ["CreateFunction", "DeleteFunction"]
    assert before is None or state(world, TARGET) == before
    assert world.refusals() == []


def test_a_drill_calls_its_copy_only_where_the_owner_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, tags={"dr:drill-safe": "true"})
    run = world.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert "answered 200" in {step.reason for step in action.steps}
    run.phase(Phase.CLEANUP)
    assert world.operations() == ["CreateFunction", "Invoke", "DeleteFunction"]
    assert world.refusals() == []


def test_a_copy_that_answers_with_an_error_is_the_result_of_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, tags={"dr:drill-safe": "true"})
    run = world.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)
    (copy,) = [name for name in names(world, TARGET) if name != NAME]
    client(world, TARGET).update_function_configuration(FunctionName=copy, Handler="app.nobody")
    world.wait(1)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "answered 200 Unhandled" in action.detail
    assert copy in action.remedy
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert names(world, TARGET) == [NAME]


def test_a_drill_finds_out_that_the_object_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    run = world.start(Operation.TEST)
    name, key = bucket(world, TARGET)
    world.aws("s3", TARGET).put_object(Bucket=name, Key=key, Body=archive("9"))

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "holds code" in action.detail


def test_a_drill_without_code_to_make_a_copy_from_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, artifact=False)
    run = world.start(Operation.TEST)

    ended = run.all()

    assert ended[Phase.INSTANTIATE].outcome is Outcome.SKIPPED
    assert "only looks at the standing function" in ended[Phase.INSTANTIATE].detail
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert world.operations() == []


def test_a_function_of_the_copys_name_that_the_drill_did_not_make_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = function_world(monkeypatch)
    run = world.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)
    (copy,) = [name for name in names(world, TARGET) if name != NAME]
    arn = client(world, TARGET).get_function(FunctionName=copy)["Configuration"]["FunctionArn"]
    client(world, TARGET).tag_resource(Resource=arn, Tags={"dr:drill-id": "another"})

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "does not carry dr:drill-id" in action.detail
    assert copy in names(world, TARGET)


def test_an_image_must_lie_in_the_registry_of_the_target_region(monkeypatch: pytest.MonkeyPatch) -> None:
    image = "222222222222.dkr.ecr.{0}.amazonaws.com/orders:1"
    tag = " ".join(f"{region}={image.format(region)}" for region in (SOURCE, TARGET))
    world = function_world(monkeypatch, artifact=False, outdated=True, tags={"dr:artifact": tag})

    run = world.start()

    assert not run.ready
    assert f"image {image.format(TARGET)} does not exist in {TARGET}" in run.findings["artifact-object"]
    seen: list[Any] = [call for call in world.calls() if call.operation == "DescribeImages"]
    assert seen
    assert world.refusals() == []
