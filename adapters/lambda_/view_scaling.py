"""Whether Application Auto Scaling manages the provisioned concurrency of a function's aliases; read when a run is planned.

Source: Lambda developer guide, "Managing provisioned concurrency with Application Auto Scaling". The run provisions and
releases by itself and leaves the scalable target alone, so whatever is awake there may change it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

from adapters.judging import warning
from adapters.lambda_.models import Alias
from adapters.scaled import Rules, rules, suspend, unseen
from orchestrator.contract import Finding, Place, Reader
from orchestrator.errors import DrError
from orchestrator.words import Undoing

DIMENSION = "lambda:function:ProvisionedConcurrency"
AT_ONCE = 50
"""Resource ids that DescribeScalableTargets takes."""
DYNAMIC, SCHEDULED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended"), "ScheduledScalingSuspended"


class _Target(BaseModel):
    ResourceId: str
    MinCapacity: int = 0
    MaxCapacity: int = 0
    SuspendedState: dict[str, bool] = {}

    def rests(self, *activities: str) -> bool:
        return all(self.SuspendedState.get(each, False) for each in activities)


class _Targets(BaseModel):
    ScalableTargets: list[_Target] = []


@dataclass(frozen=True)
class Provisioner:
    """A scalable target that is awake, with what acts on it."""

    resource: str
    region: str
    low: int
    high: int
    acting: tuple[str, ...]
    unseen: str = ""


def provisioners(reader: Reader, place: Place, aliases: Sequence[Alias]) -> tuple[Provisioner, ...]:
    """Return what may change the provisioned concurrency of a side; what may not be looked at is told and stops nothing."""
    return tuple(_found(reader, place, aliases)) if aliases else ()


def _found(reader: Reader, place: Place, aliases: Sequence[Alias]) -> Iterator[Provisioner]:
    names: list[JsonValue] = [f"function:{place.id}:{each.Name}" for each in aliases]
    asked: dict[str, JsonValue] = {"ServiceNamespace": "lambda", "ScalableDimension": DIMENSION}
    for start in range(0, len(names), AT_ONCE):
        batch: JsonValue = names[start : start + AT_ONCE]
        try:
            found = reader.pages(
                "application-autoscaling", "DescribeScalableTargets", _Targets, ResourceIds=batch, **asked
            )
        except DrError as err:
            yield Provisioner(place.id, place.region, 0, 0, (), unseen=err.message)
            return
        for each in (target for page in found for target in page.ScalableTargets):
            told = rules(reader, "lambda", each.ResourceId, DIMENSION)
            acting = _acting(each, told)
            if acting or told.unseen:
                yield Provisioner(
                    each.ResourceId, place.region, each.MinCapacity, each.MaxCapacity, acting, told.unseen
                )


def _acting(target: _Target, told: Rules) -> tuple[str, ...]:
    """Return the policies and schedules that are awake."""
    policies = () if target.rests(*DYNAMIC) else told.policies
    return (*policies, *(() if target.rests(SCHEDULED) else told.scheduled))


def provisioner_findings(resource_id: str, found: Sequence[Provisioner]) -> list[Finding]:
    """Tell of each what it would do to the run, and how it is held. Pure."""
    return [_finding(resource_id, each) for each in found]


def _finding(resource_id: str, each: Provisioner) -> Finding:
    if each.unseen:
        return unseen(resource_id, each.resource, each.region, each.unseen)
    text = (
        f"Application Auto Scaling keeps the provisioned concurrency of {each.resource} in {each.region} at "
        f"{each.low} to {each.high} ({', '.join(each.acting)}): it may put back what the run provisions or releases."
    )
    command = suspend(each.region, "lambda", each.resource, DIMENSION, (*DYNAMIC, SCHEDULED))
    return warning(resource_id, Undoing.SCALING, text, f"{command} (=false when the run has ended)")
