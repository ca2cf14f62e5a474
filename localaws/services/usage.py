"""The metrics in AWS/Usage of what is in use of a quota: vCPUs of on-demand instances and of Fargate tasks.

GetServiceQuota names the metric of a quota; other quotas have none here. Instances count while they are pending or running,
tasks until they have stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localaws.services.ecs.models import TaskStatus

if TYPE_CHECKING:
    from localaws.world import World

NAMESPACE, METRIC = "AWS/Usage", "ResourceCount"
CPU_UNITS = 1024
ON_DEMAND = "Standard/OnDemand"
_STANDARD = re.compile(r"^(?!inf|dl|trn|hpc|mac|high|u-)[acdhimrtz]")


def metric_of(service: str) -> dict[str, object]:
    """Return the metric of a service's on-demand vCPUs as Service Quotas names it."""
    dimensions = {"Service": service, "Type": "Resource", "Resource": "vCPU", "Class": ON_DEMAND}
    return {
        "MetricNamespace": NAMESPACE,
        "MetricName": METRIC,
        "MetricDimensions": dimensions,
        "MetricStatisticRecommendation": "Maximum",
    }


class Usage:
    """Counts what is in use now."""

    def __init__(self, world: World) -> None:
        self.world = world

    def metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], _at: datetime
    ) -> float | None:
        """Compute the metric; None where AWS publishes none."""
        if name != METRIC or (dimensions.get("Resource"), dimensions.get("Class")) != ("vCPU", ON_DEMAND):
            return None
        counts = {"EC2": self._of_instances, "Fargate": self._of_tasks}
        count = counts.get(dimensions.get("Service", ""))
        return sum(count(account, region)) if count else None

    def _of_instances(self, account: str, region: str) -> Iterator[float]:
        for instance in self.world.backend("ec2", account, region).all_instances():
            kind = str(instance.instance_type)
            if instance.state in {"pending", "running"} and _STANDARD.match(kind) and kind in INSTANCE_TYPES:
                yield float(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])

    def _of_tasks(self, account: str, region: str) -> Iterator[float]:
        for tasks in self.world.backend("ecs", account, region).tasks.values():
            for task in tasks.values():
                fargate = task.launch_type == "FARGATE" and task.capacity_provider in {None, "FARGATE"}
                if fargate and task.last_status is not TaskStatus.STOPPED and str(task.cpu or "").isdigit():
                    yield int(task.cpu) / CPU_UNITS
