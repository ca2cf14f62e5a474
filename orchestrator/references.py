"""References in a manifest's config, such as `{{ssm:/orders/class}}`: found, and resolved at plan time unless secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import BaseModel, JsonValue

from orchestrator.contract import Reader
from orchestrator.errors import DrError

_PLACE = r"(?:(?P<account>\d{12})/(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?"
REFERENCE = re.compile(
    rf"\{{\{{\s*(?P<kind>ssm|cfn):{_PLACE}(?P<name>/[\w./-]+|[A-Za-z][\w-]*\.[A-Za-z0-9]+|[A-Za-z][\w.-]*)\s*\}}\}}"
)
_OPENED = re.compile(r"\{\{.*?\}\}|\{\{.*$")
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,14}")
SECRET = "SecureString"
MISSING_PARAMETER = ("ParameterNotFound", "ParameterVersionNotFound")


class Kind(StrEnum):
    """Where a reference points."""

    SSM = "ssm"
    CFN = "cfn"


@dataclass(frozen=True)
class Reference:
    """One reference. Without account and Region it means the resource's own account, in the Region being activated."""

    text: str
    kind: Kind
    name: str
    account: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Value:
    """What a reference stands for. The value of a secret is never read, so that no plan, report or message can hold it."""

    value: str
    secret: bool = False


class _Parameter(BaseModel):
    Value: str
    Type: str = "String"


class _ParameterReply(BaseModel):
    Parameter: _Parameter


class _Output(BaseModel):
    OutputKey: str
    OutputValue: str


class _Stack(BaseModel):
    Outputs: list[_Output] = []


class _Stacks(BaseModel):
    Stacks: list[_Stack] = []


def located(reference: Reference, account: str, region: str) -> Reference:
    """Return the reference with the place it means: its own, else the resource's."""
    return replace(reference, account=reference.account or account, region=reference.region or region)


def references_of(text: str) -> list[Reference]:
    """Return the references in a string."""
    return [
        Reference(m.group(0), Kind(m.group("kind")), m.group("name"), m.group("account"), m.group("region"))
        for m in REFERENCE.finditer(text)
        if _sound(m)
    ]


def _sound(match: re.Match[str]) -> bool:
    return match.group("kind") == Kind.SSM or ("." in match.group("name") and not match.group("name").startswith("/"))


def malformed(text: str) -> list[str]:
    """Return what looks like a reference and is none."""
    good = {reference.text for reference in references_of(text)}
    return [match.group(0) for match in _OPENED.finditer(text) if match.group(0) not in good]


def look_up(reference: Reference, reader: Reader) -> Value | None:
    """Return what a reference stands for, or None when it does not exist (ssm:GetParameter, cloudformation:DescribeStacks)."""
    if reference.kind is Kind.SSM:
        found = reader.find("ssm", "GetParameter", _ParameterReply, MISSING_PARAMETER, Name=reference.name)
        secret = found is not None and found.Parameter.Type == SECRET
        return Value("" if secret else found.Parameter.Value, secret) if found else None
    stack, _, key = reference.name.partition(".")
    stacks = reader.find("cloudformation", "DescribeStacks", _Stacks, ("ValidationError",), StackName=stack)
    outputs = {o.OutputKey: o.OutputValue for s in (stacks.Stacks if stacks else []) for o in s.Outputs}
    return Value(outputs[key]) if key in outputs else None


def resolve(
    references: Iterable[Reference], open_reader: Callable[[str, str], Reader]
) -> tuple[dict[Reference, Value], dict[Reference, str]]:
    """Return what located references stand for, and why the others could not be resolved.

    `open_reader` takes account and Region.
    """
    values: dict[Reference, Value] = {}
    missing: dict[Reference, str] = {}
    for reference in references:
        where = f"in {reference.account}/{reference.region}"
        try:
            found = look_up(reference, open_reader(reference.account or "", reference.region or ""))
        except DrError as err:
            missing[reference] = str(err)
            continue
        if found is None:
            what = "parameter" if reference.kind is Kind.SSM else "stack output"
            missing[reference] = f"there is no such {what} {where}"
        else:
            values[reference] = found
    return values, missing


def filled(value: JsonValue, values: Mapping[str, Value]) -> JsonValue:
    """Return a config value with its references (text -> value) replaced; a secret stays the reference it is.

    Parameters and outputs are strings: one that stands alone and is a whole number becomes a number.
    """
    if isinstance(value, str):
        alone = values.get(value)
        if alone is not None and not alone.secret and WHOLE_NUMBER.fullmatch(alone.value):
            return int(alone.value)
        for text, found in values.items():
            value = value if found.secret else value.replace(text, found.value)
        return value
    if isinstance(value, dict):
        return {key: filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values) for each in value]
    return value
