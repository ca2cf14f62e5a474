"""Warm pools: instances prepared ahead, stopped or running, that a group starts first.

Timings in AWS seconds. A fault of the scenario acts on `autoscaling.warm-instance` (resource: the group's ARN).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.service import AwsError
from localaws.services.autoscaling.models import Life, Outcome, finish, is_suspended, state_of
from localaws.services.ec2 import STOP_SECONDS

if TYPE_CHECKING:
    from localaws.services.autoscaling.scheduler import Scheduler
    from localaws.world import World

WARM_SECONDS = 120.0
RETRY_SECONDS = 60.0


class WarmPools:
    """Fills and empties warm pools."""

    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self.world = world
        self._scheduler = scheduler

    def wanted(self, group: Any) -> int:
        """Return how many instances the pool should have: the prepared capacity less the desired, at least MinSize."""
        pool = group.warm_pool
        if pool is None or state_of(group).deleting:
            return 0
        prepared = pool.max_group_prepared_capacity
        prepared = group.max_size if prepared in {None, -1} else prepared
        return int(max(pool.min_size or 0, int(prepared) - int(group.desired_capacity or 0), 0))

    def reconcile(self, group: Any) -> None:
        """Warm or terminate what separates the pool from its size."""
        if not self._scheduler.is_current(group):
            return
        pool, wanted = state_of(group).warm, self.wanted(group)
        live = [state for state in pool if state.lifecycle_state != Life.WARM_TERMINATING]
        for state in live[wanted:]:
            self._end(group, state)
        if not is_suspended(group, "Launch"):
            for position in range(len(live), wanted):
                if not self._warm(group, position):
                    return

    def replace(self, group: Any, stale: list[Any]) -> None:
        """End these warm instances and warm new ones in their place."""
        for state in [each for each in stale if each in state_of(group).warm]:
            self._end(group, state)
        self.reconcile(group)

    def settle(self, group: Any) -> None:
        """Make the pool ready at once: an estate starts with what is up."""
        self.reconcile(group)
        for state in state_of(group).warm:
            stopped = _stops(group)
            self._scheduler.settle_instance(group, state, "stopped" if stopped else "running")
            state.lifecycle_state = Life.WARM_STOPPED if stopped else Life.WARM_RUNNING

    def _warm(self, group: Any, position: int) -> bool:
        now = self.world.clock.now()
        cause = f"At {now:%Y-%m-%dT%H:%M:%SZ} an instance was launched into the warm pool."
        try:
            state = self._scheduler.run_instance(group, position)
        except AwsError as error:
            message = f"{error.message}. Launching EC2 instance failed."
            activity = state_of(group).note(group, now, "Launching a new EC2 instance.", cause, Outcome.FAILED)
            finish(activity, now, Outcome.FAILED, message)
            return False
        state.lifecycle_state = Life.WARMING
        state_of(group).warm.append(state)
        description = f"Launching a new EC2 instance into warm pool: {state.instance_id}"
        activity = state_of(group).note(group, now, description, cause, Outcome.IN_PROGRESS)

        def ready() -> None:
            if state.lifecycle_state == Life.WARMING:
                self._ready(group, state)
            finish(activity, self.world.clock.now(), Outcome.SUCCESSFUL)

        def failed() -> None:
            self._end(group, state)
            finish(activity, self.world.clock.now(), Outcome.FAILED, "We currently do not have sufficient capacity.")
            self.world.clock.after(RETRY_SECONDS, lambda: self.reconcile(group))

        self.world.transition("autoscaling.warm-instance", group.arn, WARM_SECONDS, ready, failed)
        return True

    def _ready(self, group: Any, state: Any) -> None:
        if not _stops(group):
            state.lifecycle_state = Life.WARM_RUNNING
            return
        where = (group.account_id, group.region)
        self.world.call("ec2", "StopInstances", *where, InstanceIds=[state.instance_id])

        def stopped() -> None:
            if state.lifecycle_state == Life.WARMING:
                state.lifecycle_state = Life.WARM_STOPPED

        self.world.clock.after(STOP_SECONDS, stopped)

    def _end(self, group: Any, state: Any) -> None:
        state.lifecycle_state = Life.WARM_TERMINATING
        pool = state_of(group).warm
        if state in pool:
            pool.remove(state)
        self._scheduler.end_instance(group, state)


def _stops(group: Any) -> bool:
    return group.warm_pool is None or group.warm_pool.pool_state != "Running"
