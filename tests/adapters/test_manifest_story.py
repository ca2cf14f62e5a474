"""A stack that is written down in a manifest moves as the manifest says; where it cannot, everything wrong is told first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.errors import DrError, ValidationError
from orchestrator.words import Outcome, Phase
from tests.support.driver import APPS, SCOPE, SOURCE, TARGET, World, open_world

KEY = "manifests/CustomerX/production.json"
SERVICE = {"kind": "ecs-service", "name": "orders-api", "desired_count": 2}
DATABASE = {"kind": "aurora-global", "name": "orders-db", "tags": {"dr:wave": "2"}}


def write(world: World, *resources: dict[str, Any], **more: Any) -> None:
    """Put a manifest into the hub's bucket: each resource is a layer of its own, in this order."""
    layers = [
        {"layerId": f"layer-{number}", "priority": number, "resources": [resource]}
        for number, resource in enumerate(resources, start=1)
    ]
    document = {
        "manifestVersion": "1.0",
        "customer": SCOPE.customer,
        "environment": SCOPE.environment,
        "layers": layers,
        **more,
    }
    world.blobs.put(KEY, json.dumps(document).encode())


def service(**config: Any) -> dict[str, Any]:
    return {"resourceId": "orders-api", "action": "ECSService", "config": config}


def database(**more: Any) -> dict[str, Any]:
    return {"resourceId": "orders-db", "action": "AuroraPostgreSQL", **more}


def parameter(world: World, value: str, kind: str = "String") -> None:
    world.aws("ssm", TARGET).put_parameter(Name="/orders/count", Value=value, Type=kind)


def test_run_goes_by_the_manifest_and_tells_where_tags_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database tagged for wave 2, and a manifest that wants it first and the service with as many tasks as a parameter says
    world = open_world(monkeypatch, SERVICE, DATABASE)
    parameter(world, "3")
    write(
        world,
        database(priority="critical"),
        service(desiredCount="{{ssm:/orders/count}}", note="as {{ssm:/orders/count}}"),
    )
    # When
    run = world.start(Manifest=KEY)
    # Then the waves are the manifest's, and the settings hold what the reference stands for
    assert [(stage.wave, stage.phase) for stage in run.plan.stages][:2] == [
        (1, Phase.INSTANTIATE),
        (2, Phase.INSTANTIATE),
    ]
    waves = {action.resource_ids[0]: action.wave for action in run.plan.actions}
    assert waves == {"aurora/orders-db": 1, "ecs/orders-api": 2}
    settings = {m.resource_id: dict(m.settings) for target in run.plan.targets for m in target.members}
    assert settings["ecs/orders-api"] == {"desiredCount": 3, "note": "as 3"}
    # And the plan tells what the tags said
    assert [each for each in run.plan.remarks if "dr:wave" in each] == [
        'aurora/orders-db: dr:wave is "2" by its tag and "1" by the manifest, which wins',
        'ecs/orders-api: dr:wave is "1" by its tag and "2" by the manifest, which wins',
    ]
    # And the audit trail names the document and its version
    told = [event.message for event in run.events("manifest")]
    assert told[0] == f"s3://memory/{KEY} version 1"
    assert run.run.manifest_version == "1"


def test_number_in_the_manifest_is_what_the_service_is_scaled_to(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    write(world, service(desiredCount=3))
    run = world.start(Manifest=KEY)
    assert {action.outcome for action in run.all().values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
    found = world.aws("ecs", TARGET).describe_services(cluster="apps", services=["orders-api"])["services"][0]
    assert found["runningCount"] == 3


def test_version_that_is_named_is_the_one_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    write(world, service(desiredCount=3))
    write(world, service(desiredCount=5))
    run = world.start(Manifest=KEY, ManifestVersion="1")
    (target,) = run.plan.targets
    assert target.members[0].settings == {"desiredCount": 3}


def test_secret_stays_the_reference_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    parameter(world, "hunter2", "SecureString")
    write(world, service(password="{{ssm:/orders/count}}"))
    run = world.start(Manifest=KEY)
    assert run.plan.targets[0].members[0].settings == {"password": "{{ssm:/orders/count}}"}
    assert "hunter2" not in "".join(body.decode() for body in world.blobs.documents.values())


def test_stack_output_is_looked_up_where_the_reference_says(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    template = {
        "Resources": {
            "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Name": "/p"}}
        },
        "Outputs": {"Count": {"Value": "4"}},
    }
    world.aws("cloudformation", SOURCE).create_stack(StackName="Orders", TemplateBody=json.dumps(template))
    write(world, service(size=f"{{{{cfn:{APPS}/{SOURCE}:Orders.Count}}}}"))
    assert world.start(Manifest=KEY).plan.targets[0].members[0].settings == {"size": 4}


@pytest.mark.parametrize(
    ("resource", "where", "what"),
    [
        (
            service(size="{{ssm:/nowhere}}"),
            "layers[0].resources[0].config.size",
            f"no such parameter in {APPS}/{TARGET}",
        ),
        (service(size="{{cfn:Gone.Out}}"), "layers[0].resources[0].config.size", "no such stack output"),
        (
            {"resourceId": "orders", "action": "ECSService"},
            "layers[0].resources[0]",
            "was not found in CustomerX/production",
        ),
        (
            {"resourceId": "orders-api", "action": "AuroraMySQL"},
            "layers[0].resources[0].action",
            "another kind of resource",
        ),
    ],
)
def test_manifest_that_does_not_fit_aws_stops_the_run_with_its_place(
    monkeypatch: pytest.MonkeyPatch, resource: dict[str, Any], where: str, what: str
) -> None:
    world = open_world(monkeypatch, SERVICE, DATABASE)
    write(world, resource)
    with pytest.raises(ValidationError) as told:
        world.start(Manifest=KEY)
    assert f"- {where}: " in told.value.message
    assert what in told.value.message
    assert world.operations() == []


def test_manifest_of_another_customer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    write(world, service(), customer="CustomerY", environment="staging")
    with pytest.raises(ValidationError, match='customer: is "CustomerY", this run is for "CustomerX"'):
        world.start(Manifest=KEY)


def test_manifest_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DrError, match="there is no document"):
        open_world(monkeypatch, SERVICE).start(Manifest=KEY)


def test_two_sides_of_different_names_are_one_resource_when_the_manifest_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given two services, each with only one side that belongs to the customer
    world = open_world(monkeypatch, SERVICE, {**SERVICE, "name": "orders-api-west"})
    for region, stranger in ((SOURCE, "orders-api-west"), (TARGET, "orders-api")):
        ecs = world.aws("ecs", region)
        arn = ecs.describe_services(cluster="apps", services=[stranger])["services"][0]["serviceArn"]
        ecs.untag_resource(resourceArn=arn, tagKeys=["dr:enabled", "Customer"])
    arns = [
        f"arn:aws:ecs:{SOURCE}:{APPS}:service/apps/orders-api",
        f"arn:aws:ecs:{TARGET}:{APPS}:service/apps/orders-api-west",
    ]
    with pytest.raises(ValidationError, match="has no counterpart"):
        world.start()
    world.ledger.unlock(SCOPE, "run-1")
    # When a manifest joins the two
    write(world, {"resourceId": "orders", "action": "ECSService", "arns": arns})
    run = world.start(Manifest=KEY)
    # Then they move as one
    (target,) = run.plan.targets
    assert (target.members[0].source.id, target.members[0].target.id) == ("apps/orders-api", "apps/orders-api-west")
    assert {action.outcome for action in run.all().values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
    # And the scheduled inventory knows it from the manifest that lies there, for an emergency
    run.end()
    snapshot = world.inventory()
    assert [each.resource_id for each in snapshot.resources] == ["ecs/orders"]


def test_manifest_lying_there_that_is_no_good_keeps_no_inventory_from_being_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = open_world(monkeypatch, SERVICE)
    world.blobs.put(KEY, b"{")
    snapshot = world.inventory()
    assert [each.resource_id for each in snapshot.resources] == ["ecs/orders-api"]
    assert "is not used" in snapshot.remarks[0]


def test_phases_of_the_manifest_are_those_of_a_planned_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, SERVICE)
    write(world, service(), phases=["ACTIVATE", "CLEANUP"])
    assert {stage.phase for stage in world.start(Manifest=KEY).plan.stages} == {Phase.ACTIVATE, Phase.CLEANUP}
