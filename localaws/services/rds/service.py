"""The RDS service module: all groups of operations together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.services.cloudwatch import CloudWatchService
from localaws.services.rds.account import RdsAccount
from localaws.services.rds.cluster_snapshots import RdsClusterSnapshots
from localaws.services.rds.instances import RdsInstances
from localaws.services.rds.metrics import RdsMetrics
from localaws.services.rds.replicas import RdsReplicas
from localaws.services.rds.snapshots import RdsSnapshots

if TYPE_CHECKING:
    from localaws.world import World


class RdsService(RdsInstances, RdsReplicas, RdsSnapshots, RdsClusterSnapshots, RdsAccount, RdsMetrics):
    """Amazon RDS and Aurora on top of moto's backend. CloudWatch must be registered before this module."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/RDS", self.metric, self.metric_names)
