"""What an emergency needs of the lost Region is in the inventory before it is lost, for every technology and strategy.

Two things are not kept, because they lie where the run goes and are read there at the time: when DRS took its newest snapshot
of a server, and which indices of an OpenSearch domain follow one by one (the rules by which new ones follow are kept).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from adapters import registry
from orchestrator.contract import Member
from tests.contract.matrix import facts, pairs, tagged
from tests.support.driver import SCOPE, SOURCE, TARGET, open_world

BOTH = ("source", "target")


def both(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}.{name}" for side in BOTH for name in names)


def of_source(*names: str) -> tuple[str, ...]:
    return tuple(f"source.{name}" for name in names)


ALL = "*"
NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # sizes, and what is to be deployed
    "ecs": {
        ALL: of_source("desired", "min", "max", "task_definition"),
        "scale-service": both("desired", "min", "max"),
        "deploy-from-source": of_source("deployable"),
    },
    "asg": {ALL: both("desired", "min", "max", "suspended"), "image-refresh": both("image")},
    # concurrency, alias versions, what is switched on
    "lambda": {
        ALL: of_source("reserved", "provisioned", "aliases", "mappings", "consuming"),
        "alias-shift": both("aliases", "mappings"),
        "deploy-from-source": of_source("definition"),
    },
    "eventbridge": {ALL: both("rules"), "global-endpoint": of_source("endpoint")},
    # global ids, members, and what a successor is made of
    "aurora": {
        ALL: (
            *both("arn", "subnet_group", "security_groups", "kms_key"),
            *of_source("engine", "version", "class", "instances", "parameter_group", "backup_days"),
        ),
        "global-database": both("global_cluster", "version", "instances", "parameter_group"),
        "cross-region-replica": both("version", "instances", "parameter_group"),
    },
    "rds": {
        ALL: (
            *both("arn", "subnet_group", "security_groups", "kms_key"),
            *of_source("class", "version", "multi_az", "parameter_group", "option_group?"),
        ),
        "read-replica": both("class", "parameter_group", "option_group?"),
    },
    "elasticache": {
        ALL: (
            *both("arn", "subnet_group", "security_groups", "kms_key"),
            *of_source("node_type", "version", "parameter_group", "shards", "replicas"),
        ),
        "global-datastore": both("datastore"),
        "backup-restore": both("bucket"),
    },
    "memorydb": {
        ALL: (
            *both("arn", "subnet_group", "security_groups", "kms_key"),
            *of_source("node_type", "version", "parameter_group", "shards", "replicas", "acl"),
        ),
        "multi-region": both("multi_region"),
        "snapshot-restore": both("bucket"),
    },
    # whose data is where
    "drs": {ALL: both("id", "server", "protects"), "drs-launch-into": ("target.into",)},
    "efs": {
        ALL: of_source("id", "own", "throughput_mode", "access_points"),
        "replication": both("id", "own"),
        "backup-restore": (*both("vault"), *of_source("taken", "restore")),
    },
    "fsx": {
        ALL: both("id", "type", "file_system"),
        "backup-copy": (*of_source("own", "backups", "aliases", "deployment"), *both("restore")),
        "openzfs-replication": both("read_only", "snapshots"),
        "lustre-s3": both("dns_name", "exported_at?"),
        "ontap-snapmirror": both("machines", "junctions"),
    },
    "opensearch": {
        ALL: both("endpoint", "version", "instances", "instance_type"),
        "cross-cluster-replication": both("rules"),
    },
    # the records as they were, and where to ask without Route 53
    "route53": {
        ALL: of_source("zone_id", "name_servers", "records"),
        "failover-routing": of_source("check"),
        "alarm-health-check": of_source("check"),
        "arc-routing-control": of_source("check", "controls", "endpoints"),
    },
}
"""Technology -> strategy -> what is kept of a side: its id, its ARN or a fact. One with a question mark may be None."""


def test_every_technology_says_what_an_emergency_needs_of_it() -> None:
    assert {each.spec.key for each in registry.adapters()} == set(NEEDED)
    strategies = {(key, name) for key, needed in NEEDED.items() for name in needed if name != ALL}
    assert strategies <= set(pairs())


@pytest.mark.parametrize(("key", "strategy"), pairs())
def test_emergency_knows_what_can_no_longer_be_read(monkeypatch: pytest.MonkeyPatch, key: str, strategy: str) -> None:
    # Given an inventory that was taken in good times
    estate = [tagged(entry, strategy, SCOPE.customer) for entry in facts(key).estates[strategy]]
    world = open_world(monkeypatch, *estate, images=facts(key).images)
    world.inventory()
    # When the Region is lost, and an emergency is planned
    world.darken(SOURCE)
    run = world.start(emergency=True, commit=False)
    # Then what the plan acts on is known from before
    members = [member.member() for target in run.plan.targets for member in target.members]
    assert members
    for member in members:
        assert list(_missing(member, (*NEEDED[key][ALL], *NEEDED[key].get(strategy, ())))) == []
        if key != "route53":
            assert (member.source.region, member.target.region) == (SOURCE, TARGET)


def test_newest_backup_that_was_copied_stands_for_a_file_system_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = [tagged(entry, "backup-copy", SCOPE.customer) for entry in facts("fsx").estates["backup-copy"]]
    world = open_world(monkeypatch, *estate)
    (resource,) = world.inventory().resources
    backups = world.aws("fsx", TARGET).describe_backups()["Backups"]
    assert resource.sides[TARGET].id == max(backups, key=lambda each: each["CreationTime"])["BackupId"]


def _missing(member: Member, needed: tuple[str, ...]) -> Iterator[str]:
    for each in needed:
        side, _, name = each.rstrip("?").partition(".")
        place = member.source if side == "source" else member.target
        kept = {"id": place.id, "arn": place.arn, **place.facts}
        if name not in kept or (kept[name] in (None, "") and not each.endswith("?")):
            yield each
