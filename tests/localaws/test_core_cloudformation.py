"""Stacks: made, changed, taken back and refused as CloudFormation does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws

HUB = "111111111111"
EAST = "us-east-1"


@pytest.fixture(scope="module")
def world() -> LocalAws:
    return LocalAws({HUB: "hub"}, clock=ManualClock())


@pytest.fixture
def local(world: LocalAws) -> Iterator[LocalAws]:
    yield world
    world.reset()


@pytest.fixture
def stacks(local: LocalAws) -> Any:
    return local.session(HUB, EAST).client("cloudformation")


def queue_template(seconds: int, **more: Any) -> str:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs", "VisibilityTimeout": seconds}}
    outputs = {"QueueArn": {"Value": {"Fn::GetAtt": ["Jobs", "Arn"]}, "Export": {"Name": "jobs-arn"}}}
    return json.dumps({"Resources": {"Jobs": queue, **more}, "Outputs": outputs})


def test_stack_makes_its_resources_in_order_and_gives_outputs(local: LocalAws, stacks: Any) -> None:
    # Given a template in YAML with short functions, a condition, a mapping and a default parameter
    template = """
Parameters:
  Stage: {Type: String, Default: test}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Mappings:
  Size: {test: {Seconds: "30"}, prod: {Seconds: "90"}}
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Condition: IsProd
    Properties: {MetricName: never-made}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Jobs]
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: "sqs:SendMessage", Resource: !GetAtt Jobs.Arn}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-${Stage}"
      VisibilityTimeout: !FindInMap [Size, !Ref Stage, Seconds]
Outputs:
  Name: {Value: !Join ["/", [!GetAtt Jobs.QueueName, !Ref "AWS::Region"]]}
"""
    # When the stack is created
    stacks.create_stack(StackName="work", TemplateBody=template)

    # Then it is complete, its queue is real, the conditional alarm is absent
    stack = stacks.describe_stacks(StackName="work")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"] == [{"OutputKey": "Name", "OutputValue": "work-test/us-east-1"}]
    sqs = local.session(HUB, EAST).client("sqs")
    url = sqs.get_queue_url(QueueName="work-test")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "Policy"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "30"
    assert "sns.amazonaws.com" in attributes["Policy"]
    made = [e["LogicalResourceId"] for e in stacks.describe_stack_events(StackName="work")["StackEvents"][::-1]]
    assert "Alarm" not in made
    assert made.index("Jobs") < made.index("Policy")


def test_unknown_resource_type_fails_the_stack_with_its_name_and_leaves_nothing(local: LocalAws, stacks: Any) -> None:
    # Given a template whose second resource nobody can make
    unknown = {"Type": "AWS::Quantum::Computer", "DependsOn": "Jobs", "Properties": {}}

    # When the stack is created
    stacks.create_stack(StackName="odd", TemplateBody=queue_template(30, Odd=unknown))

    # Then it is rolled back, the reason names the type, and the queue is gone again
    stack = stacks.describe_stacks(StackName="odd")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = [
        event["ResourceStatusReason"]
        for event in stacks.describe_stack_events(StackName="odd")["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert len(failed) == 1
    assert "AWS::Quantum::Computer" in failed[0]
    assert "QueueUrls" not in local.session(HUB, EAST).client("sqs").list_queues()


def test_unknown_property_fails_the_stack_instead_of_being_lost(stacks: Any) -> None:
    # Given a state machine property that the API does not have
    schedule = {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "ScheduleExpression": "rate(1 minute)",
            "Sped": "fast",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:sqs:us-east-1:111111111111:q", "RoleArn": "arn:aws:iam::111111111111:role/r"},
        },
    }

    # When the stack is created
    stacks.create_stack(StackName="typo", TemplateBody=json.dumps({"Resources": {"S": schedule}}))

    # Then the reason names the property
    stack = stacks.describe_stacks(StackName="typo")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [e.get("ResourceStatusReason", "") for e in stacks.describe_stack_events(StackName="typo")["StackEvents"]]
    assert any("Sped" in reason for reason in reasons)


def change(stacks: Any, name: str, kind: str, template: str) -> dict[str, Any]:
    """Make a change set and return its description."""
    made = stacks.create_change_set(StackName=name, ChangeSetName="cs", ChangeSetType=kind, TemplateBody=template)
    described: dict[str, Any] = stacks.describe_change_set(ChangeSetName=made["Id"])
    return described


def test_change_sets_create_update_and_notice_when_nothing_changes(local: LocalAws, stacks: Any) -> None:
    # Given a stack made by a change set, as the CDK does
    created = change(stacks, "work", "CREATE", queue_template(30))
    assert [c["ResourceChange"]["Action"] for c in created["Changes"]] == ["Add"]
    assert stacks.describe_stacks(StackName="work")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    stacks.execute_change_set(ChangeSetName=created["ChangeSetId"])

    # When the same template and then another are proposed
    same = change(stacks, "work", "UPDATE", queue_template(30))
    other = change(stacks, "work", "UPDATE", queue_template(60))
    stacks.execute_change_set(ChangeSetName=other["ChangeSetId"])

    # Then the first is refused as empty in the words the CDK looks for, and the second changed the queue in place
    assert same["Status"] == "FAILED"
    assert "didn't contain changes" in same["StatusReason"]
    modified = other["Changes"][0]["ResourceChange"]
    assert (modified["Action"], modified["LogicalResourceId"], modified["Replacement"]) == ("Modify", "Jobs", "False")
    assert stacks.describe_stacks(StackName="work")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE"
    sqs = local.session(HUB, EAST).client("sqs")
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert got == {"VisibilityTimeout": "60"}


def test_failed_update_brings_the_stack_back_to_what_it_was(local: LocalAws, stacks: Any) -> None:
    # Given a stack
    stacks.create_stack(StackName="work", TemplateBody=queue_template(30))

    # When an update changes one resource and adds one that cannot be made
    unknown = {"Type": "AWS::Quantum::Computer", "DependsOn": "Jobs"}
    stacks.update_stack(StackName="work", TemplateBody=queue_template(60, Odd=unknown))

    # Then the change was taken back
    stack = stacks.describe_stacks(StackName="work")["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    sqs = local.session(HUB, EAST).client("sqs")
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert got == {"VisibilityTimeout": "30"}


def test_resource_taken_out_of_the_template_is_deleted_unless_retained(local: LocalAws, stacks: Any) -> None:
    # Given a stack with two more queues, one of them to be retained
    plain = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "plain"}}
    kept = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": {"QueueName": "kept"}}
    stacks.create_stack(StackName="work", TemplateBody=queue_template(30, Plain=plain, Kept=kept))

    # When both leave the template, and later the stack is deleted
    stacks.update_stack(StackName="work", TemplateBody=queue_template(30))
    urls = local.session(HUB, EAST).client("sqs").list_queues()["QueueUrls"]
    stacks.delete_stack(StackName="work")

    # Then only the retained one outlives both
    assert sorted(url.rsplit("/", 1)[-1] for url in urls) == ["jobs", "kept"]
    left = local.session(HUB, EAST).client("sqs").list_queues()["QueueUrls"]
    assert [url.rsplit("/", 1)[-1] for url in left] == ["kept"]
    with pytest.raises(ClientError, match="does not exist"):
        stacks.describe_stacks(StackName="work")


def test_parameter_from_the_parameter_store_and_export_of_another_stack_are_resolved(
    local: LocalAws, stacks: Any
) -> None:
    # Given a stored parameter and a stack that exports a value
    local.session(HUB, EAST).client("ssm").put_parameter(Name="/app/name", Type="String", Value="from-store")
    stacks.create_stack(StackName="work", TemplateBody=queue_template(30))
    using = {
        "Parameters": {"Name": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/name"}},
        "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}},
        "Outputs": {"Other": {"Value": {"Fn::ImportValue": "jobs-arn"}}},
    }

    # When another stack uses both
    stacks.create_stack(StackName="second", TemplateBody=json.dumps(using))

    # Then it has their values
    assert stacks.describe_stacks(StackName="second")["Stacks"][0]["Outputs"][0]["OutputValue"].endswith(":jobs")
    assert local.session(HUB, EAST).client("sqs").get_queue_url(QueueName="from-store")


def test_named_role_without_the_capability_is_refused(stacks: Any) -> None:
    # Given a template with a named role
    trust = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": trust}}

    # When it is created without the capability, then CloudFormation refuses
    with pytest.raises(stacks.exceptions.InsufficientCapabilitiesException, match="CAPABILITY_NAMED_IAM"):
        stacks.create_stack(StackName="iam", TemplateBody=json.dumps({"Resources": {"R": role}}))


def test_state_machine_gets_its_substitutions_and_global_table_its_replica(local: LocalAws, stacks: Any) -> None:
    # Given a template with a state machine and a global table
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Table}", "End": True}}}
    attribute = {"AttributeName": "pk", "AttributeType": "S"}
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "StateMachineName": "wave",
                    "RoleArn": {"Fn::GetAtt": "Role.Arn"},
                    "DefinitionString": {"Fn::Join": ["", [json.dumps(definition)]]},
                    "DefinitionSubstitutions": {"Table": {"Ref": "Runs"}},
                },
            },
            "Runs": {
                "Type": "AWS::DynamoDB::GlobalTable",
                "Properties": {
                    "TableName": "runs",
                    "BillingMode": "PAY_PER_REQUEST",
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "AttributeDefinitions": [attribute],
                    "Replicas": [{"Region": EAST}, {"Region": "us-west-2"}],
                },
            },
        }
    }

    # When the stack is created
    stacks.create_stack(StackName="hub", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])

    # Then the definition names the table, and the table exists in both Regions
    assert stacks.describe_stacks(StackName="hub")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    machine = f"arn:aws:states:{EAST}:{HUB}:stateMachine:wave"
    described = local.session(HUB, EAST).client("stepfunctions").describe_state_machine(stateMachineArn=machine)
    assert json.loads(described["definition"])["States"]["A"]["Result"] == "runs"
    west = local.session(HUB, "us-west-2").client("dynamodb")
    assert west.describe_table(TableName="runs")["Table"]["TableStatus"] == "ACTIVE"
