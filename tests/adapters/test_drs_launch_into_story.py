"""DRS into prepared instances through the real engine: there and back into the originals, and never a terminated one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Effect, Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

MARK = {"AWSDRS": "AllowLaunchingIntoThisInstance"}


def servers(monkeypatch: pytest.MonkeyPatch, *names: str, **settings: Any) -> World:
    entries = [{"kind": "drs-server", "name": name, "prepared": True, **settings} for name in names]
    return open_world(monkeypatch, *entries, images=True)


def machine(world: World, region: str, name: str) -> dict[str, Any]:
    """Return the one machine of a name; there is never a second one."""
    named = [{"Name": "tag:Name", "Values": [name]}]
    reply = world.aws("ec2", region).describe_instances(Filters=named)
    (found,) = (m for each in reply["Reservations"] for m in each["Instances"])
    return dict(found)


def state(world: World, region: str, name: str) -> str:
    return str(machine(world, region, name)["State"]["Name"])


def tags(world: World, region: str, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in machine(world, region, name)["Tags"]}


def volumes(world: World, region: str, name: str) -> set[str]:
    return {each["Ebs"]["VolumeId"] for each in machine(world, region, name)["BlockDeviceMappings"]}


def server_of(world: World, region: str, name: str) -> dict[str, Any]:
    (found,) = (s for s in world.aws("drs", region).describe_source_servers()["items"] if s["tags"].get("Name") == name)
    return dict(found)


def into(world: World, region: str, name: str) -> str:
    drs = world.aws("drs", region)
    settings = drs.get_launch_configuration(sourceServerID=server_of(world, region, name)["sourceServerID"])
    return str(settings["launchIntoInstanceProperties"]["launchIntoEC2InstanceID"])


def protected(world: World, region: str, name: str) -> bool:
    instance = machine(world, region, name)["InstanceId"]
    asked = world.aws("ec2", region).describe_instance_attribute(InstanceId=instance, Attribute="disableApiTermination")
    return bool(asked["DisableApiTermination"]["Value"])


def emergency(world: World) -> Journey:
    world.inventory()
    world.darken(SOURCE)
    return world.start(emergency=True, AcceptDataLoss=True)


def test_planned_failover_replaces_the_volumes_of_the_prepared_instances_and_nothing_new_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given two servers whose launch settings name prepared, stopped instances; no tag tells the strategy
    world = servers(monkeypatch, "web-1", "web-2")
    ids = {name: machine(world, TARGET, name)["InstanceId"] for name in ("web-1", "web-2")}
    before = volumes(world, TARGET, "web-1")
    run = world.start()
    assert run.ready, run.findings
    assert {target.strategy for target in run.plan.targets} == {"drs-launch-into"}
    assert [m.target.facts["into"] for t in run.plan.targets for m in t.members] == list(ids.values())
    assert Effect.IRREVERSIBLE not in {step.effect for action in run.plan.actions for step in action.steps}
    foreseen = run.previewed_calls()
    # When they are moved
    ended = run.all()
    # Then they run in those instances, with other volumes, protected against termination; the sources are down
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert run.made().count("StartRecovery") == 1
    for name, instance in ids.items():
        assert machine(world, TARGET, name)["InstanceId"] == instance
        assert (state(world, SOURCE, name), state(world, TARGET, name)) == ("stopped", "running")
        assert protected(world, TARGET, name)
        # And the way back leads into the originals
        assert into(world, SOURCE, name) == machine(world, SOURCE, name)["InstanceId"]
        assert MARK.items() <= tags(world, SOURCE, name).items()
    assert volumes(world, TARGET, "web-1").isdisjoint(before)
    reverse = world.aws("drs", SOURCE).describe_source_servers()["items"]
    assert [s["dataReplicationInfo"]["dataReplicationState"] for s in reverse] == ["CONTINUOUS"] * 2
    assert world.refusals() == []


def test_servers_go_there_and_back_and_there_again_in_the_same_two_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    ids = {region: machine(world, region, "web-1")["InstanceId"] for region in (SOURCE, TARGET)}
    for operation in (Operation.FAILOVER, Operation.FAILBACK, Operation.FAILOVER):
        run = world.start(operation)
        assert run.ready, run.findings

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, (operation, ended)
        here, there = (SOURCE, TARGET) if operation is Operation.FAILBACK else (TARGET, SOURCE)
        assert (state(world, here, "web-1"), state(world, there, "web-1")) == ("running", "stopped")
        assert "dr:fenced" not in tags(world, here, "web-1")
        assert "dr:fenced" in tags(world, there, "web-1")
        assert {region: machine(world, region, "web-1")["InstanceId"] for region in (SOURCE, TARGET)} == ids
        assert "ReverseReplication" in run.made(Phase.REPLICATE)
        run.end()
        world.wait(30)
    assert world.refusals() == []


def test_emergency_launches_into_the_prepared_instance_without_the_lost_region(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    prepared = machine(world, TARGET, "web-1")["InstanceId"]
    run = emergency(world)
    assert "prepared-state" not in run.findings
    world.local.call_log.clear()

    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert run.made() == ["StartRecovery"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert machine(world, TARGET, "web-1")["InstanceId"] == prepared
    assert state(world, TARGET, "web-1") == "running"
    # And when the Region is back, the deferred phases fence the original and let the way back lead into it
    run.end()
    world.repair()
    later = world.start(Phases=["CLEANUP", "REPLICATE"])
    assert {action.outcome for action in later.all().values()} == {Outcome.SUCCEEDED}
    assert state(world, SOURCE, "web-1") == "stopped"
    assert into(world, SOURCE, "web-1") == machine(world, SOURCE, "web-1")["InstanceId"]
    assert world.refusals() == []


def test_drill_looks_at_the_prepared_instance_and_never_launches_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    before = volumes(world, TARGET, "web-1")
    run = world.start(Operation.TEST)

    assert run.ready
    assert "launches drills into the prepared instance" in run.findings["drill-launches-nothing"]
    looked = run.phase(Phase.INSTANTIATE)
    assert looked.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "only looked at" in looked.detail
    for phase in (Phase.ACTIVATE, Phase.CLEANUP):
        assert run.phase(phase).outcome is Outcome.SKIPPED
    (check,) = run.stage(Phase.ACTIVATE).checks
    assert (check.name, check.state) == ("prepared-instance", "healthy")
    assert volumes(world, TARGET, "web-1") == before
    assert world.operations() == []


def test_rollback_stops_and_fences_the_prepared_instance_and_a_retry_launches_into_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a server that was launched into its prepared instance
    world = servers(monkeypatch, "web-1")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    # When that is rolled back
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    # Then the prepared instance is stopped and fenced, not terminated, and the source runs again
    assert "TerminateRecoveryInstances" not in run.made()
    assert (state(world, SOURCE, "web-1"), state(world, TARGET, "web-1")) == ("running", "stopped")
    assert "dr:fenced" in tags(world, TARGET, "web-1")
    # When it is tried again, with newer data
    world.wait(30)
    first = volumes(world, TARGET, "web-1")
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    # Then the launch is a new one into the same instance, and the fence is off
    assert run.made().count("StartRecovery") == 2
    assert volumes(world, TARGET, "web-1").isdisjoint(first)
    assert state(world, TARGET, "web-1") == "running"
    assert "dr:fenced" not in tags(world, TARGET, "web-1")
    assert world.refusals() == []


def test_rollback_is_refused_once_the_server_is_protected_the_other_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start()
    run.all()

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "protected in the other direction" in action.detail
    assert state(world, TARGET, "web-1") == "running"


def test_retry_after_somebody_stopped_what_serves_starts_it_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = emergency(world)
    instance = machine(world, TARGET, "web-1")["InstanceId"]
    world.fault(effect="fail", kind="ec2.status-checks", resource=instance)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    served = volumes(world, TARGET, "web-1")
    world.repair()
    world.darken(SOURCE)
    world.aws("ec2", TARGET).stop_instances(InstanceIds=[instance])
    world.wait(2)

    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED

    assert run.made().count("StartRecovery") == 1
    assert volumes(world, TARGET, "web-1") == served
    assert state(world, TARGET, "web-1") == "running"


def start(world: World) -> None:
    world.aws("ec2", TARGET).start_instances(InstanceIds=[machine(world, TARGET, "web-1")["InstanceId"]])
    world.wait(5)


def untag(world: World) -> None:
    instance = machine(world, TARGET, "web-1")["InstanceId"]
    world.aws("ec2", TARGET).delete_tags(Resources=[instance], Tags=[{"Key": "AWSDRS"}])


def give_away(world: World) -> None:
    instance = machine(world, TARGET, "web-1")["InstanceId"]
    world.aws("ec2", TARGET).create_tags(Resources=[instance], Tags=[{"Key": "Customer", "Value": "CustomerY"}])


def terminate(world: World) -> None:
    world.aws("ec2", TARGET).terminate_instances(InstanceIds=[machine(world, TARGET, "web-1")["InstanceId"]])
    world.wait(2)


def change(world: World, **fields: Any) -> None:
    """Change what no API can change of an instance."""
    instance = world.local.service("ec2").instance(  # type: ignore[attr-defined]
        "222222222222", TARGET, machine(world, TARGET, "web-1")["InstanceId"]
    )
    for name, value in fields.items():
        setattr(instance, name, value)


UNFIT: dict[str, tuple[Any, str, str]] = {
    "running": (start, "prepared-state", "is running, expected stopped: it may be serving"),
    "untagged": (untag, "prepared-unfit", "tag AWSDRS is missing, expected AllowLaunchingIntoThisInstance"),
    "foreign": (give_away, "prepared-foreign", 'carries Customer="CustomerY", expected "CustomerX"'),
    "gone": (terminate, "prepared-state", "is terminated, expected stopped"),
    "arm": (lambda w: change(w, architecture="arm64"), "prepared-unfit", "architecture is arm64, expected x86_64"),
    "paravirtual": (lambda w: change(w, virtualization_type="paravirtual"), "prepared-unfit", "expected hvm"),
    "windows": (lambda w: change(w, platform="windows"), "prepared-unfit", "platform is Windows, expected Linux"),
    "uefi": (
        lambda w: change(w, localaws_boot_mode="uefi"),
        "prepared-unfit",
        "boot mode is uefi, expected legacy-bios",
    ),
}


@pytest.mark.parametrize("what", UNFIT)
def test_instance_that_cannot_or_must_not_be_launched_into_is_red_and_blocks_in_every_mode(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    break_it, code, told = UNFIT[what]
    world = servers(monkeypatch, "web-1")
    break_it(world)
    # A planned run stops at readiness, and its first phase is blocked for those who go on all the same
    run = world.start()
    assert not run.ready
    assert told in run.findings[code]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert told in action.detail
    assert "dr plan" in action.remedy
    run.end()
    # A drill says the same
    run = world.start(Operation.TEST)
    assert told in run.findings[code]
    run.end()
    # In an emergency red is only told, and ACTIVATE launches nothing
    run = emergency(world)
    assert told in run.findings[code]
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert told in action.detail
    assert world.operations() == []


def test_windows_server_needs_the_boot_mode_of_its_source_which_an_emergency_cannot_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, "web-1", os="Windows Server 2022", prepared_boot_mode="uefi")

    run = world.start()
    assert "boot mode is uefi, expected legacy-bios" in run.findings["prepared-unfit"]
    run.end()
    run = emergency(world)
    assert "whether the Windows source does, nobody could be asked" in run.findings["boot-mode"]
    assert "prepared-unfit" not in run.findings


def test_launch_settings_that_were_changed_after_the_plan_launch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a plan, and launch settings that name no instance any more
    world = servers(monkeypatch, "web-1")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    server = server_of(world, TARGET, "web-1")["sourceServerID"]
    world.aws("drs", TARGET).update_launch_configuration(
        sourceServerID=server, launchIntoInstanceProperties={"launchIntoEC2InstanceID": ""}
    )
    # When ACTIVATE looks, then nothing is launched
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "name no instance, the plan has i-" in action.detail
    assert "StartRecovery" not in run.made()


def test_launch_that_lands_elsewhere_fails_and_only_the_new_instance_is_terminated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a launch whose settings somebody changed while it was under way
    world = servers(monkeypatch, "web-1")
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "start-recovery")
    server = server_of(world, TARGET, "web-1")["sourceServerID"]
    drs = world.local.service("drs").region_state("222222222222", TARGET)  # type: ignore[attr-defined]
    prepared = drs.servers[server].launch.pop("launchIntoInstanceProperties")["launchIntoEC2InstanceID"]
    # When it has ended, then it failed and says what was launched
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert f"expected {prepared}" in action.detail
    # And a rollback terminates that one alone
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    instances = world.aws("ec2", TARGET).describe_instances()["Reservations"]
    states = {m["InstanceId"]: m["State"]["Name"] for each in instances for m in each["Instances"]}
    assert states.pop(prepared) == "stopped"
    assert set(states.values()) == {"terminated"}
    assert state(world, SOURCE, "web-1") == "running"


def test_server_tagged_for_prepared_instances_without_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = {"dr:recovery-strategy": "drs-launch-into"}
    world = open_world(monkeypatch, {"kind": "drs-server", "name": "web-1", "tags": tag}, images=True)

    run = world.start()

    assert not run.ready
    assert "name no instance to launch into" in run.findings["prepared-missing"]
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.FAILED
    assert world.operations() == []


def test_instance_that_served_and_was_not_fenced_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server that has moved and is protected the other way round, and whose instance somebody stopped
    world = servers(monkeypatch, "web-1")
    moved = world.start()
    moved.all()
    moved.end()
    world.aws("ec2", TARGET).stop_instances(InstanceIds=[machine(world, TARGET, "web-1")["InstanceId"]])
    world.wait(2)
    # When an emergency would launch the old data into it
    run = emergency(world)
    action = run.phase(Phase.ACTIVATE)
    # Then it is refused: that instance holds the newest data there is
    assert action.outcome is Outcome.FAILED
    assert "it may hold newer data" in action.detail
    assert run.made() == []


def test_originals_are_kept_by_a_decommission(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start(Decommission=True)
    stage = run.stage(Phase.DECOMMISSION)
    world.ledger.change_stage(run.run_id, stage.stage_id, lambda s: s.but(approved_by="owner@example.com"))
    assert [step.call for step in run.preview(Phase.DECOMMISSION)] == [None]

    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert "web-1 stays: s-" in ended[Phase.DECOMMISSION].detail
    assert state(world, SOURCE, "web-1") == "stopped"


def test_way_back_without_an_original_is_blocked_and_says_what_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, "web-1")
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        run.phase(phase)
    world.aws("ec2", SOURCE).terminate_instances(InstanceIds=[machine(world, SOURCE, "web-1")["InstanceId"]])
    world.wait(2)

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert f"there is no instance left in {SOURCE} to launch into on the way back" in action.detail
    assert "prepare a stopped instance there" in action.remedy
    assert run.made(Phase.REPLICATE) == ["ModifyInstanceAttribute", "ReverseReplication", "TagResource"]


def test_more_servers_than_a_job_takes_go_in_several_jobs_and_never_too_many_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given more prepared servers than one job may hold
    names = [f"web-{number:03d}" for number in range(103)]
    world = servers(monkeypatch, *names)
    run = emergency(world)
    assert [len(target.members) for target in run.plan.targets] == [100, 3]
    # When all are launched
    run.phase(Phase.ACTIVATE)
    # Then each was in one job, and each runs in its prepared instance
    assert {action.outcome for action in world.ledger.actions(run.run_id)} == {Outcome.SUCCEEDED}
    jobs = world.aws("drs", TARGET).describe_jobs()["items"]
    assert sorted(len(job["participatingServers"]) for job in jobs) == [3, 100]
    pages = world.aws("ec2", TARGET).get_paginator("describe_instances").paginate()
    found = [m["State"]["Name"] for page in pages for each in page["Reservations"] for m in each["Instances"]]
    assert found == ["running"] * len(names)
