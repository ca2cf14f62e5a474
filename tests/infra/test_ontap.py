"""The functions that ask ONTAP, run as Lambda runs them: over TLS, with a pinned certificate, and only what each may ask."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from localaws import tls
from localaws.lambda_runtime.pool import WorkerPools
from localaws.services.lambda_ import LambdaService
from orchestrator.errors import ConflictError, RefusedError, UnreachableError, UpstreamError
from orchestrator.names import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH
from orchestrator.ontap_functions import OntapClient
from tests.support import ontap, vpc_functions
from tests.support.driver import APPS, SOURCE, TARGET, World, open_world

ESTATE = {"kind": "fsx-ontap", "name": "files"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Two file systems that follow each other, and the functions beside both."""
    return open_world(monkeypatch, ESTATE)


def client(world: World) -> OntapClient:
    return OntapClient(world.aws("lambda", TARGET), TARGET)


def asked(world: World, **more: str) -> dict[str, Any]:
    (found,) = world.aws("fsx", TARGET).describe_file_systems()["FileSystems"]
    where = found["OntapConfiguration"]["Endpoints"]["Management"]["DNSName"]
    return {"Endpoint": where, "Secret": "files-fsxadmin", **more}


def test_reads_over_tls_from_a_process_of_its_own_and_trusts_one_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given functions that really run: processes of their own, which reach the embedded AWS by its port alone
    world = open_world(monkeypatch, {"kind": "ecs-service", "name": "orders"})
    service = world.local.service("lambda")
    assert isinstance(service, LambdaService)
    assert isinstance(service.pools, WorkerPools)
    service._endpoint_url()
    monkeypatch.setitem(service.operations, "Invoke", service.invoke)
    world.estate = type(world.estate).model_validate(
        {**world.estate.model_dump(), "resources": [{**ESTATE, "account": "apps", "tags": {}}]}
    )
    from localaws.estate import add

    add(world.local, world.estate, "test")
    vpc_functions.deploy(world.local, APPS, TARGET)

    # When the hub asks
    told = client(world).describe_mirrors(**asked(world))

    # Then it hears what ONTAP says
    (relationship,) = told["relationships"]
    assert relationship["state"] == "snapmirrored"
    # And with another certificate in the secret nothing is sent at all
    secrets = world.aws("secretsmanager", TARGET)
    kept = json.loads(secrets.get_secret_value(SecretId="files-fsxadmin")["SecretString"])
    other = tls._certificate(tls.ec.generate_private_key(tls.ec.SECP256R1()))
    pem = other.public_bytes(tls.serialization.Encoding.PEM).decode()
    secrets.put_secret_value(SecretId="files-fsxadmin", SecretString=json.dumps({**kept, "certificate": pem}))
    asked_before = [call for call in world.local.call_log if call.operation == "GetOntap"]
    with pytest.raises(UpstreamError, match="another certificate"):
        client(world).describe_mirrors(**asked(world))
    assert [call for call in world.local.call_log if call.operation == "GetOntap"] == asked_before
    # And an authority may stand for it
    secrets.put_secret_value(
        SecretId="files-fsxadmin", SecretString=json.dumps({"password": kept["password"], "ca": tls.certificate()})
    )
    assert client(world).describe_mirrors(**asked(world))["relationships"]


def test_each_function_takes_only_its_own_requests(world: World) -> None:
    functions = world.aws("lambda", TARGET)
    for name, request in ((ONTAP_READ, "BreakMirror"), (ONTAP_DRILL, "BreakMirror"), (ONTAP_SWITCH, "DeleteClone")):
        event = {"Request": request, **asked(world), "Mirror": ontap.mirror(world, TARGET).uuid}
        answer = json.loads(functions.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())
        assert answer["Refusal"]["Code"] == "Denied"
        assert request in answer["Refusal"]["Message"]


def test_password_is_sent_to_management_endpoints_only(world: World) -> None:
    where = f"evil.{TARGET}.example.com"
    with pytest.raises(UpstreamError, match="is not a management endpoint"):
        client(world).describe_mirrors(Endpoint=where, Secret="files-fsxadmin")
    with pytest.raises(RefusedError, match="does not lie in us-west-2"):
        client(world).describe_mirrors(Endpoint="management.fs-0.fsx.us-east-1.amazonaws.com", Secret="x")


def test_secret_that_the_function_may_not_read_is_said_with_what_to_do(world: World) -> None:
    world.aws("secretsmanager", TARGET).create_secret(Name="someone-elses", SecretString="{}")
    with pytest.raises(UpstreamError, match="the secret someone-elses cannot be read") as refused:
        client(world).describe_mirrors(**asked(world, Secret="someone-elses"))
    assert "OntapSecretArns" in refused.value.remedy


def test_relationship_in_another_state_than_expected_is_left_alone(world: World) -> None:
    mirror = ontap.mirror(world, TARGET)
    for request in ("break_mirror", "resync_mirror", "resume_mirror", "initialize_mirror"):
        with pytest.raises(ConflictError, match="is snapmirrored, expected"):
            getattr(client(world), request)(**asked(world, Mirror=mirror.uuid))
    assert mirror.state == "snapmirrored"
    with pytest.raises(UpstreamError, match="is no name or id of ONTAP"):
        client(world).pause_mirror(**asked(world, Mirror="../../cluster"))
    with pytest.raises(UpstreamError, match="There is no relationship"):
        client(world).pause_mirror(**asked(world, Mirror="0" * 8 + "-0000-0000-0000-" + "0" * 12))


def test_drill_function_deletes_nothing_but_copies_of_that_drill(world: World) -> None:
    data = ontap.ontap_volume(world, TARGET, "data")
    for request in ("unmount_clone", "delete_clone"):
        with pytest.raises(UpstreamError, match="is no copy of this drill"):
            getattr(client(world), request)(**asked(world, Volume=data["uuid"], Comment="dr:drill-id=mine"))
    with pytest.raises(UpstreamError, match="a drill's copy is named"):
        client(world).create_clone(
            **asked(world, Name="data2", Comment="mine", Parent="data", Snapshot="s", Svm="files")
        )


def test_file_system_that_does_not_answer_is_unreachable(world: World) -> None:
    where = asked(world)
    lambda_ = client(world)
    lambda_.describe_mirrors(**where)
    world.fault(effect="lost-answer", service="fsx", operation="GetOntap")
    with pytest.raises(UnreachableError, match="does not answer"):
        lambda_.describe_mirrors(**where)


def test_function_that_breaks_may_have_done_its_work() -> None:
    class Broken:
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "Task timed out"}')}

    where = f"management.fs-0.fsx.{SOURCE}.amazonaws.com"
    with pytest.raises(UnreachableError, match="Task timed out"):
        OntapClient(Broken(), SOURCE).break_mirror(Endpoint=where, Secret="s", Mirror="m")
    with pytest.raises(AttributeError):
        OntapClient(Broken(), SOURCE).delete_everything  # noqa: B018
    assert not OntapClient(Broken(), SOURCE).can_paginate("describe_mirrors")
