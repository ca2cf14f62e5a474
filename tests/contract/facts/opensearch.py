"""OpenSearch Service in the contract tests."""

from __future__ import annotations

from typing import Any

from adapters.opensearch.spec import (
    FAILED_CHANGES,
    FAILED_FOLLOWS,
    FAILED_LINKS,
    FAILED_PROCESSING,
    FAILED_SNAPSHOTS,
)
from orchestrator.words import Phase
from tests.contract.facts import Entry, Facts, Statuses

NOT_LISTED = "documented in the OpenSearch Service API reference, not yet in the service authorization reference"


def _domain(**settings: Any) -> tuple[Entry, ...]:
    """Return a domain nobody writes to: what copies of a run see of it must not depend on the minute."""
    return ({"kind": "opensearch-ccr", "name": "orders", "writes_per_second": 0, **settings},)


LINK_PASSING = ("APPROVED", "DELETING", "PENDING_ACCEPTANCE", "PROVISIONING", "REJECTING")

FACTS = Facts(
    estates={
        "cross-cluster-replication": _domain(autofollow="logs-*", target_instances=2),
        "managed-replication": _domain(replication="managed"),
        "snapshot-restore": _domain(replication="snapshot"),
    },
    unused={
        "acm:DescribeCertificate": "asked only of domains with a custom endpoint: their story is in tests/adapters",
        "lambda:InvokeFunction": "for domains in a VPC: tests/adapters/test_opensearch_vpc_story.py",
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
    statuses=(
        Statuses(
            "opensearch.DescribeDomain DomainStatus.DomainProcessingStatus",
            good=("Active",),
            passing=("Creating", "Modifying", "UpdatingServiceSoftware", "UpgradingEngineVersion"),
            failed=tuple(FAILED_PROCESSING),
        ),
        Statuses(
            "opensearch.DescribeDomain DomainStatus.ChangeProgressDetails.ConfigChangeStatus",
            good=("Completed",),
            passing=("Pending", "Initializing", "Validating", "ApplyingChanges"),
            failed=FAILED_CHANGES,
        ),
        Statuses(
            "opensearch.DescribeDomainReplication Peers[].Status",
            good=("ACTIVE", "DETACHED", "EJECTED"),
            passing=("FAILING_OVER", "PENDING_REMOVAL", "PENDING_SETUP", "SWITCHING_OVER"),
            failed=("FAILED",),
        ),
        Statuses(
            "opensearch.DescribeInboundConnections Connections[].ConnectionStatus.StatusCode",
            good=("ACTIVE", "DELETED"),
            passing=LINK_PASSING,
            failed=("REJECTED",),
        ),
        Statuses(
            "opensearch.DescribeOutboundConnections Connections[].ConnectionStatus.StatusCode",
            good=("ACTIVE", "DELETED"),
            passing=(*LINK_PASSING, "VALIDATING"),
            failed=FAILED_LINKS,
            survived={
                (Phase.CLEANUP, each): "what never came about is not there to be deleted" for each in FAILED_LINKS
            },
        ),
        Statuses(
            "opensearch-http.Follow status",
            good=("SYNCING", "REPLICATION NOT IN PROGRESS"),
            passing=("BOOTSTRAPPING",),
            failed=FAILED_FOLLOWS,
        ),
        Statuses(
            "opensearch-http.Snapshots snapshots[].state",
            good=("SUCCESS",),
            passing=("IN_PROGRESS",),
            failed=FAILED_SNAPSHOTS,
        ),
    ),
    judged={
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
        "opensearch-http.CatIndices items[].status": "open or close: a setting, not a state",
    },
)
