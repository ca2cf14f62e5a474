"""Jobs: launching recovery instances and terminating them.

Each server of a job walks its own chain: clean up the previous recovery instance, take a snapshot, convert,
launch. A job is COMPLETED when every server has ended, well or badly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.service import AwsError
from localaws.services.drs import prepared
from localaws.services.drs.models import (
    Job,
    JobStatus,
    JobType,
    LaunchStatus,
    Participant,
    RecoveryInstance,
    RegionState,
    SourceServer,
    new_id,
)
from localaws.services.drs.replication import Replication, find_point
from localaws.services.drs.shapes import timestamp
from localaws.services.drs.targets import Targets
from localaws.world import World

JOB_START_SECONDS = 15.0
CLEANUP_SECONDS = 30.0
SNAPSHOT_SECONDS = 60.0
CONVERSION_SECONDS = 180.0
LAUNCH_SECONDS = 60.0


class Launches:
    """Runs the jobs of every account and Region."""

    def __init__(self, world: World, replication: Replication) -> None:
        self.world = world
        self.replication = replication
        self.targets = Targets(world)

    def start(self, state: RegionState, job: Job) -> None:
        """Queue a job; its chains begin when it is STARTED."""
        state.jobs[job.id] = job
        self.world.transition("drs.start-job", job.arn, JOB_START_SECONDS, lambda: self._begin(state, job))

    def _begin(self, state: RegionState, job: Job) -> None:
        job.status = JobStatus.STARTED
        self._log(job, "JOB_START")
        for participant in job.participants:
            participant.status = LaunchStatus.IN_PROGRESS
            server = state.servers.get(participant.server_id)
            if job.type is JobType.TERMINATE:
                self._terminate(state, job, participant)
            elif server is None:
                self._fail(state, job, participant, "SERVER_SKIPPED", "The source server was deleted.")
            else:
                _set_last(server, job, LaunchStatus.IN_PROGRESS)
                self._clean_up(state, job, participant, server)

    def _clean_up(self, state: RegionState, job: Job, part: Participant, server: SourceServer) -> None:
        old = server.recovery_instance_id
        if old is None:
            self._snapshot(state, job, part, server)
            return
        self._log(job, "CLEANUP_START", server, targetInstanceID=old)

        def effect() -> None:
            if old != prepared.named(server):
                try:
                    self.targets.terminate(job, old)
                except AwsError as error:
                    self._fail(state, job, part, "CLEANUP_FAIL", str(error))
                    return
            state.instances.pop(old, None)
            server.recovery_instance_id = None
            self._log(job, "CLEANUP_END", server, targetInstanceID=old)
            self._snapshot(state, job, part, server)

        self._step(state, job, part, server, "drs.cleanup", CLEANUP_SECONDS, effect, "CLEANUP_FAIL")

    def _snapshot(self, state: RegionState, job: Job, part: Participant, server: SourceServer) -> None:
        points = self.replication.recovery_points(server)
        if part.snapshot_id is not None:
            try:
                part.point_in_time = find_point(points, part.snapshot_id).at
            except AwsError as error:
                self._fail(state, job, part, "SNAPSHOT_FAIL", error.message)
                return
            self._convert(state, job, part, server)
        elif self.replication.reachable(server):
            self._log(job, "SNAPSHOT_START", server)

            def effect() -> None:
                part.point_in_time = self.world.clock.now()
                self._log(job, "SNAPSHOT_END", server)
                self._convert(state, job, part, server)

            self._step(state, job, part, server, "drs.snapshot", SNAPSHOT_SECONDS, effect, "SNAPSHOT_FAIL")
        elif points:
            part.point_in_time = points[-1].at
            self._log(job, "USING_PREVIOUS_SNAPSHOT", server)
            self._convert(state, job, part, server)
        else:
            self._log(job, "USING_PREVIOUS_SNAPSHOT_FAILED", server)
            self._fail(state, job, part, "SNAPSHOT_FAIL", "The source server has no recovery point to launch from.")

    def _convert(self, state: RegionState, job: Job, part: Participant, server: SourceServer) -> None:
        converter = new_id("i-")
        self._log(job, "CONVERSION_START", server, conversionServerID=converter)

        def effect() -> None:
            self._log(job, "CONVERSION_END", server, conversionServerID=converter)
            self._launch(state, job, part, server)

        self._step(state, job, part, server, "drs.conversion", CONVERSION_SECONDS, effect, "CONVERSION_FAIL")

    def _launch(self, state: RegionState, job: Job, part: Participant, server: SourceServer) -> None:
        self._log(job, "LAUNCH_START", server)

        def effect() -> None:
            try:
                instance_id = self.targets.launch(job, server)
            except AwsError as error:
                self._fail(state, job, part, "LAUNCH_FAILED", str(error))
                return
            self._launched(state, job, part, server, instance_id)

        self._step(state, job, part, server, "drs.launch", LAUNCH_SECONDS, effect, "LAUNCH_FAILED")

    def _launched(
        self, state: RegionState, job: Job, part: Participant, server: SourceServer, instance_id: str
    ) -> None:
        now = self.world.clock.now()
        state.instances[instance_id] = RecoveryInstance(
            id=instance_id,
            account=state.account,
            region=state.region,
            server_id=server.id,
            job_id=job.id,
            drill=job.drill,
            point_in_time=part.point_in_time or now,
            launched_at=now,
            tags=self.targets.tags(job, server),
        )
        server.recovery_instance_id = part.instance_id = instance_id
        part.status = LaunchStatus.LAUNCHED
        _set_last(server, job, LaunchStatus.LAUNCHED)
        self._complete(job)

    def _terminate(self, state: RegionState, job: Job, part: Participant) -> None:
        server = state.servers.get(part.server_id)
        instance_id = part.instance_id or ""
        self._log(job, "CLEANUP_START", server, targetInstanceID=instance_id)

        def effect() -> None:
            try:
                self.targets.terminate(job, instance_id)
            except AwsError as error:
                self._fail(state, job, part, "CLEANUP_FAIL", str(error))
                return
            state.instances.pop(instance_id, None)
            if server is not None and server.recovery_instance_id == instance_id:
                server.recovery_instance_id = None
                if server.last_launch is not None:
                    server.last_launch.status = LaunchStatus.TERMINATED
            part.status = LaunchStatus.TERMINATED
            self._log(job, "CLEANUP_END", server, targetInstanceID=instance_id)
            self._complete(job)

        def on_failure() -> None:
            self._fail(state, job, part, "CLEANUP_FAIL", "Termination failed.")

        self.world.transition("drs.terminate", job.arn, CLEANUP_SECONDS, effect, on_failure)

    def _step(
        self,
        state: RegionState,
        job: Job,
        part: Participant,
        server: SourceServer,
        kind: str,
        aws_seconds: float,
        effect: Callable[[], None],
        failure_event: str,
    ) -> None:
        def on_failure() -> None:
            self._fail(state, job, part, failure_event, f"{kind} failed")

        self.world.transition(kind, server.arn, aws_seconds, effect, on_failure)

    def _fail(self, state: RegionState, job: Job, part: Participant, event: str, reason: str) -> None:
        server = state.servers.get(part.server_id)
        self._log(job, event, server, sourceServerID=part.server_id, rawError=reason)
        part.status = LaunchStatus.FAILED
        if server is not None and job.type is JobType.LAUNCH:
            _set_last(server, job, LaunchStatus.FAILED)
        self._complete(job)

    def _complete(self, job: Job) -> None:
        if any(p.status in {LaunchStatus.PENDING, LaunchStatus.IN_PROGRESS} for p in job.participants):
            return
        job.status, job.ended_at = JobStatus.COMPLETED, self.world.clock.now()
        self._log(job, "JOB_END")
        if job.when_done is not None:
            job.when_done()

    def _log(self, job: Job, event: str, server: SourceServer | None = None, **data: Any) -> None:
        if server is not None:
            data["sourceServerID"] = server.id
        job.log.append({"logDateTime": timestamp(self.world.clock.now()), "event": event, "eventData": data})


def _set_last(server: SourceServer, job: Job, status: LaunchStatus) -> None:
    if server.last_launch is not None and server.last_launch.job_id == job.id:
        server.last_launch.status = status
