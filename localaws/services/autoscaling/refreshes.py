"""Instance refreshes: the instances of a group are replaced a few at a time, those of its warm pool at once.

A fault of the scenario acts on `autoscaling.instance-refresh` (resource: the group's ARN); failing launches let a
refresh fail after an hour without progress.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call
from localaws.services.autoscaling.models import UNFINISHED, Life, Refresh, RefreshStatus, state_of
from localaws.services.autoscaling.scheduler import template_version

if TYPE_CHECKING:
    from localaws.services.autoscaling.scheduler import Scheduler
    from localaws.services.autoscaling.warm_pools import WarmPools
    from localaws.world import World

START_SECONDS = 15.0
STEP_SECONDS = 30.0
PATIENCE_SECONDS = 3600.0
DEFAULT_MIN_HEALTHY_PERCENT = 90


class Refreshes:
    """Starts and advances instance refreshes."""

    def __init__(self, world: World, scheduler: Scheduler, warm_pools: WarmPools) -> None:
        self.world = world
        self._scheduler = scheduler
        self._warm_pools = warm_pools

    def start(self, group: Any, call: Call) -> Refresh:
        """Begin a refresh. Raises InstanceRefreshInProgress."""
        state = state_of(group)
        if state.refresh is not None:
            raise in_progress(group)
        now = self.world.clock.now()
        preferences = dict(call.params.get("Preferences") or {})
        desired = call.params.get("DesiredConfiguration")
        if desired and desired.get("LaunchTemplate"):
            self._use(group, desired["LaunchTemplate"])
        version = template_version(group)
        old = [each for each in group.instance_states if each.lifecycle_state in {Life.IN_SERVICE, Life.PENDING}]
        if preferences.get("SkipMatching"):
            old = [each for each in old if getattr(each, "template_version", None) != version]
        ids = {each.instance_id for each in old}
        stale = [w for w in state.warm if not (preferences.get("SkipMatching") and w.template_version == version)]
        refresh = Refresh(str(uuid.uuid4()), now, preferences, desired, ids, len(ids), progressed_at=now)
        state.refreshes.insert(0, refresh)
        self.world.transition(
            "autoscaling.instance-refresh",
            group.arn,
            START_SECONDS,
            lambda: self._begin(group, refresh, stale),
            lambda: self._fail(refresh, "The instance refresh failed for an internal reason."),
        )
        return refresh

    def cancel(self, group: Any) -> Refresh:
        """End the refresh under way. Raises ActiveInstanceRefreshNotFound."""
        refresh = state_of(group).refresh
        if refresh is None:
            message = f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}"
            raise AwsError("ActiveInstanceRefreshNotFound", message)
        refresh.end(RefreshStatus.CANCELLED, self.world.clock.now(), "Cancelled by the user.")
        return refresh

    def _use(self, group: Any, template: Mapping[str, Any]) -> None:
        change: dict[str, Any] = {"AutoScalingGroupName": group.name, "LaunchTemplate": dict(template)}
        self.world.call("autoscaling", "UpdateAutoScalingGroup", group.account_id, group.region, **change)

    def _begin(self, group: Any, refresh: Refresh, stale: list[Any]) -> None:
        if refresh.status is RefreshStatus.PENDING:
            refresh.status = RefreshStatus.IN_PROGRESS
            self._warm_pools.replace(group, stale)
            self._advance(group, refresh)

    def _advance(self, group: Any, refresh: Refresh) -> None:
        if refresh.status not in UNFINISHED or not self._scheduler.is_current(group):
            return
        now = self.world.clock.now()
        present = {state.instance_id for state in group.instance_states if state.lifecycle_state != Life.TERMINATING}
        if refresh.remaining - present:
            refresh.remaining &= present
            refresh.progressed_at = now
        serving = [state for state in group.instance_states if state.lifecycle_state == Life.IN_SERVICE]
        if len(serving) >= int(group.desired_capacity or 0):
            if not refresh.remaining:
                refresh.end(RefreshStatus.SUCCESSFUL, now)
                return
            self._replace_some(group, refresh, serving)
        waited = (now - (refresh.progressed_at or now)).total_seconds()
        if waited > self.world.clock.clock_seconds(PATIENCE_SECONDS):
            self._fail(refresh, "Replacement instances did not come into service.")
            return
        self.world.clock.after(STEP_SECONDS, lambda: self._advance(group, refresh))

    def _replace_some(self, group: Any, refresh: Refresh, serving: list[Any]) -> None:
        least = refresh.preferences.get("MinHealthyPercentage", DEFAULT_MIN_HEALTHY_PERCENT)
        count = max(1, len(serving) - math.ceil(len(serving) * least / 100))
        for state in [each for each in serving if each.instance_id in refresh.remaining][:count]:
            self._scheduler.terminate(group, state, "an instance was taken out of service by an instance refresh.")
        self._scheduler.reconcile(group)

    def _fail(self, refresh: Refresh, reason: str) -> None:
        refresh.end(RefreshStatus.FAILED, self.world.clock.now(), reason)


def in_progress(group: Any) -> AwsError:
    """Return an InstanceRefreshInProgress error."""
    message = f"An Instance Refresh is already in progress and blocks the execution of this request: {group.name}"
    return AwsError("InstanceRefreshInProgress", message)
