"""A document of schema 0.3 and the values given to its parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from localaws.service import AwsError

_LIST_TYPES = re.compile(r"^(StringList|MapList|List<.+>)$")


@dataclass(frozen=True)
class Output:
    """A named part of a step's reply."""

    name: str
    selector: str
    type: str


@dataclass(frozen=True)
class Step:
    """One step of `mainSteps`."""

    name: str
    action: str
    inputs: Mapping[str, Any]
    outputs: tuple[Output, ...] = ()
    on_failure: str = "Abort"
    critical: bool = True
    end: bool = False
    next_step: str | None = None
    max_attempts: int = 1
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Document:
    """An Automation document, parsed."""

    description: str
    assume_role: str
    parameters: Mapping[str, Mapping[str, Any]]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...] = field(default=())


def parse(text: str) -> Document:
    """Read a document in JSON or YAML. Raises InvalidDocumentContent."""
    try:
        content = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise _invalid(f"neither JSON nor YAML: {error}") from error
    if not isinstance(content, dict) or str(content.get("schemaVersion")) != "0.3":
        raise _invalid("schemaVersion: expected '0.3'")
    steps = tuple(_step(step) for step in content.get("mainSteps", []))
    names = [step.name for step in steps]
    if not steps or len(set(names)) != len(names):
        raise _invalid("mainSteps: expected at least one step and no name twice")
    outputs = tuple(item if isinstance(item, str) else str(item.get("Value")) for item in content.get("outputs", []))
    assume_role = str(content.get("assumeRole") or "")
    return Document(str(content.get("description", "")), assume_role, content.get("parameters") or {}, steps, outputs)


def bind(document: Document, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the value of every parameter. Raises InvalidAutomationExecutionParametersException."""
    unknown = sorted(set(given) - set(document.parameters))
    if unknown:
        raise _bad(f"Parameters {unknown} are not defined in the document")
    return {name: _value(name, declared, given.get(name)) for name, declared in document.parameters.items()}


def _step(step: Mapping[str, Any]) -> Step:
    try:
        outputs = tuple(Output(o["Name"], o["Selector"], o.get("Type", "String")) for o in step.get("outputs", []))
        timeout = step.get("timeoutSeconds")
        return Step(
            name=step["name"],
            action=step["action"],
            inputs=step.get("inputs") or {},
            outputs=outputs,
            on_failure=step.get("onFailure", "Abort"),
            critical=_flag(step.get("isCritical", True)),
            end=_flag(step.get("isEnd", False)),
            next_step=step.get("nextStep"),
            max_attempts=int(step.get("maxAttempts", 1)),
            timeout_seconds=float(timeout) if timeout is not None else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"step {step!r}: {error!r}") from error


def _value(name: str, declared: Mapping[str, Any], given: Sequence[str] | None) -> Any:
    if given is None:
        if "default" not in declared:
            raise _bad(f"Parameter {name} is required")
        return declared["default"]
    kind = str(declared.get("type", "String"))
    value = _typed(name, kind, given)
    for item in value if isinstance(value, list) else [value]:
        _check(name, declared, item)
    return value


def _typed(name: str, kind: str, given: Sequence[str]) -> Any:
    if _LIST_TYPES.match(kind):
        return [json.loads(item) for item in given] if kind == "MapList" else list(given)
    if len(given) != 1:
        raise _bad(f"Parameter {name}: expected one value, got {len(given)}")
    text = given[0]
    try:
        if kind == "StringMap":
            return json.loads(text)
        if kind == "Integer":
            return int(text)
    except ValueError as error:
        raise _bad(f"Parameter {name}: {text!r} is no {kind}") from error
    if kind == "Boolean":
        if text.lower() not in {"true", "false"}:
            raise _bad(f"Parameter {name}: {text!r} is no Boolean")
        return text.lower() == "true"
    return text


def _check(name: str, declared: Mapping[str, Any], value: Any) -> None:
    allowed, pattern = declared.get("allowedValues"), declared.get("allowedPattern")
    if allowed is not None and value not in allowed:
        raise _bad(f"Parameter {name}: {value!r} is not in the allowed values {allowed}")
    text = value if isinstance(value, str) else json.dumps(value)
    if pattern is not None and not re.search(pattern, text):
        raise _bad(f"Parameter {name}: {text!r} does not match the allowed pattern {pattern}")
    if not int(declared.get("minChars", 0)) <= len(text) <= int(declared.get("maxChars", 1 << 20)):
        raise _bad(f"Parameter {name}: {len(text)} characters")


def _flag(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def _invalid(what: str) -> AwsError:
    return AwsError("InvalidDocumentContent", f"The document is not valid: {what}")


def _bad(what: str) -> AwsError:
    return AwsError("InvalidAutomationExecutionParametersException", what)
