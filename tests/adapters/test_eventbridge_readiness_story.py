"""What is said of EventBridge's rules before anything is changed, and what their health tells afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import stages
from orchestrator.words import ActionStatus, Operation, Outcome, Phase
from tests.adapters.eventbridge_scene import BUS, PATTERN, RULE, TAGS, queue_of, rules_world, states, written
from tests.support.driver import APPS, SOURCE, TARGET, World

Deed = Callable[[World], Any]


def point_at(world: World, region: str, *arns: str) -> None:
    """Let the rule of a Region send to these instead."""
    events = world.aws("events", region)
    events.remove_targets(Rule="orders-placed", EventBusName=BUS, Ids=["queue"])
    if arns:
        targets = [{"Id": f"t{number}", "Arn": arn} for number, arn in enumerate(arns)]
        events.put_targets(Rule="orders-placed", EventBusName=BUS, Targets=targets)


def delete_rule(world: World, region: str) -> None:
    point_at(world, region)
    world.aws("events", region).delete_rule(**RULE)


def delete_bus(world: World) -> None:
    delete_rule(world, TARGET)
    world.aws("events", TARGET).delete_event_bus(Name=BUS)


def delete_queue(world: World, name: str) -> None:
    sqs = world.aws("sqs", TARGET)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def put(world: World, region: str, **changes: Any) -> None:
    world.aws("events", region).put_rule(**{**RULE, "EventPattern": PATTERN, **changes})


def name_subnets(world: World) -> None:
    """Let the source side's rule start a task in subnets, and the target side have no such rule."""
    delete_rule(world, TARGET)
    cluster = f"arn:aws:ecs:{SOURCE}:{APPS}:cluster/apps"
    network = {"awsvpcConfiguration": {"Subnets": ["subnet-0123456789abcdef0"]}}
    parameters = {
        "TaskDefinitionArn": f"arn:aws:ecs:{SOURCE}:{APPS}:task-definition/x:1",
        "NetworkConfiguration": network,
    }
    target = {"Id": "task", "Arn": cluster, "RoleArn": f"arn:aws:iam::{APPS}:role/run", "EcsParameters": parameters}
    world.aws("events", SOURCE).put_targets(Rule="orders-placed", EventBusName=BUS, Targets=[target])


def absent(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{TARGET}:{APPS}:{resource}"


TRAIL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.mark.parametrize(
    ("deed", "code", "words"),
    [
        (lambda w: delete_queue(w, "orders-events"), "target", "orders-events, which does not exist"),
        (lambda w: delete_queue(w, "orders-events-dlq"), "target", "orders-events-dlq, which does not exist"),
        (lambda w: point_at(w, TARGET, absent("lambda", "function:gone")), "target", "function:gone"),
        (lambda w: point_at(w, TARGET, absent("sns", "gone")), "target", "gone, which does not exist"),
        (lambda w: point_at(w, TARGET, absent("states", "stateMachine:gone")), "target", "stateMachine:gone"),
        (lambda w: point_at(w, TARGET, absent("events", "event-bus/gone")), "target", "event-bus/gone"),
        (lambda w: point_at(w, TARGET, queue_of(SOURCE)), "target-region", "in the Region being left"),
        (lambda w: put(w, SOURCE, State=TRAIL), "state", "EnableRule cannot bring back"),
        (name_subnets, "not-mirrored", "names subnet-0123456789abcdef0, which exists in us-east-1 only"),
    ],
)
def test_what_would_stop_the_move_is_red(monkeypatch: pytest.MonkeyPatch, deed: Deed, code: str, words: str) -> None:
    world = rules_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    assert words in run.findings[code]
    assert run.made() == []


def test_a_target_side_without_any_target_is_red_where_the_source_side_cannot_lend_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = rules_world(monkeypatch)
    point_at(world, TARGET)
    point_at(world, SOURCE)

    assert "without a target in us-west-2" in world.start().findings["no-target"]


def test_a_bus_that_was_deleted_after_the_inventory_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    world.inventory()
    delete_bus(world)
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "there is no event bus orders in us-west-2" in run.findings["no-bus"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED


def test_a_bus_without_tagged_rules_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, patterns={})

    run = world.start()

    assert not run.ready
    assert "no rule of bus orders" in run.findings["no-rules"]


def test_a_rule_without_a_target_gets_those_of_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    point_at(world, TARGET)
    run = world.start()
    assert run.ready
    assert "INSTANTIATE puts" in run.findings["no-target"]

    run.all()

    (target,) = world.aws("events", TARGET).list_targets_by_rule(Rule="orders-placed", EventBusName=BUS)["Targets"]
    assert target["Arn"] == queue_of(TARGET)


def test_a_step_that_cannot_be_mirrored_is_blocked_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    name_subnets(world)

    action = world.start().phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "subnet-0123456789abcdef0" in action.detail
    assert "by hand" in action.remedy


OTHER = '{"source": ["shop"], "detail-type": ["OrderPlaced", "OrderChanged"]}'


def test_a_standby_that_differs_is_reported_and_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    put(world, TARGET, State="DISABLED", EventPattern=OTHER)

    run = world.start()
    assert run.ready
    assert "differs from the one in us-east-1" in run.findings["differs"]
    run.all()

    assert world.aws("events", TARGET).describe_rule(**RULE)["EventPattern"] == OTHER


def test_a_standby_that_differs_is_overwritten_when_the_manifest_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    put(world, TARGET, State="DISABLED", EventPattern=OTHER, Description="by hand")

    run = world.start(**written(world, definitions="sync"))
    assert run.ready
    assert "differs" not in run.findings
    (step,) = (each for each in run.preview(Phase.INSTANTIATE) if each.call)
    assert step.effect == "compensable"
    assert "OrderChanged" in step.reason, "what is overwritten can be read afterwards"
    assert run.all()[Phase.REPLICATE].outcome is Outcome.SUCCEEDED

    found = world.aws("events", TARGET).describe_rule(**RULE)
    assert (found["EventPattern"], found["State"]) == (PATTERN, "ENABLED")
    tags = world.aws("events", TARGET).list_tags_for_resource(ResourceARN=found["Arn"])["Tags"]
    assert {"Key": "dr:enabled", "Value": "true"} in tags
    assert world.refusals() == []


def test_a_schedule_that_runs_twice_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, bus="default", patterns={}, schedules={"nightly": "rate(1 day)"})
    world.aws("events", TARGET).enable_rule(Name="nightly")

    run = world.start()

    assert "its work is done twice" in run.findings["twice"]
    assert run.all()[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}


def test_a_bus_that_is_nearly_full_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, on_target=False)
    bus = world.local.backend("events", APPS, TARGET).event_buses[BUS]
    for number in range(300):
        world.aws("events", TARGET).put_rule(Name=f"filler-{number}", EventBusName=BUS, EventPattern=PATTERN)
    assert len(bus.rules) == 300

    run = world.start()

    assert "would have 301 rules" in run.findings["quota"]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "LimitExceeded" in action.detail


def test_a_strategy_that_is_too_slow_for_its_target_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, tags={"dr:rto-target": "2"})

    assert "usually takes 3 minutes" in world.start().findings["rto"]


def test_a_drill_of_a_rule_that_is_not_there_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, on_target=False)

    run = world.start(Operation.TEST)

    assert not run.ready
    assert "not there in us-west-2" in run.findings["missing"]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert "orders-placed" in action.detail


def test_invocations_that_fail_show_in_the_health_of_the_target_side(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a rule on the target side whose target goes away after the checks, without a dead-letter queue
    world = rules_world(monkeypatch)
    point_at(world, TARGET, queue_of(TARGET))
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    delete_queue(world, "orders-events")
    run.until(Phase.ACTIVATE, "enable-orders-placed")

    # When an event comes
    while run.tick(Phase.ACTIVATE).status is not ActionStatus.ENDED:
        pass
    entry = {"Source": "shop", "DetailType": "OrderPlaced", "Detail": "{}", "EventBusName": BUS}
    world.aws("events", TARGET).put_events(Entries=[entry])

    # Then the first look at its health tells, and the stage is not passed while it goes on
    stage = run.stage(Phase.ACTIVATE)
    assert not stages.check_health(run.platform, run.run_id, stage.stage_id).settled
    found = {check.name: check for check in run.stage(Phase.ACTIVATE).checks}
    assert (found["invocations"].state, found["rules"].state) == ("settling", "healthy")
    assert "orders-placed: 1" in found["invocations"].detail


def test_rules_that_lost_their_targets_are_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    point_at(world, TARGET)

    run.phase(Phase.ACTIVATE)

    found = {check.name: check for check in run.stage(Phase.ACTIVATE).checks}
    assert (found["targets"].state, found["targets"].detail) == ("unhealthy", "without targets: orders-placed")
    assert states(world, TARGET) == {"orders-placed": "ENABLED"}


def test_rules_of_one_name_on_two_buses_are_two_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, bus="default", patterns={"placed": ["OrderPlaced"]})
    for region in (SOURCE, TARGET):
        events = world.aws("events", region)
        events.create_event_bus(Name="plain")
        events.put_rule(Name="placed", EventBusName="plain", EventPattern=PATTERN, Tags=TAGS, State="DISABLED")

    found = {resource.resource_id for resource in world.inventory().resources}

    assert found == {"eventbridge/default/placed", "eventbridge/plain/placed"}
