"""ElastiCache: replication groups with transitional statuses, global datastores, snapshots and exports."""

from localaws.services.elasticache.service import ElastiCacheService

__all__ = ["ElastiCacheService"]
