"""Requests and errors pass the wire of every protocol as an SDK expects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.service import AwsError, Call, ConnectionLost, Service

HUB, SPOKE = "111111111111", "222222222222"
EAST, WEST = "us-east-1", "us-west-2"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> Iterator[LocalAws]:
    yield LocalAws({HUB: "hub", SPOKE: "spoke"}, clock=ManualClock(MOMENT))


@pytest.fixture
def local(world: LocalAws) -> Iterator[LocalAws]:
    before, after = list(world.before), list(world.after)
    yield world
    world.before[:], world.after[:] = before, after
    world.reset()


def error_code(work: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        work()
    return str(caught.value.response["Error"]["Code"])


ROUND_TRIPS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    # service, operation, parameters as the client gives them, reply (protocols: query, ec2, json, rest-json, rest-xml)
    (
        "sns",
        "Publish",
        {"TopicArn": "arn:aws:sns:us-east-1:111111111111:t", "Message": "<&> ü", "Subject": "s"},
        {"MessageId": "m-1"},
    ),
    (
        "ec2",
        "DescribeInstances",
        {"InstanceIds": ["i-1", "i-2"], "Filters": [{"Name": "tag:a", "Values": ["b", "c"]}]},
        {"Reservations": [{"ReservationId": "r-1", "Instances": [{"InstanceId": "i-1", "LaunchTime": MOMENT}]}]},
    ),
    (
        "drs",
        "StartRecovery",
        {
            "isDrill": True,
            "sourceServers": [{"sourceServerID": "s-12345678901234567", "recoverySnapshotID": "pit-12345678901234567"}],
        },
        {"job": {"jobID": "drsjob-12345678901234567", "arn": "arn:x", "status": "PENDING"}},
    ),
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:m", "name": "n", "input": '{"a": 1}'},
        {"executionArn": "arn:e", "startDate": MOMENT},
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "InvocationType": "RequestResponse", "Payload": b'{"a": 1}'},
        {"StatusCode": 200, "Payload": b'{"b": 2}', "ExecutedVersion": "7"},
    ),
    (
        "route53",
        "ChangeResourceRecordSets",
        {
            "HostedZoneId": "Z1",
            "ChangeBatch": {
                "Changes": [
                    {
                        "Action": "UPSERT",
                        "ResourceRecordSet": {
                            "Name": "a.example.com",
                            "Type": "A",
                            "TTL": 60,
                            "ResourceRecords": [{"Value": "192.0.2.1"}],
                        },
                    }
                ]
            },
        },
        {"ChangeInfo": {"Id": "/change/C1", "Status": "PENDING", "SubmittedAt": MOMENT}},
    ),
    (
        "s3",
        "PutBucketVersioning",
        {"Bucket": "some-bucket", "VersioningConfiguration": {"Status": "Enabled"}},
        {},
    ),
]


@pytest.mark.parametrize(("service", "name", "params", "reply"), ROUND_TRIPS, ids=[case[1] for case in ROUND_TRIPS])
def test_call_of_any_protocol_arrives_as_given_and_its_reply_returns_as_given(
    local: LocalAws, service: str, name: str, params: dict[str, Any], reply: dict[str, Any]
) -> None:
    # Given a handler of ours that remembers what it was called with
    seen: list[Call] = []

    def handler(call: Call) -> Mapping[str, Any]:
        seen.append(call)
        return reply

    with answering(local, service, name, handler):
        # When an unmodified client calls it
        client = local.session(HUB, WEST).client(service)
        answer = getattr(client, snake(name))(**params)

    # Then parameters, Region and account arrived, and the answer is what the handler gave
    call = seen[0]
    assert call.service == service
    assert call.operation == name
    assert (call.account, call.region) == (HUB, EAST if service == "route53" else WEST)
    assert {key: call.params[key] for key in params} == params
    for key, value in reply.items():
        returned = answer[key].read() if hasattr(answer[key], "read") else answer[key]
        assert returned == value


@pytest.mark.parametrize(
    ("service", "name", "params", "code"),
    [
        (
            "sts",
            "AssumeRole",
            {"RoleArn": "arn:aws:iam::111111111111:role/r", "RoleSessionName": "abc"},
            "AccessDenied",
        ),
        ("rds", "DescribeDBInstances", {}, "DBInstanceNotFound"),
        ("ec2", "DescribeInstances", {}, "InvalidInstanceID.NotFound"),
        ("drs", "DescribeJobs", {}, "UninitializedAccountException"),
        ("lambda", "GetFunction", {"FunctionName": "f"}, "ResourceNotFoundException"),
        ("dynamodb", "DescribeTable", {"TableName": "ttt"}, "ResourceNotFoundException"),
        ("route53", "GetHostedZone", {"Id": "Z1"}, "NoSuchHostedZone"),
        ("s3", "GetBucketPolicy", {"Bucket": "bbb"}, "NoSuchBucketPolicy"),
        ("rds", "ModifyDBInstance", {"DBInstanceIdentifier": "x"}, "CodeOutsideTheModel"),
    ],
)
def test_error_of_any_protocol_shows_its_code_and_message_to_boto3(
    local: LocalAws, service: str, name: str, params: dict[str, Any], code: str
) -> None:
    # Given a handler that refuses
    def handler(_call: Call) -> Mapping[str, Any]:
        raise AwsError(code, "because of <this> & that", 409)

    with answering(local, service, name, handler), pytest.raises(ClientError) as caught:
        # When a client calls
        getattr(local.session(HUB, EAST).client(service), snake(name))(**params)

    # Then it sees code, message and HTTP status
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"] == "because of <this> & that"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_error_with_modelled_members_carries_them_to_the_client(local: LocalAws) -> None:
    # Given a refusal that says which condition failed
    def handler(_call: Call) -> Mapping[str, Any]:
        raise AwsError("TransactionCanceledException", "no", CancellationReasons=[{"Code": "ConditionalCheckFailed"}])

    put = {"Put": {"TableName": "ttt", "Item": {"k": {"S": "v"}}}}
    with answering(local, "dynamodb", "TransactWriteItems", handler), pytest.raises(ClientError) as caught:
        # When a client is refused
        local.session(HUB, EAST).client("dynamodb").transact_write_items(TransactItems=[put])

    # Then it can read the reasons
    assert caught.value.response["CancellationReasons"] == [{"Code": "ConditionalCheckFailed"}]


def test_operation_that_nobody_serves_is_refused_by_name_and_logged(local: LocalAws) -> None:
    # Given a service that neither we nor moto know
    client = local.session(HUB, EAST).client("translate")

    # When it is called
    with pytest.raises(ClientError) as caught:
        client.list_languages()

    # Then the answer names it, and the call log has the refusal
    assert caught.value.response["Error"]["Code"] == "NotServedByLocalAws"
    assert "translate.ListLanguages" in caught.value.response["Error"]["Message"]
    assert local.call_log[-1].error == "NotServedByLocalAws"


def test_accounts_do_not_see_each_others_resources(local: LocalAws) -> None:
    # Given a queue in the hub account
    local.session(HUB, EAST).client("sqs").create_queue(QueueName="mine")

    # When both accounts list their queues
    hub = local.session(HUB, EAST).client("sqs").list_queues()
    spoke = local.session(SPOKE, EAST).client("sqs").list_queues()

    # Then only the hub has it
    assert len(hub["QueueUrls"]) == 1
    assert "QueueUrls" not in spoke


def test_access_key_of_nobody_is_refused_with_the_keys_to_use(local: LocalAws) -> None:
    # Given credentials that no account gave out
    session = local.session(HUB, EAST)
    client = session.client("sqs", aws_access_key_id="AKIASOMEBODYELSE0000", aws_secret_access_key="x")

    # When they are used
    with pytest.raises(ClientError) as caught:
        client.list_queues()

    # Then AWS's code comes back, and the message helps
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert f"LOCALADMIN{HUB}" in caught.value.response["Error"]["Message"]


def test_hook_before_a_call_can_refuse_it_and_cut_its_connection(local: LocalAws) -> None:
    # Given a Region that throttles, then goes dark, and a client that does not try again
    once = Config(retries={"total_max_attempts": 1})
    client = local.session(HUB, EAST).client("sqs", config=once)

    def throttle(_call: Call) -> None:
        raise AwsError("ThrottlingException", "slow down")

    def dark(_call: Call) -> None:
        raise ConnectionLost

    # When calls are made, then the first fault and later the second is felt
    local.before.append(throttle)
    assert error_code(client.list_queues) == "ThrottlingException"
    local.before[-1] = dark
    with pytest.raises(ConnectionClosedError):
        client.list_queues()


def test_hook_after_a_call_can_lose_the_answer_of_a_change_that_happened(local: LocalAws) -> None:
    # Given an answer that gets lost, and a client that does not try again
    client = local.session(HUB, EAST).client("sqs", config=Config(retries={"total_max_attempts": 1}))

    def lose(call: Call, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        if call.operation == "CreateQueue":
            raise AwsError("ServiceUnavailable", "lost", 503)
        return reply

    local.after.append(lose)

    # When the caller creates a queue, then it sees a failure although the queue is there
    assert error_code(lambda: client.create_queue(QueueName="twice")) == "ServiceUnavailable"
    assert len(client.list_queues()["QueueUrls"]) == 1


def test_call_log_tells_reads_from_changes_and_hides_long_bodies(local: LocalAws) -> None:
    # Given a bucket and an object in it
    client = local.session(HUB, EAST).client("s3")
    client.create_bucket(Bucket="logged-bucket")
    client.put_object(Bucket="logged-bucket", Key="k", Body=b"x" * 1000)
    client.list_objects_v2(Bucket="logged-bucket")

    # When the log is read
    lines = local.call_log[-3:]

    # Then it says who did what, without the body
    assert [(line.operation, line.mutating) for line in lines] == [
        ("CreateBucket", True),
        ("PutObject", True),
        ("ListObjectsV2", False),
    ]
    assert lines[1].params["Body"] == "<1000 bytes>"
    assert lines[1].account == HUB


def test_call_log_takes_the_invocation_of_a_function_for_a_change_whatever_the_function_is_called(
    local: LocalAws,
) -> None:
    client = local.session(HUB, EAST).client("lambda")

    assert error_code(lambda: client.invoke(FunctionName="dr-anything")) == "ResourceNotFoundException"

    assert [(line.operation, line.mutating) for line in local.call_log[-1:]] == [("Invoke", True)]


class answering:  # noqa: N801 - reads as a verb: `with answering(...)`
    """Let a handler answer one operation for a while."""

    def __init__(self, local: LocalAws, service: str, name: str, handler: Callable[[Call], Mapping[str, Any]]) -> None:
        self.local, self.service, self.name, self.handler = local, service, name, handler

    def __enter__(self) -> None:
        if not self.local.has_service(self.service):
            plain = Service(self.local)
            plain.name = self.service  # type: ignore[misc]
            self.local._services[self.service] = plain
        operations = self.local.service(self.service).operations
        self.before = operations.get(self.name)
        operations[self.name] = self.handler

    def __exit__(self, *_: object) -> None:
        operations = self.local.service(self.service).operations
        if self.before is None:
            del operations[self.name]
        else:
            operations[self.name] = self.before


def snake(name: str) -> str:
    from botocore import xform_name

    return str(xform_name(name))
