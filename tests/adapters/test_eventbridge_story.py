"""EventBridge's rules through the real engine: enabled here, disabled there, and no schedule ever runs twice."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.eventbridge_scene import (
    BUS,
    PATTERN,
    RULE,
    TAGS,
    heard,
    queue_of,
    rules_world,
    states,
)
from tests.support.driver import SOURCE, TARGET, World

NIGHTLY = {"bus": "default", "patterns": {}, "schedules": {"nightly": "rate(1 day)"}}


def test_the_rules_move_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, patterns={"orders-placed": ["OrderPlaced"], "Orders.Paid": ["OrderPaid"]})
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen == ["DisableRule"] * 2 + ["EnableRule"] * 2
        assert set(states(world, here).values()) == {"ENABLED"}
        assert set(states(world, there).values()) == {"DISABLED"}
        assert heard(world) == ((0, 1) if here == TARGET else (1, 0))
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_the_source_side_is_silent_for_a_minute_before_the_target_side_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a schedule on the default bus, whose rule alone carries the tags
    world = rules_world(monkeypatch, **NIGHTLY)
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    # When the target side is activated
    run.until(Phase.ACTIVATE, "disable-nightly")
    silenced = world.clock.now()
    assert (states(world, SOURCE, "default"), states(world, TARGET, "default")) == (
        {"nightly": "DISABLED"},
        {"nightly": "DISABLED"},
    )
    enabled = run.until(Phase.ACTIVATE, "enable-nightly").called_at["enable-nightly"]

    # Then no minute had both
    assert (enabled - silenced).total_seconds() > 55
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert states(world, TARGET, "default") == {"nightly": "ENABLED"}
    assert run.action(Phase.ACTIVATE).resource_ids == ("eventbridge/default/nightly",)


def test_emergency_enables_the_target_side_and_asks_nothing_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert run.made() == ["EnableRule"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert states(world, TARGET) == {"orders-placed": "ENABLED"}
    (loss,) = run.plan.losses
    assert loss.seconds is None
    assert "archive" in loss.detail


def test_a_region_that_comes_back_is_silenced_first(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    assert heard(world) == (1, 1), "both act until the source side is silenced"

    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert heard(world) == (0, 1)
    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert heard(world) == (0, 1), "the target side acts: the source side stays silent"


def test_a_drill_copies_the_rules_to_a_queue_of_its_own_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, patterns={"orders-placed": ["OrderPlaced"], "o" * 60: ["OrderPaid"]})
    run = world.start(Operation.TEST)
    before = states(world, TARGET)

    # When the drill has made its copies
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    copies = {name: state for name, state in states(world, TARGET).items() if name.startswith("drill-")}
    assert set(copies.values()) == {"ENABLED"}
    assert len(copies) == 2
    assert max(map(len, copies)) <= 64

    # Then an order reaches its queue and no target of production
    assert heard(world) == (1, 0)
    (address,) = world.aws("sqs", TARGET).list_queues(QueueNamePrefix="drill-")["QueueUrls"]
    assert len(world.aws("sqs", TARGET).receive_message(QueueUrl=address)["Messages"]) == 1
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}

    # And at the end all of it is gone
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert states(world, TARGET) == before
    assert "QueueUrls" not in world.aws("sqs", TARGET).list_queues(QueueNamePrefix="drill-")
    assert world.refusals() == []


def test_a_drill_deletes_nothing_that_only_has_the_name_of_its_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = world.start(Operation.TEST)
    run.phase(Phase.INSTANTIATE)
    (copy,) = (name for name in states(world, TARGET) if name.startswith("drill-"))
    events = world.aws("events", TARGET)
    arn = events.describe_rule(Name=copy, EventBusName=BUS)["Arn"]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "dr:drill-id", "Value": "another"}])

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert copy in action.detail
    assert copy in states(world, TARGET)


def test_rollback_of_activate_puts_both_sides_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)
    assert heard(world) == (0, 1)

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert heard(world) == (1, 0)
    assert run.made()[-2:] == ["DisableRule", "EnableRule"]
    assert world.refusals() == []


def test_rollback_of_an_emergency_silences_the_target_side_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    run.all()

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert states(world, TARGET) == {"orders-placed": "DISABLED"}


def test_the_source_side_is_not_silenced_while_the_target_side_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)

    action = world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "orders-placed: not enabled in us-west-2" in action.detail
    assert heard(world) == (1, 0)


def test_a_standby_is_not_called_ready_while_it_is_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)

    action = world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "enabled in us-east-1 too" in action.detail
    assert "CLEANUP" in action.remedy


def test_rules_that_the_target_side_lacks_are_made_there_for_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a target side with nothing but the bus
    world = rules_world(monkeypatch, on_target=False)
    events = world.aws("events", SOURCE)
    regional = '{"source": ["shop"], "region": ["us-east-1"]}'
    role = "arn:aws:iam::222222222222:role/to-queue"
    events.put_rule(Name="regional", EventBusName=BUS, EventPattern=regional, Description="theirs", Tags=TAGS)
    events.put_targets(
        Rule="regional", EventBusName=BUS, Targets=[{"Id": "q", "Arn": queue_of(SOURCE), "RoleArn": role}]
    )
    run = world.start()
    assert run.ready, run.findings
    assert "regional" in run.findings["missing"]
    foreseen = run.previewed_calls()

    # When the run is done
    ended = run.all()

    # Then the rules are there, with targets, dead-letter queues and tags, and events come out
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    target = world.aws("events", TARGET)
    made = target.describe_rule(Name="regional", EventBusName=BUS)
    assert (made["State"], made["EventPattern"], made["Description"]) == (
        "ENABLED",
        regional.replace("us-east-1", "us-west-2"),
        "theirs",
    )
    tags = {tag["Key"]: tag["Value"] for tag in target.list_tags_for_resource(ResourceARN=made["Arn"])["Tags"]}
    assert {"Customer", "dr:enabled", "dr:wave", "dr:execution-id"} <= set(tags)
    (sent,) = target.list_targets_by_rule(Rule="orders-placed", EventBusName=BUS)["Targets"]
    assert sent["Arn"] == queue_of(TARGET)
    assert sent["DeadLetterConfig"]["Arn"] == queue_of(TARGET, "orders-events-dlq")
    assert heard(world)[0] == 0
    assert world.refusals() == []

    # And they are found as one resource the next time
    run.end()
    assert world.start(Operation.FAILBACK).ready


def test_a_rule_missing_on_the_target_side_stops_the_run_before_anything_is_silenced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = rules_world(monkeypatch)
    run = world.start()
    events = world.aws("events", TARGET)
    events.remove_targets(Rule="orders-placed", EventBusName=BUS, Ids=["queue"])
    events.delete_rule(**RULE)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "orders-placed missing in us-west-2" in action.detail
    assert action.remedy
    assert heard(world) == (1, 0)


def test_a_rule_missing_in_an_emergency_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, on_target=False)
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "orders-placed" in run.findings["missing"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED


def interrupted(world: World) -> None:
    """Leave the picture of a run that died between silencing one side and enabling the other."""
    world.aws("events", SOURCE).disable_rule(**RULE)


def test_a_rule_that_is_off_on_both_sides_is_red_because_nobody_can_tell_whether_it_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = rules_world(monkeypatch)
    interrupted(world)

    run = world.start()

    assert not run.ready
    assert "interrupted move" in run.findings["off"]


def test_an_interrupted_move_goes_on_when_the_rule_says_that_it_belongs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    interrupted(world)
    for region in (SOURCE, TARGET):
        events = world.aws("events", region)
        arn = events.describe_rule(**RULE)["Arn"]
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "dr:rule-state", "Value": "on"}])

    run = world.start()
    assert run.ready, run.findings
    run.all()

    assert heard(world) == (0, 1)


def test_a_rule_that_is_meant_to_be_off_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, patterns={"orders-placed": ["OrderPlaced"], "off": ["Never"]})
    for region in (SOURCE, TARGET):
        events = world.aws("events", region)
        events.disable_rule(Name="off", EventBusName=BUS)
        arn = events.describe_rule(Name="off", EventBusName=BUS)["Arn"]
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "dr:rule-state", "Value": "off"}])

    run = world.start()
    assert run.ready, run.findings
    run.all()

    assert states(world, TARGET) == {"orders-placed": "ENABLED", "off": "DISABLED"}


def test_a_rule_without_the_tags_on_a_tagged_bus_is_reported_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    world.aws("events", SOURCE).put_rule(Name="theirs", EventBusName=BUS, EventPattern=PATTERN)

    run = world.start()
    assert run.ready
    assert "theirs" in run.findings["untagged"]
    run.all()

    assert states(world, SOURCE) == {"orders-placed": "DISABLED", "theirs": "ENABLED"}


def test_a_tag_on_the_default_bus_stands_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, **NIGHTLY)
    for region in (SOURCE, TARGET):
        arn = f"arn:aws:events:{region}:222222222222:event-bus/default"
        world.aws("events", region).tag_resource(ResourceARN=arn, Tags=TAGS)

    assert [r.resource_id for r in world.inventory().resources] == ["eventbridge/default/nightly"]


def test_nothing_of_the_source_side_is_deleted_when_asked_to_decommission(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = world.start(Decommission=True)

    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert states(world, SOURCE) == {"orders-placed": "DISABLED"}


def test_a_retry_after_a_refused_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = world.start()
    world.fault(effect="error", service="events", operation="EnableRule", code="ValidationException")
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    world.repair()

    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert heard(world) == (0, 1)


def lose_targets(world: World) -> None:
    """Let PutTargets accept nothing, as EventBridge does for a target it cannot take: HTTP 200, FailedEntryCount 1."""

    def refuse(call: Any, reply: Any) -> Any:
        if call.operation != "PutTargets":
            return reply
        backend = world.local.backend("events", call.account, call.region)
        backend.event_buses[BUS].rules[call.params["Rule"]].targets.clear()
        entry = {"TargetId": "queue", "ErrorCode": "AccessDenied", "ErrorMessage": "no permission to use the role"}
        return {"FailedEntryCount": 1, "FailedEntries": [entry]}

    world.local.after.append(refuse)


def test_targets_that_eventbridge_did_not_take_fail_the_action_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, on_target=False)
    run = world.start()
    lose_targets(world)
    try:
        action = run.phase(Phase.INSTANTIATE)
    finally:
        world.local.after.pop()

    assert action.outcome is Outcome.FAILED
    assert "no permission to use the role" in action.detail
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
