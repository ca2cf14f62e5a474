"""Take up an interrupted run when its execution is redriven; fail the execution until then."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, RunFailed, verb
from lambdas.composition import platform
from orchestrator.errors import DrError
from orchestrator.linked import redrive_command
from orchestrator.redriving import go_on


class BrokenEvent(RunEvent):
    """A run whose execution broke, and how."""

    Summary: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Fail in such a way that a redrive comes back here: Step Functions calls a Task again, and fails in a Fail state again."""
    broken = BrokenEvent.model_validate(event)
    run = platform().ledger.run(broken.RunId)
    if broken.Redrives == run.redrives:
        raise RunFailed(f"{broken.Summary} To go on when it is repaired: {redrive_command(run)}".strip())
    try:
        return {"RunId": go_on(platform(), run.run_id, broken.Redrives).run_id}
    except DrError as err:
        raise RunFailed(str(err)) from err
