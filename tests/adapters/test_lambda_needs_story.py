"""What readiness finds of the things a Lambda function needs of the target Region: key, network, layers, image, role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.lambda_scene import NAME, client, deployed_world, function_world, written
from tests.support.driver import APPS, SOURCE, TARGET, World


def configure(world: World, **settings: Any) -> None:
    """Change the standing function of the target side, as its owner would."""
    client(world, TARGET).update_function_configuration(FunctionName=NAME, **settings)
    world.wait(2)


@pytest.fixture
def said() -> Iterator[Said]:
    """What AWS is to say of the target side's function besides what the embedded AWS knows of it."""
    with Said() as said:
        yield said


class Said:
    """Changes what GetFunction answers in the target Region."""

    def __init__(self) -> None:
        self.configuration: dict[str, Any] = {}
        self.image = ""
        self.world: World | None = None

    def __enter__(self) -> Said:
        return self

    def __exit__(self, *_: object) -> None:
        if self.world is not None:
            self.world.local.after.remove(self._amended)

    def of(self, world: World, *, image: str = "", **configuration: Any) -> None:
        self.world, self.image, self.configuration = world, image, configuration
        world.local.after.append(self._amended)

    def _amended(self, call: Any, reply: Any) -> Any:
        if call.operation != "GetFunction" or call.region != TARGET:
            return reply
        code = {"Code": {"ImageUri": self.image}} if self.image else {}
        return {**reply, **code, "Configuration": {**reply["Configuration"], **self.configuration}}


def a_key(world: World) -> str:
    return str(world.aws("kms", TARGET).create_key()["KeyMetadata"]["Arn"])


def a_disabled_key(world: World, said: Said) -> None:
    key = a_key(world)
    world.aws("kms", TARGET).disable_key(KeyId=key)
    said.of(world, KMSKeyArn=key)


def a_key_that_leaves(world: World, said: Said) -> None:
    key = a_key(world)
    world.aws("kms", TARGET).schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    said.of(world, KMSKeyArn=key)


def a_role_that_is_gone(world: World, said: Said) -> None:
    world.aws("iam", TARGET).delete_role(RoleName=f"{NAME}-function")


def a_subnet_that_is_gone(world: World, said: Said) -> None:
    said.of(world, VpcConfig={"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": []})


def a_security_group_that_is_gone(world: World, said: Said) -> None:
    said.of(world, VpcConfig={"SubnetIds": [], "SecurityGroupIds": ["sg-0123456789abcdef0"]})


def an_image_that_is_gone(world: World, said: Said) -> None:
    said.of(world, image=f"{APPS}.dkr.ecr.{TARGET}.amazonaws.com/orders:1.0", PackageType="Image")


def an_image_of_the_region_being_left(world: World, said: Said) -> None:
    said.of(world, image=f"{APPS}.dkr.ecr.{SOURCE}.amazonaws.com/orders:1.0", PackageType="Image")


def dead_letters_of_the_region_being_left(world: World, said: Said) -> None:
    said.of(world, DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{SOURCE}:{APPS}:orders-dead"})


@pytest.mark.parametrize(
    ("deed", "code", "words", "remedy"),
    [
        (a_disabled_key, "kms-key", "of function orders is Disabled, expected Enabled", "aws kms enable-key"),
        (a_key_that_leaves, "kms-key", "is PendingDeletion, expected Enabled", "aws kms cancel-key-deletion"),
        (a_security_group_that_is_gone, "network", "sg-0123456789abcdef0 does not exist", "--vpc-config"),
        (an_image_that_is_gone, "image", "orders:1.0 does not exist in us-west-2", "push or replicate"),
        (an_image_of_the_region_being_left, "image", "lies in us-east-1, expected us-west-2", "replicate the image"),
        (a_role_that_is_gone, "role", "role/orders-function does not exist", "aws iam create-role"),
        (a_subnet_that_is_gone, "network", "subnet-0123456789abcdef0 does not exist in us-west-2", "--vpc-config"),
        (
            dead_letters_of_the_region_being_left,
            "dead-letters",
            "expected a queue or topic in us-west-2",
            "dead-letter",
        ),
    ],
)
def test_what_a_standing_function_would_miss_is_red_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, said: Said, deed: Any, code: str, words: str, remedy: str
) -> None:
    world = function_world(monkeypatch)
    deed(world, said)

    run = world.start()

    assert not run.ready
    (found,) = (each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert world.refusals() == []


def test_variables_that_name_the_region_being_left_are_told_by_their_names_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = function_world(monkeypatch)
    configure(world, Environment={"Variables": {"STAGE": "prod", "DB": f"orders.cluster-1.{SOURCE}.rds.amazonaws.com"}})

    run = world.start()

    assert run.ready
    assert "the variables DB of orders name us-east-1" in run.findings["environment-region"]
    assert "cluster-1" not in str(run.findings)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (f"arn:aws:lambda:{SOURCE}:{APPS}:layer:tools:1", "lies in us-east-1, expected us-west-2"),
        (f"arn:aws:lambda:{TARGET}:{APPS}:layer:tools:7", "layer:tools:7 does not exist"),
    ],
)
def test_a_function_is_not_made_with_a_layer_that_the_region_lacks(
    monkeypatch: pytest.MonkeyPatch, layer: str, words: str
) -> None:
    world = deployed_world(monkeypatch)

    run = world.start(**written(world, TARGET, layers=[layer]))

    assert not run.ready
    assert words in run.findings["layer"]
    assert world.refusals() == []


def test_a_function_is_made_with_a_layer_and_a_key_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed_world(monkeypatch)
    content = {"ZipFile": b"PK\x05\x06" + bytes(18)}
    layer = client(world, TARGET).publish_layer_version(LayerName="tools", Content=content)["LayerVersionArn"]
    theirs = f"arn:aws:lambda:{TARGET}:333333333333:layer:theirs:1"

    run = world.start(**written(world, TARGET, layers=[layer, theirs], kmsKeyArn=a_key(world)))

    assert run.ready, run.findings
    assert {"layer", "kms-key"}.isdisjoint(run.findings)
    assert world.refusals() == []


def test_an_emergency_looks_for_the_key_and_at_no_role(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    world = function_world(monkeypatch)
    a_disabled_key(world, said)
    a_role_that_is_gone(world, said)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "kms-key" in run.findings
    assert "role" not in run.findings
    assert {call.region for call in world.calls()} == {TARGET}
