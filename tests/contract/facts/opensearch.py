"""OpenSearch Service in the contract tests."""

from __future__ import annotations

from typing import Any

from tests.contract.facts import Entry, Facts

NOT_LISTED = "documented in the OpenSearch Service API reference, not yet in the service authorization reference"


def _domain(**settings: Any) -> tuple[Entry, ...]:
    """Return a domain nobody writes to: what copies of a run see of it must not depend on the minute."""
    return ({"kind": "opensearch-ccr", "name": "orders", "writes_per_second": 0, **settings},)


FACTS = Facts(
    estates={
        "cross-cluster-replication": _domain(autofollow="logs-*", target_instances=2),
        "managed-replication": _domain(replication="managed"),
        "snapshot-restore": _domain(replication="snapshot"),
    },
    unused={
        "es:AddReplicationPeer": "for pairs that are not made yet, and for an ejected primary that comes back: its stories are in "
        "tests/adapters",
    },
    looks_only={"managed-replication": "a secondary domain is read-only: nothing can be restored beside its indices"},
    too_recent={
        "es:AddReplicationPeer": f"AddReplicationPeer, {NOT_LISTED}",
        "es:DescribeDomainReplication": f"DescribeDomainReplication, {NOT_LISTED}",
        "es:FailoverReplication": f"FailoverReplication, {NOT_LISTED}",
        "es:SwitchoverReplication": f"SwitchoverReplication, {NOT_LISTED}",
    },
)
