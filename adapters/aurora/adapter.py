"""Amazon Aurora: a cluster in the target Region becomes the writer, as a member of a global database, as a binlog replica, or
restored from a snapshot that was copied there.

global-database       rds.SwitchoverGlobalCluster, in an emergency rds.FailoverGlobalCluster; see `adapters.aurora.global_database`
cross-region-replica  rds.PromoteReadReplicaDBCluster behind a fence; see `adapters.aurora.replica`
snapshot-copy         rds.RestoreDBClusterFromSnapshot of the newest copy; see `adapters.aurora.restore`

Where no cluster stands in the target Region yet, a DB subnet group is the side: its tag `dr:standby-for` names `cluster:<name>`
(see `adapters.standing_in`, `adapters.aurora.discovery`), and a planned run makes the missing standby in INSTANTIATE.
DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer also lists as rds:cluster, are refused by engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.aurora.discovery import discover
from adapters.aurora.global_database import GlobalDatabase
from adapters.aurora.replica import CrossRegionReplica
from adapters.aurora.restore import SnapshotCopy
from adapters.aurora.spec import CROSS_REGION_REPLICA, GLOBAL_DATABASE, SNAPSHOTS, SPEC
from adapters.strategies import ByStrategy
from orchestrator.contract import Found, Reader


class AuroraAdapter(ByStrategy):
    """See the module docstring."""

    spec = SPEC
    ways = {GLOBAL_DATABASE: GlobalDatabase(), CROSS_REGION_REPLICA: CrossRegionReplica(), SNAPSHOTS: SnapshotCopy()}

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.aurora.discovery`."""
        return discover(aws, arns)
