"""A drill of an ECS service: one task of the target side's task definition, outside the service and its load balancer."""

from __future__ import annotations

from pydantic import JsonValue

from adapters.ecs.models import Service, Task
from adapters.ecs.view import EcsView
from orchestrator.contract import Call, Check, Later, RunContext, Step, busy, done, failed, todo
from orchestrator.words import CheckState, Effect, Side

START_SECONDS = 120
"""After this long without a task, the one that was started has stopped."""


def make(view: EcsView, run: RunContext) -> list[Step]:
    """Return the step that runs the task."""
    name, service = "drill-task", view.target.service or to_come(view)
    if service is None:
        return [failed(name, f"there is no service {view.target.place.id}", "deploy it, then start the drill again.")]
    params: dict[str, JsonValue] = {
        "cluster": view.target.cluster,
        "taskDefinition": service.taskDefinition,
        "count": 1,
        "startedBy": f"drill-{run.short_id}",
        "tags": [{"key": key, "value": value} for key, value in sorted(run.tags.items())],
        **_where_the_service_runs(service),
    }
    call = Call("ecs", "RunTask", params, Side.TARGET, keep={"task": "tasks[0].taskArn"}, token="clientToken")
    if any(task.lastStatus == "RUNNING" for task in view.drill_tasks):
        return [done(name, "runs", effect=Effect.REVERSIBLE)]
    if view.drill_tasks:
        return [
            busy(name, f"is {view.drill_tasks[0].lastStatus}, expected RUNNING", effect=Effect.REVERSIBLE, call=call)
        ]
    if name in run.kept and (run.seconds_since(name) or 0) > START_SECONDS:  # else nobody knows that it was started
        return [
            failed(name, "the task stopped by itself", f"read its stopped reason in cluster {view.target.cluster}.")
        ]
    return [todo(name, call, Effect.REVERSIBLE, "not there")]


def to_come(view: EcsView) -> Service | None:
    """Return a service that is not deployed yet as it would be, with the newest definition that the Region has."""
    deployment = view.deployment
    if deployment is None or deployment.newest is None:
        return None
    settings = {name: value for name, value in deployment.service.items() if name != "loadBalancers"}
    arn = deployment.newest.taskDefinitionArn
    return Service.model_validate(
        {"serviceArn": "", "serviceName": view.target.name, **settings, "taskDefinition": arn}
    )


def _where_the_service_runs(service: Service) -> dict[str, JsonValue]:
    """Return what RunTask would otherwise guess: without it, a Fargate service's task is sought a place on EC2."""
    strategy: JsonValue = [*service.capacityProviderStrategy]
    where: dict[str, JsonValue] = {
        "capacityProviderStrategy": strategy,
        "launchType": None if strategy else service.launchType,
        "platformVersion": service.platformVersion,
        "networkConfiguration": service.networkConfiguration,
    }
    return {name: value for name, value in where.items() if value}


def delete(view: EcsView, run: RunContext) -> list[Step]:
    """Return the steps that stop this drill's task."""
    if not view.drill_tasks:
        return [done("drill-task", "gone")]
    return [_stop(task, view, index) for index, task in enumerate(view.drill_tasks)]


def foreseen() -> tuple[Task, ...]:
    """Return the task as the preview of a drill's later phases expects it."""
    return (Task(taskArn="", lastStatus="RUNNING"),)


def _stop(task: Task, view: EcsView, index: int) -> Step:
    arn = task.taskArn or Later("ARN of the drill's task")
    call = Call("ecs", "StopTask", {"cluster": view.target.cluster, "task": arn, "reason": "end of drill"}, Side.TARGET)
    name = f"drill-task-{index + 1}"
    if task.lastStatus in {"DEACTIVATING", "STOPPING", "DEPROVISIONING"}:
        return busy(name, f"is {task.lastStatus}", call=call)
    return todo(name, call, Effect.COMPENSABLE, f"is {task.lastStatus}")


def health(view: EcsView) -> list[Check]:
    """Check the drill's task; without a container health check its health is UNKNOWN."""
    good = [t for t in view.drill_tasks if t.lastStatus == "RUNNING" and t.healthStatus in {"HEALTHY", "UNKNOWN"}]
    state = CheckState.HEALTHY if good else CheckState.SETTLING
    seen = ", ".join(f"{t.lastStatus}/{t.healthStatus}" for t in view.drill_tasks) or "no task"
    return [Check(view.member.resource_id, "drill-task", state, seen)]
