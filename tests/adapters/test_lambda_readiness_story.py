"""What stops the move of a Lambda function before it begins, and what fails while it is under way."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.seeds.lambda_function import archive
from orchestrator.words import Outcome, Phase
from tests.adapters.lambda_scene import (
    NAME,
    bucket,
    client,
    consume,
    deployed_world,
    function_world,
    mapping_id,
    release,
    state,
    written,
)
from tests.support.driver import SOURCE, TARGET


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"outdated": True, "artifact": False}, "outdated", "us-west-2 runs code"),
        ({"reserved": 0, "queue": False}, "size", "0 on both sides"),
        (
            {"tags": {"dr:saved-capacity": "980"}},
            "quota",
            "the quota of us-west-2 is 900, 0 of it in use (100 of 1000 must stay",
        ),
        ({"provisioned": 5, "tags": {"dr:saved-capacity": "3"}}, "provisioned", "5 provisioned, more than the 3"),
    ],
)
def test_a_target_side_that_cannot_take_over_is_red(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], code: str, words: str
) -> None:
    run = function_world(monkeypatch, **settings).start()

    assert not run.ready
    assert words in run.findings[code]


def test_a_function_to_be_made_that_consumes_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = deployed_world(monkeypatch, queue=True).start()

    assert not run.ready
    assert "nothing on the target side consumes sqs:orders" in run.findings["mapping-missing"]


def test_a_function_that_vanished_is_not_made_by_alias_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    run = world.start()
    client(world, TARGET).delete_function(FunctionName=NAME)

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "the strategy alias-shift makes no functions" in action.detail


def test_the_tag_says_the_size_when_no_side_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=0, queue=False, tags={"dr:saved-capacity": "20"})

    world.start().all()

    assert state(world, TARGET).reserved == 20


def test_code_that_does_not_lie_where_the_tag_says_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch)
    aws = world.aws("s3", TARGET)
    name, key = bucket(world, TARGET)
    aws.delete_object(Bucket=name, Key=key)

    run = world.start()

    assert not run.ready
    assert "is not there, or dr-spoke-lambda may not read it" in run.findings["artifact-object"]


def test_another_object_than_the_source_side_runs_is_red_where_s3_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True)
    name, key = bucket(world, TARGET)
    world.aws("s3", TARGET).put_object(Bucket=name, Key=key, Body=archive("9"), ChecksumAlgorithm="SHA256")

    run = world.start()

    assert not run.ready
    assert "holds code" in run.findings["artifact-object"]


def test_another_object_than_expected_is_found_out_when_it_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True)
    run = world.start()
    name, key = bucket(world, TARGET)
    world.aws("s3", TARGET).put_object(Bucket=name, Key=key, Body=archive("9"))

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "holds code" in action.detail
    assert action.remedy == "put the object of that code there, then retry."


def test_a_canary_ends_before_the_move(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, releases=1)
    weights = {"AdditionalVersionWeights": {"1": 0.1}}
    client(world, SOURCE).update_alias(FunctionName=NAME, Name="live", FunctionVersion="2", RoutingConfig=weights)

    run = world.start()

    assert not run.ready
    assert "splits its calls" in run.findings["canary"]


def test_a_version_that_the_target_side_never_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    release(world, SOURCE, "7", alias=True)
    client(world, SOURCE).update_function_code(FunctionName=NAME, ZipFile=archive("2"))  # an alias stays behind
    world.wait(1)

    run = world.start()

    assert not run.ready
    assert "no version of orders in us-west-2 runs code" in run.findings["version-missing"]


def test_two_consumers_and_none_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    consume(world, TARGET, on=True)
    both = world.start()
    both.end()
    consume(world, TARGET, on=False)
    consume(world, SOURCE, on=False)
    none = world.start()

    assert "it is unclear which one stands by" in both.findings["both-consume"]
    assert "neither side consumes sqs:orders" in none.findings["nothing-consumes"]
    assert not both.ready
    assert not none.ready


def test_a_mapping_that_is_missing_stops_the_plan_and_later_the_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    run = world.start()
    client(world, TARGET).delete_event_source_mapping(UUID=mapping_id(world, TARGET))
    world.wait(1)

    run.phase(Phase.INSTANTIATE)
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "nothing in us-west-2 consumes sqs:orders" in action.detail
    assert state(world, SOURCE).consumes, "the source side is not stopped before the target side is fit"


def test_a_target_side_with_other_code_is_not_activated(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True)

    action = world.start(Phases=["ACTIVATE"]).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "does not run what live runs" in action.detail
    assert action.remedy == "run INSTANTIATE first."
    assert state(world, SOURCE).consumes


def test_mappings_of_one_queue_that_differ_are_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    queue = client(world, SOURCE).list_event_source_mappings()["EventSourceMappings"][0]["EventSourceArn"]
    client(world, SOURCE).create_event_source_mapping(FunctionName=NAME, EventSourceArn=queue, Enabled=False)
    world.wait(1)

    assert "some are on, some off" in world.start().findings["ambiguous-mapping"]


def test_what_is_regional_and_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    client(world, SOURCE).update_function_configuration(
        FunctionName=NAME, Environment={"Variables": {"STAGE": "prod", "TABLE": "orders"}}
    )
    world.wait(1)

    run = world.start()

    assert run.ready
    assert "orders lacks the variables TABLE" in run.findings["environment"]


def test_a_target_of_time_that_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    run = function_world(monkeypatch, tags={"dr:rto-target": "1"}).start()

    assert run.ready
    assert "dr:rto-target is 1" in run.findings["rto"]


# --- while it is under way ------------------------------------------------------------------------------------------------


def test_an_update_that_fails_ends_the_phase_and_a_retry_deploys_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True)
    run = world.start()
    world.fault(effect="fail", kind="lambda.update-function")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "its last update Failed (InternalError" in action.detail
    assert action.remedy
    assert "orders its last update Failed" in run.phase(Phase.ACTIVATE).detail
    assert state(world, SOURCE).consumes

    world.repair()
    world.wait(2)
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED


def test_provisioned_concurrency_that_fails_is_told_with_its_reason_and_can_be_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = function_world(monkeypatch, reserved=50, provisioned=5)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="lambda.provisioned-concurrency")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "FAILED: FUNCTION_ERROR_INIT_FAILURE" in action.detail
    assert not state(world, TARGET).consumes, "nothing is consumed before the function is ready"

    world.repair()
    world.wait(2)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert state(world, TARGET).provisioned == 5


def test_a_mapping_that_does_not_start_is_tried_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "open-function")
    world.fault(effect="fail", kind="lambda.event-source-mapping")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "start-sqs-orders" in action.detail
    assert "its effect never showed" in action.detail


def test_a_function_that_could_not_be_made_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch, vpc=True)
    subnets = [each["SubnetId"] for each in world.aws("ec2", TARGET).describe_subnets()["Subnets"][:1]]
    groups = [each["GroupId"] for each in world.aws("ec2", TARGET).describe_security_groups()["SecurityGroups"][:1]]
    told = written(world, TARGET, subnetIds=subnets, securityGroupIds=groups)
    run = world.start(**told)
    assert run.ready, run.findings
    world.fault(effect="fail", kind="lambda.create-function")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "SubnetOutOfIPAddresses" in action.detail
    assert "aws lambda delete-function --function-name orders" in action.remedy


def test_a_state_that_nobody_knows_is_an_error_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    run = world.start()
    world.local.after.append(_of_tomorrow)
    try:
        action = run.phase(Phase.INSTANTIATE)
    finally:
        world.local.after.remove(_of_tomorrow)

    assert action.outcome is Outcome.FAILED
    assert "the answer is not of the expected form" in action.detail


def _of_tomorrow(call: Any, reply: Any) -> Any:
    if call.operation != "GetFunction":
        return reply
    return {**reply, "Configuration": {**reply["Configuration"], "State": "Hibernating"}}
