"""The ECS service scheduler: brings the tasks of a service to what was asked, over realistic time.

Timings in AWS seconds: a task is PROVISIONING for 5 s, the first task of a batch runs after 30 s, the
last after at most 90 s; stopping takes 15 to 30 s. A fault of the scenario acts on
`ecs.start-tasks`/`ecs.stop-tasks` (resource: the service's ARN) and `ecs.run-task` (the task's ARN).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from localaws.services.ecs.models import (
    COUNTED_AS_RUNNING,
    STARTING,
    Deployment,
    Rollout,
    ServiceState,
    Task,
    TaskStatus,
)
from localaws.services.ecs.targets import deregister_task, register_task
from localaws.services.ecs.tasks import new_task

if TYPE_CHECKING:
    from localaws.world import World

PROVISIONING_SECONDS = 5.0
FIRST_TASK_SECONDS = 30.0
SPREAD_SECONDS = 60.0
STOP_SECONDS = 15.0
RETRY_SECONDS = 30.0
STOPPED_TASK_KEPT_SECONDS = 3600.0
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone. "
    "For more information, see the Troubleshooting section."
)


class Scheduler:
    """Starts, stops and counts the tasks of services. Holds no state: tasks are in moto, the rest in `ServiceState`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tasks(self, cluster: Any) -> list[Task]:
        """Return the tasks of a cluster, oldest first; stopped tasks disappear after an hour."""
        backend = self.world.backend("ecs", *_home(cluster.arn))
        kept = backend.tasks.setdefault(cluster.name, {})
        oldest = self.world.clock.clock_seconds(STOPPED_TASK_KEPT_SECONDS)
        now = self.world.clock.now()
        for arn, task in list(kept.items()):
            if task.stopped_at is not None and (now - task.stopped_at).total_seconds() > oldest:
                del kept[arn]
        return list(kept.values())

    def service_tasks(self, service: Any) -> list[Task]:
        """Return the tasks that belong to a service, stopped ones included."""
        cluster = self.world.backend("ecs", *_home(service.arn)).clusters.get(service.cluster_name)
        return [task for task in self.tasks(cluster) if task.service_arn == service.arn] if cluster else []

    def _is_current(self, service: Any) -> bool:
        """Say whether the service still exists: a reset or a new service of the same name may have come between."""
        services = self.world.backend("ecs", *_home(service.arn)).services
        return services.get(f"{service.cluster_name}:{service.name}") is service

    def wanted_count(self, service: Any) -> int:
        """Return how many tasks there should be; a DAEMON service has one per container instance."""
        if service.status != "ACTIVE":
            return 0
        if service.scheduling_strategy == "DAEMON":
            backend = self.world.backend("ecs", *_home(service.arn))
            return len(backend.container_instances.get(service.cluster_name, {}))
        return int(service.desired_count or 0)

    def reconcile(self, service: Any, state: ServiceState) -> None:
        """Start or stop whatever separates the service from its desired count, then note a steady state."""
        if not self._is_current(service):
            return
        wanted = self.wanted_count(service)
        tasks = self.service_tasks(service)
        live = [task for task in tasks if task.wanted and task.deployment_id == state.primary.id]
        if len(live) < wanted and state.primary.rollout is not Rollout.FAILED:
            self._start(service, state, wanted - len(live))
        elif len(live) > wanted:
            self._stop(service, state, _first_to_go(live)[: len(live) - wanted])
        self._retire_old_deployments(service, state, wanted)
        self._settle(service, state, wanted)

    def begin_rollout(self, service: Any, state: ServiceState, task_definition: str) -> None:
        """Put a new PRIMARY deployment in front; the old one lives until its tasks are gone."""
        now = self.world.clock.now()
        for old in state.deployments:
            old.status = "ACTIVE"
        state.deployments.insert(0, Deployment(task_definition, now, now))
        state.steady = False
        service.task_definition = task_definition

    def finish_starting(self, service: Any, state: ServiceState) -> None:
        """Let every starting task of the service run at once."""
        for task in self.service_tasks(service):
            if self._running(task):
                register_task(self.world, service, task)
        self.reconcile(service, state)

    def stop_task(self, task: Task, code: str, reason: str, then: Callable[[], None] | None = None) -> None:
        """Stop one task; it is STOPPED 15 to 30 s later, and `then` is called."""
        self._begin_stop(task, code, reason)

        def stopped() -> None:
            self._stopped(task)
            if then is not None:
                then()

        self.world.transition("ecs.stop-tasks", task.service_arn or task.task_arn, STOP_SECONDS, stopped)

    def run_alone(self, task: Task) -> None:
        """Give a task of RunTask its life; it runs until somebody stops it."""
        self.world.clock.after(PROVISIONING_SECONDS, partial(_provisioned, task))

        def run() -> None:
            self._running(task)

        def fail() -> None:
            self._failed(task, NO_CAPACITY)

        self.world.transition("ecs.run-task", task.task_arn, FIRST_TASK_SECONDS, run, fail)

    def _start(self, service: Any, state: ServiceState, count: int) -> None:
        deployment = state.primary
        missing = self._why_not_placeable(service)
        if missing:
            self._could_not_place(service, state, missing)
            return
        state.steady = False
        batch = [new_task(self.world, service, state, deployment) for _ in range(count)]
        for task in batch:
            self.world.clock.after(PROVISIONING_SECONDS, partial(_provisioned, task))
        listed = " ".join(f"(task {task.task_id})" for task in batch)
        state.note(
            self.world.clock.now(), f"(service {service.name}) has started {_number(len(batch), 'task')}: {listed}."
        )
        self.world.transition(
            "ecs.start-tasks",
            service.arn,
            FIRST_TASK_SECONDS,
            lambda: self._run_batch(service, state, batch),
            lambda: self._batch_failed(service, state, deployment, batch),
        )

    def _run_batch(self, service: Any, state: ServiceState, batch: Sequence[Task]) -> None:
        def run(task: Task) -> None:
            if self._running(task):
                register_task(self.world, service, task)
            self.reconcile(service, state)

        for position, task in enumerate(batch):
            delay = position * SPREAD_SECONDS / len(batch)
            if delay:
                self.world.clock.after(delay, partial(run, task))
            else:
                run(task)

    def _batch_failed(self, service: Any, state: ServiceState, deployment: Deployment, batch: Sequence[Task]) -> None:
        failed = [task for task in batch if self._failed(task, NO_CAPACITY)]
        deployment.failed_tasks += len(failed)
        if failed:
            self._could_not_place(service, state, NO_CAPACITY)

    def _could_not_place(self, service: Any, state: ServiceState, reason: str) -> None:
        now = self.world.clock.now()
        state.note(now, f"(service {service.name}) was unable to place a task. Reason: {reason}")
        primary = state.primary
        primary.updated_at = now
        threshold = max(3, math.ceil(self.wanted_count(service) / 2))
        if state.circuit_breaker and primary.failed_tasks >= threshold:
            self._trip_circuit_breaker(service, state)
        else:
            self.world.clock.after(RETRY_SECONDS, lambda: self.reconcile(service, state))

    def _trip_circuit_breaker(self, service: Any, state: ServiceState) -> None:
        failed = state.primary
        failed.rollout = Rollout.FAILED
        now = self.world.clock.now()
        state.note(now, f"(service {service.name}) (deployment {failed.id}) deployment failed: tasks failed to start.")
        previous = next((old for old in state.deployments[1:] if old.task_definition != failed.task_definition), None)
        if not state.circuit_breaker.get("rollback") or previous is None:
            return
        state.note(now, f"(service {service.name}) rolling back to deployment {previous.id}.")
        state.deployments.remove(previous)
        failed.status, previous.status = "ACTIVE", "PRIMARY"
        state.deployments.insert(0, previous)
        service.task_definition = previous.task_definition
        self.reconcile(service, state)

    def _why_not_placeable(self, service: Any) -> str | None:
        state_free = service.launch_type == "EC2" and not getattr(service, "capacity_provider_strategy", None)
        backend = self.world.backend("ecs", *_home(service.arn))
        if state_free and not backend.container_instances.get(service.cluster_name):
            return "No Container Instances were found in your cluster."
        return None

    def _stop(self, service: Any, state: ServiceState, batch: Sequence[Task]) -> None:
        if not batch:
            return
        state.steady = False
        for task in batch:
            self._begin_stop(
                task, "ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {task.deployment_id})"
            )
            deregister_task(self.world, service, task)
        listed = " ".join(f"(task {task.task_id})" for task in batch)
        state.note(
            self.world.clock.now(),
            f"(service {service.name}) has stopped {_number(len(batch), 'running task')}: {listed}.",
        )
        starting = [task for task in batch if task.started_at is None]
        for task in starting:
            self._stopped(task)
        running = [task for task in batch if task.started_at is not None]
        if running:
            self.world.transition(
                "ecs.stop-tasks", service.arn, STOP_SECONDS, lambda: self._stop_batch(service, state, running)
            )

    def _stop_batch(self, service: Any, state: ServiceState, batch: Sequence[Task]) -> None:
        def stopped(task: Task) -> None:
            self._stopped(task)
            self.reconcile(service, state)

        for position, task in enumerate(batch):
            delay = position * STOP_SECONDS / len(batch)
            if delay:
                self.world.clock.after(delay, partial(stopped, task))
            else:
                stopped(task)

    def _retire_old_deployments(self, service: Any, state: ServiceState, wanted: int) -> None:
        if len(state.deployments) == 1:
            return
        tasks = self.service_tasks(service)
        old_ids = {old.id for old in state.deployments[1:]}
        in_place = sum(
            task.last_status is TaskStatus.RUNNING and task.wanted and task.deployment_id == state.primary.id
            for task in tasks
        )
        old_live = [task for task in tasks if task.wanted and task.deployment_id in old_ids]
        surplus = len(old_live) - max(0, wanted - in_place)
        self._stop(service, state, old_live[: max(0, surplus)])
        busy = {task.deployment_id for task in tasks if task.last_status is not TaskStatus.STOPPED}
        state.deployments[1:] = [
            old
            for old in state.deployments[1:]
            if old.id in busy or (old.rollout is Rollout.FAILED and state.primary.rollout is Rollout.IN_PROGRESS)
        ]

    def _settle(self, service: Any, state: ServiceState, wanted: int) -> None:
        tasks = [task for task in self.service_tasks(service) if task.last_status is not TaskStatus.STOPPED]
        running = [task for task in tasks if task.last_status is TaskStatus.RUNNING and task.wanted]
        others = [old for old in state.deployments[1:] if old.rollout is not Rollout.FAILED]
        settled = len(tasks) == len(running) == wanted and not others
        if service.status == "DRAINING" and not tasks:
            service.status = "INACTIVE"
        if not settled or state.steady or state.primary.rollout is Rollout.FAILED:
            return
        now = self.world.clock.now()
        state.steady = True
        del state.deployments[1:]  # what its circuit breaker ended is shown until the next one is through
        state.primary.updated_at = now
        if state.primary.rollout is not Rollout.COMPLETED:
            state.primary.rollout = Rollout.COMPLETED
            state.note(now, f"(service {service.name}) (deployment {state.primary.id}) deployment completed.")
        state.note(now, f"(service {service.name}) has reached a steady state.")

    def _running(self, task: Task) -> bool:
        if not task.wanted or task.last_status not in STARTING:
            return False
        task.last_status = TaskStatus.RUNNING
        task.started_at = self.world.clock.now()
        return True

    def _failed(self, task: Task, reason: str) -> bool:
        if not task.wanted or task.last_status not in STARTING:
            return False
        self._begin_stop(task, "TaskFailedToStart", reason)
        self._stopped(task)
        return True

    def _begin_stop(self, task: Task, code: str, reason: str) -> None:
        task.desired_status = "STOPPED"
        task.stopping_at = self.world.clock.now()
        task.stop_code = code
        task.stopped_reason = reason
        if task.last_status is not TaskStatus.STOPPED:
            task.last_status = TaskStatus.DEACTIVATING if task.started_at else task.last_status

    def _stopped(self, task: Task) -> None:
        task.last_status = TaskStatus.STOPPED
        task.stopped_at = self.world.clock.now()


def counts(tasks: Sequence[Task]) -> tuple[int, int]:
    """Return (running, pending): a task counts as running until it has really stopped."""
    running = sum(task.last_status in COUNTED_AS_RUNNING for task in tasks)
    pending = sum(task.last_status in STARTING and task.wanted for task in tasks)
    return running, pending


def _provisioned(task: Task) -> None:
    if task.last_status is TaskStatus.PROVISIONING:
        task.last_status = TaskStatus.PENDING


def _first_to_go(tasks: Sequence[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: (task.last_status is TaskStatus.RUNNING, -task.created_at.timestamp()))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _home(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    return parts[4], parts[3]
