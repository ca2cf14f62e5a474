"""Amazon EFS on top of moto: life cycles, protection, replication between Regions and accounts."""

from localaws.services.efs.responses import EfsService

__all__ = ["EfsService"]
