"""What readiness finds of an ECS service that stands in the target Region, and of what its tasks need there."""

from __future__ import annotations

import pytest

from tests.adapters.test_ecs_story import service_world
from tests.support.driver import TARGET


def test_production_that_exceeds_the_fargate_quota_of_the_target_region_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service of 600 tasks of half a vCPU each, where the account may run 256 vCPUs
    world = service_world(monkeypatch, tags={"dr:saved-capacity": "600/600/600"})

    run = world.start()

    assert not run.ready
    assert "600 tasks of 0.5 vCPU need 300 on Fargate, the quota of us-west-2 is 256" in run.findings["quota"]
    (remedy,) = {finding.remedy for finding in run.run.findings if finding.code == "quota"}
    assert "fargate L-3032A538" in remedy


def test_production_within_the_quota_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, tags={"dr:saved-capacity": "500/500/500"})

    run = world.start()

    assert run.ready, run.findings
    assert "quota" not in run.findings


def test_a_log_group_that_the_standing_definition_names_and_the_region_lacks_is_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = service_world(monkeypatch)
    world.aws("logs", TARGET).delete_log_group(logGroupName="/ecs/orders-api")

    run = world.start()

    assert not run.ready
    assert "log group /ecs/orders-api does not exist in us-west-2" in run.findings["needs"]
