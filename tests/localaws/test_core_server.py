"""The same embedded AWS over a socket and without one."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.server import Server
from localaws.service import Call, ConnectionLost

HUB = "111111111111"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(LocalAws({HUB: "hub"}, clock=ScaledClock(speed=1000))) as running:
        yield running


def over_socket(server: Server) -> boto3.Session:
    return boto3.Session(aws_access_key_id=f"LOCALADMIN{HUB}", aws_secret_access_key="local", region_name="us-east-1")


def test_what_is_made_over_the_socket_is_seen_in_process_and_the_other_way_round(server: Server) -> None:
    # Given one client on a socket and one in this process
    outside = over_socket(server).client("s3", endpoint_url=server.endpoint_url)
    inside = server.local.session(HUB, "us-east-1").client("s3")

    # When each writes what the other reads
    outside.create_bucket(Bucket="both-ways")
    inside.put_object(Bucket="both-ways", Key="a b/ü", Body=b"\x00\xff binary", Metadata={"under_score": "kept"})

    # Then they agree to the byte
    answer = outside.get_object(Bucket="both-ways", Key="a b/ü")
    assert answer["Body"].read() == b"\x00\xff binary"
    assert answer["Metadata"] == {"under_score": "kept"}
    assert inside.head_object(Bucket="both-ways", Key="a b/ü")["ContentLength"] == len(b"\x00\xff binary")


def test_bucket_in_the_host_name_and_presigned_addresses_work(server: Server) -> None:
    # Given an object
    client = over_socket(server).client("s3", endpoint_url=server.endpoint_url)
    client.create_bucket(Bucket="virtual-host")
    client.put_object(Bucket="virtual-host", Key="key", Body=b"value")

    # When it is fetched as JavaScript SDKs write addresses, and by a presigned address
    address = client.generate_presigned_url("get_object", Params={"Bucket": "virtual-host", "Key": "key"})
    signed = address.split("?", 1)[1]
    request = urllib.request.Request(f"{server.endpoint_url}/key?{signed}")
    request.add_header("Host", f"virtual-host.localhost:{server.port}")

    # Then both give the object
    assert urllib.request.urlopen(address).read() == b"value"
    assert urllib.request.urlopen(request).read() == b"value"


def test_large_upload_in_parts_arrives_whole(server: Server) -> None:
    # Given 12 MB that an SDK sends in parts
    client = over_socket(server).client("s3", endpoint_url=server.endpoint_url)
    client.create_bucket(Bucket="large-upload")
    content = bytes(range(256)) * 4096 * 12

    # When it is uploaded
    upload = client.create_multipart_upload(Bucket="large-upload", Key="zip")["UploadId"]
    half = len(content) // 2
    parts = []
    for number, piece in enumerate((content[:half], content[half:]), start=1):
        sent = client.upload_part(Bucket="large-upload", Key="zip", UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    client.complete_multipart_upload(
        Bucket="large-upload", Key="zip", UploadId=upload, MultipartUpload={"Parts": parts}
    )

    # Then it is all there
    assert client.get_object(Bucket="large-upload", Key="zip")["Body"].read() == content


def test_administration_pages_show_health_calls_and_set_the_clock(server: Server) -> None:
    # Given a call made a moment ago
    over_socket(server).client("sqs", endpoint_url=server.endpoint_url).list_queues()

    # When an operator looks and changes the speed
    health = ask(server, "health")
    calls = ask(server, "calls?since=0")
    changed = ask(server, "clock", {"speed": 2000})

    # Then everything is answered
    assert health["status"] == "ok"
    assert calls["calls"][-1]["operation"] == "ListQueues"
    assert calls["next"] == len(calls["calls"])
    assert changed["speed"] == 2000
    assert server.local.clock.speed == 2000


def test_effects_happen_although_nobody_asks(server: Server) -> None:
    # Given a change that takes 20 AWS seconds at 1000 times speed
    done: list[str] = []
    server.local.transition("test.change", "thing", 20, lambda: done.append("changed"))

    # When no request comes in for a while
    deadline = time.monotonic() + 3
    while not done and time.monotonic() < deadline:
        urllib.request.urlopen(f"{server.endpoint_url}/_localaws/health").read()

    # Then it happened all the same
    assert done == ["changed"]


def test_connection_cut_by_a_fault_is_felt_on_the_socket_and_leaves_no_trace(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a Region that goes dark
    once = Config(retries={"total_max_attempts": 1})
    client = over_socket(server).client("sqs", endpoint_url=server.endpoint_url, config=once)

    def dark(_call: Call) -> None:
        raise ConnectionLost

    # When it is called, and called again after the light is back
    server.local.before.append(dark)
    with pytest.raises(ConnectionClosedError):
        client.list_queues()
    server.local.before.remove(dark)

    # Then the client got no answer, later calls do, and the server printed no stack trace
    assert client.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "Traceback" not in capfd.readouterr().err


def ask(server: Server, page: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{server.endpoint_url}/_localaws/{page}", data=data)
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
