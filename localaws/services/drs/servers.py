"""Handlers for source servers and their replication."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.drs import shapes
from localaws.services.drs.base import DrsBase, conflict, page
from localaws.services.drs.models import Direction, RegionState, ReplicationState, SourceServer, new_id

RETRY_STATES = {ReplicationState.STALLED, ReplicationState.DISCONNECTED, ReplicationState.STOPPED}


class Servers(DrsBase):
    """Source servers: describe, stop, start, disconnect, delete, extend."""

    @operation("DescribeSourceServers")
    def describe_source_servers(self, call: Call) -> Reply:
        """List source servers, by id, hardware id or staging account."""
        filters = call.params.get("filters", {})
        found = [s for s in self.ready(call).servers.values() if _matches(s, filters)]
        return page(call, [self.shape(server) for server in found])

    @operation("DescribeRecoverySnapshots")
    def describe_recovery_snapshots(self, call: Call) -> Reply:
        """List a server's recovery points, oldest first unless `order` says DESC."""
        server = self._known(call)
        filters = call.params.get("filters", {})
        points = self.replication.recovery_points(server)
        if "fromDateTime" in filters:
            points = [p for p in points if p.at >= shapes.parse_timestamp(filters["fromDateTime"])]
        if "toDateTime" in filters:
            points = [p for p in points if p.at <= shapes.parse_timestamp(filters["toDateTime"])]
        if call.params.get("order") == "DESC":
            points.reverse()
        items = [
            {
                "snapshotID": point.id,
                "sourceServerID": server.id,
                "expectedTimestamp": shapes.timestamp(point.at),
                "timestamp": shapes.timestamp(point.at),
                "ebsSnapshots": [f"snap-{point.id[4:]}"],
            }
            for point in points
        ]
        return page(call, items)

    @operation("StopReplication")
    def stop_replication(self, call: Call) -> Reply:
        """Stop replication and delete every recovery point of the server."""
        state, server = self._free(call)
        if server.state in {ReplicationState.STOPPED, ReplicationState.DISCONNECTED}:
            raise conflict(server.id, f"Replication of {server.id} is {server.state}: it cannot be stopped.")
        self.replication.stop(server, ReplicationState.STOPPED)
        return {"sourceServer": self.shape(server)}

    @operation("StartReplication")
    def start_replication(self, call: Call) -> Reply:
        """Start replication of a stopped server, from the first byte."""
        _, server = self._free(call)
        if server.state is not ReplicationState.STOPPED:
            raise conflict(server.id, f"Replication of {server.id} is {server.state}, expected STOPPED.")
        self.replication.begin(server)
        return {"sourceServer": self.shape(server)}

    @operation("RetryDataReplication")
    def retry_data_replication(self, call: Call) -> Reply:
        """Begin the initiation sequence again; only for stalled, stopped or disconnected servers."""
        server = self.ready(call).server(call.params["sourceServerID"])
        observed = self.replication.progress(server).state
        if observed not in RETRY_STATES:
            raise AwsError("ValidationException", f"Replication of {server.id} is {observed}: nothing to retry.")
        self.replication.begin(server)
        return self.shape(server)

    @operation("DisconnectSourceServer")
    def disconnect_source_server(self, call: Call) -> Reply:
        """Uninstall the agent and drop the server's data; refused while a recovery instance exists."""
        _, server = self._free(call)
        if server.recovery_instance_id is not None:
            raise conflict(server.id, f"{server.id} has the recovery instance {server.recovery_instance_id}.")
        if server.direction is Direction.FAILBACK and server.state is not ReplicationState.STOPPED:
            raise conflict(server.id, f"{server.id} replicates back: stop replication before disconnecting it.")
        self.replication.stop(server, ReplicationState.DISCONNECTED)
        return self.shape(server)

    @operation("DeleteSourceServer")
    def delete_source_server(self, call: Call) -> Reply:
        """Forget a disconnected server."""
        state, server = self._free(call)
        if server.state is not ReplicationState.DISCONNECTED and server.staging_arn is None:
            raise conflict(server.id, f"{server.id} is {server.state}: disconnect it before deleting it.")
        del state.servers[server.id]
        return {}

    @operation("CreateExtendedSourceServer")
    def create_extended_source_server(self, call: Call) -> Reply:
        """Add, in the caller's account, a server that another (staging) account replicates."""
        state = self.ready(call)
        arn = str(call.params["sourceServerArn"])
        staging = self.region_state(arn.split(":")[4], call.region).server(arn.rsplit("/", 1)[1])
        extended = SourceServer(
            id=new_id("s-"),
            account=call.account,
            region=call.region,
            hostname=staging.hostname,
            instance_id=staging.instance_id,
            origin_account=staging.origin_account,
            origin_region=staging.origin_region,
            added_at=self.world.clock.now(),
            tags=dict(call.params.get("tags", {})),
            state=staging.state,
            state_since=staging.state_since,
            disks=staging.disks,
            instance_type=staging.instance_type,
            windows=[*staging.windows],
            launch={"name": staging.hostname},
            staging_arn=arn,
        )
        state.servers[extended.id] = extended
        return {"sourceServer": self.shape(extended)}

    def enrol(
        self, server: SourceServer, *, replicating_seconds: float = 86_400.0, backlog_bytes: int = 0
    ) -> SourceServer:
        """Add a server whose agent has replicated for a while (AWS seconds), as an estate starts with.

        `backlog_bytes` wait to be copied and drain from now on.
        """
        now = self.world.clock.now()
        self.region_state(server.account, server.region).servers[server.id] = server
        since = now - timedelta(seconds=self.world.clock.clock_seconds(replicating_seconds))
        self.replication.mark_continuous(server, since)
        if backlog_bytes:
            server.backlog_bytes, server.backlog_since = backlog_bytes, now
        return server

    def shape(self, server: SourceServer) -> dict[str, Any]:
        """Return the server as DescribeSourceServers shows it."""
        return shapes.source_server(server, self.replication.progress(server))

    def _free(self, call: Call) -> tuple[RegionState, SourceServer]:
        state = self.ready(call)
        server = state.server(call.params["sourceServerID"])
        self.refuse_in_job(state, server)
        return state, server

    def _known(self, call: Call) -> SourceServer:
        server = self.ready(call).servers.get(call.params["sourceServerID"])
        if server is None:
            raise AwsError("ValidationException", f"Source server {call.params['sourceServerID']} was not found.")
        return server


def _matches(server: SourceServer, filters: dict[str, Any]) -> bool:
    staging = server.staging_arn.split(":")[4] if server.staging_arn else server.account
    wanted = (
        ("sourceServerIDs", server.id),
        ("stagingAccountIDs", staging),
    )
    if any(filters.get(key) and value not in filters[key] for key, value in wanted):
        return False
    return not filters.get("hardwareId") or filters["hardwareId"] in {server.instance_id, server.hostname}
