"""Routing controls in the embedded AWS: five endpoints, safety rules, answers that follow without a control plane."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from localaws import dns as local_dns
from tests.localaws.workbench import SOURCE, TARGET, Client, Workbench, open_workbench, refused

RECORD = "store.shop.example.com"
ON_SOURCE, ON_TARGET = ["store.us-east-1.elb.example"], ["store.us-west-2.elb.example"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


@pytest.fixture
def shop(bench: Workbench) -> Workbench:
    """A pair of records that routing controls switch, its safety rule's wait period over."""
    bench.seed("dns-arc", "store-dns", zone="shop.example.com")
    bench.wait(1)
    return bench


def controls(bench: Workbench, region: str = TARGET) -> dict[str, dict[str, Any]]:
    """Return the controls by the Region they stand for, asked at one endpoint."""
    found = bench.client("route53-recovery-cluster", region).list_routing_controls()["RoutingControls"]
    return {control["RoutingControlName"].removeprefix(f"{RECORD}-"): control for control in found}


def states(bench: Workbench) -> dict[str, str]:
    return {region: str(control["RoutingControlState"]) for region, control in controls(bench).items()}


def flip(bench: Workbench, at: str = TARGET, override: list[str] | None = None, **wanted: str) -> None:
    arns = {region.replace("-", "_"): control["RoutingControlArn"] for region, control in controls(bench, at).items()}
    entries = [{"RoutingControlArn": arns[name], "RoutingControlState": state} for name, state in wanted.items()]
    bench.client("route53-recovery-cluster", at).update_routing_control_states(
        UpdateRoutingControlStateEntries=entries, SafetyRulesToOverride=override or []
    )


def answers(bench: Workbench, after_minutes: float = 2) -> list[str]:
    local_dns.resolve(bench.local, RECORD, "A")
    bench.wait(after_minutes)
    return local_dns.resolve(bench.local, RECORD, "A")


def rule(bench: Workbench) -> dict[str, Any]:
    panel = controls(bench)[SOURCE]["ControlPanelArn"]
    config = bench.client("route53-recovery-control-config", "us-west-2")
    found: dict[str, Any] = config.list_safety_rules(ControlPanelArn=panel)["SafetyRules"][0]["ASSERTION"]
    return found


def test_traffic_follows_the_controls_although_the_source_region_is_dark(shop: Workbench) -> None:
    assert (states(shop), answers(shop)) == ({SOURCE: "On", TARGET: "Off"}, ON_SOURCE)
    shop.darken(SOURCE)

    flip(shop, us_east_1="Off", us_west_2="On")

    assert states(shop) == {SOURCE: "Off", TARGET: "On"}
    assert answers(shop) == ON_TARGET


def test_any_endpoint_that_lives_takes_the_change_and_all_show_it(shop: Workbench) -> None:
    shop.darken("us-west-2")
    flip(shop, at="ap-northeast-1", us_east_1="Off", us_west_2="On")
    arn = controls(shop, "eu-west-1")[TARGET]["RoutingControlArn"]
    seen = {
        region: shop.client("route53-recovery-cluster", region).get_routing_control_state(RoutingControlArn=arn)
        for region in ("us-east-1", "eu-west-1", "ap-southeast-2")
    }
    assert {reply["RoutingControlState"] for reply in seen.values()} == {"On"}
    with refused("EndpointTemporarilyUnavailableException"):
        controls(shop, "eu-central-1")


def test_a_safety_rule_keeps_one_side_on_and_nothing_changes_by_half(shop: Workbench) -> None:
    with refused("ConflictException"):
        flip(shop, us_east_1="Off", us_west_2="Off")
    cluster = shop.client("route53-recovery-cluster", TARGET)
    only = controls(shop)[SOURCE]["RoutingControlArn"]
    with refused("ConflictException"):
        cluster.update_routing_control_state(RoutingControlArn=only, RoutingControlState="Off")
    assert states(shop) == {SOURCE: "On", TARGET: "Off"}

    flip(shop, override=[rule(shop)["SafetyRuleArn"]], us_east_1="Off")
    assert states(shop) == {SOURCE: "Off", TARGET: "Off"}


def test_controls_rest_between_two_changes_for_the_wait_period(shop: Workbench) -> None:
    flip(shop, us_east_1="Off", us_west_2="On")
    with refused("ConflictException"):
        flip(shop, us_east_1="On", us_west_2="Off")
    flip(shop, us_east_1="Off", us_west_2="On")
    shop.clock.advance(5)
    flip(shop, us_east_1="On", us_west_2="Off")
    assert states(shop)[SOURCE] == "On"


def test_a_batch_names_each_control_once_and_only_known_ones(shop: Workbench) -> None:
    cluster = shop.client("route53-recovery-cluster", TARGET)
    entry = {"RoutingControlArn": controls(shop)[SOURCE]["RoutingControlArn"], "RoutingControlState": "On"}
    with refused("ValidationException"):
        cluster.update_routing_control_states(UpdateRoutingControlStateEntries=[entry, entry])
    unknown = {**entry, "RoutingControlArn": entry["RoutingControlArn"] + "0"}
    with refused("ResourceNotFoundException"):
        cluster.update_routing_control_states(UpdateRoutingControlStateEntries=[entry, unknown])


def test_the_control_plane_names_five_endpoints_once_the_cluster_is_deployed(bench: Workbench) -> None:
    config = bench.client("route53-recovery-control-config", "us-west-2")
    made = config.create_cluster(ClusterName="mine", ClientToken="t")["Cluster"]
    assert config.create_cluster(ClusterName="mine", ClientToken="t")["Cluster"]["ClusterArn"] == made["ClusterArn"]
    assert (made["Status"], made["ClusterEndpoints"]) == ("PENDING", [])
    with refused("ConflictException"):
        config.create_routing_control(ClusterArn=made["ClusterArn"], RoutingControlName="early")
    bench.wait(6)
    cluster = config.describe_cluster(ClusterArn=made["ClusterArn"])["Cluster"]
    assert cluster["Status"] == "DEPLOYED"
    assert len({endpoint["Region"] for endpoint in cluster["ClusterEndpoints"]}) == 5

    control = config.create_routing_control(ClusterArn=made["ClusterArn"], RoutingControlName="late")["RoutingControl"]
    bench.wait(1)
    data_plane = bench.client("route53-recovery-cluster", SOURCE)
    state = data_plane.get_routing_control_state(RoutingControlArn=control["RoutingControlArn"])
    assert state["RoutingControlState"] == "Off"


def test_a_gate_must_be_open_before_its_targets_change(shop: Workbench) -> None:
    config: Client = shop.client("route53-recovery-control-config", "us-west-2")
    known = controls(shop)
    panel = known[SOURCE]["ControlPanelArn"]
    cluster = config.describe_control_panel(ControlPanelArn=panel)["ControlPanel"]["ClusterArn"]
    gate = config.create_routing_control(ClusterArn=cluster, ControlPanelArn=panel, RoutingControlName="gate")
    shop.wait(1)
    gate_arn = gate["RoutingControl"]["RoutingControlArn"]
    gating = {
        "Name": "switching-is-allowed",
        "ControlPanelArn": panel,
        "GatingControls": [gate_arn],
        "TargetControls": [control["RoutingControlArn"] for control in known.values()],
        "RuleConfig": {"Type": "AND", "Threshold": 0, "Inverted": False},
        "WaitPeriodMs": 0,
    }
    config.create_safety_rule(GatingRule=gating)
    shop.wait(1)
    with refused("ConflictException"):
        flip(shop, us_east_1="Off", us_west_2="On")
    data_plane = shop.client("route53-recovery-cluster", TARGET)
    data_plane.update_routing_control_state(RoutingControlArn=gate_arn, RoutingControlState="On")
    flip(shop, us_east_1="Off", us_west_2="On")
    assert states(shop)[TARGET] == "On"


def test_the_control_plane_is_gone_with_us_west_2(shop: Workbench) -> None:
    arn = controls(shop, SOURCE)[SOURCE]["RoutingControlArn"]
    config = shop.client("route53-recovery-control-config", "us-east-1")
    assert config.describe_routing_control(RoutingControlArn=arn)["RoutingControl"]["Status"] == "DEPLOYED"
    shop.darken("us-west-2")
    with pytest.raises(ConnectionClosedError):
        config.describe_routing_control(RoutingControlArn=arn)
    assert controls(shop, SOURCE)[SOURCE]["RoutingControlState"] == "On"


def test_shared_cluster_hosts_the_controls_of_who_it_is_shared_with(bench: Workbench) -> None:
    owner = "111122223333"
    bench.seed("dns-arc", "store-dns", zone="shop.example.com", cluster_account=owner)
    config = bench.client("route53-recovery-control-config", "us-west-2")

    (cluster,) = config.list_clusters()["Clusters"]
    arn = controls(bench)[SOURCE]["ControlPanelArn"]
    panel = config.describe_control_panel(ControlPanelArn=arn)["ControlPanel"]

    assert cluster["Owner"] == owner
    assert panel["ClusterArn"] == cluster["ClusterArn"]
    assert panel["Owner"] != owner
    assert len(config.describe_cluster(ClusterArn=cluster["ClusterArn"])["Cluster"]["ClusterEndpoints"]) == 5


def test_cluster_of_another_account_that_is_not_shared_does_not_exist(bench: Workbench) -> None:
    config = bench.client("route53-recovery-control-config", "us-west-2")
    stranger = "arn:aws:route53-recovery-control::111122223333:cluster/strange"

    with refused("ResourceNotFoundException"):
        config.describe_cluster(ClusterArn=stranger)
    with refused("ResourceNotFoundException"):
        config.create_control_panel(ClusterArn=stranger, ControlPanelName="orders")
