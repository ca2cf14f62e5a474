"""What RDS documents of instances, clusters and snapshots alike. Sources: RDS user guide, "Viewing DB instance status"; Aurora
user guide, "DB cluster status"; RDS API reference, DBClusterSnapshot. Data only.
"""

from __future__ import annotations

INSTANCE_FAILED = (
    "cloning-failed",
    "failed",
    "incompatible-credentials",
    "incompatible-create",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "migration-failed",
    "restore-error",
    "storage-full",
)
INSTANCE_PASSING = (
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "converting-to-vpc",
    "creating",
    "delete-precheck",
    "deleting",
    "maintenance",
    "modifying",
    "moving-to-vpc",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "stopping",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
    "upgrading",
)
"""Statuses of an instance that end by themselves."""
CLUSTER_FAILED = (
    "cloning-failed",
    "failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "migration-failed",
    "restore-error",
)
CLUSTER_PASSING = (
    "backing-up",
    "backtracking",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "creating",
    "deleting",
    "failing-over",
    "maintenance",
    "migrating",
    "modifying",
    "preparing-data-migration",
    "promoting",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "stopping",
    "storage-optimization",
    "switching-over",
    "update-iam-db-auth",
    "upgrading",
)
"""Statuses of a cluster that end by themselves; `migrating` is shown while a snapshot is restored."""
SNAPSHOT_PASSING = ("creating", "copying")
SNAPSHOT_FAILED = ("failed", "error", "incompatible-restore", "incompatible-parameters", "deleting")
STANDBY_FOR_TAG = "dr:standby-for"
"""On a DB subnet group: the databases, separated by spaces, whose counterpart is to be made in it; an instance by its name, a
cluster as `cluster:<name>`."""
STAND_IN_COMMAND = (
    "aws rds add-tags-to-resource --region {region} --resource-name <ARN of a DB subnet group> --tags "
    "Key=dr:standby-for,Value={label} and the Customer, Environment and dr:* tags of the database"
)
GROUPS_TAG = "dr:security-groups"
KEY_TAG = "dr:kms-key"
SUBNET_GROUP_MISSING = ("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound")
OPTION_GROUP_MISSING = ("OptionGroupNotFoundFault", "OptionGroupNotFound")
PARAMETER_GROUP_MISSING = ("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault")
EVENT_RESTARTED = "restarted"
NAME_LIMIT = 63
