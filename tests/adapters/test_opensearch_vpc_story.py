"""Domains inside a VPC: functions there carry what the run has signed, and everything else is as outside of one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.world import LoggedCall
from orchestrator.words import CheckState, Operation, Outcome, Phase
from tests.adapters.opensearch_estate import Estate, open_estate
from tests.support import vpc_functions
from tests.support.driver import APPS, SOURCE, TARGET, Journey

READ, CHANGE = "dr-opensearch-read", "dr-opensearch-change"
NOBODY = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-west-2/es/aws4_request"}
ALONE = {"REPLICATION NOT IN PROGRESS"}


def inside(monkeypatch: pytest.MonkeyPatch, *regions: str, **settings: Any) -> Estate:
    """Return two domains in VPCs, with the functions beside those of some Regions (of both, when none is named)."""
    monkeypatch.delenv("MOTO_AMIS_PATH", raising=False)
    estate = open_estate(monkeypatch, images=True, vpc=True, **settings)
    for region in regions or (SOURCE, TARGET):
        vpc_functions.deploy(estate.world.local, APPS, region)
    estate.world.clock.advance(120)  # a function in a VPC is not there at once
    estate.world.local.call_log.clear()
    return estate


def through(run: Journey) -> None:
    assert run.ready, run.findings
    ended = run.all()
    assert {action.outcome for action in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended


def requests(estate: Estate) -> list[LoggedCall]:
    """Return what domains were asked."""
    return [call for call in estate.world.calls() if call.operation.startswith("ESHttp")]


def ask(estate: Estate, function: str = READ, **event: Any) -> dict[str, Any]:
    """Invoke a function on the target side by hand, with a request whose signature is nobody's."""
    shown = estate.world.aws("opensearch", TARGET).describe_domain(DomainName="orders")["DomainStatus"]
    asked = {
        "Method": "GET",
        "Endpoint": shown["Endpoints"]["vpc"],
        "Path": "/_cluster/health",
        "Headers": NOBODY,
        "Body": "",
    }
    reply = estate.world.aws("lambda", TARGET).invoke(FunctionName=function, Payload=json.dumps({**asked, **event}))
    answer: dict[str, Any] = json.loads(reply["Payload"].read())
    return answer


def test_domains_in_vpcs_move_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two domains in VPCs, replicated index by index, and the functions beside both
    estate = inside(monkeypatch)
    run = estate.world.start()
    assert run.ready, run.findings
    foreseen = run.previewed_calls()
    # When they change roles
    through(run)
    # Then the plan foresaw every request, and the target leads while the source side follows it
    assert sorted(run.made()) == sorted(foreseen)
    assert estate.is_written_to(TARGET)
    assert (estate.statuses(TARGET), estate.statuses(SOURCE)) == (ALONE, {"SYNCING"})
    run.end()
    # And they change roles again
    back = estate.world.start(Operation.FAILBACK)
    through(back)
    assert estate.is_written_to(SOURCE)
    assert (estate.statuses(TARGET), estate.statuses(SOURCE)) == ({"SYNCING"}, ALONE)
    # And domains were asked by the spoke role itself: whoever carried the requests had no rights
    assert {call.principal_arn.split("/")[1] for call in requests(estate)} == {"dr-spoke-opensearch"}
    assert estate.world.refusals() == []


def test_emergency_in_vpcs_asks_the_target_side_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = inside(monkeypatch, TARGET)
    run = estate.lost()
    through(run)
    assert estate.statuses(TARGET) == ALONE
    assert {call.region for call in estate.world.calls()} == {TARGET}
    assert estate.world.refusals() == []


def test_drill_in_a_vpc_restores_copies_and_removes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = inside(monkeypatch)
    run = estate.world.start(Operation.TEST)
    through(run)
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
    assert {call.operation for call in requests(estate)} >= {"ESHttpPost", "ESHttpDelete"}
    assert estate.world.refusals() == []


def test_snapshots_are_restored_into_a_domain_in_a_vpc(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = inside(monkeypatch, replication="snapshot", tags={"dr:recovery-strategy": "snapshot-restore"})
    run = estate.world.start(Phases=["INSTANTIATE", "ACTIVATE", "CLEANUP"])
    through(run)
    assert sorted(estate.indices(TARGET)) == ["customers", "orders"]
    assert [call.params["path"] for call in requests(estate) if str(call.params.get("path", "")).endswith("/_restore")]
    assert estate.world.refusals() == []


def test_functions_on_one_side_only_are_told_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = inside(monkeypatch, TARGET)
    run = estate.world.start()
    assert not run.ready
    (told,) = [finding for finding in run.run.findings if finding.code == "vpc"]
    assert told.message.startswith(f"orders in {SOURCE} is in a VPC")
    assert f"--region {SOURCE} --stack-name dr-probe" in told.remedy


def test_managed_pair_in_vpcs_that_an_emergency_parted_is_paired_again_by_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an ejected primary, which only the functions let the run look into
    estate = inside(monkeypatch, replication="managed")
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()
    estate.world.clock.advance(3700)
    # When replication is set up again
    action = estate.world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)
    # Then nobody has to type anything
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert estate.replication(TARGET) == ("PRIMARY", "ACTIVE")


@pytest.mark.parametrize(
    ("function", "event", "why"),
    [
        (CHANGE, {"Method": "PUT", "Path": "/_plugins/_security/api/roles/mine"}, "no request that is carried"),
        (CHANGE, {"Method": "DELETE", "Path": "/orders?ignore_unavailable=true"}, "no request that is carried"),
        (CHANGE, {"Method": "DELETE", "Path": "/_all"}, "no request that is carried"),
        (CHANGE, {}, "GET /_cluster/health is no request that is carried"),
        (READ, {"Method": "DELETE", "Path": "/orders"}, "no request that is carried"),
        (READ, {"Headers": {}}, "not signed"),
        (READ, {"Endpoint": "search-orders-0123456789abcdef.us-west-2.es.localhost"}, "no endpoint that is carried to"),
        (READ, {"Endpoint": "secretsmanager.us-west-2.amazonaws.com"}, "no endpoint that is carried to"),
    ],
)
def test_functions_carry_nothing_but_their_own_requests(
    monkeypatch: pytest.MonkeyPatch, function: str, event: dict[str, Any], why: str
) -> None:
    refusal = ask(inside(monkeypatch, TARGET), function, **event)["Refusal"]
    assert refusal["Code"] == "Denied"
    assert why in refusal["Message"]


def test_request_that_nobody_signed_is_carried_and_declined_by_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ask(inside(monkeypatch, TARGET))["Answer"]
    assert answer["Status"] == 403
