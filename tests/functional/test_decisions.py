"""People in command of a run: who may decide, what a decision does, and what is refused with the way on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.words import GateKind, GateStatus, RunStatus
from tests.functional.world import OWNER, WEST, Running, World

pytestmark = pytest.mark.functional

HUB = "111111111111"
ROLE = f"arn:aws:iam::{HUB}:role/dr-automation-{WEST}"


def requested_by_operator(world: World, customer: str) -> Running:
    """Start a run that the very person behind `dr` asked for."""
    shop = world.shop(customer, ["ecs-service"])
    caller = world.enter(WEST).caller
    return shop.start("failover", ApprovalMode="required", Requester=caller)


def test_approver_equal_to_requester_is_refused_with_reason_and_a_document_answers_for_its_starter(
    world: World,
) -> None:
    # Given a customer whose runs must be approved by another person than who asked, and a run of this operator
    run = requested_by_operator(world, "FourEyes")
    gate = run.gate(GateKind.PLAN)
    # When that operator approves by dr, by the raw token, and by the document
    said = world.run_command("dr", "approve", gate.gate_id)
    # Then it is refused with the reason, and the question still waits
    assert said.code == 3
    assert "must be answered by another person" in said.err
    assert f"dr decide {gate.gate_id} approve" in said.err
    started = world.run_command(
        *("aws", "ssm", "start-automation-execution", "--document-name", "DR-Approve", "--parameters"),
        json.dumps({"GateId": [gate.gate_id], "AutomationAssumeRole": [ROLE]}),
    )
    assert "must be answered by another person" in automation_ended(run, started.json()["AutomationExecutionId"])
    assert run.hub.ledger.gate(run.run_id, gate.gate_id).status is GateStatus.OPEN
    run.send(gate, {"approved": True, "approver": "somebody.else@example.com"})
    run.until(lambda: any("whose sender AWS confirms" in e.message for e in run.events()), "the refusal")
    # But whoever asked may always stop it: by the document DR-Reject, in their name
    again = run.until(lambda: (g := run.gate(GateKind.PLAN)).asks > 1 and g, "the question again")
    started = world.run_command(
        *("aws", "ssm", "start-automation-execution", "--document-name", "DR-Reject", "--parameters"),
        json.dumps({"GateId": [again.gate_id], "Reason": ["CHG-9 withdrawn"], "AutomationAssumeRole": [ROLE]}),
    )
    assert automation_ended(run, started.json()["AutomationExecutionId"]) == ""
    ended = run.ended()
    assert ended.status is RunStatus.REJECTED
    assert ended.rejected_by == run.hub.caller
    (decision,) = [e for e in run.events() if e.kind == "decision"]
    assert decision.data == {"verified": True, "arn": run.hub.caller, "account": HUB}
    assert "CHG-9 withdrawn" in decision.message


def automation_ended(run: Running, automation_id: str) -> str:
    """Wait for the end of an automation and return why it failed, or an empty text."""
    ssm = run.hub.hub.client("ssm")

    def ended() -> dict[str, str] | None:
        found: dict[str, str] = ssm.get_automation_execution(AutomationExecutionId=automation_id)["AutomationExecution"]
        return found if found["AutomationExecutionStatus"] in {"Success", "Failed", "TimedOut"} else None

    return str(run.until(ended, "the automation to end").get("FailureMessage", ""))


def test_paused_run_begins_nothing_until_somebody_resumes_it(world: World) -> None:
    # Given a run that waits at its first gate
    shop = world.shop("Pausing", ["ecs-service"])
    run = shop.start("failover", ApprovalMode="required")
    gate = run.gate(GateKind.PLAN)
    # When it is paused and its gate approved all the same
    mark = world.mark()
    said = world.run_command("dr", "pause", run.run_id, "--reason", "look at the graphs")
    assert said.code == 0, said.err
    assert world.run_command("dr", "pause", run.run_id).code == 3
    assert world.run_command("dr", "approve", gate.gate_id).code == 0
    # Then nothing is begun, and the run says why
    held = run.gate(GateKind.PAUSE)
    assert "look at the graphs" in held.question
    assert shop.changes_since(mark) == []
    view = json.loads(world.run_command("dr", "status", run.execution_arn, "--output", "json").out)
    assert view["status"] == "paused"
    assert run.hub.caller == view["paused_by"]
    # When somebody resumes it
    said = world.run_command("dr", "resume", run.run_id)
    assert said.code == 0, said.err
    # Then it goes on to its end, and the pause is people's time
    run.approve_all()
    ended = run.ended()
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    (pause,) = ended.pauses
    assert pause.by == pause.resumed_by == run.hub.caller
    report = world.run_command("dr", "report", run.execution_arn).json()
    assert report["recovery_time_seconds"]["human_wait"] > 0


class Page(ThreadingHTTPServer):
    """An application's health page on this machine, which answers what the story says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 503

    @property
    def url(self) -> str:
        """Return the page's address."""
        return f"http://127.0.0.1:{self.server_address[1]}/health"


class Answer(BaseHTTPRequestHandler):
    """One answer of the page."""

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        """Answer."""
        assert isinstance(self.server, Page)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[Page]:
    """Serve a health page for one story."""
    page = Page()
    thread = threading.Thread(target=page.serve_forever, daemon=True)
    thread.start()
    yield page
    page.shutdown()
    page.server_close()


def test_application_that_is_not_well_stops_activate_and_its_neighbour_of_another_customer_notices_nothing(
    world: World, page: Page
) -> None:
    # Given a service whose application has a health page that answers 503, and the same service of another customer beside it
    neighbour = world.shop("Neighbour", ["ecs-service"])
    shop = world.shop("Unwell", ["ecs-service"], {"ecs-service": {"tags": {"dr:health-check-url": page.url}}})
    picture, mark = neighbour.attributes(), world.mark()
    run = shop.start("failover")
    # When it is activated, and paused and resumed on the way
    assert world.run_command("dr", "pause", run.run_id).code == 0
    assert world.run_command("dr", "resume", run.run_id).code == 0
    gate = run.gate(GateKind.FAILURE)
    # Then ACTIVATE does not pass, and the page is named with its answer
    assert any(f"{page.url}: HTTP 503" in line for line in gate.checklist), gate.checklist
    assert run.outcome("ACTIVATE", shop.service) == "succeeded"
    assert run.outcome("CLEANUP", shop.service) == "pending"
    # When the application is repaired, and a person says retry
    page.status = 200
    said = world.run_command("dr", "decide", gate.gate_id, "retry", "--reason", "the cache is warm")
    assert said.code == 0, said.err
    # Then the run ends well
    ended = run.ended()
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert run.not_served() == []
    # And of the other customer nothing has changed to the last attribute, and nothing was tried
    assert neighbour.attributes() == picture
    changes = [c for c in world.platform_calls_since(mark) if c.mutating and c.account != HUB]
    assert not [c for c in changes if neighbour.slug in str(c.params)]


def test_validation_refused_is_rolled_back_before_the_commit_gate_and_refused_after_it_with_the_way_back(
    world: World,
) -> None:
    # Given a database whose promotion cannot be undone, and a run at its commit gate
    shop = world.shop("Validated", ["rds-replica"])
    before = shop.attributes()
    run = shop.start("failover", ApprovalMode="required")
    run.send(run.gate(GateKind.PLAN), {"approved": True, "approver": OWNER})
    gate = run.gate(GateKind.COMMIT)
    # When the application's owner refuses the validation and wants everything back
    said = world.run_command("dr", "decide", gate.gate_id, "rollback-run", "--reason", "the schema is wrong")
    assert said.code == 0, said.err
    # Then what began is taken back and the run ends, with the old side serving
    ended = run.ended()
    assert ended.status is RunStatus.FAILED
    assert f"rolled back by {run.hub.caller}" in str(ended.failure)
    assert {s.status for s in run.hub.ledger.stages(run.run_id)} <= {"rolled_back", "pending", "skipped"}
    assert shop.attributes() == before
    # When a second run has crossed the line and the owner refuses now
    run = shop.start("failover", ApprovalMode="required")
    for kind in (GateKind.PLAN, GateKind.COMMIT):
        run.send(run.gate(kind), {"approved": True, "approver": OWNER})
    gate = run.gate(GateKind.PHASE)
    said = world.run_command("dr", "decide", gate.gate_id, "rollback-run", "--reason", "the schema is wrong")
    # Then it is refused, names what cannot be taken back, and gives the command of the way back
    assert said.code == 3
    assert "rollback-run is not possible any more: ACTIVATE.rds" in said.err
    assert "dr start --customer Validated --environment production --operation failback" in said.err
    assert run.hub.ledger.gate(run.run_id, gate.gate_id).status is GateStatus.OPEN
    assert world.run_command("dr", "reject", gate.gate_id).code == 0
    assert run.ended().status is RunStatus.REJECTED
