"""Functions in the embedded AWS: the deployed zip and nothing else runs, as AWS would run it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ScaledClock
from tests.localaws.engine_room import ELSEWHERE, HUB, Shop, eventually, zipped

PROBE = """
    import os, sys, time

    served = 0

    def handler(event, context):
        global served
        served += 1
        print("working on", event)
        if "sleep" in event:
            time.sleep(event["sleep"])
        if "boom" in event:
            raise LookupError(event["boom"])
        if "exit" in event:
            os._exit(1)
        if "import" in event:
            __import__(event["import"])
        return {
            "environment": dict(os.environ), "path": sys.path, "served": served, "process": os.getpid(),
            "arn": context.invoked_function_arn, "left_ms": context.get_remaining_time_in_millis(),
        }
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop(ScaledClock(2000))
    shop.function("probe", PROBE, timeout=2, Environment={"Variables": {"COLOUR": "blue"}})
    yield shop
    shop.close()


def test_invoke_function_sees_its_own_settings_and_nothing_of_the_host(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a host whose environment holds a secret
    monkeypatch.setenv("HOST_SECRET", "do not leak")

    # When the function runs
    seen = shop.invoke("probe")["payload"]

    # Then it has its variables, the standard ones, and no other
    environment = seen["environment"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_REGION"] == shop.region
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "probe"
    assert environment["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/probe"
    assert environment["AWS_ENDPOINT_URL"] == shop.local.endpoint_url
    assert "HOST_SECRET" not in environment
    assert "VIRTUAL_ENV" not in environment
    # And it is addressed by its ARN, with its time ticking
    assert seen["arn"] == f"arn:aws:lambda:{shop.region}:{HUB}:function:probe"
    assert 0 < seen["left_ms"] <= 2000


@pytest.mark.parametrize("module", ["localaws", "orchestrator", "moto", "pytest"])
def test_invoke_function_cannot_import_what_only_the_host_has(shop: Shop, module: str) -> None:
    answer = shop.invoke("probe", {"import": module})

    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "ModuleNotFoundError"


def test_invoke_function_calls_aws_as_a_session_of_its_role(shop: Shop) -> None:
    # Given a function that brings no boto3 of its own
    shop.function(
        "caller",
        """
        import boto3

        def handler(event, context):
            return boto3.client("sts").get_caller_identity()["Arn"]
        """,
    )

    # When it asks who it is
    answer = shop.invoke("caller")["payload"]

    # Then it is its role, in a session named after it
    assert answer == f"arn:aws:sts::{HUB}:assumed-role/worker/caller"


def test_invoke_raising_function_answers_unhandled_with_type_and_message(shop: Shop) -> None:
    answer = shop.invoke("probe", {"boom": "no such thing"})

    assert answer["StatusCode"] == 200
    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "LookupError"
    assert answer["payload"]["errorMessage"] == "no such thing"
    assert answer["payload"]["stackTrace"]


def test_invoke_too_slow_function_is_killed_and_the_next_call_gets_a_new_worker(shop: Shop) -> None:
    shop.function("slow", PROBE, timeout=1)
    before = shop.invoke("slow")["payload"]["process"]

    answer = shop.invoke("slow", {"sleep": 30})

    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "Sandbox.Timedout"
    assert answer["payload"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert shop.invoke("slow")["payload"]["process"] != before


def test_invoke_exiting_function_answers_exit_error_and_recovers(shop: Shop) -> None:
    answer = shop.invoke("probe", {"exit": True})

    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "Runtime.ExitError"
    assert shop.invoke("probe")["error"] is None


def test_invoke_function_that_cannot_load_answers_the_init_error(shop: Shop) -> None:
    shop.function("broken", "import nothing_like_this\n")

    answer = shop.invoke("broken")

    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "Runtime.ImportModuleError"
    assert "nothing_like_this" in answer["payload"]["errorMessage"]


def test_invoke_twice_second_call_reuses_the_warm_worker(shop: Shop) -> None:
    shop.function("warm", PROBE)

    first, second = shop.invoke("warm")["payload"], shop.invoke("warm")["payload"]

    assert (first["served"], second["served"]) == (1, 2)
    assert first["process"] == second["process"]


def test_invoke_in_parallel_uses_several_workers_up_to_the_cap(shop: Shop) -> None:
    shop.function("busy", PROBE)

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: shop.invoke("busy", {"sleep": 0.1})["payload"], range(8)))

    assert 2 <= len({answer["process"] for answer in answers}) <= 4


def test_update_code_next_call_runs_the_new_code(shop: Shop) -> None:
    shop.function("changing", "def handler(event, context):\n    return 'old'\n")
    assert shop.invoke("changing")["payload"] == "old"

    new = zipped("def handler(event, context):\n    return 'new'\n")
    shop.aws("lambda").update_function_code(FunctionName="changing", ZipFile=new)

    assert shop.invoke("changing")["payload"] == "new"


def test_update_configuration_next_call_sees_the_new_variables(shop: Shop) -> None:
    shop.function("configured", PROBE, Environment={"Variables": {"A": "1"}})
    shop.invoke("configured")

    shop.aws("lambda").update_function_configuration(FunctionName="configured", Environment={"Variables": {"A": "2"}})

    assert shop.invoke("configured")["payload"]["environment"]["A"] == "2"


def test_same_name_in_two_regions_are_two_functions(shop: Shop) -> None:
    # Given a function of the same name in another Region
    elsewhere = Shop(shop.local.clock, region=ELSEWHERE, local=shop.local)
    elsewhere.function("probe", PROBE, Environment={"Variables": {"COLOUR": "red"}})

    # When both run
    here, there = shop.invoke("probe")["payload"], elsewhere.invoke("probe")["payload"]

    # Then each is itself
    assert (here["environment"]["COLOUR"], here["environment"]["AWS_REGION"]) == ("blue", shop.region)
    assert (there["environment"]["COLOUR"], there["environment"]["AWS_REGION"]) == ("red", ELSEWHERE)


def test_invoke_version_and_alias_run_the_published_code(shop: Shop) -> None:
    lambda_ = shop.aws("lambda")
    shop.function("versioned", "def handler(event, context):\n    return 'one'\n")
    version = lambda_.publish_version(FunctionName="versioned")["Version"]
    lambda_.create_alias(FunctionName="versioned", Name="live", FunctionVersion=version)
    lambda_.update_function_code(
        FunctionName="versioned", ZipFile=zipped("def handler(event, context):\n    return 'two'\n")
    )

    assert shop.invoke("versioned", Qualifier="live")["payload"] == "one"
    assert shop.invoke("versioned")["payload"] == "two"


def test_invoke_with_reserved_concurrency_zero_is_throttled(shop: Shop) -> None:
    shop.function("stopped", PROBE)
    shop.aws("lambda").put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError) as refused:
        shop.invoke("stopped")

    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_invoke_unknown_function_is_refused_with_its_arn(shop: Shop) -> None:
    with pytest.raises(ClientError) as refused:
        shop.invoke("nobody")

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert f"function:{'nobody'}" in refused.value.response["Error"]["Message"]


def test_invoke_dry_run_runs_nothing(shop: Shop) -> None:
    shop.function("quiet", PROBE)

    assert shop.invoke("quiet", InvocationType="DryRun")["StatusCode"] == 204
    assert shop.invoke("quiet")["payload"]["served"] == 1


def test_logs_are_in_cloudwatch_in_the_configured_group_and_in_the_tail(shop: Shop) -> None:
    # Given a function with a log group of its own
    shop.function("chatty", PROBE, LoggingConfig={"LogGroup": "/hub/chatty"})

    # When it prints
    answer = shop.invoke("chatty", {"n": 7}, LogType="Tail")

    # Then the line is in that group, between the service's own lines, and in the reply's tail
    events = shop.aws("logs").filter_log_events(logGroupName="/hub/chatty")["events"]
    lines = [event["message"] for event in events]
    assert lines[0].startswith("START RequestId:")
    assert "working on {'n': 7}" in lines[1]
    assert lines[-1].startswith("REPORT RequestId:")
    assert "working on {'n': 7}" in base64.b64decode(answer["LogResult"]).decode()


def test_invoke_event_failing_function_is_retried_twice_and_reported(shop: Shop) -> None:
    # Given a function that always fails, and a queue for what is given up
    sqs, lambda_ = shop.aws("sqs"), shop.aws("lambda")
    queue = sqs.create_queue(QueueName="given-up")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    shop.function("unlucky", PROBE)
    destination = {"OnFailure": {"Destination": arn}}
    lambda_.put_function_event_invoke_config(FunctionName="unlucky", DestinationConfig=destination)

    # When it is invoked without waiting
    answer = lambda_.invoke(FunctionName="unlucky", InvocationType="Event", Payload=json.dumps({"boom": "again"}))

    # Then the call is accepted, and after three attempts the event is in the queue
    assert answer["StatusCode"] == 202
    message = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"boom": "again"}
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "LookupError"


def test_invoke_event_to_a_stopped_function_never_runs_it(shop: Shop) -> None:
    # Given a function that may not run, with no second chance and a queue for what is given up
    sqs, lambda_ = shop.aws("sqs"), shop.aws("lambda")
    queue = sqs.create_queue(QueueName="throttled")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    shop.function("frozen", PROBE)
    lambda_.put_function_concurrency(FunctionName="frozen", ReservedConcurrentExecutions=0)
    destination = {"OnFailure": {"Destination": arn}}
    lambda_.put_function_event_invoke_config(
        FunctionName="frozen", MaximumRetryAttempts=0, DestinationConfig=destination
    )

    # When an event is sent to it
    lambda_.invoke(FunctionName="frozen", InvocationType="Event", Payload=b"{}")

    # Then it is given up, not run
    message = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    assert json.loads(message["Body"])["responsePayload"]["errorType"] == "TooManyRequestsException"


def test_idle_workers_are_reaped(shop: Shop) -> None:
    shop.invoke("probe")
    pools = shop.local.service("lambda").pools  # type: ignore[attr-defined]
    assert pools.count() > 0

    pools.reap(older_than_seconds=0)

    assert pools.count() == 0
