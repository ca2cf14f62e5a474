"""Aurora in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

FACTS = Facts(
    estates={"global-database": ({"kind": "aurora-global", "name": "orders"},)},
    unused={
        "rds:RemoveFromGlobalCluster": "the way out when a failover cannot work: not in an ordinary run; its story is in "
        "tests/adapters",
    },
    left_out={("rds:RestoreDBClusterFromSnapshot", "og"): "Aurora clusters have no option group"},
)
