"""A global endpoint through the real engine: its publishers notice nothing, wherever their events go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.context import run_context
from orchestrator.targets import load_target
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.eventbridge_scene import BUS, PLACED, received, rules_world, states
from tests.contract.rehearsal import CONTROL_PLANES
from tests.support.driver import APPS, SOURCE, TARGET, World


def endpoint_world(monkeypatch: pytest.MonkeyPatch, *, replicated: bool = True, **settings: Any) -> World:
    world = rules_world(monkeypatch, endpoint=True, **settings)
    if not replicated:
        world.aws("events", SOURCE).update_endpoint(Name=BUS, ReplicationConfig={"State": "DISABLED"})
        world.wait(2)
    return world


def endpoint(world: World, home: str = SOURCE) -> dict[str, Any]:
    found: dict[str, Any] = world.aws("events", home).describe_endpoint(Name=BUS)
    return found


def check_of(world: World, home: str = SOURCE) -> tuple[bool, bool]:
    """Return whether the endpoint's health check is disabled, and inverted."""
    identifier = endpoint(world, home)["RoutingConfig"]["FailoverConfig"]["Primary"]["HealthCheck"].rpartition("/")[2]
    config = world.aws("route53", SOURCE).get_health_check(HealthCheckId=identifier)["HealthCheck"]["HealthCheckConfig"]
    return config["Disabled"], config["Inverted"]


def published(world: World, home: str = SOURCE) -> tuple[int, int]:
    """Publish an order to the endpoint, and return how many came out in each Region: source, target."""
    world.wait(5)
    world.local.call("events", "PutEvents", APPS, TARGET, EndpointId=endpoint_id(world, home), Entries=[PLACED])
    return received(world, SOURCE), received(world, TARGET)


def endpoint_id(world: World, home: str) -> str:
    (found,) = world.local.service("events").endpoints(APPS, home)  # type: ignore[attr-defined]
    return str(found.id)


@pytest.mark.parametrize("replicated", [True, False])
def test_every_event_comes_out_once_on_the_side_that_serves(monkeypatch: pytest.MonkeyPatch, replicated: bool) -> None:
    world = endpoint_world(monkeypatch, replicated=replicated)
    assert published(world) == (1, 0)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        run = world.start(operation)
        assert run.ready, run.findings
        assert ("not-replicated" in run.findings) is not replicated
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen == ["EnableRule", "UpdateHealthCheck", "DisableRule"]
        away = operation is Operation.FAILOVER
        assert published(world) == ((0, 1) if away else (1, 0))
        assert check_of(world) == (away, away)
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_the_target_side_listens_before_the_endpoint_turns_and_the_source_side_until_it_has_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)

    turned = run.until(Phase.ACTIVATE, "hold-secondary")

    assert states(world, TARGET) == states(world, SOURCE) == {"orders-placed": "ENABLED"}
    ended = run.phase(Phase.ACTIVATE)
    assert ended.ended_at is not None
    assert (ended.ended_at - turned.called_at["hold-secondary"]).total_seconds() >= 120
    assert states(world, SOURCE) == {"orders-placed": "ENABLED"}, "CLEANUP silences it"


def test_an_emergency_leaves_the_turn_to_the_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a source Region that is lost, and with it the control planes that live there
    world = endpoint_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    for service in CONTROL_PLANES:
        world.fault(effect="control-plane-down", service=service)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}, ended
    assert run.made() == ["EnableRule"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    (loss,) = run.plan.losses
    assert loss.seconds == 0
    world.wait(5)
    world.local.call("events", "PutEvents", APPS, TARGET, EndpointId=endpoint_id(world, SOURCE), Entries=[PLACED])
    assert received(world, TARGET) == 1


def test_a_region_that_comes_back_gets_no_events_before_they_can_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an emergency that is over: the check is healthy again, and the endpoint back on its primary Region
    world = endpoint_world(monkeypatch, replicated=False)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    assert published(world) == (1, 0)

    # When the source side is cleaned up
    run = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = run.all()

    # Then the endpoint was held on the target side first, so that nothing falls between the two
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made(Phase.CLEANUP) == ["UpdateHealthCheck", "DisableRule"]
    assert published(world) == (0, 1)
    assert run.rollback(Phase.CLEANUP).outcome is Outcome.ROLLED_BACK
    assert states(world, SOURCE) == {"orders-placed": "ENABLED"}
    assert world.refusals() == []


def test_an_emergency_back_home_restores_the_check_where_its_control_plane_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start()
    run.all()
    run.end()
    world.inventory(SOURCE)
    world.darken(TARGET)

    back = world.start(Operation.FAILBACK, emergency=True, AcceptDataLoss=True)
    ended = back.all()

    assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED, ended
    assert back.made() == ["EnableRule", "UpdateHealthCheck"]
    assert check_of(world) == (False, False)


def move_home(world: World) -> None:
    """Make the endpoint anew with the target Region as its primary, held on the other one."""
    known = endpoint(world)
    world.aws("events", SOURCE).delete_endpoint(Name=BUS)
    world.wait(2)
    failover = {**known["RoutingConfig"]["FailoverConfig"], "Secondary": {"Route": SOURCE}}
    world.aws("events", TARGET).create_endpoint(
        Name=BUS,
        RoutingConfig={"FailoverConfig": failover},
        EventBuses=known["EventBuses"],
        RoleArn=known["RoleArn"],
    )
    identifier = failover["Primary"]["HealthCheck"].rpartition("/")[2]
    world.aws("route53", SOURCE).update_health_check(HealthCheckId=identifier, Disabled=True, Inverted=True)
    world.wait(2)


def test_an_endpoint_that_is_held_on_the_lost_region_is_said_to_need_a_control_plane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = endpoint_world(monkeypatch)
    move_home(world)
    world.inventory()
    world.darken(SOURCE)

    action = world.start(emergency=True, AcceptDataLoss=True).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "is overridden, and Route 53's control plane may not be called" in action.detail
    assert "straight onto the bus in us-west-2" in action.remedy
    assert states(world, TARGET) == {"orders-placed": "ENABLED"}, "the rules hear what is put there directly"


def test_rollback_of_activate_turns_the_endpoint_back_first(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert run.made()[-2:] == ["UpdateHealthCheck", "DisableRule"]
    assert published(world) == (1, 0)
    assert world.refusals() == []


def test_a_drill_turns_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start(Operation.TEST)

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED, Outcome.SKIPPED}
    assert check_of(world) == (False, False)
    assert "UpdateHealthCheck" not in world.operations()


def test_a_drill_shows_an_endpoint_that_could_not_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    break_endpoint(world)

    assert not world.start(Operation.TEST).ready


def break_endpoint(world: World) -> None:
    world.fault(effect="fail", kind="events.update-endpoint")
    world.aws("events", SOURCE).update_endpoint(Name=BUS, Description="broken")
    world.wait(2)
    world.repair()


@pytest.mark.parametrize("state", ["CREATE_FAILED", "UPDATE_FAILED", "DELETING", "DELETE_FAILED"])
def test_an_endpoint_in_a_state_that_does_not_heal_is_red_and_fails_the_action(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    (made,) = world.local.service("events").endpoints(APPS, SOURCE)  # type: ignore[attr-defined]
    made.state = state

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"endpoint orders is {state}" in action.detail
    assert action.remedy
    run.end()
    again = world.start()
    assert not again.ready
    assert state in again.findings["endpoint"]


def test_an_endpoint_under_change_is_waited_for_by_its_health(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    world.fault(effect="stuck", kind="events.update-endpoint")
    world.aws("events", SOURCE).update_endpoint(Name=BUS, Description="for ever")

    run = world.start()
    assert "is UPDATING" in run.findings["endpoint"]
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)

    found = {check.name: check for check in run.stage(Phase.ACTIVATE).checks}
    assert (found["endpoint"].state, found["endpoint"].detail) == ("settling", "UPDATING")


def test_an_endpoint_that_is_deleted_meanwhile_fails_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    world.aws("events", SOURCE).delete_endpoint(Name=BUS)
    world.wait(2)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "endpoint orders is not there in us-east-1" in action.detail


def test_an_endpoint_without_its_health_check_is_red_and_fails_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch)
    identifier = endpoint(world)["RoutingConfig"]["FailoverConfig"]["Primary"]["HealthCheck"].rpartition("/")[2]
    world.aws("route53", SOURCE).delete_health_check(HealthCheckId=identifier)

    run = world.start()

    assert not run.ready
    assert "does not exist" in run.findings["no-health-check"]
    run.phase(Phase.INSTANTIATE)
    assert identifier in run.phase(Phase.ACTIVATE).detail


def test_the_strategy_without_an_endpoint_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, tags={"dr:recovery-strategy": "global-endpoint"})

    run = world.start()

    assert not run.ready
    assert "belongs to no global endpoint" in run.findings["no-endpoint"]
    run.phase(Phase.INSTANTIATE)
    assert "belongs to no global endpoint" in run.phase(Phase.ACTIVATE).detail


def test_an_endpoint_that_the_strategy_does_not_turn_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rules_world(monkeypatch, endpoint=True, tags={"dr:recovery-strategy": "rule-toggle"})

    assert "which rule-toggle does not turn" in world.start().findings["endpoint-stays"]


def test_what_may_be_lost_without_replication_is_measured_against_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    world = endpoint_world(monkeypatch, replicated=False, tags={"dr:rpo-target": "5"})

    run = world.start()

    assert "up to 7 minutes" in run.findings["not-replicated"]
    assert "dr:rpo-target is 5" in run.findings["not-replicated"]
    assert [loss.seconds for loss in run.plan.losses] == [None]


def test_two_accounts_and_other_regions_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given what is seen of an endpoint, as if its sides lay elsewhere
    world = endpoint_world(monkeypatch)
    run = world.start()
    adapter = run.platform.adapter("eventbridge")
    target = load_target(run.platform.blobs, run.run_id, run.action(Phase.ACTIVATE).target_id)
    context = run_context(run.run, Phase.INSTANTIATE, target, world.clock.now())
    view = adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context)
    member = replace(view.member, source=replace(view.member.source, account="333333333333"))

    # When it is judged
    findings = adapter.readiness(replace(view, member=member), replace(context, source_region="eu-west-1"))

    # Then both are told
    red = {finding.code: finding.message for finding in findings if finding.severity == "red"}
    assert "works within one account" in red["accounts"]
    assert "serves us-east-1 and us-west-2, not the Regions of this run" in red["regions"]
