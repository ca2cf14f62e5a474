"""What readiness finds of the surroundings of databases: managed master passwords, keys, certificates, option groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.words import Phase, Severity
from tests.support.driver import SOURCE, TARGET, World, open_world

SNAPSHOTS = {"dr:recovery-strategy": "snapshot-copy"}
RDS = {"kind": "rds-single", "name": "orders", "copied": True, "tags": SNAPSHOTS}
AURORA = {"kind": "aurora-single", "name": "orders", "copied": True, "tags": SNAPSHOTS}


def dark(world: World) -> None:
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()


def told(run: Any, code: str) -> Any:
    """Return the first finding of a code; instances of a cluster have one each."""
    return next(each for each in run.run.findings if each.code == code)


@pytest.mark.parametrize("emergency", [False, True])
@pytest.mark.parametrize(("entry", "command"), [(RDS, "modify-db-instance"), (AURORA, "modify-db-cluster")])
def test_a_password_that_rds_manages_is_told_to_stay_behind_with_what_to_type_after_the_restore(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], command: str, emergency: bool
) -> None:
    world = open_world(monkeypatch, {**entry, "managed_password": True})
    if emergency:
        dark(world)

    run = world.start(emergency=emergency, **({"AcceptDataLoss": True} if emergency else {}))
    found = told(run, "master-password")

    assert found.severity is Severity.WARNING
    assert f"arn:aws:secretsmanager:{SOURCE}:" in found.message
    assert "no secret in us-west-2 tells it" in found.message
    assert command in found.remedy
    assert "--region us-west-2 --manage-master-user-password" in found.remedy
    assert world.refusals() == []


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "rds-single", "name": "orders", "tags": {"dr:recovery-strategy": "read-replica"}},
        {
            "kind": "aurora-single",
            "name": "orders",
            "engine": "aurora-mysql",
            "tags": {"dr:recovery-strategy": "cross-region-replica"},
        },
    ],
    ids=["rds", "aurora"],
)
def test_no_replica_is_planned_of_a_database_whose_password_rds_manages_for_aws_makes_none(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    run = open_world(monkeypatch, {**entry, "managed_password": True}).start()

    assert not run.ready
    assert "AWS makes no replica of such a database" in told(run, "master-password").message
    assert "--no-manage-master-user-password" in told(run, "master-password").remedy


def test_an_option_group_that_a_restore_needs_and_the_region_lacks_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, RDS)
    rds = world.aws("rds", SOURCE)
    rds.create_option_group(
        OptionGroupName="audited", EngineName="mysql", MajorEngineVersion="8.0", OptionGroupDescription="audit"
    )
    world.local.backend("rds", "222222222222", SOURCE).databases["orders"].option_group_name = "audited"

    run = world.start()

    assert not run.ready
    assert "not there in us-west-2: option group audited" in told(run, "surroundings").message
    assert world.refusals() == []


class Said:
    """Changes what AWS says of instances in the target Region."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.told: dict[str, Any] = {}

    def of(self, world: World, **told: Any) -> None:
        self.world, self.told = world, told
        world.local.after.append(self._amended)

    def end(self) -> None:
        if self.world is not None:
            self.world.local.after.remove(self._amended)

    def _amended(self, call: Any, reply: Any) -> Any:
        if call.operation != "DescribeDBInstances" or call.region != TARGET:
            return reply
        return {**reply, "DBInstances": [{**each, **self.told} for each in reply["DBInstances"]]}


@pytest.fixture
def said() -> Iterator[Said]:
    """Give the test a voice for AWS."""
    voice = Said()
    yield voice
    voice.end()


STANDING = (
    {"kind": "rds-replica", "name": "orders"},
    {"kind": "aurora-global", "name": "orders"},
    {"kind": "aurora-replica", "name": "orders"},
)


@pytest.mark.parametrize(("days", "ready", "words"), [(-1, False, "ended on"), (20, True, "ends on")])
@pytest.mark.parametrize("entry", STANDING, ids=lambda each: str(each["kind"]))
def test_a_certificate_of_the_standing_side_that_ends_is_told_in_time(
    monkeypatch: pytest.MonkeyPatch, said: Said, entry: dict[str, Any], days: int, ready: bool, words: str
) -> None:
    world = open_world(monkeypatch, entry)
    till = world.clock.now() + timedelta(days=days)
    said.of(world, CertificateDetails={"CAIdentifier": "rds-ca-2019", "ValidTill": till})

    run = world.start()

    assert run.ready is ready
    assert words in told(run, "certificate").message
    assert "--ca-certificate-identifier" in told(run, "certificate").remedy


def test_a_secret_of_the_standing_side_that_rds_cannot_rotate_is_told(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    world = open_world(monkeypatch, STANDING[0])
    arn = f"arn:aws:secretsmanager:{TARGET}:222222222222:secret:rds!db-1-AbCdEf"
    said.of(world, MasterUserSecret={"SecretArn": arn, "SecretStatus": "impaired"})

    run = world.start()

    assert run.ready
    assert "is impaired, expected active" in told(run, "master-password").message


@pytest.mark.parametrize("entry", STANDING, ids=lambda each: str(each["kind"]))
def test_an_emergency_finds_a_key_of_the_target_side_that_cannot_be_used_and_asks_nobody_else(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    world = open_world(monkeypatch, entry)
    keys = {key["KmsKeyId"] for key in world.aws("rds", TARGET).describe_db_instances()["DBInstances"]}
    world.aws("kms", TARGET).schedule_key_deletion(KeyId=keys.pop(), PendingWindowInDays=7)
    dark(world)

    run = world.start(emergency=True, AcceptDataLoss=True)

    assert "is PendingDeletion, expected Enabled" in told(run, "kms-key").message
    assert "aws kms cancel-key-deletion --region us-west-2" in told(run, "kms-key").remedy
    assert {call.region for call in world.calls()} == {TARGET}
    assert run.phase(Phase.ACTIVATE).outcome is not None
