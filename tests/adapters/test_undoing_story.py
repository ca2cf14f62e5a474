"""What would undo a run, seen in real accounts through the discovery role: each kind is told before anybody lets it begin."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from cli import show
from localaws.services.cloudformation.stack import StackStatus
from orchestrator.checklists import plan_overview
from orchestrator.undoing import as_line
from orchestrator.words import Mode, Operation
from tests.adapters.lambda_scene import NAME as FUNCTION
from tests.adapters.lambda_scene import function_world
from tests.support.driver import APPS, SCOPE, SOURCE, TARGET, Journey, World, open_world

OF_SCOPE = {"Customer": SCOPE.customer, "Environment": SCOPE.environment}
TEMPLATE = json.dumps({"Resources": {"Told": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "told"}}}})


def a_world(monkeypatch: pytest.MonkeyPatch, **tags: str) -> World:
    """Return a world with one Auto Scaling group on both sides."""
    return open_world(monkeypatch, {"kind": "asg", "name": "orders-web", "tags": {"dr:wave": "1", **tags}})


def a_pipeline(world: World, region: str = SOURCE, **tags: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = world.aws("iam", region).create_role(
        RoleName="orders-pipeline", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    kinds = {"Source": ("Source", "S3"), "Deploy": ("Deploy", "CloudFormation")}
    stages = [
        {
            "name": name,
            "actions": [
                {
                    "name": name,
                    "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
                }
            ],
        }
        for name, (category, provider) in kinds.items()
    ]
    world.aws("codepipeline", region).create_pipeline(
        pipeline={
            "name": "orders-deploy",
            "roleArn": role["Role"]["Arn"],
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": stages,
        },
        tags=[{"key": key, "value": value} for key, value in {**OF_SCOPE, **tags}.items()],
    )


def a_rule(world: World, region: str = SOURCE, **tags: str) -> None:
    events = world.aws("events", region)
    wanted = [{"Key": key, "Value": value} for key, value in {**OF_SCOPE, **tags}.items()]
    events.put_rule(Name="orders-nightly", ScheduleExpression="cron(0 3 * * ? *)", State="ENABLED", Tags=wanted)
    function = f"arn:aws:lambda:{region}:{APPS}:function:resize"
    events.put_targets(Rule="orders-nightly", Targets=[{"Id": "resize", "Arn": function}])


def a_stack(world: World, **changes: Any) -> None:
    """Put the source side's group under a stack, in the state that `changes` say: the embedded AWS makes stacks at once."""
    made = world.aws("cloudformation", SOURCE).create_stack(StackName="orders-prod", TemplateBody=TEMPLATE)
    found = world.local.service("cloudformation").stacks  # type: ignore[attr-defined]
    (stack,) = (each for each in found.values() if each.id == made["StackId"])
    for name, value in changes.items():
        setattr(stack, name, value)
    owned = {"aws:cloudformation:stack-name": "orders-prod", "aws:cloudformation:stack-id": made["StackId"]}
    world.aws("autoscaling", SOURCE).create_or_update_tags(
        Tags=[
            {
                "ResourceId": "orders-web",
                "ResourceType": "auto-scaling-group",
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": False,
            }
            for key, value in owned.items()
        ]
    )


def a_deployment(world: World, group: str) -> str:
    deploy = world.aws("codedeploy", SOURCE)
    deploy.create_application(applicationName="orders", computePlatform="Server")
    deploy.create_deployment_group(
        applicationName="orders",
        deploymentGroupName="web",
        serviceRoleArn=f"arn:aws:iam::{APPS}:role/deploy",
        autoScalingGroups=[group],
    )
    made = deploy.create_deployment(applicationName="orders", deploymentGroupName="web")
    return str(made["deploymentId"])


def lines(run: Journey) -> list[str]:
    return [as_line(each) for each in run.plan.undoing]


def test_pipeline_of_the_scope_is_told_until_the_command_that_is_shown_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a pipeline tagged for the scope, at work
    world = a_world(monkeypatch)
    a_pipeline(world)
    client = world.aws("codepipeline", SOURCE)
    execution = client.start_pipeline_execution(name="orders-deploy")["pipelineExecutionId"]
    # When a plan is made
    run = world.start()
    # Then it says so, with the two commands that hold it
    (told,) = lines(run)
    assert told.startswith(f"pipeline/orders-deploy: in {APPS}/{SOURCE} has 1 execution(s) under way since")
    assert "aws codepipeline disable-stage-transition" in told
    assert f"--pipeline-execution-id {execution}" in told
    assert run.ready
    # When somebody types them
    client.disable_stage_transition(
        pipelineName="orders-deploy", stageName="Deploy", transitionType="Inbound", reason="DR"
    )
    client.stop_pipeline_execution(pipelineName="orders-deploy", pipelineExecutionId=execution)
    world.wait(minutes=10)
    run.end()
    # Then the next plan has nothing to say
    assert lines(world.start()) == []
    assert world.refusals() == []


def test_pipeline_of_another_scope_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_pipeline(world, Customer="CustomerY")
    assert lines(world.start()) == []


def test_enabled_rule_of_the_scope_is_told_and_one_that_was_disabled_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_rule(world, TARGET)
    run = world.start()
    (told,) = lines(run)
    assert f"rule/orders-nightly: in {APPS}/{TARGET} is enabled (cron(0 3 * * ? *)) and starts function:resize" in told
    assert f"aws events disable-rule --region {TARGET} --name orders-nightly" in told
    world.aws("events", TARGET).disable_rule(Name="orders-nightly")
    run.end()
    assert lines(world.start()) == []
    assert world.refusals() == []


def test_schedules_of_a_group_of_the_scope_are_told_as_long_as_they_are_enabled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = a_world(monkeypatch)
    scheduler = world.aws("scheduler", SOURCE)
    scheduler.create_schedule_group(Name="orders", Tags=[{"Key": k, "Value": v} for k, v in OF_SCOPE.items()])
    schedule: dict[str, Any] = {
        "GroupName": "orders",
        "Name": "nightly",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": f"arn:aws:lambda:{SOURCE}:{APPS}:function:resize", "RoleArn": f"arn:aws:iam::{APPS}:role/s"},
    }
    scheduler.create_schedule(**schedule)
    run = world.start()
    (told,) = lines(run)
    assert f"schedule-group/orders: in {APPS}/{SOURCE} has 1 enabled schedule(s) (nightly)" in told
    scheduler.update_schedule(**schedule, State="DISABLED")
    run.end()
    assert lines(world.start()) == []
    assert world.refusals() == []


def test_stack_under_way_and_stack_that_drifted_are_told_as_cloudformation_knows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = a_world(monkeypatch)
    checked = world.clock.now() - timedelta(hours=1)
    a_stack(world, status=StackStatus.UPDATE_COMPLETE, drift="DRIFTED", drift_checked_at=checked)
    run = world.start()
    drift, base = lines(run)
    assert drift.startswith(f"stack/orders-prod: has drifted in {APPS}/{SOURCE}, checked {checked:%Y-%m-%d %H:%M} UTC")
    assert "a deployment of it" in base
    run.end()
    # When a deployment of it begins
    (stack,) = (s for s in world.local.service("cloudformation").stacks.values() if s.name == "orders-prod")  # type: ignore[attr-defined]
    stack.status = StackStatus.UPDATE_IN_PROGRESS
    (told,) = lines(world.start())
    assert f"is UPDATE_IN_PROGRESS in {APPS}/{SOURCE}" in told
    assert "aws cloudformation cancel-update-stack" in told
    assert "DetectStackDrift" not in {call.operation for call in world.calls()}
    assert world.refusals() == []


def test_deployment_of_codedeploy_onto_a_member_is_told_and_onto_another_group_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = a_world(monkeypatch)
    deployment = a_deployment(world, "orders-web")
    run = world.start()
    (told,) = lines(run)
    assert told.startswith(
        f"deployment/{deployment}: of orders/web in {APPS}/{SOURCE} is InProgress: it shifts asg/orders-web"
    )
    assert world.refusals() == []
    # When it is stopped, with the command that is shown
    world.aws("codedeploy", SOURCE).stop_deployment(deploymentId=deployment)
    run.end()
    assert lines(world.start()) == []
    world = a_world(monkeypatch)
    a_deployment(world, "website")
    assert lines(world.start()) == []


def test_deployment_of_codedeploy_that_shifts_a_function_is_told_by_its_own_specification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = function_world(monkeypatch)
    deploy = world.aws("codedeploy", SOURCE)
    deploy.create_application(applicationName="pay", computePlatform="Lambda")
    deploy.create_deployment_group(
        applicationName="pay", deploymentGroupName="live", serviceRoleArn=f"arn:aws:iam::{APPS}:role/deploy"
    )
    shifted = {"Name": FUNCTION, "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    content = json.dumps(
        {"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties": shifted}}]}
    )
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
    deploy.create_deployment(applicationName="pay", deploymentGroupName="live", revision=revision)
    (told,) = lines(world.start())
    assert f"of pay/live in {APPS}/{SOURCE} is InProgress: it shifts lambda/{FUNCTION} to another version" in told
    assert world.refusals() == []


def test_everything_reaches_the_terminal_the_gate_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_pipeline(world)
    a_rule(world)
    run = world.start()
    terminal = show.console()
    with terminal.capture() as shown:
        for each in show.undoing(run.plan):
            terminal.print(each, soft_wrap=True)
    gate = plan_overview(run.plan, run.run.findings)
    for told in lines(run):
        assert f"may undo this run: {told}" in shown.get()
        assert [each for each in gate if told in each] == [f"may undo this run: {told}"]
    assert [each["code"] for each in json.loads(run.plan.model_dump_json())["undoing"]] == ["pipeline", "event-rule"]


def test_emergency_looks_at_the_target_region_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_pipeline(world)
    a_rule(world, TARGET)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()
    run = world.start(emergency=True, AcceptDataLoss=True)
    assert [each.partition(":")[0] for each in lines(run)] == ["rule/orders-nightly"]
    assert {call.region for call in world.calls()} == {TARGET}


def test_role_that_is_older_than_the_look_is_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_pipeline(world)
    world.fault(effect="error", code="AccessDeniedException", operation="GetPipelineState")
    run = world.start()
    (told,) = lines(run)
    assert "orders-deploy could not be looked at" in told
    assert run.ready


def test_drill_asks_for_nothing_of_this(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    a_pipeline(world)
    world.local.call_log.clear()
    run = world.start(Operation.TEST)
    assert run.plan.mode is Mode.DRILL
    assert lines(run) == []
    assert "codepipeline" not in {call.service for call in world.calls()}
