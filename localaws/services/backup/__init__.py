"""AWS Backup for EFS and FSx: recovery points, copies between Regions, restores. Vaults are moto's."""

from localaws.services.backup.service import BackupService

__all__ = ["BackupService"]
