"""Application Auto Scaling that keeps an ECS service within its bounds, a while after they were broken.

This is what makes a wrong order of calls visible: a service scaled to 0 while its scalable target still
has MinCapacity 2 comes back to 2 tasks.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

CHECK_SECONDS = 60.0
ECS_DIMENSION = "ecs:service:DesiredCount"


class ApplicationAutoScalingService(Service):
    """Scalable targets of ECS services have an effect; the rest is moto's."""

    name = "application-autoscaling"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._activities: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def reset(self) -> None:
        self._activities.clear()

    @operation("RegisterScalableTarget")
    def register_scalable_target(self, call: Call) -> Reply:
        known = self._target(call.account, call.region, call.params["ResourceId"], call.params["ScalableDimension"])
        minimum = _merged(call, known, "MinCapacity", "min_capacity")
        maximum = _merged(call, known, "MaxCapacity", "max_capacity")
        if known is None and (minimum is None or maximum is None):
            raise _invalid("MinCapacity and MaxCapacity must be specified when registering a new scalable target")
        if minimum is not None and maximum is not None and minimum > maximum:
            raise _invalid("Maximum capacity cannot be less than minimum capacity")
        suspended = {**((known.suspended_state if known else None) or {}), **(call.params.get("SuspendedState") or {})}
        if suspended:
            call = call.with_params(SuspendedState=suspended)
        reply = self.world.moto(call)
        self._complete(call)
        self.check_soon(call.account, call.region, call.params["ResourceId"])
        return reply

    @operation("DescribeScalingActivities")
    def describe_scaling_activities(self, call: Call) -> Reply:
        activities = self._activities.get((call.account, call.region), [])
        return {
            "ScalingActivities": [
                each
                for each in activities
                if each["ServiceNamespace"] == call.params["ServiceNamespace"]
                and call.params.get("ResourceId") in (None, each["ResourceId"])
            ]
        }

    def check_soon(self, account: str, region: str, resource_id: str) -> None:
        """Look at an ECS service's desired count in 60 s of AWS time, and bring it within the target's bounds."""
        if self._target(account, region, resource_id, ECS_DIMENSION) is not None:
            self.world.clock.after(CHECK_SECONDS, lambda: self._enforce(account, region, resource_id))

    def _enforce(self, account: str, region: str, resource_id: str) -> None:
        target = self._target(account, region, resource_id, ECS_DIMENSION)
        ecs: Any = self.world.service("ecs")
        cluster, name = resource_id.split("/")[1:]
        service = ecs.find(account, region, cluster, name)
        if target is None or service is None:
            return
        suspended = target.suspended_state or {}
        desired = int(service.desired_count)
        if desired < target.min_capacity and not suspended.get("DynamicScalingOutSuspended"):
            self._scale(account, region, target, service, target.min_capacity, "minimum")
        elif desired > target.max_capacity and not suspended.get("DynamicScalingInSuspended"):
            self._scale(account, region, target, service, target.max_capacity, "maximum")

    def _scale(self, account: str, region: str, target: Any, service: Any, capacity: int, bound: str) -> None:
        now = self.world.clock.now()
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "ecs",
            "ResourceId": target.resource_id,
            "ScalableDimension": ECS_DIMENSION,
            "Description": f"Setting desired count to {capacity}.",
            "Cause": f"{bound} capacity was set to {capacity}",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired count to {capacity}. Change successfully fulfilled by ecs.",
        }
        self._activities.setdefault((account, region), []).insert(0, activity)
        ecs: Any = self.world.service("ecs")
        ecs.set_desired_count(service, int(capacity))

    def _complete(self, call: Call) -> None:
        """Fill in what AWS always answers: the service-linked role and a suspended state."""
        target = self._target(call.account, call.region, call.params["ResourceId"], call.params["ScalableDimension"])
        if target is None:
            return
        full = {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        }
        target.suspended_state = {**full, **(target.suspended_state or {})}
        if not target.role_arn:
            target.role_arn = (
                f"arn:aws:iam::{call.account}:role/aws-service-role/"
                f"{call.params['ServiceNamespace']}.application-autoscaling.amazonaws.com/"
                f"AWSServiceRoleForApplicationAutoScaling_{call.params['ServiceNamespace'].upper()}Service"
            )

    def _target(self, account: str, region: str, resource_id: str, dimension: str) -> Any | None:
        targets = self.world.backend("application-autoscaling", account, region).targets
        return targets.get(dimension, {}).get(resource_id)


def _merged(call: Call, known: Any | None, parameter: str, attribute: str) -> int | None:
    value = call.params.get(parameter)
    if value is None and known is not None:
        value = getattr(known, attribute)
    return None if value is None else int(value)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
