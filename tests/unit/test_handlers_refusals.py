"""What the functions refuse, in which of the two errors, and with which next step."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError as ModelError

from lambdas.boundary import RetryableError, TerminalError
from lambdas.settings import read_settings
from orchestrator.words import RunStatus
from tests.support.driver import SCOPE, SOURCE, TARGET
from tests.support.functions import Functions, open_hub

SHOP = {"kind": "ecs-service", "name": "shop"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Return a hub with nothing to recover."""
    return open_hub(monkeypatch)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Return a hub beside a service in both Regions."""
    return open_hub(monkeypatch, SHOP)


BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"Customer": None}, "Customer is missing"),
    ({"Customre": "CustomerX"}, 'unknown field Customre (did you mean "Customer"?)'),
    ({"Environment": "prod"}, 'Environment is "prod", expected one of'),
    ({"Operation": "failver"}, '(did you mean "failover"?)'),
    ({"PrimaryRegion": TARGET}, f"PrimaryRegion and DRRegion are both {TARGET}; they must differ"),
    ({"DRRegion": "Oregon"}, '"Oregon" is not an AWS Region code such as us-west-2'),
    ({"Emergency": True}, "an emergency without approvals needs AcceptDataLoss"),
    ({"Operation": "test", "Emergency": True}, "Emergency does not go with Operation test"),
    ({"Waves": [0]}, "Waves are numbered from 1"),
]


def test_bad_request_is_refused_with_every_problem_and_an_example_and_nothing_is_written(hub: Functions) -> None:
    for change, why in BAD_REQUESTS:
        with pytest.raises(TerminalError) as caught:
            hub.accept(**change)

        assert why in str(caught.value)
        assert 'give for example {"Customer":"CustomerX"' in str(caught.value)

    assert hub.platform.ledger.holder(SCOPE) is None
    assert hub.platform.ledger.runs_of(SCOPE) == []
    assert hub.messages() == []


def test_input_that_is_no_object_is_refused(hub: Functions) -> None:
    for given in ("failover please", None, ["Customer"]):
        with pytest.raises(TerminalError, match="the input is not a JSON object"):
            hub.call("accept_request", **hub.execution(given))


def test_run_in_the_wrong_hub_region_is_refused_with_the_command_for_the_right_one(hub: Functions) -> None:
    with pytest.raises(TerminalError) as caught:
        hub.accept(Operation="failback")

    assert f"this hub is in {TARGET}, but the run activates {SOURCE}" in str(caught.value)
    assert f"aws stepfunctions start-execution --region {SOURCE}" in str(caught.value)
    assert '"Operation":"failback"' in str(caught.value)
    assert hub.platform.ledger.runs_of(SCOPE) == []


def test_second_run_on_a_scope_is_refused_naming_the_first_and_may_start_when_that_has_ended(hub: Functions) -> None:
    first = hub.accept()

    with pytest.raises(TerminalError, match=first):
        hub.accept()

    hub.call("finish_run", RunId=first, ExecutionArn="arn:x", Error={"Error": "X", "Cause": "over"})
    assert hub.accept()


def test_scope_without_resources_is_refused_and_never_called_a_success(hub: Functions) -> None:
    run_id = hub.accept(Customer="CustomerZ")

    with pytest.raises(TerminalError, match="no resource carries Customer=CustomerZ") as caught:
        hub.call("take_inventory", RunId=run_id)

    assert "check the spelling" in str(caught.value)
    error = {"Error": "TerminalError", "Cause": str(caught.value)}
    assert hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x", Error=error)["Status"] == RunStatus.FAILED


def test_emergency_without_an_inventory_from_before_is_refused(hub: Functions) -> None:
    run_id = hub.accept(Emergency=True, AcceptDataLoss=True)

    with pytest.raises(TerminalError, match="no inventory of CustomerX/production from before the outage"):
        hub.call("take_inventory", RunId=run_id)


def test_wrong_external_id_leaves_the_inventory_incomplete_and_stops_the_run(shop: Functions) -> None:
    shop.configure(DR_EXTERNAL_ID="guessed-by-somebody")
    run_id = shop.accept()

    with pytest.raises(TerminalError, match="the inventory is incomplete") as caught:
        shop.call("take_inventory", RunId=run_id)

    assert "external ID" in str(caught.value)


def test_inventory_that_cannot_be_refreshed_raises_an_alarm_and_keeps_the_older_one(shop: Functions) -> None:
    shop.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)
    before = shop.platform.ledger.newest_snapshot(SCOPE)
    shop.configure(DR_EXTERNAL_ID="guessed-by-somebody")

    with pytest.raises(TerminalError, match=r"scope\(s\) keep their older inventory: CustomerX/production"):
        shop.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)

    assert shop.platform.ledger.newest_snapshot(SCOPE) == before


def test_half_a_scope_is_not_refreshed(hub: Functions) -> None:
    with pytest.raises(TerminalError, match="Customer and Environment name a scope together; one is missing"):
        hub.call("refresh_inventory", Customer=SCOPE.customer)


def test_throttled_table_is_a_passing_fault_that_the_state_machine_may_retry(hub: Functions) -> None:
    run_id = hub.accept()
    throttled = {"code": "ThrottlingException", "message": "slow down", "status": 400}
    hub.world.fault(effect="error", service="dynamodb", **throttled)

    with pytest.raises(RetryableError):
        hub.call("next_move", RunId=run_id)


def test_service_that_does_not_answer_is_a_passing_fault(hub: Functions) -> None:
    run_id = hub.accept()
    hub.world.darken(TARGET)

    with pytest.raises(RetryableError):
        hub.call("take_inventory", RunId=run_id)


FORMLESS: list[tuple[str, dict[str, Any]]] = [
    ("take_inventory", {}),
    ("advance", {"RunId": "x", "StageId": "y"}),
    ("open_gate", {"RunId": "x", "GateId": "y"}),
    ("accept_request", {"Request": {}}),
    ("on_execution_ended", {"detail": {"name": "x"}}),
    ("finish_run", {"RunId": "x"}),
    ("start_drill", {"Drill": "nightly"}),
]


def test_event_of_another_form_is_refused_and_not_retried(hub: Functions) -> None:
    for verb, event in FORMLESS:
        with pytest.raises(TerminalError, match="the event is not of the expected form"):
            hub.call(verb, **event)


EXTEND: dict[str, dict[str, Any]] = {"extend_lease": {"Minutes": 60}}
OF_A_RUN: dict[str, dict[str, str]] = {
    "take_inventory": {},
    "build_plan": {},
    "check_readiness": {},
    "next_move": {},
    "start_stage": {"StageId": "01"},
    "check_health": {"StageId": "01"},
    "close_stage": {"StageId": "01"},
    "advance": {"StageId": "01", "ActionId": "a"},
    "open_gate": {"GateId": "g", "TaskToken": "t"},
    "remind_gate": {"GateId": "g"},
    "record_decision": {"GateId": "g"},
}


def test_run_nobody_knows_is_refused_by_every_function(hub: Functions) -> None:
    for verb, event in OF_A_RUN.items():
        with pytest.raises(TerminalError, match="nobody-knows-it"):
            hub.call(verb, RunId="nobody-knows-it", **event)
    for verb, event in {
        **dict.fromkeys(("cancel_run", "escalate_run", "pause_run", "resume_run"), {}),
        **EXTEND,
    }.items():
        with pytest.raises(TerminalError, match="nobody-knows-it"):
            hub.order(verb, RunId="nobody-knows-it", **event)


def test_action_of_a_run_that_lost_its_scope_is_fenced(shop: Functions) -> None:
    run_id = shop.planned()
    stage = shop.call("next_move", RunId=run_id)["StageId"]
    shop.call("start_stage", RunId=run_id, StageId=stage)
    (action,) = shop.platform.ledger.actions(run_id, stage)
    shop.platform.ledger.unlock(SCOPE, run_id)

    with pytest.raises(TerminalError, match="may not act on CustomerX/production: the scope is held by nobody"):
        shop.call("advance", RunId=run_id, StageId=stage, ActionId=action.action_id)

    assert shop.world.operations() == []


def test_deployment_without_a_setting_is_told_which_one(hub: Functions) -> None:
    for missing in ("DR_RUNS_TABLE", "DR_BUCKET", "DR_EXTERNAL_ID", "DR_PEER_REGION"):
        hub.configure(**{missing: None})

        with pytest.raises(ModelError, match=missing.removeprefix("DR_").lower()):
            read_settings()


def test_settings_read_lists_and_take_the_region_from_lambda(hub: Functions) -> None:
    hub.configure(DR_ACCOUNTS="111111111111, 222222222222", DR_DNS_SERVERS="127.0.0.1:10053,", DR_SCOPES="")

    settings = read_settings()

    assert settings.hub_region == TARGET
    assert settings.accounts == ("111111111111", "222222222222")
    assert settings.dns_servers == ("127.0.0.1:10053",)
    assert settings.scopes == ()


def test_explorer_is_asked_where_its_organisation_view_lies(shop: Functions) -> None:
    views = shop.world.aws("resource-explorer-2", TARGET, "111111111111").list_views()["Views"]
    shop.configure(DR_EXPLORER_VIEW_ARN=views[0])
    shop.world.local.call_log.clear()

    shop.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)

    asked = [call for call in shop.world.local.call_log if call.operation == "ListResources"]
    assert {call.region for call in asked} == {TARGET}
    assert {call.params["ViewArn"] for call in asked} == {views[0]}
