"""The input of a run: validated whole before anything happens, every problem named with a suggestion."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic import ValidationError as ModelError

from orchestrator import success, words
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.leases import LONGEST_MINUTES, SHORTEST_MINUTES
from orchestrator.words import Approval, Operation, Order, Phase

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
CUSTOMER = re.compile(r"[\w.:/=+@-]([\w .:/=+@-]*[\w.:/=+@-])?")
"""What AWS allows in a tag value, without blanks around it; quotes would reach Resource Explorer's filter."""


class Environment(StrEnum):
    """The environments a resource can be tagged with."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


def _region(value: object) -> object:
    if isinstance(value, str) and not REGION.fullmatch(value):
        raise ValueError(f'"{value}" is not an AWS Region code such as us-west-2')
    return value


def _customer(value: object) -> object:
    if isinstance(value, str) and value and not CUSTOMER.fullmatch(value):
        raise ValueError(f'"{value}" cannot be the value of a tag: letters, digits, blanks inside, and . : / = + - @ _')
    return value


RegionCode = Annotated[str, BeforeValidator(_region)]
CustomerName = Annotated[str, BeforeValidator(_customer)]


class Request(BaseModel):
    """What `aws stepfunctions start-execution --input` carries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    Customer: CustomerName = Field(min_length=1, max_length=128, description="Value of the tag Customer.")
    Environment: Environment
    Operation: Operation
    PrimaryRegion: RegionCode = Field(description="The customer's home Region, the same for failover and failback.")
    DRRegion: RegionCode = Field(description="The Region that stands by in normal times.")
    ApprovalMode: Approval = Approval.REQUIRED
    Mode: Order | None = Field(default=None, description="wave or lifecycle; chosen from the resources when absent.")
    Waves: tuple[int, ...] | None = Field(default=None, description="Only these waves.")
    Phases: tuple[Phase, ...] | None = Field(default=None, description="Only these phases.")
    Manifest: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="Key of a manifest in the hub's bucket; tags alone when absent.",
    )
    ManifestVersion: str | None = Field(
        default=None, min_length=1, max_length=1024, description="Version id of that manifest; the newest when absent."
    )
    Emergency: bool = Field(
        default=False, description="The source Region is lost: force, report the loss, defer the rest."
    )
    AcceptDataLoss: bool = Field(default=False, description="Needed for an emergency without approvals.")
    Complete: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description="Id of an ended emergency run: do what it deferred, now that its source Region is back. Or of an ended drill: "
        "remove the copies it left. Everything that says what is moved comes from that run.",
    )
    Escalate: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description="Id of a planned run that was ordered to become an emergency; dr escalate fills it in.",
    )
    Decommission: bool = Field(
        default=False,
        description="Delete the old side at the end, after a healthy REPLICATE and an approval of its own.",
    )
    LeaseMinutes: int | None = Field(
        default=None,
        description=f"Of a drill: how long its copies may stay, {SHORTEST_MINUTES} to {LONGEST_MINUTES} minutes from the start; "
        "then they are removed whatever has become of the run, and at once when it fails or somebody ends it. By the "
        "deployment's configuration when absent.",
    )
    CostCeilingUSD: float | None = Field(
        default=None,
        description="Of a drill: what its copies may cost in the whole lease, by estimate; a dearer one is refused. By the "
        "deployment's configuration when absent.",
    )
    OnFailure: words.OnFailure = Field(
        default=words.OnFailure.ASK,
        description="What happens when a stage does not pass: ask a person, continue without what failed, rollback the whole "
        "run as far as it can be taken back (else a person is asked), or abort.",
    )
    SuccessRules: Mapping[str, str] | None = Field(
        default=None,
        description='How much of a wave must succeed: {"2": "critical", "3": "90%", "*": "all"}. all (the default); '
        "critical: only resources with dr:priority critical; a percentage: those, and as many of all. Resources with "
        "dr:optional true never count. What is lost is left alone and ends as failed_ignored.",
    )
    DryRun: bool = Field(default=False, description="Stop after plan and readiness; change nothing.")
    Reason: str = Field(default="", max_length=512, description="Ticket or reason, kept in the audit trail.")
    Requester: str = Field(default="", max_length=256, description="Who asks; dr fills in its caller.")
    DetectedAt: AwareDatetime | None = Field(
        default=None, description="When the outage was noticed, with its time zone; starts the recovery clock."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [problem for applies, problem in self._rules() if applies]
        if problems:
            raise ValueError(SEPARATOR.join(problems))
        return self

    def _rules(self) -> list[tuple[bool, str]]:
        unapproved = self.ApprovalMode is Approval.AUTOMATIC and not self.AcceptDataLoss
        return [
            (
                self.PrimaryRegion == self.DRRegion,
                f"PrimaryRegion and DRRegion are both {self.DRRegion}; they must differ",
            ),
            (
                self.Emergency and self.Operation is Operation.TEST,
                "Emergency does not go with Operation test: a drill never touches production",
            ),
            (
                self.Emergency and unapproved,
                "an emergency without approvals needs AcceptDataLoss: true; unreplicated writes are lost",
            ),
            (
                self.Decommission and self.mode is not words.Mode.PLANNED,
                "Decommission goes only with a planned run: a drill deletes its copies by itself, and after an emergency the "
                "old side is the only other copy",
            ),
            (
                self.Decommission and self.ApprovalMode is Approval.AUTOMATIC,
                "Decommission deletes the old side and needs ApprovalMode required",
            ),
            (
                self.Decommission and self.Phases is not None and Phase.REPLICATE not in self.Phases,
                "Decommission needs REPLICATE among the Phases: nothing is deleted before the new standby is healthy",
            ),
            *self._linked_rules(),
            *self._drill_rules(),
            (
                Phase.DECOMMISSION in (self.Phases or ()),
                "DECOMMISSION is asked for by Decommission: true, not by Phases",
            ),
            (
                self.ManifestVersion is not None and self.Manifest is None,
                "ManifestVersion names the version of a Manifest, and there is none",
            ),
            *((True, problem) for problem in success.problems(self.SuccessRules or {})),
            (any(wave < 1 for wave in self.Waves or ()), "Waves are numbered from 1"),
            (self.Waves == () or self.Phases == (), "Waves and Phases must be absent or name at least one"),
        ]

    def _linked_rules(self) -> list[tuple[bool, str]]:
        linked = self.Complete is not None or self.Escalate is not None
        return [
            (
                self.Complete is not None and not self._completes_as_allowed,
                "Complete is a planned run, or of a drill its CLEANUP alone: it needs the returned Region and does not go with "
                "Emergency",
            ),
            (
                self.Escalate is not None and (not self.Emergency or self.DryRun),
                "Escalate is an emergency, and no dry run",
            ),
            (
                self.Complete is not None and self.Escalate is not None,
                "Complete and Escalate take up different runs; name one",
            ),
            (
                linked and (self.Manifest is not None or self.Decommission),
                "Complete and Escalate go by the plan of the run they name: without Manifest and Decommission",
            ),
        ]

    def _drill_rules(self) -> list[tuple[bool, str]]:
        minutes, ceiling = self.LeaseMinutes, self.CostCeilingUSD
        no_drill = self.mode is not words.Mode.DRILL or self.Complete is not None
        return [
            (
                minutes is not None and no_drill,
                "LeaseMinutes goes only with Operation test: nothing but a drill makes copies that are removed again",
            ),
            (
                minutes is not None and not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES,
                f"LeaseMinutes is {minutes}, expected {SHORTEST_MINUTES} to {LONGEST_MINUTES} (a week)",
            ),
            (
                ceiling is not None and no_drill,
                "CostCeilingUSD goes only with Operation test: only what a drill makes is estimated",
            ),
            (ceiling is not None and ceiling <= 0, f"CostCeilingUSD is {ceiling}, expected more than 0"),
        ]

    @property
    def _completes_as_allowed(self) -> bool:
        if self.mode is words.Mode.DRILL:
            return self.Phases == (Phase.CLEANUP,)
        return self.mode is words.Mode.PLANNED

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
        problems = _problems(err) + _inconsistencies(raw, err)
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
        f":stateMachine:DROrchestrator --input {shlex.quote(payload)}",
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


SEPARATOR = "\n"
PLACEHOLDERS: Mapping[str, object] = {
    "Customer": "x",
    "Environment": Environment.PRODUCTION,
    "Operation": Operation.FAILOVER,
    "PrimaryRegion": "aa-primary-1",
    "DRRegion": "aa-standby-1",
}


def _inconsistencies(raw: Mapping[str, object], err: ModelError) -> list[str]:
    """Return what is wrong between the fields that are right by themselves; pydantic looks only when all are."""
    wrong = {error["loc"][0] for error in err.errors() if error["loc"]}
    if not wrong:
        return []
    rest = {name: value for name, value in raw.items() if name in Request.model_fields and name not in wrong}
    try:
        Request.model_validate({**PLACEHOLDERS, **rest})
    except ModelError as more:
        return _problems(more)
    return []


def _problems(err: ModelError) -> list[str]:
    problems: list[str] = []
    for error in err.errors():
        text = _problem(dict(error))
        problems += [text] if error["loc"] else text.split(SEPARATOR)
    return problems


def _problem(error: dict[str, Any]) -> str:
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
