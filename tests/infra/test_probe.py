"""The function in a workload's VPC: what it sees decides whether a resource counts as reachable."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from adapters.fsx.permissions import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH
from adapters.opensearch.spec import OPENSEARCH_CHANGE, OPENSEARCH_READ
from infra import probe
from orchestrator import names
from orchestrator.contract import Check, Endpoint
from orchestrator.probes import probe_from_vpc
from orchestrator.words import CheckState
from tests.support.driver import APPS, TARGET, World, open_world
from tests.unit.scripted_platform import a_run

SERVICE = {"kind": "ecs-service", "name": "orders-api"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A database that lets clients in."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def deploy(world: World) -> None:
    """Put the function into the workload's VPC as its owner does, with the host's Python."""
    ec2 = world.aws("ec2", TARGET)
    subnet = ec2.describe_subnets()["Subnets"][0]
    (group, *_) = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])[
        "SecurityGroups"
    ]
    wanted = {"SubnetIds": subnet["SubnetId"], "SecurityGroupIds": group["GroupId"]}
    world.aws("cloudformation", TARGET).create_stack(
        StackName="dr-probe",
        TemplateBody=probe.current(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def connect(world: World, *endpoints: Endpoint) -> list[Check]:
    return probe_from_vpc(world.hub())(a_run(), APPS, TARGET, endpoints)


def test_template_checked_in_is_made_from_the_function() -> None:
    assert probe.PATH.read_text() == probe.current(), "Try: python -m infra.probe"
    assert len(probe.current().encode()) <= probe.TEMPLATE_LIMIT


def test_functions_are_called_as_the_hub_and_the_adapter_call_them() -> None:
    assert (names.ONTAP_READ, names.ONTAP_DRILL, names.ONTAP_SWITCH) == (ONTAP_READ, ONTAP_DRILL, ONTAP_SWITCH)
    made = json.loads(probe.PATH.read_text())["Resources"]
    functions = {
        r["Properties"]["FunctionName"]: r["Properties"] for r in made.values() if "FunctionName" in r["Properties"]
    }
    carriers = {names.OPENSEARCH_READ, names.OPENSEARCH_CHANGE}
    assert set(functions) == {names.PROBE, ONTAP_READ, ONTAP_DRILL, ONTAP_SWITCH, *carriers}
    assert carriers == {OPENSEARCH_READ, OPENSEARCH_CHANGE}
    assert all(len(each["Description"]) <= 256 for each in functions.values()), "what Lambda takes"


def test_function_too_long_to_be_inline_is_refused() -> None:
    with pytest.raises(ValueError, match="shorten it"):
        probe.template("#" * 5000, "", "")


def test_what_accepts_connections_is_healthy_and_what_does_not_is_named(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    # Given the probe in the workload's account, a database that listens, one that does not, and a name nobody has
    world = open_world(monkeypatch, SERVICE)
    deploy(world)
    port, deaf = int(listener.getsockname()[1]), closed_port()
    # When the hub asks as it does in health checks
    open_, shut, nameless = connect(
        world,
        Endpoint("rds/orders", "127.0.0.1", port),
        Endpoint("rds/ledger", "127.0.0.1", deaf),
        Endpoint("rds/gone", "orders.invalid", 5432),
    )
    # Then each is judged by itself, in words that say what was seen
    assert (open_.resource_id, open_.state) == ("rds/orders", CheckState.HEALTHY)
    assert "connected within" in open_.detail
    assert (shut.resource_id, shut.state) == ("rds/ledger", CheckState.SETTLING)
    assert f"127.0.0.1:{deaf}" in shut.detail
    assert "refused" in shut.detail
    assert nameless.state is CheckState.SETTLING
    assert "does not resolve" in nameless.detail
    # And it came in through the probe's own role, which may do nothing else
    (asked,) = [call for call in world.calls() if call.operation == "Invoke"]
    assert "assumed-role/dr-spoke-probe/" in asked.principal_arn
    assert world.refusals() == []


def test_account_without_the_function_says_that_nobody_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    (check,) = connect(world, Endpoint("rds/orders", "127.0.0.1", 5432))
    assert check.state is CheckState.HEALTHY
    assert f"not looked at: there is no function dr-probe in {APPS}/{TARGET}" in check.detail


def test_probe_that_cannot_be_asked_is_not_taken_for_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    world.fault(effect="error", service="sts", operation="AssumeRole", code="AccessDenied", status=403)
    (check,) = connect(world, Endpoint("rds/orders", "127.0.0.1", 5432))
    assert check.state is CheckState.UNHEALTHY
    assert "dr-spoke-probe" in check.detail
