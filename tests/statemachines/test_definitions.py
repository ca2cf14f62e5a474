"""The loader: tokens are complete, rendering forgets nothing, and AWS's own validator has no objection."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from statemachines.definitions import (
    DefinitionError,
    MachineName,
    declared_tokens,
    function_token,
    load,
    machine_token,
    path,
    render,
    tokens,
)

ROOT = Path(__file__).parents[2]
VALIDATOR = ROOT / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
INSTALL = "Install the pinned npm tools: PATH=.venv/bin:$PATH npm ci"


def substitutions(name: str) -> dict[str, str]:
    return {token: f"arn:aws:test:us-west-2:111111111111:{token}" for token in declared_tokens(name)}


def node() -> Path:
    """Return the Node of the virtual environment."""
    found = ROOT / ".venv" / "bin" / "node"
    candidates = [found, *(Path(folder) / "node" for folder in os.environ["PATH"].split(os.pathsep))]
    return next((candidate for candidate in candidates if candidate.exists()), found)


def validate(definition: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run asl-validator on a definition."""
    assert node().exists(), f"Node is missing. {INSTALL}"
    assert VALIDATOR.exists(), f"asl-validator is missing. {INSTALL}"
    file = folder / "machine.asl.json"
    file.write_text(json.dumps(definition), encoding="utf-8")
    command = [str(node()), str(VALIDATOR), "--json-path", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", MachineName)
def test_machine_as_deployed_passes_asl_validator(name: str, tmp_path: Path) -> None:
    result = validate(json.loads(render(name, substitutions(name))), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_asl_validator_sees_a_broken_machine(tmp_path: Path) -> None:
    # Given a machine with an unknown field value, then the validator is awake enough to refuse it
    definition = load("wave")
    definition["States"]["Run Group"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "SLOW"
    assert validate(definition, tmp_path).returncode != 0


@pytest.mark.parametrize("name", MachineName)
def test_render_all_tokens_bound_leaves_none_behind(name: str) -> None:
    rendered = render(name, substitutions(name))
    assert tokens(rendered) == frozenset()
    assert all(value in rendered for value in substitutions(name).values())


def test_render_token_without_binding_is_refused_by_name() -> None:
    bound = substitutions("wave")
    del bound["AdvanceFunctionArn"]
    with pytest.raises(DefinitionError, match=r"wave: tokens without substitution: \['AdvanceFunctionArn'\]"):
        render("wave", bound)


def test_render_binding_without_token_is_refused_by_name() -> None:
    with pytest.raises(DefinitionError, match=r"substitutions without token: \['Old'\]"):
        render("wave", substitutions("wave") | {"Old": "x"})


def test_render_value_with_quotes_stays_json() -> None:
    rendered = json.loads(render("wave", substitutions("wave") | {"AdvanceFunctionArn": 'a"b\\c'}))
    advance = rendered["States"]["Run Group"]["ItemProcessor"]["States"]["Advance"]
    assert advance["Arguments"]["FunctionName"] == 'a"b\\c'


def test_load_unknown_machine_lists_the_known_ones() -> None:
    with pytest.raises(DefinitionError, match="'waves' does not exist; expected one of orchestrator, lifecycle, wave"):
        load("waves")


def test_load_file_that_is_no_json_says_how_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statemachines.definitions.text", lambda _name: '{"States": ')
    with pytest.raises(DefinitionError, match=r"wave.asl.json is not JSON.*python -m json.tool"):
        load("wave")


def test_token_names_follow_verb_and_machine() -> None:
    assert function_token("open_gate") == "OpenGateFunctionArn"
    assert machine_token("wave") == "WaveStateMachineArn"
    assert path("wave").name == "wave.asl.json"
