"""SSM Automation in the embedded AWS: an operator's document does what it says, as the role it names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ScaledClock
from tests.localaws.engine_room import HUB, Shop, eventually

FAILOVER = """
    schemaVersion: "0.3"
    description: Start a run and say which.
    assumeRole: "{{ AutomationAssumeRole }}"
    parameters:
      AutomationAssumeRole:
        type: AWS::IAM::Role::Arn
      Customer:
        type: String
        allowedPattern: "^[a-z0-9-]{3,20}$"
      Mode:
        type: String
        default: planned
        allowedValues: [planned, emergency]
      Machine:
        type: String
    mainSteps:
      - name: Choose
        action: aws:branch
        inputs:
          Choices:
            - NextStep: Pause
              Variable: "{{ Mode }}"
              StringEquals: planned
          Default: Start
      - name: Pause
        action: aws:sleep
        inputs: {Duration: PT2M}
      - name: Start
        action: aws:executeAwsApi
        inputs:
          Service: stepfunctions
          Api: StartExecution
          stateMachineArn: "{{ Machine }}"
          input: '{"Customer": "{{ Customer }}", "Mode": "{{ Mode }}"}'
        outputs:
          - {Name: ExecutionArn, Selector: $.executionArn, Type: String}
      - name: Running
        action: aws:waitForAwsResourceProperty
        timeoutSeconds: 60
        inputs:
          Service: stepfunctions
          Api: DescribeExecution
          executionArn: "{{ Start.ExecutionArn }}"
          PropertySelector: $.status
          DesiredValues: [SUCCEEDED]
        isEnd: true
    outputs:
      - Start.ExecutionArn
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop(ScaledClock(1000))
    document(shop, "Failover", FAILOVER)
    shop.function("answer", "def handler(event, context):\n    return {'n': event['n'] + 1}\n")
    yield shop
    shop.close()


def document(shop: Shop, name: str, text: str) -> None:
    shop.aws("ssm").create_document(Name=name, Content=dedent(text), DocumentType="Automation", DocumentFormat="YAML")


def steps(*lines: str, **more: str) -> str:
    """Return a document of these steps (YAML, each one line)."""
    body = "".join(f"\n  - {line}" for line in lines)
    rest = "".join(f"\n{key}: {value}" for key, value in more.items())
    return f'schemaVersion: "0.3"\nmainSteps:{body}{rest}\n'


def start(shop: Shop, name: str, **parameters: str) -> str:
    given = {key: [value] for key, value in parameters.items()}
    return str(shop.aws("ssm").start_automation_execution(DocumentName=name, Parameters=given)["AutomationExecutionId"])


def get(shop: Shop, execution: str) -> dict[str, Any]:
    return dict(shop.aws("ssm").get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"])


def finish(shop: Shop, execution: str) -> dict[str, Any]:
    over = {"Success", "Failed", "TimedOut", "Cancelled"}
    return dict(eventually(lambda: get(shop, execution), lambda run: run["AutomationExecutionStatus"] in over))


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {step["StepName"]: step["StepStatus"] for step in run["StepExecutions"]}


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_document_starts_a_run_as_the_role_it_names_and_returns_the_arn(shop: Shop) -> None:
    machine = shop.machine("failover", {"P": {"Type": "Pass", "End": True}})

    started = time.monotonic()
    run = finish(shop, start(shop, "Failover", AutomationAssumeRole=shop.role, Customer="acme", Machine=machine))

    assert run["AutomationExecutionStatus"] == "Success", run
    assert statuses(run) == {"Choose": "Success", "Pause": "Success", "Start": "Success", "Running": "Success"}
    assert time.monotonic() - started >= 0.12
    (arn,) = run["Outputs"]["Start.ExecutionArn"]
    assert shop.finish(arn)["value"] == {"Customer": "acme", "Mode": "planned"}
    calls = [line for line in shop.local.call_log if line.operation == "StartExecution"]
    assert f"arn:aws:sts::{HUB}:assumed-role/worker/Automation-" in calls[-1].principal_arn


def test_document_default_branch_skips_steps(shop: Shop) -> None:
    machine = shop.machine("failover-now", {"P": {"Type": "Pass", "End": True}})
    parameters = {"AutomationAssumeRole": shop.role, "Customer": "acme", "Machine": machine, "Mode": "emergency"}

    run = finish(shop, start(shop, "Failover", **parameters))

    assert statuses(run) == {"Choose": "Success", "Pause": "Pending", "Start": "Success", "Running": "Success"}


@pytest.mark.parametrize(
    "change",
    [{"Customer": "NOT VALID"}, {"Mode": "reckless"}, {"Colour": "blue"}, {"Customer": None}],
    ids=["pattern", "allowed value", "unknown", "required"],
)
def test_start_with_bad_parameters_is_refused_before_anything_happens(shop: Shop, change: dict[str, Any]) -> None:
    good = {"AutomationAssumeRole": shop.role, "Customer": "acme", "Machine": "m"}
    parameters = {key: value for key, value in {**good, **change}.items() if value is not None}

    with pytest.raises(ClientError) as refused:
        start(shop, "Failover", **parameters)

    assert code_of(refused) == "InvalidAutomationExecutionParametersException"


def test_start_unknown_document_is_refused(shop: Shop) -> None:
    with pytest.raises(ClientError) as refused:
        start(shop, "Nothing")

    assert code_of(refused) == "AutomationDefinitionNotFoundException"


def test_function_step_passes_typed_values_on(shop: Shop) -> None:
    first = "{name: A, action: 'aws:invokeLambdaFunction', inputs: {FunctionName: answer, InputPayload: {n: 1}}}"
    check = (
        "{name: B, action: 'aws:branch', inputs: {Choices: [{NextStep: D, Variable: '{{ A.StatusCode }}', "
        "NumericEquals: 200}]}, isEnd: true}"
    )
    wrong = "{name: C, action: 'aws:sleep', inputs: {Duration: PT1S}}"
    last = "{name: D, action: 'aws:sleep', inputs: {Duration: PT1S}, isEnd: true}"
    document(shop, "Typed", steps(first, check, wrong, last, outputs="[A.Payload]"))

    run = finish(shop, start(shop, "Typed"))

    assert statuses(run) == {"A": "Success", "B": "Success", "C": "Pending", "D": "Success"}
    assert run["Outputs"]["A.Payload"] == ['{"n": 2}']


def test_failed_step_ends_the_run_with_the_services_words(shop: Shop) -> None:
    topic = f"arn:aws:sns:{shop.region}:{HUB}:gone"
    inputs = f"{{Service: sns, Api: publish, TopicArn: '{topic}', Message: x}}"
    fails = f"{{name: A, action: 'aws:executeAwsApi', inputs: {inputs}}}"
    never = "{name: B, action: 'aws:sleep', inputs: {Duration: PT1S}}"
    document(shop, "Failing", steps(fails, never))

    run = finish(shop, start(shop, "Failing"))

    assert run["AutomationExecutionStatus"] == "Failed"
    assert statuses(run) == {"A": "Failed", "B": "Pending"}
    assert "Publish operation" in run["StepExecutions"][0]["FailureMessage"]


@pytest.mark.parametrize(("critical", "status"), [("true", "Failed"), ("false", "Success")])
def test_on_failure_continue_goes_on_and_counts_only_critical_steps(shop: Shop, critical: str, status: str) -> None:
    asks = "Service: sts, Api: GetCallerIdentity, PropertySelector: $.Account, DesiredValues: ['000000000000']"
    fails = f"{{name: A, action: 'aws:assertAwsResourceProperty', onFailure: Continue, isCritical: {critical}, inputs: {{{asks}}}}}"
    next_ = "{name: B, action: 'aws:sleep', inputs: {Duration: PT1S}}"
    document(shop, f"Going-{critical}", steps(fails, next_))

    run = finish(shop, start(shop, f"Going-{critical}"))

    assert statuses(run) == {"A": "Failed", "B": "Success"}
    assert run["AutomationExecutionStatus"] == status


def test_waiting_too_long_times_out(shop: Shop) -> None:
    asks = "Service: sts, Api: GetCallerIdentity, PropertySelector: $.Account, DesiredValues: [never]"
    document(
        shop,
        "Waiting",
        steps(f"{{name: A, action: 'aws:waitForAwsResourceProperty', timeoutSeconds: 60, inputs: {{{asks}}}}}"),
    )

    run = finish(shop, start(shop, "Waiting"))

    assert (run["AutomationExecutionStatus"], statuses(run)) == ("TimedOut", {"A": "TimedOut"})


def test_stop_cancels_a_sleeping_run(shop: Shop) -> None:
    document(shop, "Sleeping", steps("{name: A, action: 'aws:sleep', inputs: {Duration: P30D}}"))
    execution = start(shop, "Sleeping")
    eventually(lambda: get(shop, execution)["AutomationExecutionStatus"] == "InProgress")

    shop.aws("ssm").stop_automation_execution(AutomationExecutionId=execution)

    assert finish(shop, execution)["AutomationExecutionStatus"] == "Cancelled"
    filters = [{"Key": "DocumentNamePrefix", "Values": ["Sleep"]}]
    listed = shop.aws("ssm").describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]
    assert [found["AutomationExecutionId"] for found in listed] == [execution]


def test_document_with_an_action_we_cannot_run_is_refused_when_it_is_created(shop: Shop) -> None:
    with pytest.raises(ClientError) as refused:
        document(shop, "Odd", steps("{name: A, action: 'aws:runInstances', inputs: {}}"))

    assert code_of(refused) == "InvalidDocumentContent"
    assert "aws:runInstances" in refused.value.response["Error"]["Message"]
