"""Scenario files: what goes wrong, and when.

A scenario is YAML. Fields, all optional unless marked:

    name: what the file is called in messages
    seed: number the random choices start from (default 1), so that a scenario repeats itself
    clock: {speed: AWS seconds per second}
    faults:                      a list; each has `effect` and the fields of that effect
      - effect: throttle         REQUIRED. One of:
          throttle              refuse above `rate` calls/s with bursts of `burst`, per account, Region and API
                                (`per: service`: all its APIs share one bucket)
          error                 answer `code`, `message`, `status` instead
          lost-answer           let the call take effect, then drop the connection
          delay                 answer after `seconds` (wall clock)
          blackout              the Region `region` is dark: connections close, its functions and endpoints stop
          control-plane-down    `service` answers every call with 503 ServiceUnavailable
          stuck / fail / slow   what becomes of a transition (`kind`, `resource`): it never ends, it fails, it
                                takes `times` as long
        after_seconds: N         AWS seconds from the start of the scenario until the fault begins (default 0)
        for_seconds: N           AWS seconds the fault lasts (default: for ever)
        id: name                 to remove it again; drawn when absent
        # which calls; every field given must match, patterns may contain * and ?
        service: rds             botocore's name, or a pattern
        operation: Promote*      PascalCase, or a pattern
        account: "111111111111"
        region: us-east-1
        resource: orders         found anywhere in the request's parameters
        role: dr-*               the caller's role name, or a pattern
        nth: 2                   only the 2nd matching call (or a list: [1, 3])
        first: 3                 only the first 3 matching calls
        probability: 0.2         by chance, from `seed`
        # which transitions (stuck, fail, slow)
        kind: rds.switchover-*   REQUIRED for these
        resource: orders-*       substring, or a pattern when it contains * or ?

The same objects travel over `/_localaws/faults`: GET lists them, POST adds one (or a list, or a whole
scenario), DELETE removes one by `?id=` or all.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator


class ScenarioError(Exception):
    """A scenario file or fault that does not say what to do."""


class Effect(StrEnum):
    """What a fault does."""

    THROTTLE = "throttle"
    ERROR = "error"
    LOST_ANSWER = "lost-answer"
    DELAY = "delay"
    BLACKOUT = "blackout"
    CONTROL_PLANE_DOWN = "control-plane-down"
    STUCK = "stuck"
    FAIL = "fail"
    SLOW = "slow"


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    after_seconds: float = Field(default=0, ge=0)
    for_seconds: float | None = Field(default=None, gt=0)


class _OnCalls(_Fault):
    service: str = "*"
    operation: str = "*"
    account: str = "*"
    region: str = "*"
    resource: str | None = None
    role: str | None = None
    nth: int | list[int] | None = None
    first: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1, gt=0, le=1)


class Throttle(_OnCalls):
    """Refuse what exceeds a token bucket of `rate` calls per second."""

    effect: Literal[Effect.THROTTLE]
    rate: float = Field(ge=0)
    burst: float = Field(default=1, ge=1)
    per: Literal["api", "service"] = "api"


class ErrorAnswer(_OnCalls):
    """Answer an error instead of acting."""

    effect: Literal[Effect.ERROR]
    code: str
    message: str = "Injected by the scenario."
    status: int = Field(default=400, ge=400, le=599)


class LostAnswer(_OnCalls):
    """Act, then drop the connection."""

    effect: Literal[Effect.LOST_ANSWER]


class Delay(_OnCalls):
    """Answer later."""

    effect: Literal[Effect.DELAY]
    seconds: float = Field(gt=0, le=300)


class Blackout(_Fault):
    """A Region that no longer answers anything."""

    effect: Literal[Effect.BLACKOUT]
    region: str


class ControlPlaneDown(_Fault):
    """A service whose every call fails with 503."""

    effect: Literal[Effect.CONTROL_PLANE_DOWN]
    service: str
    region: str = "*"


class Transition(_Fault):
    """A change of state that never ends, fails, or takes longer."""

    effect: Literal[Effect.STUCK, Effect.FAIL, Effect.SLOW]
    kind: str
    resource: str = "*"
    times: float | None = Field(default=None, gt=1)
    first: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _times_belong_to_slow(self) -> Transition:
        if (self.effect is Effect.SLOW) != (self.times is not None):
            raise ValueError("`times` is needed for slow, and only there")
        return self


CallFault = Throttle | ErrorAnswer | LostAnswer | Delay
Fault = Annotated[CallFault | Blackout | ControlPlaneDown | Transition, Field(discriminator="effect")]


class ClockSettings(BaseModel):
    """How fast AWS time passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: float = Field(gt=0)


class Scenario(BaseModel):
    """A whole scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "scenario"
    seed: int = 1
    clock: ClockSettings | None = None
    faults: tuple[Fault, ...] = ()


_FAULTS: TypeAdapter[Fault] = TypeAdapter(Fault)


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a YAML file; raise `ScenarioError` naming the file and what is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return parse_scenario({"name": path.stem, **(content or {})}, str(path))


def parse_scenario(content: Any, where: str = "scenario") -> Scenario:
    """Return the scenario in parsed YAML or JSON; raise `ScenarioError`."""
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError(f"{where}: {_explain(error)}") from error


def parse_fault(content: Any) -> Fault:
    """Return one fault; raise `ScenarioError`."""
    try:
        return _FAULTS.validate_python(content)
    except ValidationError as error:
        raise ScenarioError(f"fault: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """Say each problem in one line: where, what was found, what is expected."""
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        lines.append(f"{place}: {problem['msg']}")
    return "; ".join(lines)
