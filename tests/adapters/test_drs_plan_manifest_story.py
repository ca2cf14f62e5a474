"""A manifest names the recovery plan of a group of servers: what it moves, what it is refused for, and how it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.ledger.records import Action
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, SCOPE, SOURCE, TARGET, Journey, World, open_world

KEY = "manifests/CustomerX/production.json"


def estate(monkeypatch: pytest.MonkeyPatch, **steps: int) -> World:
    """Return a world with servers that no tag chooses a strategy for, in the steps of the plan that is called like them."""
    entries = [
        {"kind": "drs-server", "name": name.replace("_", "-"), "plan_step": step, "instance_type": "t3.small"}
        for name, step in steps.items()
    ]
    return open_world(monkeypatch, *entries, images=True)


def server(name: str, plan: str, strategy: str | None = "drs-recovery-plan") -> dict[str, Any]:
    chosen = {"strategy": strategy} if strategy else {}
    return {"resourceId": name, "action": "DRS", **chosen, "config": {"recoveryPlan": plan}}


def write(world: World, *layers: list[dict[str, Any]]) -> None:
    """Put the manifest into the hub's bucket: these layers, one after the other."""
    document = {
        "manifestVersion": "1.0",
        "customer": SCOPE.customer,
        "environment": SCOPE.environment,
        "layers": [
            {"layerId": f"layer-{number}", "priority": number, "resources": resources}
            for number, resources in enumerate(layers, start=1)
        ],
    }
    world.blobs.put(KEY, json.dumps(document).encode())


def running(world: World, region: str) -> list[str]:
    """Return the names of the instances that run in a Region."""
    only = [{"Name": "instance-state-name", "Values": ["running"]}]
    reply = world.aws("ec2", region).describe_instances(Filters=only)["Reservations"]
    tags = [tag for each in reply for machine in each["Instances"] for tag in machine["Tags"]]
    return sorted(tag["Value"] for tag in tags if tag["Key"] == "Name")


def executions(world: World, region: str = TARGET) -> list[str]:
    found = world.aws("drs", region).list_recovery_plan_executions()["recoveryPlanExecutions"]
    return [each["status"] for each in found]


def plans(world: World, region: str) -> dict[str, str]:
    return {p["name"]: p["recoveryPlanArn"] for p in world.aws("drs", region).list_recovery_plans()["recoveryPlans"]}


def moved(run: Journey) -> None:
    assert run.ready, run.findings
    ended = run.all()
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended


def lost(action: Action) -> list[str]:
    return sorted(name for name, outcome in action.member_outcomes.items() if outcome is not Outcome.SUCCEEDED)


def test_servers_move_by_the_plan_their_manifest_names_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database and two web servers in two steps of a plan, tagged for the scope only, and a manifest that names the plan
    world = estate(monkeypatch, app_1=1, app_2=2, app_3=2)
    write(world, [server(name, "app") for name in ("app-1", "app-2", "app-3")])
    run = world.start(Manifest=KEY)
    # Then they are one action of that strategy, and what it will call is foreseen
    ((strategy, names),) = [(t.strategy, [m.name for m in t.members]) for t in run.plan.targets]
    assert (strategy, names) == ("drs-recovery-plan", ["app-1", "app-2", "app-3"])
    foreseen = run.previewed_calls()
    # When it runs
    moved(run)
    # Then DRS executed its plan once, in its order, and the estate is served from the target side
    assert run.made() == foreseen
    assert run.made(Phase.ACTIVATE) == ["StartRecoveryPlanExecution", "StopInstances", "StopInstances"]
    assert executions(world) == ["COMPLETED"]
    assert (running(world, SOURCE), running(world, TARGET)) == ([], ["app-1", "app-2", "app-3"])
    run.end()
    world.wait(30)
    # When it fails back by the same manifest
    back = world.start(Operation.FAILBACK, Manifest=KEY)
    moved(back)
    # Then the plan of the same name was executed there
    assert executions(world, SOURCE) == ["COMPLETED"]
    assert (running(world, SOURCE), running(world, TARGET)) == (["app-1", "app-2", "app-3"], [])
    assert world.refusals() == []


def test_two_plans_are_two_actions_in_the_manifests_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, db_1=1, web_1=1, web_2=2)
    write(world, [server("db-1", "db")], [server("web-1", "web"), server("web-2", "web")])
    run = world.start(Manifest=KEY)
    assert [len(target.members) for target in run.plan.targets] == [1, 2]
    moved(run)
    started = world.aws("drs", TARGET).list_recovery_plan_executions()["recoveryPlanExecutions"]
    names = {arn: name for name, arn in plans(world, TARGET).items()}
    assert [names[e["recoveryPlanArn"]] for e in sorted(started, key=lambda e: e["startedAt"])] == ["db", "web"]


def test_emergency_executes_the_manifests_plan_without_the_lost_region(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, app_1=1, app_2=2)
    write(world, [server("app-1", "app"), server("app-2", "app")])
    world.inventory()
    world.darken(SOURCE)
    run = world.start(emergency=True, AcceptDataLoss=True, Manifest=KEY)
    world.local.call_log.clear()
    moved(run)
    assert run.made() == ["StartRecoveryPlanExecution"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert running(world, TARGET) == ["app-1", "app-2"]


def test_plan_that_does_not_exist_is_red_and_nothing_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, app_1=1)
    arn = f"arn:aws:drs:{TARGET}:{APPS}:recovery-plan/plan-0123456789abcdef0"
    for told in ("apps", arn):
        write(world, [server("app-1", told)])
        run = world.start(Manifest=KEY)
        assert not run.ready
        assert run.findings["plan-missing"].startswith(
            f'there is no recovery plan "{told}" in {TARGET}, account {APPS}'
        )
        action = run.phase(Phase.ACTIVATE)
        assert (action.outcome, lost(action)) == (Outcome.FAILED, ["drs/app-1"])
        run.end()
    assert running(world, SOURCE) == ["app-1"]
    assert executions(world) == []


def test_arn_of_the_other_regions_plan_is_red_and_tells_to_use_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a manifest that names the plan by its ARN
    world = estate(monkeypatch, app_1=1)
    write(world, [server("app-1", plans(world, TARGET)["app"])])
    # When the servers fail over, that is enough
    run = world.start(Manifest=KEY)
    moved(run)
    run.end()
    world.wait(30)
    # Then the way back, in the other Region, says why it is not
    told = world.start(Operation.FAILBACK, Manifest=KEY).findings["plan-elsewhere"]
    assert f"lies in {TARGET}, servers are launched in {SOURCE}: name the plan by its name" in told


def test_plan_with_servers_outside_the_scope_launches_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a plan of three servers of which one is not to be moved, and a server that the wrong plan is named for
    world = estate(monkeypatch, app_1=1, app_2=1, app_3=2, web_1=1)
    drs = world.aws("drs", TARGET)
    (left,) = (each for each in drs.describe_source_servers()["items"] if each["tags"]["Name"] == "app-3")
    drs.tag_resource(resourceArn=left["arn"], tags={"dr:enabled": "false"})
    write(world, [server("app-1", "app"), server("app-2", "app"), server("web-1", "app")])
    run = world.start(Manifest=KEY)
    # Then the plan is red for both reasons, and the action ends without a launch
    assert not run.ready
    told = " ".join(finding.message for finding in run.run.findings if finding.code == "plan-mixed")
    assert "would also recover s-app3" in told
    assert "does not recover s-web1" in told
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert "StartRecoveryPlanExecution" not in run.made()
    assert running(world, SOURCE) == ["app-1", "app-2", "app-3", "web-1"]


def test_plan_named_without_its_strategy_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, app_1=1)
    write(world, [server("app-1", "app", strategy=None)])
    told = world.start(Manifest=KEY).findings["plan-unused"]
    assert told == 'the manifest names the recovery plan "app", and the strategy is drs-recovery.'


def test_strategy_without_a_plan_is_red_and_tells_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, app_1=1)
    write(world, [{"resourceId": "app-1", "action": "DRS", "strategy": "drs-recovery-plan"}])
    assert "name it as recoveryPlan in the manifest" in world.start(Manifest=KEY).findings["plan-missing"]


def test_failed_execution_goes_on_where_it_failed_after_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an execution whose second step fails
    world = estate(monkeypatch, app_1=1, app_2=2)
    write(world, [server("app-1", "app"), server("app-2", "app")])
    run = world.start(Manifest=KEY)
    assert run.ready, run.findings
    run.phase(Phase.INSTANTIATE)
    world.fault(effect="fail", kind="drs.conversion", resource="s-app2")
    action = run.phase(Phase.ACTIVATE)
    assert lost(action) == ["drs/app-2"]
    assert "launch FAILED: CONVERSION_FAIL" in action.detail
    # When the cause is gone and the stage is retried
    world.repair()
    again = run.retry(Phase.ACTIVATE)
    assert again.outcome is Outcome.SUCCEEDED, again.detail
    assert run.made(Phase.ACTIVATE).count("RetryRecoveryPlanExecutionStep") == 1
    # Then the same execution completed, and the rest of the run finds everything where it belongs
    assert executions(world) == ["COMPLETED"]
    assert [run.phase(phase).outcome for phase in (Phase.CLEANUP, Phase.REPLICATE)] == [Outcome.SUCCEEDED] * 2
    assert (running(world, SOURCE), running(world, TARGET)) == ([], ["app-1", "app-2"])
    assert list(plans(world, SOURCE)) == ["app"]
    assert world.refusals() == []
