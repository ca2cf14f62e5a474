"""Pipelines and deployments in the embedded AWS: they take their time, and can be held and stopped as in AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localaws.workbench import TARGET, Client, Workbench, open_workbench, refused

PIPELINE = "orders-deploy"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def a_pipeline(bench: Workbench) -> Client:
    """Make a pipeline of three stages; return CodePipeline's client."""
    trust = {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = bench.client("iam", TARGET).create_role(RoleName="pipeline", AssumeRolePolicyDocument=document)["Role"][
        "Arn"
    ]
    kind = {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}
    stages = [{"name": n, "actions": [{"name": n, "actionTypeId": kind}]} for n in ("Source", "Test", "Deploy")]
    client = bench.client("codepipeline", TARGET)
    client.create_pipeline(
        pipeline={
            "name": PIPELINE,
            "roleArn": role,
            "stages": stages,
            "artifactStore": {"type": "S3", "location": "artifacts"},
        }
    )
    return client


def statuses(client: Client) -> list[str]:
    summaries = client.list_pipeline_executions(pipelineName=PIPELINE)["pipelineExecutionSummaries"]
    return [str(each["status"]) for each in summaries]


def stage(client: Client, name: str) -> dict[str, Any]:
    states = client.get_pipeline_state(name=PIPELINE)["stageStates"]
    return next(dict(each) for each in states if each["stageName"] == name)


def test_execution_stops_at_a_closed_transition_and_goes_on_when_it_is_opened(bench: Workbench) -> None:
    client = a_pipeline(bench)
    way = {"pipelineName": PIPELINE, "stageName": "Deploy", "transitionType": "Inbound"}
    client.disable_stage_transition(**way, reason="DR")
    client.start_pipeline_execution(name=PIPELINE)
    bench.wait(60)
    assert statuses(client) == ["InProgress"]
    assert stage(client, "Deploy")["inboundTransitionState"] == {"enabled": False, "disabledReason": "DR"}
    assert stage(client, "Test")["latestExecution"]["status"] == "InProgress"
    client.enable_stage_transition(**way)
    bench.wait(60)
    assert statuses(client) == ["Succeeded"]
    assert "inboundTransitionState" not in stage(client, "Source")


def test_execution_that_is_stopped_finishes_its_stage_unless_that_is_abandoned(bench: Workbench) -> None:
    client = a_pipeline(bench)
    first = client.start_pipeline_execution(name=PIPELINE)["pipelineExecutionId"]
    client.stop_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=first)
    assert statuses(client) == ["Stopping"]
    bench.wait(10)
    assert statuses(client) == ["Stopped"]
    with refused("PipelineExecutionNotStoppableException"):
        client.stop_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=first)
    second = client.start_pipeline_execution(name=PIPELINE)["pipelineExecutionId"]
    client.stop_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=second, abandon=True)
    assert statuses(client)[0] == "Stopped"


def test_what_is_not_there_is_refused_by_name(bench: Workbench) -> None:
    client = a_pipeline(bench)
    with refused("PipelineNotFoundException"):
        client.get_pipeline_state(name="other")
    with refused("StageNotFoundException"):
        client.disable_stage_transition(pipelineName=PIPELINE, stageName="Other", transitionType="Inbound", reason="DR")
    with refused("PipelineExecutionNotFoundException"):
        client.stop_pipeline_execution(
            pipelineName=PIPELINE, pipelineExecutionId="3137f7cb-0000-4000-8000-000000000000"
        )


def test_deployment_ends_after_a_while_and_cannot_be_stopped_then(bench: Workbench) -> None:
    deploy = bench.client("codedeploy", TARGET)
    deploy.create_application(applicationName="orders", computePlatform="Server")
    group = {"applicationName": "orders", "deploymentGroupName": "web"}
    deploy.create_deployment_group(
        **group, serviceRoleArn="arn:aws:iam::222222222222:role/deploy", autoScalingGroups=["orders-web"]
    )
    (onto,) = deploy.get_deployment_group(**group)["deploymentGroupInfo"]["autoScalingGroups"]
    assert onto["name"] == "orders-web"
    made = deploy.create_deployment(**group)["deploymentId"]
    assert deploy.list_deployments(includeOnlyStatuses=["InProgress"])["deployments"] == [made]
    bench.wait(20)
    assert deploy.list_deployments(includeOnlyStatuses=["InProgress"])["deployments"] == []
    with refused("DeploymentAlreadyCompletedException"):
        deploy.stop_deployment(deploymentId=made)
    with refused("DeploymentDoesNotExistException"):
        deploy.stop_deployment(deploymentId="d-none")
