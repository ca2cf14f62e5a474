"""Elastic Load Balancing whose targets need a moment: `initial`, then `healthy`, and `draining` on the way out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

INITIAL_SECONDS = 20.0


class Elbv2Service(Service):
    """Target registration and health; everything else is moto's."""

    name = "elbv2"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._registered: dict[tuple[str, str], datetime] = {}
        self._draining: dict[tuple[str, str], tuple[datetime, int]] = {}

    def reset(self) -> None:
        self._registered.clear()
        self._draining.clear()

    @operation("RegisterTargets")
    def register_targets(self, call: Call) -> Reply:
        reply = self.world.moto(call)
        self._note_registered(call.params["TargetGroupArn"], [target["Id"] for target in call.params["Targets"]])
        return reply

    @operation("DeregisterTargets")
    def deregister_targets(self, call: Call) -> Reply:
        group = self._group(call)
        registered = dict(group.targets) if group is not None else {}
        reply = self.world.moto(call)
        self._note_deregistered(group, [registered[t["Id"]] for t in call.params["Targets"] if t["Id"] in registered])
        return reply

    @operation("DescribeTargetHealth")
    def describe_target_health(self, call: Call) -> Reply:
        reply = dict(self.world.moto(call))
        arn = call.params["TargetGroupArn"]
        shown = [self._amended(arn, each) for each in reply.get("TargetHealthDescriptions", [])]
        if not call.params.get("Targets"):
            shown += self._draining_targets(arn)
        reply["TargetHealthDescriptions"] = shown
        return reply

    def register(self, group: Any, targets: Sequence[dict[str, Any]]) -> None:
        """Register targets with moto's target group on behalf of another service."""
        group.register(list(targets))
        self._note_registered(group.arn, [target["Id"] for target in targets])

    def deregister(self, group: Any, targets: Sequence[dict[str, Any]]) -> None:
        """Deregister those targets that are registered, on behalf of another service."""
        known = [target for target in targets if target["Id"] in group.targets]
        if known:
            group.deregister(list(known))
            self._note_deregistered(group, known)

    def _note_registered(self, arn: str, ids: Sequence[str]) -> None:
        for target_id in ids:
            self._registered[arn, target_id] = self.world.clock.now()
            self._draining.pop((arn, target_id), None)

    def _note_deregistered(self, group: Any, targets: Sequence[dict[str, Any]]) -> None:
        delay = float(group.attributes.get("deregistration_delay.timeout_seconds") or 0)
        until = self.world.clock.now() + timedelta(seconds=self.world.clock.clock_seconds(delay))
        for target in targets:
            self._registered.pop((group.arn, target["Id"]), None)
            self._draining[group.arn, target["Id"]] = (until, int(target.get("Port") or group.port or 80))

    def _amended(self, arn: str, described: dict[str, Any]) -> dict[str, Any]:
        target_id = described["Target"]["Id"]
        health = described.get("TargetHealth", {})
        since = self._registered.get((arn, target_id))
        age = None if since is None else self.world.clock.now() - since
        initial = timedelta(seconds=self.world.clock.clock_seconds(INITIAL_SECONDS))
        if health.get("State") == "healthy" and age is not None and age < initial:
            described["TargetHealth"] = {
                "State": "initial",
                "Reason": "Elb.RegistrationInProgress",
                "Description": "Target registration is in progress",
            }
        elif self._still_draining(arn, target_id):
            described["TargetHealth"] = _DRAINING
        return described

    def _draining_targets(self, arn: str) -> list[dict[str, Any]]:
        return [
            {"Target": {"Id": target_id, "Port": port}, "HealthCheckPort": str(port), "TargetHealth": _DRAINING}
            for (group, target_id), (_, port) in self._draining.items()
            if group == arn and self._still_draining(arn, target_id)
        ]

    def _still_draining(self, arn: str, target_id: str) -> bool:
        until, _ = self._draining.get((arn, target_id), (None, 0))
        return until is not None and self.world.clock.now() < until

    def _group(self, call: Call) -> Any | None:
        groups = self.world.backend("elbv2", call.account, call.region).target_groups
        return groups.get(call.params["TargetGroupArn"])


_DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}
