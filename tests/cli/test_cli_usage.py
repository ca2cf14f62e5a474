"""`dr` without AWS: wrong use is explained, nothing is changed without consent, ids are told apart."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from cli import order_commands, run_commands
from cli.hub import HubRegion
from cli.main import dr
from cli.options import Exit, confirm
from cli.run_commands import locate, new_run_id, payload
from orchestrator.blobs import MemoryBlobs
from orchestrator.clock import SystemClock
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.request import parse

SCOPE = ["--customer", "CustomerX", "--primary-region", "us-east-1", "--dr-region", "us-west-2"]
REQUEST = {
    "Customer": "CustomerX",
    "Environment": "production",
    "Operation": "failover",
    "PrimaryRegion": "us-east-1",
    "DRRegion": "us-west-2",
}
EXECUTION = "arn:aws:states:us-west-2:111111111111:execution:DROrchestrator:CustomerX-1"


@dataclass
class Functions:
    """Answers lambda:Invoke with a fixed reply and remembers what was asked."""

    reply: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    region = "us-west-2"
    session = boto3.Session("AKIDOPERATOR", "secret", region_name="us-west-2")

    def client(self, service: str) -> Any:
        if service == "sts":  # only asked where it is
            return self.session.client("sts")
        assert service == "lambda", f"{service} was called; nothing but a function should be"
        return self

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.asked.append((FunctionName, Payload.decode()))
        return self.reply


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Let commands enter a hub that has functions only, and an empty ledger."""
    found = Functions()

    def enter(region: str) -> HubRegion:
        caller = "arn:aws:iam::111111111111:user/operator"
        return HubRegion(region, "111111111111", caller, found, MemoryLedger(), MemoryBlobs())  # type: ignore[arg-type]

    monkeypatch.setattr(run_commands, "enter", enter)
    monkeypatch.setattr(order_commands, "enter", enter)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dr, list(arguments), env={"AWS_REGION": "us-west-2"})


def answering(payload: str, error: str | None = None) -> dict[str, Any]:
    """Return a reply of lambda:Invoke."""
    return {"Payload": io.BytesIO(payload.encode()), **({"FunctionError": error} if error else {})}


def test_misspelt_operation_is_wrong_use_and_suggests_the_right_word() -> None:
    done = run("start", *SCOPE, "--operation", "failovr", "--yes")
    assert done.exit_code == Exit.USAGE
    assert 'did you mean "failover"' in done.stderr
    assert done.stdout == ""


def test_every_problem_of_a_request_is_named_at_once() -> None:
    done = run("plan", *SCOPE[:4], "--dr-region", "us-east-1", "--environment", "prod", "--waves", "0")
    assert done.exit_code == Exit.USAGE
    assert "must differ" in done.stderr
    assert "expected one of production, staging or development" in done.stderr
    assert "Waves are numbered from 1" in done.stderr


def test_misspelt_option_is_wrong_use_and_suggests_the_right_one() -> None:
    done = run("start", "--custmer", "CustomerX")
    assert done.exit_code == Exit.USAGE
    assert "--customer" in done.stderr


def test_emergency_without_approvals_must_accept_the_loss() -> None:
    done = run("start", *SCOPE, "--emergency", "--approval", "automatic", "--yes")
    assert done.exit_code == Exit.USAGE
    assert "AcceptDataLoss" in done.stderr


def test_start_without_a_terminal_and_without_yes_is_refused_and_starts_nothing(functions: Functions) -> None:
    done = run("start", *SCOPE)
    assert done.exit_code == Exit.REFUSED
    assert "add --yes" in done.stderr
    assert functions.asked == []


def test_escalate_without_a_terminal_and_without_yes_is_refused_and_orders_nothing(functions: Functions) -> None:
    done = run("escalate", "CustomerX-1")
    assert done.exit_code == Exit.REFUSED
    assert functions.asked == []


def test_completing_a_run_nobody_knows_is_refused_and_what_is_missing_otherwise_is_told(functions: Functions) -> None:
    done = run("start", "--complete", "CustomerX-404", "--yes")
    assert done.exit_code == Exit.REFUSED
    assert "there is none of that name" in done.stderr
    done = run("start", "--yes")
    assert done.exit_code == Exit.USAGE
    assert "Customer is missing" in done.stderr
    assert functions.asked == []


def test_cancel_without_a_terminal_and_without_yes_is_refused_and_cancels_nothing(functions: Functions) -> None:
    done = run("cancel", "CustomerX-1")
    assert done.exit_code == Exit.REFUSED
    assert functions.asked == []


@pytest.mark.parametrize(("typed", "goes_on"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_question_at_a_terminal_takes_only_yes_for_yes(
    monkeypatch: pytest.MonkeyPatch, typed: str, goes_on: bool
) -> None:
    terminal = io.StringIO(typed)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    if goes_on:
        confirm("Go?", yes=False)
    else:
        with pytest.raises(RefusedError, match="nothing was changed"):
            confirm("Go?", yes=False)


def test_answer_is_sent_in_the_callers_name(functions: Functions) -> None:
    functions.reply = answering('{"Accepted": true, "RunId": "CustomerX-1", "By": "arn:aws:iam::1:user/kim"}')
    done = run("decide", "g-12345678", "retry", "--reason", "capacity is back")
    assert (done.exit_code, done.stdout) == (Exit.DONE, "retry sent to run CustomerX-1 as arn:aws:iam::1:user/kim\n")
    ((name, event),) = functions.asked
    assert name == "dr-answer-gate"
    assert '"Choice": "retry"' in event
    assert "AWS4-HMAC-SHA256 Credential=AKIDOPERATOR" in event


def test_answer_that_the_hub_refuses_ends_in_its_words(functions: Functions) -> None:
    functions.reply = answering('{"errorMessage": "gate g-12345678 is answered"}', "Unhandled")
    done = run("approve", "g-12345678")
    assert done.exit_code == Exit.REFUSED
    assert "gate g-12345678 is answered" in done.stderr


def test_decision_that_does_not_exist_is_wrong_use(functions: Functions) -> None:
    done = run("decide", "g-12345678", "retri")
    assert done.exit_code == Exit.USAGE
    assert "retry" in done.stderr
    assert functions.asked == []


def test_region_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DR_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(dr, ["approve", "g-12345678"])
    assert done.exit_code == Exit.USAGE
    assert "--region" in done.stderr


def test_run_is_located_by_execution_arn_or_by_id() -> None:
    assert locate(EXECUTION, "us-east-1") == ("CustomerX-1", "us-west-2")
    assert locate("CustomerX-1", "us-east-1") == ("CustomerX-1", "us-east-1")


@pytest.mark.parametrize("arn", ["arn:aws:states:us-west-2", "arn:aws:s3:::bucket:with:many:colons"])
def test_arn_of_something_else_is_refused(arn: str) -> None:
    with pytest.raises(ValidationError, match="is not an execution ARN"):
        locate(arn, "us-east-1")


def test_run_ids_are_unique_readable_and_fit_an_execution_name() -> None:
    request = parse({**REQUEST, "Customer": "Example: " + "x" * 100, "Environment": "development"})
    ids = {new_run_id(request, SystemClock().now()) for _ in range(50)}
    assert len(ids) == 50
    assert all(len(each) <= 80 and re.fullmatch(r"[A-Za-z0-9_-]+", each) for each in ids)
    assert all("development-failover" in each for each in ids)


def test_execution_input_carries_only_what_was_asked_for() -> None:
    assert payload(parse({**REQUEST, "DryRun": True})) == {**REQUEST, "DryRun": True, "ApprovalMode": "required"}


def test_skip_names_resources_and_a_choice_given_twice_differently_is_wrong_use(functions: Functions) -> None:
    functions.reply = answering('{"Accepted": true, "RunId": "CustomerX-1", "By": "kim"}')
    done = run(
        *("decide", "g-12345678", "--choice", "skip", "--resource", "ecs/a", "--resource", "ecs/b", "--reason", "CHG-1")
    )
    assert done.exit_code == Exit.DONE, done.stderr
    assert '"Resources": ["ecs/a", "ecs/b"]' in functions.asked[0][1]
    for arguments in (("decide", "g-12345678"), ("decide", "g-12345678", "retry", "--choice", "skip")):
        wrong = run(*arguments)
        assert wrong.exit_code == Exit.USAGE
        assert "one answer is needed" in wrong.stderr
    assert len(functions.asked) == 1


@pytest.mark.parametrize(("verb", "function"), [("pause", "dr-pause-run"), ("resume", "dr-resume-run")])
def test_pause_and_resume_are_ordered_with_a_proof_of_who_wants_it(
    functions: Functions, verb: str, function: str
) -> None:
    functions.reply = answering('{"By": "kim"}')
    done = run(verb, EXECUTION, "--reason", "CHG-1")
    assert done.exit_code == Exit.DONE, done.stderr
    ((name, event),) = functions.asked
    assert name == function
    assert '"RunId": "CustomerX-1"' in event
    assert "AWS4-HMAC-SHA256" in event


def test_what_happens_on_failure_is_said_beforehand() -> None:
    done = run("start", *SCOPE, "--on-failure", "rolback", "--success", "2=most", "--yes")
    assert done.exit_code == Exit.USAGE
    assert 'OnFailure is "rolback"' in done.stderr
    assert 'SuccessRules of wave 2: "most"' in done.stderr
