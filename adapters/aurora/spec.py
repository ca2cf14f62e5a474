"""Aurora's declaration.

Sources: Aurora user guide "Using Amazon Aurora Global Database", "Replicating Amazon Aurora MySQL DB clusters across AWS
Regions"; RDS API reference.
"""

from __future__ import annotations

from adapters.aurora.permissions import PERMISSIONS
from adapters.databases.spec import STAND_IN_COMMAND
from orchestrator.spec import Quota, Spec, Strategy
from orchestrator.words import Mode, Phase, Side

GLOBAL_DATABASE = "global-database"
CROSS_REGION_REPLICA = "cross-region-replica"
SNAPSHOTS = "snapshot-copy"
COPIES_AT_A_TIME = 5

SPEC = Spec(
    key="aurora",
    title="Amazon Aurora",
    resource_types=("rds:cluster",),
    stand_in_types=("rds:subgrp",),
    stand_in_command=STAND_IN_COMMAND.replace("{label}", "cluster:{name}"),
    companion_types=("rds:global-cluster", "rds:cluster-snapshot", "rds:cluster-auto-backup", "rds:cluster-pg"),
    manifest_actions=("AuroraMySQL", "AuroraPostgreSQL"),
    strategies=(
        Strategy(
            name=GLOBAL_DATABASE,
            title="Aurora global database: managed switchover, or failover with data loss",
            planned_loss="none",
            emergency_loss="replication lag, typically under 5 seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 4, Phase.CLEANUP: 0, Phase.REPLICATE: 2},
            rollback_until="planned: at any time, by switching over again; emergency: not after the failover call",
        ),
        Strategy(
            name=CROSS_REGION_REPLICA,
            title="Aurora MySQL binlog replica: fence, drain and promote; a new replica cluster is the way back",
            planned_loss="none",
            emergency_loss="binlog lag, typically seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 12, Phase.CLEANUP: 2, Phase.REPLICATE: 30},
            rollback_until="until the replica cluster is promoted; afterwards: failback",
        ),
        Strategy(
            name=SNAPSHOTS,
            title="A cluster snapshot taken behind the fence is copied to the target Region and restored there",
            planned_loss="none",
            emergency_loss="everything written since the newest snapshot that had been copied",
            typical_minutes={Phase.INSTANTIATE: 30, Phase.ACTIVATE: 90, Phase.CLEANUP: 3, Phase.REPLICATE: 40},
            rollback_until="until the restore is called; afterwards a failback brings the data home",
        ),
    ),
    permissions=PERMISSIONS,
    documentation="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html",
    poll_seconds=15,
    deadline_minutes=180,
    refuses=(
        "It deletes, detaches or stops no member of a global cluster after a switch, also not in a decommission: the old "
        "writer's cluster is the reverse replica.",
        "It uses FailoverGlobalCluster only in an emergency, with AllowDataLoss; a planned run switches over, without loss.",
        "It switches over to no cluster that is not connected, and to none of another engine version: AWS rejects that.",
        "It rebuilds no global database after an emergency had to detach the target; REPLICATE waits until somebody has.",
        "It promotes no binlog replica in a planned run before its lag is zero at three datapoints behind the fence.",
        "It starts no planned run where both clusters take writes and neither follows the other.",
        "It restores nothing while a cluster of the name stands on the target side and the source still takes writes: which of the "
        "two is current, a person says.",
        "It copies no snapshots between accounts: both sides belong to one.",
        "It makes a missing standby only in a planned run, and only where a DB subnet group stands in for it (dr:standby-for=cluster:"
        "<name>); without one the plan is refused with the command to type.",
        "It deletes no old primary that is not fenced, that something still replicates from, or whose successor is not protected; "
        "none without a final snapshot.",
        "It takes no DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer lists as rds:cluster too.",
    ),
    limits=(
        "Both clusters belong to one account (Aurora user guide, Aurora Global Database limitations); one secondary Region is "
        "assumed.",
        "Managed switchovers and failovers need the same major and minor engine version on both sides, for some versions the "
        "same patch level too (Aurora user guide, patch level compatibility for managed cross-Region switchovers).",
        "A global database offers no Backtrack, no Serverless v1 and no stop or start of its clusters (Aurora user guide, "
        "limitations).",
        "Parameter group, alarms, IAM roles and RDS Proxy targets belong to each cluster and are not carried over.",
        "With rds.global_db_rpo a PostgreSQL writer blocks commits while no secondary keeps up, also right after a failover.",
        "After a forced failover Aurora keeps lost writes in a snapshot rds:unplanned-global-failover-<name>-<time> of the old "
        "cluster, for as long as that cluster keeps backups: copy it when the Region is back (Aurora user guide).",
        "Applications should use the global writer endpoint, or a DNS name with a TTL of 5 s at most.",
        "Binlog replicas are for Aurora MySQL, with binary logging on in the cluster parameter groups of both sides, one account, "
        "five replica clusters at most (Aurora user guide, replicating Aurora MySQL DB clusters across Regions).",
        "A retired cluster, and snapshots of runs, cost money until they are removed: run with Decommission, delete by hand.",
        "Cluster parameter groups and subnet groups are Regional: keep the same names of the first in both Regions.",
        "A master password that RDS manages excludes global databases and cross-Region replicas (Aurora user guide, Password "
        "management); a restored cluster keeps the snapshot's, which no secret there tells: readiness says what to type.",
        "Log exports, IAM roles and auto scaling of a cluster are not restored with it: set them again, or let the stack do it.",
        "Nothing repeats the copy made by REPLICATE under snapshot-copy: a schedule must copy later snapshots.",
        "A drill's copy has a security group of its own that lets nobody in: the in-VPC probe needs a rule there.",
    ),
    quotas=(
        Quota(
            "copies of DB cluster snapshots into the Region",
            COPIES_AT_A_TIME,
            {Phase.INSTANTIATE: Side.TARGET, Phase.ACTIVATE: Side.TARGET, Phase.REPLICATE: Side.SOURCE},
            "Aurora user guide, Copying a DB cluster snapshot; a run also waits while others' copies are under way",
            modes=frozenset({Mode.PLANNED}),
            strategies=(SNAPSHOTS,),
        ),
    ),
    unconfirmed=(
        "Whether a secondary cluster may be cloned copy-on-write: a drill takes a snapshot and restores that.",
        "Whether binlog replication passes through the source's security groups: a fence that cut it would show as a lag of -1, "
        "and the run stops before the promotion.",
        "The texts of a global cluster's Status while roles change: FailoverState tells the progress instead.",
        "Which time a copied cluster snapshot shows: there is no OriginalSnapshotCreateTime as for DB snapshots. Copies of runs carry "
        "dr:taken-at; the age of others is at least what is shown.",
        "Whether a cluster snapshot still names a cluster that was renamed: runs look for theirs by the snapshots' own names.",
        "How long a switchover that waits for a lost Region hangs: an emergency watches it for 120 s, then detaches the target.",
    ),
)

AURORA_ENGINES = ("aurora-mysql", "aurora-postgresql")
DETACH_AFTER_SECONDS = 900
"""How long a forced failover may stay without effect before the target is detached instead."""
HUNG_SWITCHOVER_SECONDS = 120
"""How long an emergency run watches a switchover that was begun before it, and that the lost Region cannot finish."""
CLUSTER_MISSING = ("DBClusterNotFoundFault",)
GLOBAL_MISSING = ("GlobalClusterNotFoundFault",)
SNAPSHOT_MISSING = ("DBClusterSnapshotNotFoundFault",)
TAKEN_AT_TAG = "dr:taken-at"
"""On a copied cluster snapshot: when its original was taken."""
DEFAULT_INSTANCE_CLASS = "db.r6g.large"
PROMOTION_BOUND_SECONDS = 3600
