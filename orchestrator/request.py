"""The input of a run: validated whole before anything happens, every problem named with a suggestion."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic import ValidationError as ModelError

from orchestrator import words
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.words import Approval, Operation, Order, Phase

REGION = re.compile(r"^[a-z]{2}(-[a-z]+)+-\d$")


class Environment(StrEnum):
    """The environments a resource can be tagged with."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


def _region(value: object) -> object:
    if isinstance(value, str) and not REGION.match(value):
        raise ValueError(f'"{value}" is not an AWS Region code such as us-west-2')
    return value


RegionCode = Annotated[str, BeforeValidator(_region)]


class Request(BaseModel):
    """What `aws stepfunctions start-execution --input` carries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    Customer: str = Field(min_length=1, max_length=128, description="Value of the tag Customer.")
    Environment: Environment
    Operation: Operation
    PrimaryRegion: RegionCode = Field(description="The customer's home Region, the same for failover and failback.")
    DRRegion: RegionCode = Field(description="The Region that stands by in normal times.")
    ApprovalMode: Approval = Approval.REQUIRED
    Mode: Order | None = Field(default=None, description="wave or lifecycle; chosen from the resources when absent.")
    Waves: tuple[int, ...] | None = Field(default=None, description="Only these waves.")
    Phases: tuple[Phase, ...] | None = Field(default=None, description="Only these phases.")
    Emergency: bool = Field(
        default=False, description="The source Region is lost: force, report the loss, defer the rest."
    )
    AcceptDataLoss: bool = Field(default=False, description="Needed for an emergency while the source Region answers.")
    DryRun: bool = Field(default=False, description="Stop after plan and readiness; change nothing.")
    Reason: str = Field(default="", max_length=512, description="Ticket or reason, kept in the audit trail.")
    Requester: str = Field(default="", max_length=256, description="Who asks; the caller's identity when absent.")
    DetectedAt: datetime | None = Field(
        default=None, description="When the outage was noticed; starts the recovery clock."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.PrimaryRegion == self.DRRegion:
            raise ValueError(f"PrimaryRegion and DRRegion are both {self.DRRegion}; they must differ")
        if self.Emergency and self.Operation is Operation.TEST:
            raise ValueError("Emergency does not go with Operation test: a drill never touches production")
        if self.Emergency and self.ApprovalMode is Approval.AUTOMATIC and not self.AcceptDataLoss:
            raise ValueError("an emergency without approvals needs AcceptDataLoss: true; unreplicated writes are lost")
        if any(wave < 1 for wave in self.Waves or ()):
            raise ValueError("Waves are numbered from 1")
        if self.Waves == () or self.Phases == ():
            raise ValueError("Waves and Phases must be absent or name at least one")
        return self

    @property
    def source_region(self) -> str:
        """Return the Region being left."""
        return self.DRRegion if self.Operation is Operation.FAILBACK else self.PrimaryRegion

    @property
    def target_region(self) -> str:
        """Return the Region being activated."""
        return self.PrimaryRegion if self.Operation is Operation.FAILBACK else self.DRRegion

    @property
    def mode(self) -> words.Mode:
        """Return how the run treats data and the source side."""
        if self.Operation is Operation.TEST:
            return words.Mode.DRILL
        return words.Mode.EMERGENCY if self.Emergency else words.Mode.PLANNED


def parse(raw: object) -> Request:
    """Return the validated request; raise `ValidationError` naming every problem and what was probably meant."""
    if not isinstance(raw, dict):
        raise ValidationError("the input is not a JSON object.", EXAMPLE, code="BadRequest")
    try:
        return Request.model_validate(raw)
    except ModelError as err:
        problems = [_problem(dict(error), raw) for error in err.errors()]
        raise ValidationError(
            f"the input has {len(problems)} problem(s): {'; '.join(problems)}.", EXAMPLE, code="BadRequest"
        ) from err


def check_hub_region(request: Request, hub_region: str) -> None:
    """Refuse a run outside the Region being activated; the refusal carries the right command."""
    if request.target_region == hub_region:
        return
    payload = json.dumps(request.model_dump(mode="json", exclude_defaults=True), separators=(",", ":"))
    raise RefusedError(
        f"this hub is in {hub_region}, but the run activates {request.target_region}; "
        f"a run is started in the Region that is being activated.",
        f"aws stepfunctions start-execution --region {request.target_region} --state-machine-arn "
        f"arn:aws:states:{request.target_region}:$(aws sts get-caller-identity --query Account --output text)"
        f":stateMachine:DROrchestrator --input '{payload}'",
        code="WrongHubRegion",
    )


EXAMPLE = (
    'give for example {"Customer":"CustomerX","Environment":"production","Operation":"failover",'
    '"PrimaryRegion":"us-east-1","DRRegion":"us-west-2","ApprovalMode":"required"}'
)


def closest(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean "x"?)' for a near miss, else an empty string."""
    near = difflib.get_close_matches(word.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.6)
    original = {k.lower(): k for k in known}
    return f' (did you mean "{original[near[0]]}"?)' if near else ""


def _problem(error: dict[str, Any], raw: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "input"
    if error["type"] == "extra_forbidden":
        return f"unknown field {where}{closest(where, Request.model_fields)}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "enum":
        expected = str(error["ctx"]["expected"]).replace("'", "")
        known = [word.strip() for word in re.split(r",| or ", expected)]
        return f'{where} is "{error["input"]}", expected one of {expected}{closest(str(error["input"]), known)}'
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if where == "input" else f"{where}: {message}"
