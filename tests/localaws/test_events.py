"""Events, schedules and notifications in the embedded AWS reach whom they are meant for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import admin
from localaws.clock import ScaledClock
from localaws.services.events import matches
from tests.localaws.engine_room import HUB, Shop, eventually

FUNCTION = """
    import json

    def handler(event, context):
        print("got", json.dumps(event))
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop(ScaledClock(1000))
    shop.function("listener", FUNCTION)
    yield shop
    shop.close()


def queue(shop: Shop, name: str) -> tuple[str, str]:
    sqs = shop.aws("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(shop: Shop, url: str) -> list[Any]:
    messages = shop.aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def rule(shop: Shop, name: str, pattern: dict[str, Any], **target: Any) -> None:
    events = shop.aws("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])


def put(shop: Shop, source: str, detail: dict[str, Any]) -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "Order", "Detail": json.dumps(detail)}
    return dict(shop.aws("events").put_events(Entries=[entry]))


def page(shop: Shop, path: str, method: str = "GET", **query: str) -> Any:
    """Ask one of the embedded AWS's own pages."""
    return shop.local.admin_routes[path](shop.local, method, query, None)


def test_rule_matching_event_reaches_the_queue_and_others_do_not(shop: Shop) -> None:
    url, arn = queue(shop, "orders")
    rule(shop, "orders", {"source": ["shop"], "detail": {"amount": [{"numeric": [">", 100]}]}}, Arn=arn)

    put(shop, "shop", {"amount": 50})
    put(shop, "elsewhere", {"amount": 500})
    put(shop, "shop", {"amount": 500})

    (event,) = received(shop, url)
    assert event["detail"] == {"amount": 500}
    assert (event["source"], event["account"], event["region"]) == ("shop", HUB, shop.region)


def test_disabled_rule_sends_nothing(shop: Shop) -> None:
    url, arn = queue(shop, "silence")
    rule(shop, "silent", {"source": ["silent"]}, Arn=arn)
    shop.aws("events").disable_rule(Name="silent")

    put(shop, "silent", {})

    assert received(shop, url) == []


def test_rule_input_transformer_shapes_what_the_target_gets(shop: Shop) -> None:
    url, arn = queue(shop, "shaped")
    transformer = {
        "InputPathsMap": {"who": "$.detail.who", "list": "$.detail.list", "first": "$.detail.list[0]"},
        "InputTemplate": '{"text": "<who> has <first>", "all": <list>, "rule": "<aws.events.rule-name>", "no": "<gone>"}',
    }
    rule(shop, "shape", {"source": ["shape"]}, Arn=arn, InputTransformer=transformer)

    put(shop, "shape", {"who": 'the "boss"', "list": [1, 2]})

    assert received(shop, url) == [{"text": 'the "boss" has 1', "all": [1, 2], "rule": "shape", "no": ""}]


def test_rule_with_constant_input_and_with_path_send_only_that(shop: Shop) -> None:
    url, arn = queue(shop, "parts")
    rule(shop, "constant", {"source": ["part"]}, Arn=arn, Input='{"fixed": true}')
    rule(shop, "path", {"source": ["part"]}, Arn=arn, InputPath="$.detail")

    put(shop, "part", {"a": 1})

    assert sorted(received(shop, url), key=str) == [{"a": 1}, {"fixed": True}]


def test_status_change_of_a_run_is_an_event_that_starts_a_function(shop: Shop) -> None:
    # Given a rule for runs that were aborted
    machine = shop.machine("watched", {"W": {"Type": "Wait", "Seconds": 10_000_000, "End": True}})
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine], "status": ["ABORTED"]},
    }
    rule(shop, "aborted", pattern, Arn=f"arn:aws:lambda:{shop.region}:{HUB}:function:listener")
    execution = shop.start(machine, {"RunId": "r-1"}, name="watched-1")

    # When somebody stops a run
    shop.aws("stepfunctions").stop_execution(executionArn=execution, cause="by hand")

    # Then the function hears which one, with its input and the cause
    def heard() -> Any:
        logs = shop.local.backend("logs", HUB, shop.region).groups.get("/aws/lambda/listener")
        lines = [event.message for stream in logs.streams.values() for event in stream.events] if logs else []
        return [line for line in lines if "watched-1" in line]

    event = json.loads(eventually(heard)[0].removeprefix("got "))
    assert event["detail"]["executionArn"] == execution
    assert json.loads(event["detail"]["input"]) == {"RunId": "r-1"}
    assert event["detail"]["cause"] == "by hand"


def test_rule_starts_a_state_machine_with_its_role(shop: Shop) -> None:
    machine = shop.machine("started", {"P": {"Type": "Pass", "End": True}})
    rule(shop, "start", {"source": ["start"]}, Arn=machine, RoleArn=shop.role, InputPath="$.detail")

    put(shop, "start", {"n": 1})

    sfn = shop.aws("stepfunctions")
    (run,) = eventually(lambda: sfn.list_executions(stateMachineArn=machine)["executions"])
    assert shop.finish(run["executionArn"])["value"] == {"n": 1}


def test_target_that_refuses_leaves_the_event_in_its_dead_letter_queue(shop: Shop) -> None:
    url, arn = queue(shop, "dead-letters")
    gone = f"arn:aws:states:{shop.region}:{HUB}:stateMachine:gone"
    rule(shop, "lost", {"source": ["lost"]}, Arn=gone, RoleArn=shop.role, DeadLetterConfig={"Arn": arn})

    reply = put(shop, "lost", {"n": 1})

    assert reply["FailedEntryCount"] == 0
    assert received(shop, url)[0]["detail"] == {"n": 1}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Detail": "no JSON"}, "MalformedDetail"),
        ({"Source": "aws.states"}, "NotAuthorizedForSourceException"),
        ({"DetailType": ""}, "InvalidArgument"),
    ],
)
def test_put_events_bad_entry_fails_alone(shop: Shop, change: dict[str, str], code: str) -> None:
    good = {"Source": "shop", "DetailType": "Order", "Detail": "{}"}

    reply = shop.aws("events").put_events(Entries=[good, {**good, **change}])

    assert reply["FailedEntryCount"] == 1
    assert "EventId" in reply["Entries"][0]
    assert reply["Entries"][1]["ErrorCode"] == code


def test_pattern_matches_as_eventbridge_does() -> None:
    event = {"source": "a", "detail": {"name": "prod-db", "tags": ["x", "y"], "n": 5}}

    assert matches('{"detail": {"name": [{"prefix": "prod-"}], "tags": ["y"]}}', event)
    assert matches('{"detail": {"name": [{"anything-but": "dev-db"}], "gone": [{"exists": false}]}}', event)
    assert not matches('{"detail": {"n": [{"numeric": ["<", 5]}]}}', event)


def test_notification_to_people_lands_in_the_outbox_with_all_a_test_needs(shop: Shop) -> None:
    # Given a topic with a person, a telephone and a function
    sns = shop.aws("sns")
    topic = sns.create_topic(Name="approvals")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="oncall@example.com")
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"arn:aws:lambda:{shop.region}:{HUB}:function:listener")
    shop.local.service("sns").reset()

    # When something is published
    severity = {"severity": {"DataType": "String", "StringValue": "high"}}
    sns.publish(TopicArn=topic, Subject="Approve?", Message="dr approve r-1", MessageAttributes=severity)

    # Then the outbox has it for both, and the publish is on record
    messages = page(shop, "outbox")["messages"]
    assert {(m["protocol"], m["endpoint"]) for m in messages} == {
        ("email", "oncall@example.com"),
        ("sms", "+15550100"),
    }
    first = messages[0]
    assert (first["subject"], first["message"], first["topic"]) == ("Approve?", "dr approve r-1", topic)
    assert (first["account"], first["region"]) == (HUB, shop.region)
    assert first["attributes"]["severity"]["Value"] == "high"
    assert len(page(shop, "publishes")["messages"]) == 1


def test_notification_filtered_by_its_subscription_is_not_in_the_outbox(shop: Shop) -> None:
    sns = shop.aws("sns")
    topic = sns.create_topic(Name="filtered")["TopicArn"]
    wanted = {"FilterPolicy": json.dumps({"severity": ["high"]})}
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com", Attributes=wanted)
    shop.local.service("sns").reset()

    sns.publish(
        TopicArn=topic, Message="low", MessageAttributes={"severity": {"DataType": "String", "StringValue": "low"}}
    )

    assert page(shop, "outbox")["messages"] == []


def schedule(shop: Shop, name: str, arn: str, expression: str = "rate(1 hour)") -> None:
    shop.aws("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": shop.role, "Input": json.dumps({"from": name})},
    )


def test_schedule_fires_by_hand_and_unknown_names_are_told(shop: Shop) -> None:
    url, arn = queue(shop, "ticks")
    schedule(shop, "refresh", arn)

    assert page(shop, "schedules/fire", "POST", name="refresh") == {"fired": [f"{HUB}/{shop.region}"]}

    assert eventually(lambda: received(shop, url)) == [{"from": "refresh"}]
    with pytest.raises(admin.AdminError, match="there are:.*refresh"):
        page(shop, "schedules/fire", "POST", name="refrsh")


def test_put_events_to_a_missing_bus_is_refused(shop: Shop) -> None:
    entry = {"Source": "shop", "DetailType": "Order", "Detail": "{}", "EventBusName": "gone"}

    with pytest.raises(ClientError) as refused:
        shop.aws("events").put_events(Entries=[entry])

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
