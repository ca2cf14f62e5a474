"""Who else changes a count: the policies and schedules of Application Auto Scaling. Read when a run is planned, never held here.

Sources: Application Auto Scaling API reference, DescribeScalingPolicies, DescribeScheduledActions, RegisterScalableTarget
(SuspendedState); EC2 Auto Scaling user guide, "Target tracking scaling policies" (DisableScaleIn).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from adapters.judging import warning
from orchestrator.contract import Finding, Reader
from orchestrator.errors import DrError
from orchestrator.words import Undoing


class Tracking(BaseModel):
    """How a target tracking policy scales; EC2 Auto Scaling shows it the same way."""

    DisableScaleIn: bool = False


class Step(BaseModel):
    """A step of a step scaling policy, likewise."""

    ScalingAdjustment: int = 0


class _Steps(BaseModel):
    StepAdjustments: list[Step] = []


class _Policy(BaseModel):
    PolicyName: str
    ResourceId: str = ""
    TargetTrackingScalingPolicyConfiguration: Tracking | None = None
    StepScalingPolicyConfiguration: _Steps = _Steps()

    @property
    def scales_in(self) -> bool:
        """Say whether it may take something away."""
        tracking = self.TargetTrackingScalingPolicyConfiguration
        steps = self.StepScalingPolicyConfiguration.StepAdjustments
        return (tracking is not None and not tracking.DisableScaleIn) or any(s.ScalingAdjustment < 0 for s in steps)


class _Policies(BaseModel):
    ScalingPolicies: list[_Policy] = []


class _Scheduled(BaseModel):
    ScheduledActionName: str
    Schedule: str = ""


class _ScheduledActions(BaseModel):
    ScheduledActions: list[_Scheduled] = []


@dataclass(frozen=True)
class Rules:
    """What may change a count by itself."""

    policies: tuple[str, ...] = ()
    scaling_in: tuple[str, ...] = ()
    """Those of the policies that may take something away."""
    scheduled: tuple[str, ...] = ()
    """Scheduled actions, with when."""
    unseen: str = ""
    """Why they could not be looked at; empty when they were."""


def rules(reader: Reader, namespace: str, resource: str, dimension: str) -> Rules:
    """Read the policies and schedules of a scalable target; what may not be looked at is told and stops nothing."""
    asked = {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}
    try:
        found = reader.pages("application-autoscaling", "DescribeScalingPolicies", _Policies, **asked)
        timed = reader.pages("application-autoscaling", "DescribeScheduledActions", _ScheduledActions, **asked)
    except DrError as err:
        return Rules(unseen=err.message)
    policies = [each for page in found for each in page.ScalingPolicies if each.ResourceId == resource]
    actions = [each for page in timed for each in page.ScheduledActions]
    return Rules(
        policies=tuple(sorted(each.PolicyName for each in policies)),
        scaling_in=tuple(sorted(each.PolicyName for each in policies if each.scales_in)),
        scheduled=tuple(sorted(f"{each.ScheduledActionName} {each.Schedule}".rstrip() for each in actions)),
    )


def unseen(resource_id: str, what: str, region: str, why: str) -> Finding:
    """Return the warning that what scales something could not be looked at."""
    text = f"what scales {what} in {region} could not be looked at: {why}"
    return warning(resource_id, Undoing.NOT_SEEN, text, "update the spoke roles (StackSet), then: dr plan")


def suspend(region: str, namespace: str, resource: str, dimension: str, which: Iterable[str]) -> str:
    """Return the command that suspends scaling activities of a scalable target."""
    state = ",".join(f"{each}=true" for each in which)
    return (
        f"aws application-autoscaling register-scalable-target --region {region} --service-namespace {namespace} "
        f"--resource-id {resource} --scalable-dimension {dimension} --suspended-state {state}"
    )
