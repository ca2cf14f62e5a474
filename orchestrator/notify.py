"""Messages to people. Written for someone tired: what, where, what to do now."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.aws_errors import translate
from orchestrator.ledger.records import Gate, Run
from orchestrator.words import Choice

SUBJECT_LIMIT = 100
"""Characters SNS accepts as a subject (ASCII, no line breaks)."""


BODY_LIMIT = 60_000
"""Characters that surely fit in the 256 KB of an SNS message, and as much as anybody reads."""


class Notice(StrEnum):
    """What a message is about; a subscription can filter on it."""

    STARTED = "started"
    STAGE_DONE = "stage-done"
    APPROVAL = "approval-needed"
    REMINDER = "approval-overdue"
    DECISION = "decision"
    WARNING = "warning"
    FAILURE = "failure"
    ENDED = "ended"
    READINESS = "readiness"
    """A scope stopped being ready, or is ready again; belongs to no run."""


@dataclass(frozen=True)
class Message:
    """One message."""

    notice: Notice
    customer: str
    run_id: str
    subject: str
    body: str


class Notifier(ABC):
    """Delivers messages."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Deliver; raise `DrError` when the service refuses."""


@dataclass
class MemoryNotifier(Notifier):
    """Keeps messages in a list."""

    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """See `Notifier.send`."""
        self.sent.append(message)


class SnsNotifier(Notifier):
    """Publishes to the hub's topic; attributes let contacts filter by customer and notice (sns:Publish)."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def send(self, message: Message) -> None:
        """See `Notifier.send`."""
        attributes = {"Notice": message.notice.value, "Customer": message.customer, "RunId": message.run_id}
        try:
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=message.subject.encode("ascii", "replace").decode()[:SUBJECT_LIMIT],
                Message=(message.body or message.subject)[:BODY_LIMIT],
                MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()},
            )
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"sns.Publish to {self._topic_arn}") from err


def message(notice: Notice, run: Run, subject: str, body: str) -> Message:
    """Return a message about a run; the subject starts with what is moved."""
    return Message(notice, run.scope.customer, run.run_id, f"[DR] {run.scope} {run.operation}: {subject}", body)


def approval_text(run: Run, gate: Gate, *, with_token: bool = True) -> str:
    """Return the body of an approval request: question, checklist, and the commands to paste."""
    checklist = "\n".join(f"  - {line}" for line in gate.checklist) or "  (nothing to check)"
    lines = [
        gate.question,
        "",
        f"Run {run.run_id} ({run.mode}), {run.source_region} -> {run.target_region}. Gate {gate.gate_id} ({gate.kind}).",
        "",
        "Before you answer:",
        checklist,
        "",
        f"Options: {', '.join(gate.choices)}. Who may answer: {'; '.join(gate.answerers) or 'anybody who may reach the hub'}.",
        "Answer with one of:",
        *(
            f"  dr decide {gate.gate_id} {choice} --region {run.target_region}{_with(choice)}"
            for choice in gate.choices
        ),
        *(_raw_command(run, gate) if with_token else []),
        "",
        "Without an answer for 30 minutes this is asked again and others are alerted; nothing is decided by silence.",
    ]
    return "\n".join(lines)


def _with(choice: Choice) -> str:
    return ' --reason "why" [--resource ONE ...]' if choice is Choice.SKIP else ""


def _raw_command(run: Run, gate: Gate) -> list[str]:
    answer = f'{{"decision": "{gate.choices[0]}", "approver": "YOU@example.com", "gate": "{gate.gate_id}"}}'
    return [
        "or, in the hub account:",
        f"  aws stepfunctions send-task-success --region {run.target_region} --task-token {gate.token} --task-output '{answer}'",
    ]
