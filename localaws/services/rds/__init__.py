"""RDS and Aurora: transitional statuses, replicas, global databases, on moto's store."""

from localaws.services.rds.service import RdsService

__all__ = ["RdsService"]
