"""What the DRS handlers share: state per account and Region, refusals, pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from localaws.service import AwsError, Call, Service
from localaws.services.cloudwatch import CloudWatchService
from localaws.services.drs.launches import Launches
from localaws.services.drs.models import RegionState, SourceServer
from localaws.services.drs.plan_runs import PlanRuns
from localaws.services.drs.replication import Replication
from localaws.services.drs.reversal import Reversal
from localaws.world import World

DEFAULT_PAGE = 200


class DrsBase(Service):
    """State and helpers of the service."""

    name: ClassVar[str] = "drs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.replication = Replication(world)
        self.launches = Launches(world, self.replication)
        self.reversal = Reversal(world, self.replication)
        self.plan_runs = PlanRuns(world, self.replication, self.launches)
        self.reset()
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/DRS", self._metric)

    def reset(self) -> None:
        """Forget every account and Region."""
        self.regions: dict[tuple[str, str], RegionState] = {}
        self.replication.reset()

    def _metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], _at: datetime
    ) -> float | None:
        """Compute LagDuration (seconds) and Backlog (bytes) of a source server."""
        server = self.region_state(account, region).servers.get(dimensions.get("SourceServerID", ""))
        if server is None:
            return None
        progress = self.replication.progress(server)
        values = {
            "LagDuration": progress.lag.total_seconds() if progress.lag else 0.0,
            "Backlog": float(progress.backlog_bytes),
        }
        return values.get(name)

    def region_state(self, account: str, region: str) -> RegionState:
        """Return what DRS knows in an account and Region."""
        return self.regions.setdefault((account, region), RegionState(account, region))

    def state(self, call: Call) -> RegionState:
        """Return the state of the caller's account and Region."""
        return self.region_state(call.account, call.region)

    def ready(self, call: Call) -> RegionState:
        """Return the state; raise UninitializedAccountException before InitializeService was called."""
        state = self.state(call)
        if not state.initialized:
            raise AwsError(
                "UninitializedAccountException",
                f"Account {call.account} is not initialized for AWS Elastic Disaster Recovery in {call.region}.",
            )
        return state

    def refuse_in_job(self, state: RegionState, server: SourceServer) -> None:
        """Raise ConflictException while an active job holds the server."""
        job = state.job_of(server.id)
        if job is not None:
            raise conflict(server.id, f"Source server {server.id} is taking part in job {job.id}.")


def conflict(resource_id: str, message: str, resource_type: str = "AWS::DRS::SourceServer") -> AwsError:
    """Return a ConflictException about a resource."""
    return AwsError("ConflictException", message, 409, resourceId=resource_id, resourceType=resource_type)


def page(call: Call, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one page of `items` and the token of the next."""
    start = 0
    if token := call.params.get("nextToken"):
        try:
            start = int(base64.urlsafe_b64decode(token))
        except (ValueError, binascii.Error) as error:
            raise AwsError("ValidationException", "Invalid pagination token.", reason="other") from error
    end = start + call.params.get("maxResults", DEFAULT_PAGE)
    reply: dict[str, Any] = {"items": items[start:end]}
    if end < len(items):
        reply["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return reply
