"""The OpenSearch service module: control plane, domains' HTTP interface, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from localaws.services.cloudwatch import CloudWatchService
from localaws.services.opensearch.http import OpenSearchHttp
from localaws.services.opensearch.state import Place, Processing, Sync

if TYPE_CHECKING:
    from localaws.world import World

COUNTED = {
    "ReplicationNumSyncingIndices": Sync.SYNCING,
    "ReplicationNumBootstrappingIndices": Sync.BOOTSTRAPPING,
    "ReplicationNumPausedIndices": Sync.PAUSED,
}
NAMES = (*COUNTED, "ReplicationNumFailedIndices", "ClusterStatus.green", "ClusterStatus.yellow", "ClusterStatus.red")


class OpenSearchService(OpenSearchHttp):
    """Amazon OpenSearch Service on top of moto's domains. CloudWatch must be registered before this module."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/ES", self.metric, self.metric_names)

    def metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], _at: datetime
    ) -> float | None:
        """Return a metric of AWS/ES, by `DomainName` (and `ClientId`): numbers of follower indices, health (0 or 1)."""
        place = Place(account, region, dimensions.get("DomainName", ""))
        if name not in NAMES or not self.exists_domain(place) or self.state(place).status == Processing.CREATING:
            return None
        if name.startswith("ClusterStatus."):
            return 1.0 if self.cluster_health(place) == name.partition(".")[2] else 0.0
        follows = [index.follow for index in self.indices(place) if index.follow is not None]
        return float(sum(one.status is COUNTED.get(name) and not one.managed for one in follows))

    def metric_names(self, account: str, region: str) -> list[tuple[str, dict[str, str]]]:
        """Return the metrics published in a Region: name and dimensions."""
        return [
            (name, {"DomainName": place.domain, "ClientId": account})
            for place in self.places(account, region)
            for name in NAMES
        ]
