"""The one loader of the state machines, used by the infrastructure, the tests and the embedded AWS.

A definition is raw JSONata ASL with `${Token}` placeholders inside string values. Every token ends in
`FunctionArn` (the verb's Lambda) or `StateMachineArn` (a nested machine); `bindings` of the infrastructure
couple each with its grant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TOKEN = re.compile(r"\$\{([A-Za-z][A-Za-z0-9]*)\}")
FUNCTION_SUFFIX = "FunctionArn"
MACHINE_SUFFIX = "StateMachineArn"

Definition = Mapping[str, Any]


class MachineName(StrEnum):
    """The machines, by file name."""

    ORCHESTRATOR = "orchestrator"
    LIFECYCLE = "lifecycle"
    WAVE = "wave"


PHYSICAL_NAMES: Mapping[MachineName, str] = {
    MachineName.ORCHESTRATOR: "DROrchestrator",
    MachineName.LIFECYCLE: "DRLifecycle",
    MachineName.WAVE: "DRWave",
}
"""Names in AWS: people type them."""

VERBS: Mapping[MachineName, frozenset[str]] = {
    MachineName.ORCHESTRATOR: frozenset(
        {"accept_request", "take_inventory", "build_plan", "check_readiness", "finish_run", "take_up"}
    ),
    MachineName.LIFECYCLE: frozenset({"next_move", "open_gate", "remind_gate", "record_decision", "close_stage"}),
    MachineName.WAVE: frozenset({"start_stage", "advance", "check_health", "close_stage"}),
}
"""The Lambda verbs each machine calls."""

NESTED: Mapping[MachineName, frozenset[MachineName]] = {
    MachineName.ORCHESTRATOR: frozenset({MachineName.LIFECYCLE}),
    MachineName.LIFECYCLE: frozenset({MachineName.WAVE}),
    MachineName.WAVE: frozenset(),
}
"""The machines each machine starts and waits for."""


class DefinitionError(ValueError):
    """A definition does not exist, is not JSON, or was given the wrong substitutions."""


def function_token(verb: str) -> str:
    """Return the token that stands for a verb's function ARN, e.g. "open_gate" -> "OpenGateFunctionArn"."""
    return "".join(part.capitalize() for part in verb.split("_")) + FUNCTION_SUFFIX


def machine_token(name: str) -> str:
    """Return the token that stands for a machine's ARN, e.g. "wave" -> "WaveStateMachineArn"."""
    return MachineName(name).value.capitalize() + MACHINE_SUFFIX


def declared_tokens(name: str) -> frozenset[str]:
    """Return the tokens a machine must use: its verbs' and its nested machines', no more and no fewer."""
    machine = MachineName(name)
    return frozenset(map(function_token, VERBS[machine])) | frozenset(map(machine_token, NESTED[machine]))


def path(name: str) -> Path:
    """Return the file of a machine; DefinitionError for a name we do not have."""
    if name not in set(MachineName):
        known = ", ".join(MachineName)
        raise DefinitionError(f"state machine {name!r} does not exist; expected one of {known}.")
    return FOLDER / f"{MachineName(name).value}.asl.json"


def text(name: str) -> str:
    """Return a machine's definition as written, tokens unreplaced."""
    return path(name).read_text(encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    """Return a machine's definition as a dict, tokens unreplaced; DefinitionError when it is not a JSON object."""
    try:
        definition = json.loads(text(name))
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{path(name)} is not JSON: {error}. Try: python -m json.tool {path(name)}") from error
    if not isinstance(definition, dict):
        raise DefinitionError(f"{path(name)} holds a {type(definition).__name__}, expected an object.")
    return definition


def tokens(definition: Definition | str) -> frozenset[str]:
    """Return the names of all `${Token}` placeholders of a definition, given as text or as a dict."""
    source = definition if isinstance(definition, str) else json.dumps(definition)
    return frozenset(TOKEN.findall(source))


def render(name: str, substitutions: Mapping[str, str]) -> str:
    """Return a machine's definition as text with every token replaced.

    Raises DefinitionError when a token has no substitution or a substitution has no token, so that no binding is
    forgotten and none lingers.
    """
    source = text(name)
    wanted = tokens(source)
    missing, unused = sorted(wanted - set(substitutions)), sorted(set(substitutions) - wanted)
    if missing or unused:
        raise DefinitionError(
            f"{name}: tokens without substitution: {missing or 'none'}; substitutions without token: "
            f"{unused or 'none'}. Bind exactly: {', '.join(sorted(wanted))}."
        )
    return TOKEN.sub(lambda match: json.dumps(substitutions[match[1]])[1:-1], source)
