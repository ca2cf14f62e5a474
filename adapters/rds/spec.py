"""RDS's declaration. Sources: RDS user guide "Working with DB instance read replicas", "Replicating automated backups to
another AWS Region", "Copying a DB snapshot", "Restoring to a DB instance"; RDS API reference.
"""

from __future__ import annotations

from adapters.databases.spec import STAND_IN_COMMAND
from adapters.rds.permissions import PERMISSIONS
from orchestrator.spec import Quota, Spec, Strategy
from orchestrator.words import Mode, Phase, Side

READ_REPLICA = "read-replica"
BACKUPS = "automated-backup-replication"
SNAPSHOTS = "snapshot-copy"

SPEC = Spec(
    key="rds",
    title="Amazon RDS",
    resource_types=("rds:db",),
    stand_in_types=("rds:subgrp",),
    stand_in_command=STAND_IN_COMMAND.replace("{label}", "{name}"),
    companion_types=("rds:snapshot", "rds:auto-backup", "rds:pg", "rds:og"),
    manifest_actions=("RDSMySQL", "RDSPostgreSQL", "RDSMariaDB"),
    strategies=(
        Strategy(
            name=READ_REPLICA,
            title="Cross-Region read replica: fence, drain, promote, replicate the other way",
            planned_loss="none",
            emergency_loss="replication lag, typically seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 12, Phase.CLEANUP: 3, Phase.REPLICATE: 15},
            rollback_until="until the promotion is called; afterwards a failback brings the data home",
        ),
        Strategy(
            name=BACKUPS,
            title="Automated backups replicated to the target Region: fence, wait for the last log, restore to it",
            planned_loss="none",
            emergency_loss="what the newest log that had arrived does not hold, typically 5 to 25 minutes",
            typical_minutes={Phase.INSTANTIATE: 5, Phase.ACTIVATE: 60, Phase.CLEANUP: 4, Phase.REPLICATE: 10},
            rollback_until="until the restore is called; afterwards a failback brings the data home",
        ),
        Strategy(
            name=SNAPSHOTS,
            title="A snapshot taken behind the fence is copied to the target Region and restored there",
            planned_loss="none",
            emergency_loss="everything written since the newest snapshot that had been copied",
            typical_minutes={Phase.INSTANTIATE: 30, Phase.ACTIVATE: 90, Phase.CLEANUP: 3, Phase.REPLICATE: 40},
            rollback_until="until the restore is called; afterwards a failback brings the data home",
        ),
    ),
    permissions=PERMISSIONS,
    default_strategy=READ_REPLICA,
    documentation="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html",
    poll_seconds=15,
    deadline_minutes=360,
    refuses=(
        "DocumentDB, Neptune, RDS Custom and Multi-AZ DB clusters: they answer to the calls of RDS and are moved by others; "
        "one that carries dr:enabled stops the run.",
        "Read replicas of Oracle, SQL Server and Db2: their way back is another one (switchover, licences); the strategies "
        "that restore take these engines.",
        "Sides in two accounts: replicas and replicated backups stay in one account, and snapshots are not shared by it.",
        "Making a missing replica in an emergency, or where no DB subnet group stands in for it (dr:standby-for=<name>): without one "
        "the plan is refused with the command to type.",
        "Promoting, fencing, renaming or detaching anything in a drill.",
        "Restoring while an instance of the name stands on the target side and the source still takes writes: which of the "
        "two is current, a person says.",
        "Deleting an old primary that is not fenced, that something still replicates from, or whose successor is not "
        "protected; it is never deleted without a final snapshot, and its automated backups are kept.",
    ),
    limits=(
        "A promoted replica cannot become a replica again: REPLICATE makes a new one (RDS user guide, read replicas).",
        "15 replicas of one source, about 5 cross-Region replicas in a VPC (RDS user guide, read replicas).",
        "20 replicated backups in a destination Region (RDS user guide, quotas).",
        "An unencrypted source cannot have an encrypted replica; an encrypted copy needs a key of its Region.",
        "Parameter groups, option groups and subnet groups are Regional: keep the same names of the first two in both Regions.",
        "A restored instance reads its blocks from S3 at first access: the first hours are slow (RDS user guide, restoring).",
        "The endpoint's name changes with the Region: let clients follow a DNS record that a later wave moves.",
        "A master password that RDS manages stays in its Region: AWS makes no replica of such a source (RDS user guide, Password "
        "management), and a restored instance keeps the snapshot's, which no secret there tells: readiness says what to type.",
        "Retired instances, and snapshots of runs, cost money until they are removed: run with Decommission, delete by hand.",
        "Nothing repeats the copy made by REPLICATE under snapshot-copy: a schedule must copy later snapshots.",
        "Snapshots that AWS Backup copies are not looked at (DescribeDBSnapshots lists them only when asked for).",
    ),
    quotas=(
        Quota(
            "copies of DB snapshots into the Region",
            20,
            {Phase.INSTANTIATE: Side.TARGET, Phase.ACTIVATE: Side.TARGET, Phase.REPLICATE: Side.SOURCE},
            "RDS user guide, Copying a DB snapshot",
            modes=frozenset({Mode.PLANNED}),
            strategies=(SNAPSHOTS,),
        ),
    ),
    unconfirmed=(
        "Whether replicated backups follow a renamed instance: replication is stopped before the rename.",
        "Which statuses replicated backups have besides pending, replicating, active and retained: any other stops the run.",
        "Whether a replica of SQL Server can be snapshotted: read-replica refuses the engine.",
        "Whether managed master passwords and replicas exclude each other on every engine: AWS itself declines where they do.",
        "Whether a stopped instance takes other security groups: a stopped source is to be started before it is fenced.",
    ),
)

REPLICATED_ENGINES = ("mysql", "mariadb", "postgres")
"""Engines whose replica is promoted and whose way back is a new replica. Oracle switches over, SQL Server and Db2 need
licences and editions for replicas: none of them is told yet.
"""
KNOWN_ENGINES = (*REPLICATED_ENGINES, "oracle", "sqlserver", "db2")
INSTANCE_MISSING = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
SNAPSHOT_MISSING = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
PROMOTION_BOUND_SECONDS = 3600
BACKUP_READY = ("replicating", "active")
BACKUP_PASSING = ("pending", "creating")
BACKUP_KEPT = "retained"
BACKUP_MISSING = ("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackupNotFoundFault")
LOG_BOUND_SECONDS = 3600
"""How long the log of the fence may take to arrive in the other Region before a person is asked."""
OTHER_SERVICES = {"docdb": "Amazon DocumentDB", "neptune": "Amazon Neptune", "custom-": "RDS Custom"}
"""Beginnings of engines that RDS's calls list as if they were its own."""
