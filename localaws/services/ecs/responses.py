"""The ECS operations that moto answers wrongly or at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.ecs import checks
from localaws.services.ecs.models import Deployment, Rollout, ServiceState, Task
from localaws.services.ecs.scheduler import Scheduler, counts
from localaws.services.ecs.show import page, show_service
from localaws.services.ecs.tasks import build_task, show_task

if TYPE_CHECKING:
    from localaws.world import World

# Settings of a service that moto does not keep, or keeps only from one of the two calls.
KEPT_SETTINGS = (
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "serviceConnectConfiguration",
    "availabilityZoneRebalancing",
)
MOTO_SETTINGS = {
    "loadBalancers": "load_balancers",
    "networkConfiguration": "network_configuration",
    "platformVersion": "platform_version",
    "propagateTags": "propagate_tags",
    "serviceRegistries": "service_registries",
}
NEW_DEPLOYMENT_SETTINGS = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
)


class EcsService(Service):
    """Services, tasks and deployments with a life of their own; clusters and task definitions are moto's."""

    name = "ecs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.scheduler = Scheduler(world)
        self._states: dict[str, ServiceState] = {}

    def reset(self) -> None:
        self._states.clear()

    @operation("CreateService")
    def create_service(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        existing = self._existing(call, cluster)
        if existing is not None:
            return {"service": self._shown(existing, with_tags=True)}
        checks.check_schedule(call)
        checks.check_load_balancers(self.world, call)
        reference = call.params.get("taskDefinition")
        if reference:
            definition = checks.find_definition(self.world, call, reference)
            checks.check_network(self.world, call, definition, call.params.get("networkConfiguration"))
        self.world.moto(_as_moto_wants(call))
        service = self._moto_service(call, cluster, call.params["serviceName"])
        self._adopt(service, call)
        return {"service": self._shown(service, with_tags=True)}

    @operation("UpdateService")
    def update_service(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        service = checks.find_service(self.world, call, cluster, call.params["service"])
        checks.check_update(service, call)
        checks.check_load_balancers(self.world, call)
        reference = call.params.get("taskDefinition")
        definition = checks.find_definition(self.world, call, reference or service.task_definition)
        if "networkConfiguration" in call.params:
            checks.check_network(self.world, call, definition, call.params["networkConfiguration"])
        state = self._state(service)
        new_deployment = self._apply_settings(service, state, call) or call.params.get("forceNewDeployment")
        if new_deployment or definition.arn != service.task_definition:
            self.scheduler.begin_rollout(service, state, definition.arn)
        desired = call.params.get("desiredCount")
        if desired is not None:
            self.set_desired_count(service, int(desired))
        self.scheduler.reconcile(service, state)
        return {"service": self._shown(service, with_tags=True)}

    @operation("DeleteService")
    def delete_service(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        service = checks.find_service(self.world, call, cluster, call.params["service"])
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        replica = service.scheduling_strategy != "DAEMON"
        if replica and service.desired_count > 0 and not call.params.get("force"):
            raise AwsError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        state = self._state(service)
        service.desired_count = 0
        service.status = "DRAINING"
        self.scheduler.reconcile(service, state)
        return {"service": self._shown(service, with_tags=True)}

    @operation("DescribeServices")
    def describe_services(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        asked = call.params.get("services") or []
        if not 1 <= len(asked) <= 10:
            raise AwsError("InvalidParameterException", "Services cannot be empty or more than 10.")
        with_tags = "TAGS" in (call.params.get("include") or [])
        services: list[Any] = []
        failures: list[dict[str, str]] = []
        for name_or_arn in asked:
            name = name_or_arn.rsplit("/", 1)[-1]
            service = self._moto_service(call, cluster, name)
            if service is None:
                prefix = cluster.arn.split(":cluster/")[0]
                failures.append({"arn": f"{prefix}:service/{cluster.name}/{name}", "reason": "MISSING"})
            else:
                services.append(self._shown(service, with_tags))
        return {"services": services, "failures": failures}

    @operation("ListServices")
    def list_services(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        backend = self.world.backend("ecs", call.account, call.region)
        strategy, launch_type = call.params.get("schedulingStrategy"), call.params.get("launchType")
        arns = [
            service.arn
            for service in backend.services.values()
            if service.cluster_name == cluster.name
            and service.status == "ACTIVE"
            and strategy in (None, service.scheduling_strategy)
            and launch_type in (None, service.launch_type)
        ]
        shown, token = page(sorted(arns), call, default_size=10)
        return {"serviceArns": shown, **token}

    @operation("DescribeClusters")
    def describe_clusters(self, call: Call) -> Reply:
        reply = dict(self.world.moto(call))
        backend = self.world.backend("ecs", call.account, call.region)
        for shown in reply.get("clusters", []):
            cluster = backend.clusters[shown["clusterName"]]
            running, pending = counts(self.scheduler.tasks(cluster))
            active = [s for s in backend.services.values() if s.cluster_name == cluster.name and s.status == "ACTIVE"]
            shown.update(runningTasksCount=running, pendingTasksCount=pending, activeServicesCount=len(active))
        return reply

    @operation("ListTasks")
    def list_tasks(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        tasks = [task for task in self.scheduler.tasks(cluster) if _asked_for(call, task)]
        if call.params.get("serviceName"):
            service = checks.find_service(self.world, call, cluster, call.params["serviceName"])
            self._state(service)
            tasks = [task for task in self.scheduler.service_tasks(service) if _asked_for(call, task)]
        shown, token = page([task.task_arn for task in tasks], call, default_size=100)
        return {"taskArns": shown, **token}

    @operation("DescribeTasks")
    def describe_tasks(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        asked = call.params.get("tasks") or []
        if not 1 <= len(asked) <= 100:
            raise AwsError("InvalidParameterException", "Tasks cannot be empty or more than 100.")
        by_id = {task.task_id: task for task in self.scheduler.tasks(cluster)}
        with_tags = "TAGS" in (call.params.get("include") or [])
        found = [by_id[each.rsplit("/", 1)[-1]] for each in asked if each.rsplit("/", 1)[-1] in by_id]
        prefix = f"{cluster.arn.split(':cluster/')[0]}:task/{cluster.name}/"
        failures = [
            {"arn": prefix + each.rsplit("/", 1)[-1], "reason": "MISSING"}
            for each in asked
            if each.rsplit("/", 1)[-1] not in by_id
        ]
        return {"tasks": [show_task(self.world, task, with_tags) for task in found], "failures": failures}

    @operation("RunTask")
    def run_task(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        definition = checks.find_definition(self.world, call, call.params["taskDefinition"])
        checks.check_network(self.world, call, definition, call.params.get("networkConfiguration"))
        count = int(call.params.get("count") or 1)
        if not 1 <= count <= 10:
            raise AwsError("InvalidParameterException", "The number of tasks must be between 1 and 10.")
        token = call.params.get("clientToken")
        tasks = [task for task in self.scheduler.tasks(cluster) if token and task.client_token == token]
        if not tasks:
            tasks = [self._run_one(call, cluster, definition) for _ in range(count)]
        return {"tasks": [show_task(self.world, task, True) for task in tasks], "failures": []}

    @operation("StopTask")
    def stop_task(self, call: Call) -> Reply:
        cluster = checks.find_cluster(self.world, call)
        task_id = call.params["task"].rsplit("/", 1)[-1]
        task = next((each for each in self.scheduler.tasks(cluster) if each.task_id == task_id), None)
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        if task.wanted:
            reason = str(call.params.get("reason") or "Task stopped by user")
            self.scheduler.stop_task(task, "UserInitiated", reason, then=self._replace_task(call, task))
        return {"task": show_task(self.world, task, True)}

    def set_desired_count(self, service: Any, desired: int) -> None:
        """Change the desired count as UpdateService does; Application Auto Scaling checks its bounds later."""
        state = self._state(service)
        if desired != service.desired_count:
            service.desired_count = desired
            state.primary.rollout = Rollout.IN_PROGRESS
            state.primary.failed_tasks = 0
            state.primary.updated_at = self.world.clock.now()
            state.steady = False
            self.scheduler.reconcile(service, state)
        account, region = service.arn.split(":")[4], service.arn.split(":")[3]
        scaling: Any = self.world.service("application-autoscaling")
        scaling.check_soon(account, region, f"service/{service.cluster_name}/{service.name}")

    def find(self, account: str, region: str, cluster: str, name: str) -> Any | None:
        """Return moto's service, None when it does not exist or is not ACTIVE (for the other services)."""
        service = self.world.backend("ecs", account, region).services.get(f"{cluster}:{name}")
        if service is None or service.status != "ACTIVE":
            return None
        self._state(service)
        return service

    def running_count(self, account: str, region: str, cluster: str, name: str) -> int:
        """Return how many tasks of a service run now; 0 when there is no such service."""
        service = self.find(account, region, cluster, name)
        return 0 if service is None else counts(self.scheduler.service_tasks(service))[0]

    def settle_now(self, account: str, region: str, cluster: str, name: str) -> None:
        """Make every task of a service run at once, for an estate that has been running for long."""
        service = self.find(account, region, cluster, name)
        if service is not None:
            self.scheduler.finish_starting(service, self._state(service))

    def _run_one(self, call: Call, cluster: Any, definition: Any) -> Task:
        strategy = call.params.get("capacityProviderStrategy") or []
        task = build_task(
            self.world,
            self.world.backend("ecs", call.account, call.region),
            cluster,
            definition,
            group=call.params.get("group") or f"family:{definition.family}",
            started_by=call.params.get("startedBy") or "",
            launch_type=call.params.get("launchType") or "FARGATE",
            capacity_provider=strategy[0]["capacityProvider"] if strategy else None,
            network=call.params.get("networkConfiguration"),
            tags=[dict(tag) for tag in call.params.get("tags") or []],
            overrides=call.params.get("overrides"),
        )
        task.client_token = call.params.get("clientToken")
        self.scheduler.run_alone(task)
        return task

    def _replace_task(self, call: Call, task: Task) -> Callable[[], None] | None:
        if task.service_arn is None:
            return None
        cluster, name = task.service_arn.split("/")[1:]
        service = self._moto_service(call, checks.find_cluster(self.world, call.with_params(cluster=cluster)), name)
        return lambda: self.scheduler.reconcile(service, self._state(service))

    def _existing(self, call: Call, cluster: Any) -> Any | None:
        service = self._moto_service(call, cluster, call.params["serviceName"])
        if service is None or service.status == "INACTIVE":
            return None
        if service.status == "DRAINING":
            raise AwsError("InvalidParameterException", "Unable to Start a service that is still Draining.")
        token = call.params.get("clientToken")
        if token and self._state(service).client_token == token:
            return service
        raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")

    def _adopt(self, service: Any, call: Call) -> None:
        now = self.world.clock.now()
        deployment = Deployment(service.task_definition or "", now, now)
        settings = {name: call.params[name] for name in KEPT_SETTINGS if name in call.params}
        self._states[service.arn] = ServiceState(
            [deployment], now, call.principal.arn, call.params.get("clientToken"), settings
        )
        self.scheduler.reconcile(service, self._states[service.arn])

    def _apply_settings(self, service: Any, state: ServiceState, call: Call) -> bool:
        changed = False
        for name in (*KEPT_SETTINGS, *MOTO_SETTINGS):
            if call.params.get(name) is None:
                continue
            attribute = MOTO_SETTINGS.get(name)
            before = getattr(service, attribute) if attribute else state.settings.get(name)
            changed |= name in NEW_DEPLOYMENT_SETTINGS and before != call.params[name]
            if attribute:
                setattr(service, attribute, call.params[name])
            else:
                state.settings[name] = call.params[name]
        return changed

    def _state(self, service: Any) -> ServiceState:
        """Return what we know of a service; a service that came through CloudFormation starts now."""
        if service.arn not in self._states:
            now = self.world.clock.now()
            self._states[service.arn] = ServiceState([Deployment(service.task_definition or "", now, now)], now)
            self.scheduler.reconcile(service, self._states[service.arn])
        return self._states[service.arn]

    def _moto_service(self, call: Call, cluster: Any, name: str) -> Any | None:
        return self.world.backend("ecs", call.account, call.region).services.get(f"{cluster.name}:{name}")

    def _shown(self, service: Any, with_tags: bool) -> dict[str, Any]:
        state = self._state(service)
        tasks = self.scheduler.service_tasks(service)
        return show_service(service, state, tasks, self.scheduler.wanted_count(service), with_tags)


def _as_moto_wants(call: Call) -> Call:
    """Return the call without what makes moto crash: no securityGroups key, no count, unknown launch types."""
    network = call.params.get("networkConfiguration")
    if network and "awsvpcConfiguration" in network:
        settings = {"securityGroups": [], **network["awsvpcConfiguration"]}
        call = call.with_params(networkConfiguration={"awsvpcConfiguration": settings})
    launch_type = call.params.get("launchType") or ("FARGATE" if call.params.get("capacityProviderStrategy") else "EC2")
    return call.with_params(clientToken=None, desiredCount=call.params.get("desiredCount") or 0, launchType=launch_type)


def _asked_for(call: Call, task: Task) -> bool:
    wanted = call.params.get("desiredStatus") or "RUNNING"
    family = task.task_definition_arn.rsplit("/", 1)[-1].split(":")[0]
    return (
        task.desired_status == wanted
        and call.params.get("family") in (None, family)
        and call.params.get("startedBy") in (None, task.started_by)
        and call.params.get("launchType") in (None, task.launch_type)
        and call.params.get("containerInstance") in (None, task.container_instance_arn)
    )
