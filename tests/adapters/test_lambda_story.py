"""Lambda functions through the real engine: closed here, opened there, and each event consumed by one side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.ledger.records import Action
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.lambda_scene import (
    NAME,
    client,
    consume,
    function_world,
    mapping_id,
    release,
    state,
)
from tests.support.driver import SOURCE, TARGET, World


def outcomes(ended: Mapping[Phase, Action]) -> set[Outcome | None]:
    return {action.outcome for action in ended.values()}


def test_the_function_moves_and_comes_back_with_its_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a function in production, and older code on the target side
    world = function_world(monkeypatch, reserved=50, provisioned=5, outdated=True)
    serving = state(world, SOURCE)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        # When it is moved
        ended = run.all()

        # Then the target side does what the source side did, which is closed and says so
        assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert replace(state(world, here), live="") == replace(serving, live="")
        assert replace(state(world, there), live="", code="") == replace(
            serving, live="", code="", reserved=0, consumes=False, provisioned=0
        )
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_the_source_side_stops_consuming_before_the_target_side_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=50)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.local.call_log.clear()

    run.phase(Phase.ACTIVATE)

    changes = [(call.operation, call.region) for call in world.calls() if call.mutating]
    assert changes == [
        ("UpdateEventSourceMapping", SOURCE),
        ("PutFunctionConcurrency", TARGET),
        ("UpdateEventSourceMapping", TARGET),
    ]


def test_a_function_without_a_reservation_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)

    ended = world.start().all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert state(world, TARGET).reserved is None
    assert state(world, SOURCE).reserved == 0
    assert "DeleteFunctionConcurrency" in world.operations(TARGET)


def test_settings_that_a_version_freezes_are_brought_along(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    client(world, SOURCE).update_function_configuration(FunctionName=NAME, MemorySize=512, Timeout=60)
    world.wait(1)
    release(world, SOURCE, "2")

    ended = world.start().all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    behind = client(world, TARGET).get_function(FunctionName=NAME, Qualifier="live")["Configuration"]
    assert (behind["MemorySize"], behind["Timeout"]) == (512, 60)


def test_an_alias_that_is_missing_on_the_target_side_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    client(world, SOURCE).create_alias(FunctionName=NAME, Name="nightly", FunctionVersion="$LATEST")

    ended = world.start().all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert client(world, TARGET).get_alias(FunctionName=NAME, Name="nightly")["FunctionVersion"] == "$LATEST"


def test_a_mapping_of_an_alias_moves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, queue=False)
    for region in (SOURCE, TARGET):
        world.aws("sqs", region).create_queue(QueueName="refunds", Attributes={"VisibilityTimeout": "180"})
        client(world, region).create_event_source_mapping(
            FunctionName=f"{NAME}:live",
            EventSourceArn=f"arn:aws:sqs:{region}:222222222222:refunds",
            Enabled=region == SOURCE,
        )
    world.wait(1)

    ended = world.start().all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    states = {
        region: client(world, region).list_event_source_mappings()["EventSourceMappings"][0]["State"]
        for region in (SOURCE, TARGET)
    }
    assert states == {SOURCE: "Disabled", TARGET: "Enabled"}


# --- emergency ----------------------------------------------------------------------------------------------------------


def emergency(world: World) -> dict[Phase, Action]:
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()
    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()
    run.end()
    return ended


def test_an_emergency_opens_what_the_inventory_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=50, provisioned=5)
    serving = state(world, SOURCE)

    ended = emergency(world)

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert state(world, TARGET) == serving
    assert {call.region for call in world.calls()} == {TARGET}


def test_an_emergency_deploys_the_code_when_it_lies_in_the_target_region(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True)
    serving = state(world, SOURCE)

    ended = emergency(world)

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert state(world, TARGET).code == serving.code


def test_old_code_is_better_than_none_in_an_emergency_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, outdated=True, artifact=False)
    old = state(world, TARGET).code

    (action,) = emergency(world).values()

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "expected code" in action.detail
    assert (state(world, TARGET).reserved, state(world, TARGET).code) == (None, old)
    assert state(world, TARGET).consumes


def test_the_returned_region_is_stopped_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an emergency, after which both sides consume
    world = function_world(monkeypatch, reserved=50)
    emergency(world)
    world.repair()
    assert state(world, SOURCE).consumes
    assert state(world, TARGET).consumes

    # When the clean-up is run
    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    assert run.ready, run.findings
    assert "CLEANUP stops the one in us-east-1" in run.findings["both-consume"]
    ended = run.all()

    # Then the old side is closed, and the serving one is left alone
    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    assert (state(world, SOURCE).reserved, state(world, SOURCE).consumes) == (0, False)
    assert (state(world, TARGET).reserved, state(world, TARGET).consumes) == (50, True)


def test_code_that_was_deployed_during_the_outage_reaches_the_returned_side(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    emergency(world)
    world.repair()
    release(world, SOURCE, "1")  # it missed what the target side runs

    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = run.all()

    assert outcomes(ended) == {Outcome.SUCCEEDED}, ended
    latest = client(world, SOURCE).get_function(FunctionName=NAME)["Configuration"]["CodeSha256"]
    assert latest == client(world, TARGET).get_function(FunctionName=NAME)["Configuration"]["CodeSha256"]
    assert state(world, SOURCE).reserved == 0


def test_an_emergency_without_a_known_size_reserves_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=0, queue=False)

    (action,) = emergency(world).values()

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "nobody knew the reserved concurrency" in action.detail
    assert state(world, TARGET).reserved is None


def test_an_emergency_without_a_mapping_names_what_nobody_consumes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch)
    client(world, TARGET).delete_event_source_mapping(UUID=mapping_id(world, TARGET))
    world.wait(1)

    (action,) = emergency(world).values()

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "nothing in us-west-2 consumes sqs:orders" in action.detail


# --- the ways back ------------------------------------------------------------------------------------------------------


def test_rollback_of_the_activation_sets_both_sides_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=50, provisioned=5, outdated=True)
    before = (state(world, SOURCE), state(world, TARGET))
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    assert state(world, TARGET) != before[1]

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert (state(world, SOURCE), state(world, TARGET)) == before
    assert run.rollback(Phase.INSTANTIATE).outcome is Outcome.ROLLED_BACK
    assert world.refusals() == []


def test_rollback_of_the_clean_up_opens_the_source_side_without_a_second_consumer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = function_world(monkeypatch, reserved=50, provisioned=5)
    serving = state(world, SOURCE)
    run = world.start()
    run.all()

    action = run.rollback(Phase.CLEANUP)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert state(world, SOURCE) == replace(serving, consumes=False)
    assert state(world, TARGET).consumes
    assert world.refusals() == []


def test_the_source_side_stays_open_while_the_target_side_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=50)
    before = state(world, SOURCE)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "reserved concurrency of orders in us-west-2 is 0: the source side stays open" in action.detail
    assert state(world, SOURCE) == before


def test_an_open_source_side_is_not_called_a_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, reserved=50)
    run = world.start(Phases=["ACTIVATE", "REPLICATE"])
    run.phase(Phase.ACTIVATE)

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "is 50, expected 0" in action.detail
    assert action.remedy == "run CLEANUP first."


# --- decommission -------------------------------------------------------------------------------------------------------


def versions(world: World, region: str) -> list[str]:
    found = client(world, region).list_versions_by_function(FunctionName=NAME)["Versions"]
    return [each["Version"] for each in found if each["Version"] != "$LATEST"]


def decommissioned(world: World) -> Action:
    run = world.start(Decommission=True)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE):
        run.phase(phase)
    stage = run.stage(Phase.DECOMMISSION)
    world.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
    return run.phase(Phase.DECOMMISSION)


def test_old_versions_of_the_source_side_are_deleted_but_not_what_anything_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given six versions, of which an alias calls the second
    world = function_world(monkeypatch, releases=5)
    for region in (SOURCE, TARGET):
        client(world, region).create_alias(FunctionName=NAME, Name="audited", FunctionVersion="2")
    assert versions(world, SOURCE) == ["1", "2", "3", "4", "5", "6"]

    action = decommissioned(world)

    assert action.outcome is Outcome.SUCCEEDED, action
    assert versions(world, SOURCE) == ["2", "4", "5", "6"]
    assert versions(world, TARGET) == ["1", "2", "3", "4", "5", "6"]
    assert world.refusals() == []


def test_nothing_is_deleted_once_the_source_side_was_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = function_world(monkeypatch, releases=5)
    run = world.start(Decommission=True)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE):
        run.phase(phase)
    consume(world, SOURCE, on=True)
    stage = run.stage(Phase.DECOMMISSION)
    world.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.FAILED
    assert "orders is not closed" in action.detail
    assert len(versions(world, SOURCE)) == 6
