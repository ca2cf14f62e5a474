"""CloudWatch: metrics computed from the live state of services, alarms evaluated on the scaled clock."""

from localaws.services.cloudwatch.service import CloudWatchService

__all__ = ["CloudWatchService"]
