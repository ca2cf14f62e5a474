"""Say what a run does next: a gate, a stage, or the end."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.composition import platform
from orchestrator.moving import decide_next
from orchestrator.progress import Ask, RunStage
from orchestrator.redriving import go_on


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Say what a run does next: a gate, a stage, or the end."""
    asked = RunEvent.model_validate(event)
    move = decide_next(platform(), go_on(platform(), asked.RunId, asked.Redrives).run_id)
    if isinstance(move, Ask):
        return {"Move": "gate", "GateId": move.gate_id}
    if isinstance(move, RunStage):
        return {"Move": "stage", "StageId": move.stage.stage_id, "Attempt": move.stage.attempt}
    return {"Move": "finish"}
