"""What ECS refuses: the preconditions of CreateService, UpdateService and RunTask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call
from localaws.services.ecs.targets import target_group

if TYPE_CHECKING:
    from localaws.world import World

CODE_DEPLOY_OWNS = ("taskDefinition", "loadBalancers", "platformVersion", "networkConfiguration")


def find_cluster(world: World, call: Call) -> Any:
    """Return moto's cluster of a call; raise ClusterNotFoundException."""
    name = str(call.params.get("cluster") or "default").rsplit("/", 1)[-1]
    cluster = world.backend("ecs", call.account, call.region).clusters.get(name)
    if cluster is None or cluster.status != "ACTIVE":
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return cluster


def find_service(world: World, call: Call, cluster: Any, name_or_arn: str) -> Any:
    """Return moto's service of a call; raise ServiceNotFoundException."""
    name = name_or_arn.rsplit("/", 1)[-1]
    service = world.backend("ecs", call.account, call.region).services.get(f"{cluster.name}:{name}")
    if service is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return service


def find_definition(world: World, call: Call, reference: str) -> Any:
    """Return an ACTIVE task definition by family, family:revision or ARN; raise ClientException."""
    families = world.backend("ecs", call.account, call.region).task_definitions
    family, _, revision = reference.rsplit("/", 1)[-1].partition(":")
    revisions = families.get(family) or {}
    if revision:
        definition = revisions.get(int(revision)) if revision.isdigit() else None
    else:
        active = [number for number, each in revisions.items() if each.status == "ACTIVE"]
        definition = revisions[max(active)] if active else None
    if definition is None or f":{call.region}:" not in definition.arn:
        raise AwsError("ClientException", "TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise AwsError("ClientException", "TaskDefinition is inactive")
    return definition


def check_network(world: World, call: Call, definition: Any, network: Mapping[str, Any] | None) -> None:
    """Refuse an awsvpc definition without network settings, and subnets or groups that do not exist."""
    settings = (network or {}).get("awsvpcConfiguration")
    if settings is None:
        if definition.network_mode == "awsvpc":
            raise _invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        return
    if not settings.get("subnets"):
        raise _invalid("subnets can not be empty.")
    ec2 = world.backend("ec2", call.account, call.region)
    known = {subnet_id for zone in ec2.subnets.values() for subnet_id in zone}
    for subnet in settings["subnets"]:
        if subnet not in known:
            raise _invalid(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
    for group in settings.get("securityGroups") or []:
        if ec2.get_security_group_from_id(group) is None:
            raise _invalid(
                f"Error retrieving security group information for [{group}]: The security group '{group}' "
                "does not exist (ErrorCode: InvalidGroup.NotFound)"
            )


def check_load_balancers(world: World, call: Call) -> None:
    """Refuse target groups that do not exist in this account and Region."""
    for load_balancer in call.params.get("loadBalancers") or []:
        arn = load_balancer.get("targetGroupArn")
        if arn and target_group(world, call.account, call.region, arn) is None:
            raise _invalid("The specified target group does not exist.")


def check_schedule(call: Call) -> None:
    """Refuse a desired count for DAEMON, DAEMON on Fargate, and REPLICA without a count."""
    daemon = call.params.get("schedulingStrategy") == "DAEMON"
    if daemon and call.params.get("desiredCount") is not None:
        raise _invalid(
            "The daemon scheduling strategy does not support a desired count for services. "
            "Remove the desired count and try again."
        )
    if daemon and call.params.get("launchType") == "FARGATE":
        raise _invalid("The daemon scheduling strategy is not supported on Fargate.")
    if not daemon and call.params.get("desiredCount") is None:
        raise _invalid("desiredCount must be specified when the scheduling strategy is REPLICA.")


def check_update(service: Any, call: Call) -> None:
    """Refuse what the state, the scheduling strategy or the deployment controller of the service forbids."""
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.scheduling_strategy == "DAEMON" and call.params.get("desiredCount") is not None:
        raise _invalid(
            "The daemon scheduling strategy does not support a desired count for services. "
            "Remove the desired count and try again."
        )
    if (call.params.get("desiredCount") or 0) < 0:
        raise _invalid("desiredCount cannot be negative.")
    if service.deployment_controller.get("type") != "CODE_DEPLOY":
        return
    for name in CODE_DEPLOY_OWNS:
        if call.params.get(name) is not None:
            what = {"taskDefinition": "task definition", "platformVersion": "platform version"}.get(name, name)
            raise _invalid(
                f"Unable to update {what} on services with a CODE_DEPLOY deployment controller. "
                "Use AWS CodeDeploy to trigger a new deployment."
            )
    if call.params.get("forceNewDeployment"):
        raise _invalid("Cannot force a new deployment on services with a CODE_DEPLOY deployment controller.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
