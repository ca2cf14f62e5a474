"""How RDS resources pass through their statuses, on the scaled clock and under the scenario's faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moto.rds.models import DBCluster

from localaws.services.rds import errors
from localaws.services.rds.base import RdsBase
from localaws.services.rds.state import Seconds, Status

if TYPE_CHECKING:
    from localaws.world import World

Effect = Callable[[], None]


@dataclass(frozen=True)
class Stage:
    """One leg of a change: `status` is shown for `seconds` AWS seconds, then `then` happens.

    `kind` names the transition for scenarios; the change's own kind when empty.
    """

    status: str
    seconds: float
    then: Effect | None = None
    kind: str = ""


@dataclass
class _Walk:
    resource: Any
    kind: str
    epoch: int
    stages: Sequence[Stage]
    end: str
    on_failure: Effect | None
    at: int = 0


class RdsWalks(RdsBase):
    """Leads resources through their statuses. `instantly()` makes changes take no time; seeders use it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._instant = 0

    @contextmanager
    def instantly(self) -> Iterator[None]:
        """Let every change made inside take no time; for seeding."""
        self._instant += 1
        try:
            yield
        finally:
            self._instant -= 1

    def set_status(self, resource: Any, status: str) -> None:
        """Show `status` from now on."""
        self.state(resource).status = status
        # moto's cluster turns `creating` into `available` when read, so it is never told the truth.
        resource.status = Status.AVAILABLE.value if isinstance(resource, DBCluster) else str(status)

    def walk(
        self,
        resource: Any,
        kind: str,
        stages: Sequence[Stage],
        end: str = Status.AVAILABLE,
        on_failure: Effect | None = None,
    ) -> None:
        """Lead a resource through `stages`, ending in status `end`; a failed transition ends in `failed`."""
        state = self.state(resource)
        state.epoch += 1
        state.busy = True
        self._next(_Walk(resource, f"rds.{kind}", state.epoch, stages, end, on_failure))

    def after_seven_days(self, resource: Any, effect: Effect) -> None:
        """Apply `effect` in seven days unless something else has happened to the resource by then."""
        state = self.state(resource)
        epoch = state.epoch

        def due() -> None:
            if self._states.get(resource) is state and state.epoch == epoch:
                effect()

        self.world.clock.after(Seconds.SEVEN_DAYS, due)

    def _is_overtaken(self, walk: _Walk) -> bool:
        """Tell whether a later operation, or a reset of the world, has made the walk pointless."""
        state = self._states.get(walk.resource)
        return state is None or state.epoch != walk.epoch

    def _next(self, walk: _Walk) -> None:
        if self._is_overtaken(walk):
            return
        state = self.state(walk.resource)
        if walk.at == len(walk.stages):
            state.busy = False
            self.set_status(walk.resource, walk.end)
            return
        stage = walk.stages[walk.at]
        self.set_status(walk.resource, stage.status)

        def done() -> None:
            if self._is_overtaken(walk):
                return
            if stage.then is not None:
                stage.then()
            self._next(replace(walk, at=walk.at + 1))

        def failed() -> None:
            if self._is_overtaken(walk):
                return
            state.busy = False
            self.set_status(walk.resource, Status.FAILED)
            if walk.on_failure is not None:
                walk.on_failure()

        self.later(stage.kind or walk.kind, walk.resource.arn, stage.seconds, done, failed)

    def later(self, kind: str, resource: str, seconds: float, effect: Effect, on_failure: Effect | None = None) -> None:
        """Apply `effect` after `seconds` AWS seconds by the world's clock and faults; at once while seeding."""
        if self._instant:
            effect()
        else:
            self.world.transition(kind, resource, seconds, effect, on_failure)

    def require_status(self, instance: Any, *allowed: str) -> None:
        """Refuse with `InvalidDBInstanceState` unless the DB instance is in one of the statuses and unoccupied."""
        state = self.instance_state(instance)
        allowed = allowed or (Status.AVAILABLE,)
        if state.status in allowed and not (state.busy and state.status == Status.AVAILABLE):
            return
        wanted = ", ".join(str(one) for one in allowed)
        shown = "changing" if state.status in allowed else state.status
        raise errors.instance_state(
            f"Instance {instance.db_instance_identifier} is currently {shown}, expected it to be one of {wanted}."
        )

    def require_cluster(self, cluster: Any, *allowed: str) -> None:
        """Refuse with `InvalidDBClusterStateFault` unless the cluster is in one of the statuses and unoccupied."""
        state = self.cluster_state(cluster)
        allowed = allowed or (Status.AVAILABLE,)
        if state.status in allowed and not (state.busy and state.status == Status.AVAILABLE):
            return
        wanted = ", ".join(str(one) for one in allowed)
        raise errors.cluster_state(
            f"DbCluster {cluster.db_cluster_identifier} is in {state.status} state "
            f"but expected it to be one of {wanted}."
        )
