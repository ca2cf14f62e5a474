"""The error answers of ElastiCache, with the codes boto3 shows (in the query protocol they differ from shape names)."""

from __future__ import annotations

from localaws.service import AwsError


def group_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown replication group."""
    return AwsError("ReplicationGroupNotFoundFault", f"ReplicationGroup {identifier} not found.", 404)


def group_exists(identifier: str) -> AwsError:
    """Return the answer for a replication group id that is taken."""
    return AwsError("ReplicationGroupAlreadyExists", f"Replication group {identifier} already exists.")


def group_state(message: str) -> AwsError:
    """Return the answer for an operation that the replication group's state forbids."""
    return AwsError("InvalidReplicationGroupState", message)


def cluster_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown cache cluster."""
    return AwsError("CacheClusterNotFound", f"CacheCluster not found: {identifier}", 404)


def global_not_found(identifier: str) -> AwsError:
    """Return the answer for a global datastore that does not exist or has no member in the Region."""
    message = f"The global replication group {identifier} does not exist."
    return AwsError("GlobalReplicationGroupNotFoundFault", message, 404)


def global_state(message: str) -> AwsError:
    """Return the answer for an operation that the global datastore's state forbids."""
    return AwsError("InvalidGlobalReplicationGroupState", message)


def snapshot_not_found(name: str) -> AwsError:
    """Return the answer for an unknown snapshot."""
    return AwsError("SnapshotNotFoundFault", f"Snapshot {name} not found.", 404)


def snapshot_exists(name: str) -> AwsError:
    """Return the answer for a snapshot name that is taken."""
    return AwsError("SnapshotAlreadyExistsFault", f"Snapshot with specified name already exists: {name}")


def snapshot_state(message: str) -> AwsError:
    """Return the answer for an operation that the snapshot's state forbids."""
    return AwsError("InvalidSnapshotState", message)


def combination(message: str) -> AwsError:
    """Return the answer for parameters that exclude each other."""
    return AwsError("InvalidParameterCombination", message)


def value(message: str) -> AwsError:
    """Return the answer for a parameter value that AWS rejects."""
    return AwsError("InvalidParameterValue", message)
