"""Answer a gate by its short id; the token stays in the hub, and who answers is what AWS says."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.boundary import verb
from lambdas.callers import automation_caller, caller
from lambdas.composition import platform
from lambdas.tokens import release
from orchestrator.commands import ready
from orchestrator.gates import Answer
from orchestrator.names import Document
from orchestrator.words import Choice

DOCUMENTS = {Choice.APPROVE: Document.APPROVE, Choice.REJECT: Document.REJECT}


class AnswerEvent(BaseModel):
    """A decision; with the id of the automation that gives it, or with a proof."""

    GateId: str
    Choice: Choice
    Reason: str = ""
    Resources: tuple[str, ...] = ()
    Automation: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Send the decision to the waiting state machine (states:SendTaskSuccess)."""
    said = AnswerEvent.model_validate(event)
    if said.Automation and said.Choice in DOCUMENTS:
        parameters = {"GateId": said.GateId, "Reason": said.Reason}
        identity = automation_caller(said.Automation, DOCUMENTS[said.Choice], parameters)
        answer_id = said.Automation
    else:
        identity, answer_id = caller("answer_gate", event)
    answer = Answer(said.Choice, identity.arn, said.Reason, said.Resources, identity)
    made = ready(platform(), said.GateId, answer, answer_id)
    release(str(made.gate.token), made.output)
    return {"Accepted": True, "RunId": made.gate.run_id, "By": identity.arn}
