"""MemoryDB: clusters with transitional statuses, multi-Region clusters, access control lists, snapshots, exports."""

from localaws.services.memorydb.service import MemoryDbService

__all__ = ["MemoryDbService"]
