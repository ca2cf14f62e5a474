"""Our three machines, run: what a run does, in which order, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from statemachines.definitions import MachineName
from tests.statemachines.scripted_hub import ACCOUNT, RUN_ID, Hiccup, Hub, Refuse, message, name_is_legal

SPEED = 20_000.0  # AWS seconds per wall second, for waits and back-off
REQUEST = {"Customer": "CustomerX", "Environment": "production"}
APPROVED = {"approved": True, "approver": "user@example.com"}


@pytest.fixture(scope="module")
def aws() -> LocalAws:
    return LocalAws({ACCOUNT: "hub"}, clock=ScaledClock(SPEED))


@pytest.fixture
def make_hub(aws: LocalAws) -> Iterator[Callable[..., Hub]]:
    aws.reset()
    before = aws.service("lambda").operations["Invoke"]

    def make(**script: object) -> Hub:
        hub = Hub(aws, **script)  # type: ignore[arg-type]
        hub.deploy()
        return hub

    yield make
    aws.service("lambda").operations["Invoke"] = before


def test_run_all_well_goes_through_every_step_in_order_and_succeeds(make_hub: Callable[..., Hub]) -> None:
    # Given a plan of one gate and one stage with two groups, and an approver who says yes
    hub = make_hub(gates=["plan"], answers=[APPROVED], looks={"db": 2, "web": 1})

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then it succeeds, and its output is the run and its verdict, nothing else
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert output == {"RunId": RUN_ID, "Status": "succeeded", "Summary": output["Summary"]}
    # And the verbs came in the designed order, the database before the services that need it
    assert hub.verbs() == [
        "accept_request", "take_inventory", "build_plan", "check_readiness", "next_move", "open_gate",
        "record_decision", "next_move", "start_stage", "advance", "check_health", "check_health", "close_stage",
        "next_move", "finish_run",
    ]  # fmt: skip
    actions = [event["ActionId"] for event in hub.events("advance")]
    assert actions[:3] == ["db", "db", "db"]
    assert sorted(actions[3:]) == ["app", "web", "web"]
    # And the request arrived as given, with the execution it came from
    (accepted,) = hub.events("accept_request")
    assert accepted["Request"] == REQUEST
    assert accepted["ExecutionArn"] == ended["executionArn"]
    assert accepted["ExecutionName"] == ended["name"]
    assert accepted["StartedAt"]


def test_run_of_many_stages_and_groups_hands_on_small_payloads_in_short_histories(make_hub: Callable[..., Hub]) -> None:
    # Given eight stages of three groups
    stages = {f"stage-{n}": [[f"{n}-{group}-{k}" for k in range(3)] for group in range(3)] for n in range(8)}
    hub = make_hub(stages=stages)

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then it succeeds, no function got more than 8 KB, and every execution has a name AWS accepts and a short history
    assert ended["status"] == "SUCCEEDED"
    assert max(len(json.dumps(call.event)) for call in hub.calls) < 8192
    executions = [execution for name in MachineName for execution in hub.executions(name)]
    assert len(executions) == 1 + 1 + 8
    for execution in executions:
        events = hub.states.get_execution_history(executionArn=execution["executionArn"])["events"]
        assert len(events) < 300
    assert all(name_is_legal(e["name"]) for n in (MachineName.LIFECYCLE, MachineName.WAVE) for e in hub.executions(n))


def test_nested_executions_are_named_after_run_and_stage_and_point_to_their_parent(
    make_hub: Callable[..., Hub],
) -> None:
    hub = make_hub()
    ended = hub.run(**REQUEST)

    (lifecycle,) = hub.executions(MachineName.LIFECYCLE)
    (wave,) = hub.executions(MachineName.WAVE)
    assert lifecycle["name"] == f"{RUN_ID}-segment-1"
    assert wave["name"] == f"{RUN_ID}-activate-1-1-1"
    given = json.loads(hub.states.describe_execution(executionArn=wave["executionArn"])["input"])
    assert given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] == lifecycle["executionArn"]
    given = json.loads(hub.states.describe_execution(executionArn=lifecycle["executionArn"])["input"])
    assert given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] == ended["executionArn"]


def test_child_costs_nine_events_per_look_at_its_resource(make_hub: Callable[..., Hub]) -> None:
    # Given two actions, one of which needs ten more looks than the other
    hub = make_hub(looks={"web": 10})

    # When the run is over
    assert hub.run(**REQUEST)["status"] == "SUCCEEDED"

    # Then each look has cost what the history budget is reckoned with
    assert len(hub.child_events("web")) - len(hub.child_events("app")) == 10 * 9


def test_run_dry_previews_and_starts_no_stage(make_hub: Callable[..., Hub]) -> None:
    # Given a request for a dry run of a plan with a gate
    hub = make_hub(dry_run=True, gates=["plan"])

    # When it is started
    ended = hub.run(**REQUEST)

    # Then it ends well, nobody was asked and nothing was advanced
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["Status"] == "previewed"
    assert hub.executions(MachineName.LIFECYCLE) == []
    assert hub.verbs()[-1] == "finish_run"


def test_run_not_ready_fails_with_the_findings_and_starts_no_stage(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(ready=False)
    ended = hub.run(**REQUEST)

    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    assert ended["cause"].startswith("orders-db: replica lag is 900 s")
    assert hub.executions(MachineName.LIFECYCLE) == []


def test_request_refused_fails_as_request_refused_with_the_refusal_as_cause(make_hub: Callable[..., Hub]) -> None:
    # Given a request without a customer
    hub = make_hub()

    # When it is started
    ended = hub.run(Environment="production")

    # Then the run fails with the refusal's own words, after finish_run saw the error and no run id
    assert (ended["status"], ended["error"]) == ("FAILED", "RequestRefused")
    assert ended["cause"].startswith("request: Customer is missing")
    assert hub.verbs() == ["accept_request", "finish_run"]
    (finish,) = hub.events("finish_run")
    assert finish["Error"]["Error"] == "RequestRefused"
    assert "RunId" not in finish
    assert finish["ExecutionArn"] == ended["executionArn"]


def test_plan_that_cannot_be_built_finishes_the_run_and_fails_with_the_reason(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(troubles={"build_plan": [Refuse("orders-db depends on wave 3. Correct dr:dependencies.")]})
    ended = hub.run(**REQUEST)

    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    assert ended["cause"].startswith("orders-db depends on wave 3")
    (finish,) = hub.events("finish_run")
    assert (finish["RunId"], finish["Error"]["Error"]) == (RUN_ID, "TerminalError")


def test_gate_rejected_ends_the_run_as_rejected_before_any_stage(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(gates=["plan"], answers=[{"approved": False, "approver": "user@example.com"}])
    ended = hub.run(**REQUEST)

    assert (ended["status"], ended["error"]) == ("FAILED", "RunRejected")
    assert ended["cause"] == "user@example.com rejected the plan."
    assert hub.executions(MachineName.WAVE) == []


def test_gate_unanswered_twice_reminds_twice_and_then_takes_the_answer(make_hub: Callable[..., Hub]) -> None:
    # Given an approver who is asleep for an hour
    hub = make_hub(gates=["plan"], answers=[None, None, APPROVED])

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then the same gate was asked three times, each time with a new token, with an alert between
    assert ended["status"] == "SUCCEEDED"
    asked = [call.verb for call in hub.calls if call.verb in {"open_gate", "remind_gate", "record_decision"}]
    assert asked == ["open_gate", "remind_gate", "open_gate", "remind_gate", "open_gate", "record_decision"]
    assert len({event["TaskToken"] for event in hub.events("open_gate")}) == 3
    assert {event["GateId"] for event in hub.events("remind_gate")} == {"plan"}


@pytest.mark.parametrize(
    ("answer", "recorded"),
    [
        ("yes", "yes"),
        (RuntimeError("not now"), {"Error": "Rejected", "Cause": "not now"}),
        ("y" * 5000, "The answer is longer than 4096 characters."),
    ],
)
def test_answer_that_is_no_decision_is_recorded_and_asked_again(
    make_hub: Callable[..., Hub], answer: object, recorded: object
) -> None:
    # Given an approver whose first answer is not a decision
    hub = make_hub(gates=["plan"], answers=[answer, APPROVED])

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then the answer reached the record in a bounded form, and the gate was asked again
    assert ended["status"] == "SUCCEEDED"
    assert [event["Answer"] for event in hub.events("record_decision")] == [recorded, APPROVED]


def test_reminder_that_cannot_be_sent_does_not_end_the_run(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(gates=["plan"], answers=[None, APPROVED], broken={"remind_gate"})
    assert hub.run(**REQUEST)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "trouble", [Refuse("topic dr-alerts does not exist. Deploy the hub."), KeyError("topic dr-alerts")]
)
def test_question_that_cannot_be_asked_ends_the_run_with_its_error(
    make_hub: Callable[..., Hub], trouble: Exception
) -> None:
    # Given a function that fails, foreseen or not, before anybody was asked
    hub = make_hub(gates=["plan"], troubles={"open_gate": [trouble]})

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then that is no answer: the run ends with the function's error
    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    assert message(ended["cause"]) == str(trouble)
    assert hub.events("record_decision") == []


@pytest.mark.parametrize("run_id", ["failover of CustomerX, 23.11. at night", "r" * 60 + "-2026-11-23T03-00-01Z"])
def test_nested_executions_of_any_run_id_have_legal_names_that_keep_head_and_tail(
    make_hub: Callable[..., Hub], run_id: str
) -> None:
    hub = make_hub(stages={"activate-of-wave-1-with-a-long-name": [["db"]]})
    hub.accept_request = lambda event: {"RunId": run_id, "DryRun": False}  # type: ignore[method-assign]
    assert hub.run(**REQUEST)["status"] == "SUCCEEDED"

    names = [e["name"] for name in (MachineName.LIFECYCLE, MachineName.WAVE) for e in hub.executions(name)]
    assert len(names) == 2
    assert all(name_is_legal(name) for name in names), names
    assert all(name.startswith(run_id[:8]) for name in names)
    assert all(re.sub(r"[^A-Za-z0-9-]", "-", run_id[-10:]) in name for name in names)


def test_stage_failing_asks_and_after_repair_runs_again_under_another_name(make_hub: Callable[..., Hub]) -> None:
    # Given an action that fails, and an operator who repairs it before choosing retry
    hub = make_hub(failing={"db"}, answers=[APPROVED])

    def repair_then_record(event: dict[str, object]) -> dict[str, object]:
        hub.failing.clear()
        return Hub.record_decision(hub, event)

    hub.record_decision = repair_then_record  # type: ignore[method-assign]

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then the stage failed, was decided about, and passed in a second execution
    assert ended["status"] == "SUCCEEDED"
    assert hub.closed == {"activate-1": ["failed", "passed"]}
    assert hub.events("record_decision")[0]["GateId"] == "failure-of-activate-1"
    assert len({execution["name"] for execution in hub.executions(MachineName.WAVE)}) == 2


def test_advance_that_hiccups_is_called_again_and_nobody_notices(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(troubles={"db": [Hiccup("throttled"), Hiccup("throttled")]})
    assert hub.run(**REQUEST)["status"] == "SUCCEEDED"
    assert [event["ActionId"] for event in hub.events("advance")].count("db") == 3


def test_advance_out_of_order_loses_one_action_not_its_neighbours_and_asks(make_hub: Callable[..., Hub]) -> None:
    # Given an action whose function can never be reached, beside one that takes several looks
    hub = make_hub(broken={"app"}, looks={"web": 4}, answers=[{"approved": False}])

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then the neighbour came to its end, the stage failed by the ledger, a person was asked, and nothing hung
    assert hub.ended == {"db": "succeeded", "web": "succeeded"}
    assert hub.closed == {"activate-1": ["failed"]}
    assert hub.events("open_gate")[0]["GateId"] == "failure-of-activate-1"
    assert (ended["status"], ended["error"]) == ("FAILED", "RunRejected")
    # And no execution failed for it but the run itself
    assert [execution["status"] for execution in hub.executions(MachineName.WAVE)] == ["SUCCEEDED"]


def test_stage_whose_execution_breaks_is_closed_from_outside_and_asked_about(make_hub: Callable[..., Hub]) -> None:
    # Given a stage that cannot be closed by its own execution
    hub = make_hub(failing={"db"}, troubles={"close_stage": [Refuse("no")]}, answers=[{"approved": False}])

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then the lifecycle closed it and asked for a decision
    assert [execution["status"] for execution in hub.executions(MachineName.WAVE)] == ["FAILED"]
    assert len(hub.events("close_stage")) == 2
    assert hub.events("open_gate")[0]["GateId"] == "failure-of-activate-1"
    assert ended["error"] == "RunRejected"


def test_stage_that_cannot_start_is_closed_as_failed(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(broken={"start_stage"}, answers=[{"approved": False}])
    hub.run(**REQUEST)
    assert hub.closed == {"activate-1": ["failed"]}
    assert hub.events("advance") == []


def test_everything_out_of_order_still_ends_the_run(make_hub: Callable[..., Hub]) -> None:
    # Given functions none of which can be reached, finish_run included
    hub = make_hub(broken={"next_move", "finish_run"})

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then it fails, and says the first error, not the one of the ending
    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    assert message(ended["cause"]).startswith("States.TaskFailed: ")
    assert "next_move is out of order" in ended["cause"]
    assert len(ended["cause"]) < 8192


def test_run_broken_by_a_function_goes_on_to_its_end_once_that_is_repaired_and_the_execution_redriven(
    make_hub: Callable[..., Hub],
) -> None:
    # Given a run that broke after its stage, because the next move could not be had
    hub = make_hub(broken={"close_stage"})
    arn = hub.start(**REQUEST)
    hub.await_call("check_health")
    hub.broken = {"close_stage", "next_move", "finish_run"}
    ended = hub.await_end(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    # When it is redriven too early, then it fails with the same words; it is not lost
    again = hub.redrive(arn)
    assert (again["status"], again["redriveCount"]) == ("FAILED", 1)
    # When everything answers and it is redriven
    hub.broken = set()
    ended = hub.redrive(arn)
    # Then the run was taken up, under names of their own, and came to its end
    assert (ended["status"], ended["redriveCount"]) == ("SUCCEEDED", 2), ended
    assert hub.closed["activate-1"][-1] == "passed"
    names = [execution["name"] for execution in hub.executions(MachineName.LIFECYCLE)]
    assert names == [f"{RUN_ID}-segment-1", f"{RUN_ID}-segment-1-r1", f"{RUN_ID}-segment-1-r2"]
    assert hub.events("next_move")[-1]["Redrives"] == 2
    assert all(name_is_legal(execution["name"]) for execution in hub.executions(MachineName.WAVE))


def test_execution_stopped_in_the_middle_of_a_stage_and_redriven_runs_its_nested_runs_anew(
    make_hub: Callable[..., Hub],
) -> None:
    # Given a run stopped while its database takes very long
    hub = make_hub(looks={"db": 1_000_000})
    arn = hub.start(**REQUEST)
    hub.await_call("advance")
    hub.states.stop_execution(executionArn=arn)
    hub.looks = {}
    # When it is redriven
    ended = hub.redrive(arn)
    # Then it ends well; nothing of before was asked again, and the functions know that it was redriven
    assert ended["status"] == "SUCCEEDED", ended
    assert len(hub.events("accept_request")) == len(hub.events("take_inventory")) == 1
    assert hub.events("next_move")[0]["Redrives"] == 0
    assert {event["Redrives"] for event in hub.events("next_move")[1:]} == {1}
    assert [e["status"] for e in hub.executions(MachineName.WAVE)] == ["ABORTED", "SUCCEEDED"]


def test_ending_that_cannot_be_written_fails_the_run_although_all_was_done(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(troubles={"finish_run": [Refuse("bucket dr-hub is missing. Deploy the hub.")]})
    ended = hub.run(**REQUEST)

    assert (ended["status"], ended["error"]) == ("FAILED", "RunFailed")
    assert message(ended["cause"]).startswith("Finish Run ended in TerminalError: ")
    assert "bucket dr-hub is missing" in ended["cause"]


def test_run_cancelled_during_a_stage_closes_it_and_ends_as_cancelled(make_hub: Callable[..., Hub]) -> None:
    # Given a run whose database takes very long
    hub = make_hub(looks={"db": 1_000_000})
    arn = hub.start(**REQUEST)
    hub.await_call("advance")

    # When it is cancelled
    hub.cancelled = True
    ended = hub.await_end(arn)

    # Then the action ended after its current step, the stage was closed, and the run says so
    assert (ended["status"], ended["error"]) == ("FAILED", "RunCancelled")
    assert ended["cause"] == "Cancelled by ops@example.com."
    assert hub.ended["db"] == "cancelled"
    assert hub.closed == {"activate-1": ["failed"]}
    assert hub.verbs()[-1] == "finish_run"


def test_long_run_goes_on_in_a_fresh_execution_before_its_history_is_full(aws: LocalAws) -> None:
    # Given machines that hand over after two moves instead of 150, and a plan of five
    aws.reset()
    hub = Hub(aws, stages={f"s{n}": [["db"]] for n in range(5)})
    hub.deploy(lambda text: text.replace("$move > 150", "$move > 2"))

    # When the run is started
    ended = hub.run(**REQUEST)

    # Then three executions shared the work, every stage ran once, and the run ended once
    assert ended["status"] == "SUCCEEDED"
    names = [execution["name"] for execution in hub.executions(MachineName.LIFECYCLE)]
    assert names == [f"{RUN_ID}-segment-{n}" for n in (1, 2, 3)]
    assert {stage: len(closed) for stage, closed in hub.closed.items()} == {f"s{n}": 1 for n in range(5)}
    assert len(hub.events("finish_run")) == 1
