"""Route 53 in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

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
)
