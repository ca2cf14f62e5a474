"""DRS recovery plans through the real engine: in the plan's order, whole or not at all, retried, cancelled, there and back."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ledger.records import Action
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

PLAN = {"dr:recovery-strategy": "drs-recovery-plan"}


def servers(monkeypatch: pytest.MonkeyPatch, steps: dict[str, int], **settings: Any) -> World:
    """Return a world with servers in the steps of a plan that is called like them, without their number."""
    entries = [
        {
            "kind": "drs-server",
            "name": name,
            "plan_step": step,
            **settings,
            "tags": {**PLAN, **settings.get("tags", {})},
        }
        for name, step in steps.items()
    ]
    return open_world(monkeypatch, *entries, images=True)


def machines(world: World, region: str) -> dict[str, str]:
    """Return Name -> state of what is not terminated."""
    pages = world.aws("ec2", region).get_paginator("describe_instances").paginate()
    found = [m for page in pages for each in page["Reservations"] for m in each["Instances"]]
    states = [(tag["Value"], m["State"]["Name"]) for m in found for tag in m["Tags"] if tag["Key"] == "Name"]
    return {name: state for name, state in states if state != "terminated"}


def plan_of(world: World, region: str) -> str:
    (plan,) = world.aws("drs", region).list_recovery_plans()["recoveryPlans"]
    return str(plan["recoveryPlanArn"])


def executions(world: World, region: str = TARGET) -> list[dict[str, Any]]:
    return list(world.aws("drs", region).list_recovery_plan_executions()["recoveryPlanExecutions"])


def steps_of(world: World, region: str) -> list[list[str]]:
    """Return the names of the servers in each step of the plan of a Region."""
    drs = world.aws("drs", region)
    names = {server["arn"]: server["tags"].get("Name", "") for server in drs.describe_source_servers()["items"]}
    listed = drs.list_recovery_plan_steps(recoveryPlanArn=plan_of(world, region))["recoveryPlanSteps"]
    found = [step["configuration"].get("serverStepConfiguration", {}).get("servers", []) for step in listed]
    return [[names[each["serverArn"]] for each in step] for step in found]


def lost(action: Action) -> list[str]:
    return sorted(name for name, outcome in action.member_outcomes.items() if outcome is not Outcome.SUCCEEDED)


def emergency(world: World) -> Journey:
    world.inventory()
    world.darken(SOURCE)
    return world.start(emergency=True, AcceptDataLoss=True)


def test_planned_failover_is_one_execution_and_leaves_a_plan_for_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database and two web servers in two steps of a recovery plan, with a pause between them
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2, "web-3": 2}, wait_minutes=5)
    run = world.start()
    assert run.ready, run.findings
    assert [target.strategy for target in run.plan.targets] == ["drs-recovery-plan"]
    foreseen = run.previewed_calls()
    # When they are moved
    ended = run.all()
    # Then DRS executed its plan once, sources were stopped step by step, and the same plan exists for the way back
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert run.made(Phase.ACTIVATE) == ["StartRecoveryPlanExecution", "StopInstances", "StopInstances"]
    (execution,) = executions(world)
    assert (execution["mode"], execution["status"]) == ("RECOVERY", "COMPLETED")
    assert set(machines(world, SOURCE).values()) == {"stopped"}
    assert set(machines(world, TARGET).values()) == {"running"}
    assert steps_of(world, SOURCE) == [["web-1"], [], ["web-2", "web-3"]]
    assert world.refusals() == []


def test_servers_come_back_by_their_own_plan_and_go_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    for operation in (Operation.FAILOVER, Operation.FAILBACK, Operation.FAILOVER):
        run = world.start(operation)
        assert run.ready, run.findings

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, (operation, ended)
        here, there = (SOURCE, TARGET) if operation is Operation.FAILBACK else (TARGET, SOURCE)
        assert set(machines(world, here).values()) == {"running"}
        assert "StartRecoveryPlanExecution" in run.made()
        run.end()
        world.wait(30)
    assert [len(executions(world, region)) for region in (TARGET, SOURCE)] == [2, 1]
    assert [plan_of(world, region) for region in (TARGET, SOURCE)]
    assert world.refusals() == []


def test_emergency_executes_the_plan_without_the_lost_region(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = emergency(world)
    world.local.call_log.clear()

    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert run.made() == ["StartRecoveryPlanExecution"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert machines(world, TARGET) == {"web-1": "running", "web-2": "running"}


def test_drill_marks_and_removes_what_its_execution_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = world.start(Operation.TEST)
    assert run.ready

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert [execution["mode"] for execution in executions(world)] == ["DRILL"]
    marked = [{"Name": "tag:dr:drill-id", "Values": [run.run_id]}]
    reply = world.aws("ec2", TARGET).describe_instances(Filters=marked)["Reservations"]
    assert len([m for each in reply for m in each["Instances"]]) == 2
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert set(machines(world, SOURCE).values()) == {"running"}
    assert machines(world, TARGET) == {}
    assert world.operations(SOURCE) == []
    assert world.refusals() == []


def test_drill_that_is_given_up_cancels_its_execution_and_removes_what_was_launched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = world.start(Operation.TEST)
    run.until(Phase.INSTANTIATE, "start-plan-web")
    world.wait(1)

    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert [execution["status"] for execution in executions(world)] == ["CANCELLED"]
    assert run.made(Phase.CLEANUP) == ["CancelRecoveryPlanExecution", "TerminateRecoveryInstances"]
    assert machines(world, TARGET) == {}


def test_failed_step_is_retried_within_its_execution_and_nothing_that_runs_is_launched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an execution whose first step fails for one of its two servers
    world = servers(monkeypatch, {"web-1": 1, "web-2": 1, "web-3": 2})
    run = emergency(world)
    world.fault(effect="fail", kind="drs.conversion", resource="s-web1")
    action = run.phase(Phase.ACTIVATE)
    # Then that one fails, the one of the later step is told why it was not recovered, and the third one runs
    assert lost(action) == ["drs/web-1", "drs/web-3"]
    assert "Source servers did not recover: s-web1" in action.detail
    assert "step step 2 is NOT_STARTED" in action.detail
    drs = world.aws("drs", TARGET)
    (survivor,) = (each["recoveryInstanceID"] for each in drs.describe_recovery_instances()["items"])
    # When the cause is gone and the action is retried
    world.repair()
    world.darken(SOURCE)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    # Then the same execution went on
    assert len(executions(world)) == 1
    assert run.made().count("RetryRecoveryPlanExecutionStep") == 1
    assert survivor in {each["recoveryInstanceID"] for each in drs.describe_recovery_instances()["items"]}
    assert machines(world, TARGET) == {"web-1": "running", "web-2": "running", "web-3": "running"}
    assert world.refusals() == []


def test_execution_that_fails_its_validation_is_started_anew_by_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = emergency(world)
    region = world.local.service("drs").region_state("222222222222", TARGET)  # type: ignore[attr-defined]
    broken = next(server for server in region.servers.values() if server.hostname == "web-2")
    windows, broken.windows = broken.windows, []

    action = run.phase(Phase.ACTIVATE)

    assert lost(action) == ["drs/web-1", "drs/web-2"]
    assert "has no consistent recovery point" in action.detail
    assert machines(world, TARGET) == {}
    broken.windows = windows
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert sorted(execution["status"] for execution in executions(world)) == ["COMPLETED", "FAILED"]


@pytest.mark.parametrize("status", ["TIMED_OUT", "CANCELLED", "RETHOUGHT"])
def test_execution_that_ends_otherwise_fails_the_servers_it_left_behind(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = emergency(world)
    run.until(Phase.ACTIVATE, "start-plan-web")
    world.wait(3)
    region = world.local.service("drs").region_state("222222222222", TARGET)  # type: ignore[attr-defined]
    (execution,) = region.executions.values()
    execution.status = status
    execution.steps[0].status, execution.steps[1].status = "TIMED_OUT", "SKIPPED"
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"is {status}" in action.detail
    assert "drs/web-2" in lost(action)
    assert action.remedy


def test_step_that_somebody_skipped_fails_its_servers_although_the_execution_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = emergency(world)
    run.until(Phase.ACTIVATE, "start-plan-web")
    drs = world.aws("drs", TARGET)
    arn = executions(world)[0]["recoveryPlanExecutionArn"]
    last = drs.list_recovery_plan_execution_steps(recoveryPlanExecutionArn=arn)["recoveryPlanExecutionSteps"][-1]
    drs.update_recovery_plan_execution_step(
        recoveryPlanExecutionStepArn=last["recoveryPlanExecutionStepArn"], status="SKIPPED"
    )

    action = run.phase(Phase.ACTIVATE)

    assert lost(action) == ["drs/web-2"]
    assert "is COMPLETED" in action.detail
    assert "is SKIPPED" in action.detail
    assert machines(world, TARGET) == {"web-1": "running"}


def test_rollback_cancels_the_execution_terminates_its_instances_and_a_retry_starts_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = servers(monkeypatch, {"web-1": 1, "web-2": 2})
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.until(Phase.ACTIVATE, "stop-sources-web-1")

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK

    assert [execution["status"] for execution in executions(world)] == ["CANCELLED"]
    assert machines(world, TARGET) == {}
    assert set(machines(world, SOURCE).values()) == {"running"}
    world.wait(30)
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert len(executions(world)) == 2
    assert set(machines(world, TARGET).values()) == {"running"}
    assert world.refusals() == []


def test_execution_of_somebody_else_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1})
    run = emergency(world)
    world.aws("drs", TARGET).start_recovery_plan_execution(recoveryPlanArn=plan_of(world, TARGET), mode="DRILL")

    first = run.tick(Phase.ACTIVATE)
    action = run.phase(Phase.ACTIVATE)

    assert [s.reason for s in first.steps if s.name == "start-plan-web"][0].startswith("held by exec-")
    assert action.outcome is Outcome.SUCCEEDED, action.detail


def test_plan_that_holds_a_server_of_another_wave_is_red_and_launches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"kind": "drs-server", "name": f"web-{n}", "plan_step": 1, "tags": {**PLAN, "dr:wave": str(n)}} for n in (1, 2)
    ]
    world = open_world(monkeypatch, *entries, images=True)

    run = world.start()

    assert not run.ready
    assert "would also recover s-web" in run.findings["plan-mixed"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert "StartRecoveryPlanExecution" not in run.made()


def test_server_without_a_plan_or_with_two_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    lonely = {"kind": "drs-server", "name": "db-1", "tags": PLAN}
    world = open_world(monkeypatch, lonely, images=True)
    run = world.start()
    assert "is in no recovery plan" in run.findings["plan-missing"]
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    run.end()

    drs = world.aws("drs", TARGET)
    (server,) = drs.describe_source_servers()["items"]
    for name in ("one", "two"):
        plan = drs.create_recovery_plan(name=name)["recoveryPlan"]["recoveryPlanArn"]
        servers_of = {"serverStepConfiguration": {"servers": [{"serverArn": server["arn"]}]}}
        drs.create_recovery_plan_step(recoveryPlanArn=plan, stepName="all", configuration=servers_of)
    assert "is in 2 recovery plans" in world.start().findings["plan-ambiguous"]
    assert world.operations() == []


def test_plan_without_the_tags_of_the_scope_or_with_pauses_too_long_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1})
    drs, plan = world.aws("drs", TARGET), plan_of(world, TARGET)
    drs.untag_resource(resourceArn=plan, tagKeys=["dr:enabled"])
    for number in range(3):
        pause = {"waitStepConfiguration": {"waitDurationMinutes": 120}}
        drs.create_recovery_plan_step(recoveryPlanArn=plan, stepName=f"pause {number}", configuration=pause)

    findings = world.start().findings

    assert 'carries dr:enabled="", expected "true"' in findings["plan-foreign"]
    assert "takes about 375 minutes" in findings["plan-too-long"]


def test_plan_of_the_way_back_that_holds_something_else_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = servers(monkeypatch, {"web-1": 1})
    drs = world.aws("drs", SOURCE)
    run = world.start()
    for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP):
        run.phase(phase)
    run.until(Phase.REPLICATE, "reverse-web-1")
    (server,) = drs.describe_source_servers()["items"]
    strange = drs.create_recovery_plan(name="web")["recoveryPlan"]["recoveryPlanArn"]
    one = {"serverStepConfiguration": {"servers": [{"serverArn": server["arn"]}]}}
    drs.create_recovery_plan_step(recoveryPlanArn=strange, stepName="mine", configuration=one)
    drs.create_recovery_plan_step(
        recoveryPlanArn=strange, stepName="pause", configuration={"waitStepConfiguration": {"waitDurationMinutes": 9}}
    )
    world.aws("drs", TARGET).create_recovery_plan_step(
        recoveryPlanArn=plan_of(world, TARGET),
        stepName="pause",
        configuration={"waitStepConfiguration": {"waitDurationMinutes": 5}},
    )

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "holds other servers or waits" in action.detail
    assert "CreateRecoveryPlanStep" not in run.made(Phase.REPLICATE)


def test_plans_are_executed_each_by_itself_however_many_servers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two plans, together more servers than one plan or job takes
    steps = {f"app-{number:02d}": 1 for number in range(60)} | {f"web-{number:02d}": 1 for number in range(45)}
    world = servers(monkeypatch, steps)
    run = emergency(world)
    assert [len(target.members) for target in run.plan.targets] == [60, 45]
    # When they are moved
    run.phase(Phase.ACTIVATE)
    # Then each plan was executed once, each server in one job
    assert {action.outcome for action in world.ledger.actions(run.run_id)} == {Outcome.SUCCEEDED}
    assert [execution["status"] for execution in executions(world)] == ["COMPLETED"] * 2
    jobs = world.aws("drs", TARGET).describe_jobs()["items"]
    assert sorted(len(job["participatingServers"]) for job in jobs) == [45, 60]
    assert len(machines(world, TARGET)) == 105
