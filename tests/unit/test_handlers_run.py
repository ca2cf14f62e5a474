"""A whole run, function by function, in the order in which the state machines call them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.finish_run import Caught, cause_text
from orchestrator.executions import StepFunctionsExecutions
from orchestrator.report import report_keys
from orchestrator.words import LIFECYCLE, RunStatus
from tests.support.driver import HUB, SCOPE, SOURCE, TARGET
from tests.support.functions import Functions, open_hub

SHOP = {"kind": "ecs-service", "name": "shop"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Functions:
    return open_hub(monkeypatch, SHOP)


def service(hub: Functions, region: str) -> dict[str, Any]:
    found = hub.world.aws("ecs", region).describe_services(cluster="apps", services=["shop"])
    return dict(found["services"][0])


def test_planned_run_without_questions_moves_the_service_and_reports_it(hub: Functions) -> None:
    started = hub.execution(hub.request())
    accepted = hub.call("accept_request", **started)
    run_id = accepted["RunId"]
    assert accepted == {"RunId": started["ExecutionName"], "DryRun": False}
    assert hub.call("take_inventory", RunId=run_id) == {"RunId": run_id, "Resources": 1}
    plan = hub.call("build_plan", RunId=run_id)
    assert plan["Stages"] == 4
    assert hub.call("check_readiness", RunId=run_id) == {"RunId": run_id, "Ready": True, "DryRun": False}

    closed = []
    while (move := hub.call("next_move", RunId=run_id))["Move"] == "stage":
        closed.append((move["StageId"], hub.stage(run_id, move["StageId"])))
    ended = hub.call("finish_run", RunId=run_id, ExecutionArn=started["ExecutionArn"])

    assert move == {"Move": "finish"}
    assert [stage.partition("-")[2].partition("-")[0] for stage, _ in closed] == [phase.value for phase in LIFECYCLE]
    assert {status for _, status in closed} <= {"passed", "skipped"}
    assert ended["Status"] == RunStatus.SUCCEEDED
    assert service(hub, TARGET)["runningCount"] == 2
    assert service(hub, SOURCE)["desiredCount"] == 0
    report = json.loads(hub.document(hub.platform.blobs.bucket, report_keys(run_id)[0]))
    assert report["run"]["status"] == "succeeded"
    assert b"<html" in hub.document(hub.platform.blobs.bucket, report_keys(run_id)[1]).lower()
    assert hub.platform.ledger.holder(SCOPE) is None
    notices = [notice for notice, _, _ in hub.messages()]
    assert (notices[0], notices[-1]) == ("started", "ended")
    assert notices.count("stage-done") == 4


def test_functions_that_are_called_twice_answer_the_same_and_repeat_nothing(hub: Functions) -> None:
    """Step Functions may invoke a function again after its answer was lost."""
    started = hub.execution(hub.request())
    first = hub.call("accept_request", **started)
    assert hub.call("accept_request", **started) == first
    run_id = first["RunId"]
    hub.call("take_inventory", RunId=run_id)
    plan = hub.call("build_plan", RunId=run_id)
    assert hub.call("build_plan", RunId=run_id) == plan
    hub.call("check_readiness", RunId=run_id)
    move = hub.call("next_move", RunId=run_id)
    assert hub.call("next_move", RunId=run_id) == move
    ids = {"RunId": run_id, "StageId": move["StageId"]}
    groups = hub.call("start_stage", **ids)
    assert hub.call("start_stage", **ids) == groups
    status = hub.stage(run_id, move["StageId"])
    assert hub.call("close_stage", **ids)["Status"] == status
    end = {"RunId": run_id, "ExecutionArn": started["ExecutionArn"]}
    ended = hub.call("finish_run", **end)

    assert hub.call("finish_run", **end)["Status"] == ended["Status"]


def test_advance_of_an_action_that_has_ended_says_so_and_looks_no_more(hub: Functions) -> None:
    run_id = hub.planned()
    move = hub.call("next_move", RunId=run_id)
    hub.stage(run_id, move["StageId"])
    (action,) = hub.platform.ledger.actions(run_id, move["StageId"])
    hub.world.local.call_log.clear()

    again = hub.call("advance", RunId=run_id, StageId=move["StageId"], ActionId=action.action_id)

    assert again == {"Done": True, "WaitSeconds": 0}
    assert hub.world.calls() == []


def test_dry_run_ends_after_readiness_without_lock_message_or_change(hub: Functions) -> None:
    run_id = hub.planned(DryRun=True)
    ended = hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")

    assert ended["Status"] == RunStatus.PREVIEWED
    assert hub.platform.ledger.holder(SCOPE) is None
    assert hub.messages() == []
    assert hub.world.operations() == []


def test_run_that_is_not_ready_ends_with_the_reason_and_changes_nothing(hub: Functions) -> None:
    for region in (SOURCE, TARGET):
        hub.world.aws("application-autoscaling", region).deregister_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/apps/shop", ScalableDimension="ecs:service:DesiredCount"
        )
    hub.world.aws("ecs", SOURCE).update_service(cluster="apps", service="shop", desiredCount=0)
    hub.world.wait(minutes=10)
    run_id = hub.accept()
    hub.call("take_inventory", RunId=run_id)
    hub.call("build_plan", RunId=run_id)

    ready = hub.call("check_readiness", RunId=run_id)
    ended = hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")

    assert ready["Ready"] is False
    assert ended["Status"] == RunStatus.FAILED
    assert "the production size of shop is 0 on both sides" in ended["Summary"]
    assert [notice for notice, _, _ in hub.messages()] == ["started", "failure", "failure"]
    assert hub.world.operations() == []


def test_emergency_starts_from_the_inventory_that_is_refreshed_in_normal_times(hub: Functions) -> None:
    refreshed = hub.call("refresh_inventory")
    assert refreshed["Scopes"] == [
        {"Scope": SCOPE.key, "Resources": 1, "Missing": {}},
        {"Scope": "Nobody/staging", "Resources": 0, "Missing": {}},
    ]
    hub.world.darken(SOURCE)

    run_id = hub.planned(Emergency=True, AcceptDataLoss=True)
    move = hub.call("next_move", RunId=run_id)

    assert hub.stage(run_id, move["StageId"]) == "passed"
    assert hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")["Status"] == RunStatus.SUCCEEDED
    assert service(hub, TARGET)["runningCount"] == 2


def test_scopes_are_judged_where_they_stand_by(hub: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    hub.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)
    judged = hub.call("judge_scopes")
    assert judged == {"Scopes": {SCOPE.key: "ready", "Nobody/staging": "draft"}}
    assert [notice for notice, _, _ in hub.messages()] == ["readiness"]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ScopesNotReady" in line]
    assert metrics[0]["ScopesNotReady"] == [1.0]
    # In the Region where everything runs nothing stands by; asked for by name it is judged all the same
    hub.configure(DR_HOME="true")
    assert hub.call("judge_scopes") == {"Scopes": {}}
    asked = hub.call("judge_scopes", Customer=SCOPE.customer, Environment=SCOPE.environment)
    assert asked == {"Scopes": {SCOPE.key: "ready"}}


def test_scope_is_judged_where_it_stands_by_whatever_the_hubs_home_is(hub: Functions) -> None:
    # Given one of two customers whose home is the Region that is no home to the others
    hub.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)
    hub.configure(DR_SCOPES_ELSEWHERE=SCOPE.key)

    # Then the hub of that Region judges only the other one
    assert hub.call("judge_scopes") == {"Scopes": {"Nobody/staging": "draft"}}

    # And the hub at home to the others judges this one
    hub.configure(DR_HOME="true", DR_SCOPES_ELSEWHERE=SCOPE.key)
    assert list(hub.call("judge_scopes")["Scopes"]) == [SCOPE.key]


def test_scope_that_was_moved_here_is_not_judged_here_whatever_its_home_is(hub: Functions) -> None:
    hub.call("refresh_inventory")
    hub.world.darken(SOURCE)
    run_id = hub.planned(Emergency=True, AcceptDataLoss=True)
    move = hub.call("next_move", RunId=run_id)
    hub.stage(run_id, move["StageId"])
    hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")

    # The scope runs in this hub's Region now: the hub of the other one judges the way back, as the ledger tells both
    assert list(hub.call("judge_scopes")["Scopes"]) == ["Nobody/staging"]


def test_inventory_of_one_scope_can_be_refreshed_by_hand(hub: Functions) -> None:
    refreshed = hub.call("refresh_inventory", Customer=SCOPE.customer, Environment=SCOPE.environment)

    assert refreshed == {"Scopes": [{"Scope": SCOPE.key, "Resources": 1, "Missing": {}}]}
    assert hub.platform.ledger.newest_snapshot(SCOPE) is not None


def test_execution_stopped_from_outside_leaves_a_true_ledger_and_a_free_scope(hub: Functions) -> None:
    run_id = hub.planned()
    hub.stage(run_id, hub.call("next_move", RunId=run_id)["StageId"])
    move = hub.call("next_move", RunId=run_id)
    hub.call("start_stage", RunId=run_id, StageId=move["StageId"])
    (action,) = hub.platform.ledger.actions(run_id, move["StageId"])
    hub.call("advance", RunId=run_id, StageId=move["StageId"], ActionId=action.action_id)
    detail = {"executionArn": f"arn:x:{run_id}", "name": run_id, "status": "ABORTED"}

    told = hub.call("on_execution_ended", detail=detail)

    assert told == {"Status": RunStatus.STOPPED}
    (ended,) = hub.platform.ledger.actions(run_id, move["StageId"])
    assert ended.detail == "the execution was aborted while this was under way; AWS may have gone on by itself"
    assert hub.platform.ledger.holder(SCOPE) is None
    assert hub.messages()[-1][0] == "failure"
    assert hub.call("on_execution_ended", detail=detail) == told, "the event may come twice"


def test_watchdog_closes_a_run_whose_execution_step_functions_does_not_know(hub: Functions) -> None:
    run_id = hub.planned()
    hub.messages()
    assert hub.call("watchdog") == {"Found": []}
    hub.world.clock.advance(16 * 60)

    (found,) = hub.call("watchdog")["Found"]

    assert found["Finding"] == "dead-run"
    assert "its execution is not known to Step Functions any more: closed as stopped" in found["What"]
    assert hub.platform.ledger.run(run_id).status is RunStatus.STOPPED
    assert hub.platform.ledger.holder(SCOPE) is None
    assert [notice for notice, _, _ in hub.messages()] == ["warning", "failure"]
    assert hub.call("watchdog") == {"Found": []}


def test_token_is_asked_whether_it_still_waits_without_redeeming_it(hub: Functions) -> None:
    asked = StepFunctionsExecutions(hub.world.aws("stepfunctions", TARGET, HUB))
    token = hub.waiting_token()

    assert asked.waits(token.value)
    assert not token.answer.done()
    token.succeed({})
    assert not asked.waits(token.value)
    assert not asked.waits("no-token-of-ours")


def test_execution_that_ended_by_itself_or_never_became_a_run_is_left_alone(hub: Functions) -> None:
    run_id = hub.planned(DryRun=True)
    hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x")
    detail = {"executionArn": "arn:x", "status": "FAILED"}

    assert hub.call("on_execution_ended", detail={**detail, "name": run_id}) == {"Status": RunStatus.PREVIEWED}
    assert hub.call("on_execution_ended", detail={**detail, "name": "never-accepted"}) == {"Status": "unknown"}


@pytest.mark.parametrize(
    ("caught", "told"),
    [
        ({"Error": "TerminalError", "Cause": json.dumps({"errorMessage": "the tag is wrong"})}, "the tag is wrong"),
        ({"Error": "States.TaskFailed", "Cause": json.dumps({"Cause": json.dumps({"errorMessage": "deep"})})}, "deep"),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
        ({"Error": "X", "Cause": "plain words"}, "plain words"),
    ],
    ids=["a function's error", "a nested machine's error", "only a name", "plain words"],
)
def test_error_that_ended_the_machine_is_told_in_its_innermost_words(caught: dict[str, str], told: str) -> None:
    assert cause_text(Caught.model_validate(caught)) == told


def test_run_that_an_error_ended_has_failed_with_that_error(hub: Functions) -> None:
    run_id = hub.accept()
    error = {"Error": "TerminalError", "Cause": json.dumps({"errorMessage": "the tag is wrong"})}

    ended = hub.call("finish_run", RunId=run_id, ExecutionArn="arn:x", Error=error)

    assert ended["Status"] == RunStatus.FAILED
    assert "the tag is wrong" in ended["Summary"]
    assert hub.platform.ledger.run(run_id).failure == "the tag is wrong"


def test_request_that_never_became_a_run_is_finished_with_its_refusal(hub: Functions) -> None:
    error = {"Error": "RequestRefused", "Cause": json.dumps({"errorMessage": "Customer is missing"})}

    ended = hub.call("finish_run", ExecutionArn="arn:aws:states:us-west-2:1:execution:DROrchestrator:x", Error=error)

    assert ended == {"Status": RunStatus.FAILED, "Summary": "Customer is missing", "Interrupted": False}
