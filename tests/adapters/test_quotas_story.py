"""What a run makes must fit into what is left of the target side's quotas, over everything that the plan moves."""

from __future__ import annotations

import pytest

from adapters.memorydb import nodes as memorydb_nodes
from localaws.services.rds import RdsService
from localaws.services.rds.base import Place
from localaws.services.service_quotas import ServiceQuotasService
from orchestrator.words import Operation
from tests.adapters.memorydb_scene import SINGLE
from tests.adapters.opensearch_estate import open_estate
from tests.adapters.test_rds_restore_story import SNAPSHOTS
from tests.support.driver import APPS, TARGET, Journey, World, open_world

CACHE = {"kind": "elasticache-standalone", "exports": False, "tags": {"dr:recovery-strategy": "rebuild"}}


def quota(world: World, service: str, code: str, value: float) -> None:
    quotas = world.local.service("service-quotas")
    assert isinstance(quotas, ServiceQuotasService)
    quotas.override(APPS, TARGET, service, code, value)


def short_of_quota(run: Journey) -> set[str]:
    """Return the resources that are red because of a quota, by the last part of their ids."""
    return {each.resource_id.rpartition(":")[2] for each in run.run.findings if each.code == "quota"}


def test_databases_to_be_restored_must_fit_together_beside_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given two databases to be restored, where the account may have one instance
    world = open_world(monkeypatch, {**SNAPSHOTS, "name": "orders"}, {**SNAPSHOTS, "name": "prices"})
    rds = world.local.service("rds")
    assert isinstance(rds, RdsService)
    rds.quotas[Place(APPS, TARGET)] = {"DBInstances": 1}

    run = world.start()

    # Then each of them fits, and the plan does not
    assert not run.ready
    assert "need 1 DB instances, the quota of us-west-2 is 1, 0 of it in use" in run.findings["quota"]
    assert "2 members of this plan need 2 of it together" in run.findings["quota"]
    assert len(short_of_quota(run)) == 2
    assert world.refusals() == []


def test_caches_to_be_made_must_fit_together_into_the_nodes_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**CACHE, "name": "orders"}, {**CACHE, "name": "prices"})
    quota(world, "elasticache", "L-DFE45DF3", 3)

    run = world.start()

    assert not run.ready
    assert "ElastiCache nodes, the quota of us-west-2 is 3, 0 of it in use" in run.findings["quota"]
    assert len(short_of_quota(run)) == 2
    (remedy,) = {each.remedy for each in run.run.findings if each.code == "quota"}
    assert "aws service-quotas request-service-quota-increase --service-code elasticache" in remedy
    assert world.refusals() == []


def test_a_cache_within_the_quota_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_world(monkeypatch, {**CACHE, "name": "orders"}).start()

    assert run.ready, run.findings
    assert "quota" not in run.findings


def test_the_copy_of_a_drill_must_fit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(monkeypatch, {**CACHE, "name": "orders"})
    quota(world, "elasticache", "L-DFE45DF3", 1)

    run = world.start(Operation.TEST)

    assert not run.ready
    assert "the quota of us-west-2 is 1" in run.findings["quota"]


def test_clusters_of_memorydb_are_compared_with_the_documented_default_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a cluster of more nodes than a Region may have (in this story: one)
    monkeypatch.setattr(memorydb_nodes, "PER_REGION", 1)
    world = open_world(monkeypatch, SINGLE)

    run = world.start()

    assert not run.ready
    assert "MemoryDB nodes, the quota of us-west-2 is 1, 0 of it in use (the default" in run.findings["quota"]


def test_a_domain_that_is_to_grow_beyond_its_quota_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a domain of two instances on the target side, of three on the source side, where two are allowed
    estate = open_estate(monkeypatch, target_instances=2)
    quota(estate.world, "es", "L-6408ABDE", 2)

    run = estate.world.start()

    assert not run.ready
    assert "need 3 instances in the domain orders, the quota of us-west-2 is 2" in run.findings["quota"]
    assert estate.world.refusals() == []
