"""Names that follow routing controls: any open endpoint of the cluster will do, and no safety rule is overridden."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.route53.models import Facts
from orchestrator.errors import RefusedError
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.test_route53_story import NAME, ON, Shop
from tests.support.driver import APPS, SOURCE, TARGET, open_world

CLUSTER = "route53-recovery-cluster"
REGIONS = {"us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2"}


class ArcShop(Shop):
    """A shop whose name follows two routing controls."""

    @property
    def config(self) -> Any:
        return self.world.aws("route53-recovery-control-config", TARGET)

    def controls(self) -> dict[str, dict[str, Any]]:
        listed = self.world.aws(CLUSTER, TARGET).list_routing_controls()["RoutingControls"]
        return {each["RoutingControlName"].removeprefix(f"{NAME}-"): each for each in listed}

    def states(self) -> dict[str, str]:
        return {region: each["RoutingControlState"] for region, each in self.controls().items()}

    def asked(self) -> list[tuple[str, str]]:
        return [(call.service, call.region) for call in self.world.calls("route53")]

    def emergency(self) -> Any:
        return self.start(emergency=True, AcceptDataLoss=True)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> ArcShop:
    entry = {"kind": "dns-arc", "name": "store-dns", "zone": "shop.example.com"}
    return ArcShop(open_world(monkeypatch, entry))


def test_the_inventory_keeps_the_controls_and_all_five_endpoints(shop: ArcShop) -> None:
    (resource,) = shop.world.inventory().resources

    facts = Facts.model_validate(dict(next(iter(resource.sides.values())).facts))

    assert resource.strategy == "arc-routing-control"
    assert facts.controls == {region: each["RoutingControlArn"] for region, each in shop.controls().items()}
    assert {each.Region for each in facts.endpoints} == REGIONS


def test_emergency_flips_both_controls_at_once_and_asks_nothing_but_the_cluster(shop: ArcShop) -> None:
    # Given the source Region and the control planes of Route 53 and of the cluster are gone
    shop.world.inventory()
    shop.world.darken(SOURCE)
    for service in ("route53", "route53-recovery-control-config"):
        shop.world.fault(effect="control-plane-down", service=service)
    shop.world.local.call_log.clear()

    run = shop.emergency()
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["UpdateRoutingControlStates"]
    assert set(shop.asked()) == {(CLUSTER, TARGET)}
    assert shop.states() == {SOURCE: "Off", TARGET: "On"}
    assert shop.answers() == ON[TARGET]


def test_an_endpoint_under_maintenance_is_passed_over_and_the_lost_region_is_not_asked(shop: ArcShop) -> None:
    shop.world.inventory()
    shop.world.darken(SOURCE)
    unavailable = {
        "effect": "error",
        "service": CLUSTER,
        "code": "EndpointTemporarilyUnavailableException",
        "status": 503,
    }
    for region in (TARGET, "eu-west-1"):
        shop.world.fault(**unavailable, region=region)
    shop.world.local.call_log.clear()

    action = shop.emergency().phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert {region for _, region in shop.asked()} == {TARGET, "eu-west-1", "ap-northeast-1"}
    assert shop.answers() == ON[TARGET]


def test_no_open_endpoint_ends_in_an_error_and_changes_nothing(shop: ArcShop) -> None:
    run = shop.start()
    for region in REGIONS:
        shop.world.fault(effect="error", service=CLUSTER, region=region, code="InternalServerException", status=500)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert f"{CLUSTER}.GetRoutingControlState" in action.detail
    assert {region for service, region in shop.asked() if service == CLUSTER} == REGIONS
    shop.world.repair()
    assert shop.states() == {SOURCE: "On", TARGET: "Off"}


def test_a_safety_rule_that_forbids_the_change_is_named_and_not_overridden(shop: ArcShop) -> None:
    controls = shop.controls()
    forbids = {
        "Name": "source-stays",
        "ControlPanelArn": controls[SOURCE]["ControlPanelArn"],
        "AssertedControls": [controls[SOURCE]["RoutingControlArn"]],
        "RuleConfig": {"Type": "ATLEAST", "Threshold": 1, "Inverted": False},
        "WaitPeriodMs": 5000,
    }
    shop.config.create_safety_rule(AssertionRule=forbids)
    shop.world.wait(2)

    action = shop.start().phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "source-stays" in action.detail
    assert shop.states() == {SOURCE: "On", TARGET: "Off"}
    assert shop.answers() == ON[SOURCE]


def test_a_drill_reads_the_controls_and_leaves_them(shop: ArcShop) -> None:
    run = shop.start(Operation.TEST)
    assert run.ready, run.findings

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SKIPPED}
    assert shop.world.operations() == []
    assert shop.states() == {SOURCE: "On", TARGET: "Off"}


def test_a_control_that_was_deleted_is_red_and_nothing_is_switched(shop: ArcShop) -> None:
    control = shop.controls()[TARGET]
    rules = shop.config.list_safety_rules(ControlPanelArn=control["ControlPanelArn"])["SafetyRules"]
    for rule in rules:
        shop.config.delete_safety_rule(SafetyRuleArn=rule["ASSERTION"]["SafetyRuleArn"])
    shop.config.delete_routing_control(RoutingControlArn=control["RoutingControlArn"])

    run = shop.start()
    action = run.phase(Phase.ACTIVATE)

    assert not run.ready
    assert f"for {TARGET} does not exist" in run.findings["no-control"]
    assert action.outcome is Outcome.FAILED
    assert f"for {TARGET} does not exist" in action.detail
    assert shop.world.operations() == []


def test_a_control_nobody_hears_is_red_and_blocks(shop: ArcShop) -> None:
    primary = shop.records()[SOURCE]["HealthCheckId"]
    shop.route53.update_health_check(HealthCheckId=primary, Disabled=True)

    run = shop.start()
    action = run.phase(Phase.ACTIVATE)

    assert "its routing control is unheard" in run.findings["check-overridden"]
    assert action.outcome is Outcome.FAILED
    assert shop.world.operations() == []


def test_a_pair_of_which_one_follows_no_control_is_refused(shop: ArcShop) -> None:
    standby = shop.records()[TARGET]
    shop.change(UPSERT={key: value for key, value in standby.items() if key != "HealthCheckId"})

    with pytest.raises(RefusedError, match=f"the record of {TARGET} follows no routing control"):
        shop.start()


def test_controls_of_another_account_are_refused(shop: ArcShop) -> None:
    arn = shop.controls()[TARGET]["RoutingControlArn"].replace(APPS, "333333333333")
    config = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": arn}
    made = shop.route53.create_health_check(CallerReference="elsewhere", HealthCheckConfig=config)
    shop.change(UPSERT={**shop.records()[TARGET], "HealthCheckId": made["HealthCheck"]["Id"]})

    with pytest.raises(RefusedError, match="lies in another account than its zone"):
        shop.start()
