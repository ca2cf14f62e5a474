"""What readiness finds of an ECS service that stands in the target Region, and of what its tasks need there."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Severity
from tests.adapters.test_ecs_story import service_world
from tests.support.driver import APPS, SOURCE, TARGET, World, open_world


def test_production_that_exceeds_the_fargate_quota_of_the_target_region_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service of 600 tasks of half a vCPU each, where the account may run 256 vCPUs
    world = service_world(monkeypatch, tags={"dr:saved-capacity": "600/600/600"})

    run = world.start()

    assert not run.ready
    assert "600 tasks of 0.5 vCPU need 300 vCPUs on Fargate, the quota of us-west-2 is 256" in run.findings["quota"]
    (remedy,) = {finding.remedy for finding in run.run.findings if finding.code == "quota"}
    assert "fargate L-3032A538" in remedy


def test_production_within_the_quota_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, tags={"dr:saved-capacity": "500/500/500"})

    run = world.start()

    assert run.ready, run.findings
    assert "quota" not in run.findings


def test_services_that_fit_one_by_one_and_not_together_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two services of the same account that need 150 vCPUs each, where it may run 256
    entries = [
        {"kind": "ecs-service", "name": name, "tags": {"dr:saved-capacity": "300/300/300"}}
        for name in ("orders", "prices")
    ]
    world = open_world(monkeypatch, *entries)

    run = world.start()

    assert not run.ready
    assert "2 members of this plan need 300 of it together" in run.findings["quota"]
    assert {each.resource_id.rpartition("/")[2] for each in run.run.findings if each.code == "quota"} == {
        "orders",
        "prices",
    }


def test_what_runs_in_the_region_already_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service that needs 100 vCPUs of 256, and others that run on 200 of them there
    world = service_world(monkeypatch, tags={"dr:saved-capacity": "200/200/200"})
    ecs = world.aws("ecs", TARGET)
    container = [{"name": "app", "image": "public.ecr.aws/app:1", "essential": True}]
    made = ecs.register_task_definition(
        family="big", containerDefinitions=container, cpu="16384", memory="32768", requiresCompatibilities=["FARGATE"]
    )
    like = ecs.describe_services(cluster="apps", services=["orders-api"])["services"][0]
    ecs.create_service(
        cluster="apps",
        serviceName="others",
        taskDefinition=made["taskDefinition"]["taskDefinitionArn"],
        launchType="FARGATE",
        desiredCount=12,
        networkConfiguration=like["networkConfiguration"],
    )
    world.wait(10)

    run = world.start()

    assert not run.ready
    assert "need 100 vCPUs on Fargate, the quota of us-west-2 is 256, 192 of it in use" in run.findings["quota"]
    assert world.refusals() == []


def test_an_emergency_that_may_not_look_at_a_quota_is_told_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, desired_count=2)
    world.inventory()
    world.darken(SOURCE)
    world.fault(effect="error", service="service-quotas", code="AccessDeniedException")

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert run.ready
    assert "how many are left in us-west-2 is not known" in run.findings["quota-unseen"]
    assert {severity for code, severity in of_quotas(run.run.findings)} == {Severity.WARNING}


def of_quotas(findings: Any) -> list[tuple[str, Severity]]:
    return [(each.code, each.severity) for each in findings if each.code.startswith("quota")]


def test_a_log_group_that_the_standing_definition_names_and_the_region_lacks_is_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = service_world(monkeypatch)
    world.aws("logs", TARGET).delete_log_group(logGroupName="/ecs/orders-api")

    run = world.start()

    assert not run.ready
    assert "log group /ecs/orders-api does not exist in us-west-2" in run.findings["needs"]


def test_production_within_what_every_task_needs_is_ready_and_nothing_was_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a service behind HTTPS, with a secret, a parameter, a private registry and a file system of its own Region
    world = service_world(monkeypatch)
    secret = a_secret(world)
    world.aws("ssm", TARGET).put_parameter(Name="/orders/key", Value="x", Type="SecureString")
    file_system = world.aws("efs", TARGET).create_file_system(CreationToken="data")["FileSystemId"]
    world.wait(5)
    redefine(
        world,
        {"efsVolumeConfiguration": {"fileSystemId": file_system}},
        secrets=[{"name": "PASSWORD", "valueFrom": f"{secret}:user::"}, {"name": "KEY", "valueFrom": "/orders/key"}],
        repositoryCredentials={"credentialsParameter": secret},
    )
    shown_by_https(world)

    run = world.start()

    assert run.ready, run.findings
    assert set(run.findings) == {"ready"}
    assert world.refusals() == []


def a_secret(world: World, **settings: Any) -> str:
    reply = world.aws("secretsmanager", TARGET).create_secret(Name="orders", SecretString="x", **settings)
    return str(reply["ARN"])


def redefine(world: World, volume: dict[str, Any] | None = None, **container: Any) -> None:
    """Give the standing service of the target side a definition whose container asks for more."""
    ecs = world.aws("ecs", TARGET)
    found = ecs.describe_task_definition(taskDefinition="orders-api")["taskDefinition"]
    kept = ("family", "cpu", "memory", "networkMode", "requiresCompatibilities", "executionRoleArn", "taskRoleArn")
    asked = {name: found[name] for name in kept} | ({"volumes": [{"name": "data", **volume}]} if volume else {})
    asked["executionRoleArn"] = container.pop("executionRoleArn", asked["executionRoleArn"])
    new = ecs.register_task_definition(
        **asked, containerDefinitions=[{**found["containerDefinitions"][0], **container}]
    )
    arn = new["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster="apps", service="orders-api", taskDefinition=arn)
    world.wait(5)


def shown_by_https(world: World, *, issued: bool = True) -> str:
    """Put a load balancer with a certificate before the target side's service; return the certificate's ARN."""
    elb = world.aws("elbv2", TARGET)
    (group,) = elb.describe_target_groups()["TargetGroups"]
    subnets = [each["SubnetId"] for each in world.aws("ec2", TARGET).describe_subnets()["Subnets"]][:2]
    balancer = elb.create_load_balancer(Name="orders", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    arn = str(world.aws("acm", TARGET).request_certificate(DomainName="orders.example.com")["CertificateArn"])
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    if issued:
        world.wait(2)
    return arn


def a_secret_that_leaves(world: World) -> None:
    secret = a_secret(world)
    redefine(world, secrets=[{"name": "PASSWORD", "valueFrom": secret}])
    world.aws("secretsmanager", TARGET).delete_secret(SecretId=secret, RecoveryWindowInDays=7)


def a_secret_whose_key_leaves(world: World) -> None:
    key = world.aws("kms", TARGET).create_key()["KeyMetadata"]["KeyId"]
    redefine(world, secrets=[{"name": "PASSWORD", "valueFrom": a_secret(world, KmsKeyId=key)}])
    world.aws("kms", TARGET).schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def a_secret_of_the_region_being_left(world: World) -> None:
    arn = f"arn:aws:secretsmanager:{SOURCE}:{APPS}:secret:orders-AbCdEf"
    redefine(world, secrets=[{"name": "PASSWORD", "valueFrom": arn}])


def a_registry_without_its_secret(world: World) -> None:
    arn = f"arn:aws:secretsmanager:{TARGET}:{APPS}:secret:registry-AbCdEf"
    redefine(world, repositoryCredentials={"credentialsParameter": arn})


def a_file_system_that_is_not_there(world: World) -> None:
    redefine(world, {"efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}})


def a_parameter_of_the_region_being_left(world: World) -> None:
    arn = f"arn:aws:ssm:{SOURCE}:{APPS}:parameter/orders/key"
    redefine(world, secrets=[{"name": "KEY", "valueFrom": arn}])


def a_certificate_that_is_not_issued(world: World) -> None:
    shown_by_https(world, issued=False)


def a_certificate_that_ended(world: World) -> None:
    shown_by_https(world)
    world.wait(396 * 24 * 60)


def a_target_group_that_is_gone(world: World) -> None:
    elb = world.aws("elbv2", TARGET)
    (group,) = elb.describe_target_groups()["TargetGroups"]
    elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def a_role_that_is_not_there(world: World) -> None:
    redefine(world, executionRoleArn=f"arn:aws:iam::{APPS}:role/gone")


def a_role_of_somebody_else(world: World) -> None:
    role = world.aws("iam", TARGET).create_role(RoleName="other", AssumeRolePolicyDocument=FOR_LAMBDA)["Role"]
    redefine(world, executionRoleArn=role["Arn"])


FOR_LAMBDA = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"Service": "lambda.amazonaws.com"}}]}'
)


@pytest.mark.parametrize(
    ("deed", "code", "words", "remedy"),
    [
        (a_secret_that_leaves, "needs", "(PASSWORD) is to be deleted", "restore-secret --region us-west-2"),
        (a_secret_whose_key_leaves, "kms-key", "is PendingDeletion, expected Enabled", "cancel-key-deletion"),
        (a_secret_of_the_region_being_left, "needs", "lies in us-east-1, expected us-west-2", "replicate-secret"),
        (a_registry_without_its_secret, "needs", "(repositoryCredentials) does not exist in us-west-2", "replicate"),
        (a_parameter_of_the_region_being_left, "needs", "(KEY) lies in us-east-1", "put it into us-west-2"),
        (a_file_system_that_is_not_there, "needs", "fs-0123456789abcdef0 is not available in us-west-2", "replica"),
        (a_certificate_that_is_not_issued, "certificate", "is PENDING_VALIDATION, expected ISSUED", "acm"),
        (a_certificate_that_ended, "certificate", "of listener HTTPS 443 of orders", "request-certificate"),
        (a_target_group_that_is_gone, "target-group", "does not exist in us-west-2", "make it"),
        (a_role_that_is_not_there, "role", "role/gone does not exist", "create-role"),
        (a_role_of_somebody_else, "role", "may not be assumed by ecs-tasks.amazonaws.com", "update-assume-role-policy"),
    ],
)
def test_whatever_the_tasks_would_miss_in_the_target_region_is_red_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, deed: Any, code: str, words: str, remedy: str
) -> None:
    world = service_world(monkeypatch)
    deed(world)

    run = world.start()

    assert not run.ready
    (found,) = (each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert world.refusals() == []


def test_a_certificate_that_ends_soon_is_told_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    shown_by_https(world)
    world.wait(385 * 24 * 60)

    run = world.start()

    assert run.ready
    assert "ends on" in run.findings["certificate"]


def test_an_emergency_looks_for_the_same_in_the_target_region_and_at_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file system that the target side lacks, a role that is gone, and a lost Region
    world = service_world(monkeypatch)
    redefine(
        world,
        {"efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}},
        executionRoleArn=f"arn:aws:iam::{APPS}:role/gone",
    )
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert {"needs"} <= set(run.findings)
    assert "role" not in run.findings
    assert {call.region for call in world.calls()} == {TARGET}
