"""The DRS service: jobs and recovery instances here, servers and settings in their own modules."""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.drs import shapes
from localaws.services.drs.base import conflict, page
from localaws.services.drs.configuration import Configuration
from localaws.services.drs.models import (
    Direction,
    Job,
    JobType,
    LastLaunch,
    Participant,
    RecoveryInstance,
    RegionState,
    ReplicationState,
    SourceServer,
    new_id,
)
from localaws.services.drs.plans import Plans
from localaws.services.drs.servers import Servers
from localaws.services.ec2 import Ec2Service

SERVERS_PER_JOB = 100
ACTIVE_JOBS = 20
SERVERS_IN_ACTIVE_JOBS = 500


class DrsService(Servers, Plans, Configuration):
    """AWS Elastic Disaster Recovery."""

    @operation("StartRecovery")
    def start_recovery(self, call: Call) -> Reply:
        """Launch recovery instances of up to 100 servers. There is no client token: each call is a new launch.

        Raises: ValidationException (more than 100 servers, unknown server or snapshot), ConflictException
            (a server is in another job), ServiceQuotaExceededException (20 jobs, 500 servers).
        """
        state = self.ready(call)
        wanted = call.params["sourceServers"]
        servers = self._startable(state, wanted)
        job = Job(
            id=new_id("drsjob-"),
            account=call.account,
            region=call.region,
            type=JobType.LAUNCH,
            drill=bool(call.params.get("isDrill", False)),
            created_at=self.world.clock.now(),
            principal=call.principal,
            participants=[Participant(w["sourceServerID"], w.get("recoverySnapshotID")) for w in wanted],
            tags=dict(call.params.get("tags", {})),
        )
        for server in servers:
            server.last_launch = LastLaunch(job.id, job.created_at, job.drill)
        self.launches.start(state, job)
        return {"job": shapes.job(job)}

    @operation("TerminateRecoveryInstances")
    def terminate_recovery_instances(self, call: Call) -> Reply:
        """Terminate recovery instances, drill or not: EC2 does not ask twice."""
        state = self.ready(call)
        ids = list(dict.fromkeys(call.params["recoveryInstanceIDs"]))
        instances = [self._instance(state, instance_id) for instance_id in ids]
        for instance in instances:
            if instance.server_id in state.servers:
                self.refuse_in_job(state, state.servers[instance.server_id])
        self._check_quotas(state, len(ids))
        job = Job(
            id=new_id("drsjob-"),
            account=call.account,
            region=call.region,
            type=JobType.TERMINATE,
            drill=all(i.drill for i in instances),
            created_at=self.world.clock.now(),
            principal=call.principal,
            participants=[Participant(i.server_id, instance_id=i.id) for i in instances],
        )
        self.launches.start(state, job)
        return {"job": shapes.job(job)}

    @operation("DescribeJobs")
    def describe_jobs(self, call: Call) -> Reply:
        """List jobs by id and creation time, newest first."""
        filters = call.params.get("filters", {})
        jobs = sorted(self.ready(call).jobs.values(), key=lambda job: job.created_at, reverse=True)
        if filters.get("jobIDs"):
            jobs = [job for job in jobs if job.id in filters["jobIDs"]]
        if "fromDate" in filters:
            jobs = [job for job in jobs if job.created_at >= shapes.parse_timestamp(filters["fromDate"])]
        if "toDate" in filters:
            jobs = [job for job in jobs if job.created_at <= shapes.parse_timestamp(filters["toDate"])]
        return page(call, [shapes.job(job) for job in jobs])

    @operation("DescribeJobLogItems")
    def describe_job_log_items(self, call: Call) -> Reply:
        """List a job's events, oldest first."""
        job = self.ready(call).jobs.get(call.params["jobID"])
        if job is None:
            raise AwsError("ValidationException", f"Job {call.params['jobID']} was not found.")
        return page(call, job.log)

    @operation("DescribeRecoveryInstances")
    def describe_recovery_instances(self, call: Call) -> Reply:
        """List recovery instances by their id or their source server."""
        state = self.ready(call)
        filters = call.params.get("filters", {})
        ids, servers = filters.get("recoveryInstanceIDs"), filters.get("sourceServerIDs")
        found = [
            instance
            for instance in state.instances.values()
            if (not ids or instance.id in ids) and (not servers or instance.server_id in servers)
        ]
        return page(call, [self._instance_shape(state, instance) for instance in found])

    @operation("ReverseReplication")
    def reverse_replication(self, call: Call) -> Reply:
        """Replicate a recovery instance back to its origin Region. AWS does not refuse a drill instance."""
        state = self.ready(call)
        instance = state.instance(call.params["recoveryInstanceID"])
        server = state.server(instance.server_id)
        self.refuse_in_job(state, server)
        origin = self.region_state(server.origin_account, server.origin_region)
        return {"reversedDirectionSourceServerArn": self.reversal.reverse(state, origin, instance).arn}

    @operation("DisconnectRecoveryInstance")
    def disconnect_recovery_instance(self, call: Call) -> Reply:
        """Uninstall the agent of a recovery instance: replication back from it stops."""
        state = self.ready(call)
        instance = state.instance(call.params["recoveryInstanceID"])
        if instance.disconnected:
            raise conflict(instance.id, f"{instance.id} is disconnected.", "AWS::DRS::RecoveryInstance")
        instance.disconnected = True
        protector = self._protector(instance)
        if protector is not None:
            self.replication.stop(protector, ReplicationState.DISCONNECTED)
        return {}

    @operation("DeleteRecoveryInstance")
    def delete_recovery_instance(self, call: Call) -> Reply:
        """Forget a recovery instance that is disconnected, gone, or was failed back and is protected again."""
        state = self.ready(call)
        instance = self._instance(state, call.params["recoveryInstanceID"])
        server = state.servers.get(instance.server_id)
        failed_back = server is not None and server.direction is Direction.FAILBACK and instance.reversed_arn
        gone = self._ec2_state(instance) in {"terminated", "not-found"}
        if not (instance.disconnected or gone or failed_back):
            raise conflict(instance.id, f"Disconnect {instance.id} before deleting it.", "AWS::DRS::RecoveryInstance")
        del state.instances[instance.id]
        if server is not None and server.recovery_instance_id == instance.id:
            server.recovery_instance_id = None
        return {}

    def _startable(self, state: RegionState, wanted: list[dict[str, Any]]) -> list[SourceServer]:
        ids = [w["sourceServerID"] for w in wanted]
        if len(ids) > SERVERS_PER_JOB:
            raise AwsError("ValidationException", f"{len(ids)} source servers in one job; at most {SERVERS_PER_JOB}.")
        if len(set(ids)) != len(ids):
            raise AwsError("ValidationException", "A source server is named twice.")
        for server_id in ids:
            if server_id not in state.servers:
                raise AwsError("ValidationException", f"Source server {server_id} was not found.")
        for server_id in ids:
            self.refuse_in_job(state, state.servers[server_id])
        self._check_quotas(state, len(ids))
        return [state.servers[server_id] for server_id in ids]

    def _check_quotas(self, state: RegionState, servers: int) -> None:
        active = state.active_jobs()
        if len(active) >= ACTIVE_JOBS:
            raise _quota(f"{len(active)} jobs in progress; at most {ACTIVE_JOBS}.", "L-D88FAC3A")
        busy = sum(len(job.participants) for job in active)
        if busy + servers > SERVERS_IN_ACTIVE_JOBS:
            raise _quota(f"{busy} servers in jobs; at most {SERVERS_IN_ACTIVE_JOBS} with these.", "L-05AFA8C6")

    def _instance(self, state: RegionState, instance_id: str) -> RecoveryInstance:
        if instance_id not in state.instances:
            raise conflict(instance_id, f"Recovery instance {instance_id} was not found.", "AWS::DRS::RecoveryInstance")
        return state.instances[instance_id]

    def _instance_shape(self, state: RegionState, instance: RecoveryInstance) -> dict[str, Any]:
        protector = self._protector(instance)
        progress = None if protector is None else self.replication.progress(protector)
        server = state.servers.get(instance.server_id)
        return shapes.recovery_instance(instance, server, self._ec2_state(instance), progress)

    def _protector(self, instance: RecoveryInstance) -> SourceServer | None:
        """Return the source server, in another Region, that replicates from this recovery instance."""
        servers = (s for region in self.regions.values() for s in region.servers.values())
        return next((s for s in servers if s.arn == instance.reversed_arn), None)

    def _ec2_state(self, instance: RecoveryInstance) -> str:
        ec2 = self.world.service("ec2")
        assert isinstance(ec2, Ec2Service)
        return ec2.state(instance.account, instance.region, instance.id)


def _quota(message: str, code: str) -> AwsError:
    return AwsError(
        "ServiceQuotaExceededException",
        message,
        402,
        resourceType="AWS::DRS::Job",
        serviceCode="drs",
        quotaCode=code,
    )
