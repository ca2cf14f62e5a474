"""What moto's Step Functions interpreter needs to behave like AWS; all its patches live in this package.

- `expressions`: JSONata through jsonata-python, compiled once, variables bound instead of pasted into the text.
- `interruption`: no thread per task, no polling: waits, retries and timeouts end when an execution is stopped;
  waits follow the clock.
- `clients`: service integrations call the embedded AWS in process, as the state machine's role.
- `callbacks`: task tokens, heartbeats, `startExecution.sync`.
- `maps`: inline maps without recursion; a Distributed Map runs real child executions.
- `definitions`: definitions are parsed once.
"""

from __future__ import annotations

from localaws.stepfunctions_patches import callbacks, clients, definitions, expressions, interruption, maps
from localaws.stepfunctions_patches.engine import Engine, use


def install(engine: Engine) -> None:
    """Patch the interpreter (again: nothing happens) and make `engine` the one it runs on."""
    use(engine)
    for module in (definitions, expressions, interruption, clients, callbacks, maps):
        module.patch()
