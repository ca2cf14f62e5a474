"""DRS through the real engine: servers move, come back, are drilled, and fail one by one without dragging others along."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.drs import DrsService
from localaws.services.drs.models import RegionState
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.ledger.records import Action
from orchestrator.words import Effect, Operation, Outcome, Phase
from tests.support.driver import APPS, SCOPE, SOURCE, TARGET, Journey, World, open_world


def servers(monkeypatch: pytest.MonkeyPatch, *names: str, **settings: Any) -> World:
    entries = [{"kind": "drs-server", "name": name, **settings} for name in names]
    return open_world(monkeypatch, *entries, images=True)


def drs_state(world: World, region: str) -> RegionState:
    """Return the embedded DRS's own state, to break it where no API can."""
    service = world.local.service("drs")
    assert isinstance(service, DrsService)
    return service.region_state(APPS, region)


def machines(world: World, region: str) -> dict[str, str]:
    """Return Name -> state of the newest machine of each name."""
    reply = world.aws("ec2", region).describe_instances()
    found = [each for reservation in reply["Reservations"] for each in reservation["Instances"]]
    states = [(tag["Value"], m["State"]["Name"]) for m in found for tag in m["Tags"] if tag["Key"] == "Name"]
    return {name: state for name, state in states if state != "terminated"}


def stop_machine(world: World, region: str, name: str) -> None:
    ec2 = world.aws("ec2", region)
    named = [{"Name": "tag:Name", "Values": [name]}]
    machine = ec2.describe_instances(Filters=named)["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[machine])


def failed(action: Action) -> dict[str, Outcome]:
    return {name: outcome for name, outcome in action.member_outcomes.items() if outcome is not Outcome.SUCCEEDED}


def drill(world: World) -> Journey:
    return world.start(Operation.TEST)


def test_planned_failover_moves_the_batch_in_one_job_and_protects_it_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    run = world.start()
    assert run.ready
    foreseen = run.previewed_calls()

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert run.made().count("StartRecovery") == 1
    assert machines(world, SOURCE) == {"web-1": "stopped", "web-2": "stopped"}
    assert machines(world, TARGET) == {"web-1": "running", "web-2": "running"}
    reverse = world.aws("drs", SOURCE).describe_source_servers()["items"]
    assert [s["dataReplicationInfo"]["dataReplicationState"] for s in reverse] == ["CONTINUOUS"] * 2
    assert {s["tags"]["Name"] for s in reverse} == {"web-1", "web-2"}
    assert world.refusals() == []


def test_sources_are_stopped_only_after_the_launch_has_its_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start()

    run.until(Phase.ACTIVATE, "stop-sources")

    job = world.aws("drs", TARGET).describe_jobs()["items"][0]["jobID"]
    events = [item["event"] for item in world.aws("drs", TARGET).describe_job_log_items(jobID=job)["items"]]
    assert "SNAPSHOT_END" in events
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_servers_come_back_and_go_again_under_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    for operation in (Operation.FAILOVER, Operation.FAILBACK, Operation.FAILOVER):
        run = world.start(operation)
        assert run.ready, run.findings
        assert [m.resource_id for t in run.plan.targets for m in t.members] == ["drs/web-1"]

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, (operation, ended)
        here, there = (SOURCE, TARGET) if operation is Operation.FAILBACK else (TARGET, SOURCE)
        assert machines(world, here) == {"web-1": "running"}
        assert machines(world, there) == {"web-1": "stopped"}
        run.end()
        world.wait(30)
    assert world.refusals() == []


def test_emergency_launches_the_newest_data_there_is_and_never_calls_the_lost_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    world.inventory()
    world.darken(SOURCE)
    world.wait(7)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert {call.region for call in world.calls()} == {TARGET}
    assert machines(world, TARGET) == {"web-1": "running", "web-2": "running"}
    losses = [loss.seconds for loss in run.plan.losses]
    assert len(losses) == 2
    assert all(seconds is not None and 7 * 60 <= seconds <= 17 * 60 for seconds in losses), losses


def test_after_an_emergency_the_deferred_phases_fence_the_sources_and_protect_the_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1")
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()
    assert machines(world, SOURCE) == {"web-1": "running"}

    later = world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = later.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert machines(world, SOURCE) == {"web-1": "stopped"}
    assert machines(world, TARGET) == {"web-1": "running"}
    assert later.made() == ["StopInstances", "CreateTags", "ReverseReplication", "TagResource"]


def test_a_drill_launches_copies_checks_them_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    run = drill(world)
    assert run.ready

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    copies = world.aws("drs", TARGET).describe_recovery_instances()["items"]
    assert [copy["isDrill"] for copy in copies] == [True, True]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert machines(world, SOURCE) == {"web-1": "running", "web-2": "running"}
    assert machines(world, TARGET) == {}
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_a_drill_refuses_to_replace_a_recovery_instance_that_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    failover = world.start()
    failover.all()
    failover.end()

    run = drill(world)
    action = run.phase(Phase.INSTANTIATE)

    assert not run.ready
    assert action.outcome is Outcome.FAILED
    assert "may be serving" in action.detail
    assert machines(world, TARGET) == {"web-1": "running"}


def test_one_server_that_fails_to_launch_does_not_hold_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    run = world.start()
    world.fault(effect="fail", kind="drs.conversion", resource="s-web1")

    action = run.phase(Phase.ACTIVATE)
    cleanup = run.phase(Phase.CLEANUP)

    assert failed(action) == {"drs/web-1": Outcome.FAILED}
    assert "CONVERSION_FAIL" in action.detail
    assert machines(world, TARGET) == {"web-2": "running"}
    assert cleanup.member_outcomes == {"drs/web-1": Outcome.SKIPPED, "drs/web-2": Outcome.SUCCEEDED}

    world.repair()
    again = run.rollback(Phase.ACTIVATE)
    assert again.outcome is Outcome.ROLLED_BACK
    assert machines(world, SOURCE) == {"web-1": "running", "web-2": "running"}
    assert machines(world, TARGET) == {}
    assert world.refusals() == []


def test_retry_launches_only_the_server_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    world.fault(effect="fail", kind="drs.launch", resource="s-web1")
    assert failed(run.phase(Phase.ACTIVATE)) == {"drs/web-1": Outcome.FAILED}
    survivor = world.aws("drs", TARGET).describe_recovery_instances()["items"][0]["recoveryInstanceID"]
    world.repair()
    world.darken(SOURCE)

    action = run.retry(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    jobs = world.aws("drs", TARGET).describe_jobs()["items"]
    assert sorted(len(job["participatingServers"]) for job in jobs) == [1, 2]
    ids = [each["recoveryInstanceID"] for each in world.aws("drs", TARGET).describe_recovery_instances()["items"]]
    assert survivor in ids
    assert len(ids) == 2


def test_retry_of_a_planned_launch_starts_its_source_again_so_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a server whose launch failed after its source was stopped: it does not replicate any more
    world = servers(monkeypatch, "web-1", "web-2")
    run = world.start()
    world.fault(effect="fail", kind="drs.launch", resource="s-web1")
    assert failed(run.phase(Phase.ACTIVATE)) == {"drs/web-1": Outcome.FAILED}
    assert set(machines(world, SOURCE).values()) == {"stopped"}
    # When the cause is gone and the stage is retried
    world.repair()
    action = run.retry(Phase.ACTIVATE)
    # Then only that source ran again, until its new launch had a snapshot
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made(Phase.ACTIVATE) == [
        "StartRecovery",
        "StopInstances",
        "StartInstances",
        "StartRecovery",
        "StopInstances",
    ]
    assert set(machines(world, SOURCE).values()) == {"stopped"}
    assert machines(world, TARGET) == {"web-1": "running", "web-2": "running"}
    assert world.refusals() == []


def test_a_planned_launch_from_an_old_snapshot_fails_that_server_and_spares_its_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    run = world.start()
    run.until(Phase.ACTIVATE, "start-recovery")
    stop_machine(world, SOURCE, "web-1")

    action = run.phase(Phase.ACTIVATE)

    assert failed(action) == {"drs/web-1": Outcome.FAILED}
    assert "USING_PREVIOUS_SNAPSHOT" in action.detail
    assert "roll back" in action.remedy


def test_a_planned_run_waits_until_the_backlog_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", backlog_mib=1200)
    run = world.start()
    assert "catching-up" in run.findings
    waiting = run.tick(Phase.ACTIVATE)
    assert waiting.called_at == {}

    action = run.until(Phase.ACTIVATE, "start-recovery")

    server = world.aws("drs", TARGET).describe_source_servers()["items"][0]
    assert server["dataReplicationInfo"]["replicatedDisks"][0]["backloggedStorageBytes"] == 0
    assert [s.state for s in action.steps if s.name == "backlog-drained"] == ["done"]


def test_a_backlog_that_does_not_drain_ends_the_run_with_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", backlog_mib=100_000)
    run = world.start()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "backlog-drained-web-1: BACKLOG" in action.detail
    assert world.operations() == []


def test_a_lost_answer_to_the_launch_is_adopted_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start()
    world.fault(effect="lost-answer", service="drs", operation="StartRecovery", first=1)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert len(world.aws("drs", TARGET).describe_jobs()["items"]) == 1


def test_a_server_in_somebody_elses_job_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start()
    drs = world.aws("drs", TARGET)
    server = drs.describe_source_servers()["items"][0]["sourceServerID"]
    drs.start_recovery(sourceServers=[{"sourceServerID": server}], isDrill=True)

    first = run.tick(Phase.ACTIVATE)
    action = run.phase(Phase.ACTIVATE)

    assert [s.reason for s in first.steps if s.name == "start-recovery"][0].startswith("held by another job: drsjob-")
    assert action.outcome is Outcome.SUCCEEDED, action.detail


def test_launching_again_over_a_running_recovery_instance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    world.inventory()
    world.darken(SOURCE)
    first = world.start(emergency=True, AcceptDataLoss=True)
    first.all()
    first.end()

    again = world.start(emergency=True, AcceptDataLoss=True)
    action = again.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "would terminate the recovery instance" in action.detail
    assert again.made() == []
    assert machines(world, TARGET) == {"web-1": "running"}


def test_launch_settings_that_would_launch_stopped_or_untagged_are_corrected_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1")
    drs = world.aws("drs", TARGET)
    server = drs.describe_source_servers()["items"][0]["sourceServerID"]
    drs.update_launch_configuration(sourceServerID=server, launchDisposition="STOPPED", copyTags=False)
    run = world.start()

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED

    settings = drs.get_launch_configuration(sourceServerID=server)
    assert (settings["launchDisposition"], settings["copyTags"]) == ("STARTED", True)
    assert world.refusals() == []


def test_an_emergency_starts_what_was_launched_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    drs = world.aws("drs", TARGET)
    server = drs.describe_source_servers()["items"][0]["sourceServerID"]
    drs.update_launch_configuration(sourceServerID=server, launchDisposition="STOPPED")
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["StartRecovery", "StartInstances"]
    assert machines(world, TARGET) == {"web-1": "running"}


def test_no_way_back_is_found_before_anything_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    drs_state(world, SOURCE).replication_templates.clear()

    run = world.start()

    assert not run.ready
    assert "no replication template in us-east-1" in run.findings["no-way-back"]


def test_a_server_that_does_not_replicate_stops_a_planned_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    stop_machine(world, SOURCE, "web-1")
    world.wait(10)

    run = world.start()

    assert not run.ready
    assert "STALLED (AGENT_NOT_SEEN), expected CONTINUOUS" in run.findings["not-replicating"]


def test_lag_beyond_the_rpo_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", backlog_mib=2000, tags={"dr:rpo-target": "1"})

    assert "dr:rpo-target is 1 min" in world.start().findings["lag"]


def test_a_server_outside_ec2_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    next(iter(drs_state(world, TARGET).servers.values())).on_premises = True

    with pytest.raises(RefusedError, match="protects a server outside EC2"):
        world.start()


def test_two_servers_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1", "web-2")
    next(iter(drs_state(world, TARGET).servers.values())).tags["Name"] = "web-2"

    with pytest.raises(ValidationError, match="both claim the side in"):
        world.start()


def test_nothing_in_a_move_of_servers_is_irreversible(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")

    plan = world.start(commit=False).plan

    effects = {step.effect for action in plan.actions for step in action.steps}
    assert Effect.IRREVERSIBLE not in effects
    assert not any(stage.irreversible for stage in plan.stages)


def test_tagged_instance_that_drs_does_not_protect_stops_a_planned_run_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a protected server, and an instance that somebody tagged for DR and forgot to protect
    world = open_world(monkeypatch, {"kind": "drs-server", "name": "app-1"}, images=True)
    ec2 = world.aws("ec2", SOURCE)
    reservations = ec2.describe_instances()["Reservations"]
    (mine,) = [each for one in reservations for each in one["Instances"]]
    forgotten = ec2.run_instances(
        ImageId=mine["ImageId"],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [t for t in mine["Tags"] if not t["Key"].startswith("aws:")]}
        ],
    )["Instances"][0]["InstanceId"]
    # When a planned run is asked for, then it stops before anything is changed and names the instance
    with pytest.raises(ValidationError, match=f"drs/{forgotten}: has no counterpart in {TARGET}"):
        world.start()
    assert world.operations() == []
    # But an emergency moves what can be moved, and says what it leaves behind
    world.ledger.unlock(SCOPE, "run-1")
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "has no counterpart" in run.plan.excluded[f"drs/{forgotten}"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_server_that_would_be_launched_into_an_existing_instance_stops_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server whose launch settings name an instance, tagged for a strategy that launches new ones
    world = servers(monkeypatch, "web-1", prepared=True, tags={"dr:recovery-strategy": "drs-recovery"})
    # When a planned run or a drill is prepared
    for operation in (Operation.FAILOVER, Operation.TEST):
        run = world.start(operation)
        # Then it is red and says why: a rollback or the end of the drill would terminate that instance
        assert not run.ready
        assert "is set to launch into i-" in run.findings["launch-into"]
        # And it is blocked, for those who go on all the same
        action = run.phase(Phase.INSTANTIATE)
        assert action.outcome is Outcome.FAILED
        assert "is set to launch into" in action.detail
        assert "drs-launch-into" in action.remedy
        run.end()
    # And so it is in an emergency, where red alone stops nobody
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert "is set to launch into i-" in run.findings["launch-into"]
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "is set to launch into" in action.detail
    assert world.operations() == []
