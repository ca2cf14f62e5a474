"""The data plane: reads and flips routing controls through the endpoint of any of five Regions.

A request reaches the endpoint of the Region it is signed for; a Region that is dark takes one endpoint away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.arc.models import (
    ON,
    REGIONS,
    Control,
    Deployment,
    Rule,
    Status,
    account_of,
    conflict,
    invalid,
    not_found,
)

if TYPE_CHECKING:
    from localaws.world import World

PAGE = 500


class RecoveryClusterService(Service):
    """route53-recovery-cluster."""

    name: ClassVar[str] = "route53-recovery-cluster"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.deployment = Deployment()

    def reset(self) -> None:
        """Forget everything, the control plane's part too."""
        self.deployment = Deployment()

    def is_on(self, arn: str) -> bool:
        """Say whether a routing control is On; one that does not exist is not."""
        control = self.deployment.controls.get(arn)
        return control is not None and control.state == ON

    @operation("GetRoutingControlState")
    def get_routing_control_state(self, call: Call) -> Reply:
        """Return the state of a control. Raises ResourceNotFoundException."""
        control = self._control(call, call.params["RoutingControlArn"])
        return {
            "RoutingControlArn": control.arn,
            "RoutingControlName": control.name,
            "RoutingControlState": control.state,
        }

    @operation("ListRoutingControls")
    def list_routing_controls(self, call: Call) -> Reply:
        """List the controls of a panel, or of all panels, with their states."""
        self._at_an_endpoint(call)
        panel = call.params.get("ControlPanelArn")
        if panel and panel not in self.deployment.panels:
            raise not_found(panel)
        mine = [c for c in self.deployment.controls.values() if account_of(c.arn) == call.account]
        found = [control for control in mine if not panel or control.panel.arn == panel]
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxResults") or PAGE)
        reply: dict[str, Any] = {"RoutingControls": [_listed(control) for control in found[start:end]]}
        return {**reply, "NextToken": str(end)} if end < len(found) else reply

    @operation("UpdateRoutingControlState")
    def update_routing_control_state(self, call: Call) -> Reply:
        """Flip one control. Raises ResourceNotFoundException, ConflictException (a safety rule)."""
        self._update(call, {call.params["RoutingControlArn"]: call.params["RoutingControlState"]})
        return {}

    @operation("UpdateRoutingControlStates")
    def update_routing_control_states(self, call: Call) -> Reply:
        """Flip several controls of a cluster at once, or none.

        Raises: ResourceNotFoundException, ValidationException (twice the same, two clusters), ConflictException.
        """
        entries = call.params["UpdateRoutingControlStateEntries"]
        wanted = {entry["RoutingControlArn"]: entry["RoutingControlState"] for entry in entries}
        if len(wanted) != len(entries) or not entries:
            raise invalid("Each routing control must be named exactly once.")
        self._update(call, wanted)
        return {}

    def switch(self, arn: str, state: str) -> None:
        """Set a control without asking safety rules: an estate starts with its traffic somewhere."""
        control = self.deployment.controls[arn]
        control.state, control.changed_at = state, None

    def _update(self, call: Call, wanted: Mapping[str, str]) -> None:
        controls = [self._control(call, arn) for arn in wanted]
        if len({control.panel.cluster.arn for control in controls}) > 1:
            raise invalid("All routing controls must belong to one cluster.")
        overridden = set(call.params.get("SafetyRulesToOverride") or [])
        for arn in overridden - self.deployment.rules.keys():
            raise not_found(arn)
        changed = {control.arn for control in controls if control.state != wanted[control.arn]}
        before = {arn: control.state for arn, control in self.deployment.controls.items()}
        for rule in self.deployment.rules.values():
            if rule.arn not in overridden and rule.status is Status.DEPLOYED and rule.concerns(changed):
                self._ask(rule, before, {**before, **wanted})
        now = self.world.clock.now()
        for control in controls:
            if control.arn in changed:
                control.state, control.changed_at = wanted[control.arn], now

    def _ask(self, rule: Rule, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        guarded = rule.controls if rule.targets is None else rule.targets
        latest = max(
            (c.changed_at for a in guarded if (c := self.deployment.controls.get(a)) and c.changed_at), default=None
        )
        wait = timedelta(seconds=self.world.clock.clock_seconds(rule.wait_ms / 1000))
        if latest is not None and self.world.clock.now() < latest + wait:
            raise conflict(f"Safety rule {rule.name} is in its wait period of {rule.wait_ms} ms.")
        if not rule.holds(after if rule.targets is None else before):
            raise conflict(f"The change would violate safety rule {rule.name} ({rule.arn}).")

    def _control(self, call: Call, arn: str) -> Control:
        self._at_an_endpoint(call)
        control = self.deployment.controls.get(arn)
        if control is None or account_of(arn) != call.account or control.status is not Status.DEPLOYED:
            raise not_found(arn)
        return control

    def _at_an_endpoint(self, call: Call) -> None:
        if call.region not in REGIONS:
            message = f"The cluster has no endpoint in {call.region}; there is one in {', '.join(REGIONS)}."
            raise AwsError("EndpointTemporarilyUnavailableException", message, 503)


def _listed(control: Control) -> dict[str, Any]:
    return {
        "ControlPanelArn": control.panel.arn,
        "ControlPanelName": control.panel.name,
        "RoutingControlArn": control.arn,
        "RoutingControlName": control.name,
        "RoutingControlState": control.state,
        "Owner": account_of(control.arn),
    }
