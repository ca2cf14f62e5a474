"""Every SSM document keeps our rules, and DR-Failover really starts a run on our machines."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from orchestrator import request
from statemachines.definitions import PHYSICAL_NAMES, MachineName
from tests.statemachines.scripted_hub import ACCOUNT, PATIENCE_SECONDS, REGION, Hub, Refuse

FOLDER = Path(__file__).parents[2] / "ssm_documents"
DOCUMENTS = sorted(FOLDER.glob("*.yaml"))
HEADINGS = ("What does this document do?", "Input parameters", "Output parameters", "Next", "Troubleshooting")
API_ACTIONS = {"aws:executeAwsApi", "aws:assertAwsResourceProperty", "aws:waitForAwsResourceProperty"}
CONTROL = {"Service", "Api", "PropertySelector", "DesiredValues"}
SIZE_LIMIT = 64 * 1024
Json = dict[str, Any]

ROLE = f"arn:aws:iam::{ACCOUNT}:role/dr-automation-{REGION}"
GIVEN = {
    "Customer": ["CustomerX"],
    "Environment": ["production"],
    "PrimaryRegion": ["us-east-1"],
    "DRRegion": ["us-west-2"],
    "Reason": ["CHG-4711 region test"],
    "AutomationAssumeRole": [ROLE],
}


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.stem)
def document(request: pytest.FixtureRequest) -> Json:
    loaded: Json = yaml.safe_load(request.param.read_text(encoding="utf-8"))
    return loaded


def test_documents_are_there_under_the_names_people_type() -> None:
    assert [path.stem for path in DOCUMENTS] == ["DR-Approve", "DR-Failover", "DR-Reject"]


def test_document_describes_itself_under_the_fixed_headings_and_fits(document: Json) -> None:
    assert document["schemaVersion"] == "0.3"
    assert document["assumeRole"] == "{{ AutomationAssumeRole }}"
    headings = re.findall(r"^## (.+)$", document["description"], re.MULTILINE)
    assert tuple(headings) == HEADINGS
    assert all(f"* {name}:" in document["description"] for name in document["parameters"])
    assert all(f"* {name}:" in document["description"] for name in document["outputs"])
    assert len(json.dumps(document).encode()) < SIZE_LIMIT


def test_document_parameters_are_described_and_checked_before_the_start(document: Json) -> None:
    for name, parameter in document["parameters"].items():
        assert parameter["description"].startswith("(Optional)" if "default" in parameter else "(Required)"), name
        assert "allowedPattern" in parameter or "allowedValues" in parameter, name
        if "allowedPattern" in parameter:
            pattern = parameter["allowedPattern"]
            assert (pattern[0], pattern[-1]) == ("^", "$"), name
            # No value can leave the JSON text of the input, or smuggle in a reference.
            assert not any(re.search(pattern, text) for text in ('a"b', "a\\b", "a\nb", "{{ global:REGION }}")), name


def test_document_steps_are_bounded_described_and_say_what_follows(document: Json) -> None:
    steps = document["mainSteps"]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        assert step["description"].endswith("."), step["name"]
        assert 0 < step["timeoutSeconds"] <= 600, step["name"]
        assert step["onFailure"] == "Abort", step["name"]
        assert step["isEnd"] is (following is None), step["name"]
        assert step.get("nextStep") == (following["name"] if following else None), step["name"]
        assert all(output["Type"] in {"String", "StringList", "Integer"} for output in step.get("outputs", []))


def test_document_calls_only_operations_and_parameters_that_exist(document: Json) -> None:
    for step in document["mainSteps"]:
        if step["action"] not in API_ACTIONS:
            continue
        inputs = step["inputs"]
        model = ServiceModel(Loader().load_service_model(inputs["Service"], "service-2"), inputs["Service"])
        operation = model.operation_model(inputs["Api"])
        assert set(inputs) - CONTROL <= set(operation.input_shape.members), step["name"]
        assert set(operation.input_shape.required_members) <= set(inputs), step["name"]
        selectors = [output["Selector"] for output in step.get("outputs", [])]
        selectors += [inputs["PropertySelector"]] if "PropertySelector" in inputs else []
        assert {s.removeprefix("$.") for s in selectors} <= set(operation.output_shape.members), step["name"]


def test_document_runs_in_any_account_and_region(document: Json) -> None:
    steps = json.dumps(document["mainSteps"])
    assert not re.search(r"\b(us|eu|ap|sa|ca)-[a-z]+-\d\b|\b\d{12}\b|arn:aws:", steps)
    assert f":stateMachine:{PHYSICAL_NAMES[MachineName.ORCHESTRATOR]}" in steps


def test_document_asserts_the_state_before_it_changes_anything(document: Json) -> None:
    actions = [step["action"] for step in document["mainSteps"]]
    assert actions[0] == "aws:assertAwsResourceProperty"


def test_document_outputs_are_those_of_its_steps(document: Json) -> None:
    made = {f"{step['name']}.{output['Name']}" for step in document["mainSteps"] for output in step.get("outputs", [])}
    functions = [step["name"] for step in document["mainSteps"] if step["action"] == "aws:invokeLambdaFunction"]
    made |= {f"{name}.Payload" for name in functions}  # the action has its outputs by itself
    assert set(document["outputs"]) <= made


# ---- DR-Failover, run in the embedded AWS


@pytest.fixture(scope="module")
def aws() -> LocalAws:
    return LocalAws({ACCOUNT: "hub"}, clock=ScaledClock(20.0))


@pytest.fixture
def hub(aws: LocalAws) -> Iterator[Hub]:
    aws.reset()
    before = aws.service("lambda").operations["Invoke"]
    hub = Hub(aws, gates=["plan"])
    hub.deploy()
    ssm = hub.session.client("ssm")
    content = (FOLDER / "DR-Failover.yaml").read_text(encoding="utf-8")
    ssm.create_document(Name="DR-Failover", Content=content, DocumentType="Automation", DocumentFormat="YAML")
    _automation_role(hub)
    yield hub
    aws.service("lambda").operations["Invoke"] = before


def _automation_role(hub: Hub) -> None:
    """Create the role as infra/constructs/documents.py does."""
    iam = hub.session.client("iam")
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:DROrchestrator"
    runs = arn.replace(":stateMachine:", ":execution:") + ":*"
    statements = [
        {"Effect": "Allow", "Action": ["states:DescribeStateMachine", "states:StartExecution"], "Resource": arn},
        {"Effect": "Allow", "Action": "states:DescribeExecution", "Resource": runs},
    ]
    trust = {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}
    name = ROLE.rsplit("/", 1)[-1]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="start", PolicyDocument=document)


def run_document(hub: Hub, **changes: list[str]) -> Json:
    """Run DR-Failover to its end; return the automation."""
    ssm = hub.session.client("ssm")
    started = ssm.start_automation_execution(DocumentName="DR-Failover", Parameters={**GIVEN, **changes})
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        seen: Json = ssm.get_automation_execution(AutomationExecutionId=started["AutomationExecutionId"])
        automation: Json = seen["AutomationExecution"]
        if automation["AutomationExecutionStatus"] not in {"Pending", "InProgress"}:
            return automation
        assert time.monotonic() < limit, automation
        threading.Event().wait(0.02)


def test_dr_failover_starts_a_run_with_a_valid_request_and_returns_its_arn(hub: Hub) -> None:
    # When an operator runs the document
    automation = run_document(hub)

    # Then it ends while the run waits for its first approval, and hands out the run
    assert automation["AutomationExecutionStatus"] == "Success", automation.get("FailureMessage")
    (execution,) = hub.executions(MachineName.ORCHESTRATOR)
    assert automation["Outputs"]["startRun.executionArn"] == [execution["executionArn"]]
    assert automation["Outputs"]["readStatus.status"] == ["RUNNING"]
    # And the request is one the hub accepts, with who and why in it
    (accepted,) = hub.events("accept_request")
    parsed = request.parse(accepted["Request"])
    assert (parsed.Customer, parsed.Environment, parsed.Operation) == ("CustomerX", "production", "failover")
    assert (parsed.source_region, parsed.target_region) == ("us-east-1", "us-west-2")
    assert parsed.ApprovalMode == "required"
    assert parsed.Reason.startswith("CHG-4711 region test (SSM automation ")


def test_dr_failover_of_a_refused_request_fails_and_leaves_the_reason_in_the_run(hub: Hub) -> None:
    # Given a request that the hub refuses
    hub.troubles["accept_request"] = [Refuse("scope CustomerX/production has no resources. Tag them dr:enabled.")]

    # When an operator runs the document
    automation = run_document(hub)

    # Then the automation fails at the last check, still naming the run to look at
    assert automation["AutomationExecutionStatus"] == "Failed"
    failed = [step["StepName"] for step in automation["StepExecutions"] if step["StepStatus"] == "Failed"]
    assert failed == ["checkAccepted"]
    (execution,) = hub.executions(MachineName.ORCHESTRATOR)
    assert automation["Outputs"]["startRun.executionArn"] == [execution["executionArn"]]
    ended = hub.states.describe_execution(executionArn=execution["executionArn"])
    assert (ended["error"], ended["cause"][:24]) == ("RequestRefused", "scope CustomerX/producti")


def test_dr_failover_without_a_hub_starts_nothing(aws: LocalAws, hub: Hub) -> None:
    # Given a Region whose hub was removed
    hub.states.delete_state_machine(stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:DROrchestrator")

    # When an operator runs the document, then it fails before starting anything
    automation = run_document(hub)
    failed = [step["StepName"] for step in automation["StepExecutions"] if step["StepStatus"] == "Failed"]
    assert failed == ["checkOrchestrator"]
    assert not [call for call in aws.call_log if call.operation == "StartExecution"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Environment", "prod"),
        ("PrimaryRegion", "us-east"),
        ("ApprovalMode", "none"),
        ("Customer", 'X","Operation":"test'),
        ("Reason", 'because", "Emergency": "true'),
        ("AutomationAssumeRole", "dr-automation"),
    ],
)
def test_dr_failover_bad_parameter_is_refused_before_it_starts(hub: Hub, parameter: str, value: str) -> None:
    with pytest.raises(ClientError, match=parameter):
        run_document(hub, **{parameter: [value]})
    assert hub.calls == []
