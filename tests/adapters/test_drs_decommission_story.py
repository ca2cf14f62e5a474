"""The end of the old side: stopped source instances are terminated, and only where nobody can need them again."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Effect, Operation, Outcome, Phase, Side
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

LAUNCH_INTO = {"Key": "AWSDRS", "Value": "AllowLaunchingIntoThisInstance"}


def servers(monkeypatch: pytest.MonkeyPatch, *names: str) -> World:
    return open_world(monkeypatch, *({"kind": "drs-server", "name": name} for name in names), images=True)


def machine(world: World, region: str, name: str) -> dict[str, Any]:
    """Return the newest machine of a name."""
    named = [{"Name": "tag:Name", "Values": [name]}]
    reply = world.aws("ec2", region).describe_instances(Filters=named)
    found: list[dict[str, Any]] = [m for each in reply["Reservations"] for m in each["Instances"]]
    return found[-1]


def state(world: World, region: str, name: str) -> str:
    return str(machine(world, region, name)["State"]["Name"])


def approved(world: World, operation: Operation = Operation.FAILOVER) -> Journey:
    """Return a run that may delete the old side at its end: asked for in its input, approved at its gate."""
    run = world.start(operation, Decommission=True)
    stage = run.stage(Phase.DECOMMISSION)
    world.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
    return run


def protected_back(world: World) -> Journey:
    """Return a run that has moved everything and protected it the other way round; the old side is left to delete."""
    run = approved(world)
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE):
        assert run.phase(phase).outcome is Outcome.SUCCEEDED
    return run


def reverse_server(world: World) -> str:
    return str(world.aws("drs", SOURCE).describe_source_servers()["items"][0]["sourceServerID"])


def test_stopped_sources_are_terminated_once_their_servers_replicate_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two servers, and a run that may delete the old side
    world = servers(monkeypatch, "web-1", "web-2")
    run = approved(world)
    foreseen = run.previewed_calls()
    deleting = [step for step in run.preview(Phase.DECOMMISSION) if step.call is not None]
    assert [step.effect for step in deleting] == [Effect.IRREVERSIBLE] * 2
    assert {step.call.side for step in deleting if step.call} == {Side.SOURCE}
    # When it runs to its end
    ended = run.all()
    # Then the sources are gone, the servers run in the target Region and replicate back
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert run.made(Phase.DECOMMISSION) == ["TerminateInstances"] * 2
    for name in ("web-1", "web-2"):
        assert state(world, SOURCE, name) == "terminated"
        assert state(world, TARGET, name) == "running"
    reverse = world.aws("drs", SOURCE).describe_source_servers()["items"]
    assert [s["dataReplicationInfo"]["dataReplicationState"] for s in reverse] == ["CONTINUOUS"] * 2
    assert world.refusals() == []


def test_servers_come_back_and_go_again_after_their_old_sides_were_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    for operation in (Operation.FAILOVER, Operation.FAILBACK, Operation.FAILOVER):
        run = approved(world, operation)
        assert run.ready, run.findings

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, (operation, ended)
        here, there = (SOURCE, TARGET) if operation is Operation.FAILBACK else (TARGET, SOURCE)
        assert state(world, here, "web-1") == "running"
        assert state(world, there, "web-1") == "terminated"
        run.end()
        world.wait(30)
    assert world.refusals() == []


def test_source_stays_when_replication_back_has_stopped_since(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = protected_back(world)
    world.aws("drs", SOURCE).stop_replication(sourceServerID=reverse_server(world))

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.FAILED
    assert "replication back is STOPPED, expected CONTINUOUS" in action.detail
    assert run.made(Phase.DECOMMISSION) == []
    assert state(world, SOURCE, "web-1") == "stopped"


def test_source_stays_when_the_recovery_instance_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = protected_back(world)
    world.aws("ec2", TARGET).stop_instances(InstanceIds=[machine(world, TARGET, "web-1")["InstanceId"]])
    world.wait(2)

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.FAILED
    assert "is STOPPED" in action.detail
    assert "repair the recovery instance" in action.remedy
    assert state(world, SOURCE, "web-1") == "stopped"


def test_source_that_somebody_started_again_or_released_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given one source that was started again, and one whose fence was taken away
    world = servers(monkeypatch, "web-1", "web-2", "web-3")
    run = protected_back(world)
    ec2 = world.aws("ec2", SOURCE)
    ec2.start_instances(InstanceIds=[machine(world, SOURCE, "web-1")["InstanceId"]])
    released = machine(world, SOURCE, "web-2")["InstanceId"]
    ec2.delete_tags(Resources=[released], Tags=[{"Key": "dr:fenced"}])
    world.wait(2)
    # When the old side is deleted
    action = run.phase(Phase.DECOMMISSION)
    # Then those two stay, and hold nobody else back
    assert {name for name, outcome in action.member_outcomes.items() if outcome is Outcome.FAILED} == {
        "drs/web-1",
        "drs/web-2",
    }
    assert "stopped without dr:fenced" in action.detail
    assert [state(world, SOURCE, f"web-{i}") for i in (1, 2, 3)] == ["running", "stopped", "terminated"]


def test_source_that_drs_may_launch_into_is_kept_and_the_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    source = machine(world, SOURCE, "web-1")["InstanceId"]
    world.aws("ec2", SOURCE).create_tags(Resources=[source], Tags=[LAUNCH_INTO])
    run = approved(world)
    foreseen = run.previewed_calls()

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert (state(world, SOURCE, "web-1"), state(world, SOURCE, "web-2")) == ("stopped", "terminated")


def test_source_stays_when_the_way_back_is_set_to_launch_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = protected_back(world)
    world.aws("drs", SOURCE).update_launch_configuration(
        sourceServerID=reverse_server(world),
        copyTags=False,
        launchIntoInstanceProperties={"launchIntoEC2InstanceID": machine(world, SOURCE, "web-1")["InstanceId"]},
    )

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.SKIPPED
    assert "is set to launch into" in action.detail
    assert state(world, SOURCE, "web-1") == "stopped"


def test_sources_stay_where_the_region_launches_into_source_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = protected_back(world)
    drs = world.aws("drs", SOURCE)
    template = drs.describe_launch_configuration_templates()["items"][0]["launchConfigurationTemplateID"]
    drs.update_launch_configuration_template(launchConfigurationTemplateID=template, launchIntoSourceInstance=True)

    action = run.phase(Phase.DECOMMISSION)

    assert action.outcome is Outcome.SKIPPED
    assert "launchIntoSourceInstance" in action.detail
    assert state(world, SOURCE, "web-1") == "stopped"


def test_termination_protection_is_named_and_the_retry_after_it_is_off_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1")
    run = protected_back(world)
    ec2, source = world.aws("ec2", SOURCE), machine(world, SOURCE, "web-1")["InstanceId"]
    ec2.modify_instance_attribute(InstanceId=source, DisableApiTermination={"Value": True})

    first = run.phase(Phase.DECOMMISSION)

    assert first.outcome is Outcome.FAILED
    assert "termination protection is on" in first.detail
    ec2.modify_instance_attribute(InstanceId=source, DisableApiTermination={"Value": False})
    assert run.retry(Phase.DECOMMISSION).outcome is Outcome.SUCCEEDED
    assert state(world, SOURCE, "web-1") == "terminated"
