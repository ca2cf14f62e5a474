"""State machines in the embedded AWS: they run as AWS runs them, and stop when they are told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ScaledClock
from localaws.stepfunctions_patches import interruption
from tests.localaws.engine_room import ELSEWHERE, Shop, eventually

LONG = {"W": {"Type": "Wait", "Seconds": 10_000_000, "End": True}}
ECHO = """
    import os

    def handler(event, context):
        if "raise" in event:
            raise RuntimeError(event["raise"])
        if "kill" in event:
            os._exit(1)
        return {"heard": event}
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop(ScaledClock(1000))
    shop.function("echo", ECHO)
    shop.aws("s3").create_bucket(Bucket="plans", CreateBucketConfiguration={"LocationConstraint": shop.region})
    yield shop
    shop.close()


def call(payload: Any, **fields: Any) -> dict[str, Any]:
    arguments = {"FunctionName": "echo", "Payload": payload}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments}
    return {**task, "Output": "{% $states.result.Payload %}", "End": True, **fields}


def ask(**fields: Any) -> dict[str, Any]:
    arguments = {"FunctionName": "echo", "Payload": {"token": "{% $states.context.Task.Token %}"}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Arguments": arguments}
    return {**task, "End": True, **fields}


def start_machine(arn: str, **fields: Any) -> dict[str, Any]:
    arguments = {"StateMachineArn": arn, "Input": "{% $states.input %}"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Arguments": arguments}
    return {**task, "End": True, **fields}


def token_of(shop: Shop, execution: str) -> str:
    """Wait until a run asks, and return its token."""

    def look() -> str | None:
        events = shop.aws("stepfunctions").get_execution_history(executionArn=execution)["events"]
        if not any(event["type"] == "TaskSubmitted" for event in events):
            return None
        scheduled = [event for event in events if event["type"] == "TaskScheduled"][-1]
        parameters = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])
        return str(parameters["Payload"]["token"])

    return str(eventually(look))


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_run_waits_in_clock_time_calls_the_function_and_succeeds(shop: Shop) -> None:
    machine = shop.machine(
        "greet", {"Pause": {"Type": "Wait", "Seconds": 100, "Next": "Call"}, "Call": call("{% $states.input %}")}
    )

    started = time.monotonic()
    ended = shop.run(machine, {"who": "you"})

    assert ended["status"] == "SUCCEEDED"
    assert ended["value"] == {"heard": {"who": "you"}}
    assert 0.1 <= time.monotonic() - started < 10


def test_run_context_object_names_the_run(shop: Shop) -> None:
    context = {"id": "{% $states.context.Execution.Id %}", "name": "{% $states.context.Execution.Name %}"}
    context |= {"since": "{% $states.context.Execution.StartTime %}", "state": "{% $states.context.State.Name %}"}
    context |= {
        "entered": "{% $states.context.State.EnteredTime %}",
        "machine": "{% $states.context.StateMachine.Id %}",
    }
    machine = shop.machine("context", {"Look": {"Type": "Pass", "Output": context, "End": True}})

    execution = shop.start(machine, name="run-7")
    value = shop.finish(execution)["value"]

    assert (value["id"], value["name"], value["state"], value["machine"]) == (execution, "run-7", "Look", machine)
    assert value["since"].endswith("Z")
    assert value["entered"].endswith("Z")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$merge([$states.input, {'b': 1}])", {"none": None, "text": 'a "quoted" text', "list": [1, 2, 3], "b": 1}),
        ("$states.input.none", None),
        ("$sum($states.input.list) / 2", 3),
        ("[$states.input.list[$ > 5]]", []),
        ("$text", 'a "quoted" text'),
        ("$range(1, 5, 2)", [1, 3, 5]),
        ("$partition($states.input.list, 2)", [[1, 2], [3]]),
        ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("$parse('{\"a\": 1}').a", 1),
    ],
)
def test_jsonata_expression_gives_what_aws_gives(shop: Shop, expression: str, value: Any) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"text": "{% $states.input.text %}"}, "Next": "Ask"},
        "Ask": {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True},
    }
    machine = shop.machine(f"jsonata-{abs(hash(expression))}", states)

    ended = shop.run(machine, {"none": None, "text": 'a "quoted" text', "list": [1, 2, 3]})

    assert (ended["status"], ended["value"]) == ("SUCCEEDED", value)


def test_jsonata_undefined_fails_with_query_evaluation_error(shop: Shop) -> None:
    machine = shop.machine("undefined", {"Ask": {"Type": "Pass", "Output": "{% $states.input.nothing %}", "End": True}})

    ended = shop.run(machine)

    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "returned nothing (undefined)" in ended["cause"]


def test_task_function_error_has_the_name_of_its_type_and_can_be_caught(shop: Shop) -> None:
    catch = [{"ErrorEquals": ["RuntimeError"], "Output": "{% $states.errorOutput.Error %}", "Next": "Done"}]
    machine = shop.machine("caught", {"Call": call({"raise": "x"}, Catch=catch), "Done": {"Type": "Succeed"}})

    assert shop.run(machine)["value"] == "RuntimeError"


def test_task_missing_function_fails_with_the_service_error(shop: Shop) -> None:
    task = call({}, Arguments={"FunctionName": "nobody", "Payload": {}})

    ended = shop.run(shop.machine("missing", {"Call": task}))

    assert ended["error"] == "Lambda.ResourceNotFoundException"
    assert "Status Code: 404" in ended["cause"]


def test_task_retry_repeats_then_gives_up(shop: Shop) -> None:
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 10, "MaxAttempts": 2, "BackoffRate": 2}]
    machine = shop.machine("retried", {"Call": call({"raise": "x"}, Retry=retry)})

    execution = shop.start(machine)
    ended = shop.finish(execution)

    assert (ended["status"], ended["error"]) == ("FAILED", "RuntimeError")
    assert shop.history(execution).count("TaskFailed") == 3


def test_callback_success_gives_the_output(shop: Shop) -> None:
    execution = shop.start(shop.machine("ask", {"Ask": ask()}))

    shop.aws("stepfunctions").send_task_success(taskToken=token_of(shop, execution), output='{"answer": "yes"}')

    assert shop.finish(execution)["value"] == {"answer": "yes"}


def test_callback_failure_fails_the_task_by_name(shop: Shop) -> None:
    execution = shop.start(shop.machine("ask-no", {"Ask": ask()}))

    shop.aws("stepfunctions").send_task_failure(taskToken=token_of(shop, execution), error="Rejected", cause="not now")

    ended = shop.finish(execution)
    assert (ended["error"], ended["cause"]) == ("Rejected", "not now")


def test_callback_late_answer_is_refused_as_timed_out(shop: Shop) -> None:
    # Given a task that waits ten minutes for its callback, and catches that nobody answers
    catch = [{"ErrorEquals": ["States.Timeout"], "Output": "{% $states.errorOutput.Error %}", "Next": "Done"}]
    states = {"Ask": ask(TimeoutSeconds=600, Catch=catch), "Done": {"Type": "Succeed"}}
    execution = shop.start(shop.machine("ask-late", states))
    token = token_of(shop, execution)

    # When nobody answers
    assert shop.finish(execution)["value"] == "States.Timeout"

    # Then an answer is too late
    with pytest.raises(ClientError) as refused:
        shop.aws("stepfunctions").send_task_success(taskToken=token, output="{}")
    assert code_of(refused) == "TaskTimedOut"


def test_callback_without_heartbeat_times_out_and_with_heartbeats_lives(shop: Shop) -> None:
    sfn, engine = shop.aws("stepfunctions"), shop.local.service("stepfunctions").engine  # type: ignore[attr-defined]
    machine = shop.machine("ask-beat", {"Ask": ask(TimeoutSeconds=100_000, HeartbeatSeconds=400)})

    assert shop.run(machine)["error"] == "States.Timeout"

    execution = shop.start(machine)
    token = token_of(shop, execution)
    started = engine.clock.now()
    while (engine.clock.now() - started).total_seconds() < 0.8:
        sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output="1")
    assert shop.finish(execution)["value"] == 1


@pytest.mark.parametrize(
    ("token", "output", "code"), [("nonsense", "{}", "InvalidToken"), (None, "not JSON", "InvalidOutput")]
)
def test_callback_with_bad_arguments_is_refused(shop: Shop, token: str | None, output: str, code: str) -> None:
    execution = shop.start(shop.machine("ask-bad", {"Ask": ask()}))
    given = token or token_of(shop, execution)

    with pytest.raises(ClientError) as refused:
        shop.aws("stepfunctions").send_task_success(taskToken=given, output=output)

    assert code_of(refused) == code
    shop.aws("stepfunctions").stop_execution(executionArn=execution)


def test_callback_token_is_worth_nothing_in_another_region(shop: Shop) -> None:
    execution = shop.start(shop.machine("ask-here", {"Ask": ask()}))
    elsewhere = Shop(shop.local.clock, region=ELSEWHERE, local=shop.local)

    with pytest.raises(ClientError) as refused:
        elsewhere.aws("stepfunctions").send_task_success(taskToken=token_of(shop, execution), output="{}")

    assert code_of(refused) == "TaskDoesNotExist"
    shop.aws("stepfunctions").stop_execution(executionArn=execution)


def test_callback_attempts_have_tokens_of_their_own(shop: Shop) -> None:
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    execution = shop.start(shop.machine("ask-twice", {"Ask": ask(Retry=retry)}))
    first = token_of(shop, execution)
    shop.aws("stepfunctions").send_task_failure(taskToken=first, error="Again")

    second = str(eventually(lambda: token_of(shop, execution), lambda token: token != first))

    shop.aws("stepfunctions").send_task_success(taskToken=second, output="2")
    assert shop.finish(execution)["value"] == 2


def test_nested_run_returns_its_output_as_json(shop: Shop) -> None:
    inner = shop.machine("inner", {"Call": call("{% $states.input %}")})
    outer = shop.machine("outer", {"Start": start_machine(inner)})

    value = shop.run(outer, {"a": 1})["value"]

    assert value["Status"] == "SUCCEEDED"
    assert value["Output"] == {"heard": {"a": 1}}


def test_nested_run_that_fails_fails_the_task_with_its_story(shop: Shop) -> None:
    inner = shop.machine("inner-bad", {"Stop": {"Type": "Fail", "Error": "Bad", "Cause": "because"}})
    outer = shop.machine("outer-bad", {"Start": start_machine(inner)})

    ended = shop.run(outer)

    assert ended["error"] == "States.TaskFailed"
    assert json.loads(ended["cause"])["Error"] == "Bad"


def test_stop_execution_aborts_it_and_the_run_it_waits_for_at_once(shop: Shop) -> None:
    # Given a run that waits for another run, which waits for months
    inner = shop.machine("inner-long", LONG)
    execution = shop.start(shop.machine("outer-long", {"Start": start_machine(inner)}))
    sfn = shop.aws("stepfunctions")
    nested = eventually(lambda: sfn.list_executions(stateMachineArn=inner)["executions"])[0]["executionArn"]

    # When the outer one is stopped
    sfn.stop_execution(executionArn=execution, error="Operator", cause="enough")

    # Then both are aborted, the outer one with the reason
    described = shop.describe(execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Operator", "enough")
    assert shop.history(execution)[-1] == "ExecutionAborted"
    assert shop.finish(nested)["status"] == "ABORTED"


def test_stop_execution_waiting_for_a_callback_closes_its_token(shop: Shop) -> None:
    execution = shop.start(shop.machine("ask-stop", {"Ask": ask()}))
    token = token_of(shop, execution)

    shop.aws("stepfunctions").stop_execution(executionArn=execution)

    with pytest.raises(ClientError) as refused:
        shop.aws("stepfunctions").send_task_success(taskToken=token, output="{}")
    assert code_of(refused) == "TaskTimedOut"


def test_start_execution_without_name_gets_one_and_with_a_used_name_is_refused(shop: Shop) -> None:
    quick = shop.machine("named", {"P": {"Type": "Pass", "End": True}})

    assert len(shop.start(quick).rsplit(":", 1)[-1]) == 36
    shop.finish(shop.start(quick, name="once"))
    with pytest.raises(ClientError) as refused:
        shop.start(quick, name="once")
    assert code_of(refused) == "ExecutionAlreadyExists"


def test_start_execution_same_name_and_input_while_it_runs_is_the_same_run(shop: Shop) -> None:
    machine = shop.machine("again", LONG)

    first, second = shop.start(machine, {"a": 1}, name="same"), shop.start(machine, {"a": 1}, name="same")

    assert first == second
    with pytest.raises(ClientError) as refused:
        shop.start(machine, {"a": 2}, name="same")
    assert code_of(refused) == "ExecutionAlreadyExists"
    shop.aws("stepfunctions").stop_execution(executionArn=first)


def test_list_executions_filters_by_status_and_pages(shop: Shop) -> None:
    sfn, machine = shop.aws("stepfunctions"), shop.machine("many", {"P": {"Type": "Pass", "End": True}})
    for _ in range(5):
        shop.run(machine)

    page = sfn.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED", maxResults=3)
    rest = sfn.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED", nextToken=page["nextToken"])

    assert (len(page["executions"]), len(rest["executions"])) == (3, 2)
    assert sfn.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"] == []


def test_run_through_an_alias_runs_its_version_and_says_so(shop: Shop) -> None:
    # Given an alias of the version that answers 1, and a newer definition that answers 2
    sfn = shop.aws("stepfunctions")
    machine = shop.machine("aliased", {"P": {"Type": "Pass", "Output": 1, "End": True}})
    version = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    route = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=route)["stateMachineAliasArn"]
    newer = {"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": {"Type": "Pass", "Output": 2, "End": True}}}
    sfn.update_state_machine(stateMachineArn=machine, definition=json.dumps(newer))

    # When a run is started through the alias
    ended = shop.run(alias)

    # Then it is a run of the machine, by that version
    assert ended["value"] == 1
    assert (ended["stateMachineArn"], ended["stateMachineVersionArn"]) == (machine, version)
    assert ended["stateMachineAliasArn"] == alias
    assert len(sfn.list_executions(stateMachineArn=machine)["executions"]) == 1
    assert shop.run(machine)["value"] == 2


def test_endless_loop_fails_at_the_limit_of_history_events(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "MOST_EVENTS", 300)
    machine = shop.machine("endless", {"P": {"Type": "Pass", "Next": "P"}})

    ended = shop.run(machine)

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events" in ended["cause"]


def test_parallel_failing_branch_stops_the_others(shop: Shop) -> None:
    fail = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Bad"}}}
    long = {"StartAt": "W", "States": LONG}
    machine = shop.machine("parallel", {"P": {"Type": "Parallel", "Branches": [long, fail], "End": True}})

    assert shop.run(machine)["error"] == "Bad"


def test_inline_map_over_many_items_keeps_their_order(shop: Shop) -> None:
    item = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}}}
    states = {"M": {"Type": "Map", "Items": "{% [1..200] %}", "MaxConcurrency": 2, "ItemProcessor": item, "End": True}}

    assert shop.run(shop.machine("inline", states))["value"] == [2 * n for n in range(1, 201)]


def distributed(items: list[Any], processor: dict[str, Any], shop: Shop, **fields: Any) -> dict[str, Any]:
    s3, key = shop.aws("s3"), f"{abs(hash(json.dumps(items)))}.json"
    s3.put_object(Bucket="plans", Key=key, Body=json.dumps(items))
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": "plans", "Key": key},
    }
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    selector = {"item": "{% $states.context.Map.Item.Value %}", "run": "{% $states.context.Execution.Name %}"}
    return {
        "Type": "Map",
        "Label": "Children",
        "ItemReader": reader,
        "ItemSelector": selector,
        "ItemProcessor": {**config, **processor},
        "End": True,
        **fields,
    }


def test_distributed_map_runs_children_as_executions_in_parallel(shop: Shop) -> None:
    # Given children that wait 100 s each, and remember who they are
    states = {
        "W": {"Type": "Wait", "Seconds": 100, "Next": "P"},
        "P": {
            "Type": "Pass",
            "Output": ["{% $states.input.item %}", "{% $states.context.Execution.Id %}"],
            "End": True,
        },
    }
    processor = {"StartAt": "W", "States": states}
    machine = shop.machine("distributed", {"M": distributed(list(range(40)), processor, shop, MaxConcurrency=20)})

    # When 40 of them run, 20 at a time
    started = time.monotonic()
    execution = shop.start(machine)
    value = shop.finish(execution)["value"]

    # Then it takes about twice one wait, in order, and each is an execution with a history
    assert time.monotonic() - started < 40 * 0.1
    assert [item for item, _ in value] == list(range(40))
    sfn = shop.aws("stepfunctions")
    map_run = sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    described = sfn.describe_map_run(mapRunArn=map_run)
    assert (described["status"], described["itemCounts"]["succeeded"]) == ("SUCCEEDED", 40)
    children = sfn.list_executions(mapRunArn=map_run)["executions"]
    assert {child["executionArn"] for child in children} == {arn for _, arn in value}
    assert shop.history(children[0]["executionArn"])[0] == "ExecutionStarted"
    assert ":execution:distributed/Children:" in children[0]["executionArn"]


def failing(number: int) -> dict[str, Any]:
    choice = {"Condition": f"{{% $states.input.item = {number} %}}", "Next": "F"}
    states = {
        "C": {"Type": "Choice", "Choices": [choice], "Default": "S"},
        "S": {"Type": "Succeed", "Output": "ok"},
        "F": {"Type": "Fail", "Error": "Bad"},
    }
    return {"StartAt": "C", "States": states}


@pytest.mark.parametrize(("tolerated", "status"), [(100, "SUCCEEDED"), (10, "FAILED")])
def test_distributed_map_fails_when_more_children_fail_than_tolerated(shop: Shop, tolerated: int, status: str) -> None:
    map_state = distributed([1, 2, 3, 4], failing(3), shop, ToleratedFailurePercentage=tolerated)
    machine = shop.machine(f"tolerant-{tolerated}", {"M": map_state})

    execution = shop.start(machine)
    ended = shop.finish(execution)

    assert ended["status"] == status
    assert ended.get("error") == (None if status == "SUCCEEDED" else "States.ExceedToleratedFailureThreshold")
    map_run = shop.aws("stepfunctions").list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    assert shop.aws("stepfunctions").describe_map_run(mapRunArn=map_run)["itemCounts"]["failed"] == 1


def test_stop_execution_aborts_the_children_of_a_distributed_map(shop: Shop) -> None:
    machine = shop.machine("stopped-map", {"M": distributed([1, 2, 3], {"StartAt": "W", "States": LONG}, shop)})
    execution, sfn = shop.start(machine), shop.aws("stepfunctions")
    map_run = eventually(lambda: sfn.list_map_runs(executionArn=execution)["mapRuns"])[0]["mapRunArn"]
    eventually(lambda: len(sfn.list_executions(mapRunArn=map_run, statusFilter="RUNNING")["executions"]) == 3)

    sfn.stop_execution(executionArn=execution)

    assert shop.describe(execution)["status"] == "ABORTED"
    assert len(sfn.list_executions(mapRunArn=map_run, statusFilter="ABORTED")["executions"]) == 3
    assert sfn.describe_map_run(mapRunArn=map_run)["status"] == "ABORTED"


def test_redrive_goes_on_from_the_failed_state(shop: Shop) -> None:
    # Given a run whose second state failed because a function was missing
    first = {"Type": "Pass", "Assign": {"kept": "from before"}, "Output": {"n": 1}, "Next": "Call"}
    task = call({"n": "{% $states.input.n %}", "kept": "{% $kept %}"}, Arguments=None)
    task["Arguments"] = {"FunctionName": "late", "Payload": {"n": "{% $states.input.n %}", "kept": "{% $kept %}"}}
    execution = shop.start(shop.machine("redriven", {"First": first, "Call": task}))
    assert shop.finish(execution)["status"] == "FAILED"

    # When the operator adds the function and redrives
    shop.function("late", ECHO)
    shop.aws("stepfunctions").redrive_execution(executionArn=execution)

    # Then the run goes on with input and variables, and does not repeat what was done
    ended = shop.finish(execution)
    assert ended["value"] == {"heard": {"n": 1, "kept": "from before"}}
    assert ended["redriveCount"] == 1
    assert shop.history(execution).count("PassStateEntered") == 1


def test_redriven_run_knows_how_often_and_when_and_cannot_be_redriven_while_it_runs_or_when_it_is_too_late(
    shop: Shop,
) -> None:
    # Given a run that tells of its redrives, and fails at first
    said = {"n": "{% $states.context.Execution.RedriveCount %}", "at": "{% $states.context.Execution.RedriveTime %}"}
    task = call({}, Arguments=None)
    task["Arguments"] = {"FunctionName": "late-too", "Payload": said}
    execution, sfn = shop.start(shop.machine("counted", {"Call": task})), shop.aws("stepfunctions")
    assert shop.finish(execution)["status"] == "FAILED"
    # When 14 days have passed, Then it is too late
    record = shop.local.service("stepfunctions").engine.executions[execution]  # type: ignore[attr-defined]
    stopped_at = record.stop_date
    record.stop_date = stopped_at - timedelta(days=15)
    assert shop.describe(execution)["redriveStatusReason"] == "Execution redrivable period exceeded"
    with pytest.raises(sfn.exceptions.ExecutionNotRedrivable, match="period exceeded"):
        sfn.redrive_execution(executionArn=execution)
    # When they have not, and it is redriven, Then the machine itself knows
    record.stop_date = stopped_at
    assert shop.describe(execution)["redriveStatus"] == "REDRIVABLE"
    shop.function("late-too", ECHO)
    redriven = sfn.redrive_execution(executionArn=execution)["redriveDate"]
    heard = shop.finish(execution)["value"]["heard"]
    assert heard["n"] == 1
    assert abs(datetime.fromisoformat(heard["at"].replace("Z", "+00:00")) - redriven) < timedelta(seconds=1)
    # And what succeeded is not redriven again
    with pytest.raises(sfn.exceptions.ExecutionNotRedrivable, match="SUCCEEDED and cannot be redriven"):
        sfn.redrive_execution(executionArn=execution)


def test_machine_timeout_ends_the_run_timed_out(shop: Shop) -> None:
    assert shop.run(shop.machine("brief", LONG, TimeoutSeconds=1))["status"] == "TIMED_OUT"


def test_dynamodb_and_sns_integrations_act_with_the_role(shop: Shop) -> None:
    shop.aws("dynamodb").create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    topic = shop.aws("sns").create_topic(Name="news")["TopicArn"]
    put = {"TableName": "ledger", "Item": {"id": {"S": "{% $states.context.Execution.Name %}"}}}
    states = {
        "Put": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Arguments": put, "Next": "Tell"},
        "Tell": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Arguments": {"TopicArn": topic, "Message": {"n": 1}},
            "Output": "{% $states.result.MessageId %}",
            "End": True,
        },
    }

    ended = shop.finish(shop.start(shop.machine("integrated", states), name="run-9"))

    assert ended["status"] == "SUCCEEDED", ended
    assert shop.aws("dynamodb").get_item(TableName="ledger", Key={"id": {"S": "run-9"}})["Item"]
    calls = [line for line in shop.local.call_log if line.service == "dynamodb" and line.operation == "PutItem"]
    assert calls[-1].principal_arn.endswith(":assumed-role/worker/run-9")


def test_task_of_a_role_without_permission_fails_by_name(shop: Shop) -> None:
    """A refusal by the authorization hook reaches the machine as AWS names it."""
    from localaws.service import AwsError, Call

    def refuse(call: Call) -> None:
        if call.operation == "Invoke" and call.principal.role_name == "worker":
            raise AwsError("AccessDeniedException", "not authorized to perform: lambda:InvokeFunction", 403)

    machine = shop.machine("denied", {"Call": call({})})
    shop.local.before.append(refuse)
    try:
        ended = shop.run(machine)
    finally:
        shop.local.before.remove(refuse)

    assert ended["error"] == "Lambda.AWSLambdaException"
    assert "not authorized" in ended["cause"]
