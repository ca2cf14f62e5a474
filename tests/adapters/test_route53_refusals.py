"""What Route 53's discovery names and refuses, and the cluster of routing controls that another account shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.words import Outcome, Phase
from tests.adapters.test_route53_arc_story import ArcShop
from tests.adapters.test_route53_story import ON, Shop
from tests.support.driver import APPS, COMMON_TAGS, HUB, SOURCE, TARGET, open_world

Open = Callable[..., ArcShop]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_shop(kind: str = "dns-arc", **settings: Any) -> ArcShop:
        entry = {"kind": kind, "name": "store-dns", "zone": "shop.example.com", **settings}
        return ArcShop(open_world(monkeypatch, entry))

    return open_shop


def _missing(here: Shop) -> str:
    return "".join(here.world.inventory().missing_accounts.values())


def _tag(here: Shop, check_id: str) -> None:
    tags = [{"Key": key, "Value": value} for key, value in COMMON_TAGS.items()]
    here.route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=check_id, AddTags=tags)
    here.world.wait(60)


def _control_check(here: ArcShop, control: str) -> str:
    config = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": control}
    made = here.route53.create_health_check(CallerReference=control, HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def test_routing_controls_behind_weighted_records_are_refused_before_anything_is_planned(shop: Open) -> None:
    # Given a failover pair behind routing controls, made a weighted pair by its owner
    here = shop()
    records = here.records().values()
    for record in records:
        here.change(DELETE=record)
    for record in records:
        here.change(CREATE={key: value for key, value in record.items() if key != "Failover"} | {"Weight": 50})

    missing = _missing(here)

    assert "follows routing control arn:aws:route53-recovery-control" in missing
    assert "make the records a failover pair" in missing


def test_a_tagged_health_check_that_no_record_uses_is_named(shop: Open) -> None:
    here = shop("dns-failover")
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "idle.example", "Port": 443}
    idle = here.route53.create_health_check(CallerReference="idle", HealthCheckConfig=config)["HealthCheck"]["Id"]
    _tag(here, idle)

    run = here.start()

    assert not run.ready
    assert run.findings["idle-check"] == f"no record uses the tagged health check(s) {idle}: nothing would move."


def test_a_tagged_health_check_that_stands_alone_is_named_by_the_inventory(shop: Open) -> None:
    here = shop("dns-failover")
    check = here.check()["Id"]
    for record in here.records().values():
        here.change(DELETE=record)

    missing = _missing(here)

    assert f"no record uses the tagged health check(s) {check}" in missing
    assert "remove dr:enabled from it" in missing


def test_a_health_check_of_another_customer_that_no_record_uses_is_nobodys_business(shop: Open) -> None:
    here = shop("dns-failover")
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "idle.example", "Port": 443}
    here.route53.create_health_check(CallerReference="idle", HealthCheckConfig=config)

    assert _missing(here) == ""
    assert here.start().ready


def test_a_cluster_that_another_account_shares_is_switched_with_controls_of_ones_own(shop: Open) -> None:
    # Given a cluster of the hub's account, shared; panel and controls in it are the zone's account's own
    here = shop(cluster_account=HUB)
    arn = here.controls()[SOURCE]["ControlPanelArn"]
    panel = here.config.describe_control_panel(ControlPanelArn=arn)["ControlPanel"]
    assert f"::{HUB}:cluster/" in panel["ClusterArn"]
    assert panel["Owner"] == APPS

    run = here.start()
    assert run.ready, run.findings
    action = run.all()[Phase.ACTIVATE]

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert here.states() == {SOURCE: "Off", TARGET: "On"}
    assert here.answers() == ON[TARGET]
    assert here.world.refusals() == []


def test_an_emergency_with_a_shared_cluster_asks_its_endpoints_only(shop: Open) -> None:
    here = shop(cluster_account=HUB)
    here.world.inventory()
    here.world.darken(SOURCE)
    for service in ("route53", "route53-recovery-control-config"):
        here.world.fault(effect="control-plane-down", service=service)

    action = here.emergency().phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert here.states() == {SOURCE: "Off", TARGET: "On"}


def test_controls_of_another_account_are_refused_with_what_to_type(shop: Open) -> None:
    here = shop()
    arn = here.controls()[TARGET]["RoutingControlArn"].replace(APPS, HUB)
    here.change(UPSERT={**here.records()[TARGET], "HealthCheckId": _control_check(here, arn)})

    missing = _missing(here)

    assert "lies in another account than its zone" in missing
    assert f"share their cluster with {APPS} (AWS RAM)" in missing
    assert "aws route53-recovery-control-config create-control-panel --region us-west-2" in missing
