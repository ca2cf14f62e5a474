"""What copies of a drill cost an hour, by the call that makes them. Data only; an estimate, and rather too high than too low.

US dollars, us-east-1, On-Demand, Linux, without data transfer, requests and licences, as of November 2026; each line names the page
(aws.amazon.com/<service>/pricing) to hold it against. Where a price depends on the engine or the family of a class, the dearer
current memory-optimised one is taken, rounded up; Aurora's with the 30 % of I/O-Optimized. EFS's was read on AWS's page, the others
where they are quoted; MemoryDB's could not be read anywhere and is taken for half as much again as ElastiCache's. Sizes of a family
are priced by AWS's own normalized units (Amazon MemoryDB developer guide, "Size-flexible reserved nodes"): `large` is 4 of them.
Other Regions differ by up to a third.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PRICED = "us-east-1 On-Demand, November 2026"
UNITS = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0, "xlarge": 8.0}
"""Normalized units of a size; NNxlarge is NN times xlarge."""
LARGE = 4.0
LARGEST = 192.0
"""Of a size that nobody knows, such as metal: 24xlarge."""


@dataclass(frozen=True)
class Rate:
    """The hourly price of what one call makes."""

    what: str
    usd: float
    """Of one piece: of its `large`, when the call says the class."""
    source: str
    size: str = ""
    """The parameter with the class; empty: the call does not tell it, and `usd` is a high figure that `what` explains."""
    times: tuple[tuple[str, int], ...] = ()
    """Parameters that multiply the pieces, and what is added to each: replicas come on top of the primary."""
    each_of: str = ""
    """The parameter whose entries are a piece each."""


SERVER = "a server, class unknown, taken for r5.4xlarge with 1 TB of gp3"
RATES: Mapping[str, Rate] = {
    "rds.RestoreDBInstanceFromDBSnapshot": Rate("an RDS instance", 0.29, "rds", "DBInstanceClass"),
    "rds.RestoreDBInstanceToPointInTime": Rate("an RDS instance", 0.29, "rds", "DBInstanceClass"),
    "rds.CreateDBInstance": Rate("an Aurora instance", 0.38, "rds/aurora", "DBInstanceClass"),
    "elasticache.CreateReplicationGroup": Rate(
        "a cache", 0.24, "elasticache", "CacheNodeType", (("NumNodeGroups", 0), ("ReplicasPerNodeGroup", 1))
    ),
    "memorydb.CreateCluster": Rate(
        "a MemoryDB cluster", 0.36, "memorydb", "NodeType", (("NumShards", 0), ("NumReplicasPerShard", 1))
    ),
    "ecs.RunTask": Rate("a task, size unknown, taken for 4 vCPU and 16 GB of Fargate", 0.24, "fargate"),
    "drs.StartRecovery": Rate(SERVER, 1.13, "ec2/on-demand", each_of="sourceServers"),
    "drs.StartRecoveryPlanExecution": Rate(f"a plan's servers, ten of {SERVER}", 11.30, "ec2/on-demand"),
    "autoscaling.CreateAutoScalingGroup": Rate(SERVER, 1.13, "ec2/on-demand", times=(("DesiredCapacity", 0),)),
    "backup.StartRestoreJob": Rate("a file system, size unknown, taken for 1 TB of EFS Standard", 0.42, "efs"),
    "fsx.CreateFileSystemFromBackup": Rate(
        "a file system, size unknown, taken for 2 TB of Windows SSD in two zones with 128 MB/s", 1.50, "fsx/windows"
    ),
}
FREE = frozenset(
    {
        "autoscaling.CreateOrUpdateTags",
        "drs.CreateRecoveryPlan",
        "drs.CreateRecoveryPlanStep",
        "ec2.CreateSecurityGroup",
        "ec2.CreateTags",
        "efs.TagResource",
        "elasticache.CreateSnapshot",
        "events.PutRule",
        "events.PutTargets",
        "fsx.CreateVolume",
        "lambda.CreateAlias",
        "lambda.CreateFunction",
        "lambda.Invoke",
        "lambda.PutFunctionConcurrency",
        "memorydb.CreateSnapshot",
        "rds.CreateDBClusterSnapshot",
        "rds.CreateDBSnapshot",
        "rds.RestoreDBClusterFromSnapshot",
        "sqs.CreateQueue",
    }
)
"""Calls of drills whose result costs nothing by itself, or cents a day: snapshots, clones, rules, functions that idle."""
