"""Lambda's control plane in the embedded AWS: gates, aliases, provisioned concurrency, mappings, updates."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.seeds.lambda_function import archive
from localaws.services.resource_explorer_2.collect import collect
from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Client, Workbench, open_workbench, refused

NAME = "orders"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/orders-function"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


@pytest.fixture
def functions(bench: Workbench) -> Client:
    """The target side's Lambda, with a gated function."""
    bench.seed("lambda-function")
    return bench.client("lambda", TARGET)


def mapping(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"][0]
    return found


def test_a_gated_function_shows_zero_and_the_account_keeps_a_hundred_unreserved(
    bench: Workbench, functions: Client
) -> None:
    assert functions.get_function(FunctionName=NAME)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=900)
    limit = functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (1000, 100)
    with refused("InvalidParameterValueException"):
        functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=901)
    functions.delete_function_concurrency(FunctionName=NAME)
    assert "Concurrency" not in functions.get_function(FunctionName=NAME)
    assert "Concurrency" not in bench.client("lambda", SOURCE).get_function(FunctionName=NAME)


def test_provisioned_concurrency_is_ready_after_minutes_or_fails(bench: Workbench, functions: Client) -> None:
    where = {"FunctionName": NAME, "Qualifier": "live"}
    with refused("InvalidParameterValueException"):
        functions.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=5)
    functions.delete_function_concurrency(FunctionName=NAME)
    with refused("ProvisionedConcurrencyConfigNotFoundException"):
        functions.get_provisioned_concurrency_config(**where)
    with refused("ResourceNotFoundException"):
        functions.get_provisioned_concurrency_config(FunctionName=NAME, Qualifier="unknown")

    functions.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=5)

    def status() -> str:
        return str(functions.get_provisioned_concurrency_config(**where)["Status"])

    assert bench.watch(status, minutes=3) == ["IN_PROGRESS", "READY"]
    listed = functions.list_provisioned_concurrency_configs(FunctionName=NAME)["ProvisionedConcurrencyConfigs"]
    assert [one["AvailableProvisionedConcurrentExecutions"] for one in listed] == [5]
    with refused("InvalidParameterValueException"):
        functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=4)
    functions.delete_provisioned_concurrency_config(**where)

    bench.make("fail", "lambda.provisioned-concurrency")
    functions.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=5)
    bench.wait(3)
    failed = functions.get_provisioned_concurrency_config(**where)
    assert (failed["Status"], failed["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_an_alias_moves_only_for_who_knows_its_revision(bench: Workbench, functions: Client) -> None:
    revision = functions.get_alias(FunctionName=NAME, Name="live")["RevisionId"]
    functions.update_function_code(FunctionName=NAME, ZipFile=archive("3"))
    bench.wait(0.2)
    version = functions.publish_version(FunctionName=NAME)["Version"]
    move = {"FunctionName": NAME, "Name": "live", "FunctionVersion": version}

    moved = functions.update_alias(**move, RevisionId=revision)
    assert (moved["FunctionVersion"], moved["RevisionId"] != revision) == (version, True)
    assert functions.get_alias(FunctionName=NAME, Name="live")["RevisionId"] == moved["RevisionId"]
    with refused("PreconditionFailedException"):
        functions.update_alias(**move, RevisionId=revision)
    with refused("ResourceConflictException"):
        functions.delete_function(FunctionName=NAME, Qualifier=version)
    functions.delete_function(FunctionName=NAME, Qualifier="1")
    assert functions.publish_version(FunctionName=NAME)["Version"] == version


def test_an_update_is_in_progress_for_a_moment_and_guarded_by_its_revision(bench: Workbench, functions: Client) -> None:
    before = functions.get_function_configuration(FunctionName=NAME)
    updated = functions.update_function_code(FunctionName=NAME, ZipFile=archive("3"), RevisionId=before["RevisionId"])
    assert updated["LastUpdateStatus"] == "InProgress"
    with refused("ResourceConflictException"):
        functions.update_function_configuration(FunctionName=NAME, MemorySize=512)
    bench.wait(0.2)
    now = functions.get_function_configuration(FunctionName=NAME)
    assert (now["LastUpdateStatus"], now["CodeSha256"] != before["CodeSha256"]) == ("Successful", True)
    with refused("PreconditionFailedException"):
        functions.update_function_code(FunctionName=NAME, ZipFile=archive("4"), RevisionId=before["RevisionId"])
    with refused("InvalidParameterValueException"):
        functions.publish_version(FunctionName=NAME, CodeSha256=before["CodeSha256"])

    bench.make("fail", "lambda.update-function")
    functions.update_function_configuration(FunctionName=NAME, MemorySize=512)
    bench.wait(0.2)
    assert functions.get_function_configuration(FunctionName=NAME)["LastUpdateStatus"] == "Failed"


def test_a_new_function_in_a_vpc_is_pending_and_cannot_be_invoked_yet(bench: Workbench, functions: Client) -> None:
    made = functions.create_function(
        FunctionName="new",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": archive("1")},
        VpcConfig={"SubnetIds": bench.subnets(TARGET)[:1], "SecurityGroupIds": []},
    )
    assert made["State"] == "Pending"
    with refused("ResourceConflictException"):
        functions.invoke(FunctionName="new", InvocationType="DryRun")

    def state() -> str:
        return str(functions.get_function(FunctionName="new")["Configuration"]["State"])

    assert bench.watch(state, minutes=2) == ["Pending", "Active"]


def test_mappings_change_over_time_and_one_change_at_a_time(bench: Workbench, functions: Client) -> None:
    wanted = mapping(functions)
    assert (wanted["State"], mapping(bench.client("lambda", SOURCE))["State"]) == ("Disabled", "Enabled")
    assert functions.update_event_source_mapping(UUID=wanted["UUID"], Enabled=True)["State"] == "Enabling"
    with refused("ResourceInUseException"):
        functions.update_event_source_mapping(UUID=wanted["UUID"], Enabled=False)
    states = bench.watch(lambda: functions.get_event_source_mapping(UUID=wanted["UUID"])["State"], minutes=0.5)
    assert states == ["Enabling", "Enabled"]
    functions.update_event_source_mapping(UUID=wanted["UUID"], Enabled=False)
    states = bench.watch(lambda: mapping(functions)["State"], minutes=0.5)
    assert states == ["Disabling", "Disabled"]

    arn = f"arn:aws:lambda:{TARGET}:{ACCOUNT}:function:{NAME}"
    assert len(functions.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]) == 1
    assert functions.list_event_source_mappings(FunctionName="other")["EventSourceMappings"] == []
    functions.delete_event_source_mapping(UUID=wanted["UUID"])
    bench.wait(0.5)
    with refused("ResourceNotFoundException"):
        functions.get_event_source_mapping(UUID=wanted["UUID"])


def test_search_finds_the_function_on_both_sides_with_its_tags(bench: Workbench, functions: Client) -> None:
    for region in (SOURCE, TARGET):
        found = [r for r in collect(bench.local, ACCOUNT, region) if r.type == "lambda:function"]
        assert [(r.arn.rpartition(":")[2], r.tags["Customer"]) for r in found] == [(NAME, "CustomerX")]


def test_both_sides_run_the_same_code_unless_the_target_is_outdated(bench: Workbench) -> None:
    def shas() -> set[str]:
        clients = [bench.client("lambda", region) for region in (SOURCE, TARGET)]
        return {c.get_function(FunctionName=NAME, Qualifier="live")["Configuration"]["CodeSha256"] for c in clients}

    bench.seed("lambda-function")
    assert len(shas()) == 1
    bench.local.reset()
    bench.seed("lambda-function", outdated=True)
    assert len(shas()) == 2


def test_a_version_number_is_never_given_twice(bench: Workbench, functions: Client) -> None:
    for code in ("3", "4"):
        functions.update_function_code(FunctionName=NAME, ZipFile=archive(code))
        bench.wait(0.2)
        functions.publish_version(FunctionName=NAME)
    functions.delete_function(FunctionName=NAME, Qualifier="2")
    functions.delete_function(FunctionName=NAME, Qualifier="3")
    assert functions.publish_version(FunctionName=NAME)["Version"] == "1", "nothing changed since the newest one left"
    functions.update_function_code(FunctionName=NAME, ZipFile=archive("5"))
    bench.wait(0.2)
    made = functions.publish_version(FunctionName=NAME)
    assert made["Version"] == "4"
    shown = functions.get_function(FunctionName=NAME, Qualifier="4")["Configuration"]
    assert shown["CodeSha256"] == made["CodeSha256"]
    listed = functions.list_versions_by_function(FunctionName=NAME)["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "4"]


def test_provisioned_concurrency_goes_with_its_function(bench: Workbench, functions: Client) -> None:
    functions.delete_function_concurrency(FunctionName=NAME)
    where = {"FunctionName": NAME, "Qualifier": "live"}
    functions.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=5)
    functions.delete_function(FunctionName=NAME)
    functions.create_function(
        FunctionName=NAME, Runtime="python3.11", Role=ROLE, Handler="app.handler", Code={"ZipFile": archive("1")}
    )
    listed = functions.list_provisioned_concurrency_configs(FunctionName=NAME)
    assert listed["ProvisionedConcurrencyConfigs"] == []
