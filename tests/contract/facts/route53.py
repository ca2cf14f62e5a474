"""Route 53 in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts, Statuses

FACTS = Facts(
    estates={
        "failover-routing": ({"kind": "dns-failover", "name": "orders-dns", "zone": "shop.example.com"},),
        "weighted": ({"kind": "dns-weighted", "name": "orders-dns", "zone": "shop.example.com"},),
        "alarm-health-check": ({"kind": "dns-alarm", "name": "orders-dns", "zone": "shop.example.com"},),
        "arc-routing-control": ({"kind": "dns-arc", "name": "orders-dns", "zone": "shop.example.com"},),
        "simple-upsert": ({"kind": "dns-simple", "name": "orders-dns", "zone": "shop.example.com"},),
    },
    no_emergency={
        "simple-upsert": "a record is rewritten through Route 53's control plane",
        "weighted": "weights are changed through Route 53's control plane",
    },
    drill_makes_nothing="records and health checks are global: a drill only looks at what they would answer",
    statuses=(
        Statuses(
            "route53.GetChange ChangeInfo.Status",
            good=("INSYNC",),
            passing=("PENDING",),
            failed=(),
        ),
    ),
    judged={
        "route53-recovery-cluster.GetRoutingControlState RoutingControlState": "On or Off, nothing in between",
        "route53.GetHealthCheck HealthCheck.HealthCheckConfig.InsufficientDataHealthStatus": "a setting, not a state",
    },
)
