"""ECS services that are not there yet: deployed from the side that serves, or from what the inventory remembers of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestrator import stages
from orchestrator.context import run_context
from orchestrator.targets import load_target
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

NAME, CLUSTER = "orders-api", "apps"
SERVICE = {"cluster": CLUSTER, "service": NAME}
DEPLOY = {"dr:recovery-strategy": "deploy-from-source"}


def deploy_world(monkeypatch: pytest.MonkeyPatch, *, there: bool = False, **settings: Any) -> World:
    """Return a world whose service is on the source side only, or (`there`) on both."""
    entry = {"kind": "ecs-service", "name": NAME, "service_on_target": there, "tags": DEPLOY, **settings}
    return open_world(monkeypatch, entry)


def service(world: World, region: str) -> dict[str, Any]:
    (found,) = world.aws("ecs", region).describe_services(cluster=CLUSTER, services=[NAME], include=["TAGS"])[
        "services"
    ]
    return dict(found)


def definition(world: World, region: str) -> dict[str, Any]:
    """Return the task definition that the service of a Region runs."""
    arn = service(world, region)["taskDefinition"]
    found: dict[str, Any] = world.aws("ecs", region).describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return found


def redeploy(world: World, region: str, volumes: Sequence[Mapping[str, Any]] = (), **container: Any) -> None:
    """Deploy a new revision of the service in a Region, as its owners do."""
    told = definition(world, region)
    kept = ("family", "cpu", "memory", "networkMode", "requiresCompatibilities", "executionRoleArn", "taskRoleArn")
    ecs = world.aws("ecs", region)
    made = ecs.register_task_definition(
        **{name: told[name] for name in kept},
        containerDefinitions=[{**told["containerDefinitions"][0], **container}],
        volumes=list(volumes),
    )
    ecs.update_service(**SERVICE, taskDefinition=made["taskDefinition"]["taskDefinitionArn"])
    world.wait(10)


def written(world: World, regions: dict[str, Any], **more: Any) -> dict[str, str]:
    """Put a manifest that tells of both Regions into the hub's bucket; return what a run must be told."""
    resource = {"resourceId": NAME, "action": "ECSService", "config": {"regions": regions}, **more}
    scope = {"customer": "CustomerX", "environment": "production"}
    layers = [{"layerId": "web", "priority": 1, "resources": [resource]}]
    world.blobs.put(
        "manifests/stories.json", json.dumps({"manifestVersion": "1.0", **scope, "layers": layers}).encode()
    )
    return {"Manifest": "manifests/stories.json"}


def environment(world: World, region: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in definition(world, region)["containerDefinitions"][0]["environment"]}


def test_the_service_is_made_on_the_target_side_serves_there_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch, desired_count=2)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert (service(world, here)["runningCount"], service(world, there)["runningCount"]) == (2, 0)
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_what_is_made_fits_its_region_and_carries_the_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)

    run = world.start()
    run.all()

    (container,) = definition(world, TARGET)["containerDefinitions"]
    assert container["image"].startswith(f"{APPS}.dkr.ecr.{TARGET}.")
    assert container["logConfiguration"]["options"]["awslogs-region"] == TARGET
    assert environment(world, TARGET) == {"AWS_REGION": TARGET}
    made = service(world, TARGET)
    tags = {tag["key"]: tag["value"] for tag in made["tags"]}
    assert tags["dr:execution-id"] == run.run_id
    assert tags["Customer"] == "CustomerX"
    assert not [key for key in tags if key.startswith("dr:deploy-")]
    assert made["loadBalancers"][0]["targetGroupArn"].split(":")[3] == TARGET
    assert made["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is True


def test_an_emergency_deploys_what_the_inventory_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch, desired_count=3)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    assert run.ready, run.findings
    ended = run.all()

    assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED, ended
    assert run.made() == ["RegisterTaskDefinition", "CreateService", "RegisterScalableTarget", "UpdateService"]
    assert {call.region for call in world.calls()} == {TARGET}
    assert service(world, TARGET)["runningCount"] == 3
    assert world.refusals() == []


def test_an_emergency_takes_a_service_as_it_is_when_nothing_of_the_source_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a strategy that only the manifest tells, after the inventory was taken
    world = open_world(monkeypatch, {"kind": "ecs-service", "name": NAME})
    world.inventory()
    world.darken(SOURCE)

    run = world.start(emergency=True, AcceptDataLoss=True, **written(world, {}, strategy="deploy-from-source"))
    ended = run.all()

    assert "used as it is" in run.findings["as-it-is"]
    assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED_WITH_WARNINGS, ended
    assert service(world, TARGET)["runningCount"] == 2


def test_a_new_revision_of_the_serving_side_is_brought_to_the_other_and_later_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a service on both sides, and a newer revision on the source side
    world = deploy_world(monkeypatch, there=True)
    redeploy(world, SOURCE, command=["serve", "--fast"])
    run = world.start()
    foreseen = run.previewed_calls()

    # When it moves, the target side runs what the source side ran
    ended = run.all()
    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert run.made() == foreseen
    assert run.made(Phase.INSTANTIATE) == ["RegisterTaskDefinition", "UpdateService"]
    assert definition(world, TARGET)["containerDefinitions"][0]["command"] == ["serve", "--fast"]
    run.end()

    # And when its owners deploy there, the side that stands by follows
    redeploy(world, TARGET, command=["serve", "--faster"])
    again = world.start(Phases=["REPLICATE"])
    assert again.phase(Phase.REPLICATE).outcome is Outcome.SUCCEEDED
    assert again.made() == ["RegisterTaskDefinition", "UpdateService"]
    assert definition(world, SOURCE)["containerDefinitions"][0]["command"] == ["serve", "--faster"]
    assert service(world, SOURCE)["desiredCount"] == 0
    assert world.refusals() == []


def test_a_side_that_still_serves_is_not_redeployed_as_a_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch, there=True)

    action = world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "expected 0" in action.detail
    assert "CLEANUP" in action.remedy


def test_a_manifest_says_what_only_a_region_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service with a database host and a file system of its Region
    world = deploy_world(monkeypatch, there=True)
    east, west = (
        world.aws("efs", region).create_file_system(CreationToken="data")["FileSystemId"] for region in (SOURCE, TARGET)
    )
    world.wait(5)
    volume = {"name": "data", "efsVolumeConfiguration": {"fileSystemId": east}}
    values = [{"name": "DB_HOST", "value": "db.east.example"}]
    redeploy(world, SOURCE, environment=values, volumes=[volume])
    regions = {
        SOURCE: {"environment": {"DB_HOST": "db.east.example"}},
        TARGET: {
            "environment": {"DB_HOST": "db.west.example"},
            "replace": {east: west},
        },
    }
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        run = world.start(operation, **written(world, regions))
        assert run.ready, run.findings
        ended = run.all()
        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        run.end()

    # Then each Region keeps its own
    assert (environment(world, SOURCE), environment(world, TARGET)) == (
        {"DB_HOST": "db.east.example"},
        {"DB_HOST": "db.west.example"},
    )
    systems = [
        definition(world, region)["volumes"][0]["efsVolumeConfiguration"]["fileSystemId"] for region in (SOURCE, TARGET)
    ]
    assert systems == [east, west]
    assert run.made(Phase.INSTANTIATE) == [], "the way back finds its own revision"


def test_a_value_that_is_said_for_one_region_only_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch, there=True)

    run = world.start(**written(world, {SOURCE: {"environment": {"DB_HOST": "db.east.example"}}}))

    assert not run.ready
    assert "DB_HOST for us-east-1 only" in run.findings["not-deployable"]


def untag(world: World, *keys: str) -> None:
    arn = service(world, SOURCE)["serviceArn"]
    world.aws("ecs", SOURCE).untag_resource(resourceArn=arn, tagKeys=list(keys))


def name_file_system(world: World) -> None:
    volume = {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}}
    redeploy(world, SOURCE, volumes=[volume])


def register_in_cloud_map(world: World) -> None:
    arn = f"arn:aws:servicediscovery:{SOURCE}:{APPS}:service/srv-1"
    world.aws("ecs", SOURCE).update_service(**SERVICE, serviceRegistries=[{"registryArn": arn}])


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lambda w: untag(w, "dr:deploy-subnets"), "nothing says the subnets of us-west-2"),
        (lambda w: untag(w, "dr:deploy-target-groups"), "nothing says the target groups of us-west-2"),
        (name_file_system, "names fs-0123456789abcdef0"),
        (register_in_cloud_map, "Cloud Map registry"),
    ],
)
def test_what_cannot_be_guessed_is_red_and_blocks(monkeypatch: pytest.MonkeyPatch, deed: Any, words: str) -> None:
    world = deploy_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    assert words in run.findings["not-deployable"]
    action = run.phase(Phase.INSTANTIATE)
    assert action.outcome is Outcome.FAILED
    assert words in action.detail
    assert run.made() == []


def lose_log_group(world: World) -> None:
    world.aws("logs", TARGET).delete_log_group(logGroupName=f"/ecs/{NAME}")


def use_values(world: World, *references: str) -> None:
    secrets = [{"name": f"SECRET_{number}", "valueFrom": each} for number, each in enumerate(references)]
    redeploy(world, SOURCE, secrets=secrets)


SECRET = f"arn:aws:secretsmanager:{SOURCE}:{APPS}:secret:orders-AbCdEf"
PARAMETER = f"arn:aws:ssm:{SOURCE}:{APPS}:parameter/orders/key"


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lose_log_group, "log group /ecs/orders-api does not exist in us-west-2"),
        (lambda w: use_values(w, SECRET), f"{SECRET.replace(SOURCE, TARGET)} (SECRET_0) does not exist"),
        (lambda w: use_values(w, PARAMETER), f"{PARAMETER.replace(SOURCE, TARGET)} (SECRET_0) does not exist"),
        (lambda w: use_values(w, "plain-name"), "plain-name (SECRET_0) does not exist"),
    ],
)
def test_what_the_containers_need_and_the_region_lacks_is_red(
    monkeypatch: pytest.MonkeyPatch, deed: Any, words: str
) -> None:
    world = deploy_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    assert words in run.findings["needs"]
    assert world.refusals() == []


def test_values_that_are_there_and_those_of_another_account_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)
    secret = world.aws("secretsmanager", TARGET).create_secret(Name="orders", SecretString="x")["ARN"]
    for name in ("/orders/key", "plain"):
        world.aws("ssm", TARGET).put_parameter(Name=name, Value="x", Type="SecureString")
    theirs = f"arn:aws:secretsmanager:{SOURCE}:333333333333:secret:theirs-AbCdEf"
    use_values(world, secret.replace(TARGET, SOURCE) + ":user::", PARAMETER, "plain", theirs)

    run = world.start()

    assert run.ready, run.findings


def test_an_image_that_the_region_lacks_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = deploy_world(monkeypatch, image_on_target=False).start()

    assert not run.ready
    assert "orders-api:1.0 does not exist in us-west-2" in run.findings["image"]


def test_a_service_that_still_drains_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given tasks on the target side, whose service somebody deletes while the run begins
    world = deploy_world(monkeypatch, there=True, target_group=False)
    world.aws("ecs", TARGET).update_service(**SERVICE, desiredCount=1)
    world.wait(10)
    network = service(world, TARGET)["networkConfiguration"]["awsvpcConfiguration"]
    regions = {TARGET: {"subnets": network["subnets"], "securityGroups": network["securityGroups"]}}
    run = world.start(**written(world, regions))
    world.aws("ecs", TARGET).delete_service(**SERVICE, force=True)

    run.tick(Phase.INSTANTIATE)
    (step,) = (each for each in run.action(Phase.INSTANTIATE).steps if each.name == "deploy-service")
    action = run.phase(Phase.INSTANTIATE)

    assert (step.state, "DRAINING" in step.reason) == ("busy", True)
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert service(world, TARGET)["status"] == "ACTIVE"


def test_rollback_puts_the_deployed_service_to_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert service(world, TARGET)["desiredCount"] == 0
    assert service(world, SOURCE)["runningCount"] == 2
    assert world.refusals() == []


def test_a_drill_runs_what_the_region_has_and_says_when_it_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)
    run = world.start(Operation.TEST)
    ended = run.all()
    assert ended[Phase.INSTANTIATE].outcome is ended[Phase.CLEANUP].outcome is Outcome.SUCCEEDED
    assert run.made() == ["RunTask", "StopTask"]
    run.end()

    ecs = world.aws("ecs", TARGET)
    for arn in ecs.list_task_definitions(familyPrefix=NAME)["taskDefinitionArns"]:
        ecs.deregister_task_definition(taskDefinition=arn)
    action = world.start(Operation.TEST).phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "there is no service apps/orders-api" in action.detail


def test_nothing_is_deleted_when_asked_to_decommission(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)

    ended = world.start(Decommission=True).all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert service(world, SOURCE)["status"] == "ACTIVE"


def balanced(world: World) -> str:
    """Put a load balancer in front of the target side's target group; return its name."""
    balancing, ec2 = world.aws("elbv2", TARGET), world.aws("ec2", TARGET)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    made = balancing.create_load_balancer(Name="front", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    (group,) = balancing.describe_target_groups(Names=[NAME])["TargetGroups"]
    balancing.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    return str(made["DNSName"])


def endpoints(run: Journey) -> list[tuple[str, int]]:
    """Return where a probe in the VPC would connect to."""
    adapter = run.platform.adapter("ecs")
    target = load_target(run.platform.blobs, run.run_id, run.action(Phase.ACTIVATE).target_id)
    context = run_context(run.run, Phase.ACTIVATE, target, run.world.clock.now())
    view = adapter.observe(target, run.platform.open_session(run.run, adapter, context, target), context)
    return [(each.host, each.port) for each in adapter.endpoints(view, context)]


def test_a_probe_connects_to_the_load_balancer_in_front_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deploy_world(monkeypatch)
    host = balanced(world)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    run.phase(Phase.ACTIVATE)

    assert endpoints(run) == [(host, 80)]
    assert stages.check_health(run.platform, run.run_id, run.stage(Phase.ACTIVATE).stage_id).settled
    assert world.refusals() == []
