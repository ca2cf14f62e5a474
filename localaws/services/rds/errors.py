"""The error answers of RDS, with the codes boto3 shows (they differ from the shape names in the query protocol).

Codes and HTTP statuses are those of botocore's `rds` service model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto.core.exceptions import ServiceException

from localaws.service import AwsError

# moto sometimes raises the shape name where the wire carries another code.
_WIRE_CODES = {
    "DBSnapshotNotFoundFault": "DBSnapshotNotFound",
    "InvalidDBInstanceStateFault": "InvalidDBInstanceState",
}


def instance_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown DB instance."""
    return AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)


def instance_exists(identifier: str) -> AwsError:
    """Return the answer for a DB instance name that is taken."""
    return AwsError("DBInstanceAlreadyExists", f"DB instance already exists: {identifier}")


def instance_state(message: str) -> AwsError:
    """Return the answer for an operation that the DB instance's state forbids."""
    return AwsError("InvalidDBInstanceState", message)


def cluster_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown DB cluster."""
    return AwsError("DBClusterNotFoundFault", f"DBCluster {identifier} not found.", 404)


def cluster_exists(identifier: str) -> AwsError:
    """Return the answer for a DB cluster name that is taken."""
    return AwsError("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {identifier}")


def cluster_state(message: str) -> AwsError:
    """Return the answer for an operation that the DB cluster's state forbids."""
    return AwsError("InvalidDBClusterStateFault", message)


def global_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown global database."""
    return AwsError("GlobalClusterNotFoundFault", f"Global cluster {identifier} not found", 404)


def global_state(message: str) -> AwsError:
    """Return the answer for an operation that the global database's state forbids."""
    return AwsError("InvalidGlobalClusterStateFault", message)


def snapshot_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown DB snapshot."""
    return AwsError("DBSnapshotNotFound", f"DBSnapshot not found: {identifier}", 404)


def cluster_snapshot_not_found(identifier: str) -> AwsError:
    """Return the answer for an unknown DB cluster snapshot."""
    return AwsError("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot not found: {identifier}", 404)


def subnet_group_not_found(name: str) -> AwsError:
    """Return the answer for an unknown DB subnet group."""
    return AwsError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)


def parameter_group_not_found(name: str) -> AwsError:
    """Return the answer for an unknown parameter group, of instances or of clusters."""
    return AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)


def too_many_copies(limit: int) -> AwsError:
    """Return the answer for one copy from other Regions too many at a time."""
    return AwsError("SnapshotQuotaExceeded", f"Cannot copy more than {limit} snapshots across regions")


def combination(message: str) -> AwsError:
    """Return the answer for parameters that exclude each other."""
    return AwsError("InvalidParameterCombination", message)


def value(message: str) -> AwsError:
    """Return the answer for a parameter value that AWS rejects."""
    return AwsError("InvalidParameterValue", message)


@contextmanager
def moto_errors() -> Iterator[None]:
    """Turn an error raised by moto's models, when used without its web layer, into an `AwsError`."""
    try:
        yield
    except ServiceException as error:
        code = _WIRE_CODES.get(str(error.code), str(error.code))
        raise AwsError(code, str(error.message), 404 if "NotFound" in code else 400) from error
