"""The error answers of MemoryDB: codes equal the shape names of botocore's model."""

from __future__ import annotations

from localaws.service import AwsError


def cluster_not_found(name: str) -> AwsError:
    """Return the answer for an unknown cluster."""
    return AwsError("ClusterNotFoundFault", f"Cluster {name} not found.")


def cluster_exists(name: str) -> AwsError:
    """Return the answer for a cluster name that is taken."""
    return AwsError("ClusterAlreadyExistsFault", f"Cluster with specified name already exists: {name}")


def cluster_state(message: str) -> AwsError:
    """Return the answer for an operation that the cluster's state forbids."""
    return AwsError("InvalidClusterStateFault", message)


def multi_region_not_found(name: str) -> AwsError:
    """Return the answer for an unknown multi-Region cluster."""
    return AwsError("MultiRegionClusterNotFoundFault", f"Multi-Region cluster {name} not found.")


def multi_region_state(message: str) -> AwsError:
    """Return the answer for an operation that the multi-Region cluster's state forbids."""
    return AwsError("InvalidMultiRegionClusterStateFault", message)


def snapshot_not_found(name: str) -> AwsError:
    """Return the answer for an unknown snapshot."""
    return AwsError("SnapshotNotFoundFault", f"Snapshot with name {name} not found.")


def snapshot_exists(name: str) -> AwsError:
    """Return the answer for a snapshot name that is taken."""
    return AwsError("SnapshotAlreadyExistsFault", f"Snapshot with specified name already exists: {name}")


def snapshot_state(message: str) -> AwsError:
    """Return the answer for an operation that the snapshot's state forbids."""
    return AwsError("InvalidSnapshotStateFault", message)


def snapshot_quota(name: str) -> AwsError:
    """Return the answer for more manual snapshots of a cluster than a day allows."""
    return AwsError(
        "SnapshotQuotaExceededFault", f"Cluster {name} has as many manual snapshots of 24 hours as allowed."
    )


def combination(message: str) -> AwsError:
    """Return the answer for parameters that exclude each other."""
    return AwsError("InvalidParameterCombinationException", message)


def value(message: str) -> AwsError:
    """Return the answer for a parameter value that AWS rejects."""
    return AwsError("InvalidParameterValueException", message)
