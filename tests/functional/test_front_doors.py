"""The doors of the hub, used as people use them: the AWS CLI, the SSM document, and `dr`."""

from __future__ import annotations

import json

import pytest

from orchestrator.words import GateKind, RunStatus
from tests.functional.world import WEST, Running, World

pytestmark = pytest.mark.functional

ORCHESTRATOR = f"arn:aws:states:{WEST}:111111111111:stateMachine:DROrchestrator"


def request(customer: str, **more: object) -> dict[str, object]:
    """Return the input of a planned failover."""
    regions = {"PrimaryRegion": "us-east-1", "DRRegion": WEST}
    return {"Customer": customer, "Environment": "production", "Operation": "failover", **regions, **more}


def follow(world: World, execution_arn: str) -> Running:
    """Return a run that was started elsewhere."""
    return Running(world, world.enter(WEST), execution_arn.rsplit(":", 1)[-1], execution_arn)


def test_run_is_started_answered_and_read_by_the_ordinary_aws_cli(world: World) -> None:
    # Given a shop
    world.shop("Cli", ["ecs-service"])
    # When a run is started by the AWS CLI
    payload = json.dumps(request("Cli", ApprovalMode="required"))
    started = world.run_command(
        "aws", "stepfunctions", "start-execution", "--state-machine-arn", ORCHESTRATOR, "--input", payload
    )
    run = follow(world, started.json()["executionArn"])
    # And its gates are answered with the tokens that the notifications carry
    gate = run.gate(GateKind.PLAN)
    assert gate.token is not None
    answer = ["--task-output", '{"approved": true, "approver": "user@example.com"}']
    said = world.run_command("aws", "stepfunctions", "send-task-success", "--task-token", gate.token, *answer)
    assert said.code == 0, said.err
    # Then the same token is worth nothing the second time
    twice = world.run_command("aws", "stepfunctions", "send-task-success", "--task-token", gate.token, *answer)
    assert twice.code != 0
    assert "TaskTimedOut" in twice.err
    run.approve_all()
    assert run.ended().status is RunStatus.SUCCEEDED
    # And the execution, the ledger and the dashboard can be read with it, too
    described = world.run_command("aws", "stepfunctions", "describe-execution", "--execution-arn", run.execution_arn)
    assert described.json()["status"] == "SUCCEEDED"
    assert json.loads(described.json()["output"])["Status"] == "succeeded"
    audit = world.run_command(
        *("aws", "dynamodb", "query", "--table-name", "dr-events", "--key-condition-expression", "pk = :run"),
        *("--expression-attribute-values", json.dumps({":run": {"S": f"RUN#{run.run_id}"}})),
    )
    assert "user@example.com" in {item["actor"]["S"] for item in audit.json()["Items"] if "actor" in item}
    dashboard = world.run_command("aws", "cloudwatch", "get-dashboard", "--dashboard-name", "DR-Orchestrator")
    assert json.loads(dashboard.json()["DashboardBody"])["widgets"]


def test_ssm_document_starts_a_run(world: World) -> None:
    # Given a shop
    world.shop("Button", ["ecs-service"])
    # When an operator starts the document DR-Failover
    parameters = {
        **{name: [str(value)] for name, value in request("Button").items() if name != "Operation"},
        "ApprovalMode": ["automatic"],
        "AutomationAssumeRole": [f"arn:aws:iam::111111111111:role/dr-automation-{WEST}"],
    }
    started = world.run_command(
        *("aws", "ssm", "start-automation-execution", "--document-name", "DR-Failover"),
        *("--parameters", json.dumps(parameters)),
    )
    automation = started.json()["AutomationExecutionId"]
    # Then a run of that name moves the shop
    run = follow(world, ORCHESTRATOR.replace("stateMachine", "execution") + f":DR-Failover-{automation}")
    assert run.until(lambda: run.hub.ledger.run(run.run_id), "an accepted run").requester
    assert run.ended().status is RunStatus.SUCCEEDED
    assert run.not_served() == []
    # And the automation has handed over the run's ARN
    ssm = run.hub.hub.client("ssm")
    ended = run.until(
        lambda: (
            (a := ssm.get_automation_execution(AutomationExecutionId=automation)["AutomationExecution"])[
                "AutomationExecutionStatus"
            ]
            == "Success"
            and a
        ),
        "the automation to end",
    )
    assert ended["Outputs"]["startRun.executionArn"] == [run.execution_arn]


def test_dr_commands_plan_start_follow_answer_and_report_a_run(world: World) -> None:
    # Given a shop
    shop = world.shop("Operator", ["ecs-service"])
    scope = ["--customer", "Operator", "--primary-region", "us-east-1", "--dr-region", WEST]
    before, mark = shop.attributes(), world.mark()
    # When the plan is asked for
    plan = world.run_command("dr", "plan", *scope)
    # Then every call is shown and nothing is changed
    assert plan.code == 0, plan.err
    assert "ecs.UpdateService" in plan.out
    assert shop.changes_since(mark) == []
    assert shop.attributes() == before
    # When the run is started, first without and then with consent
    assert world.run_command("dr", "start", *scope).code == 3
    started = world.run_command("dr", "start", *scope, "--yes", "--output", "json")
    run = follow(world, started.json()["executionArn"])
    gate = run.gate(GateKind.PLAN)
    # Then its status shows the open gate, and says so by its exit code
    status = world.run_command("dr", "status", run.execution_arn, "--output", "json")
    assert status.code == 3, status.err
    (waiting,) = json.loads(status.out)["open_gates"]
    assert waiting["gate_id"] == gate.gate_id
    # When the gates are approved
    approved = world.run_command("dr", "approve", gate.gate_id, "--reason", "drill of the operator")
    assert approved.code == 0, approved.err
    run.approve_all()
    assert run.ended().status is RunStatus.SUCCEEDED
    # Then a second answer to the same gate is refused, and so is the cancellation of an ended run
    late = world.run_command("dr", "approve", gate.gate_id)
    assert late.code == 3
    assert "it takes no answer now" in late.err
    assert world.run_command("dr", "cancel", run.execution_arn, "--yes").code == 3
    # And the report tells the end
    report = world.run_command("dr", "report", run.execution_arn)
    assert report.json()["run"]["status"] == "succeeded"
    assert world.run_command("dr", "status", run.execution_arn).code == 0


def test_what_would_undo_a_run_is_told_wherever_people_look_before_it(world: World) -> None:
    # Given a shop, and a rule with the tags of its scope that nobody moves
    shop = world.shop("Undone", ["ecs-service"])
    tags = [{"Key": "Customer", "Value": "Undone"}, {"Key": "Environment", "Value": "production"}]
    events, name = world.client("events", WEST), "undone-nightly"
    events.put_rule(Name=name, ScheduleExpression="cron(0 3 * * ? *)", State="ENABLED", Tags=tags)
    events.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": f"arn:aws:lambda:{WEST}:222222222222:function:resize"}])
    told = f"may undo this run: rule/{name}: in 222222222222/{WEST} is enabled (cron(0 3 * * ? *)) and starts function:resize"
    command = f"aws events disable-rule --region {WEST} --name {name} "
    # When the plan is asked for, for people and for machines
    scope = ["--customer", "Undone", "--primary-region", "us-east-1", "--dr-region", WEST]
    plan = world.run_command("dr", "plan", *scope)
    machine = world.run_command("dr", "plan", *scope, "--output", "json")
    # Then both name the rule once, with the command on the same line, and all the rest could be looked at
    (line,) = (each for each in plan.out.splitlines() if name in each)
    assert line.startswith(told)
    assert command in line
    assert name not in plan.err
    assert [(each["resource_id"], each["code"]) for each in machine.json()["undoing"]] == [
        (f"rule/{name}", "event-rule")
    ]
    # And so do readiness and the gate
    judged = world.run_command("dr", "readiness", "--customer", "Undone", "--fresh")
    assert f"warning: rule/{name}: " in judged.err
    run = shop.start(ApprovalMode="required")
    gate = run.gate(GateKind.PLAN)
    assert [each.startswith(told) for each in gate.checklist if name in each] == [True]
    run.answer(gate, "reject")
    run.ended()


def test_dr_cancel_lets_a_waiting_run_go_at_once(world: World) -> None:
    # Given a run that waits at its first gate
    run = world.shop("Halt", ["ecs-service"]).start("failover", ApprovalMode="required")
    run.gate(GateKind.PLAN)
    # When an operator cancels it without and with consent
    assert world.run_command("dr", "cancel", run.run_id).code == 3
    said = world.run_command("dr", "cancel", run.run_id, "--yes", "--reason", "not today")
    assert said.code == 0, said.err
    # Then it ends cancelled by that operator
    ended = run.ended()
    assert ended.status is RunStatus.CANCELLED
    assert world.hub.hub_account in str(ended.cancelled_by)
    assert run.not_served() != []


def test_gate_without_an_answer_for_thirty_minutes_is_reminded_and_asked_again(world: World) -> None:
    # Given a gate whose thirty minutes pass quickly
    shop = world.shop("Silent", ["ecs-service"])
    with world.callbacks_time_out(within_seconds=1.5):
        run = shop.start("failover", ApprovalMode="required")
        first = run.gate(GateKind.PLAN)
        # When nobody answers
        again = run.until(lambda: (g := run.gate(GateKind.PLAN)).asks > 1 and g, "a second question")
    # Then the same question is asked again with another token, and people are reminded
    assert again.gate_id == first.gate_id
    assert again.token != first.token
    assert "approval-overdue" in world.told(run.run_id)
    # And an answer with the old token comes too late
    with pytest.raises(Exception, match="TaskTimedOut"):
        run.send(first, {"approved": True, "approver": "late@example.com"})
    # And nothing was decided by silence
    last = run.until(lambda: (g := run.gate(GateKind.PLAN)).asked_at and g, "the question")
    run.until(lambda: _sent(run, last.gate_id), "a token that still counts")
    assert run.ended().status is RunStatus.REJECTED


def _sent(run: Running, gate_id: str) -> bool:
    """Reject with the newest token; say whether it still counted."""
    try:
        run.send(run.hub.ledger.gate(run.run_id, gate_id), {"approved": False, "approver": "owner@example.com"})
    except run.hub.hub.client("stepfunctions").exceptions.TaskTimedOut:
        return False
    return True
