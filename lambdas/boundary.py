"""The boundary to Step Functions: two error names cross it, and one that ends an execution.

What is not foreseen stays as it is, and is alarmed on.

Step Functions matches error names exactly, so the domain's error tree is folded into `RetryableError` and
`TerminalError`; the message keeps what was observed and what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel
from pydantic import ValidationError as ModelError

from orchestrator.errors import DrError

logger = Logger()

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class RetryableError(Exception):
    """A passing fault; the state machine tries again with back-off."""


class TerminalError(Exception):
    """Trying again would not help; a person must act."""


class RunFailed(Exception):
    """A run that its execution cannot go on with; raised by take_up alone, and meant to end the execution."""


class RunEvent(BaseModel):
    """The event of most verbs: ids only, and how often the execution was redriven where that matters."""

    RunId: str
    Redrives: int = 0


class StageEvent(RunEvent):
    """A run's stage."""

    StageId: str


class GateEvent(RunEvent):
    """A run's gate."""

    GateId: str


def verb(handler: Handler) -> Handler:
    """Log the ids of the event and fold domain errors into the two names that Step Functions knows."""

    @logger.inject_lambda_context(clear_state=True)
    @wraps(handler)
    def wrapped(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        ids = {key: event[key] for key in ("RunId", "StageId", "ActionId", "GateId") if isinstance(event.get(key), str)}
        logger.append_keys(**ids)
        try:
            return handler(event, context)
        except ModelError as err:
            raise TerminalError(f"the event is not of the expected form: {err}") from err
        except DrError as err:
            logger.warning("verb failed", extra={"code": err.code, "reason": err.message})
            raise (RetryableError if err.retryable else TerminalError)(str(err)) from err

    return wrapped
