"""What time does to executions of recovery plans: all servers are validated, then the steps run one after the other.

DRS user guide, "How a recovery plan runs", "Validation", "Controlling how server failures affect a plan", "Monitoring an
execution", "Quotas".
"""

from __future__ import annotations

from localaws.service import AwsError
from localaws.services.drs.launches import Launches
from localaws.services.drs.models import (
    ExecutedStep,
    Job,
    JobType,
    LastLaunch,
    LaunchStatus,
    Participant,
    PlanExecution,
    RegionState,
    ReplicationState,
    SourceServer,
    new_id,
)
from localaws.services.drs.replication import Replication, find_point
from localaws.world import World

VALIDATION_SECONDS = 10.0
DAY_SECONDS = 86_400.0
LOST = {ReplicationState.DISCONNECTED, ReplicationState.STOPPED}
SKIPPED_STEPS = "Completed with skipped steps. View execution details for more information."


class PlanRuns:
    """Advances the executions of every account and Region."""

    def __init__(self, world: World, replication: Replication, launches: Launches) -> None:
        self.world = world
        self.replication = replication
        self.launches = launches

    def start(self, state: RegionState, run: PlanExecution) -> None:
        """Begin with the validation of every server of the plan."""
        state.executions[run.id] = run
        self.world.transition("drs.plan-validation", run.arn, VALIDATION_SECONDS, lambda: self._validated(state, run))
        self.world.transition("drs.plan-limit", run.arn, DAY_SECONDS, lambda: self._out_of_time(run))

    def retry(self, state: RegionState, run: PlanExecution, step: ExecutedStep) -> None:
        """Recover again what failed in a step, then go on."""
        step.attempt += 1
        run.status, run.completed_at, run.error = "IN_PROGRESS", None, None
        self._recover(state, run, step, [arn for arn in step.step.servers if not self._launched(state, step, arn)])

    def go_on(self, state: RegionState, run: PlanExecution) -> None:
        """Begin the next step, or end."""
        if run.status == "CANCELLING":
            self._end(run, "CANCELLED")
            return
        run.status, run.error = "IN_PROGRESS", None
        step = next((each for each in run.steps if each.status == "NOT_STARTED"), None)
        if step is None:
            skipped = any(each.status == "SKIPPED" for each in run.steps)
            self._end(run, "COMPLETED", ("SKIPPED_STEPS", SKIPPED_STEPS) if skipped else None)
        elif step.step.servers:
            self._recover(state, run, step, list(step.step.servers))
        else:
            self._change(step, "WAITING")
            wait = step.step.wait_minutes * 60.0
            self.world.transition("drs.plan-wait", run.arn, wait, lambda: self._waited(state, run, step))

    def cancel(self, run: PlanExecution) -> None:
        """Start no more steps; the one that runs goes on to its end."""
        for step in run.steps:
            if step.status in {"NOT_STARTED", "WAITING"}:
                self._change(step, "SKIPPED")
        if any(step.status == "EXECUTING" for step in run.steps):
            run.status = "CANCELLING"
        else:
            self._end(run, "CANCELLED")

    def _validated(self, state: RegionState, run: PlanExecution) -> None:
        if run.status != "CREATED":
            return
        wrong = [why for arn in run.plan.server_arns if (why := self._invalid(state, run, arn))]
        if wrong:
            self._end(run, "FAILED", ("VALIDATION_FAILED", "; ".join(wrong)))
        else:
            self.go_on(state, run)

    def _invalid(self, state: RegionState, run: PlanExecution, arn: str) -> str:
        server = _server(state, arn)
        if server is None:
            return f"Source server {arn} was not found."
        points = self.replication.recovery_points(server)
        if self.replication.progress(server).state in LOST:
            return f"Source server {server.id} cannot be recovered: it is disconnected or stopped."
        if not points and not self.replication.reachable(server):
            return f"Source server {server.id} has no consistent recovery point."
        if (job := state.job_of(server.id)) is not None:
            return f"Source server {server.id} is taking part in job {job.id}."
        try:
            if server.id in run.snapshots:
                find_point(points, run.snapshots[server.id])
        except AwsError as error:
            return error.message
        return ""

    def _recover(self, state: RegionState, run: PlanExecution, step: ExecutedStep, arns: list[str]) -> None:
        """Start the recovery of a step's servers in a single request; what fails validation fails the whole step."""
        wrong = [why for arn in arns if (why := self._invalid(state, run, arn))]
        if wrong:
            self._fail(run, step, "VALIDATION_FAILED", "; ".join(wrong))
            return
        servers = [server for arn in arns if (server := _server(state, arn)) is not None]
        job = Job(
            id=new_id("drsjob-"),
            account=state.account,
            region=state.region,
            type=JobType.LAUNCH,
            drill=run.mode == "DRILL",
            created_at=self.world.clock.now(),
            principal=run.principal,
            participants=[Participant(server.id, run.snapshots.get(server.id)) for server in servers],
            when_done=lambda: self._recovered(state, run, step),
        )
        for server in servers:
            server.last_launch = LastLaunch(job.id, job.created_at, job.drill)
        step.jobs |= dict.fromkeys(arns, job.id)
        self._change(step, "EXECUTING")
        self.launches.start(state, job)

    def _recovered(self, state: RegionState, run: PlanExecution, step: ExecutedStep) -> None:
        if step.status != "EXECUTING":
            return
        lost = [arn for arn in step.step.servers if not self._launched(state, step, arn)]
        names = ", ".join(arn.rpartition("/")[2] for arn in lost)
        if any(step.step.servers[arn] == "CRITICAL" for arn in lost) and run.status != "CANCELLING":
            self._fail(run, step, "SERVER_FAILED", f"Source servers did not recover: {names}")
            return
        self._change(step, "COMPLETED", ("OPTIONAL_SERVERS_FAILED", f"Did not recover: {names}") if lost else None)
        self.go_on(state, run)

    def _launched(self, state: RegionState, step: ExecutedStep, arn: str) -> bool:
        job = state.jobs.get(step.jobs.get(arn, ""))
        parts = [] if job is None else [p for p in job.participants if p.server_id == arn.rpartition("/")[2]]
        return any(part.status is LaunchStatus.LAUNCHED for part in parts)

    def _waited(self, state: RegionState, run: PlanExecution, step: ExecutedStep) -> None:
        if step.status == "WAITING":
            self._change(step, "COMPLETED")
            self.go_on(state, run)

    def _out_of_time(self, run: PlanExecution) -> None:
        if run.active:
            for step in run.steps:
                if step.status in {"EXECUTING", "WAITING"}:
                    self._change(step, "TIMED_OUT")
            self._end(run, "TIMED_OUT")

    def _fail(self, run: PlanExecution, step: ExecutedStep, code: str, message: str) -> None:
        self._change(step, "FAILED", (code, message))
        self._end(run, "FAILED", (code, message))

    def _change(self, step: ExecutedStep, status: str, error: tuple[str, str] | None = None) -> None:
        step.status, step.changed_at = status, self.world.clock.now()
        step.error = {"code": error[0], "message": error[1]} if error else None

    def _end(self, run: PlanExecution, status: str, error: tuple[str, str] | None = None) -> None:
        run.status, run.completed_at = status, self.world.clock.now()
        run.error = {"code": error[0], "message": error[1]} if error else None


def _server(state: RegionState, arn: str) -> SourceServer | None:
    return next((server for server in state.servers.values() if server.arn == arn), None)
