"""MemoryDB in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

FACTS = Facts(
    estates={
        "multi-region": ({"kind": "memorydb-multi-region", "name": "orders"},),
        "snapshot-restore": (
            {"kind": "memorydb-multi-region", "name": "orders", "multi_region": False, "exports": True},
        ),
    },
    unused={"ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not"},
)
